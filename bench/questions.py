#!/usr/bin/env python3
"""Questions to devices through the daemon: how many are asked and answered a second, what an open one takes, and what codes notice of it.

usage: questions.py [--programs FOLDER] [--loads FOLDER] [--devices N] [--open N] [--seconds S] [--rate APPROVALS] [--codes RATE] [--json FILE]

Devices are enrolled one after the other first (some 10 a second), half of them ES256, half Ed25519. Then: approvals as fast as they go; codes alone at
--codes a second; the same codes while --rate approvals a second come in. All of it shares one machine's cores with the programs that make the load,
which sign as well, so on few cores the figures are a lower bound."""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests" / "python")]
from otpring_client import AdminClient, AskClient  # noqa: E402
from otpring_device import Device  # noqa: E402

COMPANY = "Demo Co"


class Bank:
    def __init__(self, programs, folder):
        self.programs, self.path = programs, pathlib.Path(folder) / "store"
        subprocess.run([programs / "otpring", "--store", self.path, "init"], check=True, capture_output=True)
        self.daemon = subprocess.Popen([programs / "otpringd", "--store", self.path, "--challenges-max", "1M"],
                                       stderr=open(f"{folder}/daemon.log", "wb"))
        while not (self.path / "ask.sock").exists() or not (self.path / "admin.sock").exists():
            if self.daemon.poll() is not None:
                sys.exit("otpringd ended: " + open(f"{folder}/daemon.log").read())
            time.sleep(0.01)
        self.admin = AdminClient(str(self.path / "admin.sock"), timeout_s=600)

    def enrol(self, count, keys):
        """A line a device into `keys`: user, number, algorithm, private key, counter."""
        self.admin.ask("company.add", company=COMPANY)
        self.admin.ask("company.activate", company=COMPANY, trained="2026-01-15")
        send = lambda document: self.admin.ask_raw({"act": "enrol.device", "document": document})  # noqa: E731
        with open(keys, "w") as file:
            for i in range(count):
                user, device = f"user-{i}", Device("Ed25519" if i % 2 else "ES256", name="Bench")
                self.admin.ask("user.add", company=COMPANY, user=user, name=user, phone="+573001234567")
                activation = self.admin.ask("enrol.invite", company=COMPANY, user=user, deliver="desk")["activation"]
                for state in ("presented", "proven", "binding", "bound", "active"):
                    given = self.admin.ask("enrol.vouch", company=COMPANY, user=user)["statement"] if state == "proven" else None
                    assert device.step(send, activation, given) == state
                private = device.sign_private
                secret = private.private_bytes_raw() if i % 2 else private.private_numbers().private_value.to_bytes(32, "big")
                print(user, device.store["device"], device.algorithm, secret.hex(), 0, file=file)

    def memory_mib(self):
        status = pathlib.Path(f"/proc/{self.daemon.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024

    def stop(self):
        self.admin.close()
        self.daemon.terminate()
        self.daemon.wait()


def open_ones(bank, count):
    """So many open challenges without an account: bytes of the process's memory for each, and how many were asked a second."""
    before, begin = bank.memory_mib(), time.monotonic()
    item = {"session": "s", "channel": "qr", "purpose": "login", "site": "Demo Bank", "text": "Log in?", "life_s": 3600, "events": False}
    with AskClient(str(bank.path / "ask.sock"), timeout_s=600) as client:
        tags = []
        for at in range(0, count, 256):
            tags.append(client.send("ask", [item] * min(256, count - at)))
            if len(tags) == 4:
                assert all(answer["ok"] for answer in client.receive(tags.pop(0)))
        for tag in tags:
            assert all(answer["ok"] for answer in client.receive(tag))
    took_s = time.monotonic() - begin
    status = bank.admin.ask("status")["questions"]
    return {"open": status["kept"], "asked_per_s": round(count / took_s), "room_bytes_each": round(status["memory_size"] / status["capacity"], 1),
            "resident_bytes_each": round((bank.memory_mib() - before) * 2**20 / count)}


def questions(loads, bank, keys, seconds, rate, threads=2):
    return [loads / "question_load", bank.path / "ask.sock", keys, COMPANY, str(seconds), str(rate), str(threads)]


def codes(programs, bank, rate, seconds):
    done = subprocess.run([programs / "otpring-load", "--store", bank.path, "--accounts", "20000", "--batch", "16", "--connections", "4", "--rate", str(rate),
                           "--seconds", str(seconds), "--json"], capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    return {"verifications_per_s": said["verifications_per_s"], **said["latency_us"], "unavailable": said["unavailable"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--programs", type=pathlib.Path, default=HERE.parent / "build/release/tools")
    parser.add_argument("--loads", type=pathlib.Path, default=HERE.parent / "build/release/bench")
    parser.add_argument("--devices", type=int, default=256)
    parser.add_argument("--open", type=int, default=100000)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rate", type=int, default=10000)
    parser.add_argument("--codes", type=int, default=20000)
    parser.add_argument("--json", type=pathlib.Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="otpring-questions-", dir="/var/tmp") as folder:
        bank, keys = Bank(given.programs, folder), f"{folder}/keys"
        try:
            figures = measure(given, bank, keys)
        finally:
            bank.stop()
    text = json.dumps(figures, indent=1)
    print(text)
    if given.json:
        given.json.write_text(text + "\n")


def measure(given, bank, keys):
    bank.enrol(given.devices, keys)
    figures = {"cores": os.cpu_count(), "devices": given.devices}
    fast = subprocess.run(questions(given.loads, bank, keys, given.seconds, 0), capture_output=True, text=True, check=False)
    figures["approvals"] = json.loads(fast.stdout)
    rewind(keys)
    figures["codes_alone"] = codes(given.programs, bank, given.codes, given.seconds)
    beside = subprocess.Popen(questions(given.loads, bank, keys, given.seconds + 8, given.rate), stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(1)
        figures["codes_beside"] = codes(given.programs, bank, given.codes, given.seconds)
        figures["approvals_beside"] = json.loads(beside.communicate()[0])
    finally:
        beside.kill()
        beside.wait()
    figures["open"] = open_ones(bank, given.open)
    return figures


def rewind(keys):
    """The counters go on from where no run has been."""
    lines = [line.split() for line in open(keys)]
    with open(keys, "w") as file:
        for line in lines:
            print(*line[:4], int(line[4]) + 10**9, file=file)


if __name__ == "__main__":
    main()
