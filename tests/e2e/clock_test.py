#!/usr/bin/env python3
"""The wall clock steps while the daemon runs under load (libfaketime, whose file says how far): from the step on every answer is
UNAVAILABLE, until the clock is right again or an operator consents; a step back never lets a code in again; and no answered verdict
is missing from the log."""
import glob
import os
import random
import threading
import time

from harness import PROGRAMS, ACCEPTED, NAMES, REJECTED, REPLAYED, UNAVAILABLE, Store, count_of, hotp, query, seeds_for, skip, totp
from power_cut_test import COMPANY, check, load

# Beyond what the kernel's own synchronisation may justify, so that it does not matter whether this machine's clock is synchronised.
AHEAD_S, BEHIND_S = 400 * 86400, -3600


class Clock:
    """How far the daemon's wall clock is from the true one."""

    def __init__(self, base):
        self.file = base / "shift"
        self.set(0)
        found = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
        if b"libasan.so" in (PROGRAMS / "otpringd").read_bytes():
            skip("the address sanitizer must be the first library loaded, and so must libfaketime")
        if not found:
            skip("libfaketime is not installed")
        self.env = {"LD_PRELOAD": found[0], "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_NO_CACHE": "1",
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    def set(self, shift_s):
        self.shift_s = shift_s
        new = self.file.with_suffix(".new")
        new.write_text(f"{shift_s:+d}\n")
        os.rename(new, self.file)

    def now(self):
        return time.time() + self.shift_s


class Probe:
    """A client that asks one code at a time, and knows which were accepted."""

    def __init__(self, store, clock):
        self.store, self.clock = store, clock
        self.seeds = seeds_for(2, seed=9, prefix="probe")
        store.add(COMPANY, "probe0", self.seeds["probe0"])
        store.add(COMPANY, "probe1", self.seeds["probe1"], kind="totp")
        self.counter, self.codes = 0, set()
        self.wire, self.sequence = None, 0

    def ask(self, user, code):
        if not self.wire:
            self.wire = self.store.wire()
        self.sequence += 1
        return self.wire.ask(0, self.sequence, [query(COMPANY, user, code)])[0][0]

    def counter_code(self):
        verdict = self.ask("probe0", hotp(self.seeds["probe0"], self.counter))
        if verdict != UNAVAILABLE:
            self.counter += 1
        return verdict

    def time_code(self):
        """One of the step that the daemon's clock is at: accepted at most once, whatever the clock did."""
        code = totp(self.seeds["probe1"], self.clock.now())
        verdict = self.ask("probe1", code)
        assert not (verdict == ACCEPTED and code in self.codes), "a code was accepted again after the clock had stepped"
        if verdict == ACCEPTED:
            self.codes.add(code)
        return verdict

    def unsure(self, what):
        for verdict in (self.counter_code(), self.time_code()):
            assert verdict == UNAVAILABLE, f"{what}: the answer is {NAMES[verdict]}"

    def sure(self, what):
        verdict = self.counter_code()
        assert verdict == ACCEPTED, f"{what}: the answer is {NAMES[verdict]}"


def consent(store):
    store.tool("clock", "consent")


def steps(store, clock, probe, rounds, rng):
    for _ in range(rounds):
        time.sleep(rng.uniform(0.05, 0.2))
        probe.sure("before the step")
        assert probe.time_code() in (ACCEPTED, REPLAYED)
        clock.set(AHEAD_S)
        probe.unsure("400 days ahead")
        time.sleep(rng.uniform(0, 0.1))
        clock.set(0)
        probe.sure("right again by itself")
        clock.set(BEHIND_S)
        probe.unsure("an hour behind")
        consent(store)
        probe.sure("an hour behind, with consent")
        verdict = probe.time_code()
        assert verdict in (REPLAYED, REJECTED), f"a code of an hour ago, behind what was used: {NAMES[verdict]}"
        clock.set(0)
        consent(store)
        probe.sure("right again, with consent")


def main():
    rounds = count_of("OTPRING_CLOCK_STEPS", 3)
    seeds = seeds_for(120)
    counters = dict.fromkeys(seeds, 0)
    ledger = []
    with Store() as store:
        clock = Clock(store.base)
        store.flags += ["--segment-size", "4M", "--workers", "2", "--journal-keep", "1G"]
        store.import_hotp(COMPANY, seeds)
        probe = Probe(store, clock)
        store.start(env=clock.env)
        users = sorted(seeds)
        threads = []
        for i in range(2):
            own = {user: seeds[user] for user in users[i::2]}
            threads.append(threading.Thread(target=load, args=(store, own, counters, ledger, random.Random(i))))
        for thread in threads:
            thread.start()
        try:
            steps(store, clock, probe, rounds, random.Random(11))
        finally:
            store.kill()
            for thread in threads:
                thread.join()
        store.start()
        accepted = check(store, seeds, ledger, 0)
        assert accepted, "nothing was accepted between the steps"
        print(f"measured: {4 * rounds} steps of the clock under load: {len(ledger)} answers, {accepted} accepted codes refused afterwards, "
              "UNAVAILABLE while unsure, none missing from the log")


if __name__ == "__main__":
    main()
