/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conform_arch_linux.c - the Linux port against the suite that every port passes, with each
 * mechanism. Memory is touched by the kernel on our behalf (a pipe): where a program would fault,
 * a port in SIGBUS mode lets the system call fail with EFAULT, and nothing hangs.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../arch/linux/port.h"
#include "arch_conform.h"

struct variant {
	struct arch_under_test port; /* first: the suite hands it back */
	const char *mechanism;
	struct zl_port *linux_port;
	int ends[2];
};

static int setup(struct arch_under_test *self)
{
	struct variant *v = (struct variant *)self;
	struct zl_port_config config = {
		.mechanism = v->mechanism,
		.sigbus = true,
		.user_only = true,
		.window_bytes = (uint64_t)64 << 20,
		.least_bytes = (uint64_t)1 << 20,
		.nframes = ARCH_CONFORM_FRAMES,
	};
	char text[256];

	v->linux_port = calloc(1, sizeof(*v->linux_port));
	if (v->linux_port == NULL || pipe(v->ends) != 0) {
		return Z_ERR_NOMEM;
	}
	int error = zl_port_open(v->linux_port, &config, text, sizeof(text));
	if (error != 0) {
		printf("%s\n", text);
		return error;
	}
	self->ops = &v->linux_port->ops;
	self->ctx = v->linux_port;
	self->env = &zl_env_ops;
	self->env_ctx = &v->linux_port->env;
	self->vm_base = v->linux_port->base;
	self->vm_pages = v->linux_port->pages;
	self->ram_base = 0;
	self->frames = ARCH_CONFORM_FRAMES;
	return 0;
}

static void teardown(struct arch_under_test *self)
{
	struct variant *v = (struct variant *)self;

	zl_port_close(v->linux_port);
	free(v->linux_port);
	close(v->ends[0]);
	close(v->ends[1]);
}

static bool touch_once(struct variant *v, uintptr_t va, unsigned int access, unsigned char *byte)
{
	unsigned char rest;

	if ((access & Z_ACCESS_WRITE) == 0) {
		return write(v->ends[1], (void *)va, 1) == 1 && read(v->ends[0], byte, 1) == 1;
	}
	if (write(v->ends[1], byte, 1) != 1) {
		abort();
	}
	if (read(v->ends[0], (void *)va, 1) == 1) {
		return true;
	}
	return read(v->ends[0], &rest, 1) != 1;
}

/* Is the soft half of a fault due? If so, it is done. */
static bool soft(struct arch_under_test *self, uintptr_t va, unsigned int access)
{
	uintptr_t page = z_page_align_down(va);
	z_key_t key = self->env->lock(self->env_ctx);
	struct z_entry e = self->ops->entry(self->ctx, page);
	bool due = e.kind == Z_ENTRY_IN && (access & ~e.prot) == 0;

	if (due) {
		self->ops->touch(self->ctx, page, access);
	}
	self->env->unlock(self->env_ctx, key);
	return due;
}

static enum arch_access access_byte(struct arch_under_test *self, uintptr_t va, unsigned int access,
				    unsigned char *byte)
{
	struct variant *v = (struct variant *)self;

	for (int tries = 0; tries < 3; tries++) {
		if (touch_once(v, va, access, byte)) {
			return ARCH_ACCESS_OK;
		}
		if (!soft(self, va, access)) {
			break;
		}
	}
	z_key_t key = self->env->lock(self->env_ctx);
	struct z_entry e = self->ops->entry(self->ctx, z_page_align_down(va));
	self->env->unlock(self->env_ctx, key);
	bool forbidden = e.kind != Z_ENTRY_UNMAPPED && (access & ~e.prot) != 0;
	return forbidden ? ARCH_ACCESS_VIOLATION : ARCH_ACCESS_FAULT;
}

static int run(const char *name, const char *mechanism)
{
	struct variant v = {
		.port =
			{
				.name = name,
				.setup = setup,
				.teardown = teardown,
				.access = access_byte,
				.prot_mask = Z_ACCESS_READ | Z_ACCESS_WRITE,
			},
		.mechanism = mechanism,
	};

	return arch_conform_run(&v.port);
}

int main(void)
{
	if (zl_probe()->how == ZL_UFFD_NONE) {
		printf("skipped: %s\n", "this kernel gives no userfaultfd");
		return 77;
	}
	int failed = run("linux-copy", "copy");
	if (zl_probe()->move) {
		failed += run("linux-copy-recycle", "copy-recycle") +
			  run("linux-copy-move", "copy-move") + run("linux-move", "move");
	}
	return failed;
}
