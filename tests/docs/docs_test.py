#!/usr/bin/env python3
"""Holds the documents to what is there: links, make targets, verbs and options of tp, files, C++ examples; and runs the
commands of the guide.

    tests/docs/docs_test.py [--tp build/release/bin/tp] [unittest arguments]

Without --tp only what needs no program is checked.
"""
import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUIDE = sorted((ROOT / "docs" / "guide").glob("*.md"))
INTEROPERATION = ROOT / "docs" / "interoperation.md"
DOCUMENTS = [ROOT / "README.md", ROOT / "HACKING.md", ROOT / "CHANGELOG.md", ROOT / "docs" / "ARCHITECTURE.md", INTEROPERATION, *GUIDE,
             ROOT / "sim" / "README.md", *sorted((ROOT / "docs" / "adr").glob("*.md"))]
GENERATED = {"docs/conformance.md"}
TP = None

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
TEST = re.compile(r"\b(?:TEST(?:_F|_P)?|RC_GTEST_(?:FIXTURE_)?PROP)\(\s*(\w+),\s*(\w+)")


def blocks(document: pathlib.Path, language: str) -> list:
    return [text for name, text in FENCE.findall(document.read_text(encoding="utf-8")) if name == language]


def prose(document: pathlib.Path) -> str:
    return FENCE.sub("", document.read_text(encoding="utf-8"))


def commands(document: pathlib.Path) -> list:
    """Lines of shell blocks and pieces of inline code, without comments."""
    lines = [line for block in blocks(document, "sh") for line in block.splitlines()] + CODE.findall(prose(document))
    return [re.sub(r"(^|\s)#.*", "", line) for line in lines]


def anchors(document: pathlib.Path) -> set:
    headings = re.findall(r"^#+ (.*)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def output_of(*words: str) -> str:
    return subprocess.run([TP, *words], capture_output=True, text=True, check=True).stdout


def help_of(*words: str) -> str:
    return output_of(*words, "--help")


def words_below(text: str) -> list:
    """The verbs, or the words of a verb, that a help text lists."""
    return re.findall(r"^  ([a-z]+)  ", text.partition("Subcommands:")[2], re.MULTILINE)


class Documents(unittest.TestCase):
    def test_links_lead_somewhere(self):
        for document in DOCUMENTS:
            with self.subTest(document=document.name):
                for link in LINK.findall(prose(document)):
                    if link.startswith("https://"):
                        continue
                    path, _, anchor = link.partition("#")
                    target = (document.parent / path).resolve() if path else document
                    self.assertTrue(target.exists(), link)
                    if anchor:
                        self.assertIn(anchor, anchors(target), link)

    def test_make_targets_exist(self):
        targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
        for document in DOCUMENTS:
            with self.subTest(document=document.name):
                for line in commands(document):
                    for target in re.findall(r"(?:^|[;&(] *)make ([a-z][\w-]*)", line):
                        self.assertIn(target, targets, line)

    def test_files_in_code_exist(self):
        """Paths from the root, or from src/ as the layers name each other's files; core/copy is core/copy.cpp."""
        tops = "|".join(sorted(entry.name for entry in [*ROOT.iterdir(), *(ROOT / "src").iterdir()]
                               if entry.is_dir() and entry.name not in ("build", "dist") and entry.name[0] != "."))
        for document in (document for document in DOCUMENTS if document.parent.name != "adr"):  # those are history
            with self.subTest(document=document.name):
                for path in re.findall(rf"`((?:{tops})/[\w./-]+)`", prose(document)):
                    self.assertTrue(path in GENERATED or any([*ROOT.glob(path + "*"), *ROOT.glob("src/" + path + "*")]), path)

    def test_cpp_stands_in_an_example(self):
        """Examples are built and run against the installed library (tests/install)."""
        examples = [file.read_text(encoding="utf-8") for file in (ROOT / "examples").glob("*.cpp")]
        for document in [ROOT / "README.md", *GUIDE]:
            with self.subTest(document=document.name):
                for block in blocks(document, "cpp"):
                    self.assertTrue(any(block in example for example in examples), f"in no file of examples/:\n{block}")

    def test_every_decision_is_in_the_index(self):
        index = ROOT / "docs" / "adr" / "README.md"
        rows = dict(re.findall(r"^\| \[\d+\]\(([\w.-]+)\) \| *(.*?) *\|$", index.read_text(encoding="utf-8"), re.MULTILINE))
        decisions = {file.name for file in index.parent.glob("[0-9]*.md")}
        self.assertEqual(set(rows), decisions)
        self.assertEqual([name for name, about in rows.items() if not about], [])

    def test_interoperation_names_tests_that_exist(self):
        """Each row of its tables: what is accepted, what is sent, rules that exist, tests that exist."""
        tests = {f"{suite}.{name}" for file in [*ROOT.glob("tests/**/*.cpp"), *ROOT.glob("sim/**/*.cpp")]
                 for suite, name in TEST.findall(file.read_text(encoding="utf-8"))}
        rules = {rule for file in (ROOT / "docs" / "spec").glob("*.md")
                 for rule in re.findall(r"^\*\*([A-Z]\d+)\*\* (?:MUST|SHOULD|MAY)", file.read_text(encoding="utf-8"), re.MULTILINE)}
        rows = [line.strip("| ").split(" | ") for line in INTEROPERATION.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
        rows = [row for row in rows if row[0] not in ("where", "---")]
        self.assertGreater(len(rows), 50)
        for row in rows:
            with self.subTest(row=row[0]):
                self.assertEqual(len(row), 5)
                self.assertEqual([rule for rule in row[3].split() if rule not in rules], [])
                named = CODE.findall(row[4])
                self.assertTrue(named)
                self.assertEqual([name for name in named if name not in tests], [])

    def test_every_verb_is_in_the_changelog(self):
        verbs = re.findall(r"add_(\w+),", (ROOT / "src" / "apps" / "verbs" / "command_line.cpp").read_text(encoding="utf-8"))
        self.assertGreaterEqual(len(verbs), 8)
        changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
        self.assertEqual([verb for verb in verbs if f"`{verb}`" not in changes], [])


class Commands(unittest.TestCase):
    def setUp(self):
        if TP is None:
            self.skipTest("needs --tp")

    def test_verbs_and_options_exist(self):
        verbs = words_below(help_of())
        helps = {verb: help_of(verb) for verb in verbs}
        for verb in verbs:
            helps[verb] += "".join(help_of(verb, word) for word in words_below(helps[verb]))
        for document in DOCUMENTS:
            for line in commands(document):
                for verb, rest in re.findall(r"(?:^|[;&|] *|bin/)tp ([a-z]+)([^;&|]*)", line):
                    with self.subTest(document=document.name, line=line):
                        self.assertIn(verb, verbs)
                        for option in re.findall(r"--[a-z-]+", rest):
                            self.assertIn(option, helps[verb])

    def test_the_configuration_page_is_that_of_the_program(self):
        """After a change of a key: tp config explain --markdown > docs/guide/configuration.md"""
        page = ROOT / "docs" / "guide" / "configuration.md"
        self.assertEqual(page.read_text(encoding="utf-8"), output_of("config", "explain", "--markdown"))

    def test_the_guide_runs(self):
        """Each shell block that begins with tp, as a script of its own; what goes on in the background is ended."""
        for document in GUIDE:
            for block in (block for block in blocks(document, "sh") if block.startswith("tp ")):
                with self.subTest(document=document.name, block=block):
                    self.run_block(block)

    def run_block(self, block: str):
        with tempfile.TemporaryDirectory() as work, tempfile.TemporaryDirectory(dir="/dev/shm") as shared:
            header = b"{'descr': '<u2', 'fortran_order': False, 'shape': (20, 48, 64), }"
            header = header.ljust(117) + b"\n"
            pixels = bytes(at % 251 for at in range(20 * 48 * 64 * 2))
            (pathlib.Path(work) / "in.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + pixels)
            environment = {**os.environ, "PATH": f"{pathlib.Path(TP).parent}:{os.environ['PATH']}", "AERON_DIR": f"{shared}/aeron",
                           "SHM_BASE_DIR": f"{shared}/streams"}
            # At its end the script interrupts what is left, as Ctrl-C does.
            script = "set -e\n" + block + "\nkill -INT $(jobs -p) 2>/dev/null || true\nwait\n"
            with subprocess.Popen(["bash", "-c", script], cwd=work, env=environment, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, start_new_session=True) as process:
                try:
                    output, _ = process.communicate(timeout=60)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    output, _ = process.communicate()
                    self.fail(f"still runs after 60 s:\n{output}")
            self.assertEqual(process.returncode, 0, output)


def main():
    global TP
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tp", type=lambda path: str(pathlib.Path(path).resolve()), help="the tp to run")
    arguments, rest = parser.parse_known_args()
    TP = arguments.tp
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)


if __name__ == "__main__":
    main()
