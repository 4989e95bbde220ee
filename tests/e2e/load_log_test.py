#!/usr/bin/env python3
"""otpring-load --from-log: recorded traffic comes again in its order and mix, from accounts of its own, out of segments alone, a store or exported lines."""
import collections
import json
import pathlib
import random
import subprocess
import time

from harness import PROGRAMS, Store, base32, copied, hotp, next_counter, query, seeds_for

COMPANY = "Bank"


def load(*words, status=0, text=None):
    done = subprocess.run([PROGRAMS / "otpring-load", *map(str, words)], capture_output=True, text=True, input=text, timeout=300, check=False)
    assert done.returncode == status, (words, done.returncode, done.stdout[-800:], done.stderr[-800:])
    return done


def replay(*words, **how):
    return json.loads(load(*words, "--json", **how).stdout)


def attempts(path, *words):
    shown = subprocess.run([PROGRAMS / "otpring-log", "--store", path, "export", "--verdict", "accepted,refused,unavailable", *map(str, words)],
                           capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in shown.splitlines()], shown


class Asking:
    def __init__(self, store):
        self.wire, self.sequence = store.wire(), 0

    def ask(self, *queries):
        self.sequence += 1
        return self.wire.ask(0, self.sequence, list(queries))


def all_sorts(store, seeds, rounds):
    """Requests of all sorts; nobody comes near the throttle."""
    rng, asking, counters, failed = random.Random(4), Asking(store), collections.Counter(), set()
    for number in range(rounds):
        batch = []
        for user in rng.sample(sorted(seeds), rng.randrange(1, 12)):
            sort = rng.randrange(8)
            if user in failed or sort < 4:
                counters[user] = next_counter(seeds[user], counters[user])
                batch.append(query(COMPANY, user, hotp(seeds[user], counters[user]), source=rng.randrange(6)))
                counters[user] += 1
                failed.discard(user)
            elif sort == 4 and counters[user]:
                batch.append(query(COMPANY, user, hotp(seeds[user], counters[user] - 1), source=rng.randrange(6), source_class=1))
            elif sort == 5:
                batch.append(query(COMPANY, user, hotp(seeds[user], counters[user] + 55)))
                failed.add(user)
            else:
                batch.append(query(COMPANY, user, rng.randrange(10**6), digits=rng.choice((6, 6, 7))))
                failed.add(user)
        if number % 9 == 0:
            batch.append(query(COMPANY, f"nobody{number}", 123456))
        if number % 11 == 0:
            batch.append(query(COMPANY, "suspended" if number % 2 else "asleep", 123456) if number < 40 else query(COMPANY, "u0", 123456, digits=9))
        asking.ask(*batch)
        time.sleep(rng.choice((0, 0, 0.004)))


def sequence(records):
    """What came, in order, with accounts and sources numbered as they come. Whether a far code is looked for depends on what else is in the turn."""
    accounts, sources = {}, {}
    found = []
    for record in records:
        source = record["source"] if int(record["source"], 16) else None
        found.append((accounts.setdefault(record["account"], len(accounts)), source and sources.setdefault(source, len(sources)), record["verdict"].replace("RESYNC", "REJECTED"),
                      record["source_class"]))
    return found


def requests(records):
    return [len(list(group)) for group in _groups(records)]


def _groups(records):
    group = []
    for record in records:
        if group and record["request"] != group[-1]["request"]:
            yield group
            group = []
        group.append(record)
    yield group


def traffic_comes_again(store, target, recorded, exported, base):
    """On one connection to the letter: each request, each verdict."""
    load_words = ["--store", target.path, "--speed", "20", "--keep"]
    segments = base / "segments"
    copied(store.path / "journal", segments)
    ways = [("a folder of segments, without store and key", ["--from-log", segments], None),
            ("exported lines", ["--from-log", "-"], exported)]
    last = 0
    for what, words, text in ways:
        result = replay(*load_words, *words, text=text)
        assert result["unexpected"] == 0 and result["same"] + result["not_searched"] == result["sent"] == len(recorded), result
        again, _ = attempts(target.path, "--after", last)
        last = again[-1]["position"]
        again = [record for record in again if record["company"] == result["company"]]
        assert sequence(again) == sequence(recorded), what
        assert requests(again) == requests(recorded), what
        assert result["log_s"] > 0 and result["requests"] == len(requests(recorded)), result
        print(f"measured: {what}: {result['sent']} attempts in {result['requests']} requests, each with its verdict: {result['verdicts']}")
    several = replay("--store", target.path, "--from-log", store.path, "--speed", "0", "--connections", "3", "--in-flight", "8")
    assert several["unexpected"] == 0 and several["same"] + several["not_searched"] == several["sent"] == len(recorded), several
    by_verdict = collections.Counter(record["verdict"] for record in recorded)
    assert {verdict: sum(now.values()) for verdict, now in several["verdicts"].items()} == by_verdict, (several["verdicts"], by_verdict)


def locks_are_counted_apart(store, target):
    """Nine wrong codes in a row lock an account; faster than recorded, the lock is felt sooner or later than it was."""
    asking = Asking(store)
    seed = seeds_for(1, 77, "locked")["locked0"]
    store.add(COMPANY, "locked0", seed)
    before = attempts(store.path)[0][-1]["position"]
    wrong = [code for code in range(500000, 500300) if code not in {hotp(seed, at) for at in range(130)}]
    for code in wrong[:9]:
        asking.ask(query(COMPANY, "locked0", code))
    time.sleep(1.2)
    asking.ask(query(COMPANY, "locked0", hotp(seed, 0)))
    recorded, lines = attempts(store.path, "--after", before)
    verdicts = collections.Counter(record["verdict"] for record in recorded)
    assert verdicts["THROTTLED"] >= 3 and verdicts["REJECTED"] >= 6, verdicts
    result = replay("--store", target.path, "--from-log", "-", "--speed", "10", text=lines)
    assert result["unexpected"] == 0 and result["same"] + result["by_lock"] == len(recorded), result
    assert result["verdicts"]["REJECTED"] == {"REJECTED": verdicts["REJECTED"]}, result["verdicts"]


def what_is_no_traffic_is_said(store, target, exported, base):
    for words, says in ((["--from-log", base / "none"], "no such file"), (["--from-log", base], "no attempt"), (["--speed", "2"], "--speed is for --from-log"),
                        (["--from-log", base, "--mix", "right:1"], "--from-log says by itself what --mix would"),
                        (["--from-log", base, "--speed", "-1"], "not a number")):
        told = load("--store", target.path, *words, status=2).stderr
        assert says in told, (words, told)
    lines = exported.splitlines()
    odd = ["", "{", "[]", "nonsense", '{"verdict":"ACCEPTED"}', lines[0].replace('"account":"', '"account":"x'), lines[0].replace("ACCEPTED", "MAYBE").replace("REJECTED", "MAYBE"),
           '{"act":"STOP"}', lines[0].replace("Z", ""), lines[0].replace('"source":"', '"source":"+')]
    mixed = "\n".join(odd + lines[:20]) + "\n"
    result = replay("--store", target.path, "--from-log", "-", "--speed", "0", text=mixed)
    assert result["attempts"] == 20 and result["damaged"] == len(odd) - 1 and result["unexpected"] == 0, result
    file = pathlib.Path(base / "lines")
    file.write_text(exported, encoding="utf-8")
    early = replay("--store", target.path, "--from-log", file, "--speed", "0.001", "--seconds", "0.2")
    assert 0 < early["sent"] < len(lines), early
    # A log with a hole: what is left of it comes.
    hole = base / "hole"
    copied(store.path / "journal", hole)
    segment = sorted(hole.glob("*.seg"))[0]
    with open(segment, "r+b") as damaged:
        damaged.seek(4096 * 30)
        damaged.write(b"damage")
    holed = replay("--store", target.path, "--from-log", hole, "--speed", "0")
    assert holed["damaged"] > 0 and holed["unexpected"] == 0, holed


def main():
    with Store() as store, Store(store_folder(store)) as target:
        seeds = seeds_for(30, 21)
        store.start()
        target.start()
        lines = [f"otpauth://hotp/{COMPANY}:{user}?secret={base32(seed)}&issuer={COMPANY}&counter=0" for user, seed in seeds.items()]
        store.tool("import", "-", text="\n".join(lines) + "\n")
        for user in ("suspended", "asleep"):
            store.add(COMPANY, user, user.encode() * 3)
            store.tool("token", "suspend", "--company", COMPANY, "--user", user)
        all_sorts(store, seeds, 120)
        recorded, exported = attempts(store.path)
        assert set(record["verdict"] for record in recorded) == {"ACCEPTED", "REJECTED", "REPLAYED", "RESYNC", "UNKNOWN", "INACTIVE", "MALFORMED"}
        traffic_comes_again(store, target, recorded, exported, store.base)
        what_is_no_traffic_is_said(store, target, exported, store.base)
        locks_are_counted_apart(store, target)
        # On the store that it was recorded on: nobody's token is touched.
        before = store.tool("token", "list", want_json=True)
        result = replay("--store", store.path, "--from-log", "-", "--speed", "0", text=exported)
        assert result["unexpected"] == 0, result
        assert store.tool("token", "list", want_json=True) == before
        shown = load("--scratch", "--from-log", "-", "--speed", "0", text=exported).stdout
        assert f"log             {len(recorded)} attempts" in shown and "unexpected      0" in shown, shown
        store.stop()
        target.stop()


def store_folder(store):
    return store.base / "target"


main()
