#!/usr/bin/env python3
"""User stories of a bank, through the programs: the daemon is killed after every act, and what was told done is there.

A physical token from the order to the user, a lost one replaced, one returned, an employee who leaves, an administrator who is
followed by another, and what takes two persons. All acts go over admin.sock as a named operator."""
import json
import os
import pathlib
import random
import struct
import subprocess
import sys

from harness import ACCEPTED, INACTIVE, PROGRAMS, REJECTED, REPLAYED, Store, UNKNOWN, base32, hotp, name_of

REQUIRED, NOT_REQUIRED, UNAVAILABLE = 10, 11, 9
COMPANY = "Acme"


class Bank:
    """A store, its daemon, and the keys of those who act."""

    def __init__(self, store):
        self.store = store
        self.keys = {}
        self.acts = 0
        rng = random.Random(5)
        self.seeds = {f"T-{i}": rng.randbytes(20) for i in range(4)}
        self.counters = dict.fromkeys(self.seeds, 0)

    def key(self, name, *words, by=None):
        answer = json.loads(self.act("operator", "add", "--name", name, *words, "--json", by=by))
        path = pathlib.Path(self.store.base) / f"{name}.key"
        path.write_text(answer["key"] + "\n")
        self.keys[name] = path

    def act(self, *words, by=None, status=0, text=None):
        """One act as this operator; then the power fails."""
        who = ["--operator", by, "--operator-key", str(self.keys[by])] if by else []
        out = self.store.tool(*words, *who, status=status, text=text)
        self.acts += 1
        self.store.kill()
        self.store.start()
        return out

    def ask(self, user, kind=2, code=0):
        wire = self.store.wire()
        item = name_of(COMPANY, user) + struct.pack("<QIBBBB", 0, code, 6 if kind == 1 else 0, kind, 0, 0)
        verdict = wire.ask(0, 1, [item])[0][0]
        wire.close()
        return verdict

    def code(self, user, serial, wanted, again=False):
        counter = self.counters[serial] - (1 if again else 0)
        verdict = self.ask(user, 1, hotp(self.seeds[serial], counter))
        assert verdict in wanted, (user, serial, counter, verdict)
        if verdict == ACCEPTED:
            self.counters[serial] = counter + 1

    def required(self, user, wanted):
        """By a bare frame, and as the program asks through the client library."""
        verdict = self.ask(user)
        assert verdict == wanted, (user, verdict, wanted)
        status = {NOT_REQUIRED: 0, REQUIRED: 1, UNAVAILABLE: 3}[wanted]
        self.store.tool("required", "--company", COMPANY, "--user", user, status=status)


NO_CODE = (REJECTED, UNKNOWN, INACTIVE)


def begin(bank):
    """The bank's people, a company that is trained and active, its first administrator with a token from the bank."""
    bank.key("olga", "--may", "all")
    bank.key("otto", "--may", "all", by="olga")
    bank.act("company", "list", status=1)  # nobody is served without a name now
    bank.act("company", "add", "--company", COMPANY, by="olga")
    bank.required("anybody", NOT_REQUIRED)
    bank.act("company", "activate", "--company", COMPANY, "--trained", "2025-03-01", by="olga")
    bank.required("anybody", UNAVAILABLE)
    for user in ("boss", "ann", "bob"):
        bank.act("user", "add", "--company", COMPANY, "--user", user, "--phone", "+34600123456", by="olga")
        bank.required(user, NOT_REQUIRED)
    bank.act("user", "set", "--company", COMPANY, "--user", "boss", "--administrator", "yes", by="olga")
    lines = "".join(f"{serial},{base32(seed)}\n" for serial, seed in bank.seeds.items())
    bank.act("token", "stock", "add", "--type", "hotp", "--file", "-", by="olga", text=lines)
    bank.act("token", "stock", "give", "--company", COMPANY, *bank.seeds, by="olga")
    bank.act("token", "stock", "assign", "--company", COMPANY, "--user", "ann", "--serial", "T-1", by="olga", status=1)
    bank.act("token", "stock", "assign", "--company", COMPANY, "--user", "boss", "--serial", "T-0", by="olga")
    bank.key("boss", "--company", COMPANY, "--user", "boss", by="olga")
    bank.required("boss", REQUIRED)
    bank.code("boss", "T-0", (ACCEPTED,))


def lost_and_returned(bank):
    bank.act("token", "stock", "assign", "--company", COMPANY, "--user", "ann", "--serial", "T-1", by="boss")
    bank.required("ann", REQUIRED)
    bank.code("ann", "T-1", (ACCEPTED,))
    bank.code("ann", "T-1", (REPLAYED,), again=True)
    bank.act("token", "stock", "lost", "T-1", "--reason", "left in a taxi", by="boss")
    bank.required("ann", REQUIRED)
    bank.code("ann", "T-1", NO_CODE)
    bank.act("token", "stock", "replace", "T-1", "--by", "T-2", by="boss")
    bank.code("ann", "T-2", (ACCEPTED,))
    bank.act("token", "stock", "take", "T-2", by="boss")
    bank.required("ann", REQUIRED)
    bank.code("ann", "T-2", NO_CODE)
    # The next one who gets it does not get its used codes.
    bank.act("token", "stock", "assign", "--company", COMPANY, "--user", "bob", "--serial", "T-2", by="boss")
    bank.code("bob", "T-2", NO_CODE + (REPLAYED,), again=True)
    bank.code("bob", "T-2", (ACCEPTED,))


def leaving(bank):
    bank.act("user", "deactivate", "--company", COMPANY, "--user", "bob", by="boss")
    bank.code("bob", "T-2", NO_CODE)
    bank.required("bob", REQUIRED)
    bank.act("token", "stock", "take", "T-2", by="boss")
    bank.act("user", "erase", "--company", COMPANY, "--user", "bob", by="boss", status=1)
    bank.act("user", "erase", "--company", COMPANY, "--user", "bob", by="olga")
    shown = json.loads(bank.act("user", "show", "--company", COMPANY, "--user", "bob", "--json", by="olga"))
    assert shown["user"]["phone"] == "" and shown["user"]["state"] == "erased", shown
    bank.required("bob", REQUIRED)


def change_of_administrator(bank):
    bank.act("user", "set", "--company", COMPANY, "--user", "ann", "--administrator", "yes", by="olga")
    bank.act("token", "stock", "assign", "--company", COMPANY, "--user", "ann", "--serial", "T-3", by="boss")
    bank.key("ann", "--company", COMPANY, "--user", "ann", by="olga")
    bank.act("user", "set", "--company", COMPANY, "--user", "boss", "--administrator", "no", by="olga")
    bank.act("user", "list", "--company", COMPANY, by="boss", status=1)
    bank.act("user", "deactivate", "--company", COMPANY, "--user", "boss", by="ann")
    bank.code("boss", "T-0", NO_CODE)
    bank.code("ann", "T-3", (ACCEPTED,))


def two_persons(bank):
    waits = json.loads(bank.act("user", "reset", "--company", COMPANY, "--user", "ann", "--reason", "bag stolen", "--json", by="olga"))
    assert waits["waits"] is True
    bank.code("ann", "T-3", (ACCEPTED,))
    number = str(waits["request"])
    bank.act("request", "confirm", number, by="olga", status=1)
    bank.act("request", "confirm", number, by="otto")
    bank.act("request", "confirm", number, by="otto", status=1)
    bank.code("ann", "T-3", NO_CODE)
    bank.required("ann", REQUIRED)
    bank.act("user", "release", "--company", COMPANY, "--user", "ann", "--reason", "until the new token comes", by="otto")
    bank.required("ann", NOT_REQUIRED)


def witnessed(bank):
    """Who and why of every act stands in the log, and the log is whole; no phone number is in it."""
    bank.store.stop()
    lines = bank.store.tool("show", "--json", program="otpring-log").splitlines()
    changes = [record for record in map(json.loads, lines) if record.get("act") == "CHANGE"]
    reasons = {record["change"]: record["reason"] for record in changes if record["reason"]}
    assert reasons["stock.lost"] and reasons["request.ask"] == "bag stolen", reasons
    assert all(record.get("operator") for record in changes[1:]), changes
    bank.store.tool("check", program="otpring-log")
    for path in bank.store.path.rglob("*"):
        assert not path.is_file() or b"600123456" not in path.read_bytes(), path


def strangers(store):
    """Who is neither owner nor root may not even speak, but with --operators, and then says who it is."""
    if os.geteuid() != 0:
        print("skipped: strangers (needs root to become one)")
        return
    for folder in (store.base, store.path):
        os.chmod(folder, 0o755)
    script = ("import os,sys,json,socket,struct\nos.setuid(54321)\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
              "def ask(kind,body):\n try: s.sendall(struct.pack('<IHHQQIHH',32+len(body),kind,0,0,0,0,0,0)+body)\n except OSError: pass\n"
              " d=s.recv(65536)\n"
              " return struct.unpack_from('<H',d,4)[0],d[32:]\n"
              "kind,_=ask(1,struct.pack('<HHHHQ16x',1,1,0,0,0))\n"
              "acts=[b'{\"act\":\"company.list\"}',b'{\"act\":\"enrol.vouch\",\"company\":\"A\",\"user\":\"u\"}']\n"
              "print(kind if kind!=2 else ' '.join({json.loads(ask(8,act)[1])['code'] for act in acts}))\n")
    for flags, wanted in ((["--admin-mode", "0666"], "7"), (["--admin-mode", "0666", "--operators"], "OPERATOR")):
        store.start(*flags)
        done = subprocess.run([sys.executable, "-c", script, store.path / "admin.sock"], capture_output=True, text=True, timeout=30,
                              check=True)
        assert done.stdout.strip() == wanted, (flags, done)
        store.stop()


def the_log_knows_what_was_asked(bank):
    """Whether a code is required is asked in the same log: shown, chosen and counted by its names."""
    def log(*words):
        return subprocess.run([PROGRAMS / "otpring-log", "--store", bank.store.path, *words], capture_output=True, text=True, check=True).stdout
    asked = {verdict: len(log("show", "--json", "--verdict", verdict).splitlines()) for verdict in ("required", "not_required")}
    assert min(asked.values()) > 0, asked
    counted = json.loads(log("stats", "--json"))["verdicts"]
    assert counted["REQUIRED"] == asked["required"] and counted["NOT_REQUIRED"] == asked["not_required"], (counted, asked)
    assert "REQUIRED" in log("stats") and "?" not in log("stats").split("Clients")[0], log("stats")
    assert ",REQUIRED," in log("export", "--format", "csv", "--verdict", "required")


def main():
    with Store() as store:
        strangers(store)
        store.start()
        bank = Bank(store)
        for story in (begin, lost_and_returned, leaving, change_of_administrator, two_persons, witnessed, the_log_knows_what_was_asked):
            story(bank)
        print(f"counted: {bank.acts} acts, the daemon killed after each")


main()
