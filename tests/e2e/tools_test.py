#!/usr/bin/env python3
"""The command line where a transcript cannot show it: a coprocess, a backup through links, a restore with a time in words, a status."""
import os
import subprocess
import time

from harness import PROGRAMS, Store, hotp, seeds_for

COMPANY = "Bank"
seeds = seeds_for(3, seed=9)


def a_coprocess_is_answered_line_by_line(store):
    """Each query is written only when the one before has its verdict; the pipe stays open."""
    with subprocess.Popen([PROGRAMS / "otpring", "--store", store.path, "verify", "--batch", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True, bufsize=1) as process:
        told = []
        started = time.monotonic()
        for code in (hotp(seeds["u0"], 0), hotp(seeds["u0"], 0), hotp(seeds["u0"], 1)):
            process.stdin.write(f"{COMPANY}\tu0\t{code:06d}\n")
            told.append(process.stdout.readline().strip())
        # Half a line waits for its other half; what came before it does not.
        process.stdin.write(f"{COMPANY}\tu0\t{hotp(seeds['u0'], 2):06d}\n{COMPANY}\tu")
        process.stdin.flush()
        told.append(process.stdout.readline().strip())
        process.stdin.write(f"0\t{hotp(seeds['u0'], 3):06d}")
        process.stdin.close()
        told.append(process.stdout.readline().strip())
        assert process.wait(60) == 1
    assert told == ["ACCEPTED", "REPLAYED", "ACCEPTED", "ACCEPTED", "ACCEPTED"], told
    print(f"measured: five queries to a coprocess one after the other in {time.monotonic() - started:.2f} s")


def a_large_batch_keeps_its_order(store):
    lines = [f"{COMPANY}\tu1\t{hotp(seeds['u1'], 0):06d}"] * 3000 + ["", f'{{"company":"{COMPANY}","user":"u1","code":"{hotp(seeds["u1"], 1):06d}"}}']
    told = store.tool("verify", "--batch", "-", text="\r\n".join(lines), status=1).splitlines()
    assert told[0] == told[-1] == "ACCEPTED" and told[1:-1] == ["REPLAYED"] * 2999, (told[:3], told[-3:], len(told))


def a_backup_into_the_store_is_refused(store):
    link = store.base / "link"
    if not link.exists():
        link.symlink_to(store.path / "journal")
    for folder in (store.path / "b", store.path / "journal" / "x", store.path, link / "b", link):
        store.tool("backup", str(folder), status=1)
    assert not (store.path / "b").exists() and not (store.path / "journal" / "b").exists()
    store.tool("backup", str(store.path) + "-backup")


def a_restore_takes_a_time_in_words(store):
    restored = Store(store.base / "restored", init=False)
    words = ["restore", str(store.path) + "-backup", "--key", str(store.path) + ".key", "--now"]
    restored.tool(*words, "yesterday", status=2)
    restored.tool(*words, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))


def status_tells_what_the_process_takes(store):
    status = store.tool("status", want_json=True)
    resident = int(next(line.split()[1] for line in open(f"/proc/{store.daemon.pid}/status") if line.startswith("VmRSS"))) * 1024
    assert resident / 2 < status["resident_size"] < resident * 2, (status["resident_size"], resident)


def main():
    with Store() as store:
        store.import_hotp(COMPANY, seeds)
        a_large_batch_keeps_its_order(store)
        a_backup_into_the_store_is_refused(store)
        a_restore_takes_a_time_in_words(store)
        store.start()
        a_coprocess_is_answered_line_by_line(store)
        status_tells_what_the_process_takes(store)
        os.rename(str(store.path) + "-backup", store.base / "first")
        a_backup_into_the_store_is_refused(store)
        store.stop()


main()
