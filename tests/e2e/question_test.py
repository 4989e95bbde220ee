#!/usr/bin/env python3
"""Questions as users live them, through the daemon: logins by push and by QR code, payments, and what goes wrong with them.

Devices are tests/python/otpring_device.py, an implementation apart, written from DEVICE.md and QR.md.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from enrol_test import COMPANY
from harness import PROGRAMS, Store
from otpring_client import QUESTION, QUESTION_ANSWER, AskClient, ProtocolError, frame
from otpring_device import NOT_ME, NOT_WANTED, b64, unb64
from question_world import LOGIN, PAYMENT, World, code_of, refused


def login_by_push(world):
    """Asked, pushed, fetched, approved by the number on the screen; who asked is told without asking again."""
    ana = world.enrolled("ana", push="ana's phone")
    pushes(world)
    asked = world.asked("ana")
    assert asked["pushed"] == 1 and 10 <= asked["number"] <= 99 and not asked["joined"], asked
    ((kind, channel, to, fields),) = pushes(world)
    assert (kind, channel, to) == ("question", "push", "ana's phone") and fields["challenge"] == asked["challenge"]
    assert LOGIN["text"] not in str(fields), "what is asked is not for those on the way"
    (question,) = ana.questions(world.to_device)
    assert (question["text"], question["site"]) == (LOGIN["text"], LOGIN["site"])
    assert world.what_became(asked["challenge"])["state"] == "shown"
    answer = ana.answer(world.to_device, question, number=asked["number"])
    assert (answer["state"], answer["reason"]) == ("approved", "none")
    told = world.client.closed(asked["challenge"])
    assert told == world.what_became(asked["challenge"]), "told by itself, and when asked"
    assert (told["state"], told["company"], told["user"], told["device"]) == ("approved", COMPANY, "ana", ana.store["device"])
    assert ana.questions(world.to_device) == []


def pushes(world):
    found = []
    while messages := world.act("outbox.next", limit=64)["messages"]:
        found += messages
        for message in messages:
            world.act("outbox.ack", number=message["number"])
    return [(m["kind"], m["channel"], m["to"], m["fields"]) for m in found]


def blind_approval_never_passes(world):
    for user, algorithm in (("blind", "ES256"), ("guess", "Ed25519")):
        device = world.enrolled(user, algorithm)
        asked = world.asked(user)
        number = 0 if user == "blind" else (asked["number"] - 9) % 90 + 10
        answer = device.answer(world.to_device, device.questions(world.to_device)[0], number=number)
        assert (answer["state"], answer["reason"]) == ("refused", "wrong-number"), answer
        assert world.client.closed(asked["challenge"])["reason"] == "wrong-number"
        again = refused("QUESTION_OVER", device.answer, world.to_device, device.read(asked["uri"]), number=asked["number"])
        assert again["state"] == "refused"


def not_me_raises_an_alarm(world):
    device = world.enrolled("eve")
    asked = world.asked("eve")
    answer = device.answer(world.to_device, device.read(asked["uri"]), refuse=NOT_ME)
    assert (answer["state"], answer["reason"]) == ("refused", "not-me")
    (alarm,) = [record for record in world.records("challenge.alarm") if record.get("user") == "eve"]
    assert alarm["subject"] == device.store["device"]
    cooling = world.ask("eve")
    assert code_of(cooling) == "QUESTION_COOLING" and 0 < cooling["retry_after_s"] <= 60
    calm = world.enrolled("calm")
    asked = world.asked("calm")
    calm.answer(world.to_device, calm.read(asked["uri"]), refuse=NOT_WANTED)
    assert not [record for record in world.records("challenge.alarm") if record.get("user") == "calm"]


def a_payment_and_the_same_with_one_digit_changed(world):
    payer = world.enrolled("payer")
    asked = world.asked("payer", **PAYMENT)
    (question,) = payer.questions(world.to_device)
    assert {name: question[name] for name in PAYMENT if name != "purpose"} == {n: PAYMENT[n] for n in PAYMENT if n != "purpose"}
    for before, after in ((b"1250.00", b"1250.01"), (b"ACME S.A.", b"ACME S.B."), (b"EUR", b"USD"), (b"0042", b"0043")):
        changed = {**question, "body": question["body"].replace(before, after)}
        assert changed["body"] != question["body"]
        refused("QUESTION_CONTENT", payer.answer, world.to_device, changed, number=asked["number"])
        assert world.what_became(asked["challenge"])["state"] == "shown", "the challenge stays as it is"
    answer = payer.answer(world.to_device, question, number=asked["number"])
    assert answer["state"] == "approved"


def a_thousand_prompts_give_one(world):
    victim = world.enrolled("victim")
    items = [{"company": COMPANY, "user": "victim", "session": "s1", "channel": "push", **LOGIN, "events": False} for _ in range(250)]
    answers = [answer for _ in range(4) for answer in world.client.batch("ask", items)]
    assert len(answers) == 1000 and all(answer["ok"] for answer in answers)
    assert len({answer["challenge"] for answer in answers}) == 1 and sum(not answer["joined"] for answer in answers) == 1
    others = world.client.batch("ask", [{**item, "session": f"attacker-{i}"} for i, item in enumerate(items)])
    assert {code_of(answer) for answer in others} == {"QUESTION_BUSY"}
    assert len(victim.questions(world.to_device)) == 1
    for i in range(20):  # refused and cancelled ones count: after so many the account is left alone
        challenge = world.client.one("list", company=COMPANY, user="victim")["challenges"][0]["challenge"]
        world.client.one("cancel", challenge=challenge, session="s1" if i == 0 else f"again-{i}")
        answer = world.ask("victim", session=f"again-{i + 1}")
        if not answer["ok"]:
            assert code_of(answer) == "QUESTION_LIMITED" and i < 10
            break
    else:
        raise AssertionError("asked without end")


def whatever_shuts_the_account_wins(world):
    """Between question and answer: suspended, lost, deactivated, unbound, the company suspended, locked by wrong codes."""
    def shut(user):
        serial = world.act("user.show", company=COMPANY, user=user)["user"]["tokens"][0]["serial"]
        return {
            "suspended": lambda: world.act("stock.suspend", serial=serial),
            "lost": lambda: world.act("stock.lost", serial=serial),
            "deactivated": lambda: world.act("user.deactivate", company=COMPANY, user=user),
            "unbound": lambda: world.act("device.unbind", device=world.devices[user].store["device"]),
            "company": lambda: world.act("company.suspend", company=COMPANY),
            "locked": lambda: [world.store.long_locks(), *(world.verify(user, "000000") for _ in range(12))],
        }[user]

    for user in ("suspended", "lost", "deactivated", "unbound", "company", "locked"):
        device = world.enrolled(user)
        asked = world.asked(user)
        shut(user)()
        if user != "locked":  # nobody tells of a lock: it is found when it matters
            told = world.client.closed(asked["challenge"])
            assert told["state"] == "withdrawn" and told["reason"] in ("shut", "unbound"), told
        document = device.answer_document(device.read(asked["uri"]), number=asked["number"])
        assert code_of(world.to_device(document)) in ("QUESTION_OVER", "DEVICE_UNKNOWN"), user
        assert world.what_became(asked["challenge"])["state"] == "withdrawn", user
        assert code_of(world.ask(user)) == "QUESTION_NO_DEVICE", user
        if user == "company":
            world.act("company.activate", company=COMPANY)


def scan(uri, folder):
    """The URI through a picture and back, as a phone's camera sees it."""
    if not all(map(shutil.which, ("qrencode", "zbarimg"))):
        return uri
    subprocess.run(["qrencode", "-o", f"{folder}/qr.png", uri], check=True)
    found = subprocess.run(["zbarimg", "--raw", "-q", "-Sdisable", "-Sqrcode.enable", f"{folder}/qr.png"], capture_output=True, text=True, check=True)
    return found.stdout.strip()


def login_by_qr(world):
    """With and without a user name, online and offline."""
    with tempfile.TemporaryDirectory() as folder:
        for named in (True, False):
            for online in (True, False):
                user = f"qr-{named}-{online}"
                device = world.enrolled(user, "Ed25519" if named else "ES256")
                asked = world.asked(user if named else None, session=user, channel="qr")
                question = device.read(scan(asked["uri"], folder))
                assert bool(question["flags"] & 4) != named
                if online:
                    assert device.answer(world.to_device, question)["state"] == "approved"
                else:
                    whom = {} if named else {"company": COMPANY, "user": user}
                    typed = world.client.one("typed", challenge=asked["challenge"], session=user, response=device.response(question), **whom)
                    assert typed["ok"] and typed["state"] == "approved", typed
                told = world.client.closed(asked["challenge"])
                assert (told["state"], told["user"]) == ("approved", user), told


def a_wrong_response_ends_it(world):
    device = world.enrolled("typist")
    asked = world.asked("typist", channel="qr")
    right = device.response(device.read(asked["uri"]))
    wrong = str((int(right) + 1) % 10**8).zfill(8)
    answer = world.client.one("typed", challenge=asked["challenge"], session="s1", response=wrong)
    assert answer["ok"] and (answer["state"], answer["reason"]) == ("refused", "wrong-number"), answer
    again = world.client.one("typed", challenge=asked["challenge"], session="s1", response=right)
    assert code_of(again) == "QUESTION_OVER", again
    assert world.client.one("typed", challenge=asked["challenge"], session="s1", response=wrong) == answer, "the same one, answered again"
    other = world.client.one("typed", challenge=asked["challenge"], session="s2", response=wrong)
    assert code_of(other) == "QUESTION_UNKNOWN", "to whoever did not ask it there is no such question"
    world.act("company.suspend", company=COMPANY)
    shut = world.client.one("typed", challenge=asked["challenge"], session="s1", response=wrong)
    assert code_of(shut) == "QUESTION_UNKNOWN", "whatever shuts an account wins over an answer given again"
    world.act("company.activate", company=COMPANY)
    asked = world.asked("typist", session="s2", channel="qr", typed=False)
    answer = world.client.one("typed", challenge=asked["challenge"], session="s2", response=device.response(device.read(asked["uri"])))
    assert code_of(answer) == "CHALLENGE_DENIED", "one that takes no typed response"


def shown_to_another_too_late_and_twice(world):
    device, stranger = world.enrolled("owner"), world.enrolled("stranger")
    asked = world.asked("owner", session="mine", channel="qr")
    for act in ("wait", "cancel"):
        assert code_of(world.client.one(act, challenge=asked["challenge"], session="another")) == "QUESTION_UNKNOWN"
    question = device.read(asked["uri"])
    typed = world.client.one("typed", challenge=asked["challenge"], session="another", response=device.response(question))
    assert code_of(typed) == "QUESTION_UNKNOWN"
    refused("QUESTION_UNKNOWN", stranger.answer, world.to_device, question)
    document = device.answer_document(question)
    assert world.to_device(document)["state"] == "approved"
    assert world.to_device(document)["state"] == "approved", "the same document again is answered again"
    over = refused("QUESTION_OVER", device.answer, world.to_device, question, refuse=NOT_WANTED)
    assert over["state"] == "approved"
    late = world.asked("owner", session="late", channel="qr", life_s=10)
    told = world.client.closed(late["challenge"])
    assert told["state"] == "expired"
    over = refused("QUESTION_OVER", device.answer, world.to_device, device.read(late["uri"]))
    assert over["state"] == "expired"


def documents_that_are_not_the_device_s(world):
    device, other = world.enrolled("doc"), world.enrolled("other")
    asked = world.asked("doc")
    question = device.read(asked["uri"])
    good = device.answer_document(question, number=asked["number"])
    for name in ("statement", "signature"):
        data = bytearray(unb64(good[name]))
        for bit in (0, len(data) * 4 + 3, len(data) * 8 - 1):
            changed = bytearray(data)
            changed[bit // 8] ^= 1 << bit % 8
            answer = world.to_device({**good, name: b64(changed)})
            assert code_of(answer) in ("CHALLENGE_BAD_SIGNATURE", "CHALLENGE_BAD_STATEMENT", "DEVICE_UNKNOWN"), (name, bit, answer)
    forged = other.answer_document(question, number=asked["number"])
    assert code_of(world.to_device({**good, "signature": forged["signature"]})) == "CHALLENGE_BAD_SIGNATURE"
    for broken in ({**good, "more": 1}, {**good, "v": 2}, {**good, "step": "dance"}, {**good, "challenge": "AA"},
                   {key: value for key, value in good.items() if key != "signature"}):
        assert code_of(world.to_device(broken)) == "BAD_JSON", broken
    off = device.questions_document(time.time() - 1000)
    answer = world.to_device(off)
    assert code_of(answer) == "QUESTION_CLOCK" and abs(answer["time"] - time.time()) < 60
    assert code_of(world.to_device({**device.questions_document(), "device": other.store["device"]})) == "CHALLENGE_BAD_SIGNATURE"
    assert world.to_device(good)["state"] == "approved", "none of it changed anything"
    asked = world.asked("doc", session="s2")
    stale = device.answer_document(device.read(asked["uri"]), number=asked["number"], counter=device.store["counter"])
    assert code_of(world.to_device(stale)) == "QUESTION_COUNTER", "an older counter than the last one's"


def requests_that_break_the_rules(world):
    world.enrolled("rules")
    good = {"company": COMPANY, "user": "rules", "session": "s", "channel": "push", **LOGIN}
    cases = [("BAD_JSON", {"channel": "pigeon"}), ("BAD_JSON", {"purpose": "fun"}), ("BAD_JSON", {"life_s": 9}), ("BAD_JSON", {"life_s": 3601}),
             ("BAD_JSON", {"session": ""}), ("BAD_JSON", {"session": "x" * 256}), ("BAD_JSON", {"match": 1}), ("BAD_JSON", {"colour": "red"}),
             ("BAD_JSON", {"text": 5}), ("BAD_NAME", {"company": ""}), ("BAD_JSON", {"company": None}), ("CHALLENGE_BAD_TEXT", {"text": " x"}),
             ("CHALLENGE_BAD_TEXT", {"text": "a\u202eb"}), ("CHALLENGE_BAD_TEXT", {"site": "x" * 65}), ("CHALLENGE_FIELDS", {"amount": "1.00"}),
             ("CHALLENGE_FIELDS", {"purpose": "transaction"}), ("CHALLENGE_BAD_AMOUNT", {**PAYMENT, "amount": "01"}),
             ("CHALLENGE_BAD_AMOUNT", {**PAYMENT, "currency": "eur"}), ("QUESTION_NO_DEVICE", {"user": "nobody"})]
    answers = world.client.batch("ask", [{**good, **change} for _, change in cases])
    for (code, change), answer in zip(cases, answers):
        assert code_of(answer) == code, (change, answer)
    assert code_of(world.ask(None)) == "BAD_JSON", "a push to nobody"
    for act, item in (("wait", {"challenge": "AA", "session": "s"}), ("list", {}), ("alert", {"company": COMPANY, "user": "rules"})):
        assert code_of(world.client.one(act, **item)) == "BAD_JSON", act
    assert code_of(world.client.one("wait", challenge="A" * 22, session="s")) == "QUESTION_UNKNOWN"
    assert code_of(world.client.one("alert", company=COMPANY, user="nobody", service="x")) == "QUESTION_NO_DEVICE"
    for text in ('{"act":"dance","items":[{}]}', '{"act":"ask","items":[]}', '{"act":"ask"}', '[1]', '{"act":"ask","items":[{}],"x":1}', "{"):
        refused_frame(world, text)


def refused_frame(world, text):
    world.client.connection.send(frame(QUESTION, text.encode(), count=1, tag=99))
    answer = world.client.connection.receive()
    said = json.loads(answer.body)
    assert (answer.kind, answer.tag, said["ok"], said["code"]) == (QUESTION_ANSWER, 99, False, "BAD_JSON"), said


def alerts_and_batches(world):
    users = [f"batch-{i}" for i in range(8)]
    for i, user in enumerate(users):
        world.enrolled(user, "Ed25519" if i % 2 else "ES256", push=f"phone-{i}")
    pushes(world)
    assert world.client.one("alert", company=COMPANY, user=users[0], service="portal")["pushed"] == 1
    ((kind, _, to, fields),) = pushes(world)
    assert (kind, to, fields["service"]) == ("access-alert", "phone-0", "portal")
    asked = world.client.batch("ask", [{"company": COMPANY, "user": user, "session": user, "channel": "push", **LOGIN} for user in users])
    questions = [world.devices[user].read(answer["uri"]) for user, answer in zip(users, asked)]
    documents = [world.devices[user].answer_document(question, number=answer["number"])
                 for user, question, answer in zip(users, questions, asked)]
    answers = world.client.batch("device", documents[:6])
    assert [answer["state"] for answer in answers] == ["approved"] * 6
    cancelled = world.client.batch("cancel", [{"challenge": answer["challenge"], "session": user} for user, answer in zip(users, asked)])
    assert [answer["state"] for answer in cancelled] == ["approved"] * 6 + ["withdrawn"] * 2
    assert cancelled[7]["reason"] == "cancelled"
    waited = world.client.batch("wait", [{"challenge": answer["challenge"], "session": user} for user, answer in zip(users, asked)])
    assert [answer["state"] for answer in waited] == ["approved"] * 6 + ["withdrawn"] * 2
    assert world.client.one("list", company=COMPANY, user=users[0])["challenges"] == []
    for user, answer in zip(users, asked):
        assert world.client.closed(answer["challenge"])["challenge"] == answer["challenge"]


def another_connection_is_told_too(world):
    device = world.enrolled("two")
    asked = world.asked("two", events=False)
    with AskClient(str(world.store.path / "ask.sock")) as second:
        waiting = second.one("wait", challenge=asked["challenge"], session="s1")
        assert waiting["state"] == "asked" and waiting["expires_s"] > 100
        device.answer(world.to_device, device.read(asked["uri"]), number=asked["number"])
        assert second.closed(asked["challenge"])["state"] == "approved"
    world.client.one("list", company=COMPANY, user="two")
    assert asked["challenge"] not in [event["challenge"] for event in world.client.events], "who did not want it is not told"


def the_examples_ask_and_are_told(world):
    """tests/examples/ask_user, in C and in Python."""
    here = pathlib.Path(__file__).resolve().parent
    programs = {"c": [PROGRAMS.parent / "tests/example_ask_user"], "python": [sys.executable, here.parent / "examples/ask_user.py"]}
    for name, program in programs.items():
        for refuse in (None, NOT_WANTED):
            user = f"example-{name}-{refuse}"
            device = world.enrolled(user)
            with subprocess.Popen([*program, world.store.path / "ask.sock", COMPANY, user, "browser 1"], stdout=subprocess.PIPE, text=True) as running:
                number = int(running.stdout.readline().split()[1])
                device.answer(world.to_device, device.questions(world.to_device)[0], number=0 if refuse else number, refuse=refuse)
                wanted = "refused" if refuse else "approved"
                assert running.stdout.readline() == f"{wanted}\t{user}\n"
                assert running.wait(30) == (1 if refuse else 0)
        done = subprocess.run([*program, world.store.path / "ask.sock", COMPANY, "nobody", "s"], capture_output=True, text=True, check=False)
        assert done.returncode == 1 and "QUESTION_NO_DEVICE" in done.stderr, done


def another_client(world, uid):
    """An auth server of another user id."""
    os.seteuid(uid)
    try:
        return AskClient(str(world.store.path / "ask.sock"))
    finally:
        os.seteuid(0)


def clients_have_what_is_theirs_alone(world):
    """What one asked is not there for another; companies and the number of open questions have limits; so has a login without a name."""
    device = world.enrolled("mine")
    asked = world.asked("mine", channel="qr")
    nameless = world.asked(None, session="nameless", channel="qr")
    with another_client(world, 65534) as here, another_client(world, 65533) as elsewhere:
        for act in ("wait", "cancel"):
            assert code_of(here.one(act, challenge=asked["challenge"], session="s1")) == "QUESTION_UNKNOWN"
        assert here.one("list", company=COMPANY, user="mine")["challenges"] == []
        item = {"company": COMPANY, "user": "mine", "session": "s1", "channel": "qr", **LOGIN}
        assert code_of(elsewhere.one("ask", **item)) == "QUESTION_NO_DEVICE", "not a company of this client"
        question = device.read(asked["uri"])
        assert code_of(elsewhere.one("device", **device.answer_document(question))) == "QUESTION_UNKNOWN"
        assert code_of(elsewhere.one("device", **device.questions_document())) == "QUESTION_UNKNOWN"
        theirs = elsewhere.one("ask", session="x", channel="qr", **LOGIN)
        other = device.read(theirs["uri"])
        assert code_of(world.to_device(device.answer_document(other))) == "QUESTION_UNKNOWN", "asked by a client that has another company"
        many = here.batch("ask", [{"session": f"n{i}", "channel": "qr", **LOGIN} for i in range(5)])
        assert [answer.get("code") for answer in many] == [None, None, None, "QUESTION_CLIENT_FULL", "QUESTION_CLIENT_FULL"]
        here.one("cancel", challenge=many[0]["challenge"], session="n0")
        assert here.one("ask", session="n9", channel="qr", **LOGIN)["ok"], "one was closed, so there is room for one"
        assert device.answer(lambda document: here.one("device", **document), device.read(nameless["uri"]))["state"] == "approved"
    try:
        another_client(world, 65532).one("wait", challenge=asked["challenge"], session="s1")
        raise AssertionError("a client without the right was served")
    except ProtocolError as error:
        assert error.name == "NO_RIGHT", error


def main():
    stories = [login_by_push, blind_approval_never_passes, not_me_raises_an_alarm, a_payment_and_the_same_with_one_digit_changed,
               a_thousand_prompts_give_one, login_by_qr, a_wrong_response_ends_it, shown_to_another_too_late_and_twice,
               documents_that_are_not_the_device_s, requests_that_break_the_rules, alerts_and_batches, another_connection_is_told_too,
               the_examples_ask_and_are_told, whatever_shuts_the_account_wins]
    wanted = sys.argv[2:]
    with Store() as store:
        if os.geteuid() == 0:  # other user ids can be taken on
            stories.insert(0, clients_have_what_is_theirs_alone)
            (store.base / "conf").write_text(
                f"[otpringd]\nask-mode = 0666\n[client web]\nuid = 65534\nrights = ask\ncompanies = {COMPANY}\nchallenges = 3\n"
                "[client other]\nuid = 65533\nrights = ask\ncompanies = Other Co\n[client codes]\nuid = 65532\nrights = verify\n")
            os.chmod(store.base, 0o711)
            os.chmod(store.path, 0o711)
            store.flags += ["--config", str(store.base / "conf")]
        store.start()
        world = World(store)
        for story in stories:
            if wanted and story.__name__ not in wanted:
                continue
            story(world)
            print(f"passed: {story.__name__}", flush=True)
        world.client.close()
        store.stop()


if __name__ == "__main__":
    main()
