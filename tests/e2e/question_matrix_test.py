#!/usr/bin/env python3
"""Every way in which an answer may be wrong, and every mixture of them: only the one that is right in all of them approves.

Seven things are right or wrong: the session that asks what became of it, the site and the account that the answer is about, the device that
signed, the time, whether the document is new, and its bits. 128 answers to 128 challenges.
"""
import itertools
import time

from enrol_test import COMPANY
from harness import Store
from question_world import LOGIN, PAYMENT, World, b64, unb64

USERS = 16
WRONGS = ("session", "site", "account", "device", "expiry", "replay", "bit")
PURPOSES = (LOGIN, {**LOGIN, "purpose": "query"}, {**LOGIN, "purpose": "authorisation"}, PAYMENT)


def ask_all(world, cases, life_s):
    """One open question an account and purpose: 16 users with 4 each."""
    items = [{"company": COMPANY, "user": f"u{i // 4}", "session": f"s{life_s}-{i}", "channel": "push", "match": False, "life_s": life_s,
              **PURPOSES[i % 4]} for i in range(len(cases))]
    answers = world.client.batch("ask", items)
    assert all(answer["ok"] for answer in answers), [answer for answer in answers if not answer["ok"]]
    return [(case, item, answer) for case, item, answer in zip(cases, items, answers)]


def document_of(world, old, case, item, answer):
    """What is sent: the device's answer, with what the case has wrong."""
    user = item["user"]
    other = f"u{(int(user[1:]) + 1) % USERS}"
    device = world.devices[other if "account" in case else user]
    question = world.devices[user].read(answer["uri"])
    if "site" in case:
        question = {**question, "body": question["body"].replace(b"Demo Bank", b"Demo Bunk")}
    if "replay" in case:
        document = {**old[other if "account" in case else user], "challenge": b64(question["body"][12:28])}
    else:
        document = device.answer_document(question)
    if "device" in case:
        document["signature"] = world.devices[f"u{(int(user[1:]) + 2) % USERS}"].sign(unb64(document["statement"]))
    if "bit" in case:
        changed = bytearray(unb64(document["statement"]))
        changed[19 + sum(map(len, case)) % 32] ^= 1 << len(case)  # of the digest, so that it is a statement still
        document["statement"] = b64(bytes(changed))
    return document


def approved(world, case, item, answer):
    session = "another" if "session" in case else item["session"]
    told = world.client.one("wait", challenge=answer["challenge"], session=session, events=False)
    return told["ok"] and told["state"] == "approved"


def run(world, old, cases, life_s):
    asked = ask_all(world, cases, life_s)
    documents = [document_of(world, old, *one) for one in asked]
    if life_s == 10:
        time.sleep(11)
    world.client.batch("device", documents)
    passed = [case for case, item, answer in asked if approved(world, case, item, answer)]
    for case, item, answer in asked:  # whoever did not pass leaves the right one its way, in time and in its session
        if "expiry" in case or not set(case) - {"session"}:
            continue
        device = world.devices[item["user"]]
        assert world.to_device(device.answer_document(device.read(answer["uri"])))["state"] == "approved", case
    return passed


def main():
    with Store() as store:
        store.start()
        world, old = World(store), {}
        for i in range(USERS):
            device = world.enrolled(f"u{i}", "Ed25519" if i % 2 else "ES256")
            asked = world.asked(f"u{i}", session="first", match=False, events=False)
            old[f"u{i}"] = device.answer_document(device.read(asked["uri"]))
            assert world.to_device(old[f"u{i}"])["state"] == "approved"
        cases = [tuple(wrong for wrong, bit in zip(WRONGS, bits) if bit) for bits in itertools.product((0, 1), repeat=len(WRONGS))]
        in_time = [case for case in cases if "expiry" not in case]
        late = [case for case in cases if "expiry" in case]
        passed = run(world, old, in_time, 120) + run(world, old, late, 10)
        assert passed == [()], f"passed: {passed}"
        print(f"counted: {len(cases)} answers, one of them approved")
        world.client.close()
        store.stop()


if __name__ == "__main__":
    main()
