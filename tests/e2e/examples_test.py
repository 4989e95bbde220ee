#!/usr/bin/env python3
"""The README's examples, in C and in Python, against the daemon."""
import pathlib
import subprocess
import sys
import time

from harness import PROGRAMS, Store, seeds_for, totp

HERE = pathlib.Path(__file__).resolve().parent


def main():
    seeds = seeds_for(2)
    with Store() as store:
        for user, seed in seeds.items():
            store.add("Bank", user, seed, kind="totp")
        store.start()
        programs = [[PROGRAMS.parent / "tests/example_auth_server"], [sys.executable, HERE.parent / "examples/auth_server.py"]]
        for program, (user, seed) in zip(programs, seeds.items()):
            code = f"{totp(seed, time.time()):06d}"
            done = subprocess.run([*program, store.path / "verify.sock", "Bank", user, code], capture_output=True, text=True, timeout=30, check=False)
            assert done.returncode == 0, (program, done)
            assert done.stdout.splitlines() == [f"{user}\tACCEPTED", f"batch\t{user}\tREPLAYED"], done.stdout
        store.stop()


main()
