#!/usr/bin/env python3
"""Branch coverage of core, table and journal (recovery is in these): builds with clang's source-based coverage, runs
the unit tests that go through these rooms, a stretch of the simulator and every single fault (tests/sim/exhaust), and
lists the branches that went one way only.

A branch is a condition, or a part of one that && or || or ?: joins, and counts twice: once true, once false. Not counted
are the branches inside macros (TRY passes on a result that the branches of its callee have made) and the conditions of
CHECK, an assertion of our own whose failing side ends the program. Every other one is taken both ways by these tests
or stands in exceptions.txt with the reason why not; the run fails where one is neither, where a line of exceptions.txt
names a condition that the source no longer has, and where a source is in none of the programs.

    coverage.py [--list]      every branch that is open; --list: every one that is not taken both ways, with its reason or "open"
"""
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import signal
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = TOP / "build" / "coverage"
EXCEPTIONS = pathlib.Path(__file__).with_name("exceptions.txt")
ROOMS = ("core", "table", "journal")
TESTS = ROOMS + ("admin", "challenge", "server")  # whose unit tests are run: the rooms above go through core too
FLAGS = "-fprofile-instr-generate -fcoverage-mapping"
TIME_MAX_S = 900  # of one program, on a machine that does much else
SIDES = ("true", "false")


def ending(status):
    """How a program ended, in words: a test that dies of a signal says nothing itself."""
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


def run(command, **options):
    try:
        made = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TIME_MAX_S,
                              errors="replace", **options)
    except subprocess.TimeoutExpired as late:
        raise RuntimeError(f"{command[0]}: not done after {TIME_MAX_S} s\n{late.stdout or ''}") from None
    if made.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {ending(made.returncode)}\n{made.stdout[-4000:]}")
    return made.stdout


def programs():
    """The commands to run, the longest first."""
    run(["cmake", "-S", TOP, "-B", BUILD, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_COMPILER=clang",
         "-DOTPRING_BUILD_BENCH=OFF", f"-DCMAKE_C_FLAGS={FLAGS} -O1", f"-DCMAKE_EXE_LINKER_FLAGS={FLAGS}"])
    units = sorted(path for room in TESTS for path in (TOP / "tests/unit" / room).glob("*_test.c"))
    targets = [f"unit_{path.parent.name}_{path.stem}" for path in units]
    run(["ninja", "-C", BUILD, *targets, "sim", "exhaust"])
    schedules = os.environ.get("OTPRING_COVERAGE_SCHEDULES", "12000")
    return [[BUILD / "tests/exhaust"], [BUILD / "tests/sim", "--schedules", schedules],
            *([BUILD / "tests" / target] for target in targets)]


def branches_of(program, profile):
    """(file, begin) -> (end, times true, times false), of one program's run; begin and end are line and column. A header
    is named as it was included, often through the links that keep the rooms apart, and its inline functions are listed
    once for each source that has them: their times are added up."""
    links = sorted(path for room in ROOMS for path in (BUILD / "rooms").glob(f"*/{room}"))
    exported = run(["llvm-cov", "export", "--format=text", "--skip-functions", "--skip-expansions",
                    f"--instr-profile={profile}", program, *[TOP / "engine" / room for room in ROOMS], *links])
    found = {}
    for data in json.loads(exported)["data"]:
        for file in data["files"]:
            name = os.path.relpath(os.path.realpath(file["filename"]), TOP)
            if not name.startswith(tuple(f"engine/{room}/" for room in ROOMS)):
                continue
            for branch in file.get("branches", []):
                place = name, tuple(branch[0:2])
                _, true, false = found.get(place, (None, 0, 0))
                found[place] = tuple(branch[2:4]), true + branch[4], false + branch[5]
    return found


def branches_by(command):
    raw = BUILD / f"{pathlib.Path(command[0]).name}.profraw"
    raw.unlink(missing_ok=True)
    run(command, env={**os.environ, "LLVM_PROFILE_FILE": str(raw)}, cwd=TOP)
    profile = raw.with_suffix(".profdata")
    run(["llvm-profdata", "merge", "-sparse", raw, "-o", profile])
    return branches_of(command[0], profile)


def measure():
    """(file, begin) -> [end, times true, times false], of all programs. Where the simulator has a macro in the place of a
    function, the condition seems to end at its name: the longest text is the whole one."""
    counts = collections.defaultdict(lambda: [(0, 0), 0, 0])
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(branches_by, programs()):
            for place, (end, true, false) in found.items():
                counts[place][0] = max(end, counts[place][0])
                counts[place][1] += true
                counts[place][2] += false
    return counts


class Source:
    """The lines of a file, and what stands at a branch."""

    def __init__(self, path):
        self.lines = path.read_text().splitlines()

    def condition(self, begin, end):
        """The text from begin to end, on one line."""
        lines = self.lines[begin[0] - 1:end[0]]
        lines[-1] = lines[-1][:end[1] - 1]
        lines[0] = lines[0][begin[1] - 1:]
        return re.sub(r"\s+", " ", " ".join(lines)).strip()

    def function(self, line):
        """The function that holds the line: the last one whose body begins above it."""
        for number in range(line - 1, 0, -1):
            if not self.lines[number].startswith("{"):
                continue
            begin = number - 1
            while self.lines[begin].startswith((" ", "\t")):
                begin -= 1
            return re.search(r"(\w+)\(", self.lines[begin]).group(1)
        return "-"

    def branches(self):
        """Whether it has any, as far as the eye can tell."""
        return any(re.search(r"\b(if|for|switch) \(", line) for line in self.lines)

    def asserts(self, line):
        return "CHECK(" in self.lines[line - 1]


def exceptions():
    """(file, function, side, condition) -> reason. A reason is a line of its own; its branches are indented below."""
    reasons, reason = {}, None
    for number, line in enumerate(EXCEPTIONS.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if not line.startswith("    "):
            reason = line.strip()
            continue
        entry = re.fullmatch(r"(\S+) (\S+) (true|false|both): (.+)", line.strip())
        if not entry or not reason:
            sys.exit(f"{EXCEPTIONS.name}:{number}: not `file function side: condition` under a reason")
        file, function, side, condition = entry.groups()
        for one in SIDES if side == "both" else (side,):
            reasons[f"engine/{file}", function, one, condition] = reason
    return reasons


def main():
    sources = {str(path.relative_to(TOP)): Source(path) for room in ROOMS for path in (TOP / "engine" / room).glob("*.[ch]")}
    try:
        counts = measure()
    except RuntimeError as failure:
        sys.exit(str(failure))
    reasons = exceptions()
    named, tally = set(), collections.Counter()
    total = taken = 0
    for (name, begin), (end, *times) in sorted(counts.items()):
        source = sources[name]
        if source.asserts(begin[0]):
            continue
        condition, function = source.condition(begin, end), source.function(begin[0])
        for side, count in zip(SIDES, times):
            key = (name, function, side, condition)
            named.add(key)
            total += 1
            taken += count > 0
            if count:
                continue
            reason = reasons.get(key, "open")
            tally[reason] += 1
            if "--list" in sys.argv or reason == "open":
                print(f"{name}:{begin[0]}:{begin[1]} {function} {side}: {condition} | {reason}")
    gone = [key for key in reasons if key not in named]
    for key in gone:
        print(f"{EXCEPTIONS.name}: no such condition in the source any more: {' '.join(key[:3])}: {key[3]}")
    counted = {name for name, _ in counts}
    missed = [name for name, source in sources.items() if name.endswith(".c") and name not in counted and source.branches()]
    for name in missed:
        print(f"{name}: none of the programs that were run has it")
    for reason, number in tally.most_common():
        print(f"not taken: {number:4} {reason}")
    print(f"measured: {taken} of {total} branches of {', '.join(ROOMS)} taken ({100 * taken / total:.1f} %), "
          f"{sum(tally.values()) - tally['open']} excepted with a reason, {tally['open']} open")
    sys.exit(bool(gone or missed or tally["open"]))


if __name__ == "__main__":
    main()
