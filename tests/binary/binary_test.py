"""Looks at the objects that ship: the store fences around streaming copies, and what the hot path needs from outside.

    binary_test.py --library libtensorpool.so --hot-path OBJECT --canary OBJECT

No C++ release orders non-temporal stores, and no test on x86 sees the torn frame where a fence is missing (docs/adr/0006), so
the machine code is searched, every path of it. Each fence is also taken out of the listing, which has to be noticed.
x86-64 only. W154, W157, W450.
"""
import argparse
import dataclasses
import pathlib
import re
import subprocess
import sys
import unittest

FUNCTION = re.compile(r"^[0-9a-f]+ <(.*?)(?: \[clone [^]]*\])*>:$")
INSTRUCTION = re.compile(r"^\s+([0-9a-f]+):\t(\S+)\s*(.*)$")
TARGET = re.compile(r"^([0-9a-f]+)(?: <|$)")
NON_TEMPORAL = re.compile(r"^v?movnt(?!dqa)")  # movntdqa is a load
# What is stored into a commit word: the number doubled, or doubled and one more.
DOUBLED = re.compile(r"^lea\s+\(%(\w+),%\1,1\),(%\w+)|^add\s+(%\w+),\3$|^shl\s+(?:\$0x1,)?(%\w+)$")
DOUBLED_AND_ONE = re.compile(r"^lea\s+0x1\(%(\w+),%\1,1\),(%\w+)")
STORE = re.compile(r"^mov\s+(%\w+),[-0-9a-fx]*\(.*\)$")
NEAR = 12  # instructions between computing a commit word and storing it

FORBIDDEN = re.compile(r"^(_Zn[wa]|_Zd[la]|malloc|calloc|realloc|free|posix_memalign|aligned_alloc|__cxa_throw|"
                       r"__cxa_allocate_exception|_ZSt\d+__throw)")
options = None


@dataclasses.dataclass(frozen=True)
class Instruction:
    address: int
    text: str  # mnemonic and operands, without comments

    @property
    def mnemonic(self):
        return self.text.split()[0]

    @property
    def operands(self):
        return self.text.partition(" ")[2]


class Function:
    """One function with its cold part, as a graph of instructions."""

    def __init__(self, name):
        self.name = name
        self.code = []

    def without(self, address):
        """A copy in which one instruction does nothing."""
        other = Function(self.name)
        other.code = [Instruction(i.address, "nop") if i.address == address else i for i in self.code]
        return other

    def find(self, predicate):
        return [i.address for i in self.code if predicate(i)]

    def for_any_fill(self):
        """The same code as FillWith::kAnything runs it: jumps over a fence are not taken, those to one are."""
        fences = set(self.fences())
        other = Function(self.name)
        for instruction, after in zip(self.code, self.code[1:] + self.code[-1:]):
            text = instruction.text
            if instruction.mnemonic in ("je", "jne"):
                target = TARGET.match(instruction.operands)
                if target and int(target[1], 16) in fences:
                    text = "jmp " + instruction.operands
                elif after.address in fences:
                    text = "nop"
            other.code.append(Instruction(instruction.address, text))
        return other

    def fences(self):
        return self.find(lambda i: i.mnemonic == "sfence")

    def streams(self):
        """Non-temporal stores, and calls through a pointer: the copier picks its loop for the processor that way."""
        return self.find(lambda i: NON_TEMPORAL.match(i.mnemonic) or (i.mnemonic.startswith("call") and "*" in i.operands))

    def stores_of(self, pattern):
        """Stores of a register that `pattern` has computed shortly before."""
        found = []
        for k, instruction in enumerate(self.code):
            match = pattern.match(instruction.text)
            register = match and next(g for g in reversed(match.groups()) if g)
            for later in self.code[k + 1:k + 1 + NEAR] if register else []:
                store = STORE.match(later.text)
                if store and store[1] == register:
                    found.append(later.address)
                    break
                if later.operands.endswith("," + register):
                    break  # computed anew
        return found

    def reach(self, starts):
        """Addresses that are executed from `starts` on before any fence; None stands for the end of the function."""
        following = {i.address: after.address for i, after in zip(self.code, self.code[1:])}
        by_address = {i.address: i for i in self.code}
        seen, waiting = set(), list(starts)
        while waiting:
            address = waiting.pop()
            if address in seen:
                continue
            seen.add(address)
            instruction = by_address.get(address)
            if instruction is None:  # left the function
                seen.add(None)
                continue
            if instruction.mnemonic == "sfence":
                continue
            waiting += self.successors(instruction, following.get(address))
        return seen

    def after(self, addresses):
        following = {i.address: after.address for i, after in zip(self.code, self.code[1:])}
        return [following[a] for a in addresses]

    @staticmethod
    def successors(instruction, following):
        mnemonic = instruction.mnemonic
        if mnemonic.startswith("ret") or mnemonic in ("hlt", "ud2"):
            return [None] if mnemonic.startswith("ret") else []
        if mnemonic.startswith("j"):
            target = TARGET.match(instruction.operands)
            jumped = int(target[1], 16) if target else None
            return [jumped] if mnemonic.startswith("jmp") else [jumped, following]
        return [following]


def functions_of(binary):
    """All functions of a binary by demangled name; a name that several have gets all their code."""
    listing = subprocess.run(["objdump", "-d", "-C", "--no-show-raw-insn", binary], check=True, capture_output=True, text=True)
    functions, current = {}, None
    for line in listing.stdout.splitlines():
        if head := FUNCTION.match(line):
            current = functions.setdefault(head[1], Function(head[1]))
        elif (code := INSTRUCTION.match(line)) and current:
            text = f"{code[2]} {code[3].split(' #')[0].strip()}".strip()
            current.code.append(Instruction(int(code[1], 16), text))
    return functions


def one(functions, name):
    """The function whose demangled name, up to its parameters, ends with `name`."""
    found = [f for full, f in functions.items() if re.search(rf"::{name}\(", full) and "{lambda" not in full]
    assert len(found) == 1, f"{name}: {[f.name for f in found]}"
    return found[0]


def copier_faults(function):
    """A fence before every streaming store on every path, and one behind it before the function ends."""
    streams = function.streams()
    faults = [] if streams else ["no streaming store found"]
    unfenced = function.reach([function.code[0].address])
    faults += [f"{a:x}: streams, with no fence before it" for a in streams if a in unfenced]
    if None in function.reach(function.after(streams)):
        faults.append("a path from the streaming stores to the end has no fence")
    return faults


def claim_faults(function):
    """IN_PROGRESS, then a fence, on every path."""
    stores = function.stores_of(DOUBLED)
    faults = [] if len(stores) == 1 else [f"{len(stores)} stores of IN_PROGRESS found"]
    if stores and None in function.reach(function.after(stores)):
        faults.append("a path from IN_PROGRESS to the end has no fence")
    return faults


def commit_faults(function):
    """A fence, then COMMITTED, on every path."""
    stores = function.stores_of(DOUBLED_AND_ONE)
    faults = [] if len(stores) == 1 else [f"{len(stores)} stores of COMMITTED found"]
    unfenced = function.reach([function.code[0].address])
    return faults + [f"{a:x}: stores COMMITTED, with no fence before it" for a in stores if a in unfenced]


class Fences(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.functions = functions_of(options.library)

    def sound_and_sensitive(self, name, faults_of, fences_needed):
        function = one(self.functions, name)
        self.assertEqual(faults_of(function), [])
        noticed = [a for a in function.fences() if faults_of(function.without(a))]
        self.assertEqual(len(noticed), fences_needed, "removing a fence has to be noticed")

    def test_the_copier_fences_its_streaming_stores_on_both_sides(self):
        self.sound_and_sensitive("core::copy_in", copier_faults, 2)

    def test_a_claim_is_in_progress_before_its_owner_may_stream(self):
        self.sound_and_sensitive("ProducerCore::claim", lambda f: claim_faults(f.for_any_fill()), 1)

    def test_what_the_owner_of_a_claim_streamed_comes_before_committed(self):
        self.sound_and_sensitive("ProducerCore::commit", lambda f: commit_faults(f.for_any_fill()), 1)

    def test_a_published_frame_has_both_fences(self):
        self.assertGreaterEqual(len(one(self.functions, "ProducerCore::publish").fences()), 2)

    def test_nothing_but_the_copier_streams(self):
        streaming = {f.name for f in self.functions.values()
                     if f.find(lambda i: NON_TEMPORAL.match(i.mnemonic)) and "stream_blocks_" not in f.name}
        self.assertEqual(streaming, set())


class HotPath(unittest.TestCase):
    @staticmethod
    def forbidden(binary):
        symbols = subprocess.run(["nm", "-u", binary], check=True, capture_output=True, text=True).stdout.split()
        return {s for s in symbols if FORBIDDEN.match(s)}

    def test_needs_no_allocation_and_throws_nothing(self):
        for binary in options.hot_path:
            self.assertEqual(self.forbidden(binary), set(), binary)

    def test_would_be_found_out(self):
        self.assertGreaterEqual(self.forbidden(options.canary), {"_Znwm", "__cxa_throw"})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--library", required=True, type=pathlib.Path)
    parser.add_argument("--hot-path", required=True, nargs="+", type=pathlib.Path)
    parser.add_argument("--canary", required=True, type=pathlib.Path)
    options = parser.parse_args()
    unittest.main(argv=[sys.argv[0]], verbosity=2)
