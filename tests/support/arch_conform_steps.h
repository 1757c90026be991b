/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arch_conform_steps.h - single steps on the port under test, for arch_conform.c. Pages and frames
 * go by number. All but ac_page_va, ac_frame_phys and ac_op_of take and drop the pager lock.
 */
#ifndef TESTS_SUPPORT_ARCH_CONFORM_STEPS_H
#define TESTS_SUPPORT_ARCH_CONFORM_STEPS_H

#include "arch_conform.h"

extern struct arch_under_test *ac_port;

uintptr_t ac_page_va(size_t i);
z_phys_t ac_frame_phys(size_t i);
struct z_page_op ac_op_of(size_t page, size_t frame);
z_key_t ac_lock(void);
void ac_unlock(z_key_t key);
void ac_map(size_t page, size_t pages, unsigned int prot);
void ac_unmap(size_t page, size_t pages);
void ac_protect(size_t page, size_t pages, unsigned int prot);
struct z_entry ac_entry(size_t page);
unsigned int ac_info(size_t page, bool clear_accessed);
void ac_touch(size_t page, unsigned int access);
void ac_hold(size_t page, size_t frame);
void ac_fill_and_attach(size_t page, size_t frame, unsigned char byte, enum z_attach_as as);
void ac_bring_in(size_t page, size_t frame, unsigned char byte, enum z_attach_as as);
bool ac_detach(size_t page, size_t frame);
/* The first half of the release of pages that were detached, where the port has one. */
void ac_vacate(const struct z_page_op *ops, size_t n);
void ac_release(size_t page, size_t frame, uintptr_t loc, bool untouched);
unsigned char ac_read_byte(size_t page, size_t offset);
void ac_write_byte(size_t page, size_t offset, unsigned char byte);
enum arch_access ac_try_access(size_t page, unsigned int access);
void ac_expect(size_t page, enum z_entry_kind kind, unsigned int prot);

#endif /* TESTS_SUPPORT_ARCH_CONFORM_STEPS_H */
