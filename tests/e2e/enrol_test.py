#!/usr/bin/env python3
"""Enrolment as users live it, through the programs: the stories of a virtual token, each with the daemon killed after each step.

Devices are tests/python/otpring_device.py (an implementation apart, written from DEVICE.md) and otpring-token.
"""
import base64
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import time

from harness import ACCEPTED, NAMES, PROGRAMS, REJECTED, REPLAYED, RESYNC_VERDICT, Store, count_of, hotp, query

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
try:
    from otpring_device import Device, Refused, b64, random_statement, unb64
except ImportError as error:  # python3-cryptography (tools/packages test)
    print(f"skipped: {error}")
    sys.exit(77)
from otpring_client import ADMIN, AdminClient, AdminError, frame  # noqa: E402

COMPANY = "Demo Co"
LOOKS = ("enrol.status", "device.list", "user.show", "stock.list", "outbox.list")


class Bank:
    """A store with its daemon, a company whose scheme is active, and an auth server's way to the daemon."""

    def __init__(self, store):
        self.store, self.kills = store, 0
        self.deadly = False  # the daemon dies after each step, and a device, which heard nothing, sends its own again
        self.act("company.add", company=COMPANY)
        self.act("company.activate", company=COMPANY, trained="2020-02-29")

    def act(self, name, /, **fields):
        with AdminClient(str(self.store.path / "admin.sock")) as client:
            answer = client.ask(name, **fields)
        if self.deadly and name not in LOOKS:
            self.crash()
        return answer

    def refused(self, code, name, /, **fields):
        try:
            self.act(name, **fields)
        except AdminError as error:
            assert error.code == code, f"{name}: {error}, expected {code}"
            return str(error)
        raise AssertionError(f"{name} was not refused")

    def user(self, name, /, **fields):
        self.act("user.add", company=COMPANY, user=name, name=name.title(), phone="+57 300 1234567", **fields)

    def invite(self, user, **options):
        """Codes of five seconds, so that the stories need not wait long for the next one."""
        return self.act("enrol.invite", company=COMPANY, user=user, period=5, deliver="desk", **options)["activation"]

    def vouch(self, user):
        return self.act("enrol.vouch", company=COMPANY, user=user)["statement"]

    def state(self, user):
        return self.act("enrol.status", company=COMPANY, user=user)["state"]

    def send(self, document):
        if self.deadly:
            self.hand_on(document)
            self.crash()
        return self.hand_on(document)

    def hand_on(self, document):
        with AdminClient(str(self.store.path / "admin.sock")) as client:
            return client.ask_raw({"act": "enrol.device", "document": document})

    def crash(self):
        self.store.kill()
        self.store.start()
        self.kills += 1

    def verify(self, user, code):
        wire = self.store.wire(slots=1, items=1)
        verdict = wire.ask(0, 1, [query(COMPANY, user, int(code))])[0][0]
        wire.close()
        return verdict


def expect(got, wanted, what):
    assert got == wanted, f"{what}: {NAMES[got]}, expected {NAMES[wanted]}"


def enrol(bank, user, device, activation, code="", crash=False):
    """All steps; with `crash` each answer is lost once with the daemon's life, and the same step is sent again."""
    for state in ("presented", "proven", "binding", "bound", "active"):
        given = bank.vouch(user) if state == "proven" else None

        def lossy(document):
            bank.send(document)
            bank.crash()
            return bank.send(document)

        got = device.step(lossy if crash else bank.send, activation, given, code)
        assert got in (state, "final" if state == "active" else state), f"{got}, expected {state}"


def fresh_code(device, used):
    """A code that was not used yet: waits for the next step where it must."""
    while (code := device.code(time.time())) in used:
        time.sleep(0.5)
    used.add(code)
    return code


def unlike_the_phone_s(device, code):
    """An old token's code, once it is by chance none that the phone shows about now."""
    while code in {int(device.code(time.time() + 5 * steps)) for steps in range(-2, 4)}:
        time.sleep(0.5)
    return code


def without_a_token(bank, algorithm, crash):
    user = f"ana-{algorithm}-{crash}"
    bank.user(user)
    device = Device(algorithm, name="Teléfono de Ana", der=crash)
    activation = bank.invite(user)
    assert bank.state(user) == "invited"
    enrol(bank, user, device, activation, crash=crash)
    assert device.store["text"] == "Activación exitosa" and bank.state(user) == "active"
    used = set()
    code = fresh_code(device, used)
    expect(bank.verify(user, code), ACCEPTED, "the new token's first code")
    expect(bank.verify(user, code), REPLAYED, "the same code again")
    devices = bank.act("device.list", company=COMPANY, user=user)["devices"]
    assert [(d["name"], d["algorithm"], d["state"]) for d in devices] == [("Teléfono de Ana", algorithm, "bound")], devices


def by_message(bank):
    """The invitation goes out by SMS, "activation successful" as a push, and the phone number hears of the new device."""
    def messages():
        found = bank.act("outbox.next", limit=64)["messages"]
        for message in found:
            bank.act("outbox.ack", number=message["number"])
        return [(m["kind"], m["channel"], m["to"], m["fields"]) for m in found]

    messages()
    bank.user("marta", language="es")
    answer = bank.act("enrol.invite", company=COMPANY, user="marta", link="https://bank.example/app")
    assert "activation" not in answer, answer
    ((kind, channel, to, fields),) = messages()
    assert (kind, channel, to) == ("invitation", "sms", "+573001234567"), (kind, channel, to)
    assert fields["link"] == "https://bank.example/app#" + fields["code"], fields
    device = Device(name="Teléfono", push="push-service-name")
    for state in ("presented", "proven", "binding"):
        assert device.step(bank.send, fields["link"], bank.vouch("marta") if state == "proven" else None) == state
    assert not messages()
    assert device.step(bank.send) == "bound"
    ((kind, channel, to, fields),) = messages()
    assert (kind, channel, to, fields["device"]) == ("activated", "push", "push-service-name", "Teléfono")
    assert device.step(bank.send) == "active"
    ((kind, channel, to, _),) = messages()
    assert (kind, channel, to) == ("activated", "sms", "+573001234567")


def nothing_before_confirmation(bank):
    user = "early"
    bank.user(user)
    device, activation = Device(), bank.invite(user)
    for state in ("presented", "proven", "binding", "bound"):
        given = bank.vouch(user) if state == "proven" else None
        assert device.step(bank.send, activation, given) == state
        if "seed" in device.store:
            assert bank.verify(user, device.code(time.time())) not in (ACCEPTED, REPLAYED), state
    assert device.step(bank.send) == "active"
    expect(bank.verify(user, device.code(time.time())), ACCEPTED, "after the confirmation")


def with_a_physical_token(bank, crash):
    user = f"luis-{crash}"
    seed = hashlib.sha256(user.encode()).digest()[:20]
    bank.store.add(COMPANY, user, seed)
    bank.user(user)
    device, activation = Device("Ed25519"), bank.invite(user)
    assert device.step(bank.send, activation) == "presented" and device.store["needs"] == ["statement", "code"]
    given = bank.vouch(user)
    for code, verdict in (("", None), ("000000" if hotp(seed, 0) != 0 else "000001", "REJECTED")):
        try:
            device.step(bank.send, None, given, code)
            raise AssertionError("a wrong code was taken")
        except Refused as refused:
            assert refused.code == "ENROL_TOKEN_CODE" and refused.answer.get("verdict") == verdict, refused.answer
    code = str(hotp(seed, 0)).zfill(6)
    document = device.prove(given, code)
    answer = bank.send(document)
    assert answer["ok"] and answer["state"] == "proven", answer
    if crash:
        bank.crash()
    again = bank.send(document)
    assert again == {**answer, "expires_s": again["expires_s"]}, "asked again, answered again"
    expect(bank.verify(user, code), REPLAYED, "the code that proved the token")
    device.store["state"] = "proven"
    old = {str(hotp(seed, counter)).zfill(6) for counter in range(14)}  # a code of the phone that is one of these by chance passes as such
    for state in ("binding", "bound", "active"):
        assert device.step(bank.send) == state
        if state != "active":
            assert bank.verify(user, fresh_code(device, set(old))) != ACCEPTED
    # RESYNC: by chance a far step of the phone.
    assert bank.verify(user, unlike_the_phone_s(device, hotp(seed, 1))) in (REJECTED, RESYNC_VERDICT), "the old token, retired at once"
    expect(bank.verify(user, device.code(time.time())), ACCEPTED, "the new token")
    if crash:
        bank.crash()
    bank.act("enrol.rollback", company=COMPANY, user=user)
    if crash:
        bank.crash()
    expect(bank.verify(user, hotp(seed, 1)), ACCEPTED, "the old token after the roll-back, where it stood")
    assert bank.verify(user, fresh_code(device, old | {device.code(time.time())})) != ACCEPTED, "the new token after the roll-back"
    assert bank.refused("RULE", "enrol.rollback", company=COMPANY, user=user)


def code_kept_through_a_crash(bank, delay_s):
    """The daemon dies somewhere between noting, verifying and proving: the same code again is not REPLAYED, and consumed once."""
    user = f"mid-{delay_s}"
    seed = hashlib.sha256(user.encode()).digest()[:20]
    bank.store.add(COMPANY, user, seed)
    bank.user(user)
    device = Device()
    assert device.step(bank.send, bank.invite(user)) == "presented"
    given, code = bank.vouch(user), str(hotp(seed, 0)).zfill(6)
    with AdminClient(str(bank.store.path / "admin.sock")) as client:
        request = {"act": "enrol.device", "document": device.prove(given, code)}
        client.connection.send(frame(ADMIN, json.dumps(request).encode(), tag=1))
        time.sleep(delay_s)
        bank.crash()
    assert device.step(bank.send, None, given, code) == "proven"
    expect(bank.verify(user, code), REPLAYED, "the code that proved the token")


def overlap(bank):
    user = f"overlap-{bank.deadly}"
    seed = hashlib.sha256(user.encode()).digest()[:20]
    bank.store.add(COMPANY, user, seed)
    bank.user(user)
    device, activation = Device(), bank.invite(user, overlap="first-use")
    enrol(bank, user, device, activation, str(hotp(seed, 0)).zfill(6))
    expect(bank.verify(user, hotp(seed, 1)), ACCEPTED, "the old token before the first use of the new")
    expect(bank.verify(user, device.code(time.time())), ACCEPTED, "the new token")
    counter, verdict = 2, ACCEPTED
    while verdict == ACCEPTED and counter < 60:  # within a second or two; far more before this gives up
        time.sleep(0.5)
        verdict, counter = bank.verify(user, hotp(seed, counter)), counter + 1
    assert verdict in (REJECTED, RESYNC_VERDICT), f"the old token after the first use of the new: {NAMES[verdict]}"


def lost_phone(bank):
    user = f"lost-{bank.deadly}"
    bank.user(user)
    first, used = Device(name="First phone"), set()
    enrol(bank, user, first, bank.invite(user))
    expect(bank.verify(user, fresh_code(first, used)), ACCEPTED, "before it was lost")
    bank.refused("RULE", "enrol.invite", company=COMPANY, user=user)
    number = bank.act("device.list", company=COMPANY, user=user)["devices"][0]["device"]
    bank.act("device.unbind", device=number)
    bank.refused("STORE_NOT_FOUND", "device.unbind", device=number)
    second = Device(name="Second phone")
    activation = bank.invite(user)
    enrol(bank, user, second, activation)
    assert bank.verify(user, fresh_code(first, used)) not in (ACCEPTED, REPLAYED), "the lost phone"
    expect(bank.verify(user, second.code(time.time())), ACCEPTED, "the second phone")
    assert first.store["seed"] != second.store["seed"], "one seed never twice"
    devices = bank.act("device.list", company=COMPANY, user=user)["devices"]
    assert [d["state"] for d in devices] == ["unbound", "bound"], devices


def returned_token(bank):
    """A physical token comes back once its user has a phone instead: another user gets it, and none of its used codes."""
    first, second, serial = f"returns-{bank.deadly}", f"receives-{bank.deadly}", f"P-{bank.deadly}"
    seed = hashlib.sha256(serial.encode()).digest()[:20]
    for user in (first, second):
        bank.user(user)
    bank.act("user.set", company=COMPANY, user=first, administrator=True)
    bank.act("stock.add", serial=serial, secret=base64.b32encode(seed).decode(), type="hotp")
    bank.act("stock.give", company=COMPANY, serial=serial)
    bank.act("stock.assign", company=COMPANY, user=first, serial=serial)
    expect(bank.verify(first, hotp(seed, 0)), ACCEPTED, "the physical token")
    device = Device()
    enrol(bank, first, device, bank.invite(first, rollback_hours=0), str(hotp(seed, 1)).zfill(6))
    while bank.state(first) != "final":
        time.sleep(0.2)
    assert bank.verify(first, unlike_the_phone_s(device, hotp(seed, 2))) not in (ACCEPTED, REPLAYED), "the token that was replaced"
    bank.act("stock.take", serial=serial)
    bank.refused("RULE", "stock.take", serial=serial)
    bank.act("user.set", company=COMPANY, user=first, administrator=False)
    bank.act("user.set", company=COMPANY, user=second, administrator=True)
    bank.act("stock.assign", company=COMPANY, user=second, serial=serial)
    for counter in (0, 1):
        assert bank.verify(second, hotp(seed, counter)) != ACCEPTED, "codes that the first user has used"
    expect(bank.verify(second, hotp(seed, 2)), ACCEPTED, "the next one")
    expect(bank.verify(first, device.code(time.time())), ACCEPTED, "the phone")
    bank.act("user.set", company=COMPANY, user=second, administrator=False)


def leaving_with_a_phone(bank):
    """An employee goes: the phone accepts nothing, is unbound, and what is known of the person is destroyed."""
    user = f"goes-{bank.deadly}"
    bank.user(user)
    device, used = Device(name="Private phone"), set()
    enrol(bank, user, device, bank.invite(user))
    expect(bank.verify(user, fresh_code(device, used)), ACCEPTED, "at work")
    bank.act("user.deactivate", company=COMPANY, user=user)
    assert bank.verify(user, fresh_code(device, used)) not in (ACCEPTED, REPLAYED), "after leaving"
    bank.refused("RULE", "user.erase", company=COMPANY, user=user)
    bank.act("device.unbind", device=bank.act("device.list", company=COMPANY, user=user)["devices"][0]["device"])
    bank.act("user.erase", company=COMPANY, user=user)
    known = bank.act("user.show", company=COMPANY, user=user)["user"]
    assert (known["state"], known["name"], known["phone"], known["code"]) == ("erased", "", "", "required"), known
    (gone,) = bank.act("device.list", company=COMPANY, user=user)["devices"]
    assert (gone["state"], gone["name"]) == ("unbound", ""), gone


def leaving(bank):
    user = f"leaving-{bank.deadly}"
    bank.user(user)
    device, activation = Device(), bank.invite(user)
    assert device.step(bank.send, activation) == "presented"
    bank.act("user.deactivate", company=COMPANY, user=user)
    assert bank.state(user) == "cancelled"
    bank.refused("RULE", "enrol.vouch", company=COMPANY, user=user)
    refused(bank, device.prove(random_statement()), "ENROL_OVER")
    bank.refused("RULE", "enrol.cancel", company=COMPANY, user=user)
    bank.refused("RULE", "enrol.invite", company=COMPANY, user=user)


def refused(bank, document, code):
    answer = bank.send(document)
    assert not answer["ok"] and answer["code"] == code, f"{document.get('step')}: {answer}, expected {code}"


def wrong_ways(bank):
    bank.act("company.add", company="Waiting Co")
    bank.act("user.add", company="Waiting Co", user="eva", phone="+573001234567")
    bank.refused("RULE", "enrol.invite", company="Waiting Co", user="eva")
    bank.act("user.add", company=COMPANY, user="nophone")
    assert "phone number" in bank.refused("RULE", "enrol.invite", company=COMPANY, user="nophone")
    for user in ("eva", "other"):
        bank.user(user)
    device, thief, activation = Device(), Device(), bank.invite("eva")
    good = device.present(activation)
    for field, value, code in (("signature", b64(bytes(64)), "ENROL_SIGNATURE"), ("name", "Other", "ENROL_SIGNATURE"),
                               ("sign_key", good["seal_key"], "BAD_DEVICE_KEY"), ("seal_key", b64(b"\4" + bytes(64)), "BAD_DEVICE_KEY"),
                               ("algorithm", "RS256", "BAD_JSON"), ("more", 1, "BAD_JSON"), ("v", 2, "BAD_JSON"), ("step", "no", "BAD_JSON"),
                               ("activation", "ABCD", "ENROL_CODE")):
        refused(bank, {**good, field: value}, code)
    assert bank.act("enrol.status", company=COMPANY, user="eva")["tries"] == 5, "none of these was a try"
    assert device.step(bank.send, activation) == "presented"
    refused(bank, thief.present(activation), "ENROL_CODE")  # the right code from another device
    thief.store["enrolment"] = device.store["enrolment"]
    given, other = bank.vouch("eva"), Device()
    refused(bank, thief.prove(given), "ENROL_SIGNATURE")
    refused(bank, thief.bind(), "ENROL_SIGNATURE")
    refused(bank, device.bind(), "RULE")
    refused(bank, device.prove(random_statement()), "ENROL_STATEMENT")
    assert other.step(bank.send, bank.invite("other")) == "presented"
    refused(bank, other.prove(given), "ENROL_STATEMENT")  # another account's
    assert device.step(bank.send, None, given) == "proven"
    other.store["enrolment"], enrolment = os.urandom(16), other.store["enrolment"]
    refused(bank, other.bind(), "ENROL_UNKNOWN")
    other.store["enrolment"] = enrolment
    assert device.step(bank.send) == "binding"
    seed, device.store["seed"] = device.store["seed"], bytes(20)
    refused(bank, device.stored(), "ENROL_SEED")
    device.store["seed"] = seed
    assert device.step(bank.send) == "bound"
    device.store["nonce"] = bytes(16)
    refused(bank, device.confirm(), "ENROL_SIGNATURE")
    assert device.step(bank.send) == "active"


def tries_run_out(bank):
    bank.user("guess")
    activation = bank.invite("guess")
    last = activation[-1]
    for i in range(5):
        wrong = activation[:-1] + "0123456789"[(i + (last == str(i))) % 10 + (last == str(i))]
        refused(bank, Device().present(wrong), "ENROL_CODE")
    refused(bank, Device().present(activation), "ENROL_CODE")
    assert bank.state("guess") == "expired"
    device = Device()
    enrol(bank, "guess", device, bank.invite("guess"))


def change_of_administrator(bank):
    """The administrator of a company invites; another takes the place; the old one may no more."""
    for user in ("carla", "diego", "nina"):
        bank.user(user)
    root = bank.act("operator.add", name="root", may="companies,users,tokens,operators,read,stock,engine,confirm")
    by_root = {"operator": "root", "key": root["key"]}
    bank.act("user.set", company=COMPANY, user="carla", administrator=True, **by_root)
    carla = bank.act("operator.add", name="carla", company=COMPANY, user="carla", **by_root)
    by_carla = {"operator": "carla", "key": carla["key"]}
    bank.refused("OPERATOR", "enrol.invite", company=COMPANY, user="nina")
    activation = bank.act("enrol.invite", company=COMPANY, user="nina", deliver="desk", **by_carla)["activation"]
    bank.refused("STORE_NOT_FOUND", "enrol.invite", company="Waiting Co", user="eva", **by_carla)
    device = Device()
    enrol(bank, "nina", device, activation)
    bank.act("user.set", company=COMPANY, user="diego", administrator=True, **by_root)
    diego = bank.act("operator.add", name="diego", company=COMPANY, user="diego", **by_root)
    bank.act("operator.grant", name="carla", state="disabled", **by_root)
    bank.refused("OPERATOR", "enrol.rollback", company=COMPANY, user="nina", **by_carla)
    number = bank.act("device.list", company=COMPANY, user="nina", **by_root)["devices"][0]["device"]
    bank.act("device.unbind", device=number, operator="diego", key=diego["key"])
    assert bank.verify("nina", device.code(time.time())) != ACCEPTED


def virtual_token(bank):
    """otpring-token goes the whole way, killed daemons and all, and shows codes that pass."""
    store = bank.store
    passphrase, file = store.base / "passphrase", store.base / "token"
    passphrase.write_text("correct horse battery staple\n")

    def token(*words, status=0, text=None):
        done = subprocess.run([str(PROGRAMS / "otpring-token"), "--file", str(file), "--passphrase-file", str(passphrase), *words],
                              input=text, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == status, f"otpring-token {words}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    socket = ("--socket", str(store.path / "admin.sock"))
    for algorithm, user in (("ES256", "tess"), ("Ed25519", "tom")):
        bank.user(user)
        printed = store.tool("enrol", "invite", "--company", COMPANY, "--user", user, "--deliver", "desk", "--json")
        activation = json.loads(printed)["activation"]
        token("enrol", *socket, "--algorithm", algorithm, "--activation", activation, status=1)  # no statement yet
        store.kill()
        token("enrol", *socket, "--vouch", status=3)
        store.start()
        done = json.loads(token("enrol", *socket, "--vouch", "--json"))
        assert done["state"] == "active", done
        code = json.loads(token("code", str(done["account"]), "--json"))["code"]
        expect(bank.verify(user, code), ACCEPTED, "otpring-token's code")
    assert [a["state"] for a in json.loads(token("list", "--json"))] == ["active", "active"]
    assert (file.stat().st_mode & 0o777) == 0o600 and b"tess" not in file.read_bytes()
    token("remove", "1")
    assert len(json.loads(token("list", "--json"))) == 1
    passphrase.write_text("wrong\n")
    token("list", status=1)
    passphrase.write_text("correct horse battery staple\n")
    # By hand: documents out, answers in, a line each.
    bank.user("tina")
    activation = bank.invite("tina")
    with subprocess.Popen([str(PROGRAMS / "otpring-token"), "--file", str(file), "--passphrase-file", str(passphrase), "enrol",
                           "--activation", activation, "--statement", random_statement()], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True) as child:
        answer = bank.send(json.loads(child.stdout.readline()))
        assert answer["ok"] and answer["state"] == "presented", answer
        child.stdin.write(json.dumps(answer) + "\n")
        child.stdin.flush()
        assert json.loads(child.stdout.readline())["step"] == "prove"
        child.stdin.close()
        assert child.wait() == 3


def as_user(uid, path, request):
    """One request to admin.sock by another user of the machine; the answer, or None where the daemon does not serve them."""
    script = ("import json, os, sys; sys.path.insert(0, sys.argv[2]); from otpring_client import AdminClient;"
              "os.setgroups([]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1]));"
              "print(json.dumps(AdminClient(sys.argv[3]).ask_raw(json.loads(sys.argv[4]))))")
    python = pathlib.Path(__file__).resolve().parents[1] / "python"
    done = subprocess.run([sys.executable, "-c", script, str(uid), str(python), str(path), json.dumps(request)], capture_output=True,
                          text=True, timeout=60, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else None


def auth_server_of_another_user(bank):
    """A client with the right `enrol` is served the two acts of enrolment, for its companies; nobody else is served anything."""
    store, socket = bank.store, bank.store.path / "admin.sock"
    if os.geteuid() != 0:
        print("skipped: auth servers of other users: not root")
        return
    config = store.base / "otpringd.conf"
    config.write_text(f"[otpringd]\nadmin-mode = 0666\n[client web]\nuid = 34567\nrights = enrol\ncompanies = {COMPANY}\n"
                      "[client codes]\nuid = 34568\nrights = verify\n")
    for folder in (store.base, store.path):
        folder.chmod(0o755)
    store.stop()
    store.start("--config", str(config))
    bank.act("company.activate", company="Waiting Co", trained="2020-02-29")
    bank.user("web")
    device, activation = Device(), bank.invite("web")
    elsewhere, other = Device(), bank.act("enrol.invite", company="Waiting Co", user="eva", deliver="desk")["activation"]

    def ask(uid, act, **fields):
        return as_user(uid, socket, {"act": act, **fields})

    answer = ask(34567, "enrol.device", document=device.present(activation))
    assert answer["ok"], answer
    device.store.update(enrolment=unb64(answer["enrolment"]), state="presented")
    given = ask(34567, "enrol.vouch", company=COMPANY, user="web")["statement"]
    assert ask(34567, "enrol.device", document=device.prove(given))["state"] == "proven"
    assert ask(34567, "enrol.device", document=elsewhere.present(other))["code"] == "ENROL_CODE"
    assert elsewhere.step(bank.send, other) == "presented"
    assert ask(34567, "enrol.device", document=elsewhere.status())["code"] == "ENROL_UNKNOWN"
    assert ask(34567, "enrol.vouch", company="Waiting Co", user="eva")["code"] == "ENROL_UNKNOWN"
    for act in ("status", "token.list", "enrol.invite", "enrol.cancel", "device.list", "backup", "operator.add"):
        assert ask(34567, act)["code"] in ("OS_PERMISSION", "BAD_JSON"), act
    assert ask(34567, "enrol.cancel", company=COMPANY, user="web")["code"] == "OS_PERMISSION"
    assert ask(34568, "enrol.vouch", company=COMPANY, user="web") is None and ask(34569, "status") is None


def witnessed(store):
    """Before the kills, each of which ends a segment of the log: it is kept up to a size."""
    store.stop()
    log = store.tool("show", "--json", program="otpring-log")
    for act in ("enrol.invite", "enrol.present", "enrol.prove", "enrol.bind", "enrol.stored", "enrol.confirm", "enrol.rollback"):
        assert act in log, f"{act} is not in the log"
    store.start()


def main():
    with Store() as store:
        bank = Bank(store.start())
        for algorithm in ("ES256", "Ed25519"):
            without_a_token(bank, algorithm, False)
        without_a_token(bank, "ES256", True)
        by_message(bank)
        nothing_before_confirmation(bank)
        for crash in (False, True):
            with_a_physical_token(bank, crash)
        tries = count_of("OTPRING_ENROL_KILLS", 8)
        for i in range(tries):
            code_kept_through_a_crash(bank, 0.016 * i / tries)
        witnessed(store)
        # With few tries (under a sanitizer) only with the daemon killed on the way: these take all the steps of the others.
        for bank.deadly in (False, True) if tries >= 8 else (True,):
            for story in (overlap, lost_phone, returned_token, leaving_with_a_phone, leaving):
                story(bank)
        bank.deadly = False
        wrong_ways(bank)
        tries_run_out(bank)
        virtual_token(bank)
        auth_server_of_another_user(bank)
        change_of_administrator(bank)
        store.stop()
        print(f"counted: kills={bank.kills}")


if __name__ == "__main__":
    main()
