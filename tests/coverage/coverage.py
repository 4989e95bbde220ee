#!/usr/bin/env python3
"""Branch coverage of core, table and journal (recovery is in these): builds with clang's source-based coverage, runs
the unit tests that go through these rooms and a stretch of the simulator, and lists the branches that went one way only.

exceptions.txt gives reasons: a line is a file (or *), a text that the branch's line contains, a reason, apart by " | ".
What has no reason there is open. Fails when fewer branches are taken than floor.txt says; raise it when it can be raised.

    coverage.py [--list]      --list: every branch that is not taken both ways, with its reason or "open"
"""
import collections
import json
import os
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = TOP / "build" / "coverage"
EXCEPTIONS = pathlib.Path(__file__).with_name("exceptions.txt")
FLOOR = pathlib.Path(__file__).with_name("floor.txt")
ROOMS = ("core", "table", "journal")
TESTS = ROOMS + ("admin",)  # whose unit tests are run: the rooms above go through core too
FLAGS = "-fprofile-instr-generate -fcoverage-mapping"


def run(command, **options):
    made = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if made.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{made.stdout[-4000:]}")
    return made.stdout


def programs():
    run(["cmake", "-S", TOP, "-B", BUILD, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_COMPILER=clang",
         "-DOTPRING_BUILD_BENCH=OFF", f"-DCMAKE_C_FLAGS={FLAGS} -O1", f"-DCMAKE_EXE_LINKER_FLAGS={FLAGS}"])
    units = sorted(path for room in TESTS for path in (TOP / "tests/unit" / room).glob("*_test.c"))
    targets = [f"unit_{path.parent.name}_{path.stem}" for path in units]
    run(["ninja", "-C", BUILD, *targets, "sim", "exhaust"])
    commands = [[BUILD / "tests" / target] for target in targets]
    commands.append([BUILD / "tests" / "sim", "--schedules", os.environ.get("OTPRING_COVERAGE_SCHEDULES", "4000")])
    return commands + [[BUILD / "tests" / "exhaust"]]


def branches_of(program, profile):
    """(file, line, column) -> [times true, times false], of one program's run."""
    exported = run(["llvm-cov", "export", "--format=text", "--skip-functions", "--skip-expansions",
                    f"--instr-profile={profile}", program, *[TOP / "engine" / room for room in ROOMS]])
    found = {}
    for data in json.loads(exported)["data"]:
        for file in data["files"]:
            name = os.path.relpath(os.path.realpath(file["filename"]), TOP)
            if not name.startswith(tuple(f"engine/{room}/" for room in ROOMS)):
                continue
            for branch in file.get("branches", []):
                found[name, branch[0], branch[1]] = branch[4:6]
    return found


def measure():
    counts = collections.defaultdict(lambda: [0, 0])
    for command in programs():
        raw = BUILD / "one.profraw"
        run(command, env={**os.environ, "LLVM_PROFILE_FILE": str(raw)}, cwd=TOP)
        run(["llvm-profdata", "merge", "-sparse", raw, "-o", BUILD / "one.profdata"])
        for place, (true, false) in branches_of(command[0], BUILD / "one.profdata").items():
            counts[place][0] += true
            counts[place][1] += false
    return counts


def text_of(lines, place):
    return re.sub(r"\s+", " ", lines[place[0]][place[1] - 1].strip())


def main():
    counts = measure()
    lines = {name: (TOP / name).read_text().splitlines() for name in {place[0] for place in counts}}
    reasons = [line.split(" | ") for line in EXCEPTIONS.read_text().splitlines() if line and not line.startswith("#")]
    tally = collections.Counter()
    for place, (true, false) in sorted(counts.items()):
        if true and false:
            continue
        way = "never reached" if not true and not false else "never true" if not true else "never false"
        text = text_of(lines, place)
        reason = next((why for file, part, why in reasons if file in ("*", place[0]) and part in text), "open")
        tally[reason] += 1 + (not true and not false)
        if "--list" in sys.argv:
            print(f"{place[0]}:{place[1]}:{place[2]} | {text} | {way} | {reason}")
    covered = sum(bool(true) + bool(false) for true, false in counts.values())
    share = 100 * covered / (2 * len(counts))
    floor = float(FLOOR.read_text())
    for reason, number in tally.most_common():
        print(f"not taken: {number:4} {reason}")
    print(f"measured: {covered} of {2 * len(counts)} branches of {', '.join(ROOMS)} taken: {share:.1f} % (floor {floor} %), "
          f"{sum(tally.values()) - tally['open']} excepted with a reason, {tally['open']} open")
    sys.exit(share < floor)


if __name__ == "__main__":
    main()
