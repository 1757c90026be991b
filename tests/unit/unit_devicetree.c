/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_devicetree.c - what the ports read of a device tree: those that QEMU makes for its boards, and
 * damage to them.
 *
 * The trees are made when the test runs; without the emulators it is skipped. A damaged one ends where
 * its allocation ends, so that the address sanitizer sees a step too far.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <zpager/error.h>

#include "../../arch/common/devicetree.h"

#define SKIPPED 77

/* Where the fields of the header are, and how long it is. */
enum { TOTAL = 4, STRUCTURE_AT = 8, STRINGS_AT = 12, STRINGS_BYTES = 32, STRUCTURE_BYTES = 36 };
#define HEADER 40U

struct blob {
	unsigned char *bytes;
	size_t size;
};

static struct blob riscv64, arm64;

static uint32_t get(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put(unsigned char *at, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		at[i] = (unsigned char)(v >> (24 - 8 * i));
}

/* QEMU writes the tree into the file that the command names with %s. */
static struct blob make_blob(const char *command)
{
	char path[] = "/tmp/unit_devicetree.XXXXXX";
	char line[512];
	struct blob b;
	FILE *file;
	int fd = mkstemp(path);

	if (fd < 0)
		exit(1);
	close(fd);
	(void)snprintf(line, sizeof(line), command, path);
	if (system(line) != 0) {
		unlink(path);
		printf("skipped: QEMU cannot be run: %s\n", line);
		exit(SKIPPED);
	}
	file = fopen(path, "rb");
	b.bytes = aligned_alloc(8, 2 << 20);
	b.size = file != NULL ? fread(b.bytes, 1, 2 << 20, file) : 0;
	if (file != NULL)
		fclose(file);
	unlink(path);
	return b;
}

static void test_riscv64(void **state)
{
	struct devicetree t;

	(void)state;
	assert_int_equal(devicetree_read(riscv64.bytes, &t), Z_OK);
	assert_int_equal(t.ram_base, 0x80000000);
	assert_int_equal(t.ram_bytes, 24 << 20);
	assert_int_equal(t.cpus, 3);
	for (unsigned int i = 0; i < t.cpus; i++)
		assert_int_equal(t.cpu_id[i], i);
	assert_int_equal(t.nvirtio, 8);
	for (unsigned int i = 0; i < t.nvirtio; i++) {
		assert_int_equal(t.virtio[i].base, 0x10001000 + 0x1000 * i);
		assert_int_equal(t.virtio[i].irq, 1 + i);
	}
	assert_string_equal(t.bootargs, "frames=8 quiet");
	assert_int_equal(t.timebase_hz, 10000000);
	assert_int_equal(t.plic, 0xc000000);
	assert_int_equal(t.gic_distributor, 0);
	assert_int_equal(t.gic_cpu, 0);
	assert_int_equal(t.console, 0x10000000);
}

static void test_arm64(void **state)
{
	struct devicetree t;

	(void)state;
	assert_int_equal(devicetree_read(arm64.bytes, &t), Z_OK);
	assert_int_equal(t.ram_base, 0x40000000);
	assert_int_equal(t.ram_bytes, 64 << 20);
	assert_int_equal(t.cpus, 4); /* of five */
	for (unsigned int i = 0; i < t.cpus; i++)
		assert_int_equal(t.cpu_id[i], i);
	assert_int_equal(t.nvirtio, 32);
	for (unsigned int i = 0; i < t.nvirtio; i++) {
		assert_int_equal(t.virtio[i].base, 0xa000000 + 0x200 * i);
		assert_int_equal(t.virtio[i].irq, 32 + 16 + i);
	}
	assert_string_equal(t.bootargs, "");
	assert_int_equal(t.timebase_hz, 0);
	assert_int_equal(t.plic, 0);
	assert_int_equal(t.gic_distributor, 0x8000000);
	assert_int_equal(t.gic_cpu, 0x8010000);
	assert_int_equal(t.console, 0x9000000);
}

static void assert_refused(const void *blob)
{
	struct devicetree t;
	struct devicetree none = {.bootargs = ""};

	memset(&t, 0x55, sizeof(t));
	assert_int_equal(devicetree_read(blob, &t), Z_ERR_INVAL);
	assert_string_equal(t.bootargs, "");
	t.bootargs = none.bootargs;
	assert_memory_equal(&t, &none, sizeof(t));
}

static void test_no_tree(void **state)
{
	unsigned char *copy = aligned_alloc(8, 64);

	(void)state;
	assert_refused(NULL);
	memset(copy, 0, 64);
	assert_refused(copy);
	memcpy(copy, riscv64.bytes, 40);
	assert_refused(riscv64.bytes + 1);
	put(copy + 20, 16); /* version */
	assert_refused(copy);
	put(copy + 20, 18);
	put(copy + 24, 18); /* compatible with nothing older */
	assert_refused(copy);
	free(copy);
}

/* A copy with the strings first and so many bytes of the structure last, where the allocation ends. */
static struct blob repack(const struct blob *from, size_t bytes)
{
	size_t strings = get(from->bytes + STRINGS_BYTES);
	size_t at = (HEADER + strings + 7) / 8 * 8;
	struct blob to = {malloc(at + bytes), at + bytes};

	memcpy(to.bytes, from->bytes, HEADER);
	memcpy(to.bytes + HEADER, from->bytes + get(from->bytes + STRINGS_AT), strings);
	memcpy(to.bytes + at, from->bytes + get(from->bytes + STRUCTURE_AT), bytes);
	put(to.bytes + TOTAL, (uint32_t)to.size);
	put(to.bytes + STRINGS_AT, HEADER);
	put(to.bytes + STRUCTURE_AT, (uint32_t)at);
	put(to.bytes + STRUCTURE_BYTES, (uint32_t)bytes);
	return to;
}

/* The structure ends too early, everywhere: never a tree. */
static void test_cut(void **state)
{
	const struct blob *blobs[] = {&riscv64, &arm64};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		size_t all = get(blobs[i]->bytes + STRUCTURE_BYTES);

		for (size_t bytes = 0; bytes < all; bytes += bytes < 64 ? 1 : 4) {
			struct blob copy = repack(blobs[i], bytes);

			assert_refused(copy.bytes);
			free(copy.bytes);
		}
	}
}

/* One word becomes something else: an answer, and no step outside. */
static void test_damaged(void **state)
{
	static const uint32_t words[] = {0, 1, 2, 3, 9, 0x7fffffff, 0xfffffffd, 0xffffffff};
	struct blob copy = repack(&riscv64, get(riscv64.bytes + STRUCTURE_BYTES));
	struct devicetree t;
	unsigned int refused = 0;

	(void)state;
	for (size_t i = 0; i + 4 <= copy.size; i += 4) {
		uint32_t was = get(copy.bytes + i);

		/* The size of all is what the caller vouches for. */
		for (size_t n = 0; i != TOTAL && n < sizeof(words) / sizeof(words[0]); n++) {
			put(copy.bytes + i, words[n]);
			refused += devicetree_read(copy.bytes, &t) != Z_OK;
			assert_true(t.nvirtio <= DEVICETREE_VIRTIO_MAX);
			assert_true(t.cpus <= Z_PORT_CPUS_MAX);
		}
		put(copy.bytes + i, was);
	}
	assert_int_equal(devicetree_read(copy.bytes, &t), Z_OK);
	assert_int_equal(t.nvirtio, 8);
	assert_in_range(refused, 100, 1U << 30);
	free(copy.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_riscv64), cmocka_unit_test(test_arm64),
		cmocka_unit_test(test_no_tree), cmocka_unit_test(test_cut),
		cmocka_unit_test(test_damaged),
	};

	riscv64 = make_blob("timeout 30 qemu-system-riscv64 -M virt,dumpdtb=%s -smp 3 -m 24M "
			    "-display none -kernel /bin/true -append 'frames=8 quiet' "
			    ">/dev/null 2>&1");
	arm64 = make_blob("timeout 30 qemu-system-aarch64 -M virt,dumpdtb=%s -cpu cortex-a53 "
			  "-smp 5 -m 64M -display none >/dev/null 2>&1");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
