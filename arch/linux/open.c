/* SPDX-License-Identifier: Apache-2.0 */
/*
 * open.c - make an instance, and take it apart.
 *
 * Order: options, port (window, userfaultfd), store, pager, and last whoever serves faults. Each
 * step has its undo in free_instance(), which looks at what is there.
 *
 * Locks: none; nobody else knows the instance. Limits: the options may lie in memory paged by
 * another instance, so they are read before anything is locked.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "instance.h"

#define RAM_DEFAULT    (UINT64_C(256) << 20)
#define WINDOW_DEFAULT (UINT64_C(1) << 40)
#define WINDOW_LEAST   (UINT64_C(16) << 20)
#define STORE_DEFAULT  "tier:lz4:,file:"
#define REGIONS_MAX    32768U
#define SIZE_ROOM      32 /* what give_tier_a_size() may add */
#define AHEAD          32U
#define AHEAD_BUDGET   (UINT64_C(8) << 20)
#define EVENTS         256U

struct text {
	char s[ZL_TEXT_MAX];
};

static int say(struct text *text, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int say(struct text *text, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text->s, sizeof(text->s), format, args);
	va_end(args);
	return error;
}

static bool is(const char *value, const char *name)
{
	return strcmp(value, name) == 0;
}

static const char *or_default(const char *value, const char *fallback)
{
	return value != NULL ? value : fallback;
}

/* ---- options ------------------------------------------------------------------------------ */

static int choose_mode(struct zpager *z, const struct zpager_options *o, struct text *text)
{
	const char *mode = or_default(o->fault_mode, "auto");
	const struct zl_features *f = zl_probe();

	if (is(mode, "signal")) {
		z->sigbus = true;
	} else if (is(mode, "auto")) {
		z->sigbus = f->how == ZL_UFFD_USER_ONLY;
	} else if (!is(mode, "monitor")) {
		return say(text, Z_ERR_INVAL,
			   "unknown fault mode \"%s\": use signal, monitor or auto", mode);
	}
	z->user_only = z->sigbus;
	return 0;
}

/* In signal mode the program pins what it hands to the kernel: no device writes to its pages. */
static const char *best_mechanism(const struct zpager *z)
{
	if (z->sigbus) {
		return zl_probe_runs_move_cheaply() ? "copy-recycle" : "copy";
	}
	return zl_probe()->move ? "copy-move" : "copy";
}

static int choose_mechanism(struct zpager *z, const struct zpager_options *o, struct text *text)
{
	static const char *const names[] = {"copy", "copy-recycle", "copy-move", "move"};
	const char *mechanism = or_default(o->mechanism, "auto");

	if (is(mechanism, "auto")) {
		mechanism = best_mechanism(z);
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (is(mechanism, names[i])) {
			z->mechanism = names[i];
		}
	}
	if (z->mechanism == NULL) {
		return say(text, Z_ERR_INVAL,
			   "unknown mechanism \"%s\": use copy, copy-recycle, copy-move, move or "
			   "auto",
			   mechanism);
	}
	if (z->inherit && is(z->mechanism, "move")) {
		return say(text, Z_ERR_NOTSUP,
			   "pages shared with a forked child cannot be moved: use mechanism copy "
			   "together with inherit_on_fork");
	}
	return 0;
}

static int choose_reclaim(struct zpager *z, const struct zpager_options *o, struct text *text)
{
	const char *reclaim = or_default(o->reclaim, "fault");

	z->reclaim.wanted = is(reclaim, "thread");
	if (!z->reclaim.wanted && !is(reclaim, "fault")) {
		return say(text, Z_ERR_INVAL, "unknown reclaim \"%s\": use fault or thread",
			   reclaim);
	}
	return 0;
}

/*
 * A compressed first tier without a size would take all that the store may have, and leave nothing
 * for the tables of the second, so that neither could take a page: it gets an eighth of the budget.
 */
static void give_tier_a_size(struct zpager *z, const char *uri)
{
	static const char head[] = "tier:lz4:";
	size_t n = sizeof(head) - 1;

	if (strncmp(uri, head, n) != 0 || uri[n] != ',') {
		return;
	}
	(void)snprintf(z->store_uri, sizeof(z->store_uri), "%ssize=%lluK%s", head,
		       (unsigned long long)(z->budget.open_bytes / 8 >> 10), uri + n);
}

static int choose_store(struct zpager *z, const struct zpager_options *o, struct text *text)
{
	const char *uri = or_default(o->store, STORE_DEFAULT);

	if (strlen(uri) + SIZE_ROOM >= sizeof(z->store_uri)) {
		return say(text, Z_ERR_INVAL, "the store's name is longer than %zu characters",
			   sizeof(z->store_uri) - SIZE_ROOM - 1);
	}
	strcpy(z->store_uri, uri);
	give_tier_a_size(z, uri);
	return 0;
}

static int choose_eviction(struct zpager *z, const struct zpager_options *o,
			   struct z_pager_config *config, struct text *text)
{
	const char *name = or_default(o->eviction, "sweep");

	config->eviction = o->eviction_ops != NULL ? o->eviction_ops : z_eviction_find(name);
	if (config->eviction == NULL) {
		char names[128] = "";
		size_t n = 0;
		const struct z_eviction_ops *ops;
		for (size_t i = 0; (ops = z_eviction_at(i)) != NULL && n < sizeof(names); i++) {
			n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s",
					      i > 0 ? ", " : "", ops->name);
		}
		return say(text, Z_ERR_INVAL, "unknown eviction algorithm \"%s\": there are %s",
			   name, names);
	}
	z->eviction = config->eviction->name;
	return 0;
}

static bool starts_with(const char *text, const char *head)
{
	return strncmp(text, head, strlen(head)) == 0;
}

/*
 * A window takes frames while its pages are in the store still. A store that shares the budget with the frames, and
 * has no other behind it, may be full to the last page: there it is not done, nor where frames are few. Who wants to be
 * told of each fault is told of each page.
 */
static uint32_t choose_ahead(const struct zpager *z)
{
	const char *uri = z->store_uri;
	bool shares = (starts_with(uri, "lz4:") || starts_with(uri, "ram:")) &&
		      strstr(uri, "own=yes") == NULL;

	return shares || z->on_fault != NULL || z->budget.open_bytes < AHEAD_BUDGET ? 0 : AHEAD;
}

static int choose(struct zpager *z, const struct zpager_options *o, struct z_pager_config *config,
		  struct text *text)
{
	z->inherit = o->inherit_on_fork != 0;
	z->budget.overcommit = o->overcommit;
	z->on_fault = o->on_fault;
	z->on_fault_context = o->on_fault_context;
	z->budget.open_bytes = o->ram_bytes != 0 ? o->ram_bytes : RAM_DEFAULT;
	int error = choose_mode(z, o, text);
	if (error == 0) {
		error = choose_mechanism(z, o, text);
	}
	if (error == 0) {
		error = choose_reclaim(z, o, text);
	}
	if (error == 0) {
		error = choose_store(z, o, text);
	}
	if (error == 0) {
		error = choose_eviction(z, o, config, text);
	}
	config->ahead = choose_ahead(z);
	return error;
}

/* ---- parts -------------------------------------------------------------------------------- */

/* What can be said before the parts exist; the pointers only have to be there for the sizes. */
static void configure(struct z_pager_config *config, const struct zpager_options *o)
{
	config->env = &zl_env_ops;
	config->max_regions = REGIONS_MAX;
	config->batch = Z_BATCH_MAX;
	config->events = EVENTS;
	config->unlock_for_io = true;
	config->commit = o->overcommit != 0 ? Z_COMMIT_HEURISTIC : Z_COMMIT_STRICT;
}

static int size_it(struct zpager *z, struct z_pager_config *config, struct text *text)
{
	static struct z_page_frame no_frames;
	static struct z_store no_store;

	config->arch = &zl_copy_ops;
	config->frames = &no_frames;
	config->store = &no_store;
	config->vm_base = 0;
	config->vm_pages = 3;
	int error = zl_budget_frames(z, config, text->s, sizeof(text->s));
	config->low_water = config->nframes > 1024 ? 32 : 0;
	config->zero_ahead = zl_frames_abound(config->nframes);
	return error;
}

static int open_port(struct zpager *z, const struct zpager_options *o,
		     struct z_pager_config *config, struct text *text)
{
	struct zl_port_config pc = {
		.mechanism = z->mechanism,
		.sigbus = z->sigbus,
		.user_only = z->user_only,
		.window_bytes = o->window_bytes != 0 ? o->window_bytes : WINDOW_DEFAULT,
		.nframes = config->nframes,
		.batch = config->reserve_batch,
		.frames_free = &z->reclaim.frames_free,
	};

	pc.window_bytes = (pc.window_bytes + Z_PAGE_MASK) & ~(uint64_t)Z_PAGE_MASK;
	if (pc.window_bytes < 3 * Z_PAGE_SIZE || pc.window_bytes > ZL_WINDOW_MOST) {
		return say(text, Z_ERR_INVAL,
			   "a window of %llu bytes makes no sense: give 12 KiB to 64 TiB",
			   (unsigned long long)o->window_bytes);
	}
	pc.least_bytes = pc.window_bytes < WINDOW_LEAST ? pc.window_bytes : WINDOW_LEAST;
	zl_budget_purse(z, &pc.purse);
	int error = zl_port_open(&z->port, &pc, text->s, sizeof(text->s));
	config->arch = &z->port.ops;
	config->arch_ctx = &z->port;
	config->env_ctx = &z->port.env;
	config->vm_base = z->port.base;
	config->vm_pages = z->port.pages;
	return error;
}

static int open_store(struct zpager *z, struct z_pager_config *config, struct text *text)
{
	struct z_store_env env;

	zl_budget_env(z, &env);
	int error = z_store_open(z->store_uri, &env, text->s, sizeof(text->s), &z->store);
	config->store = z->store;
	return error;
}

static int open_pager(struct zpager *z, struct z_pager_config *config, struct text *text)
{
	z->frames = zl_pages_alloc(config->nframes * sizeof(struct z_page_frame));
	z->memory = zl_pages_alloc(z->memory_bytes);
	z->reclaim.batch = config->reserve_batch;
	config->frames = z->frames;
	config->free_count = &z->reclaim.frames_free;
	if (z->frames == NULL || z->memory == NULL) {
		return say(text, Z_ERR_NOMEM, "no memory for the metadata of %u page frames",
			   config->nframes);
	}
	int error = z_pager_create(config, z->memory, &z->pager);
	if (error != 0) {
		return say(text, error, "the pager could not be made: %s", z_strerror(error));
	}
	error = zl_budget_begin(z);
	if (error != 0) {
		return say(text, error,
			   "the store takes so much of the budget that no page frames are left: "
			   "give more RAM, or a smaller store");
	}
	return 0;
}

static int start(struct zpager *z, struct text *text)
{
	z->alive = zl_pages_alloc(Z_PAGE_SIZE);
	if (z->alive == NULL || madvise(z->alive, Z_PAGE_SIZE, MADV_WIPEONFORK) != 0) {
		return say(text, Z_ERR_NOMEM, "no memory for the mark of life");
	}
	*z->alive = true;
	z->port.faults_in_thread = z->sigbus;
	int error = zl_reclaim_start(z);

	if (error == 0) {
		error = z->sigbus ? zl_sigbus_start(z) : zl_monitor_start(z);
	}
	if (error != 0) {
		zl_reclaim_stop(z);
		return say(text, error, "fault mode %s could not be started: %s",
			   z->sigbus ? "signal" : "monitor", z_strerror(error));
	}
	return 0;
}

/* ---- all ---------------------------------------------------------------------------------- */

static void unmap_part(void *p, size_t bytes)
{
	if (p != NULL) {
		munmap(p, bytes);
	}
}

/* Nothing is mapped any more, and nobody serves faults. */
static void free_instance(struct zpager *z)
{
	z->pager = NULL;
	if (z->store != NULL) {
		z->store->ops->close(z->store);
	}
	unmap_part(z->memory, z->memory_bytes);
	unmap_part(z->frames, z->budget.nframes * sizeof(struct z_page_frame));
	if (z->port.features != NULL) {
		zl_port_close(&z->port);
	}
	unmap_part(z->alive, Z_PAGE_SIZE);
	pthread_mutex_destroy(&z->error_lock);
	munmap(z, sizeof(*z));
}

static int build(struct zpager *z, const struct zpager_options *o, struct text *text)
{
	struct z_pager_config config = {0};

	configure(&config, o);
	int error = choose(z, o, &config, text);
	if (error == 0) {
		error = size_it(z, &config, text);
	}
	if (error == 0) {
		error = open_port(z, o, &config, text);
	}
	if (error == 0) {
		error = open_store(z, &config, text);
	}
	if (error == 0) {
		error = open_pager(z, &config, text);
	}
	if (error == 0) {
		error = start(z, text);
	}
	return error;
}

int zpager_open(const struct zpager_options *options, char *error, size_t error_bytes,
		struct zpager **out)
{
	static const struct zpager_options defaults;
	struct text text = {""};
	struct zpager *z = zl_pages_alloc(sizeof(*z));
	int result = Z_ERR_NOMEM;

	if (z != NULL) {
		pthread_mutex_init(&z->error_lock, NULL);
		z->monitor.stop_fd = -1;
		z->monitor.follow.fd = -1;
		z->fork_pipe[0] = z->fork_pipe[1] = -1;
		result = build(z, options != NULL ? options : &defaults, &text);
		if (result != 0) {
			free_instance(z);
		}
	}
	if (result == 0) {
		*out = z;
	} else if (error != NULL && error_bytes > 0) {
		(void)snprintf(error, error_bytes, "%s",
			       text.s[0] != 0 ? text.s : z_strerror(result));
	}
	return result;
}

int zpager_close(struct zpager *z)
{
	sigset_t saved;

	int error = zl_enter(z, &saved);
	if (error != 0) {
		return error;
	}
	zl_reclaim_stop(z);
	error = z_pager_destroy(z->pager);
	if (error != 0) {
		(void)zl_reclaim_start(z);
	}
	zl_leave(z, &saved);
	if (error != 0) {
		return zl_fail(z, error, "something is pinned, or another thread is inside: %s",
			       z_strerror(error));
	}
	if (z->sigbus) {
		zl_sigbus_stop(z);
	} else {
		zl_monitor_stop(z);
	}
	free_instance(z);
	return 0;
}
