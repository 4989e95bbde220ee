#!/usr/bin/env python3
"""Branch coverage of core, table and journal (recovery is in these): builds with clang's source-based coverage, runs
the rooms' unit tests and a stretch of the simulator, and lists every branch that went one way only.

Each must be gone through, or stand in exceptions.txt with its reason; an exception that is not needed any more fails too.

    coverage.py [--list]      --list: prints what is not covered, in the form of exceptions.txt
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
ROOMS = ("core", "table", "journal")
TESTS = ROOMS + ("admin", "server")  # whose unit tests are run: the rooms above go through core too
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
    commands.append([BUILD / "tests" / "sim", "--schedules", os.environ.get("OTPRING_COVERAGE_SCHEDULES", "20000")])
    return commands + [[BUILD / "tests" / "exhaust"]]


def branches_of(program, profile):
    """(file, line, column) -> [times true, times false], of one program's run."""
    exported = run(["llvm-cov", "export", "--format=text", "--skip-functions", "--skip-expansions",
                    f"--instr-profile={profile}", program, *[TOP / "engine" / room for room in ROOMS]])
    found = {}
    for data in json.loads(exported)["data"]:
        for file in data["files"]:
            name = os.path.relpath(os.path.realpath(file["filename"]), TOP)
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
    missing = collections.Counter()
    for place, (true, false) in sorted(counts.items()):
        if true and false:
            continue
        way = "never" if not true and not false else "never true" if not true else "never false"
        missing[f"{place[0]} | {text_of(lines, place)} | {way}"] += 1
    if "--list" in sys.argv:
        print("\n".join(sorted(missing)))
    known = {}
    for line in EXCEPTIONS.read_text().splitlines() if EXCEPTIONS.exists() else []:
        if line and not line.startswith("#"):
            where, _, reason = line.rpartition(" | ")
            known[where] = reason
    new = sorted(set(missing) - set(known))
    stale = sorted(set(known) - set(missing))
    covered = sum(bool(true) + bool(false) for true, false in counts.values())
    print(f"measured: {covered} of {2 * len(counts)} branches of {', '.join(ROOMS)} taken "
          f"({100 * covered / (2 * len(counts)):.1f} %), {len(set(missing) & set(known))} exceptions with their reasons")
    for where in new:
        print(f"not covered: {where}")
    for where in stale:
        print(f"covered, and still an exception: {where}")
    sys.exit(bool(new))


if __name__ == "__main__":
    main()
