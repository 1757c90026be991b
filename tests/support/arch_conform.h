/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arch_conform.h - one suite for every port: what arch.h promises, by z_arch_ops, z_env_ops and
 * touching memory. A port plugs in with a struct arch_under_test and calls arch_conform_run.
 *
 *	static int my_setup(struct arch_under_test *self);      fills in everything below "by setup"
 *	...
 *	struct arch_under_test port = {.name = "mine", .setup = my_setup, ...};
 *	return arch_conform_run(&port);
 *
 * Each test gets a fresh machine from setup and gives it back to teardown.
 */
#ifndef TESTS_SUPPORT_ARCH_CONFORM_H
#define TESTS_SUPPORT_ARCH_CONFORM_H

#include <zpager/arch.h>

enum arch_access {
	ARCH_ACCESS_OK,
	ARCH_ACCESS_FAULT,     /* nothing accessible is there: the core would be asked */
	ARCH_ACCESS_VIOLATION, /* it is there, but the permissions forbid it */
};

struct arch_under_test {
	const char *name;

	/* setup - 0: ready; else the suite is skipped, with a line that says so. */
	int (*setup)(struct arch_under_test *self);
	void (*teardown)(struct arch_under_test *self);

	/*
	 * access - one byte as a program does: READ stores it in *byte, WRITE takes it from there.
	 *   A fault on an entry that is IN and allows the access (accessed or dirty emulated) is
	 *   resolved by the adapter, by ops->touch with the lock held, and tried again.
	 */
	enum arch_access (*access)(struct arch_under_test *self, uintptr_t va, unsigned int access,
				   unsigned char *byte);

	/* problem - what the port's own checks found, NULL if nothing. May be NULL. */
	const char *(*problem)(struct arch_under_test *self);

	unsigned int prot_mask; /* permissions that the port implements: READ | WRITE at least */
	bool sees_reads;        /* info() is exact for reads, too */

	/* By setup: */
	const struct z_arch_ops *ops;
	void *ctx;
	const struct z_env_ops *env;
	void *env_ctx;
	uintptr_t vm_base;
	size_t vm_pages; /* at least ARCH_CONFORM_PAGES */
	uintptr_t ram_base;
	uint32_t frames; /* at least ARCH_CONFORM_FRAMES */
	void *own;       /* the adapter's */
};

#define ARCH_CONFORM_PAGES  16
#define ARCH_CONFORM_FRAMES 8

/* arch_conform_run - run all of it; returns what a test's main function returns. */
int arch_conform_run(struct arch_under_test *port);

#endif /* TESTS_SUPPORT_ARCH_CONFORM_H */
