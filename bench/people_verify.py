#!/usr/bin/env python3
"""Verify throughput while administrators work, against the same without them, in turn in one run.

usage: people_verify.py [--programs FOLDER] [--accounts N] [--rounds N] [--seconds S] [--pace REQUESTS] [--folder FOLDER]

The load is otpring-load's, closed loop. The administration is one connection to admin.sock that takes tokens into the stock, gives
them to a company, makes users known, assigns in bulk and lists, 50 at a time: as fast as it is answered, or at --pace requests a
second. Printed: the rate of each round, the ratio of the medians, and what was administered meanwhile."""
import argparse
import base64
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "python"))
from otpring_client import AdminClient  # noqa: E402

ITEMS = 50


class Administration:
    """What an administrator's program asks, round after round, while `busy` is set."""

    def __init__(self, store, pace):
        self.client = AdminClient(str(store / "admin.sock"), timeout_s=60)
        self.wait_s = 1 / pace if pace else 0
        self.busy, self.end = threading.Event(), False
        self.requests = self.assigned = 0
        self.rng = random.Random(1)
        self.client.ask("company.add", company="Acme")
        self.client.ask("company.activate", company="Acme", trained="2025-01-31")
        self.client.ask("user.add", company="Acme", user="boss")
        self.client.ask("user.set", company="Acme", user="boss", administrator=True)
        self.bank = self.client.ask("operator.add", name="bank", may="all")["key"]
        self.key = self.client.ask("operator.add", name="boss", company="Acme", user="boss", operator="bank", key=self.bank)["key"]
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def ask(self, who, act, **fields):
        self.busy.wait()
        begin = time.monotonic()
        answer = self.client.ask(act, operator=who, key=self.key if who == "boss" else self.bank, **fields)
        self.requests += 1
        if self.wait_s:
            time.sleep(max(0, self.wait_s - (time.monotonic() - begin)))
        return answer

    def run(self):
        turn = 0
        while not self.end:
            serials = [f"S{turn}-{i}" for i in range(ITEMS)]
            users = [f"u{turn}-{i}" for i in range(ITEMS)]
            self.ask("bank", "stock.add-batch", items=[[s, base64.b32encode(self.rng.randbytes(20)).decode()] for s in serials])
            self.ask("bank", "stock.give", company="Acme", serials=serials)
            self.ask("boss", "user.add-batch", company="Acme", items=[[u, "A Name", "+34600123456"] for u in users])
            pairs = [list(pair) for pair in zip(users, serials)]
            self.assigned += self.ask("boss", "stock.assign-batch", company="Acme", items=pairs)["assigned"]
            self.ask("boss", "stock.list", state="assigned", limit=ITEMS)
            self.ask("boss", "user.list", company="Acme", limit=ITEMS)
            turn += 1

    def stop(self):
        self.end = True
        self.busy.set()
        self.thread.join()
        self.client.close()


def start(programs, store):
    subprocess.run([programs / "otpring", "--store", store, "init"], check=True, stdout=subprocess.DEVNULL)
    daemon = subprocess.Popen([programs / "otpringd", "--store", store], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while True:
        try:
            AdminClient(str(store / "admin.sock")).close()
            return daemon
        except OSError:
            if daemon.poll() is not None:
                sys.exit("otpringd ended; run it by hand")
            time.sleep(0.01)


def measure(load, administration, options):
    """Rounds without and with, in turn; the first line of otpring-load's is about enrolling its accounts."""
    runs = {False: [], True: []}
    run = f"--batch {options.batch} --connections {options.connections} --seconds {options.seconds}\n"
    for _ in range(options.rounds):
        for busy in (False, True):
            (administration.busy.set if busy else administration.busy.clear)()
            load.stdin.write(run)
            load.stdin.flush()
            runs[busy].append(json.loads(load.stdout.readline()))
            administration.busy.clear()
    return runs


def median(runs, latency=None):
    """Of the rates, or of a latency in milliseconds."""
    return statistics.median(run["latency_us"][latency] / 1000 if latency else run["verifications_per_s"] for run in runs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=pathlib.Path, default=HERE.parent / "build" / "release" / "tools")
    parser.add_argument("--accounts", type=int, default=100000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--pace", type=float, default=0)
    parser.add_argument("--folder", type=pathlib.Path, default=os.environ.get("OTPRING_TEST_FOLDER", "/var/tmp"))
    options = parser.parse_args()
    base = pathlib.Path(tempfile.mkdtemp(prefix="otpring-people-", dir=options.folder))
    store = base / "store"
    daemon = start(options.programs, store)
    try:
        command = [options.programs / "otpring-load", "--store", store, "--accounts", str(options.accounts), "--series", "-", "--json", "--keep"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True) as load:
            load.stdout.readline()
            administration = Administration(store, options.pace)
            runs = measure(load, administration, options)
            administration.stop()
            load.stdin.close()
        spent = options.rounds * options.seconds
        for busy, name in ((False, "without"), (True, "with")):
            rates = ", ".join(f"{run['verifications_per_s']:,.0f}" for run in runs[busy])
            print(f"measured: verifications a second {name} administration: {rates}; p99 {median(runs[busy], 'p99'):.1f} ms, "
                  f"p99.9 {median(runs[busy], 'p999'):.1f} ms")
        ratio = median(runs[True]) / median(runs[False])
        print(f"measured: with over without, medians: {ratio:.3f}; meanwhile {administration.requests / spent:.0f} requests "
              f"and {administration.assigned / spent:.0f} tokens assigned a second")
    finally:
        daemon.terminate()
        daemon.wait()
        shutil.rmtree(base, ignore_errors=True)


main()
