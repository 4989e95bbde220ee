#!/usr/bin/env python3
"""A bank of many companies: time, memory and disk of taking tokens into the stock, giving, assigning, listing and starting.

usage: people_scale.py [--programs FOLDER] [--tokens N] [--companies N] [--assign N] [--folder FOLDER] [--keep]

Defaults are reduced (100,000 tokens in 100 companies); the whole run is --tokens 10000000 --companies 10000, which takes
some 15 GiB of disk. Everything goes over admin.sock, as an administrator's program would do it."""
import argparse
import base64
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "python"))
from otpring_client import AdminClient  # noqa: E402

BATCH = 1000


class Daemon:
    def __init__(self, programs, store, tokens):
        self.command = [str(programs / "otpringd"), "--store", str(store), "--tokens-max", str(max(4 * tokens, 1 << 20))]
        self.store = store
        self.process = None

    def start(self):
        begin = time.monotonic()
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while True:
            if self.process.poll() is not None:
                sys.exit("otpringd ended; run it by hand: " + " ".join(self.command))
            try:
                return AdminClient(str(self.store / "admin.sock"), timeout_s=600), time.monotonic() - begin
            except OSError:
                time.sleep(0.01)

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def memory_mib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024


def told(what, count, begin):
    seconds = time.monotonic() - begin
    print(f"measured: {what}: {count} in {seconds:.1f} s, {count / seconds:.0f} a second", flush=True)


def batches(items):
    return (items[at:at + BATCH] for at in range(0, len(items), BATCH))


def serials_of(company, each):
    return [f"S{company}-{i}" for i in range(each)]


def fill(client, companies, each, users):
    begin = time.monotonic()
    for company in range(companies):
        client.ask("company.add", company=f"Company {company}")
    told("companies added, an act each", companies, begin)
    rng = random.Random(1)
    begin = time.monotonic()
    pending = []
    for company in range(companies):
        pending += [[serial, base64.b32encode(rng.randbytes(20)).decode()] for serial in serials_of(company, each)]
        while len(pending) >= BATCH or (pending and company == companies - 1):
            client.ask("stock.add-batch", items=pending[:BATCH])
            pending = pending[BATCH:]
    told("tokens into the stock", companies * each, begin)
    begin = time.monotonic()
    for company in range(companies):
        for serials in batches(serials_of(company, each)):
            client.ask("stock.give", company=f"Company {company}", serials=serials)
    told("tokens given to their companies", companies * each, begin)
    begin = time.monotonic()
    for user in range(users):
        client.ask("user.add", company="Company 0", user=f"user{user}", name="Somebody", phone="+34600000000")
    told("users added, an act each", users, begin)


def assign(client, users):
    """As the company's administrator does it: the bank arms the first alone, so the first one comes from the bank."""
    client.ask("user.set", company="Company 0", user="user0", administrator=True)
    key = client.ask("operator.add", name="admin0", company="Company 0", user="user0")["key"]
    pairs = [[f"user{i}", f"S0-{i}"] for i in range(users)]
    begin = time.monotonic()
    done = 0
    for items in batches(pairs):
        done += client.ask("stock.assign-batch", company="Company 0", items=items, operator="admin0", key=key)["assigned"]
    told("tokens assigned in bulk", done, begin)
    return key


def page_ms(client, key, **request):
    begin = time.monotonic()
    answer = client.ask("stock.list", limit=100, operator="admin0", key=key, **request)
    return (time.monotonic() - begin) * 1000, answer


def pages(client, key, each):
    first, answer = page_ms(client, key, state="custody")
    deep = 0
    for _ in range(min(each // 100 - 1, 200)):
        if not answer["next"]:
            break
        deep, answer = page_ms(client, key, state="custody", after=answer["next"])
    print(f"measured: a page of 100 tokens: the first {first:.1f} ms, one far behind {deep:.1f} ms")


def disk_mib(folder):
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file()) / (1 << 20)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=pathlib.Path, default=HERE.parent / "build" / "release" / "tools")
    parser.add_argument("--tokens", type=int, default=100000)
    parser.add_argument("--companies", type=int, default=100)
    parser.add_argument("--assign", type=int, default=500)
    parser.add_argument("--folder", type=pathlib.Path, default=os.environ.get("OTPRING_TEST_FOLDER"))
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    each = options.tokens // options.companies
    users = min(options.assign, each)
    base = pathlib.Path(tempfile.mkdtemp(prefix="otpring-scale-", dir=options.folder))
    store = base / "store"
    subprocess.run([options.programs / "otpring", "--store", store, "init"], check=True, stdout=subprocess.DEVNULL)
    daemon = Daemon(options.programs, store, options.tokens)
    try:
        client, _ = daemon.start()
        fill(client, options.companies, each, users)
        key = assign(client, users)
        pages(client, key, each)
        print(f"measured: memory {daemon.memory_mib():.0f} MiB, disk {disk_mib(base):.0f} MiB")
        client.close()
        daemon.stop()
        client, seconds = daemon.start()
        print(f"measured: start with {options.tokens} tokens in stock: {seconds:.2f} s, memory {daemon.memory_mib():.0f} MiB")
        client.close()
        daemon.stop()
    finally:
        if daemon.process and daemon.process.poll() is None:
            daemon.process.kill()
            daemon.process.wait()
        if not options.keep:
            shutil.rmtree(base, ignore_errors=True)


main()
