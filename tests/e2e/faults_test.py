#!/usr/bin/env python3
"""Real faults of a real process under load, judged by the clients' own record of answers: a disk that answers EIO, a process
that is stopped and goes on, a start under a clock that is wrong. No accepted code is accepted again, no answered verdict is
missing from the log, and what the engine cannot know it answers UNAVAILABLE."""
import glob
import pathlib
import random
import shutil
import signal
import tempfile
import threading
import time

from harness import PROGRAMS, ACCEPTED, NAMES, UNAVAILABLE, Store, count_of, hotp, next_counter, query, seeds_for
from power_cut_test import COMPANY, Device, check, load


def loaded(store, seeds, counters, ledger, seed, fault):
    """Runs `fault` while three clients ask; they end when the daemon does."""
    users = sorted(seeds)
    threads = []
    for i in range(3):
        own = {user: seeds[user] for user in users[i::3]}
        threads.append(threading.Thread(target=load, args=(store, own, counters, ledger, random.Random(100 * seed + i))))
    for thread in threads:
        thread.start()
    fault()
    store.kill()
    for thread in threads:
        thread.join()
    for user in counters:
        counters[user] += 1  # what was sent and not answered may be consumed


def ask_one(store, seeds, counters, user):
    counters[user] = next_counter(seeds[user], counters[user])
    wire = store.wire()
    verdict = wire.ask(0, 1, [query(COMPANY, user, hotp(seeds[user], counters[user]))])[0][0]
    wire.close()
    if verdict != UNAVAILABLE:
        counters[user] += 1
    return verdict


def errors_of_the_disk(store, device, seeds, counters, rounds):
    ledger, accepted = [], 0
    rng = random.Random(6)
    for number in range(rounds):
        store.start()
        since = len(ledger)

        def fault():
            time.sleep(rng.uniform(0.05, 0.3))
            device.call("fail")
            # Whatever is asked from now on cannot be made durable; the daemon says so and does not die of it.
            verdict = ask_one(store, seeds, counters, "u0")
            assert verdict == UNAVAILABLE, f"answered {NAMES[verdict]} on a disk that takes nothing"
            assert store.daemon.poll() is None, "the daemon died of an error of the disk: " + store.log_tail()

        own = {user: seed for user, seed in seeds.items() if user != "u0"}
        loaded(store, own, counters, ledger, number, fault)
        device.call("remount")
        store.start()
        accepted += check(store, seeds, ledger, since)
    print(f"measured: {rounds} times EIO under load: {len(ledger)} answers, {accepted} accepted codes refused afterwards, none missing from the log")


def stops_and_goes_on(store, seeds, counters, rounds):
    ledger, accepted = [], 0
    rng = random.Random(7)
    store.start()

    def fault():
        for _ in range(rounds):
            time.sleep(rng.uniform(0.01, 0.05))
            store.daemon.send_signal(signal.SIGSTOP)
            time.sleep(rng.uniform(0.01, 0.1))
            store.daemon.send_signal(signal.SIGCONT)
        time.sleep(0.05)

    loaded(store, seeds, counters, ledger, 99, fault)
    store.start()
    accepted += check(store, seeds, ledger, 0)
    assert accepted, "nothing was accepted between the stops"
    print(f"measured: {rounds} times SIGSTOP under load: {len(ledger)} answers, {accepted} accepted codes refused afterwards")


def starts_under_a_wrong_clock(store, seeds, counters):
    found = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
    if b"libasan.so" in (PROGRAMS / "otpringd").read_bytes():
        print("skipped: the wrong clock: the address sanitizer must be the first library loaded, and so must libfaketime")
        return
    if not found:
        print("skipped: the wrong clock: libfaketime is not installed")
        return
    for shift in ("-2h", "+1100d", "-4000d"):
        store.start(env={"LD_PRELOAD": found[0], "FAKETIME": shift, "FAKETIME_DONT_FAKE_MONOTONIC": "1"})
        verdict = ask_one(store, seeds, counters, "u1")
        assert verdict == UNAVAILABLE, f"with the clock at {shift} the answer is {NAMES[verdict]}"
        store.kill()
    store.start()
    verdict = ask_one(store, seeds, counters, "u1")
    assert verdict == ACCEPTED, f"with the right clock again the answer is {NAMES[verdict]}"
    store.kill()
    print("measured: starts with the clock 2 h and 4000 days behind and 1100 days ahead: UNAVAILABLE; right again: ACCEPTED")


def main():
    rounds = count_of("OTPRING_DISK_ERRORS", 3)
    stops = count_of("OTPRING_STOPS", 20)
    seeds = seeds_for(120)
    counters = dict.fromkeys(seeds, 0)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="otpring-faults-"))
    device = Device(folder, 1200)
    store = None
    try:
        store = Store(folder / "mount")
        store.flags += ["--segment-size", "4M", "--workers", "2", "--journal-keep", "256M", "--checkpoint-bytes", "16M"]
        store.import_hotp(COMPANY, seeds)
        errors_of_the_disk(store, device, seeds, counters, rounds)
        stops_and_goes_on(store, seeds, counters, stops)
        starts_under_a_wrong_clock(store, seeds, counters)
    finally:
        if store:
            store.remove()
        device.call("down")
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
