#!/usr/bin/env python3
"""Power cuts: the store lies on ext4 over a disk that forgets what was not synced. After each cut, with the daemon killed at the same
moment, no code that was answered ACCEPTED is accepted again, and no answered verdict is missing from the log."""
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from harness import ACCEPTED, NAMES, REJECTED, REPLAYED, RESYNC_VERDICT, UNAVAILABLE, Closed, Store, count_of, hotp, next_counter, query, record_id, seeds_for

COMPANY = "Bank"
SCRIPT = pathlib.Path(__file__).parent / "power_cut_device.sh"


class Device:
    def __init__(self, folder, mib):
        self.folder = folder
        done = subprocess.run([SCRIPT, "up", folder, str(mib)], stdout=subprocess.PIPE, text=True, check=False)
        sys.stdout.write(done.stdout)
        if done.returncode == 77:
            sys.exit(77)
        assert done.returncode == 0, f"the device did not come up: {done.returncode}"

    def call(self, *words):
        return subprocess.run([SCRIPT, *words], env={**os.environ, "DEVICE_DIR": str(self.folder)}, check=True,
                              stdout=subprocess.PIPE, text=True).stdout


def load(store, seeds, counters, ledger, rng):
    """Asks until the daemon is gone; every answer goes into the ledger. What was in flight is never asked again."""
    users = sorted(seeds)
    try:
        wire = store.wire(timeout_s=10)
        sequence = 0
        while True:
            sequence += 1
            items = []
            for user in rng.sample(users, rng.choice([1, 8, 32])):
                counters[user] = next_counter(seeds[user], counters[user])
                items.append((user, counters[user]))
                counters[user] += 1
            answers = wire.ask(0, sequence, [query(COMPANY, u, hotp(seeds[u], c)) for u, c in items])
            for (user, counter), (verdict, _, _, record) in zip(items, answers):
                if verdict == UNAVAILABLE:
                    counters[user] = min(counters[user], counter)
                else:
                    ledger.append((user, counter, verdict, record))
    except (Closed, OSError):
        return


def check(store, seeds, ledger, since):
    """Every code accepted since the last cut is asked again as a new one."""
    fresh = [(u, c) for u, c, verdict, _ in ledger[since:] if verdict == ACCEPTED]
    last = dict(fresh)
    wire = store.wire()
    if last:
        verdicts = [a[0] for a in wire.ask(0, 1, [query(COMPANY, u, hotp(seeds[u], c)) for u, c in last.items()])]
        # REJECTED where a later code, sent and never answered, was consumed too: further back than HOTP's look-behind. Such a code is looked
        # for far ahead, and is found there (RESYNC) where another step has it by chance.
        assert set(verdicts) <= {REPLAYED, REJECTED, RESYNC_VERDICT}, f"accepted more than once: {[NAMES[v] for v in verdicts]}"
    wire.close()
    store.kill()  # the log is read at rest: nothing is recycled under the reader
    records = store.records(record for _, _, _, record in ledger[since:])
    for user, counter, verdict, record in ledger[since:]:
        found = records.get(record_id(record))
        assert found == NAMES[verdict], f"answered, but not in the log: {user} {counter} {NAMES[verdict]}"
    return len(fresh)


def main():
    cuts = count_of("OTPRING_CUTS", 5)
    rng = random.Random(5)
    seeds = seeds_for(120)
    counters = dict.fromkeys(seeds, 0)
    ledger, accepted = [], 0
    folder = pathlib.Path(tempfile.mkdtemp(prefix="otpring-cut-"))
    device = Device(folder, 1200)
    store = None
    try:
        store = Store(folder / "mount")
        store.flags += ["--segment-size", "4M", "--workers", "2", "--journal-keep", "256M", "--checkpoint-bytes", "16M"]
        store.import_hotp(COMPANY, seeds)
        for cut in range(cuts):
            store.start()
            since = len(ledger)
            threads = []
            users = sorted(seeds)
            for i in range(3):
                own = {user: seeds[user] for user in users[i::3]}
                threads.append(threading.Thread(target=load, args=(store, own, counters, ledger, random.Random(100 * cut + i))))
            for thread in threads:
                thread.start()
            time.sleep(rng.uniform(0.05, 0.4))
            device.call("cut", str(cut + 1))
            store.kill()
            for thread in threads:
                thread.join()
            device.call("remount")
            store.start()
            accepted += check(store, seeds, ledger, since)
            # Codes that were sent and never answered may or may not have been consumed: each user goes on past them.
            for user in counters:
                counters[user] += 1
        counts = device.call("counts").strip()
        print(f"measured: {cuts} power cuts under load: {len(ledger)} answers, {accepted} accepted codes refused afterwards, "
              f"none missing from the log ({' '.join(counts.split())})")
    finally:
        if store and store.daemon:
            store.kill()
        device.call("down")
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
