#!/usr/bin/env python3
"""A full disk: UNAVAILABLE and nothing lost, and service again by itself once there is space. On a small file system of the test's own."""
import os
import pathlib
import subprocess
import tempfile
import time

from harness import ACCEPTED, NAMES, REPLAYED, UNAVAILABLE, Store, hotp, query, record_id, seeds_for, skip

COMPANY = "Bank"


def small_disk(base, mib):
    image, mount = base / "disk.img", base / "disk"
    mount.mkdir()
    with open(image, "wb") as file:
        file.truncate(mib << 20)
    if os.geteuid() != 0:
        skip("a small file system needs root")
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
    done = subprocess.run(["mount", "-o", "loop", image, mount], capture_output=True, text=True, check=False)
    if done.returncode:
        skip("no loop device: " + done.stderr.strip())
    return mount


def main():
    seeds = seeds_for(64)
    users = sorted(seeds)
    with tempfile.TemporaryDirectory() as folder:
        mount = small_disk(pathlib.Path(folder), 192)
        try:
            store = None
            store = Store(mount)
            store.import_hotp(COMPANY, seeds)
            store.start("--segment-size", "4M", "--journal-keep", "1G")
            with open(mount / "filler", "wb") as filler:
                try:
                    while True:
                        filler.write(bytes(1 << 20))
                        filler.flush()
                except OSError:
                    pass
            wire = store.wire()
            counters = dict.fromkeys(users, 0)
            sequence, full, answered = 0, False, []
            for _ in range(200000):
                sequence += 1
                items = [(u, counters[u]) for u in users] * 16
                answers = wire.ask(0, sequence, [query(COMPANY, u, hotp(seeds[u], c)) for u, c in items])
                verdicts = {a[0] for a in answers}
                if verdicts == {UNAVAILABLE}:
                    full = True
                    break
                assert verdicts == {ACCEPTED, REPLAYED}, [NAMES[v] for v in verdicts]
                answered += answers
                for user in users:
                    counters[user] += 1
            assert full, "the disk never became full"
            (mount / "filler").unlink()
            end = time.monotonic() + 30
            while True:
                sequence += 1
                verdicts = {a[0] for a in wire.ask(0, sequence, [query(COMPANY, u, hotp(seeds[u], counters[u])) for u in users])}
                if verdicts == {ACCEPTED}:
                    break
                assert verdicts == {UNAVAILABLE}, [NAMES[v] for v in verdicts]
                assert time.monotonic() < end, "service did not come back"
                time.sleep(0.05)
            wire.close()
            records = store.records(a[3] for a in answered)
            missing = [a for a in answered if record_id(a[3]) not in records]
            assert not missing, f"{len(missing)} answered verdicts are not in the log"
            print(f"measured: full disk after {len(answered)} answers: UNAVAILABLE, none lost, served again after space was made")
            store.stop()
        finally:
            if store and store.daemon:
                store.kill()
            time.sleep(0.2)
            subprocess.run(["umount", mount], check=False)


main()
