#!/usr/bin/env python3
"""otpring-log rerun: a log that several workers wrote, with kills, acts and another policy in between, judged again by a fresh engine; from its
beginning and from a backup. Then rules that differ: exactly the attempts which they concern come out differently, by a model of the rules here."""
import collections
import json
import os
import random
import subprocess
import sys
import threading
import time

from harness import PROGRAMS, RESYNC, Closed, Store, base32, copied, count_of, hotp, next_counter, query, seeds_for, totp

COMPANY = "Bank"
ATTEMPTS = count_of("OTPRING_RERUN", 8000)


def rerun(store, *words, status=0, where=None):
    """(differences, summary)"""
    done = subprocess.run([PROGRAMS / "otpring-log", "--store", where or store.path, "rerun", "--json", *map(str, words)], capture_output=True, text=True,
                          timeout=3600, check=False)
    assert done.returncode == status, (words, done.returncode, done.stdout[-2000:], done.stderr)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return found[:-1], found[-1]


def refused(store, *words, says, status=2):
    done = subprocess.run([PROGRAMS / "otpring-log", "--store", store.path, "rerun", *map(str, words)], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == status and says in done.stderr, (words, done.returncode, done.stdout[-500:], done.stderr)
    return done.stdout


def attempts_of(store):
    """(position, index, verdict, user) of each, in order."""
    with subprocess.Popen([PROGRAMS / "otpring-log", "--store", store.path, "show", "--json", "--verdict", "accepted,refused,unavailable"],
                          stdout=subprocess.PIPE, text=True) as log:
        found = [(record["position"], record["index"], sys.intern(record["verdict"]), record["user"] and sys.intern(record["user"]))
                 for record in map(json.loads, log.stdout)]
    assert log.returncode == 0, log.returncode
    return found


class Asking:
    """One session; each request is the next of slot 0."""

    def __init__(self, store):
        self.wire, self.sequence = store.wire(), 0

    def ask(self, *queries, kind=3):
        self.sequence += 1
        return self.wire.ask(0, self.sequence, list(queries), kind=kind)


# ---- traffic of every sort ----

# u0 to u39 by counter, u40 to u54 by time, u55 to u59 of eight digits; then more by counter, so that not all of a long run meets locks.
FEW, MANY = 60, 60 + ATTEMPTS // 200
people = seeds_for(MANY, seed=5)


def digits_of(user):
    return 8 if 55 <= int(user[1:]) < FEW else 6


def is_totp(user):
    return 40 <= int(user[1:]) < 55


def code_of(rng, user, counters):
    """Of all sorts: right, ahead, used before, far, nothing at all. The list of codes is as the sender believes it to be; others ask for the same account."""
    seed, digits = people[user], digits_of(user)
    if rng.random() < 0.12:
        return rng.randrange(10**digits), digits
    if is_totp(user):
        return totp(seed, time.time() + 30 * rng.choice((0, 0, 0, 0, 1, -1, 2, -2, 9, -12))), 6
    at = counters[user] = max(0, counters[user] + rng.choice((0, 0, 1, 1, 2, -1, 4)))
    return hotp(seed, at + rng.choice((0, 0, 0, 0, 0, 30, 60)), digits), digits


def ask_many(store, number, count, counters):
    rng = random.Random(number)
    asking, done = Asking(store), 0
    while done < count:
        batch = []
        for _ in range(rng.choice((1, 3, 40, 200))):
            user = f"u{rng.randrange(MANY)}" if rng.random() < 0.97 else f"nobody{rng.randrange(8)}"
            code, digits = code_of(rng, user, counters) if user in people else (123456, 6)
            if rng.random() < 0.01:
                code = 99999999  # of too many digits, where it has six
            if rng.random() < 0.01:
                digits = 7
            batch.append(query(COMPANY, user, code, digits, source=rng.randrange(5), source_class=rng.randrange(2)))
        if rng.random() < 0.1:
            user = f"u{rng.randrange(FEW)}"
            at = int(time.time()) // 30 + 3 if is_totp(user) else counters[user] + 3
            digits = digits_of(user)
            pair = query(COMPANY, user, hotp(people[user], at, digits), digits) + hotp(people[user], at + 1, digits).to_bytes(4, "little") + bytes(4)
            asking.ask(pair, kind=RESYNC)
            done += 1
        try:
            done += len(asking.ask(*batch))
        except Closed:
            return
    asking.wire.close()


def traffic(store, count, round_number, counters):
    threads = [threading.Thread(target=ask_many, args=(store, 10 * round_number + i, count // 3, counters)) for i in range(3)]
    for thread in threads:
        thread.start()
    return threads


def acts(store, round_number):
    """Administration in the midst of it: what is suspended, removed, unlocked, set, and what another policy says."""
    time.sleep(0.2)
    store.tool("token", "suspend", "--company", COMPANY, "--user", f"u{round_number}")
    store.tool("token", "suspend", "--company", COMPANY, "--user", "u50")
    time.sleep(0.1)
    store.tool("token", "unlock", "--company", COMPANY, "--user", "u7")
    profile = store.act("profile.list")["profiles"][0]["id"]
    store.act("profile.set", id=profile, name="totp", window_behind=2, window_ahead=1, throttle_free=4 + round_number, throttle_base_s=1, throttle_max_s=2)
    store.tool("token", "resume", "--company", COMPANY, "--user", "u50")
    store.tool("token", "remove", "--company", COMPANY, "--user", f"u{20 + round_number}")
    store.add(COMPANY, f"late{round_number}", b"late%d" % round_number * 4)


def a_log_judged_again_has_the_same_verdicts(base):
    with Store(base / "mixed") as store:
        store.start("--workers", "2")
        for user, seed in list(people.items())[:FEW]:
            store.add(COMPANY, user, seed, "totp" if is_totp(user) else "hotp", digits=digits_of(user))
        store.import_hotp(COMPANY, dict(list(people.items())[FEW:]))
        counters = collections.Counter()
        for number in range(4):
            threads = traffic(store, ATTEMPTS // 4, number, counters)
            acts(store, number)
            if number == 2:
                store.tool("backup", str(store.base / "backup"))
            for thread in threads:
                thread.join()
            if number == 1:
                store.kill()
                store.start("--workers", "2")
        store.stop()
        recorded = attempts_of(store)
        by_verdict = collections.Counter(record[2] for record in recorded)
        assert set(by_verdict) >= {"ACCEPTED", "REJECTED", "REPLAYED", "THROTTLED", "RESYNC", "INACTIVE", "UNKNOWN", "MALFORMED"}, by_verdict
        differences, summary = rerun(store)
        assert not differences and summary["different"] == 0 and summary["complete"], (differences[:5], summary)
        assert summary["same"] + summary["not_run"]["unavailable"] == len(recorded), (summary, len(recorded))
        assert summary["not_run"]["no_token"] == summary["not_run"]["no_step"] == 0, summary
        print(f"measured: {dict(by_verdict)}, {summary['moved']} moved before what rests on them: all the same again")
        differences, part = rerun(store, "--from", store.base / "backup")
        assert not differences and part["complete"] and 1 < part["first_position"], (differences[:5], part)
        behind = [record for record in recorded if record[0] >= part["first_position"]]
        assert part["same"] + part["not_run"]["unavailable"] == len(behind) > 0, (part, len(behind))
        through = recorded[len(recorded) // 2][0]
        differences, part = rerun(store, "--to", through)
        assert part["last_position"] == through and part["same"] == sum(record[0] <= through for record in recorded), part
        what_cannot_be_run_says_so(base, store, recorded)


def what_cannot_be_run_says_so(base, store, recorded):
    key = f"{store.path}.key"
    with Store(base / "other") as other:
        other.start().tool("backup", str(other.base / "backup"))
        refused(store, "--from", other.base / "backup", says="is of another store")
        other.stop()
        refused(store, "--key", f"{other.path}.key", says="key")
    refused(store, "--from", base, says="no such file or folder")
    refused(store, "--policy", "window=11", says="--policy: not a valid value: window=11")
    refused(store, "--policy", "colour=1", says="not a valid value")
    refused(store, "--policy", "window", says="not a valid value")
    refused(store, "--to", "0", says="--to: not a valid value")
    refused(store, "-n", "x", says="-n: not a valid value")
    refused(store, "again", says="one word too many")
    # The beginning is gone; a block in the midst is damaged; nothing of it is changed by asking.
    cut = base / "cut"
    copied(store.path, cut)
    segments = sorted((cut / "journal").glob("*.seg"))
    with open(segments[0], "r+b") as file:
        file.seek(os.stat(segments[0]).st_size // 8 // 4096 * 4096)
        file.seek(8192)
        file.write(b"damage")
    shown = refused(store, "--store", cut, "--key", key, says="cannot go on behind it")
    assert "broke off" in shown, shown
    segments[0].unlink()
    refused(store, "--store", cut, "--key", key, says="name a backup with --from DIR")
    # A restored store: what became of its tokens is not in the log.
    back = Store(base / "back", init=False)
    back.tool("restore", str(store.base / "backup"), "--key", key, "--journal", str(store.path / "journal"), "--now", str(int(time.time())))
    shown = refused(back, "--key", key, says="a backup was restored there")
    assert f"{len(recorded)} " in shown or "asked again" in shown, shown


# ---- other rules ----


def other_rules_concern_exactly_whom_they_should(base):
    """One attempt an account, so that nothing follows from another's."""
    with Store(base / "rules") as store:
        store.start()
        by_time, by_counter, guessed = seeds_for(150, 11, "t"), seeds_for(150, 12, "h"), seeds_for(60, 13, "g")
        step = int(time.time()) // 30
        by_time = {user: seed for user, seed in by_time.items() if len({hotp(seed, step + i) for i in range(-3, 10)}) == 13}
        for company, seeds, kind in ((COMPANY, by_time, "totp"), (COMPANY, by_counter, "hotp"), (COMPANY, guessed, "hotp")):
            lines = [f"otpauth://{kind}/{company}:{user}?secret={base32(seed)}&issuer={company}" + ("&counter=0" if kind == "hotp" else "")
                     for user, seed in seeds.items()]
            store.tool("import", "-", text="\n".join(lines) + "\n")
        asking, rng = Asking(store), random.Random(3)
        while time.time() % 30 > 25:
            time.sleep(0.5)
        ahead = {user: rng.randrange(-1, 2) for user in by_time}
        asking.ask(*[query(COMPANY, user, totp(seed, time.time() + 30 * ahead[user])) for user, seed in by_time.items()])
        counters = {user: next_counter(seed, rng.randrange(11)) for user, seed in by_counter.items()}
        asking.ask(*[query(COMPANY, user, hotp(seed, counters[user])) for user, seed in by_counter.items()])
        # Some wrong ones, then the right one, at once. No wrong one fits a step that is looked at.
        failures = {user: rng.randrange(5) for user in guessed}
        wrong = {user: [code for code in range(900000, 900200) if code not in {hotp(seed, at) for at in range(150)}] for user, seed in guessed.items()}
        for number in range(4):
            asking.ask(*[query(COMPANY, user, wrong[user][number], source=7) for user, many in failures.items() if number < many])
        asking.ask(*[query(COMPANY, user, hotp(seed, 0)) for user, seed in guessed.items()])
        store.stop()
        recorded = {record[:2]: record[2:] for record in attempts_of(store)}
        assert rerun(store)[1]["different"] == 0

        def differing(policy, wanted, now):
            found, summary = rerun(store, "--policy", policy, status=1 if wanted else 0)
            users = collections.Counter(difference["user"] for difference in found)
            assert users == collections.Counter(wanted), (policy, set(users) ^ set(wanted), summary)
            assert {difference["now"] for difference in found} <= now, found[:3]
            for difference in found:
                record = recorded[difference["position"], difference["index"]]
                assert record == (difference["recorded"], difference["user"]), (record, difference)
            assert summary["same"] == len(recorded) - len(found) and summary["different"] == len(found), summary
            print(f"measured: {policy}: {len(found)} of {len(recorded)} attempts differ, as they should")

        accepted = {user for verdict, user in recorded.values() if verdict == "ACCEPTED"}
        differing("window=0", [user for user in by_time if user in accepted and ahead[user]], {"RESYNC"})
        differing("window-ahead=0", [user for user in by_time if user in accepted and ahead[user] > 0], {"RESYNC"})
        differing("window=0,resync-window=0", [user for user in by_time if user in accepted and ahead[user]] , {"REJECTED"})
        differing("look-ahead=4", [user for user in by_counter if user in accepted and counters[user] > 4], {"RESYNC"})
        differing("window=5,look-ahead=50", [], set())
        # The third failure locks from then on: later failures, and the right code.
        locked = [user for user, many in failures.items() for later in range(3, many + 1) if user in accepted or later < many]
        differing("throttle-free=2,throttle-base=600", locked, {"THROTTLED"})
        differing("throttle-free=5", [], set())


def main():
    with Store(init=False) as scratch:
        a_log_judged_again_has_the_same_verdicts(scratch.base)
        other_rules_concern_exactly_whom_they_should(scratch.base)


main()
