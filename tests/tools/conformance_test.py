"""Runs tools/conformance over small specifications and reports of tests."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "conformance"

SPEC = """# 1 Wire
## 1.1 First
**W1** MUST: one.
Text that speaks of **W1** and of W2.
**W2** MUST NOT: two.
### 1.1.1 Deeper
**W3** SHOULD: three.
**W4** MUST: four.
**W5** MUST: five.
"""
SCOPE = """
[chapters]
1 = { stage = "standalone" }
2 = { later = "the driver" }
[[later]]
ids = ["W4..W5"]
reason = "not now"
"""


def case(name: str, requirements: str = "", **more) -> dict:
    suite, test = name.rsplit(".", 1)
    entry = {"classname": suite, "name": test, "result": "COMPLETED", **more}
    return {**entry, "requirements": requirements} if requirements else entry


def failed(name: str, requirements: str) -> dict:
    return case(name, requirements, failures=[{"failure": "no"}])


class Conformance(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        (self.root / "spec").mkdir()
        self.write_spec(SPEC)
        (self.root / "scope.toml").write_text(SCOPE)

    def write_spec(self, text: str, name: str = "1-wire.md"):
        (self.root / "spec" / name).write_text(text)

    def report(self, *cases, preset: str = "release"):
        folder = self.root / preset
        folder.mkdir(exist_ok=True)
        (folder / f"test{len(list(folder.iterdir()))}.json").write_text(
            json.dumps({"testsuites": [{"testsuite": list(cases)}]}))

    def run_tool(self):
        output = self.root / "conformance.md"
        folders = [part for folder in sorted(self.root.glob("*/test0.json")) for part in ("--reports", folder.parent)]
        self.done = subprocess.run(
            [sys.executable, TOOL, "--spec", self.root / "spec", "--scope", self.root / "scope.toml", "--output", output,
             *(folders or ["--reports", self.root])], capture_output=True, text=True, check=False)
        return output.read_text() if self.done.returncode == 0 else ""

    def results(self) -> dict:
        """id -> (result, remark) of the rows of the matrix."""
        rows = [line.split("|")[1:-1] for line in self.run_tool().splitlines() if line.startswith("| ")]
        return {key.strip(): (result.strip(), remark.strip()) for key, _, result, remark in rows}

    def test_a_requirement_is_proven_by_a_test_that_passed(self):
        self.report(case("Ring.works", "W1 W2"), case("Ring.does_more"))
        self.assertEqual(self.results()["W1"], ("proven", "Ring.works"))
        self.assertEqual(self.results()["W2"], ("proven", "Ring.works"))

    def test_a_requirement_without_a_test_is_missing(self):
        self.report(case("Ring.works", "W1"))
        self.assertEqual(self.results()["W2"], ("missing", ""))

    def test_a_test_that_failed_in_one_preset_outweighs_those_that_passed(self):
        self.report(case("Ring.works", "W1"), case("Ring.is_fast", "W1"))
        self.report(failed("Ring.works", "W1"), preset="asan")
        self.assertEqual(self.results()["W1"], ("failed", "Ring.works"))

    def test_a_requirement_whose_tests_were_all_skipped_was_not_run_here(self):
        self.report(case("Ring.works", "W1", result="SKIPPED", needs="root"))
        self.assertEqual(self.results()["W1"], ("not run here", "Ring.works; needs root"))

    def test_a_skipped_test_takes_nothing_from_one_that_passed(self):
        self.report(case("Ring.works", "W1", result="SKIPPED"), case("Ring.works_too", "W1"))
        self.assertEqual(self.results()["W1"], ("proven", "Ring.works_too"))

    def test_neighbours_that_are_later_share_a_row(self):
        self.report(case("Ring.works", "W1"))
        self.assertEqual(self.results()["W4..W5"], ("later", "not now"))

    def test_a_later_requirement_that_is_shown_anyway_counts_as_proven(self):
        self.report(case("Ring.works", "W4"))
        results = self.results()
        self.assertEqual(results["W4"][0], "proven")
        self.assertEqual(results["W5"][0], "later")

    def test_a_chapter_without_a_stage_is_later_as_a_whole(self):
        self.write_spec("## 2.1 Driver\n**D1** MUST: one.\n**D2** MUST: two.\n", "2-driver.md")
        self.report(case("Ring.works", "W1"))
        self.assertEqual(self.results()["D1..D2"], ("later", "the driver"))
        self.assertIn("Chapter 2: 0 of 0 proven; 2 later", self.done.stdout)

    def test_parameters_do_not_show_in_a_tests_name(self):
        self.report(case("All/Uri.is_refused/3", "W1"), case("All/Uri.is_refused/4", "W1"), case("Typed/0.fits", "W2"))
        self.assertEqual(self.results()["W1"], ("proven", "Uri.is_refused"))
        self.assertEqual(self.results()["W2"], ("proven", "Typed.fits"))

    def test_the_summary_counts_musts_and_the_rest_apart(self):
        self.report(case("Ring.works", "W1"), case("Ring.may", "W3"))
        self.run_tool()
        self.assertEqual(self.done.stdout, "Chapter 1 standalone: 1 of 2 proven, 1 missing; 2 later. "
                                           "SHOULD and MAY: 1 of 1 shown\n")

    def test_an_unknown_id_in_a_test_is_refused(self):
        self.report(case("Ring.works", "W99"))
        self.run_tool()
        self.assertEqual(self.done.returncode, 1)
        self.assertIn("Ring.works names W99", self.done.stderr)

    def test_an_unknown_id_in_the_scope_is_refused(self):
        (self.root / "scope.toml").write_text(SCOPE.replace("W5", "W6"))
        self.report(case("Ring.works", "W1"))
        self.run_tool()
        self.assertIn("no rule has the id W6", self.done.stderr)

    def test_an_id_given_twice_by_the_specification_is_refused(self):
        self.write_spec(SPEC + "**W1** MAY: again.\n")
        self.report(case("Ring.works", "W1"))
        self.run_tool()
        self.assertIn("more than one rule: W1", self.done.stderr)

    def test_no_reports_is_an_error(self):
        self.run_tool()
        self.assertEqual(self.done.returncode, 1)
        self.assertIn("make test", self.done.stderr)


if __name__ == "__main__":
    unittest.main()
