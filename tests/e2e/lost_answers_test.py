#!/usr/bin/env python3
"""Answers lost on the way and asked again under the same slot and sequence are the same answers: connection cut, daemon restarted cleanly,
daemon killed before or after it answered."""
import random
import time

from harness import ACCEPTED, NAMES, REJECTED, REPLAYED, UNAVAILABLE, Closed, Store, count_of, hotp, query, seeds_for

COMPANY = "Bank"


def wait_all(wire, slots):
    answers = {}
    while len(answers) < len(slots):
        tag, got = wire.answers()
        answers[tag] = got
    return answers


def main():
    count = count_of("OTPRING_LOSSES", 12)
    seeds = seeds_for(64)
    users = sorted(seeds)
    rng = random.Random(7)
    counters = dict.fromkeys(users, 0)
    lost = 0
    with Store() as store:
        store.import_hotp(COMPANY, seeds)
        store.start("--segment-size", "4M")
        session, sequence = 0, 0
        for round_index in range(count):
            wire = store.wire(session=session)
            assert not session or wire.resumed
            session = wire.session
            sequence += 1
            frames = {}
            for slot in range(8):
                user = users[(round_index * 8 + slot) % len(users)]
                right = hotp(seeds[user], counters[user])
                counters[user] += 1
                wrong = (right + 1 + rng.randrange(1000)) % 10**6
                frames[slot] = wire.frame(slot, sequence, [query(COMPANY, user, right), query(COMPANY, user, right), query(COMPANY, user, wrong)], tag=slot)
                wire.send(frames[slot])
            how = ["cut", "answered, then cut", "kill", "answered, then kill", "stop"][round_index % 5]
            known = None
            if how.startswith("answered"):
                known = wait_all(wire, frames)
            elif how == "kill":
                time.sleep(rng.uniform(0, 0.003))
            if how.endswith("kill"):
                store.kill()
                store.start("--segment-size", "4M")
            elif how == "stop":
                store.stop()
                store.start("--segment-size", "4M")
            wire.close()
            wire = store.wire(session=session)
            assert wire.resumed and wire.session == session, "the session is lost"
            for frame in frames.values():
                wire.send(frame)
            first = wait_all(wire, frames)
            for frame in frames.values():
                wire.send(frame)
            second = wait_all(wire, frames)
            assert first == second, (how, first, second)
            assert known is None or known == first, (how, known, first)
            for answers in first.values():
                verdicts = [a[0] for a in answers]
                assert verdicts[:2] == [ACCEPTED, REPLAYED] and verdicts[2] in (REJECTED,), (how, [NAMES[v] for v in verdicts])
            lost += 8 * 3
            wire.close()
        # Another content under a used sequence number is told apart.
        wire = store.wire(session=session)
        try:
            wire.ask(0, sequence, [query(COMPANY, users[0], 123456)])
            raise AssertionError("changed content was answered")
        except Closed as error:
            assert "error frame 11" in str(error), error
        # A session that was never issued has its own error.
        try:
            wire = store.wire(session=12345)
            assert not wire.resumed and wire.session != 12345
        except Closed as error:
            assert "8" in str(error), error
        store.stop()
    print(f"measured: {lost} lost answers asked again in {count} rounds of cuts, kills and restarts: the same answers each time")


main()
