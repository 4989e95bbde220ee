#!/usr/bin/env python3
"""Mutation check: changes one operator or constant at a time in engine/core and sees whether a test notices: the unit
tests of core that are quick, then a short run of the simulator. Prints the mutants that live.

    mutate.py BUILD-FOLDER COUNT [FILE...]      COUNT mutants (of these files of core alone), drawn from the seed
                                                (OTPRING_MUTATION_SEED or 1); an interrupt or SIGTERM ends it early, and it says how far it came

A mutant that lives is either a test that is missing or a line that makes no difference. Those that were looked at and
make none stand in SAME below, by the text of their line. Exit 1 when none is noticed, or when, of JUDGED or more, over three in
ten live: a smaller sample says too little."""
import os
import pathlib
import random
import re
import shlex
import signal
import subprocess
import sys
import tempfile

from canary import Build, TOP, run

RULES = [(r"<=", "<"), (r">=", ">"), (r"==", "!="), (r"!=", "=="), (r"&&", "||"), (r"\|\|", "&&"),
         (r"(?<![<>=!+\-*/%&|^-])<(?![<=])", "<="), (r"(?<![<>=!+\-*/%&|^-])>(?![>=])", ">="),
         (r" \+ ", " - "), (r" - ", " + "), (r"\+\+", "--"), (r"\btrue\b", "false"), (r"\bfalse\b", "true"),
         (r"\bif \((?=[^)])", "if (!"), (r"(?<=[ (])1(?=[ ;,)])", "0"), (r"(?<=[ (])0(?=[ ;,)])", "1")]
SKIP = re.compile(r"^\s*(/?\*|#|CHECK|TRY\(|for \(|\}|enum|assert)|include|progress\(|secret_wipe|prefetch|PREFETCH")
QUICK = ("bursts", "clock", "kept", "throttle", "required", "session", "session_edges", "unknown", "state_acts", "state_change", "turn", "judge", "state_recover", "ocra", "ocra_edges", "state_backup")
# The lesser or greater of two: which one is taken when they are equal makes no difference.
CHOSEN = re.compile(r"([^=?:;]+?) [<>]=? ([^?:;]+?) \? (?:\1 : \2|\2 : \1)(?=;)")
JUDGED = 40
# Lines where a change makes no difference that anyone could see, and why.
SAME = {
    # Nothing is copied where there is nothing to copy: the condition keeps a null pointer from memcpy, no more.
    "if (value.size > 0) memcpy(ret + CHANGE_ROW_HEAD_SIZE + key.size, value.bytes, value.size);",
    # At the limit the limit itself is put in its place.
    "distance = distance > INT16_MAX ? INT16_MAX : distance < INT16_MIN ? INT16_MIN : distance;",
    # A range of one step that is taken for none is computed once more.
    "if (pair->low > pair->high) {",
    # No code is below the limit of 0 digits, which 16 would be taken for.
    "return digits < 16 && code < limits[digits & 15];",
}


def sites(names):
    found = []
    for path in sorted((TOP / "engine/core").glob("*.c")):
        if names and path.name not in names:
            continue
        asserting = False
        for number, line in enumerate(path.read_text().splitlines()):
            # What the compiler alone asks is no behaviour; such an assertion goes over several lines.
            asserting = asserting or line.startswith("_Static_assert")
            if asserting:
                asserting = not line.rstrip().endswith(");")
                continue
            if SKIP.search(line):
                continue
            code = line.split("/*")[0].split('"')[0]
            chosen = CHOSEN.search(code.replace("= ", "=", 1).replace("return ", "return="))
            for pattern, put in RULES:
                found += [(path, number, match.start(), match.end(), put) for match in re.finditer(pattern, code)
                          if not (chosen and put.rstrip("=") == match.group().rstrip("="))]
    return found


def plant(build, site, work):
    path, number, start, end, put = site
    lines = path.read_text().splitlines()
    before = lines[number]
    after = before[:start] + put + before[end:]
    if after.count("(") != after.count(")"):
        after = None
    else:
        lines[number] = after
        (work / path.name).write_text("\n".join(lines) + "\n")
    return before, after


def compiled(build, entry, copy, output):
    command = [str(copy) if word == entry["file"] else word for word in shlex.split(entry["command"])]
    command[command.index("-o") + 1] = str(output)
    return run(command, entry["directory"]).returncode == 0


def linked(build, link, planted, output):
    link = list(link)
    at = link.index("-o")
    link[at + 1] = str(output)
    return run(link[:at] + [str(planted)] + link[at:], build.folder).returncode == 0


def killed(build, units, site, work):
    """By whom, or None when it lives; 'build' when it does not compile."""
    path = site[0]
    copy, name = work / path.name, os.path.relpath(path, TOP)
    if not compiled(build, build.compile[name], copy, work / "sim.o") or not compiled(build, units["compile"][name], copy, work / "unit.o"):
        return "build"
    for unit in QUICK:
        if not linked(build, units["link"][unit], work / "unit.o", work / "unit"):
            return "build"
        try:
            if subprocess.run([work / "unit"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60).returncode:
                return f"unit/core/{unit}"
        except subprocess.TimeoutExpired:
            return f"unit/core/{unit} (no end)"
    if not linked(build, build.link, work / "sim.o", work / "sim"):
        return "build"
    for fault, seeds in (("crashes", 25), ("clock", 10), ("rot", 10), ("restore", 10)):
        try:
            made = subprocess.run([work / "sim", "--seeds", str(seeds), "--fault", fault], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL, timeout=120)
        except subprocess.TimeoutExpired:
            return f"sim {fault} (no end)"
        if made.returncode:
            return f"sim {fault}"
    return None


def unit_commands(build):
    import json
    made = {"compile": {}, "link": {}}
    for entry in json.loads((build.folder / "compile_commands.json").read_text()):
        if "otpring_core.dir" in entry.get("output", entry["command"]):
            made["compile"][os.path.relpath(os.path.realpath(entry["file"]), TOP)] = entry
    for unit in QUICK:
        line = run(["ninja", "-t", "commands", f"unit_core_{unit}_test"], build.folder).stdout.strip().splitlines()[-1]
        made["link"][unit] = shlex.split(re.sub(r"^: && | && :$", "", line))
    return made


def main():
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    build = Build(sys.argv[1])
    units = unit_commands(build)
    drawn = sites(sys.argv[3:])
    random.Random(int(os.environ.get("OTPRING_MUTATION_SEED", "1"))).shuffle(drawn)
    tried, living = 0, []
    try:
        for site in drawn:
            if tried == int(sys.argv[2]):
                break
            with tempfile.TemporaryDirectory(prefix="mutant-") as name:
                work = pathlib.Path(name)
                before, after = plant(build, site, work)
                if not after or before.strip() in SAME:
                    continue
                by = killed(build, units, site, work)
                if by == "build":
                    continue
                tried += 1
                if not by:
                    living.append(site)
                    print(f"lives: {os.path.relpath(site[0], TOP)}:{site[1] + 1}: {before.strip()}  ->  {after.strip()}", flush=True)
    except KeyboardInterrupt:
        print(f"interrupted after {tried}")
    print(f"counted: {tried} mutants of engine/core of {len(drawn)} places, {tried - len(living)} noticed, {len(living)} live")
    sys.exit((tried > 0 and len(living) == tried) or (tried >= JUDGED and len(living) * 10 > tried * 3))


if __name__ == "__main__":
    main()
