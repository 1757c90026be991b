/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls.c - the table of system calls: which arguments are pointers, and how long the thing behind
 * each is. One line a call.
 *
 * Not here, on purpose: calls whose addresses name a range and are not followed (mmap, munmap,
 * mprotect, madvise, mremap, msync, the first of mincore); calls that the kernel keeps the address of and
 * touches later by itself (set_robust_list, set_tid_address, rseq: libc's lie in the thread's
 * structure, on its stack, which is never paged); clone and its family, which return twice;
 * rt_sigreturn; rt_sigprocmask, which libc calls while SIGSYS itself is blocked; ptrace, bpf, perf_event_open and what only administrators call.
 *
 * Locks: none, constant. Limits: x86_64.
 */
#define _GNU_SOURCE
#include <sys/syscall.h>

#include "calls.h"

#if defined(__x86_64__)

/* In, out or both, by the number of the argument. */
#define STR(a)                                                                                     \
	{                                                                                          \
		(a), ZP_STRING, ZP_IN, 0, 0                                                        \
	}
#define IN(a, n)                                                                                   \
	{                                                                                          \
		(a), ZP_FIXED, ZP_IN, 0, (n)                                                       \
	}
#define OUT(a, n)                                                                                  \
	{                                                                                          \
		(a), ZP_FIXED, ZP_OUT, 0, (n)                                                      \
	}
#define BOTH(a, n)                                                                                 \
	{                                                                                          \
		(a), ZP_FIXED, ZP_BOTH, 0, (n)                                                     \
	}
#define INS(a, n, unit)                                                                            \
	{                                                                                          \
		(a), ZP_COUNT, ZP_IN, (n), (unit)                                                  \
	}
#define OUTS(a, n, unit)                                                                           \
	{                                                                                          \
		(a), ZP_COUNT, ZP_OUT, (n), (unit)                                                 \
	}
#define ALL(a, n, unit)                                                                            \
	{                                                                                          \
		(a), ZP_COUNT, ZP_BOTH, (n), (unit)                                                \
	}
#define RES(a, n, unit)                                                                            \
	{                                                                                          \
		(a), ZP_RESULT, ZP_OUT, (n), (unit)                                                \
	}
#define SOCK(a, n)                                                                                 \
	{                                                                                          \
		(a), ZP_SOCKLEN, ZP_OUT, (n), 0                                                    \
	}
#define FDS(a)                                                                                     \
	{                                                                                          \
		(a), ZP_FDSET, ZP_BOTH, 0, 0                                                       \
	}
#define MSG(a, n, way)                                                                             \
	{                                                                                          \
		(a), ZP_MESSAGE, (way), (n), 0                                                     \
	}
#define HAND(a)                                                                                    \
	{                                                                                          \
		(a), ZP_HAND, 0, 0, 0                                                              \
	}
#define HERE(a, n)                                                                                 \
	{                                                                                          \
		(a), ZP_INPLACE, 0, 0, (n)                                                         \
	}

static const struct zp_row rows[] = {
	{SYS_read, zp_do_read, {HAND(1)}},
	{SYS_write, zp_do_write, {HAND(1)}},
	{SYS_open, NULL, {STR(0)}},
	{SYS_stat, NULL, {STR(0), OUT(1, 144)}},
	{SYS_fstat, NULL, {OUT(1, 144)}},
	{SYS_lstat, NULL, {STR(0), OUT(1, 144)}},
	{SYS_poll, NULL, {ALL(0, 1, 8)}},
	{SYS_rt_sigaction, NULL, {IN(1, 32), OUT(2, 32)}},
	{SYS_ioctl, zp_do_ioctl, {HAND(2)}},
	{SYS_pread64, zp_do_read, {HAND(1)}},
	{SYS_pwrite64, zp_do_write, {HAND(1)}},
	{SYS_readv, zp_do_readv, {HAND(1)}},
	{SYS_writev, zp_do_writev, {HAND(1)}},
	{SYS_access, NULL, {STR(0)}},
	{SYS_pipe, NULL, {OUT(0, 8)}},
	{SYS_select, NULL, {FDS(1), FDS(2), FDS(3), BOTH(4, 16)}},
	{SYS_mincore, NULL, {{2, ZP_PAGES, ZP_OUT, 1, 0}}},
	{SYS_shmctl, NULL, {HERE(2, 112)}},
	{SYS_nanosleep, NULL, {IN(0, 16), OUT(1, 16)}},
	{SYS_getitimer, NULL, {OUT(1, 32)}},
	{SYS_setitimer, NULL, {IN(1, 32), OUT(2, 32)}},
	{SYS_sendfile, NULL, {BOTH(2, 8)}},
	{SYS_connect, NULL, {INS(1, 2, 1)}},
	{SYS_accept, NULL, {SOCK(1, 2), BOTH(2, 4)}},
	{SYS_sendto, zp_do_sendto, {HAND(1), INS(4, 5, 1)}},
	{SYS_recvfrom, zp_do_recvfrom, {HAND(1), SOCK(4, 5), BOTH(5, 4)}},
	{SYS_sendmsg, zp_do_sendmsg, {HAND(1)}},
	{SYS_recvmsg, zp_do_recvmsg, {HAND(1)}},
	{SYS_bind, NULL, {INS(1, 2, 1)}},
	{SYS_getsockname, NULL, {SOCK(1, 2), BOTH(2, 4)}},
	{SYS_getpeername, NULL, {SOCK(1, 2), BOTH(2, 4)}},
	{SYS_socketpair, NULL, {OUT(3, 8)}},
	{SYS_setsockopt, NULL, {INS(3, 4, 1)}},
	{SYS_getsockopt, NULL, {SOCK(3, 4), BOTH(4, 4)}},
	{SYS_execve, zp_do_execve, {HAND(0), HAND(1), HAND(2)}},
	{SYS_wait4, NULL, {OUT(1, 4), OUT(3, 144)}},
	{SYS_uname, NULL, {OUT(0, 390)}},
	{SYS_semop, NULL, {INS(1, 2, 6)}},
	{SYS_semctl, NULL, {HERE(3, 104)}},
	{SYS_msgsnd, NULL, {MSG(1, 2, ZP_IN)}},
	{SYS_msgrcv, NULL, {MSG(1, 2, ZP_OUT)}},
	{SYS_msgctl, NULL, {HERE(2, 120)}},
	{SYS_fcntl, zp_do_fcntl, {HAND(2)}},
	{SYS_truncate, NULL, {STR(0)}},
	{SYS_getdents, NULL, {RES(1, 2, 1)}},
	{SYS_getcwd, NULL, {RES(0, 1, 1)}},
	{SYS_chdir, NULL, {STR(0)}},
	{SYS_rename, NULL, {STR(0), STR(1)}},
	{SYS_mkdir, NULL, {STR(0)}},
	{SYS_rmdir, NULL, {STR(0)}},
	{SYS_creat, NULL, {STR(0)}},
	{SYS_link, NULL, {STR(0), STR(1)}},
	{SYS_unlink, NULL, {STR(0)}},
	{SYS_symlink, NULL, {STR(0), STR(1)}},
	{SYS_readlink, NULL, {STR(0), RES(1, 2, 1)}},
	{SYS_chmod, NULL, {STR(0)}},
	{SYS_chown, NULL, {STR(0)}},
	{SYS_lchown, NULL, {STR(0)}},
	{SYS_gettimeofday, NULL, {OUT(0, 16), OUT(1, 8)}},
	{SYS_getrlimit, NULL, {OUT(1, 16)}},
	{SYS_getrusage, NULL, {OUT(1, 144)}},
	{SYS_sysinfo, NULL, {OUT(0, 112)}},
	{SYS_times, NULL, {OUT(0, 32)}},
	{SYS_syslog, NULL, {RES(1, 2, 1)}},
	{SYS_getgroups, NULL, {RES(1, 0, 4)}},
	{SYS_setgroups, NULL, {INS(1, 0, 4)}},
	{SYS_getresuid, NULL, {OUT(0, 4), OUT(1, 4), OUT(2, 4)}},
	{SYS_getresgid, NULL, {OUT(0, 4), OUT(1, 4), OUT(2, 4)}},
	{SYS_capget, NULL, {BOTH(0, 8), OUT(1, 24)}},
	{SYS_capset, NULL, {BOTH(0, 8), IN(1, 24)}},
	{SYS_rt_sigpending, NULL, {OUTS(0, 1, 1)}},
	{SYS_rt_sigtimedwait, NULL, {INS(0, 3, 1), OUT(1, 128), IN(2, 16)}},
	{SYS_rt_sigqueueinfo, NULL, {IN(2, 128)}},
	{SYS_rt_sigsuspend, NULL, {INS(0, 1, 1)}},
	{SYS_sigaltstack, NULL, {IN(0, 24), OUT(1, 24)}},
	{SYS_utime, NULL, {STR(0), IN(1, 16)}},
	{SYS_mknod, NULL, {STR(0)}},
	{SYS_statfs, NULL, {STR(0), OUT(1, 120)}},
	{SYS_fstatfs, NULL, {OUT(1, 120)}},
	{SYS_sched_setparam, NULL, {IN(1, 4)}},
	{SYS_sched_getparam, NULL, {OUT(1, 4)}},
	{SYS_sched_setscheduler, NULL, {IN(2, 4)}},
	{SYS_sched_rr_get_interval, NULL, {OUT(1, 16)}},
	{SYS_prctl, NULL, {HERE(1, 16)}},
	{SYS_adjtimex, NULL, {BOTH(0, 208)}},
	{SYS_setrlimit, NULL, {IN(1, 16)}},
	{SYS_chroot, NULL, {STR(0)}},
	{SYS_settimeofday, NULL, {IN(0, 16), IN(1, 8)}},
	{SYS_mount, NULL, {STR(0), STR(1), STR(2), STR(4)}},
	{SYS_umount2, NULL, {STR(0)}},
	{SYS_sethostname, NULL, {INS(0, 1, 1)}},
	{SYS_setxattr, NULL, {STR(0), STR(1), INS(2, 3, 1)}},
	{SYS_lsetxattr, NULL, {STR(0), STR(1), INS(2, 3, 1)}},
	{SYS_fsetxattr, NULL, {STR(1), INS(2, 3, 1)}},
	{SYS_getxattr, NULL, {STR(0), STR(1), RES(2, 3, 1)}},
	{SYS_lgetxattr, NULL, {STR(0), STR(1), RES(2, 3, 1)}},
	{SYS_fgetxattr, NULL, {STR(1), RES(2, 3, 1)}},
	{SYS_listxattr, NULL, {STR(0), RES(1, 2, 1)}},
	{SYS_llistxattr, NULL, {STR(0), RES(1, 2, 1)}},
	{SYS_flistxattr, NULL, {RES(1, 2, 1)}},
	{SYS_removexattr, NULL, {STR(0), STR(1)}},
	{SYS_lremovexattr, NULL, {STR(0), STR(1)}},
	{SYS_fremovexattr, NULL, {STR(1)}},
	{SYS_time, NULL, {OUT(0, 8)}},
	{SYS_futex, zp_do_futex, {HAND(0), HAND(3), HAND(4)}},
	{SYS_sched_setaffinity, NULL, {INS(2, 1, 1)}},
	{SYS_sched_getaffinity, NULL, {RES(2, 1, 1)}},
	{SYS_io_getevents, NULL, {RES(3, 2, 32), IN(4, 16)}},
	{SYS_getdents64, NULL, {RES(1, 2, 1)}},
	{SYS_semtimedop, NULL, {INS(1, 2, 6), IN(3, 16)}},
	{SYS_timer_create, NULL, {IN(1, 64), OUT(2, 4)}},
	{SYS_timer_settime, NULL, {IN(2, 32), OUT(3, 32)}},
	{SYS_timer_gettime, NULL, {OUT(1, 32)}},
	{SYS_clock_settime, NULL, {IN(1, 16)}},
	{SYS_clock_gettime, NULL, {OUT(1, 16)}},
	{SYS_clock_getres, NULL, {OUT(1, 16)}},
	{SYS_clock_nanosleep, NULL, {IN(2, 16), OUT(3, 16)}},
	{SYS_epoll_wait, NULL, {RES(1, 2, 12)}},
	{SYS_epoll_ctl, NULL, {IN(3, 12)}},
	{SYS_utimes, NULL, {STR(0), IN(1, 32)}},
	{SYS_mq_open, NULL, {STR(0), IN(3, 64)}},
	{SYS_mq_unlink, NULL, {STR(0)}},
	{SYS_mq_timedsend, NULL, {INS(1, 2, 1), IN(4, 16)}},
	{SYS_mq_timedreceive, NULL, {RES(1, 2, 1), OUT(3, 4), IN(4, 16)}},
	{SYS_mq_notify, NULL, {IN(1, 64)}},
	{SYS_mq_getsetattr, NULL, {IN(1, 64), OUT(2, 64)}},
	{SYS_waitid, NULL, {OUT(2, 128), OUT(4, 144)}},
	{SYS_inotify_add_watch, NULL, {STR(1)}},
	{SYS_openat, NULL, {STR(1)}},
	{SYS_mkdirat, NULL, {STR(1)}},
	{SYS_mknodat, NULL, {STR(1)}},
	{SYS_fchownat, NULL, {STR(1)}},
	{SYS_futimesat, NULL, {STR(1), IN(2, 32)}},
	{SYS_newfstatat, NULL, {STR(1), OUT(2, 144)}},
	{SYS_unlinkat, NULL, {STR(1)}},
	{SYS_renameat, NULL, {STR(1), STR(3)}},
	{SYS_linkat, NULL, {STR(1), STR(3)}},
	{SYS_symlinkat, NULL, {STR(0), STR(2)}},
	{SYS_readlinkat, NULL, {STR(1), RES(2, 3, 1)}},
	{SYS_fchmodat, NULL, {STR(1)}},
	{SYS_faccessat, NULL, {STR(1)}},
	{SYS_pselect6, NULL, {FDS(1), FDS(2), FDS(3), BOTH(4, 16), IN(5, 16)}},
	{SYS_ppoll, NULL, {ALL(0, 1, 8), BOTH(2, 16), INS(3, 4, 1)}},
	{SYS_splice, NULL, {BOTH(1, 8), BOTH(3, 8)}},
	{SYS_vmsplice, zp_do_vmsplice, {HAND(1)}},
	{SYS_utimensat, NULL, {STR(1), IN(2, 32)}},
	{SYS_epoll_pwait, NULL, {RES(1, 2, 12), INS(4, 5, 1)}},
	{SYS_signalfd, NULL, {INS(1, 2, 1)}},
	{SYS_timerfd_settime, NULL, {IN(2, 32), OUT(3, 32)}},
	{SYS_timerfd_gettime, NULL, {OUT(1, 32)}},
	{SYS_accept4, NULL, {SOCK(1, 2), BOTH(2, 4)}},
	{SYS_signalfd4, NULL, {INS(1, 2, 1)}},
	{SYS_pipe2, NULL, {OUT(0, 8)}},
	{SYS_preadv, zp_do_readv, {HAND(1)}},
	{SYS_pwritev, zp_do_writev, {HAND(1)}},
	{SYS_rt_tgsigqueueinfo, NULL, {IN(3, 128)}},
	{SYS_recvmmsg, zp_do_recvmmsg, {HAND(1), BOTH(4, 16)}},
	{SYS_prlimit64, NULL, {IN(2, 16), OUT(3, 16)}},
	{SYS_sendmmsg, zp_do_sendmmsg, {HAND(1)}},
	{SYS_process_vm_readv, zp_do_process_vm, {HAND(1), HAND(3)}},
	{SYS_process_vm_writev, zp_do_process_vm, {HAND(1), HAND(3)}},
	{SYS_sched_setattr, NULL, {IN(1, 48)}},
	{SYS_sched_getattr, NULL, {OUTS(1, 2, 1)}},
	{SYS_renameat2, NULL, {STR(1), STR(3)}},
	{SYS_seccomp, NULL, {IN(2, 16)}},
	{SYS_getrandom, NULL, {RES(0, 1, 1)}},
	{SYS_memfd_create, NULL, {STR(0)}},
	{SYS_execveat, zp_do_execve, {HAND(1), HAND(2), HAND(3)}},
	{SYS_copy_file_range, NULL, {BOTH(1, 8), BOTH(3, 8)}},
	{SYS_preadv2, zp_do_readv, {HAND(1)}},
	{SYS_pwritev2, zp_do_writev, {HAND(1)}},
	{SYS_statx, NULL, {STR(1), OUT(4, 256)}},
	{SYS_openat2, NULL, {STR(1), INS(2, 3, 1)}},
	{SYS_faccessat2, NULL, {STR(1)}},
	{SYS_epoll_pwait2, NULL, {RES(1, 2, 12), IN(3, 16), INS(4, 5, 1)}},
};

#else

static const struct zp_row rows[1];

#endif

#define ROWS (sizeof(rows) / sizeof(rows[0]))

const struct zp_row *zp_row_at(size_t index)
{
	return index < ROWS ? &rows[index] : NULL;
}

const struct zp_row *zp_row_of(long nr)
{
	size_t low = 0;
	size_t high = ROWS;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (rows[middle].nr == nr) {
			return &rows[middle];
		}
		if (rows[middle].nr < nr) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return NULL;
}
