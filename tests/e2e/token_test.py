#!/usr/bin/env python3
"""otpring-token as its user lives it: enrolled off a QR code, asked by push over a mosquitto broker that is killed in between, by QR codes
on paper and on the screen's picture, online and offline; OCRA by hand; several accounts carried to another machine; and the terminal
screen, in tmux."""
import base64
import hashlib
import json
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import time

from enrol_test import COMPANY, Bank
from harness import ACCEPTED, PROGRAMS, Store, base32, hotp
from outbox_world import free_port, wait_until
from question_world import LOGIN, PAYMENT, World, code_of

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
from ocra_reference import respond  # noqa: E402
from otpring_device import random_statement  # noqa: E402

NEEDED = ("qrencode", "mosquitto", "mosquitto_pub", "tmux")
OCRA_SEED = bytes(range(20))
IVO_SEED = bytes(range(60, 80))


class Token:
    """The program, with its file and passphrase."""

    def __init__(self, folder, socket=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True)
        (self.folder / "pass").write_text("a passphrase\n")
        self.socket = socket

    def words(self, *words):
        return [str(PROGRAMS / "otpring-token"), "--file", str(self.folder / "accounts"), "--passphrase-file", str(self.folder / "pass"),
                *(("--socket", str(self.socket)) if self.socket else ()), *map(str, words)]

    def run(self, *words, status=0, text=None):
        done = subprocess.run(self.words(*words), input=text, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == status, f"{words}: exit {done.returncode}, expected {status}\n{done.stdout}{done.stderr}"
        return done.stdout if status == 0 else done.stderr

    def json(self, *words, **more):
        return [json.loads(line) for line in self.run("--json", *words, **more).splitlines()]


def picture(folder, text, name="code.png"):
    """A QR code as a camera's picture would have it; any program's will do."""
    path = pathlib.Path(folder) / name
    subprocess.run(["qrencode", "-o", path, "-s", "4", "-m", "4", text], check=True)
    return path


def enrolled(world, folder, user, **options):
    """By the link in a QR code, with an account's own name for pushes."""
    world.user(user)
    token = Token(folder, world.store.path / "admin.sock")
    link = "https://bank.example/enrol#" + world.invite(user)
    words = [word for pair in options.items() for word in (f"--{pair[0]}", pair[1])]
    told = token.json("enrol", "--vouch", "--qr", picture(token.folder, link), *words)[-1]
    assert told["state"] == "active", told
    token.socket = world.store.path / "ask.sock"
    return token


def pushed_and_polled(world, folder):
    token = enrolled(world, folder / "ana", "ana", push="ana's phone")
    assert world.verify("ana", token.json("code")[0]["code"]) == ACCEPTED
    assert token.run("questions") == "Nothing is asked.\n"
    asked = world.asked("ana")
    (question,) = token.json("questions")
    assert question["challenge"] == asked["challenge"] and question["text"] == LOGIN["text"] and question["match"]
    told = token.run("questions")
    assert LOGIN["text"] in told and "asks for the number" in told
    assert "--number" in token.run("answer", "--approve", "--", asked["challenge"], status=2)
    assert "--approve or --refuse" in token.run("answer", "--", asked["challenge"], status=2)
    assert token.json("answer", "--approve", "--number", asked["number"])[0]["state"] == "approved", "the only one need not be named"
    assert world.what_became(asked["challenge"])["state"] == "approved"
    assert "no such question" in token.run("answer", "--approve", "--number", "10", "--", asked["challenge"], status=1)


def an_enrolment_goes_on_by_the_same_command(world, folder):
    """Stopped for want of a code, it goes on by the same command and that code, by the code of the invitation or by --account."""
    world.user("ivo")
    world.act("user.set", company=COMPANY, user="ivo", administrator=True)
    world.act("stock.add", serial="P-ivo", secret=base32(IVO_SEED), type="hotp")
    world.act("stock.give", company=COMPANY, serial="P-ivo")
    world.act("stock.assign", company=COMPANY, user="ivo", serial="P-ivo")
    assert world.verify("ivo", f"{hotp(IVO_SEED, 0):06d}") == ACCEPTED
    second = Token(folder / "ivo", world.store.path / "admin.sock")
    link = "https://bank.example/enrol#" + (activation := world.invite("ivo"))
    code = picture(second.folder, link + "\n")
    assert "go on with --code" in second.run("enrol", "--vouch", "--qr", code, status=1)
    # A mistyped activation code leaves no account, and says which one is under way.
    mistyped = activation[:-1] + ("2" if activation[-1] != "2" else "3")
    told = second.run("enrol", "--vouch", "--activation", mistyped, status=1)
    assert "ENROL_CODE" in told and "under way: account 1;" in told, told
    assert [account["account"] for account in second.json("list")[0]] == [1]
    assert "another activation code" in second.run("enrol", "--account", "1", "--activation", mistyped, status=2)
    assert "no account 7" in second.run("enrol", "--account", "7", status=1)
    shown = f"{hotp(IVO_SEED, 1):06d}"
    assert "go on with --statement" in second.run("enrol", "--qr", code, "--code", shown, status=1)
    told = second.json("enrol", "--vouch", "--qr", code, "--code", shown)[-1]
    assert told["account"] == 1 and told["state"] == "active", told
    assert "enrolment is over" in second.run("enrol", "--account", "1", status=2)
    # Two under way: which one, is asked.
    for user in ("kim", "lou"):
        world.user(user)
        assert "--statement" in second.run("enrol", "--activation", world.invite(user), status=1)
    told = second.run("enrol", "--vouch", status=2)
    assert "accounts 2, 3: give --account" in told, told
    assert second.json("enrol", "--vouch", "--account", "3")[-1]["account"] == 3
    assert second.json("enrol", "--vouch")[-1]["account"] == 2, "the only one is not asked for"
    world.user("max")
    assert "--statement" in second.run("enrol", "--activation", world.invite("max"), status=1)
    told = world.refused("RULE", "enrol.invite", company=COMPANY, user="max")
    assert "in the state presented (it is one of: none, invited, " in told and "; first: enrol.cancel)" in told, told
    world.act("enrol.cancel", company=COMPANY, user="max")
    told = second.run("enrol", "--statement", random_statement(), status=1)
    assert "ENROL_OVER" in told and "remove 4" in told, told
    second.run("remove", "4")


def an_unbound_account_does_not_stand_in_the_way(world, folder):
    """The bank took one account's enrolment back: the others are asked all the same, and its codes are shown no more."""
    token = enrolled(world, folder / "nil", "nil")
    world.user("noa")
    token.socket = world.store.path / "admin.sock"
    token.run("enrol", "--vouch", "--activation", world.invite("noa"))
    token.socket = world.store.path / "ask.sock"
    told = token.run("enrol", "--activation", "ABCD-EFGH-JKMN-PQRS", status=3)
    assert "is " + str(token.socket) + " its admin.sock?" in told, told
    token.run("remove", "3")
    assert "its ask.sock?" in Token(folder / "nil", world.store.path / "admin.sock").run("questions", status=3)
    world.act("enrol.rollback", company=COMPANY, user="nil")
    asked = world.asked("noa")
    done = subprocess.run(token.words("answer", "--approve", "--number", asked["number"]), capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout == "approved\n" and "account 1: DEVICE_UNKNOWN" in done.stderr, done
    assert [account["state"] for account in token.json("list")[0]] == ["unbound", "active"]
    assert token.run("questions") == "Nothing is asked.\n", "the unbound one is passed over"
    told = token.run("code", "1", status=1)
    assert "account 1 is unbound" in told and "remove 1" in told, told
    assert "account 1: DEVICE_UNKNOWN" in token.run("questions", "1", status=1), "it can be asked for by its number"
    world.act("enrol.rollback", company=COMPANY, user="noa")
    assert "account 2: DEVICE_UNKNOWN" in token.run("questions", status=1)
    assert "is unbound" in token.run("code", status=1)


def invited_at_the_desk(world, folder):
    """The picture that the invitation was written to is read by the program that enrols; so is one of the link given."""
    world.user("zoe")
    token = Token(folder / "zoe", world.store.path / "admin.sock")
    invite = ("enrol", "invite", "--company", COMPANY, "--user", "zoe", "--deliver", "desk")
    told = world.store.tool(*invite)
    code = told.split("shown this once: ")[1].splitlines()[0]
    assert f"The same as a link: otpring://enrol#{code}\n" in told, told
    invited = token.folder / "invited.png"
    answer = world.store.tool(*invite, "--link", "https://bank.example/app", "--qr-file", str(invited), want_json=True)
    assert answer["link"] == "https://bank.example/app#" + answer["activation"], answer
    assert invited.stat().st_mode & 0o777 == 0o600
    world.store.tool(*invite, "--qr-file", str(invited), status=2)
    assert "█" in world.store.tool(*invite, "--qr"), "on the terminal too"
    invited.unlink()
    world.store.tool(*invite, "--qr-file", str(invited))
    assert token.json("enrol", "--vouch", "--qr", invited)[-1]["state"] == "active"


def refused_and_guessed(world, folder):
    token = enrolled(world, folder / "eva", "eva", algorithm="Ed25519")
    asked = world.asked("eva")
    wrong = (asked["number"] - 9) % 90 + 10
    token.run("answer", "--approve", "--number", wrong, "--", asked["challenge"], status=1)
    assert world.what_became(asked["challenge"])["reason"] == "wrong-number"
    other = enrolled(world, folder / "leo", "leo")
    asked = world.asked("leo")
    assert other.json("answer", "--refuse", "not-me", "--", asked["challenge"])[0]["state"] == "refused not-me"
    (alarm,) = [record for record in world.records("challenge.alarm") if record.get("user") == "leo"]
    assert alarm


def scanned(world, folder):
    """A payment off a QR code: every field is shown; approved online. A login without a user name. A response typed, offline."""
    token = enrolled(world, folder / "pia", "pia")
    asked = world.asked("pia", channel="qr", **PAYMENT)
    path = picture(token.folder, asked["uri"])
    (question,) = token.json("scan", path)
    assert {name: question[name] for name in PAYMENT} == PAYMENT
    assert all(PAYMENT[name] in token.run("scan", path) for name in ("amount", "payee", "reference", "text"))
    assert token.json("scan", path, "--approve")[0]["state"] == "approved"
    assert "QUESTION_OVER" in token.run("scan", path, "--refuse", "not-wanted", status=1)

    anybody = world.asked(channel="qr", session="browser-7")
    # The screen's picture, read from standard input: the code stands somewhere in it.
    piped = picture(token.folder, anybody["uri"], "screen.png").read_bytes()
    done = subprocess.run(token.words("scan", "-", "--approve"), input=piped, capture_output=True, check=True)
    assert done.stdout == b"approved\n", done
    assert world.what_became(anybody["challenge"], session="browser-7")["user"] == "pia"

    asked = world.asked("pia", channel="qr", session="offline")
    away = Token(folder / "pia")  # no way to the bank
    assert "goes with --approve" in away.run("scan", "--uri-file", "-", "--offline", text=asked["uri"], status=2)
    (told,) = away.json("scan", "--uri-file", "-", "--offline", "--approve", text=asked["uri"])
    assert code_of(world.client.one("typed", challenge=asked["challenge"], session="another", response=told["response"])) == "QUESTION_UNKNOWN"
    assert world.client.one("typed", challenge=asked["challenge"], session="offline", response=told["response"])["state"] == "approved"


def what_no_bank_of_ours_signed_is_not_shown(world, folder):
    token = Token(folder / "pia", world.store.path / "ask.sock")
    asked = world.asked("pia", channel="qr", session="forged")
    letters = asked["uri"]
    forged = letters[:60] + ("A" if letters[60] != "A" else "B") + letters[61:]
    told = token.run("scan", picture(token.folder, forged), status=1)
    assert LOGIN["text"] not in told, told
    for other, hint in (("otpauth://totp/a?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "add --qr"), ("https://x/#ABCD-EFGH-JKMN-PQRS", "enrol --qr"),
                        ("hello", "no question")):
        assert hint in token.run("scan", picture(token.folder, other), status=1)
    (token.folder / "noise.png").write_bytes(b"\x89PNG\r\n\x1a\nnot a picture")
    token.run("scan", token.folder / "noise.png", status=1)
    world.client.one("cancel", challenge=asked["challenge"], session="forged")


def listening_over_a_broker_that_is_killed(world, folder):
    """The broker dies and comes back between two pushes; what was asked meanwhile is found."""
    token = enrolled(world, folder / "mia", "mia", push="mia")
    port = free_port()
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")

    def broker():
        return subprocess.Popen(["mosquitto", "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def push(kind="question", text="Le preguntan algo"):
        message = json.dumps({"kind": kind, "text": text, "fields": {}})
        return subprocess.run(["mosquitto_pub", "-p", str(port), "-q", "1", "-t", "otpring/mia", "-m", message], capture_output=True,
                              check=False).returncode == 0

    process, lines = broker(), []
    listener = subprocess.Popen(token.words("listen", "--mqtt", f"localhost:{port}", "--topic", "otpring/mia", "--json"),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: push("access-alert", "Entraron en su cuenta"), "the broker takes pushes", 20)
        # The first one may have come before the listener subscribed.
        alert = wait_for_line(listener, lines, lambda line: line.get("message") == "access-alert", lambda: push("access-alert", "Entraron en su cuenta"))
        assert alert["text"] == "Entraron en su cuenta"
        asked = world.asked("mia")
        question = wait_for_line(listener, lines, lambda line: line.get("challenge") == asked["challenge"], push)
        assert question["text"] == LOGIN["text"]
        token.run("answer", "--approve", "--number", asked["number"], "--", asked["challenge"])
        process.send_signal(signal.SIGKILL)
        process.wait()
        asked = world.asked("mia")
        process = broker()
        wait_for_line(listener, lines, lambda line: line.get("challenge") == asked["challenge"], None)
        token.run("answer", "--refuse", "not-wanted", "--", asked["challenge"])
    finally:
        listener.send_signal(signal.SIGTERM)
        assert listener.wait(30) == 0, listener.stderr.read()
        process.kill()
        process.wait()


def wait_for_line(listener, lines, fits, again, wait_s=30):
    """The next line that fits; `again` is done each second until then."""
    end = time.monotonic() + wait_s
    while time.monotonic() < end:
        if select.select([listener.stdout], [], [], 1)[0]:
            line = listener.stdout.readline()
            assert line, listener.stderr.read()
            lines.append(json.loads(line))
            if fits(lines[-1]):
                return lines[-1]
        elif again:
            again()
    raise AssertionError(f"it did not come: {lines}")


def by_hand(store, folder):
    """OCRA and HOTP tokens that were added; the daemon takes what they show, once."""
    token = Token(folder / "hand")
    suite, counted = "OCRA-1:HOTP-SHA1-6:QN08", "OCRA-1:HOTP-SHA1-6:C-QN08-PSHA1"
    token.run("add", "--suite", suite, "--secret-file", "-", "--company", COMPANY, "--user", "hand", text=base32(OCRA_SEED))
    store.tool("token", "add", "--company", COMPANY, "--user", "hand", "--suite", suite, "--secret-file", "-", text=base32(OCRA_SEED))
    (told,) = token.json("ocra", "--challenge", "13572468")
    assert told["response"] == respond(suite, OCRA_SEED, 0, ("13572468",))
    verify = ("verify", "--company", COMPANY, "--user", "hand", "--challenge", "13572468")
    assert store.tool(*verify, told["response"]) == "ACCEPTED\n"
    assert store.tool(*verify, told["response"], status=1) == "REPLAYED\n"
    assert "longer than its OCRA suite says" in token.run("ocra", "--challenge", "135724680", status=2)
    (other,) = token.json("add", "--suite", counted, "--secret-file", "-", "--counter", "7", text=base32(OCRA_SEED[::-1]))
    (token.folder / "pin").write_text("1234\n")
    assert "PIN" in token.run("ocra", other["account"], "--challenge", "12345678", status=2)
    pin = hashlib.sha1(b"1234").digest()
    for counter in (7, 8):
        (told,) = token.json("ocra", other["account"], "--challenge", "12345678", "--pin-file", token.folder / "pin")
        assert told["response"] == respond(counted, OCRA_SEED[::-1], counter, ("12345678",), pin)
    assert "say which" in token.run("ocra", "--challenge", "12345678", status=1)
    seed = bytes(range(30, 50))
    uri = f"otpauth://hotp/{COMPANY}:hand?secret={base32(seed)}&issuer={COMPANY}&counter=3".replace(" ", "%20")
    assert "No such file" in token.run("add", "--qr", token.folder / "nothing.png", status=2)
    (third,) = token.json("add", "--qr", picture(token.folder, uri + "\n"))
    told = token.run("add", "--uri-file", "-", text=uri + "\n", status=1)
    assert f"account {third['account']} has this seed already" in told and "--force" in told, told
    (fourth,) = token.json("add", "--force", "--uri-file", "-", text=uri + "\n")
    token.run("remove", fourth["account"])
    assert third["type"] == "hotp"
    assert [token.run("code", third["account"]) for _ in range(2)] == [f"{hotp(seed, 3):06d}\n", f"{hotp(seed, 4):06d}\n"]
    assert "no countdown" in token.run("code", third["account"], "--watch", status=2)
    assert len(token.json("list")[0]) == 3
    return token


def carried(token, folder):
    """Sealed under another passphrase, taken once, and whoever has a wrong one learns nothing."""
    (folder / "travel").write_text("another one\n")
    file = folder / "export"
    assert token.json("export", file, "--other-passphrase-file", folder / "travel") == [{"accounts": 3}]
    assert file.stat().st_mode & 0o777 == 0o600 and base64.b64encode(OCRA_SEED) not in file.read_bytes()
    assert "is there already" in token.run("export", file, status=2)
    new = Token(folder / "new")
    assert "passphrase is wrong" in new.run("import", file, status=1)
    assert "No such file" in new.run("import", folder / "nothing", status=2)
    assert new.json("import", file, "--other-passphrase-file", folder / "travel") == [{"accounts": 3}]
    assert new.json("import", file, "--other-passphrase-file", folder / "travel") == [{"accounts": 0}]
    strip = lambda accounts: [{name: value for name, value in account.items() if name != "account"} for account in accounts]
    assert strip(new.json("list")[0]) == strip(token.json("list")[0])


class Terminal:
    """The screen in tmux, on a server of its own."""

    def __init__(self, folder, token):
        self.socket = str(folder / "tmux")
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", "90", "-y", "24", " ".join(map(quoted, token.words("screen"))))

    def tmux(self, *words):
        return subprocess.run(["tmux", "-S", self.socket, *words], capture_output=True, text=True, check=False).stdout

    def shown(self):
        return self.tmux("capture-pane", "-p")

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def until(self, text, wait_s=20):
        end = time.monotonic() + wait_s
        while time.monotonic() < end:
            if text in (shown := self.shown()):
                return shown
            time.sleep(0.1)
        raise AssertionError(f"{text!r} is not on the screen:\n{shown}")

    def close(self):
        self.tmux("kill-server")


def quoted(word):
    return "'" + str(word).replace("'", "'\\''") + "'"


def on_the_screen(world, folder):
    token = enrolled(world, folder / "sol", "sol")
    token.run("add", "--suite", "OCRA-1:HOTP-SHA1-6:QN08", "--secret-file", "-", "--user", "by hand", text=base32(OCRA_SEED))
    terminal = Terminal(folder, token)
    try:
        shown = terminal.until("sol of " + COMPANY)
        line = next(line for line in shown.splitlines() if "sol of" in line)
        assert line.startswith(" > ") and " s" in line and "#" in line, line
        asked = world.asked("sol", **PAYMENT)
        shown = terminal.until("y approve")
        assert all(PAYMENT[name] in shown for name in ("text", "amount", "currency", "payee", "reference")), shown
        terminal.keys("y")
        terminal.until("The number that the screen shows:")
        terminal.keys(*str(asked["number"]))
        terminal.until("approved")
        assert world.what_became(asked["challenge"])["state"] == "approved"
        terminal.keys("Down")
        terminal.until(" > 2")
        terminal.keys("c")
        terminal.until("The challenge:")
        terminal.keys("13572468", "Enter")
        terminal.until("response: " + respond("OCRA-1:HOTP-SHA1-6:QN08", OCRA_SEED, 0, ("13572468",)))
        asked = world.asked("sol")
        terminal.until("y approve")
        terminal.keys("x")
        terminal.until("refused not-me")
        assert world.what_became(asked["challenge"])["reason"] == "not-me"
        terminal.keys("q")
        end = time.monotonic() + 10
        while terminal.tmux("list-sessions") and time.monotonic() < end:
            time.sleep(0.1)
        assert not terminal.tmux("list-sessions"), "q ends it"
    finally:
        terminal.close()


def main():
    missing = [name for name in NEEDED if not shutil.which(name)]
    if missing:
        print(f"skipped: {', '.join(missing)} is not there")
        return 77
    with Store() as store:
        store.start()
        world = World(store)
        for story in (pushed_and_polled, invited_at_the_desk, an_unbound_account_does_not_stand_in_the_way, an_enrolment_goes_on_by_the_same_command, refused_and_guessed, scanned, what_no_bank_of_ours_signed_is_not_shown,
                      listening_over_a_broker_that_is_killed, on_the_screen):
            story(world, store.base)
        carried(by_hand(store, store.base), store.base)
    return 0


if __name__ == "__main__":
    sys.exit(main())
