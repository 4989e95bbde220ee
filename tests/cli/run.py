#!/usr/bin/env python3
"""Command-line tests with exact output.

usage: run.py BIN-FOLDER FILE.cli... [--update]

A .cli file is a transcript. A line "$ command" is run by bash in a fresh folder with the programs first on PATH; the lines after it are
what it must print (standard output and error together), then "[N]" where the exit status is N and not 0. Lines that
begin with "#" are comments. In expected lines "..." stands for any text of that line. --update rewrites the expectations.
"""
import pathlib
import re
import subprocess
import sys
import tempfile


def parse(text):
    """[(comment lines before, command, expected lines)]"""
    cases, before = [], []
    for line in text.splitlines():
        if line.startswith("#") or (not cases and not line.startswith("$ ")):
            before.append(line)
        elif line.startswith("$ "):
            cases.append((before, line[2:], []))
            before = []
        else:
            if before:
                cases[-1][2].extend(before)
                before = []
            cases[-1][2].append(line)
    return cases, before


def run(command, folder, programs):
    environment = {
        "PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin",
        "HOME": folder,
        "LC_ALL": "C.UTF-8",
        "COLUMNS": "80",
        "TZ": "UTC",
        "GOLDEN": str(pathlib.Path(__file__).resolve().parents[1] / "golden"),
    }
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
    lines = done.stdout.decode("utf-8", "backslashreplace").splitlines()
    return lines + ([f"[{done.returncode}]"] if done.returncode else [])


def same(expected, seen):
    return len(expected) == len(seen) and all(
        re.fullmatch(".*".join(map(re.escape, e.split("..."))), s) for e, s in zip(expected, seen))


def main():
    update = "--update" in sys.argv
    programs, *files = [a for a in sys.argv[1:] if a != "--update"]
    failed = count = 0
    for path in map(pathlib.Path, files):
        cases, after = parse(path.read_text())
        out = []
        with tempfile.TemporaryDirectory() as folder:
            for before, command, expected in cases:
                while expected and not expected[-1]:
                    expected.pop()
                seen = run(command, folder, pathlib.Path(programs).resolve())
                count += 1
                ok = same(expected, seen)
                out += before + ["$ " + command] + (expected if ok else seen)
                if not ok and not update:
                    failed += 1
                    print(f"{path}: $ {command}\nexpected:\n  " + "\n  ".join(expected) + "\nbut it printed:\n  " + "\n  ".join(seen))
        if update:
            path.write_text("\n".join(out + after) + "\n")
    print(f"counted: {count} command-line cases in {len(files)} files, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
