/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_host.c - the machine of the kernel's peers: a memory cgroup (v1 or v2), zram and a swap file.
 *
 * What is set up is written into memory shared with a second process before it is done; that process
 * waits until the driver has ended, by itself or by any signal, and takes everything down. Swap is on
 * only while a run needs it. A zram device is used that nobody has given a size, zram0 or a new one; the
 * user's own are not touched, nor is swap of his, which has a lower priority than ours.
 *
 * What a peer takes: a cgroup counts the pages of its processes and their page cache, but not what zram
 * keeps for them; that is asked of zram. Locks: none.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "cmd.h"

#define PATH_BYTES   4096
#define TEXT_BYTES   512
#define RMDIR_TRIES  100
#define RMDIR_NS     20000000
#define PAGE_CLUSTER "/proc/sys/vm/page-cluster"
#define ZRAM_CONTROL "/sys/class/zram-control"

extern char **environ;

struct host {
	bool v2;
	char group[PATH_BYTES];
	int zram; /* number of the device; -1: none */
	bool zram_added;
	char zram_algorithm[32]; /* that it had before; "": do not set it */
	char swapfile[PATH_BYTES];
	char on[PATH_BYTES]; /* swap that is on now */
	char page_cluster[32];
	char no_cgroup[BENCH_WHY_BYTES], no_zram[BENCH_WHY_BYTES], no_swapfile[BENCH_WHY_BYTES];
};

static struct host *host;
static pid_t keeper; /* not shared: each of the two has its own */
static int keeper_pipe;

/* ---- files of the kernel --------------------------------------------------------------------- */

static bool read_text(const char *path, char *text, size_t max)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd >= 0 ? read(fd, text, max - 1) : -1;

	if (fd >= 0) {
		(void)close(fd);
	}
	text[got > 0 ? got : 0] = '\0';
	return got > 0;
}

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	int saved = errno;

	if (fd >= 0) {
		(void)close(fd);
	}
	errno = saved;
	return good;
}

static void group_file(const char *name, char path[PATH_BYTES + 64])
{
	(void)snprintf(path, PATH_BYTES + 64, "%s/%s", host->group, name);
}

static bool group_write(const char *name, const char *text)
{
	char path[PATH_BYTES + 64];

	group_file(name, path);
	return write_text(path, text);
}

static uint64_t group_number(const char *name, const char *key)
{
	char path[PATH_BYTES + 64], text[TEXT_BYTES];
	const char *at = text;

	group_file(name, path);
	if (!read_text(path, text, sizeof(text))) {
		return 0;
	}
	if (key != NULL) {
		at = strstr(text, key);
		at = at != NULL ? at + strlen(key) : "";
	}
	return strtoull(at, NULL, 10);
}

static const char *zram_file(const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "/sys/block/zram%d/%s", host->zram, name);
	return path;
}

/* Runs a program without a word; false: it is not there, or not content. */
static bool run_quietly(char *const argv[])
{
	posix_spawn_file_actions_t actions;
	pid_t child;
	int status = -1;

	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	(void)posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&child, argv[0], &actions, NULL, argv, environ) == 0) {
		while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
		}
	}
	(void)posix_spawn_file_actions_destroy(&actions);
	return status == 0;
}

static bool make_swap(const char *path)
{
	char name[PATH_BYTES];
	char *argv[] = {"/sbin/mkswap", name, NULL};

	(void)snprintf(name, sizeof(name), "%s", path);
	return run_quietly(argv);
}

/* ---- setting up ------------------------------------------------------------------------------ */

static void set_up_cgroup(void)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	char text[TEXT_BYTES], path[PATH_BYTES], parent[PATH_BYTES / 2] = "";
	const struct mntent *m;

	while (mounts != NULL && (m = getmntent(mounts)) != NULL) {
		if (strcmp(m->mnt_type, "cgroup") == 0 && hasmntopt(m, "memory") != NULL) {
			(void)snprintf(parent, sizeof(parent), "%s", m->mnt_dir);
			host->v2 = false;
			break;
		}
		(void)snprintf(path, sizeof(path), "%s/cgroup.controllers", m->mnt_dir);
		if (strcmp(m->mnt_type, "cgroup2") == 0 && read_text(path, text, sizeof(text)) &&
		    strstr(text, "memory") != NULL) {
			(void)snprintf(parent, sizeof(parent), "%s", m->mnt_dir);
			host->v2 = true;
		}
	}
	if (mounts != NULL) {
		(void)endmntent(mounts);
	}
	if (parent[0] == '\0') {
		(void)snprintf(host->no_cgroup, BENCH_WHY_BYTES, "no memory cgroup is mounted");
		return;
	}
	if (host->v2) {
		(void)snprintf(path, sizeof(path), "%s/cgroup.subtree_control", parent);
		(void)write_text(path, "+memory");
	}
	(void)snprintf(host->group, sizeof(host->group), "%s/zpager-bench-%d", parent,
		       (int)getpid());
	if (mkdir(host->group, 0755) != 0) {
		(void)snprintf(host->no_cgroup, BENCH_WHY_BYTES, "no memory cgroup: %s",
			       strerror(errno));
		host->group[0] = '\0';
	}
}

static bool is_unused(int number)
{
	char path[128], text[64];

	(void)snprintf(path, sizeof(path), "/sys/block/zram%d/disksize", number);
	return read_text(path, text, sizeof(text)) && strtoull(text, NULL, 10) == 0;
}

static int find_zram(void)
{
	char *modprobe[] = {"/sbin/modprobe", "zram", NULL};
	char text[64];

	if (access("/sys/block/zram0", F_OK) != 0 && access(ZRAM_CONTROL, F_OK) != 0) {
		(void)run_quietly(modprobe);
	}
	if (is_unused(0)) {
		return 0;
	}
	if (!read_text(ZRAM_CONTROL "/hot_add", text, sizeof(text))) {
		return -1;
	}
	host->zram_added = true;
	return (int)strtol(text, NULL, 10);
}

/* The algorithm in use is the one in brackets. */
static void remember_algorithm(void)
{
	char text[TEXT_BYTES];
	char *from, *to;

	if (!read_text(zram_file("comp_algorithm"), text, sizeof(text))) {
		return;
	}
	from = strchr(text, '[');
	to = from != NULL ? strchr(from, ']') : NULL;
	if (to != NULL) {
		*to = '\0';
		(void)snprintf(host->zram_algorithm, sizeof(host->zram_algorithm), "%s", from + 1);
	}
}

static const char *try_zram(uint64_t bytes)
{
	char text[64], device[64];

	host->zram = find_zram();
	if (host->zram < 0) {
		return "no zram device can be had";
	}
	remember_algorithm();
	if (!write_text(zram_file("comp_algorithm"), "lz4")) {
		return "zram has no lz4 here";
	}
	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)bytes);
	if (!write_text(zram_file("disksize"), text)) {
		return "zram takes no disksize";
	}
	(void)snprintf(device, sizeof(device), "/dev/zram%d", host->zram);
	return make_swap(device) ? NULL : "mkswap does not work on zram";
}

static const char *try_swapfile(const char *dir, uint64_t bytes)
{
	int fd;
	int error;

	if (snprintf(host->swapfile, sizeof(host->swapfile), "%s/zpager-bench-swap-%d", dir,
		     (int)getpid()) >= (int)sizeof(host->swapfile)) {
		host->swapfile[0] = '\0';
		return "the name of --dir is too long";
	}
	fd = open(host->swapfile, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	error = fd >= 0 ? posix_fallocate(fd, 0, (off_t)bytes) : errno;
	if (fd >= 0) {
		(void)close(fd);
	}
	if (error != 0) {
		return "no swap file in the directory of --dir";
	}
	return make_swap(host->swapfile) ? NULL : "mkswap does not work on a file";
}

/* ---- taking down ----------------------------------------------------------------------------- */

static void swap_off(void)
{
	if (host->on[0] != '\0' && (swapoff(host->on) == 0 || errno == EINVAL)) {
		host->on[0] = '\0';
	}
}

static void remove_group(void)
{
	const struct timespec pause = {.tv_nsec = RMDIR_NS};

	for (int i = 0; i < RMDIR_TRIES && rmdir(host->group) != 0 && errno == EBUSY; i++) {
		(void)nanosleep(&pause, NULL);
	}
}

static void take_down(void)
{
	char number[32];

	if (host->group[0] != '\0') {
		remove_group();
	}
	swap_off();
	if (host->zram >= 0) {
		(void)write_text(zram_file("reset"), "1");
		if (host->zram_algorithm[0] != '\0') {
			(void)write_text(zram_file("comp_algorithm"), host->zram_algorithm);
		}
	}
	if (host->zram_added) {
		(void)snprintf(number, sizeof(number), "%d", host->zram);
		(void)write_text(ZRAM_CONTROL "/hot_remove", number);
	}
	if (host->swapfile[0] != '\0') {
		(void)unlink(host->swapfile);
	}
	if (host->page_cluster[0] != '\0') {
		(void)write_text(PAGE_CLUSTER, host->page_cluster);
	}
}

/* The process that takes down what is left when the other end of the pipe is closed. */
static bool start_keeper(void)
{
	int ends[2];
	char byte;

	if (pipe2(ends, O_CLOEXEC) != 0) {
		return false;
	}
	keeper = fork();
	if (keeper == 0) {
		(void)setsid();
		(void)signal(SIGINT, SIG_IGN);
		(void)signal(SIGTERM, SIG_IGN);
		(void)signal(SIGHUP, SIG_IGN);
		(void)close(ends[1]);
		while (read(ends[0], &byte, 1) < 0 && errno == EINTR) {
		}
		take_down();
		_exit(0);
	}
	(void)close(ends[0]);
	keeper_pipe = ends[1];
	return keeper > 0;
}

/* ---- what bench.h promises ------------------------------------------------------------------- */

static bool wants(const struct bench_plan *plan, enum bench_memory first, enum bench_memory last)
{
	for (size_t i = 0; i < plan->n; i++) {
		if (plan->runs[i].peer->memory >= first && plan->runs[i].peer->memory <= last) {
			return true;
		}
	}
	return false;
}

void bench_host_open(const struct bench_plan *plan)
{
	uint64_t bytes = plan->options.region_bytes * 2;
	const char *why;

	if (!wants(plan, BENCH_ZRAM, BENCH_MMAP_RANDOM)) {
		return;
	}
	host = mmap(NULL, sizeof(*host), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (host == MAP_FAILED) {
		host = NULL;
		return;
	}
	host->zram = -1;
	if (geteuid() != 0) {
		(void)snprintf(host->no_cgroup, BENCH_WHY_BYTES, "not root");
		return;
	}
	if (!start_keeper()) {
		(void)snprintf(host->no_cgroup, BENCH_WHY_BYTES, "no second process");
		return;
	}
	set_up_cgroup();
	(void)read_text(PAGE_CLUSTER, host->page_cluster, sizeof(host->page_cluster));
	(void)write_text(PAGE_CLUSTER, "0");
	if (host->no_cgroup[0] == '\0' && wants(plan, BENCH_ZRAM, BENCH_ZRAM)) {
		why = try_zram(bytes);
		(void)snprintf(host->no_zram, BENCH_WHY_BYTES, "%s", why != NULL ? why : "");
	}
	if (host->no_cgroup[0] == '\0' && wants(plan, BENCH_SWAPFILE, BENCH_SWAPFILE)) {
		why = try_swapfile(plan->options.dir, bytes);
		(void)snprintf(host->no_swapfile, BENCH_WHY_BYTES, "%s", why != NULL ? why : "");
	}
}

void bench_host_close(void)
{
	if (host != NULL && keeper > 0) {
		(void)close(keeper_pipe);
		while (waitpid(keeper, NULL, 0) < 0 && errno == EINTR) {
		}
		keeper = 0;
	}
}

static bool is_limited(enum bench_memory memory)
{
	return memory >= BENCH_ZRAM && memory <= BENCH_MMAP_RANDOM;
}

const char *bench_host_lacks(enum bench_memory memory)
{
	if (!is_limited(memory)) {
		return NULL;
	}
	if (host == NULL) {
		return "no memory";
	}
	if (host->no_cgroup[0] != '\0') {
		return host->no_cgroup;
	}
	if (memory == BENCH_ZRAM && host->no_zram[0] != '\0') {
		return host->no_zram;
	}
	return memory == BENCH_SWAPFILE && host->no_swapfile[0] != '\0' ? host->no_swapfile : NULL;
}

int bench_host_begin(enum bench_memory memory, uint64_t limit_bytes, char *why)
{
	char text[64];

	if (!is_limited(memory)) {
		return 0;
	}
	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)limit_bytes);
	if ((mkdir(host->group, 0755) != 0 && errno != EEXIST) ||
	    !group_write(host->v2 ? "memory.max" : "memory.limit_in_bytes", text)) {
		(void)snprintf(why, BENCH_WHY_BYTES, "the cgroup takes no limit: %s",
			       strerror(errno));
		return -1;
	}
	if (memory == BENCH_ZRAM) {
		(void)write_text(zram_file("mem_used_max"), "0");
		(void)snprintf(host->on, sizeof(host->on), "/dev/zram%d", host->zram);
	} else if (memory == BENCH_SWAPFILE) {
		(void)snprintf(host->on, sizeof(host->on), "%s", host->swapfile);
	}
	if (host->on[0] != '\0' && swapon(host->on, SWAP_FLAG_PREFER | SWAP_FLAG_PRIO_MASK) != 0) {
		(void)snprintf(why, BENCH_WHY_BYTES, "swapon: %s", strerror(errno));
		host->on[0] = '\0';
		return -1;
	}
	return 0;
}

int bench_host_join(enum bench_memory memory)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%d", (int)getpid());
	return !is_limited(memory) || group_write("cgroup.procs", text) ? 0 : -1;
}

static uint64_t zram_most(void)
{
	unsigned long long most = 0;
	char text[TEXT_BYTES];

	if (read_text(zram_file("mm_stat"), text, sizeof(text))) {
		(void)sscanf(text, "%*u %*u %*u %*u %llu", &most);
	}
	return most;
}

void bench_host_end(enum bench_memory memory, struct bench_outcome *out)
{
	if (!is_limited(memory)) {
		return;
	}
	out->ram_bytes = group_number(host->v2 ? "memory.peak" : "memory.max_usage_in_bytes", NULL);
	if (group_number(host->v2 ? "memory.events" : "memory.oom_control", "oom_kill ") > 0) {
		out->killed = true;
		(void)snprintf(out->why, sizeof(out->why),
			       "killed by the kernel: no memory left in its cgroup");
	}
	if (memory == BENCH_ZRAM) {
		out->store_bytes = zram_most();
		out->ram_bytes += out->store_bytes;
	}
	(void)group_write("memory.force_empty", "1");
	remove_group();
	swap_off();
}
