#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
#
# lint_selftest.py - each rule of scripts/lint.py is shown to find a fault planted for it, and a tree
# without faults is shown to pass. ctest runs it (label house).

import os
import subprocess
import sys
import tempfile
import unittest

LINT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scripts", "lint.py")
HEAD = "/* SPDX-License-Identifier: Apache-2.0 */\n/* %s - a file of the lint's own test. */\n"
README = "# A folder\n"
NO_FORMAT = ["--no-format"]


def body(lines):
    return "int f(int a)\n{\n" + "\ta++;\n" * lines + "\treturn a;\n}\n"


class LintTest(unittest.TestCase):
    def lint(self, files, options):
        with tempfile.TemporaryDirectory() as root:
            clean = {"core/README.md": README, "eviction/README.md": README,
                     "store/README.md": README, "include/zpager/README.md": README,
                     "arch/sim/README.md": README, "arch/linux/README.md": README,
                     "scripts/README.md": README}
            for path, content in {**clean, **files}.items():
                path = os.path.join(root, path)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w", encoding="utf-8") as file:
                    file.write(content)
            done = subprocess.run([sys.executable, LINT, "--root", root] + options,
                                  capture_output=True, text=True, check=False)
            return done.returncode, done.stdout

    def passes(self, files, options=NO_FORMAT):
        code, output = self.lint(files, options)
        self.assertEqual(code, 0, output)

    def finds(self, rule, files, options=NO_FORMAT):
        code, output = self.lint(files, options)
        self.assertEqual(code, 1, output)
        rules = [line.split("[")[1].split("]")[0] for line in output.splitlines() if "[" in line]
        self.assertEqual(set(rules), {rule}, output)

    def c(self, path, text):
        return {path: HEAD % os.path.basename(path) + text}

    def test_clean_tree(self):
        self.passes({**self.c("core/a.c", "#include <stdint.h>\n#include <zpager/x.h>\n"
                              '#include "b.h"\n#if 1\n' + body(1) + "#endif\n"),
                     **self.c("core/b.h", "/* f() is in a.c, memcpy() anywhere */\n"),
                     **self.c("arch/linux/c.c", "#include <unistd.h>\n")})

    def test_layering_core(self):
        for line in ('"../eviction/x.h"', '"../arch/sim/x.h"', "<stdio.h>", "<string.h>"):
            self.finds("layering", self.c("core/a.c", "#include %s\n" % line))

    def test_layering_eviction_and_store(self):
        for path, line in (("eviction/a.c", '"../core/x.h"'), ("eviction/a.c", '"../store/x.h"'),
                           ("store/a.c", '"../eviction/x.h"'), ("eviction/a.c", "<stdlib.h>")):
            self.finds("layering", self.c(path, "#include %s\n" % line))
        self.passes(self.c("store/lz4.c", "#include <lz4.h>\n"))
        self.finds("layering", {**self.c("store/ram.c", "#include <lz4.h>\n"),
                                "store/freestanding.list": "ram.c\n"})

    def test_layering_arch_and_include(self):
        self.finds("layering", self.c("arch/sim/a.c", '#include "../linux/x.h"\n'))
        self.finds("layering", self.c("arch/sim/a.c", '#include "../../core/x.h"\n'))
        self.passes(self.c("arch/sim/a.c", '#include "../common/x.h"\n'))
        self.finds("layering", self.c("include/zpager/a.h", "#include <stdio.h>\n"))

    def test_layering_ignores_comments(self):
        self.passes(self.c("core/a.c", '/*\n#include "../store/x.h"\n*/\n'))

    def test_if_inside_a_function(self):
        text = "int f(void)\n{\n#ifdef X\n\treturn 1;\n#endif\n\treturn 0;\n}\n"
        for folder in ("core", "eviction", "store"):
            self.finds("if", self.c(folder + "/a.c", text))
        self.passes(self.c("arch/sim/a.c", text))
        self.finds("if", self.c("core/a.c", "struct s {\n\tint (*g)(void);\n};\n\n"
                                "static struct s *h(struct s *p) __attribute__((const))\n{\n"
                                "#if A\n\tp++;\n#endif\n\treturn p;\n}\n"))

    def test_if_in_a_structure_is_no_function(self):
        self.passes(self.c("core/a.c", "struct s {\n#if A\n\tint a;\n#endif\n\tint b;\n};\n"
                           "static const struct s t = {\n#if A\n\t.a = F(1),\n#endif\n};\n"))

    def test_size_of_a_file(self):
        self.passes(self.c("core/a.c", "int a;\n" * 598))
        self.finds("file-size", self.c("core/a.c", "int a;\n" * 599))

    def test_size_of_a_function(self):
        self.passes(self.c("core/a.c", body(57)))
        self.finds("fn-size", self.c("core/a.c", body(58)))

    def test_names_in_comments(self):
        self.finds("names", self.c("core/a.c", "/* see no_such_function() */\n"))
        self.finds("names", self.c("tests/a.c", "// see no_such_function()\n")
                   | {"tests/README.md": README})
        self.passes(self.c("core/a.c", 'const char *a = "no_such_function()";\n'))
        self.passes(self.c("core/a.c", "/* see page_in() */\nstruct s {\n"
                           "\tint (*page_in)(void);\n};\n"))

    def test_headers(self):
        self.finds("header", {"core/a.c": "int a;\n"})
        self.finds("header", {"core/a.c": "/* SPDX-License-Identifier: Apache-2.0 */\nint a;\n"})
        self.finds("header", {"scripts/a.sh": "#!/bin/bash\ntrue\n"})

    def test_readmes(self):
        self.finds("readme", self.c("kernel/a.c", "int a;\n"))
        self.finds("readme", self.c("arch/x86_64/a.c", "int a;\n") | {"arch/README.md": README})
        self.passes(self.c("tests/unit/a.c", "int a;\n") | {"tests/README.md": README})

    def test_markers(self):
        for marker in ("TODO", "FIXME", "XXX"):
            self.finds("markers", self.c("core/a.c", "/* %s: finish this one day */\n" % marker))
        self.passes(self.c("core/a.c", 'const char *name = "/tmp/a-XXXXXX";\n'))

    def test_format(self):
        style = {".clang-format": "BasedOnStyle: LLVM\n"}
        self.passes(self.c("core/a.c", "int a;\n") | style, [])
        self.finds("format", self.c("core/a.c", "int  a ;\n") | style, [])

    def test_whitespace(self):
        self.finds("whitespace", self.c("core/a.c", "int a; \n"))
        self.finds("whitespace", self.c("core/a.c", "int a;"))

    def test_paths(self):
        for path in ("/home/somebody", "/root/tree", "/Users/me"):
            self.finds("paths", {"core/README.md": "built in %s\n" % path})

    def test_exceptions(self):
        fault = self.c("core/a.c", body(58))
        listed = "scripts/lint_exceptions.txt"
        self.passes({**fault, listed: "fn-size core/a.c:f - a table of states reads best whole\n"})
        self.finds("exceptions", {listed: "fn-size core/a.c:f - not there any more\n"})
        self.finds("exceptions", {listed: "fn-size core/a.c:f\n"})


if __name__ == "__main__":
    unittest.main()
