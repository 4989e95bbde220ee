#!/usr/bin/env python3
"""Proves that the simulator finds bugs: plants each of bugs.py into a copy of its source, builds a simulator with it, and
fails unless a promise is seen broken within the stated number of seeds.

    canary.py BUILD-FOLDER [NAME...]      BUILD-FOLDER: a CMake build with the target sim
"""
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

from bugs import BUGS

TOP = pathlib.Path(__file__).resolve().parents[2]


def run(command, folder):
    return subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


class Build:
    """The commands that the sound simulator was built by."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder).resolve()
        self.compile = {}
        for entry in json.loads(run(["ninja", "-t", "compdb"], self.folder).stdout):
            if "sim_engine.dir" in entry["output"] and entry["output"].endswith(".o"):
                self.compile[os.path.relpath(entry["file"], TOP)] = entry
        made = run(["ninja", "-t", "commands", "sim"], self.folder).stdout.strip().splitlines()[-1]
        self.link = shlex.split(re.sub(r"^: && | && :$", "", made))

    def plant(self, bug, work):
        """A simulator with the bug; the reason why not as text when that fails."""
        source = TOP / bug["file"]
        text = source.read_text()
        if text.count(bug["old"]) != 1:
            return None, f"the sound text stands {text.count(bug['old'])} times in {bug['file']}"
        copy = work / source.name
        copy.write_text(text.replace(bug["old"], bug["new"]))
        entry = self.compile[bug["file"]]
        command = [str(copy) if word == entry["file"] else word for word in shlex.split(entry["command"])]
        command[command.index("-o") + 1] = str(work / "bug.o")
        made = run(command, entry["directory"])
        if made.returncode:
            return None, made.stdout
        link = list(self.link)
        at = link.index("-o")
        link[at + 1] = str(work / "sim")
        # Before the library, so that the library's own member of that name is never taken.
        made = run(link[:at] + [str(work / "bug.o")] + link[at:], self.folder)
        return (work / "sim", "") if made.returncode == 0 else (None, made.stdout)


def find(build, bug):
    with tempfile.TemporaryDirectory(prefix="canary-") as name:
        program, problem = build.plant(bug, pathlib.Path(name))
        if not program:
            return f"cannot be planted: {problem}"
        crowd = "--people" if bug.get("people") else "--no-people"
        first = bug.get("first", 1)
        made = subprocess.run([program, "--seed", str(first), "--seeds", str(bug["seeds"]), "--fault", bug["fault"], "--share", "96", crowd],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        found = re.search(r"^broken: seed (\d+) \(\w+\): (.*)$", made.stdout, re.MULTILINE)
        if made.returncode == 0 or not found:
            return f"not found within {bug['seeds']} seeds from {first} on"
        print(f"measured: {bug['name']} found at seed {found.group(1)} of {bug['seeds']} from {first} on: {found.group(2)[:110]}", flush=True)
    return None


def main():
    build = Build(sys.argv[1])
    wanted = [bug for bug in BUGS if not sys.argv[2:] or bug["name"] in sys.argv[2:]]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda bug: find(build, bug), wanted))
    missed = [(bug["name"], result) for bug, result in zip(wanted, results) if result]
    for name, result in missed:
        print(f"{name}: {result}")
    print(f"counted: {len(wanted) - len(missed)} of {len(wanted)} planted bugs found by the simulator")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
