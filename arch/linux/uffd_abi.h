/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uffd_abi.h - the parts of the kernel's user interface that the installed headers may lack.
 *
 * The library is built against the distribution's <linux/userfaultfd.h>, which may be years older
 * than the kernel it runs on; whether the kernel has a feature is asked at run time (probe.c), so
 * the numbers only have to be known here. They are facts of the kernel's stable ABI.
 */
#ifndef ZL_UFFD_ABI_H
#define ZL_UFFD_ABI_H

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00) /* on /dev/userfaultfd, Linux 6.1 */
#endif

#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED (1ULL << 13) /* Linux 6.4 */
#endif
#ifndef UFFD_FEATURE_POISON
#define UFFD_FEATURE_POISON (1ULL << 14) /* Linux 6.6 */
#endif
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC (1ULL << 15) /* Linux 6.7 */
#endif
#ifndef UFFD_FEATURE_MOVE
#define UFFD_FEATURE_MOVE (1ULL << 16) /* Linux 6.8 */
#endif

#define ZL_IOC_MOVE   _IOWR(0xAA, 0x05, struct zl_uffdio_move)
#define ZL_IOC_POISON _IOWR(0xAA, 0x08, struct zl_uffdio_poison)

struct zl_uffdio_move {
	uint64_t dst;
	uint64_t src;
	uint64_t len;
	uint64_t mode;
	int64_t move; /* out: bytes moved, or a negative errno */
};

struct zl_uffdio_poison {
	struct uffdio_range range;
	uint64_t mode;
	int64_t updated; /* out: bytes poisoned, or a negative errno */
};

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#endif /* ZL_UFFD_ABI_H */
