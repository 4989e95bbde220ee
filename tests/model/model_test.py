#!/usr/bin/env python3
"""Checks the Spin model exhaustively, and that each of its mutants is found; exit 77 where there is no spin."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
MODEL = HERE / "otpring.pml"
# Blocks and crashes of the sound model: in tests, and in tests/long.
SIZES = [[(5, 2)], [(5, 2), (6, 3), (8, 2)]]


def check(flags, folder):
    """(errors, states) of one exhaustive search."""
    folder.mkdir()
    made = subprocess.run(["spin", "-a", *flags, MODEL], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if made.returncode:
        sys.exit(made.stdout)
    subprocess.run(["gcc", "-O2", "-w", "-DSAFETY", "-DCOLLAPSE", "-DMEMLIM=3000", "-o", "pan", "pan.c"], cwd=folder, check=True)
    made = subprocess.run(["./pan", "-E", "-m1000000", "-w24"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    errors = re.search(r"errors: (\d+)", made.stdout)
    states = re.search(r"(\S+) states, stored", made.stdout)
    if not errors or "not completed" in made.stdout and errors.group(1) == "0":
        sys.exit(made.stdout[-2000:])
    return int(errors.group(1)), float(states.group(1))


def main():
    if not shutil.which("spin"):
        print("skipped: spin is not installed")
        sys.exit(77)
    mutants = sorted(set(re.findall(r"MUTANT_[A-Z_]+[A-Z]", MODEL.read_text())))
    with tempfile.TemporaryDirectory(prefix="spin-") as name:
        folder = pathlib.Path(name)
        for blocks, crashes in SIZES[int(os.environ.get("OTPRING_MODEL", "0"))]:
            errors, states = check([f"-DBLOCKS={blocks}", f"-DCRASHES={crashes}"], folder / f"sound-{blocks}-{crashes}")
            if errors:
                sys.exit("the model breaks a promise")
            print(f"counted: {states:.0f} states of the model with {blocks} blocks and {crashes} crashes, every one, and no promise broken")
        for mutant in mutants:
            errors, states = check([f"-D{mutant}", "-DBLOCKS=4"], folder / mutant)
            if not errors:
                sys.exit(f"{mutant} is not found")
        print(f"counted: {len(mutants)} mutants of the model, each found")


if __name__ == "__main__":
    main()
