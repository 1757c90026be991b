#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
#
# lint.py - the rules of the house that no compiler knows. Prints path:line: [rule] what, exit 1.
#
#   lint.py [--root DIRECTORY] [--no-format]     check
#   lint.py --list-sources                       the C files, for clang-format
#
#   layering    who may include whom: core -> include, core; eviction, store -> include and their own
#               folder; arch/X -> include, arch/X, arch/common; the portable part only the compiler's
#               own headers; examples only zpager.h, eviction.h
#   if          no #if inside a function of core/, eviction/, store/
#   file-size   at most 600 lines a C file
#   fn-size     at most 60 lines from a function's { to its }
#   names       a comment names a function() that the tree does not have
#   header      SPDX line first, then (C) a comment that says what the file is for
#   readme      each folder with sources has a README.md
#   markers     no marker of unfinished work
#   format      clang-format
#   whitespace  no white space at the end of a line, a newline at the end of a file
#   paths       no path of the machine that somebody works on
#
# An exception is a line of scripts/lint_exceptions.txt: RULE PATH[:FUNCTION] - REASON. One without a
# reason, or that is not needed any more, is itself a fault. tests/lint_selftest.py plants a fault
# against every rule and sees it found.

import argparse
import os
import re
import subprocess
import sys

FILE_LINES = 600
FUNCTION_LINES = 60

SPDX = "SPDX-License-Identifier: Apache-2.0"
PORTABLE = ("core", "eviction", "store")
COMPILER_HEADERS = {"float.h", "iso646.h", "limits.h", "stdalign.h", "stdarg.h", "stdatomic.h",
                    "stdbool.h", "stddef.h", "stdint.h", "stdnoreturn.h"}
TEXT = (".c", ".h", ".S", ".py", ".sh", ".cmake", ".md", ".txt", ".in", ".map", ".json", ".ld",
        ".supp", ".list")
TEXT_NAMES = ("Makefile", "Kconfig", "CMakeLists.txt", "run")
SCRIPTS = (".py", ".sh", ".cmake")
SCRIPT_NAMES = ("Makefile", "Kconfig", "CMakeLists.txt", "run")
SKIPPED_FOLDERS = {".git", "__pycache__", ".cache", "build", ".vscode", ".idea"}
# These two name what they look for.
SELF = ("scripts/lint.py", "tests/lint_selftest.py")

# Functions outside of the tree that comments may name: C library, kernel, compilers.
KNOWN = set("""
abort accept aligned_alloc alloca atexit brk calloc clone clone3 close close_range copy_from_user
copy_to_user dlopen dlsym do_fork dup dup2 epoll_wait execv execve execvp exit fallocate fcntl fork
free fstat fsync ftruncate futex get_user_pages getpid getrlimit gettid handle_mm_fault io_uring_enter
io_uring_setup ioctl kill longjmp lseek madvise main malloc malloc_usable_size memcmp memcpy
memfd_create memmove memset mincore mlock mmap mprotect mremap msync munlock munmap open
posix_fadvise posix_madvise posix_memalign poll ppoll prctl pread preadv process_madvise
process_vm_readv pthread_atfork pthread_create pthread_exit pthread_join pthread_kill
pthread_mutex_lock pthread_mutex_trylock pthread_mutex_unlock pthread_sigmask pwrite pwritev qsort
raise read readv realloc reallocarray recv recvmsg rt_sigprocmask sbrk sched_setaffinity sched_yield
seccomp select sem_post sem_wait send sendmsg setcontext setjmp setrlimit sigaction sigaltstack siglongjmp
signal sigpending sigprocmask sigqueue sigreturn sigsetjmp sigsuspend sigwait sigwaitinfo sizeof socket
splice stat strcmp strdup strlen swapcontext syscall sysconf sysinfo system tgkill timer_create umask
uname unlink userfaultfd valloc vfork vmsplice wait wait4 waitid waitpid write writev
""".split())

TOKENS = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
ATTRIBUTE = re.compile(r"__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.M)
CONDITIONAL = re.compile(r"^[ \t]*#[ \t]*(if|ifdef|ifndef|elif|else)\b", re.M)
NAMED = re.compile(r"\b([A-Za-z_]\w*)\(\)")
MARKER = re.compile(r"\b(TODO|FIXME|XXX|HACK|WIP|TBD)\b")
MACHINE_PATH = re.compile(r"(?<![\w.$}\"'<])/(?:home|root|work|Users|mnt|workspace)/[\w.-]+")


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def blank(text):
    return re.sub(r"[^\n]", " ", text)


class Source:
    """One C file: its code without comments and literals, its comments, its functions."""

    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.comments = []
        self.code = TOKENS.sub(self._take, text)
        self.plain = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: blank(m.group()),
                            self.code, flags=re.M)
        self.functions = list(self._find_functions())

    def _take(self, match):
        token = match.group()
        if token[0] == "/":
            self.comments.append((match.start(), token))
            return blank(token)
        return token[0] + blank(token[1:-1]) + token[-1]

    def _find_functions(self):
        depth = 0
        head = 0
        opened = None
        for match in re.finditer(r"[{};]", self.plain):
            what = match.group()
            if what == "{":
                if depth == 0:
                    opened = self._function_name(self.plain[head:match.start()])
                    start = match.start()
                depth += 1
            elif what == "}":
                depth = max(0, depth - 1)
                if depth == 0:
                    if opened:
                        yield (opened, line_of(self.text, start), line_of(self.text, match.start()))
                        head = match.end()
                    opened = None
            elif depth == 0:
                head = match.end()

    @staticmethod
    def _function_name(head):
        head = ATTRIBUTE.sub(" ", head)
        if "=" in head:
            return None
        name = re.search(r"([A-Za-z_]\w*)\s*\(", head)
        return name.group(1) if name else None


class Lint:
    def __init__(self, root):
        self.root = root
        self.faults = []
        self.exceptions = {}
        self.used = set()
        self.files = sorted(self._walk())
        self.sources = [Source(path, self._read(path)) for path in self.files
                        if path.endswith((".c", ".h"))]

    def _walk(self):
        for folder, folders, names in os.walk(self.root):
            folders[:] = [f for f in folders if f not in SKIPPED_FOLDERS and
                          not os.path.exists(os.path.join(folder, f, "CMakeCache.txt"))]
            for name in names:
                if name.endswith(TEXT) or name in TEXT_NAMES:
                    path = os.path.join(folder, name)
                    if os.path.isfile(path):
                        yield os.path.relpath(path, self.root)

    def _read(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as file:
            return file.read()

    def fault(self, rule, path, line, what, name=None):
        for key in ((rule, path), (rule, "%s:%s" % (path, name))):
            if key in self.exceptions:
                self.used.add(key)
                return
        self.faults.append("%s:%d: [%s] %s" % (path, line, rule, what))

    def read_exceptions(self):
        path = "scripts/lint_exceptions.txt"
        if path not in self.files:
            return
        for number, line in enumerate(self._read(path).splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            match = re.match(r"(\S+) (\S+) - (\S.*)$", line)
            if match:
                self.exceptions[match.group(1), match.group(2)] = number
            else:
                self.faults.append("%s:%d: [exceptions] not RULE PATH[:FUNCTION] - REASON"
                                   % (path, number))

    def unused_exceptions(self):
        for key, number in self.exceptions.items():
            if key not in self.used:
                self.faults.append("scripts/lint_exceptions.txt:%d: [exceptions] not needed any "
                                   "more: %s %s" % ((number,) + key))

    def layering(self):
        freestanding = self._freestanding_stores()
        for source in self.sources:
            top = source.path.split(os.sep)[0]
            # The name in quotes is a literal, hence the text is read; not where it is a comment.
            for match in INCLUDE.finditer(source.text):
                if "#" not in source.code[match.start():match.end()]:
                    continue
                wrong = self._include_fault(source.path, top, match.group(1), match.group(2),
                                            source.path in freestanding)
                if wrong:
                    self.fault("layering", source.path, line_of(source.text, match.start()), wrong)

    def _freestanding_stores(self):
        path = "store/freestanding.list"
        names = self._read(path).split("\n") if path in self.files else []
        return {"store/" + name for name in names if name and not name.startswith("#")}

    def _include_fault(self, path, top, quote, name, freestanding):
        if top not in PORTABLE + ("include", "arch", "examples"):
            return None
        if name.startswith("zpager/") or name == "zpager.h":
            if top == "examples" and name not in ("zpager/zpager.h", "zpager/eviction.h"):
                return "an example includes <%s>; users have zpager.h and eviction.h" % name
            return None
        if quote == "<":
            bare = top in ("core", "eviction", "include") or freestanding
            if bare and name not in COMPILER_HEADERS:
                return "<%s> is not one of the compiler's own headers" % name
            return None
        target = os.path.normpath(os.path.join(os.path.dirname(path), name))
        allowed = [top + os.sep]
        if top == "arch":
            port = os.sep.join(path.split(os.sep)[:2])
            allowed = [port + os.sep, os.path.join("arch", "common") + os.sep]
        if not any(target.startswith(folder) for folder in allowed + ["include" + os.sep]):
            return "%s may not know %s" % (os.path.dirname(path), target)
        return None

    def conditionals(self):
        for source in self.sources:
            if source.path.split(os.sep)[0] not in PORTABLE:
                continue
            lines = [line_of(source.text, m.start()) for m in CONDITIONAL.finditer(source.code)]
            for name, first, last in source.functions:
                for line in lines:
                    if first <= line <= last:
                        self.fault("if", source.path, line, "#if inside %s" % name, name)

    def sizes(self):
        for source in self.sources:
            count = source.text.count("\n")
            if count > FILE_LINES:
                self.fault("file-size", source.path, count, "%d lines, at most %d"
                           % (count, FILE_LINES))
            for name, first, last in source.functions:
                length = last - first + 1
                if length > FUNCTION_LINES:
                    self.fault("fn-size", source.path, first, "%s has %d lines, at most %d"
                               % (name, length, FUNCTION_LINES), name)

    def names(self):
        there = set(KNOWN)
        for source in self.sources:
            there.update(re.findall(r"\b([A-Za-z_]\w*)\s*\(", source.code))
            there.update(re.findall(r"\(\s*\*\s*(?:const\s+)?([A-Za-z_]\w*)\s*\)", source.code))
            there.update(re.findall(r"#[ \t]*define[ \t]+(\w+)", source.code))
        for path in self.files:
            if path.endswith(".S"):
                there.update(re.findall(r"^(\w+):", self._read(path), re.M))
        for source in self.sources:
            for position, comment in source.comments:
                for match in NAMED.finditer(comment):
                    if match.group(1) not in there:
                        self.fault("names", source.path,
                                   line_of(source.text, position + match.start()),
                                   "there is no %s()" % match.group(1), match.group(1))

    def headers(self):
        for source in self.sources:
            lines = source.text.split("\n")
            if lines[0] != "/* %s */" % SPDX:
                self.fault("header", source.path, 1, "the first line is not /* %s */" % SPDX)
                continue
            rest = source.text[len(lines[0]):].lstrip("\n")
            comment = re.match(r"/\*(.*?)\*/", rest, re.S)
            if not comment or len(re.findall(r"\w+", comment.group(1))) < 4:
                self.fault("header", source.path, 2, "no comment that says what the file is for")
        for path in self.files:
            name = os.path.basename(path)
            if name.endswith(SCRIPTS) or name in SCRIPT_NAMES:
                if SPDX not in "\n".join(self._read(path).split("\n")[:3]):
                    self.fault("header", path, 1, "no SPDX line")

    def readmes(self):
        folders = {}
        for path in self.files:
            if path.endswith((".c", ".h", ".S", ".py", ".sh", ".cmake")):
                folders.setdefault(os.path.dirname(path), path)
        for folder, path in sorted(folders.items()):
            parts = folder.split(os.sep)
            own = 2 if parts[0] in ("arch", "include") else 1
            levels = range(min(own, len(parts)), len(parts) + 1)
            if folder and not any(os.path.join(*parts[:n], "README.md") in self.files
                                  for n in levels):
                self.fault("readme", path, 1, "%s has no README.md" % folder)

    def text(self):
        for path in self.files:
            content = self._read(path)
            if content and not content.endswith("\n"):
                self.fault("whitespace", path, content.count("\n") + 1, "no newline at the end")
            for number, line in enumerate(content.split("\n"), 1):
                if line != line.rstrip():
                    self.fault("whitespace", path, number, "white space at the end of the line")
                if path in SELF:
                    continue
                marker = MARKER.search(line)
                if marker:
                    self.fault("markers", path, number, "unfinished: %s" % marker.group())
                machine = MACHINE_PATH.search(line)
                if machine:
                    self.fault("paths", path, number, "a path of a machine: %s" % machine.group())

    def format(self):
        paths = [source.path for source in self.sources]
        for first in range(0, len(paths), 50):
            try:
                done = subprocess.run(["clang-format", "--dry-run", "-Werror"] +
                                      paths[first:first + 50], cwd=self.root, check=False,
                                      capture_output=True, text=True)
            except FileNotFoundError:
                sys.exit("lint: clang-format is missing; run `make setup`")
            for match in re.finditer(r"^(\S+?):(\d+):\d+: (?:error|warning): (.*)$", done.stderr,
                                     re.M):
                self.fault("format", match.group(1), int(match.group(2)), match.group(3))
            if done.returncode and not done.stderr:
                sys.exit("lint: clang-format failed")

    def run(self, with_format):
        self.read_exceptions()
        for rule in (self.layering, self.conditionals, self.sizes, self.names, self.headers,
                     self.readmes, self.text):
            rule()
        if with_format:
            self.format()
        self.unused_exceptions()
        return sorted(set(self.faults))


def main():
    parser = argparse.ArgumentParser(description="The rules of the house.")
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser.add_argument("--root", default=here)
    parser.add_argument("--no-format", action="store_true")
    parser.add_argument("--list-sources", action="store_true")
    options = parser.parse_args()
    lint = Lint(options.root)
    if options.list_sources:
        print("\n".join(source.path for source in lint.sources))
        return 0
    faults = lint.run(not options.no_format)
    for fault in faults:
        print(fault)
    print("lint: %d files, %d faults" % (len(lint.files), len(faults)))
    return 1 if faults else 0


sys.exit(main())
