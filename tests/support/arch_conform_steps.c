/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arch_conform_steps.c - the single steps of arch_conform.c: each is one hook under the lock, and
 * ends the test if the hook says something else than expected.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "arch_conform_steps.h"

struct arch_under_test *ac_port;

/* Pages that are held since ac_detach(); only the first ones are ever detached. */
static bool detached[ARCH_CONFORM_PAGES];

static void note_detached(size_t page, bool value)
{
	if (page < ARCH_CONFORM_PAGES) {
		detached[page] = value;
	}
}

uintptr_t ac_page_va(size_t i)
{
	return ac_port->vm_base + i * Z_PAGE_SIZE;
}

z_phys_t ac_frame_phys(size_t i)
{
	return z_phys(ac_port->ram_base + i * Z_PAGE_SIZE);
}

struct z_page_op ac_op_of(size_t page, size_t frame)
{
	return (struct z_page_op){.va = ac_page_va(page), .phys = ac_frame_phys(frame)};
}

z_key_t ac_lock(void)
{
	return ac_port->env->lock(ac_port->env_ctx);
}

void ac_unlock(z_key_t key)
{
	ac_port->env->unlock(ac_port->env_ctx, key);
}

/* ---- single steps, each under the lock ---- */

void ac_map(size_t page, size_t pages, unsigned int prot)
{
	z_key_t key = ac_lock();

	assert_int_equal(ac_port->ops->map(ac_port->ctx, ac_page_va(page), pages, prot), 0);
	ac_unlock(key);
}

void ac_unmap(size_t page, size_t pages)
{
	z_key_t key = ac_lock();

	ac_port->ops->unmap(ac_port->ctx, ac_page_va(page), pages);
	ac_unlock(key);
}

void ac_protect(size_t page, size_t pages, unsigned int prot)
{
	z_key_t key = ac_lock();

	assert_int_equal(ac_port->ops->protect(ac_port->ctx, ac_page_va(page), pages, prot), 0);
	ac_unlock(key);
}

struct z_entry ac_entry(size_t page)
{
	z_key_t key = ac_lock();
	struct z_entry e = ac_port->ops->entry(ac_port->ctx, ac_page_va(page));

	ac_unlock(key);
	return e;
}

unsigned int ac_info(size_t page, bool clear_accessed)
{
	z_key_t key = ac_lock();
	unsigned int bits = ac_port->ops->info(ac_port->ctx, ac_page_va(page), clear_accessed);

	ac_unlock(key);
	return bits;
}

void ac_touch(size_t page, unsigned int access)
{
	z_key_t key = ac_lock();

	ac_port->ops->touch(ac_port->ctx, ac_page_va(page), access);
	ac_unlock(key);
}

void ac_hold(size_t page, size_t frame)
{
	note_detached(page, false);
	z_key_t key = ac_lock();

	if (ac_port->ops->prepare != NULL) {
		assert_int_equal(ac_port->ops->prepare(ac_port->ctx, ac_page_va(page), 1), 0);
	}
	ac_port->ops->hold(ac_port->ctx, ac_page_va(page), ac_frame_phys(frame));
	ac_unlock(key);
}

/* A held page becomes resident, full of one byte. */
void ac_fill_and_attach(size_t page, size_t frame, unsigned char byte, enum z_attach_as as)
{
	struct z_page_op op = ac_op_of(page, frame);
	void *scratch = ac_port->ops->scratch(ac_port->ctx, op.va, op.phys, Z_SCRATCH_FILL);
	z_key_t key;

	memset(scratch, byte, Z_PAGE_SIZE);
	/* attach has to do it alone for every other page. */
	if (ac_port->ops->place != NULL && page % 2 == 1) {
		assert_int_equal(ac_port->ops->place(ac_port->ctx, &op, 1, as), 0);
		assert_int_equal(op.status, 0);
	}
	key = ac_lock();
	assert_int_equal(ac_port->ops->attach(ac_port->ctx, &op, 1, as), 0);
	assert_int_equal(op.status, 0);
	ac_port->ops->scratch_done(ac_port->ctx, op.va, op.phys, scratch, Z_SCRATCH_FILL);
	ac_unlock(key);
}

/* An untouched or out page becomes resident. */
void ac_bring_in(size_t page, size_t frame, unsigned char byte, enum z_attach_as as)
{
	ac_hold(page, frame);
	ac_fill_and_attach(page, frame, byte, as);
}

/* A resident page becomes held; says whether it is dirty. */
bool ac_detach(size_t page, size_t frame)
{
	struct z_page_op op = ac_op_of(page, frame);
	z_key_t key = ac_lock();

	assert_int_equal(ac_port->ops->detach(ac_port->ctx, &op, 1), 0);
	assert_int_equal(op.status, 0);
	ac_unlock(key);
	note_detached(page, true);
	return op.dirty;
}

void ac_vacate(const struct z_page_op *ops, size_t n)
{
	if (ac_port->ops->vacate != NULL) {
		ac_port->ops->vacate(ac_port->ctx, ops, n);
	}
}

void ac_release(size_t page, size_t frame, uintptr_t loc, bool untouched)
{
	struct z_page_op op = ac_op_of(page, frame);
	z_key_t key;

	op.loc = z_loc(loc);
	op.untouched = untouched;
	if (page < ARCH_CONFORM_PAGES && detached[page]) {
		ac_vacate(&op, 1);
		note_detached(page, false);
	}
	key = ac_lock();
	ac_port->ops->release(ac_port->ctx, &op, 1);
	ac_unlock(key);
}

unsigned char ac_read_byte(size_t page, size_t offset)
{
	unsigned char byte = 0;

	assert_int_equal(ac_port->access(ac_port, ac_page_va(page) + offset, Z_ACCESS_READ, &byte),
			 ARCH_ACCESS_OK);
	return byte;
}

void ac_write_byte(size_t page, size_t offset, unsigned char byte)
{
	assert_int_equal(ac_port->access(ac_port, ac_page_va(page) + offset, Z_ACCESS_WRITE, &byte),
			 ARCH_ACCESS_OK);
}

enum arch_access ac_try_access(size_t page, unsigned int access)
{
	unsigned char byte = 0;

	return ac_port->access(ac_port, ac_page_va(page), access, &byte);
}

void ac_expect(size_t page, enum z_entry_kind kind, unsigned int prot)
{
	struct z_entry e = ac_entry(page);

	assert_int_equal(e.kind, kind);
	if (kind != Z_ENTRY_UNMAPPED) {
		assert_int_equal(e.prot, prot);
	}
}
