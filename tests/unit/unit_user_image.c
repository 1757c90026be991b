/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_user_image.c - the programs for the boards as they lie on a disk: what the kernel would load by
 * the header of user/image.h is, byte for byte, what the linked program says.
 *
 * Skipped where no program has been built.
 */
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/image.h"

#define SKIPPED 77

struct file {
	unsigned char *bytes;
	size_t size;
};

static const char *const archs[] = {"riscv64", "arm64", "x86_64"};
static bool built[3];
static struct file images[3], programs[3];

static bool read_file(const char *arch, const char *name, struct file *out)
{
	const char *build = getenv("ZPAGER_BUILD");
	char path[4096];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/user/%s/%s", build != NULL ? build : ".", arch,
		       name);
	file = fopen(path, "rb");
	if (file == NULL)
		return false;
	out->bytes = malloc(16 << 20);
	out->size = fread(out->bytes, 1, 16 << 20, file);
	fclose(file);
	return true;
}

/* The header, with everything in it that has to hold for every program. */
static const struct image_header *header(const struct file *image)
{
	const struct image_header *h = (const void *)image->bytes;
	const struct image_part *parts[] = {&h->text, &h->rodata, &h->data};
	uint64_t page = 1;
	uint64_t va = h->text.va;

	assert_int_equal(h->magic, IMAGE_MAGIC);
	assert_int_equal(h->pages * IMAGE_PAGE, image->size);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(parts[i]->first, page);
		assert_int_equal(parts[i]->va % IMAGE_PAGE, 0);
		assert_true(parts[i]->va >= va);
		page += parts[i]->pages;
		va = parts[i]->va + parts[i]->pages * IMAGE_PAGE;
	}
	assert_int_equal(page, h->pages);
	assert_int_equal(h->bss.va, va);
	assert_int_equal(h->bss.first, 0);
	assert_in_range(h->entry, h->text.va, h->text.va + h->text.pages * IMAGE_PAGE - 1);
	assert_true(h->stack_bytes > 0 && h->stack_bytes % IMAGE_PAGE == 0);
	return h;
}

/* What lies at an address once the image is loaded. */
static unsigned char loaded(const struct file *image, const struct image_part *part, uint64_t va)
{
	uint64_t at = va - part->va;

	if (part->first == 0)
		return 0;
	return image->bytes[part->first * IMAGE_PAGE + at];
}

static const struct image_part *part_of(const struct image_header *h, uint32_t flags, uint64_t va)
{
	if (flags == (PF_R | PF_X))
		return &h->text;
	if (flags == PF_R)
		return &h->rodata;
	assert_int_equal(flags, PF_R | PF_W);
	return va < h->bss.va ? &h->data : &h->bss;
}

static void check_segment(const struct file *image, const struct file *elf, const Elf64_Phdr *p)
{
	const struct image_header *h = header(image);

	for (uint64_t i = 0; i < p->p_memsz; i++) {
		uint64_t va = p->p_vaddr + i;
		const struct image_part *part = part_of(h, p->p_flags, va);
		unsigned char wanted = i < p->p_filesz ? elf->bytes[p->p_offset + i] : 0;

		if (va < part->va || va >= part->va + part->pages * IMAGE_PAGE)
			fail_msg("0x%lx is in no part", (unsigned long)va);
		if (loaded(image, part, va) != wanted)
			fail_msg("another byte at 0x%lx", (unsigned long)va);
	}
}

static void test_images(void **state)
{
	(void)state;
	for (size_t a = 0; a < 3; a++) {
		const Elf64_Ehdr *e = (const void *)programs[a].bytes;
		const Elf64_Phdr *p;
		unsigned int segments = 0;

		if (!built[a])
			continue;
		print_message("%s\n", archs[a]);
		p = (const void *)(programs[a].bytes + e->e_phoff);
		assert_int_equal(header(&images[a])->entry, e->e_entry);
		for (unsigned int i = 0; i < e->e_phnum; i++) {
			if (p[i].p_type == PT_LOAD) {
				check_segment(&images[a], &programs[a], &p[i]);
				segments++;
			}
		}
		assert_int_equal(segments, 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_images)};
	bool any = false;

	for (size_t a = 0; a < 3; a++) {
		built[a] = read_file(archs[a], "lua.img", &images[a]) &&
			   read_file(archs[a], "lua.elf", &programs[a]);
		any = any || built[a];
	}
	if (!any) {
		printf("skipped: no program for a board has been built (user_ARCH)\n");
		return SKIPPED;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
