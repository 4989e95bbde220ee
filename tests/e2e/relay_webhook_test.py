#!/usr/bin/env python3
"""Messages to a web server: nothing is lost, order is kept, duplicates are marked, whoever dies; and what the relay must not do."""
import json
import random
import shutil
import signal
import subprocess

from harness import PROGRAMS, Closed, count_of, hotp, seeds_for, query, ACCEPTED
from outbox_world import RELAY, World, certificates, check_order, check_signature, free_port, wait_until, what_of

USERS = 12
KILLS = count_of("OTPRING_RELAY_KILLS", 3)


def arrivals_of(world):
    told = []
    for request in world.received():
        check_signature(request)
        what = what_of(json.loads(request["body"])["text"])
        told.append((what.split("-")[0], what, request["headers"]["idempotency-key"], "otpring-redelivery" in request["headers"]))
    return told


def nothing_is_lost_whoever_is_killed():
    """Receiver, relay and daemon are killed in turn under a steady flow, while the receiver also answers 503, 429 and nothing."""
    rng = random.Random(5)
    with World() as world:
        port = free_port()
        world.config(world.webhook(port, timeout_s=2))
        receiver, relay = world.receiver(port, "received", "--faults", 0), world.relay()
        expected = {f"u{i}": [] for i in range(USERS)}
        for kill in range(KILLS):
            arrived = len(world.received())
            for _ in range(40):
                user = f"u{rng.randrange(USERS)}"
                what = f"{user}-{len(expected[user])}"
                world.put(user, what)
                expected[user].append(what)
            wait_until(lambda: len(world.received()) > arrived, "something arrives")
            if kill % 3 == 0:
                receiver.kill()
                receiver = world.receiver(port, "received", "--faults", kill)
            elif kill % 3 == 1:
                relay.kill()
                relay = world.relay()
            else:
                world.store.kill()
                world.store.start()
                world.admin.wire = None
        wait_until(lambda: world.admin.counts()["open"] == 0, "all are delivered", 300)
        assert world.admin.counts()["dead"] == 0
        arrivals = arrivals_of(world)
        twice = check_order(arrivals, expected)
        assert twice > 0, "the faults brought no duplicate: the test tries nothing"
        relay.stop()
        print(f"counted: {sum(map(len, expected.values()))} messages, {len(arrivals)} requests, {twice} of them again, {KILLS} kills")


def what_is_refused_for_good_is_dead_and_can_be_tried_again():
    with World() as world:
        port = free_port()
        world.config(world.webhook(port))
        receiver, relay = world.receiver(port, "received", "--status", 400), world.relay()
        number = world.put("ann", "ann-0")
        wait_until(lambda: world.admin.counts()["dead"] == 1, "it is dead")
        shown = world.store.tool("outbox", "show", str(number), want_json=True)["message"]
        assert shown["reason"] == "HTTP 400" and shown["handed"] == 1, shown
        assert "Ann" not in json.dumps(shown) and "+34" not in json.dumps(shown)
        receiver.kill()
        world.receiver(port)
        assert world.store.tool("outbox", "retry", "--all", want_json=True)["changed"] == 1
        wait_until(lambda: world.admin.counts()["delivered"] == 1, "it is delivered")
        assert world.received()[1]["headers"]["otpring-redelivery"] == "1"
        # The log tells the whole story, and nothing of what was said.
        log = world.store.tool("show", "--json", program="otpring-log")
        names = [json.loads(line).get("name") or json.loads(line).get("change") for line in log.splitlines()]
        told = [name for name in names if name and str(name).startswith("outbox.")]
        assert told == ["outbox.put", "outbox.hand", "outbox.dead", "outbox.retry", "outbox.hand", "outbox.delivered"], told
        assert "ann-0" not in log and "+34600" not in log
        relay.stop()


def redirects_are_not_followed():
    with World() as world:
        port, other = free_port(), free_port()
        world.config(world.webhook(port))
        world.receiver(port, "received", "--status", 307, "--location", f"http://127.0.0.1:{other}/elsewhere")
        world.receiver(other, "elsewhere")
        relay = world.relay()
        number = world.put("ann", "ann-0")
        wait_until(lambda: len(world.received()) >= 2, "it was tried twice")
        assert world.received("elsewhere") == []
        wait_until(lambda: world.admin.ask(act="outbox.show", number=number)["message"].get("reason") == "HTTP 307", "the reason")
        relay.stop()


def only_a_server_that_the_authority_vouches_for_gets_messages():
    with World() as world:
        ca, cert, key = certificates(world.base)
        (world.base / "other").mkdir()
        wrong = certificates(world.base / "other")[0]
        port = free_port()
        world.config(world.webhook(port, f"ca-file = {wrong}", scheme="https"))
        world.receiver(port, "received", "--cert", cert, "--key", key)
        relay = world.relay()
        number = world.put("ann", "ann-0", to="+34 600/../x")
        wait_until(lambda: "certificate" in str(world.admin.ask(act="outbox.show", number=number)["message"].get("reason")), "the refusal")
        assert world.received() == []
        relay.stop()
        world.config(world.webhook(port, f"ca-file = {ca}", "header-X-Tenant = acme", scheme="https"))
        relay = world.relay()
        wait_until(lambda: world.admin.counts()["delivered"] == 1, "it is delivered")
        request = world.received()[0]
        check_signature(request)
        assert request["path"] == "/messages/%2B34%20600%2F..%2Fx", request["path"]
        assert request["headers"]["x-tenant"] == "acme"
        relay.stop()


def texts_are_in_the_readers_language_and_cannot_change_the_body():
    with World() as world:
        port = free_port()
        world.config(world.webhook(port))
        world.receiver(port)
        relay = world.relay()
        odd = 'x","to":"+1 {bank} {{ \\ ñ'
        for user, language in (("ann", "es"), ("bob", "en"), ("eve", "fr")):
            world.put(user, odd, language=language)
        wait_until(lambda: world.admin.counts()["delivered"] == 3, "they are delivered")
        texts = sorted(json.loads(request["body"])["text"] for request in world.received())
        spanish = f"Banco Uno: acceso a {odd} el 14/11/2023 22:13. ¿No ha sido usted? Llame ya al +34 900 1"
        assert texts == sorted([spanish, spanish, f"Banco Uno: access to {odd} on 14 Nov 2023 22:13. Was it not you? Call +34 900 1 at once"]), texts
        for request in world.received():
            body = json.loads(request["body"])
            assert set(body) == {"to", "from", "text", "reference"} and body["to"] == "+34600000001", body
        relay.stop()


def a_token_in_a_file_is_read_for_each_request():
    with World() as world:
        port = free_port()
        world.write("token", "Bearer one\n")
        world.config(world.webhook(port, f"header-file-Authorization = {world.base}/token"))
        world.receiver(port)
        relay = world.relay()
        world.put("ann", "ann-0")
        wait_until(lambda: world.admin.counts()["delivered"] == 1, "the first")
        world.write("token", "Bearer two\n")
        world.put("ann", "ann-1")
        wait_until(lambda: world.admin.counts()["delivered"] == 2, "the second")
        assert [request["headers"]["authorization"] for request in world.received()] == ["Bearer one", "Bearer two"]
        relay.stop()


def verification_goes_on_while_nothing_can_be_delivered():
    """The receiver takes requests and never answers, then the relay itself stands still: codes are judged all the same, and every message is
    still there."""
    seeds = seeds_for(4, seed=3)
    with World() as world:
        port = free_port()
        world.config(world.webhook(port, timeout_s=2))
        for user, seed in seeds.items():
            world.store.add("Bank", user, seed)
        hanging = world.receiver(port, "hanging", "--hang")
        relay = world.relay()
        wire, sequence = world.store.wire(), 0
        for step in range(60):
            world.put(f"w{step % 10}", f"w{step % 10}-{step // 10}")
            if step == 30:
                wait_until(lambda: world.received("hanging"), "requests hang")
                relay.send(signal.SIGSTOP)
            sequence += 1
            items = [query("Bank", user, hotp(seed, step)) for user, seed in seeds.items()]
            assert all(verdict == ACCEPTED for verdict, *_ in wire.ask(0, sequence, items)), step
        assert world.admin.counts()["open"] == 60
        hanging.kill()
        world.receiver(port)
        relay.send(signal.SIGCONT)
        wait_until(lambda: world.admin.counts()["delivered"] == 60, "all are delivered", 300)
        check_order(arrivals_of(world), {f"w{i}": [f"w{i}-{j}" for j in range(6)] for i in range(10)})
        relay.stop()


def a_relay_that_is_stopped_brings_to_an_end_what_is_under_way():
    with World() as world:
        port = free_port()
        world.config(world.webhook(port))
        world.receiver(port)
        relay = world.relay()
        for i in range(50):
            world.put(f"u{i}", f"u{i}-0")
        wait_until(world.received, "the first arrives")
        relay.stop()
        handed = [row for row in world.admin.messages() if row["state"] == "handed"]
        assert handed == [], handed
        told = [request["headers"]["idempotency-key"] for request in world.received()]
        assert len(told) == len(set(told)) == world.admin.counts()["delivered"]
        relay = world.relay()
        wait_until(lambda: world.admin.counts()["delivered"] == 50, "the rest")
        relay.stop()


def a_relay_with_an_operator_of_its_own_needs_no_more_than_its_grant():
    with World() as world:
        port = free_port()
        world.put("ann", "ann-0")
        olga = world.admin.ask(act="operator.add", name="olga", may="all")["key"]
        key = world.admin.ask(act="operator.add", name="relay", may="relay", operator="olga", key=olga)["key"]
        world.write("relay.key", key + "\n")
        world.config(f"operator = relay\noperator-key-file = {world.base}/relay.key\n" + world.webhook(port))
        world.receiver(port)
        relay = world.relay()
        wait_until(lambda: world.admin.ask(act="outbox.show", number=1, operator="olga", key=olga)["message"]["state"] == "delivered", "it is told")
        relay.stop()
        world.config(world.webhook(port))
        relay = world.relay()
        wait_until(lambda: "say which one asks" in relay.text(), "the refusal is logged")
        relay.stop()


def installed_samples_are_good():
    with World() as world:
        for name in ("sms", "fcm", "apns", "mqtt"):
            section = world.webhook(1).replace("bodies/sms.json", f"bodies/{name}.json")
            world.config(section)
            done = subprocess.run([PROGRAMS / "otpring-relay", "--check", "--config", world.base / "relay.conf"], capture_output=True, text=True,
                                  check=False)
            assert done.returncode == 0, done.stderr
        # Where bodies lie is written into the sample when it is installed.
        sample = (RELAY / "otpring-relay.conf.in").read_text()
        assert sample.count("body = @OTPRING_DATA_FOLDER@/bodies/") == 4 and "/usr/" not in sample


def texts_are_found_beside_a_program_that_was_moved():
    """Under its own prefix first; what the configuration names wins. A channel that no way has is told of."""
    with World() as world:
        program = world.base / "moved" / "bin" / "otpring-relay"
        program.parent.mkdir(parents=True)
        shutil.copy(PROGRAMS / "otpring-relay", program)
        texts = world.base / "moved" / "share" / "otpring" / "texts"
        shutil.copytree(RELAY / "texts", texts)
        config = world.config(world.webhook(1))

        def check(status):
            done = subprocess.run([program, "--check", "--config", config], capture_output=True, text=True, check=False)
            assert done.returncode == status, done
            return done.stdout + done.stderr

        named = config.read_text()
        world.write("relay.conf", named.replace(f"texts = {RELAY}/texts\n", ""), 0o600)
        told = check(0)
        assert "good" in told and "no way has the channel push" in told and "channel sms" not in told, told
        (texts / "es" / "invitation.txt").unlink()
        assert f"{texts}/es/invitation.txt: No such file" in check(2)
        world.write("relay.conf", named.replace("channels = sms", "channels = push"), 0o600)
        told = check(0)
        assert "no way has the channel sms" in told and "channel push" not in told, told
        world.write("relay.conf", named.replace("channels = sms", "channels = sms,push"), 0o600)
        assert check(0) == "good\n"


nothing_is_lost_whoever_is_killed()
what_is_refused_for_good_is_dead_and_can_be_tried_again()
redirects_are_not_followed()
only_a_server_that_the_authority_vouches_for_gets_messages()
texts_are_in_the_readers_language_and_cannot_change_the_body()
a_token_in_a_file_is_read_for_each_request()
verification_goes_on_while_nothing_can_be_delivered()
a_relay_that_is_stopped_brings_to_an_end_what_is_under_way()
a_relay_with_an_operator_of_its_own_needs_no_more_than_its_grant()
installed_samples_are_good()
texts_are_found_beside_a_program_that_was_moved()
