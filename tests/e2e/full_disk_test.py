#!/usr/bin/env python3
"""A full disk: UNAVAILABLE and nothing lost, and service again by itself once there is space; in the journal,
and in a checkpoint. On a small file system of the test's own."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from harness import ACCEPTED, NAMES, PROGRAMS, REPLAYED, UNAVAILABLE, Store, base32, hotp, query, record_id, seeds_for, skip

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


def fill_up(mount):
    """Leaves nothing, but for what the file system keeps for itself."""
    with open(mount / "filler", "wb") as filler:
        for size in (1 << 20, 4096):
            try:
                while True:
                    filler.write(bytes(size))
                    filler.flush()
            except OSError:
                pass


def ask_all(store, seeds, counters):
    wire = store.wire()
    users = sorted(counters)
    verdicts = [a[0] for a in wire.ask(0, 1, [query(COMPANY, u, hotp(seeds[u], counters[u])) for u in users])]
    wire.close()
    return set(verdicts)


def tool(store, *words, text=None):
    """(status, what it said) of a tool that may rightly fail."""
    done = subprocess.run([PROGRAMS / "otpring", "--store", store.path, *words], input=text, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def add_until_full(store):
    """Pages that the store has free are used up by more tokens; those that were enrolled by then."""
    last = {}
    for number in range(400):
        seeds = seeds_for(500, seed=100 + number, prefix=f"more{number}-")
        lines = [f"otpauth://hotp/{COMPANY}:{u}?secret={base32(s)}&issuer={COMPANY}&counter=0" for u, s in seeds.items()]
        status, said = tool(store, "import", "-", text="\n".join(lines) + "\n")
        if status:
            assert "the store has no room for it yet" in said or "no space left" in said, said
            return last
        last = seeds
    raise AssertionError("the store never became full")


def disk_full_at_a_checkpoint(store, mount, base):
    """On a disk without room the store refuses tokens, and a checkpoint of 60,000 tokens, which needs a megabyte; verification goes on, the
    checkpoint is made once there is room, and a death between the two loses nothing."""
    seeds = seeds_for(60000, seed=2, prefix="c")
    store.start("--segment-size", "4M", "--journal-keep", "64M")
    store.import_hotp(COMPANY, seeds)
    fill_up(mount)
    last = add_until_full(store)
    seeds.update(last)
    counters = dict.fromkeys(sorted(seeds)[:300] + sorted(last), 0)
    backup = base / "backup"  # beside the disk; making one begins with a checkpoint
    status, said = tool(store, "backup", str(backup))
    assert status == 3, f"{status}: {said}"
    assert ask_all(store, seeds, counters) == {ACCEPTED}, "a checkpoint that failed stopped verification"
    store.kill()
    (mount / "filler").unlink()
    # With segments as small as before: spares of the usual size would fill the disk again.
    store.start("--segment-size", "4M", "--journal-keep", "64M")
    assert ask_all(store, seeds, counters) == {REPLAYED}, "an answered verdict was lost with a checkpoint that failed"
    shutil.rmtree(backup, ignore_errors=True)
    store.tool("backup", str(backup))
    store.stop()
    print("measured: full disk at acts and at a checkpoint: refused, verification went on, nothing lost, made once there was room")


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
            disk_full_at_a_checkpoint(store, mount, pathlib.Path(folder))
        finally:
            if store and store.daemon:
                store.kill()
            time.sleep(0.2)
            subprocess.run(["umount", mount], check=False)


main()
