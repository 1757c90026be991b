/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uffd.h - userfaultfd, one function a call. All return 0 or a negative errno (the values of enum
 * z_err), are async-signal-safe but for errno, and take addresses and sizes in bytes, page-aligned.
 */
#ifndef ZL_UFFD_H
#define ZL_UFFD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How the kernel gave us the descriptor; decides whether the kernel's own accesses are served. */
enum zl_uffd_how {
	ZL_UFFD_NONE,
	ZL_UFFD_FULL,      /* userfaultfd(2) or /dev/userfaultfd */
	ZL_UFFD_USER_ONLY, /* UFFD_USER_MODE_ONLY: a system call that meets a missing page: EFAULT */
};

/*
 * zl_uffd_open - a new descriptor, close-on-exec and non-blocking, no features agreed yet.
 *   user_only_is_enough: do not try to get more than UFFD_USER_MODE_ONLY.
 *   *how_out is NONE on error.
 */
int zl_uffd_open(bool user_only_is_enough, enum zl_uffd_how *how_out, int *fd_out);

/* zl_uffd_agree - the handshake; features: UFFD_FEATURE_* wanted. *features_out: all there are. */
int zl_uffd_agree(int fd, uint64_t features, uint64_t *features_out);

/* zl_uffd_register - serve a range: UFFDIO_REGISTER_MODE_* bits. -EBUSY: another has it. */
int zl_uffd_register(int fd, uintptr_t va, size_t bytes, uint64_t mode);

/*
 * zl_uffd_copy - make an absent page present with these contents; nobody is woken.
 *   protect: arrives write-protected. -EEXIST there is a page | -EAGAIN | -ENOMEM | -ENOENT.
 */
int zl_uffd_copy(int fd, uintptr_t va, const void *from, bool protect);

/* zl_uffd_copy_run - the same for pages that follow one another. Returns how many came, from the first. */
size_t zl_uffd_copy_run(int fd, uintptr_t va, const void *from, size_t pages, bool protect);

/* zl_uffd_protect - set or clear write-protection of present pages; clearing wakes nobody. */
int zl_uffd_protect(int fd, uintptr_t va, size_t bytes, bool protect);

/* zl_uffd_wake - wake every thread that waits for a page of the range. */
int zl_uffd_wake(int fd, uintptr_t va, size_t bytes);

/*
 * zl_uffd_move - move present pages to absent ones; nobody is woken.
 *   *moved_out: bytes moved, also on error. -EBUSY shared or pinned | -EEXIST | -ENOENT | -EAGAIN.
 */
int zl_uffd_move(int fd, uintptr_t to, uintptr_t from, size_t bytes, size_t *moved_out);

/* zl_uffd_poison - a touch of this absent page is a SIGBUS from now on; wakes who waits. */
int zl_uffd_poison(int fd, uintptr_t va);

#endif /* ZL_UFFD_H */
