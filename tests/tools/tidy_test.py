"""Runs tools/tidy over small trees: each rule finds what it is for, and nothing in its absence."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "tidy"
HEADER = "// A banner.\n#pragma once\n"

# rule, file, text that breaks it, text that does not
TABLE = [
    ("layers", "src/core/ring/a.cpp", '#include "os/mapping.hpp"\n', '#include "layout/slot.hpp"\n#include "core/copy.hpp"\n'),
    ("layers", "src/codec/a.cpp", '#include "core/copy.hpp"\n', '#include "base/endian.hpp"\n'),
    ("public-headers", "include/tensorpool/a.hpp", HEADER + '#include "base/clock.hpp"\n',
     HEADER + '#include <vector>\n#include "tensorpool/log.hpp"\n'),
    ("aeron", "src/agents/a.cpp", "#include <aeronc.h>\n", '#include "bus/client.hpp"\n'),
    ("aeron", "src/client/a.cpp", "#include <aeronmd.h>\n", "// #include <aeronmd.h>\n"),
    ("aeron", "sim/a.cpp", "#include <concurrent/aeron_spsc_rb.h>\n", ""),
    ("sbe", "src/core/a.cpp", "#include <tensorpool_control_900/FrameDescriptor.h>\n", '#include "layout/descriptor.hpp"\n'),
    ("atomic", "src/core/a.cpp", "#include <atomic>\n", '#include "base/atomics.hpp"\n'),
    ("nodiscard", "src/os/a.cpp", "Status lock(int fd) {\n}\n", "[[nodiscard]] Status lock(int fd) {\n}\n"),
    ("nodiscard", "src/os/a.hpp", HEADER + "Result<std::vector<int>>\nlist(int fd);\n",
     HEADER + "[[nodiscard]] Result<std::vector<int>>\nlist(int fd);\nStatus File::lock();\n"),
    ("nodiscard", "src/os/a.hpp", HEADER + "  static tl::expected<Claim, PublishStatus> claim();\n", HEADER + "  // Status lock();\n"),
    ("value", "src/os/a.cpp", "use(mapping.value());\n", "use(*mapping);  // mapping.value() throws\n"),
    ("value", "examples/a.cpp", "use(file->value());\n", ""),
    ("value", "src/os/b.cpp", "use(a.value());\n", "std::error_code error;\nuse(error.value());\n"),
    ("todo", "cmake/A.cmake", "# TODO later\n", "# TODO(#12) later\n"),
    ("banner", "src/os/a.hpp", "#pragma once\n", HEADER),
    ("once", "tests/a.hpp", "// A banner.\n", HEADER),
    ("sync", "src/core/a.hpp", HEADER + "// sync(commit): publish\n", HEADER + "// sync(commit): publish\n// sync(commit): observe.\n"),
]


class Tidy(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def findings(self, files: dict) -> list:
        for path, text in files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(text)
        done = subprocess.run([sys.executable, TOOL, "--root", self.root], capture_output=True, text=True, check=False)
        *lines, _ = done.stdout.splitlines()
        found = [line for line in lines if not line.startswith("warning:")]
        self.assertEqual(done.returncode, 1 if found else 0, done.stderr)
        return found

    def test_each_rule_finds_what_it_is_for_and_nothing_else(self):
        for rule, path, wrong, right in TABLE:
            with self.subTest(rule=rule, path=path, wrong=wrong):
                (found,) = self.findings({path: wrong})
                self.assertRegex(found, rf"^{path}:\d+: {rule}: ")
                self.assertEqual(self.findings({path: right}), [])
                (self.root / path).unlink()

    def test_every_rule_has_a_row(self):
        rules = subprocess.run([sys.executable, TOOL, "--rules"], capture_output=True, text=True, check=True).stdout
        tested = {row[0] for row in TABLE} | {"readme"}
        self.assertEqual({line.split()[0] for line in rules.splitlines()}, tested)

    def test_a_finding_names_the_line(self):
        self.assertEqual(self.findings({"src/core/a.cpp": "\n\n#include <atomic>\n"})[0].split(": ")[0], "src/core/a.cpp:3")

    def test_a_line_may_break_a_rule_for_a_reason(self):
        allowed = "// tidy-allow(atomic): measures the standard library itself\n#include <atomic>\n"
        self.assertEqual(self.findings({"src/core/a.cpp": allowed}), [])
        self.assertEqual(len(self.findings({"src/core/a.cpp": allowed.replace("(atomic)", "(value)")})), 1)

    def test_a_definition_needs_no_nodiscard_when_its_declaration_has_it(self):
        self.assertEqual(self.findings({"src/os/a.hpp": HEADER + "[[nodiscard]] Status lock(int fd);\n",
                                        "src/os/a.cpp": "Status lock(int fd) {\n}\n"}), [])

    def test_long_files_are_a_warning_only(self):
        self.assertEqual(self.findings({"src/os/a.cpp": "// line\n" * 900}), [])

    def test_the_readme_shows_the_program_that_is_tested(self):
        program = "// Banner.\n#include <vector>\nint main() {}\n"
        files = {"examples/first_stream.cpp": program, "README.md": "text\n```cpp\n#include <vector>\nint main() {}\n```\n"}
        self.assertEqual(self.findings(files), [])
        (found,) = self.findings({"README.md": files["README.md"].replace("vector", "list")})
        self.assertIn("readme", found)


if __name__ == "__main__":
    unittest.main()
