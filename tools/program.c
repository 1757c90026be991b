/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program.c - can the preload library be put into a program? Found out before it runs.
 *
 * The dynamic linker loads the library, so the program must be dynamically linked to glibc, of this
 * machine's kind, and not one for which the linker drops LD_PRELOAD (set-uid, set-gid, capabilities).
 * For a script all this holds for its interpreter.
 *
 * Locks: none.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cmd.h"

#define SCRIPT_DEPTH 4
#define MAX_HEADERS  128

#if defined(__x86_64__)
#define OWN_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OWN_MACHINE EM_AARCH64
#elif defined(__riscv)
#define OWN_MACHINE EM_RISCV
#else
#define OWN_MACHINE EM_NONE
#endif

static int cannot_run(const char *path, int error)
{
	return cmd_fail(error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT, "%s: %s", path,
			strerror(error));
}

static bool is_runnable(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

/* As a shell does: a name with a slash is a path, others are looked for in PATH. */
static int find(const char *name, char *path)
{
	const char *folders = getenv("PATH");
	bool denied = false;

	if (strchr(name, '/') != NULL || folders == NULL) {
		(void)snprintf(path, RUN_PATH_BYTES, "%s", name);
		return access(path, F_OK) == 0 ? 0 : cannot_run(path, errno);
	}
	while (*folders != '\0') {
		size_t length = strcspn(folders, ":");
		const char *folder = length > 0 ? folders : ".";

		(void)snprintf(path, RUN_PATH_BYTES, "%.*s/%s", length > 0 ? (int)length : 1,
			       folder, name);
		if (is_runnable(path)) {
			return 0;
		}
		denied = denied || access(path, F_OK) == 0;
		folders += length + (folders[length] == ':');
	}
	if (denied) {
		return cmd_fail(EXIT_CANNOT, "%s: found in PATH, but not an executable file", name);
	}
	return cmd_fail(EXIT_NOT_FOUND, "%s: no such program in PATH", name);
}

static int check_rights(const char *path)
{
	struct stat status;

	if (stat(path, &status) != 0) {
		return cannot_run(path, errno);
	}
	if (!S_ISREG(status.st_mode)) {
		return cmd_fail(EXIT_CANNOT, "%s: not a file that can be executed", path);
	}
	if (access(path, X_OK) != 0) {
		return cannot_run(path, errno);
	}
	if ((status.st_mode & (S_ISUID | S_ISGID)) != 0) {
		return cmd_fail(EXIT_USAGE,
				"%s is set-uid or set-gid: the system lets no library into it; run "
				"a copy without these bits",
				path);
	}
	if (getxattr(path, "security.capability", NULL, 0) > 0) {
		return cmd_fail(EXIT_USAGE,
				"%s has file capabilities: the system lets no library into it; run "
				"a copy without them",
				path);
	}
	return 0;
}

static int check_interpreter(const char *path, int fd, const Elf64_Phdr *header)
{
	char name[256] = "";
	size_t length = header->p_filesz < sizeof(name) ? header->p_filesz : sizeof(name) - 1;

	if (pread(fd, name, length, (off_t)header->p_offset) != (ssize_t)length) {
		return cmd_fail(EXIT_CANNOT, "%s: cannot be read", path);
	}
	if (strstr(name, "/ld-linux") == NULL) {
		return cmd_fail(
			EXIT_USAGE,
			"%s is linked to another C library (%s); only programs of glibc can "
			"be paged",
			path, name);
	}
	return 0;
}

static int check_elf(const char *path, int fd, const Elf64_Ehdr *elf)
{
	Elf64_Phdr headers[MAX_HEADERS];
	size_t bytes = elf->e_phnum * sizeof(headers[0]);

	if (elf->e_ident[EI_CLASS] != ELFCLASS64 || elf->e_machine != OWN_MACHINE) {
		return cmd_fail(EXIT_USAGE,
				"%s is a program for another kind of machine than zpager", path);
	}
	if (elf->e_phnum == 0 || elf->e_phnum > MAX_HEADERS ||
	    elf->e_phentsize != sizeof(headers[0]) ||
	    pread(fd, headers, bytes, (off_t)elf->e_phoff) != (ssize_t)bytes) {
		return cmd_fail(EXIT_CANNOT, "%s: not a valid program", path);
	}
	for (size_t i = 0; i < elf->e_phnum; i++) {
		if (headers[i].p_type == PT_INTERP) {
			return check_interpreter(path, fd, &headers[i]);
		}
	}
	return cmd_fail(EXIT_USAGE,
			"%s is statically linked: no library can be put into it; link it "
			"dynamically, or build it against libzpager",
			path);
}

/* The interpreter that a script's first line names, into name. */
static bool script_interpreter(const char *text, char *name, size_t max)
{
	const char *start = text + 2 + strspn(text + 2, " \t");
	size_t length = strcspn(start, " \t\n");

	if (strncmp(text, "#!", 2) != 0 || length == 0 || length >= max) {
		return false;
	}
	(void)snprintf(name, max, "%.*s", (int)length, start);
	return true;
}

static int check_file(const char *path, unsigned int depth)
{
	char interpreter[256];
	union {
		Elf64_Ehdr elf;
		char text[256];
	} head = {.text = ""};
	int status = check_rights(path);
	int fd;

	if (status != 0) {
		return status;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		/* Executable but not readable: it cannot be looked at, the probe has to do. */
		return 0;
	}
	if (read(fd, head.text, sizeof(head.text) - 1) < 0) {
		status = cannot_run(path, errno);
	} else if (memcmp(head.text, ELFMAG, SELFMAG) == 0) {
		status = check_elf(path, fd, &head.elf);
	} else if (!script_interpreter(head.text, interpreter, sizeof(interpreter))) {
		status = cmd_fail(EXIT_CANNOT,
				  "%s: neither a program nor a script that names its interpreter "
				  "(#!)",
				  path);
	} else if (depth >= SCRIPT_DEPTH) {
		status = cmd_fail(EXIT_CANNOT, "%s: too many interpreters, one in another", path);
	} else {
		status = check_file(interpreter, depth + 1);
	}
	(void)close(fd);
	return status;
}

int program_find(const char *name, char *path_out)
{
	return find(name, path_out);
}

int program_check(const char *name, char *path_out)
{
	int status = find(name, path_out);

	return status != 0 ? status : check_file(path_out, 0);
}
