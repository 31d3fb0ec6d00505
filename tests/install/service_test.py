#!/usr/bin/env python3
"""Holds the installed unit of the driver to systemd's own tools, and its sandbox to what the driver does.

    tests/install/service_test.py --prefix DIR [unittest arguments]
"""
import argparse
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

PREFIX = pathlib.Path()
MOST_EXPOSED = 1.5  # systemd calls up to 2 "OK", a unit without a sandbox has 9.6


def run(*words, **options):
    return subprocess.run(words, capture_output=True, text=True, check=False, **options)


def settings(unit: str) -> dict:
    """Values by name, in their order."""
    values = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", unit, re.MULTILINE):
        values.setdefault(name, []).append(value)
    return values


def system_calls(group: str) -> set:
    """Of a set as systemd has it, those of the sets in it included."""
    calls = set()
    for word in run("systemd-analyze", "syscall-filter", group).stdout.splitlines()[1:]:
        word = word.strip()
        if word.startswith("@"):
            calls |= system_calls(word)
        elif word and not word.startswith("#"):
            calls.add(word)
    return calls


class Service(unittest.TestCase):
    def setUp(self):
        self.unit = (PREFIX / "lib/systemd/system/tensorpool-driver.service").read_text(encoding="utf-8")
        work = tempfile.TemporaryDirectory(dir="/dev/shm")
        self.addCleanup(work.cleanup)
        self.work = pathlib.Path(work.name)

    def needs(self, *programs):
        for program in programs:
            if shutil.which(program) is None:
                self.skipTest(f"needs: {program}")

    def unit_here(self) -> str:
        """The unit, with the program where this prefix has been moved to."""
        path = self.work / "tensorpool-driver.service"
        path.write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={PREFIX}/bin/tp", self.unit, flags=re.MULTILINE),
                        encoding="utf-8")
        return str(path)

    def test_no_placeholder_is_left(self):
        self.assertNotIn("@bindir@", self.unit)
        self.assertRegex(settings(self.unit)["ExecStart"][0], r"^/\S+/bin/tp up\b")

    def test_systemd_understands_it(self):
        self.needs("systemd-analyze")
        verified = run("systemd-analyze", "verify", self.unit_here())
        self.assertEqual((verified.returncode, verified.stdout + verified.stderr), (0, ""))

    def test_it_is_little_exposed(self):
        self.needs("systemd-analyze")
        report = run("systemd-analyze", "security", "--offline=true", "--no-pager", self.unit_here()).stdout
        score = re.search(r"Overall exposure level .*: ([\d.]+)", report)
        self.assertIsNotNone(score, report)
        print(f"exposure {score[1]}", file=sys.stderr)
        self.assertLessEqual(float(score[1]), MOST_EXPOSED, report)

    def test_user_and_directory_can_be_made(self):
        self.needs("systemd-sysusers", "systemd-tmpfiles")
        root = self.work / "root"
        for folder in ("etc", "dev/shm"):
            (root / folder).mkdir(parents=True)
        users = run("systemd-sysusers", f"--root={root}", str(PREFIX / "lib/sysusers.d/tensorpool.conf"))
        self.assertEqual(users.returncode, 0, users.stderr)
        self.assertRegex((root / "etc/passwd").read_text(encoding="utf-8"), r"(?m)^tensorpool:")
        self.assertRegex((root / "etc/group").read_text(encoding="utf-8"), r"(?m)^tensorpool:")
        if os.geteuid() != 0:
            self.skipTest("needs: root")
        made = run("systemd-tmpfiles", f"--root={root}", "--create", str(PREFIX / "lib/tmpfiles.d/tensorpool.conf"))
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertEqual((root / "dev/shm/tensorpool-tensorpool").stat().st_mode & 0o7777, 0o2770)

    def test_its_filter_lets_the_driver_work(self):
        self.needs("systemd-analyze", "strace")
        allowed = set()
        for value in settings(self.unit)["SystemCallFilter"]:
            for group in value.removeprefix("~").split():
                allowed = allowed - system_calls(group) if value.startswith("~") else allowed | system_calls(group)
        self.assertGreater(len(allowed), 100)
        used = self.system_calls_of_a_driver()
        self.assertGreater(len(used), 20)
        self.assertEqual(sorted(used - allowed), [])

    def system_calls_of_a_driver(self) -> set:
        """From its start over an attach, an epoch and a collection to its end."""
        tp = str(PREFIX / "bin/tp")
        trace = self.work / "trace"
        environment = {**os.environ, "AERON_DIR": str(self.work / "aeron"), "SHM_BASE_DIR": str(self.work / "shm"),
                       "POLICIES_MLOCK_SHM": "1", "TP_TELEMETRY": "1"}
        with subprocess.Popen(["strace", "-f", "-qq", "-o", trace, tp, "up"], env=environment, stderr=subprocess.PIPE,
                              text=True) as driver:
            try:
                first = driver.stderr.readline()
                if "ready" not in first:
                    self.skipTest(f"needs: ptrace ({first.strip()})")
                for words in (("attach", "0", "--role", "producer", "--create", "--hold", "0.1", "--allowed-dir",
                               environment["SHM_BASE_DIR"]), ("ls",), ("stat",), ("gc",), ("down",)):
                    done = run(tp, *words, env=environment)
                    self.assertEqual(done.returncode, 0, done.stderr)
                driver.communicate(timeout=60)
            finally:
                if driver.poll() is None:
                    driver.send_signal(signal.SIGINT)
        return set(re.findall(r"^\d+ +(?:<\.\.\. )?(\w+)[( ]", trace.read_text(encoding="utf-8", errors="replace"), re.MULTILINE))

    def test_what_its_directories_need_is_allowed(self):
        """Epochs pass their group on by the set-group-ID bit, which RestrictSUIDSGID= forbids."""
        self.assertNotIn("RestrictSUIDSGID", settings(self.unit))


def main():
    global PREFIX
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prefix", type=lambda path: pathlib.Path(path).resolve(), required=True)
    arguments, rest = parser.parse_known_args()
    PREFIX = arguments.prefix
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)


if __name__ == "__main__":
    main()
