#!/usr/bin/env python3
"""The daemon is killed in each step of each flow of questions, at moments from before the frame arrives until after it was answered, and
the step is taken again. What was told before the kill holds after it; each challenge is answered once in the log, and each flow ends well."""
import collections
import itertools
import json
import time

from enrol_test import COMPANY
from harness import Store, count_of
from question_world import LOGIN, PAYMENT, World

DELAYS_S = (0, 0.0005, 0.002, 0.006, 0.05)


class Killed:
    """Calls that the daemon does not survive: the frame is sent, it dies a moment later, and what came back before counts."""

    def __init__(self, world):
        self.world = world
        self.at, self.delay_s, self.step = None, 0, 0

    def __call__(self, act, **item):
        """The answer to the act, asked again after the kill; what was told before must be told again."""
        self.step += 1
        if self.step != self.at:
            return self.world.client.one(act, **item)
        tag = self.world.client.send(act, [item])
        time.sleep(self.delay_s)
        self.world.store.kill()
        told = self.last_words(tag)
        self.world.store.start()
        self.world.connect()
        again = self.world.client.one(act, **item)
        if told and told["ok"]:
            assert again["ok"], (act, told, again)
            if act == "ask" and "user" not in item:  # bound to no account, so there is nothing to join: another one
                return again
            assert again.get("challenge") == told.get("challenge"), (act, told, again)
            if act == "typed":
                assert again == told, (told, again)
            assert told.get("state") in (again.get("state"), "asked", "shown"), (act, told, again)
            assert told.get("number") == again.get("number"), "the number on the screen is the same"
        return again

    def last_words(self, tag):
        """What the daemon had sent when it died; None."""
        try:
            return self.world.client.receive(tag)[0]
        except OSError:
            return None


def flow(world, call, kind, user, session):
    """One flow from question to what became of it; gives the challenge."""
    device = world.devices[user]
    named = {} if kind == "without a name" else {"company": COMPANY, "user": user}
    channel = "push" if kind in ("push", "payment", "refused", "cancelled") else "qr"
    fields = PAYMENT if kind == "payment" else LOGIN
    asked = call("ask", session=session, channel=channel, events=False, **named, **fields)
    assert asked["ok"], (kind, asked)
    here = {"challenge": asked["challenge"], "session": session}
    question = device.read(asked["uri"])
    if channel == "push":
        listed = call("device", **device.questions_document())["questions"]
        assert asked["challenge"] in [one["challenge"] for one in listed], (asked, listed)
    wanted = "approved"
    if kind == "cancelled":
        wanted = call("cancel", **here)["state"]
        assert wanted == "withdrawn"
    elif kind.startswith("typed"):
        right = device.response(question)
        wrong = str((int(right) + 1) % 10**8).zfill(8)
        response, other, expected = (right, wrong, ("approved", "none")) if kind == "typed" else (wrong, right, ("refused", "wrong-number"))
        answer = call("typed", response=response, **here)
        # Whether or not the answer to the first one was heard.
        assert answer["ok"] and (answer["state"], answer["reason"]) == expected, (kind, answer)
        wanted = expected[0]
        over = world.client.one("typed", response=other, **here)
        assert not over["ok"] and (over["code"], over["state"]) == ("QUESTION_OVER", wanted), over
        unknown = world.client.one("typed", response=response, challenge=here["challenge"], session="another")
        assert unknown["code"] == "QUESTION_UNKNOWN", unknown
    elif kind == "refused":
        wanted = call("device", **device.answer_document(question, refuse=2))["state"]
        assert wanted == "refused"
    else:
        answer = call("device", **device.answer_document(question, number=asked.get("number", 0)))
        assert answer["ok"] and answer["state"] == "approved", (kind, answer)
    became = call("wait", **here)
    assert became["ok"] and became["state"] == wanted, (kind, became)
    return asked["challenge"], wanted


KINDS = {"push": 4, "payment": 4, "by QR": 3, "without a name": 3, "typed": 3, "typed wrong": 3, "refused": 4, "cancelled": 4}


def main():
    rounds = count_of("OTPRING_QUESTION_ROUNDS", 1)
    answers = 0
    with Store() as store:
        store.start()
        world = World(store)
        call = Killed(world)
        for number, (kind, steps) in enumerate(itertools.product(KINDS, range(rounds))):
            for at in range(1, KINDS[kind] + 1):
                user = f"{kind}-{number}-{at}".replace(" ", "-")
                world.enrolled(user, "Ed25519" if at % 2 else "ES256")
                call.at, call.step = at, 0
                call.delay_s = DELAYS_S[(number + at + steps) % len(DELAYS_S)]
                _, became = flow(world, call, kind, user, f"{user}-{steps}")
                answers += became in ("approved", "refused") and kind != "typed wrong"
        store.stop()
        lines = map(json.loads, store.tool("show", "--json", program="otpring-log").splitlines())
        counted = collections.Counter(record["change"] for record in lines if record.get("act") == "CHANGE")
        assert counted["challenge.answer"] == answers, (counted, answers)
        assert counted["challenge.wrong"] == KINDS["typed wrong"] * rounds, counted
        print(f"counted: {sum(KINDS.values()) * rounds} kills, {answers} answers")


if __name__ == "__main__":
    main()
