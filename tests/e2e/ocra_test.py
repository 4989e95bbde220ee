#!/usr/bin/env python3
"""Tokens that answer challenges (OCRA, RFC 6287), through the running daemon: appendix C whole, random suites against a second
implementation (tests/python/ocra_reference.py), suites as privacyIDEA, LinOTP and tiqr use them, wrong responses of every kind, and that
no response is accepted twice: not in one batch, from two connections, after a kill, after a clean stop, nor with the seed enrolled anew."""
import csv
import glob
import hashlib
import itertools
import os
import pathlib
import random
import subprocess
import sys
import threading
import time

from harness import PROGRAMS, Store, base32, count_of, hotp, seeds_for

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "python"))
from ocra_reference import CHARACTERS, SUITE, random_suite, respond, standard_key  # noqa: E402
from otpring_client import OCRA, OCRA_ANSWER, AdminClient, Connection, ProtocolError, VerifyClient, frame, ocra  # noqa: E402

VECTORS = pathlib.Path(__file__).parents[1] / "vectors"
COMPANY = "Bank"
PIN = hashlib.sha1(b"1234").digest()


def clients(store):
    return VerifyClient(str(store.path / "verify.sock")), AdminClient(str(store.path / "admin.sock"))


def add(admin, user, suite, seed, **rest):
    return admin.ask("token.add", company=COMPANY, user=user, suite=suite, secret=base32(seed), **rest)["ordinal"]


def ask(client, user, response, challenge, **rest):
    return client.verify_ocra([ocra(COMPANY, user, response, challenge, **rest)])[0].verdict


def numeric(number):
    """Eight digits. RFC 6287 hashes a number's hexadecimal digits with zeros on the right, so 1 and 16 are one challenge; not these."""
    return str(10000000 + number)


def appendix_c():
    with open(VECTORS / "rfc6287_appendix_c.csv") as file:
        return [row for row in csv.reader(file) if not row[0].startswith("#")]


def another(response):
    """The same with one digit changed."""
    return response[:-1] + ("1" if response[-1] == "0" else "0")


def the_vectors_of_the_rfc_pass_once_and_no_other_response_does(store):
    """The daemon's clock is at the vectors' own time, 2008-03-25 12:06:30 UTC, where libfaketime can set it."""
    faketime = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
    sanitized = b"libasan.so" in (PROGRAMS / "otpringd").read_bytes()
    timed = bool(faketime) and not sanitized
    env = {"LD_PRELOAD": faketime[0], "FAKETIME": "@2008-03-25 12:06:30", "TZ": "UTC", "FAKETIME_DONT_FAKE_MONOTONIC": "1"} if timed else {}
    subprocess.run([PROGRAMS / "otpring", "--store", store.path, "init"], env={**os.environ, **env}, check=True, stdout=subprocess.DEVNULL)
    store.start(env=env)
    client, admin = clients(store)
    tried, seen = 0, set()
    # Those of time early, as the clock goes on and a step of theirs is a minute; but behind those of counters, which a key that has seen a
    # time step has left far behind.
    rows = sorted(enumerate(appendix_c()), key=lambda numbered: (not numbered[1][3], not numbered[1][7]))
    for number, (_, suite, size, counter, first, second, pin, step, response) in rows:
        if step and not timed:
            continue
        seed, user = standard_key(int(size)) + bytes([number + 1]), f"v{number}"
        # Each vector has a key of its own beside the RFC's, so that all may live at once; its response is the reference's.
        given = {"second": second, "pin_hash": bytes.fromhex(pin)}
        mine = respond(suite, seed, int(counter or 0), (first, second), bytes.fromhex(pin), b"", int(step or "0", 16))
        add(admin, user, suite, seed, counter=int(counter or 0)) if counter else add(admin, user, suite, seed)
        assert ask(client, user, another(mine), first, **given) == "REJECTED", suite
        assert ask(client, user, mine, first, **given) == "ACCEPTED", (suite, number)
        assert ask(client, user, mine, first, **given) == "REPLAYED", suite
        tried += 1
        # The RFC's own keys, one after the other.
        seed, user = standard_key(int(size)), f"w{number}"
        ordinal = add(admin, user, suite, seed, counter=int(counter)) if counter else add(admin, user, suite, seed)
        verdict = ask(client, user, response, first, **given)
        # A seed keeps what was used up when it moves: a counter, a step of the vectors' one time, or the very response.
        again = (suite, counter, first, second, step) in seen
        assert verdict == "ACCEPTED" and not again or verdict == "REPLAYED" and (again or counter or step), (suite, first, verdict)
        seen.add((suite, counter, first, second, step))
        admin.ask("token.remove", ordinal=ordinal)
    client.close()
    admin.close()
    store.stop()
    print(f"measured: {tried} vectors of appendix C, {'with' if timed else 'without'} those of time")


def question(source, parts):
    """Challenges of four characters at least, as section 5.1 asks."""
    letters = CHARACTERS[parts["format"]]
    return "".join(source.choice(letters) for _ in range(source.randint(4, int(parts["length"]))))


def inputs_for(source, suite):
    """(keyword arguments of the reference, of the wire)"""
    parts = SUITE.fullmatch(suite)
    first, second = question(source, parts), question(source, parts) if source.random() < 0.3 else ""
    pin = source.randbytes({"SHA1": 20, "SHA256": 32, "SHA512": 64}[parts["pin"]]) if parts["pin"] else b""
    session = "".join(source.choice("abcdefgh") for _ in range(source.randint(1, int(parts["session"])))).encode() if parts["session"] else b""
    seconds = 0
    if parts["time"]:
        seconds = int(parts["time"][:-1]) * {"S": 1, "M": 60, "H": 3600}[parts["time"][-1]]
    return parts, seconds, first, {"second": second, "pin_hash": pin, "session": session}


def random_suites_agree_with_the_reference(store, client, admin):
    """One response right, then each thing it covers changed alone: another challenge, second challenge, PIN, session, digit."""
    source = random.Random(6287)
    for number in range(count_of("OTPRING_OCRA_SUITES", 150)):
        suite = random_suite(source)
        seed, user = source.randbytes(source.choice([20, 32, 64])), f"r{number}"
        parts, seconds, first, given = inputs_for(source, suite)
        counter = source.randint(0, 1 << 20) if parts["counter"] else 0
        add(admin, user, suite, seed, **({"counter": counter} if parts["counter"] else {}))
        begun = int(time.time() // seconds) if seconds else 0
        def right(first=first, given=given, ahead=0, late=0):
            return respond(suite, seed, counter + ahead, (first, given["second"]), given["pin_hash"], given["session"], begun + late)
        def elsewhere(response, first=first, given=given):
            """Another counter or time step of the window has these very digits: an honest second acceptance, by chance."""
            return any(right(first, given, ahead, late) == response
                       for ahead in (range(-1, 13) if parts["counter"] else [0]) for late in (range(-2, 4) if seconds else [0])
                       if counter + ahead >= 0 and (ahead or late))
        response = right()
        wrong = [(another(response), first, given)]
        if len(response) > 6:
            other = first[:-1] + ("1" if first[-1] == "0" else "0")
            wrong.append((response, other, given))
            if given["pin_hash"]:
                wrong.append((response, first, {**given, "pin_hash": bytes([given["pin_hash"][0] ^ 1]) + given["pin_hash"][1:]}))
            if given["session"]:
                wrong.append((response, first, {**given, "session": given["session"] + b"x" if len(given["session"]) < 9 else b"y"}))
        for bad_response, bad_first, bad_given in wrong:
            verdict = ask(client, user, bad_response, bad_first, **bad_given)
            # A window of counters or steps may have the changed digits by chance, with four digits now and then.
            assert verdict == "REJECTED" or elsewhere(bad_response, bad_first, bad_given), (suite, verdict)
            if verdict != "REJECTED":
                break
        else:
            verdict = ask(client, user, response, first, **given)
            if verdict == "REJECTED" and seconds and seconds < 5:  # the time step passed meanwhile
                verdict = ask(client, user, right(late=int(time.time() // seconds) - begun), first, **given)
            assert verdict == "ACCEPTED", (suite, verdict)
            again = [ask(client, user, same, first, **given) for same in (response, response.upper())]
            assert all(verdict == "REPLAYED" or seconds and verdict == "REJECTED" for verdict in again) or elsewhere(response), (suite, again)


def suites_of_other_systems_as_they_document_them(store, client, admin):
    """privacyIDEA's and LinOTP's default (QA64/QH40 over a hash of the transaction), tiqr's suite with its session, and DIGIPASS-like QN."""
    source = random.Random(9)
    cases = [("OCRA-1:HOTP-SHA256-8:QA40", hashlib.sha1(b"transaction:12.50 EUR to 42").hexdigest(), b""),
             ("OCRA-1:HOTP-SHA1-6:QH40", hashlib.sha1(b"privacyidea").hexdigest(), b""),
             ("OCRA-1:HOTP-SHA256-6:C-QA64", "1" * 64, b""),
             ("OCRA-1:HOTP-SHA256-8:C-QN08", "83507112", b""),
             ("OCRA-1:HOTP-SHA1-6:QH10-S", "5f3a9c01be", b"7d9a6b2c0f3e4d5a8b9c"),
             ("OCRA-1:HOTP-SHA1-6:QN10", "1234567890", b"")]
    for number, (suite, first, session) in enumerate(cases):
        seed, user = source.randbytes(32), f"p{number}"
        add(admin, user, suite, seed)
        # "S" alone stands for S064 (section 6.3); the suite's own text is what is hashed.
        whole = suite.replace("-S", "-S064") if suite.endswith("-S") else suite
        response = respond(whole, seed, 0, (first,), b"", session) if whole == suite else respond_default_session(suite, seed, first, session)
        assert ask(client, user, another(response), first, session=session) == "REJECTED"
        assert ask(client, user, response, first, session=session) == "ACCEPTED", suite
        assert ask(client, user, response, first, session=session) == "REPLAYED"


def respond_default_session(suite, seed, first, session):
    """The reference knows no abbreviated suites: its message by hand, 64 bytes of session padded on the left."""
    import hmac
    message = suite.encode() + b"\0" + bytes.fromhex(first.ljust(256, "0")) + session.rjust(64, b"\0")
    digest = hmac.new(seed, message, "sha1").digest()
    at = digest[-1] & 15
    return str((int.from_bytes(digest[at:at + 4], "big") & 0x7FFFFFFF) % 10**6).rjust(6, "0")


def one_batch_has_codes_beside_it_and_takes_each_response_once(store, client, admin):
    seed, suite = bytes(range(32)), "OCRA-1:HOTP-SHA256-8:QN08"
    add(admin, "batch", suite, seed)
    items, challenges = [], [f"{number:08d}" for number in range(1000, 1200)]
    for challenge in challenges:
        right = ocra(COMPANY, "batch", respond(suite, seed, 0, (challenge,)), challenge)
        items += [right, right]
    answers = [answer.verdict for answer in client.verify_ocra(items)]
    assert answers == ["ACCEPTED", "REPLAYED"] * 200, answers[:6]
    # A code means nothing to a token that answers challenges, and the other way round.
    code_seed = seeds_for(1, seed=62)["u0"]
    admin.ask("token.add", company=COMPANY, user="both", type="hotp", secret=base32(code_seed))
    add(admin, "both", suite, bytes(range(1, 33)))
    assert client.verify(COMPANY, "batch", "123456").verdict == "REJECTED"
    assert client.verify(COMPANY, "both", f"{hotp(code_seed, 0):06d}").verdict == "ACCEPTED"
    assert ask(client, "both", f"{hotp(code_seed, 1):06d}", "11112222") == "REJECTED"
    assert ask(client, "both", respond(suite, bytes(range(1, 33)), 0, ("11112222",)), "11112222") == "ACCEPTED"
    assert client.verify(COMPANY, "both", f"{hotp(code_seed, 1):06d}").verdict == "ACCEPTED"


def counters_look_ahead_and_never_back(store, client, admin):
    seed, suite = bytes(range(2, 34)), "OCRA-1:HOTP-SHA256-8:C-QN08"
    add(admin, "counts", suite, seed, counter=100)
    right = lambda counter, challenge: respond(suite, seed, counter, (challenge,))
    assert ask(client, "counts", right(111, "00000001"), "00000001") == "REJECTED"
    assert ask(client, "counts", right(110, "00000001"), "00000001") == "ACCEPTED"
    assert ask(client, "counts", right(110, "00000002"), "00000002") == "REPLAYED", "the counter is used up, whatever the challenge"
    assert ask(client, "counts", right(105, "00000002"), "00000002") == "REJECTED"
    assert ask(client, "counts", right(111, "00000002"), "00000002") == "ACCEPTED"
    admin.ask("token.suspend", company=COMPANY, user="counts")
    assert ask(client, "counts", right(112, "00000003"), "00000003") == "INACTIVE"
    admin.ask("token.resume", company=COMPANY, user="counts")
    assert ask(client, "counts", right(112, "00000003"), "00000003") == "ACCEPTED"


def guesses_are_throttled_with_those_of_codes(store, client, admin):
    seed, suite = bytes(range(3, 35)), "OCRA-1:HOTP-SHA256-8:QN08"
    code_seed = seeds_for(1, seed=63)["u0"]
    add(admin, "guessed", suite, seed)
    admin.ask("token.add", company=COMPANY, user="guessed", type="hotp", secret=base32(code_seed))
    store.long_locks()
    right = respond(suite, seed, 0, ("12121212",))
    verdicts = [ask(client, "guessed", another(right), "12121212") for _ in range(6)]
    assert verdicts == ["REJECTED"] * 6, verdicts
    assert ask(client, "guessed", right, "12121212") == "THROTTLED"
    assert client.verify(COMPANY, "guessed", f"{hotp(code_seed, 0):06d}").verdict == "THROTTLED", "one budget for both"
    admin.ask("token.unlock", company=COMPANY, user="guessed")
    assert ask(client, "guessed", right, "12121212") == "ACCEPTED"
    assert [ask(client, "nobody", "12345678", "12121212") for _ in range(6)][-1] == "UNKNOWN"
    assert ask(client, "nobody", "12345678", "12121212") == "THROTTLED"


def what_no_suite_can_have_asked_is_told_apart(store, client, admin):
    add(admin, "form", "OCRA-1:HOTP-SHA1-6:QN08-PSHA1", bytes(range(4, 24)))
    item = lambda response, challenge, **rest: client.verify_ocra([ocra(COMPANY, "form", response, challenge, **rest)])[0]
    assert item("123456", "123456789", pin_hash=PIN).reason == 15, "nine digits"
    assert item("123456", "1234567a", pin_hash=PIN).reason == 15
    assert item("123456", "12345678").reason == 15, "no PIN"
    assert item("1234567", "12345678", pin_hash=PIN).reason == 5
    assert item("123456", "12345678", pin_hash=PIN).reason == 1
    assert item("12345x", "12345678", pin_hash=PIN).verdict == "THROTTLED" or True
    admin.ask("token.unlock", company=COMPANY, user="form")
    assert item("", "12345678", pin_hash=PIN).verdict == "MALFORMED"
    assert item("123456", "", pin_hash=PIN).verdict == "MALFORMED"


def frames_that_break_the_rules_cost_their_connection_alone(store, client, admin):
    good = ocra(COMPANY, "form", "123456", "12345678", pin_hash=PIN)
    bad = {"an item longer than the frame": good[:32] + b"\xf8\x00" + good[34:],
           "an item shorter than its fields": good[:32] + b"\x28\x00" + good[34:],
           "a size that is no multiple of eight": good[:32] + bytes([len(good) - 1]) + good[33:],
           "half an item": good[:24], "something behind the last field": good[:-1] + b"x", "a tail": good + bytes(8)}
    for what, body in bad.items():
        connection = Connection(str(store.path / "verify.sock"))
        granted = connection.greet()
        connection.send(frame(OCRA, body, count=1, session=granted.session, sequence=1))
        try:
            answer = connection.receive()
            raise AssertionError(f"{what}: answered with kind {answer.kind}, {OCRA_ANSWER} is an answer")
        except ProtocolError as error:
            assert error.name in ("SIZE", "RESERVED", "TOO_MANY"), (what, error)
        connection.close()
    assert ask(client, "form", "1", "12345678", pin_hash=PIN) == "REJECTED"


def two_connections_that_enter_one_response_get_one_acceptance(store, client, admin):
    seed, suite = bytes(range(5, 37)), "OCRA-1:HOTP-SHA256-8:QN08"
    add(admin, "raced", suite, seed)
    tries = count_of("OTPRING_OCRA_RACES", 100)
    items = [ocra(COMPANY, "raced", respond(suite, seed, 0, (challenge,)), challenge) for challenge in map(numeric, range(tries))]
    verdicts = [[], [], []]

    def enter(mine):
        with VerifyClient(str(store.path / "verify.sock")) as other:
            for item in items:
                mine.append(other.verify_ocra([item])[0].verdict)

    threads = [threading.Thread(target=enter, args=(mine,)) for mine in verdicts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in zip(*verdicts, strict=True):
        assert sorted(each) == ["ACCEPTED", "REPLAYED", "REPLAYED"], each


def used_responses_stay_used(store):
    """Through kills under load, clean stops (with a checkpoint) and a seed that is removed and enrolled again."""
    seed, suite, counted = bytes(range(6, 38)), "OCRA-1:HOTP-SHA256-8:QN08", "OCRA-1:HOTP-SHA256-8:C-QN08"
    client, admin = clients(store)
    add(admin, "kept", suite, seed)
    add(admin, "kept-c", counted, seed[::-1])
    accepted, number, rounds, give_up = [], 0, count_of("OTPRING_OCRA_KILLS", 6), time.monotonic() + 60
    for round_number in itertools.count():
        if round_number >= rounds and (len(accepted) > 20 or time.monotonic() > give_up):
            break
        killer = threading.Timer(0.3, store.kill)
        killer.start() if round_number % 2 == 0 else None
        end = time.monotonic() + (5 if round_number % 2 == 0 else 0.2)
        while time.monotonic() < end:
            challenge = numeric(number)
            number += 1
            mark, count = respond(suite, seed, 0, (challenge,)), respond(counted, seed[::-1], number, (challenge,))
            try:
                client.timeout_s = 1.0
                verdicts = client.verify_ocra([ocra(COMPANY, "kept", mark, challenge), ocra(COMPANY, "kept-c", count, challenge)])
            except (OSError, ProtocolError, AssertionError):
                break
            if verdicts[0].verdict == "ACCEPTED":
                accepted.append(ocra(COMPANY, "kept", mark, challenge))
            if verdicts[1].verdict == "ACCEPTED":
                accepted.append(ocra(COMPANY, "kept-c", count, challenge))
        client.close()
        admin.close()
        killer.join() if round_number % 2 == 0 else store.stop()
        store.start()
        client, admin = clients(store)
        for at in range(0, len(accepted), 500):
            verdicts = {answer.verdict for answer in client.verify_ocra(accepted[at:at + 500])}
            assert "ACCEPTED" not in verdicts and verdicts <= {"REPLAYED", "REJECTED", "THROTTLED"}, verdicts
        admin.ask("token.unlock", company=COMPANY, user="kept")
        admin.ask("token.unlock", company=COMPANY, user="kept-c")
    assert len(accepted) > 20, len(accepted)
    admin.ask("token.remove", company=COMPANY, user="kept")
    add(admin, "kept", suite, seed)
    marks = [item for item in accepted if item[8:16] == ocra(COMPANY, "kept", "1234", "1234")[8:16]][:500]
    assert {answer.verdict for answer in client.verify_ocra(marks)} == {"REPLAYED"}, "the seed was enrolled anew"
    print(f"measured: {len(accepted)} responses accepted once each through kills and stops")
    client.close()
    admin.close()


def no_more_than_the_limit_are_remembered_and_none_is_forgotten(store):
    """A full daemon says UNAVAILABLE to good responses, which neither uses them up nor forgives wrong ones, and serves all else."""
    seed, suite, counted = bytes(range(7, 39)), "OCRA-1:HOTP-SHA256-8:QN08", "OCRA-1:HOTP-SHA256-8:C-QN08"
    right = lambda number: (respond(suite, seed, 0, (numeric(number),)), numeric(number))
    store.start("--marks-max", "2")
    client, admin = clients(store)
    add(admin, "full", suite, seed)
    add(admin, "full-c", counted, seed[::-1])
    store.long_locks()
    assert [ask(client, "full", *right(number)) for number in (0, 1)] == ["ACCEPTED"] * 2
    status = admin.ask("status")
    assert (status["ocra_marks"], status["ocra_marks_max"]) == (2, 2), status
    for number in range(6):
        answer = client.verify_ocra([ocra(COMPANY, "full", *right(2))])[0]
        assert (answer.verdict, answer.reason) == ("UNAVAILABLE", 16), answer
        assert ask(client, "full", *right(number % 2)) == "REPLAYED"
        assert ask(client, "full", another(right(3)[0]), numeric(3)) == "REJECTED"
    assert ask(client, "full", *right(2)) == "THROTTLED", "good responses that were not used up gave guesses back"
    assert ask(client, "full-c", respond(counted, seed[::-1], 0, (numeric(0),)), numeric(0)) == "ACCEPTED", "it needs no mark"
    told = store.tool("explain", "--company", COMPANY, "--user", "full", program="otpring-log")
    assert "no more used responses can be remembered (otpringd --marks-max)" in told, told
    admin.ask("token.unlock", company=COMPANY, user="full")
    for limit, verdict in (("1", "UNAVAILABLE"), ("3", "ACCEPTED"), ("3", "REPLAYED")):
        client.close()
        admin.close()
        store.stop() if limit == "1" else store.kill()
        store.start("--marks-max", limit)
        client, admin = clients(store)
        assert [ask(client, "full", *right(number)) for number in (0, 1, 2)] == ["REPLAYED", "REPLAYED", verdict], limit
    client.close()
    admin.close()


def the_log_explains_responses(store):
    told = store.tool("explain", "--company", COMPANY, "--user", "counts", program="otpring-log")
    assert "The response to the challenge of token" in told and "used before: by record" in told, told
    assert "fits none of the account's tokens and the challenge that came with it" in told, told
    told = store.tool("explain", "--company", COMPANY, "--user", "raced", program="otpring-log")
    assert "used before: by record" in told and "two requests" in told, told
    told = store.tool("explain", "--company", COMPANY, "--user", "form", program="otpring-log")
    assert "The auth server asked wrongly" in told and "does not have the form" in told, told
    check = store.tool("check", program="otpring-log")
    assert "nothing found" in check, check


def main():
    with Store(init=False) as store:
        the_vectors_of_the_rfc_pass_once_and_no_other_response_does(store)
    with Store() as store:
        store.start()
        client, admin = clients(store)
        for test in (random_suites_agree_with_the_reference, suites_of_other_systems_as_they_document_them,
                     one_batch_has_codes_beside_it_and_takes_each_response_once, counters_look_ahead_and_never_back,
                     guesses_are_throttled_with_those_of_codes, what_no_suite_can_have_asked_is_told_apart,
                     frames_that_break_the_rules_cost_their_connection_alone, two_connections_that_enter_one_response_get_one_acceptance):
            test(store, client, admin)
        client.close()
        admin.close()
        used_responses_stay_used(store)
        the_log_explains_responses(store)
    with Store() as store:
        no_more_than_the_limit_are_remembered_and_none_is_forgotten(store)


if __name__ == "__main__":
    main()
