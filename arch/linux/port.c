/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port.c - make a port and take it apart.
 *
 * Locks: none; one thread has the port. The userfaultfd is closed last but for the addresses: with
 * it closed while a page is mapped, a touch would silently find zeros.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "port.h"
#include "uffd_abi.h"

#define TEXT(...) (void)snprintf(text, text_bytes, __VA_ARGS__)

static int agree(struct zl_port *port, bool sigbus, bool user_only)
{
	const struct zl_features *f = port->features;
	uint64_t want = UFFD_FEATURE_PAGEFAULT_FLAG_WP;
	enum zl_uffd_how how;
	uint64_t have;

	want |= sigbus ? UFFD_FEATURE_SIGBUS : (f->thread_id ? UFFD_FEATURE_THREAD_ID : 0);
	want |= f->poison ? UFFD_FEATURE_POISON : 0;
	want |= f->move ? UFFD_FEATURE_MOVE : 0;
	int error = zl_uffd_open(user_only, &how, &port->uffd);
	if (error != 0) {
		port->uffd = -1;
		return error;
	}
	return zl_uffd_agree(port->uffd, want, &have);
}

static int register_all(struct zl_port *port)
{
	int error = zl_uffd_register(port->uffd, port->base, port->pages * Z_PAGE_SIZE,
				     UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);

	/* A destination of UFFDIO_MOVE has to be registered; WP alone leaves first touches to Linux. */
	if (error == 0 && port->pool != NULL) {
		error = zl_uffd_register(port->uffd, (uintptr_t)port->pool,
					 port->nframes * Z_PAGE_SIZE, UFFDIO_REGISTER_MODE_WP);
	}
	if (error == 0 && port->staging.recycles) {
		error = zl_uffd_register(port->uffd, (uintptr_t)port->staging.pages,
					 port->staging.n * Z_PAGE_SIZE, UFFDIO_REGISTER_MODE_WP);
	}
	if (error == 0 && port->lobby != NULL) {
		error = zl_uffd_register(port->uffd, (uintptr_t)port->lobby,
					 ZL_LOBBY_PAGES * Z_PAGE_SIZE, UFFDIO_REGISTER_MODE_WP);
	}
	return error;
}

static void open_helpers(struct zl_port *port)
{
	port->pid = getpid();
	port->pidfd =
		port->features->vector_dontneed ? (int)syscall(SYS_pidfd_open, getpid(), 0) : -1;
	port->mem_fd = port->features->proc_mem ? open("/proc/self/mem", O_RDONLY | O_CLOEXEC) : -1;
}

static int open_uffd(struct zl_port *port, const struct zl_port_config *config, char *text,
		     size_t text_bytes)
{
	const struct zl_features *f = port->features;

	if (f->how == ZL_UFFD_NONE) {
		TEXT("this kernel gives no userfaultfd (%s): it needs Linux 5.7 or later with "
		     "CONFIG_USERFAULTFD, and no seccomp filter in the way",
		     strerror(-f->error));
		return f->error == -EPERM || f->error == -EACCES ? Z_ERR_PERM : Z_ERR_NOTSUP;
	}
	if (!f->wp) {
		TEXT("this kernel's userfaultfd has no write protection: Linux 5.7 or later on "
		     "x86_64 (arm64: 6.4) is needed");
		return Z_ERR_NOTSUP;
	}
	if (config->sigbus && !f->sigbus) {
		TEXT("this kernel's userfaultfd has no SIGBUS mode: use fault mode monitor");
		return Z_ERR_NOTSUP;
	}
	if (!config->user_only && f->how == ZL_UFFD_USER_ONLY) {
		TEXT("fault mode monitor needs leave to serve the kernel's own accesses: be root, "
		     "make /dev/userfaultfd readable, set vm.unprivileged_userfaultfd to 1, or "
		     "use fault mode signal");
		return Z_ERR_PERM;
	}
	int error = agree(port, config->sigbus, config->user_only);
	if (error != 0) {
		TEXT("cannot open a userfaultfd: %s", strerror(-error));
		return error == -EPERM ? Z_ERR_PERM : Z_ERR_NOTSUP;
	}
	return 0;
}

static int open_window(struct zl_port *port, const struct zl_port_config *config, char *text,
		       size_t text_bytes)
{
	uint64_t bytes = config->window_bytes;

	if (zl_window_reserve(&bytes, config->least_bytes, &port->base) != 0) {
		TEXT("cannot reserve %llu MiB of addresses: raise the limit on address space "
		     "(ulimit -v) or ask for a smaller window",
		     (unsigned long long)(config->least_bytes >> 20));
		return Z_ERR_NOMEM;
	}
	port->pages = bytes / Z_PAGE_SIZE;
	int error = zl_table_open(&port->table, port->pages, &config->purse);
	if (error != 0) {
		return error;
	}
	if (config->frames_free != NULL && port->features->huge &&
	    strcmp(config->mechanism, "move") != 0) {
		return zl_huge_open(port, config->frames_free);
	}
	/* Fails where the kernel has no huge pages: then there is nothing to forbid. */
	(void)madvise((void *)port->base, bytes, MADV_NOHUGEPAGE);
	return 0;
}

static bool recycles(const char *mechanism)
{
	return strcmp(mechanism, "copy-recycle") == 0;
}

/* Of the small arrays: ranges and order of a batch, and frames of the staging pages. */
static size_t array_bytes(const char *mechanism, uint32_t nframes, uint32_t batch)
{
	return batch * (sizeof(struct iovec) + sizeof(uint16_t)) +
	       (zl_staging_pages(nframes, batch, recycles(mechanism)) + 1) * sizeof(uint32_t);
}

static int open_arrays(struct zl_port *port, const char *mechanism)
{
	size_t bytes = array_bytes(mechanism, port->nframes, port->batch);

	port->array_bytes = bytes;
	port->drop.ranges = zl_pages_alloc(bytes);
	port->order = (uint16_t *)(void *)(port->drop.ranges + port->batch);
	return port->drop.ranges != NULL ? 0 : Z_ERR_NOMEM;
}

static int open_copy(struct zl_port *port, const char *mechanism)
{
	/* After the order of a batch, which may end in the middle of a word. */
	uintptr_t words = ((uintptr_t)(port->order + port->batch) + 3) & ~(uintptr_t)3;

	port->ops = zl_copy_ops;
	port->ops.scratch_slots = zl_port_slots(port->nframes);
	return zl_staging_open(port, recycles(mechanism), (_Atomic uint32_t *)words);
}

static int open_mechanism(struct zl_port *port, const struct zl_port_config *config, char *text,
			  size_t text_bytes)
{
	if (strcmp(config->mechanism, "copy") == 0) {
		return open_copy(port, config->mechanism);
	}
	if (!port->features->move) {
		TEXT("mechanism %s needs UFFDIO_MOVE (Linux 6.8): use copy", config->mechanism);
		return Z_ERR_NOTSUP;
	}
	if (strcmp(config->mechanism, "move") == 0) {
		return zl_move_open(port);
	}
	int error = open_copy(port, config->mechanism);
	return error == 0 && !recycles(config->mechanism) ? zl_lobby_open(port) : error;
}

int zl_port_open(struct zl_port *port, const struct zl_port_config *config, char *text,
		 size_t text_bytes)
{
	port->features = zl_probe();
	port->uffd = -1;
	port->pidfd = -1;
	port->mem_fd = -1;
	port->nframes = config->nframes;
	port->batch = config->batch > Z_BATCH_MAX ? config->batch : Z_BATCH_MAX;
	(void)pthread_mutex_init(&port->drop_lock, NULL);
	TEXT("%s", "");

	int error = open_uffd(port, config, text, text_bytes);
	if (error == 0) {
		open_helpers(port);
		error = open_window(port, config, text, text_bytes);
	}
	if (error == 0) {
		error = open_arrays(port, config->mechanism);
	}
	if (error == 0) {
		error = open_mechanism(port, config, text, text_bytes);
	}
	if (error == 0) {
		error = register_all(port);
	}
	if (error != 0) {
		zl_port_close(port);
		if (text_bytes > 0 && text[0] == 0) {
			TEXT("cannot set up paged memory: %s", z_strerror(error));
		}
	}
	return error;
}

static void unmap_pages(void *p, size_t bytes)
{
	if (p != NULL) {
		munmap(p, bytes);
	}
}

static void close_fd(int fd)
{
	if (fd >= 0) {
		close(fd);
	}
}

void zl_port_close(struct zl_port *port)
{
	unmap_pages(port->drop.ranges, port->array_bytes);
	zl_staging_close(port);
	unmap_pages(port->lobby, ZL_LOBBY_PAGES * Z_PAGE_SIZE);
	unmap_pages(port->pool, port->nframes * Z_PAGE_SIZE);
	unmap_pages(port->pool_touched, zl_move_bitmap_bytes(port->nframes));
	unmap_pages(port->surplus, zl_move_bitmap_bytes(port->nframes));
	zl_huge_close(port);
	zl_table_close(&port->table);
	unmap_pages((void *)port->base, port->pages * Z_PAGE_SIZE);
	close_fd(port->uffd);
	close_fd(port->pidfd);
	close_fd(port->mem_fd);
	(void)pthread_mutex_destroy(&port->drop_lock);
	memset(port, 0, sizeof(*port));
}

int zl_port_reopen(struct zl_port *port, bool sigbus, bool user_only)
{
	close_fd(port->uffd);
	close_fd(port->pidfd);
	close_fd(port->mem_fd);
	int error = agree(port, sigbus, user_only);
	if (error != 0) {
		return error;
	}
	open_helpers(port);
	zl_env_reset(&port->env);
	if (port->staging.recycles) {
		zl_staging_forget(port);
	}
	return register_all(port);
}

int zl_port_inherit(struct zl_port *port, bool inherit)
{
	int advice = inherit ? MADV_DOFORK : MADV_DONTFORK;

	port->forked |= inherit;
	return madvise((void *)port->base, port->pages * Z_PAGE_SIZE, advice) == 0 ? 0
										   : Z_ERR_NOMEM;
}

uint32_t zl_port_slots(uint32_t nframes)
{
	uint32_t slots = nframes / 16;

	return slots < 8 ? 8 : (slots > ZL_SLOTS_MAX ? ZL_SLOTS_MAX : slots);
}

size_t zl_port_fixed_bytes(const char *mechanism, uint32_t nframes, uint32_t batch)
{
	size_t staging = zl_port_slots(nframes) * Z_PAGE_SIZE +
			 array_bytes(mechanism, nframes, batch > Z_BATCH_MAX ? batch : Z_BATCH_MAX);

	if (recycles(mechanism) && zl_port_slots(nframes) == ZL_SLOTS_MAX) {
		staging += ZL_GIVE_BACK * Z_PAGE_SIZE;
	}

	return strcmp(mechanism, "move") == 0 ? staging + 2 * zl_move_bitmap_bytes(nframes)
					      : staging;
}
