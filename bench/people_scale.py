#!/usr/bin/env python3
"""A bank of many companies: time, memory and disk of taking tokens into the stock, giving, assigning, listing and starting.

usage: people_scale.py [--programs FOLDER] [--tokens N] [--companies N] [--assign N] [--folder FOLDER] [--keep]

Defaults are reduced (100,000 tokens in 100 companies); the whole run is --tokens 10000000 --companies 10000, which takes
some 10 GiB of disk. Everything goes over admin.sock, as an administrator's program would do it."""
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

    def memory(self):
        """Its own, and pages of the store's file that are mapped, which the system takes back when it needs them."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        own, mapped = (int(re.search(rf"{name}:\s+(\d+)", status).group(1)) // 1024 for name in ("RssAnon", "RssFile"))
        return f"memory {own} MiB, and {mapped} MiB of files mapped"


def told(what, count, begin):
    seconds = time.monotonic() - begin
    print(f"measured: {what}: {count} in {seconds:.1f} s, {count / seconds:.0f} a second", flush=True)


def batches(items):
    return (items[at:at + BATCH] for at in range(0, len(items), BATCH))


def serials_of(company, each):
    return [f"S{company}-{i}" for i in range(each)]


def fill(client, companies, each):
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


def users_add(client, companies, each):
    begin = time.monotonic()
    for company in range(companies):
        for users in batches([[f"user{i}", "Somebody", "+34600000000"] for i in range(each)]):
            client.ask("user.add-batch", company=f"Company {company}", items=users)
    told("users added, a company's at a time", companies * each, begin)


def assign(client, companies, each):
    """As the companies' administrators do it; the bank arms the first administrator of each. Gives the key of the first one."""
    bank = {"operator": "bank", "key": client.ask("operator.add", name="bank", may="all")["key"]}
    keys = []
    for company in range(companies):
        names = {"company": f"Company {company}", "user": "user0"}
        client.ask("user.set", administrator=True, **names, **bank)
        keys.append(client.ask("operator.add", name=f"admin{company}", **names, **bank)["key"])
    begin = time.monotonic()
    done = 0
    for company, key in enumerate(keys):
        for items in batches([[f"user{i}", f"S{company}-{i}"] for i in range(each)]):
            done += client.ask("stock.assign-batch", company=f"Company {company}", items=items, operator=f"admin{company}", key=key)["assigned"]
    told("tokens assigned in bulk", done, begin)
    return keys[0], bank


def page_ms(client, who, act, **request):
    begin = time.monotonic()
    answer = client.ask(act, limit=100, **who, **request)
    return (time.monotonic() - begin) * 1000, answer


def pages(client, who, what, act, **request):
    """The first page, and one as far behind as 200 pages lead."""
    first, answer = page_ms(client, who, act, **request)
    deep, count = first, 1
    while answer["next"] and count < 200:
        deep, answer = page_ms(client, who, act, after=answer["next"], **request)
        count += 1
    print(f"measured: a page of 100 {what}: the first {first:.1f} ms, number {count} {deep:.1f} ms", flush=True)


def disk_mib(folder):
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file()) / (1 << 20)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=pathlib.Path, default=HERE.parent / "build" / "release" / "tools")
    parser.add_argument("--tokens", type=int, default=100000)
    parser.add_argument("--companies", type=int, default=100)
    parser.add_argument("--assign", type=int, default=5000, help="users, in as many companies as that takes")
    parser.add_argument("--folder", type=pathlib.Path, default=os.environ.get("OTPRING_TEST_FOLDER", "/var/tmp"))
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    each = options.tokens // options.companies
    staffed = min(max(options.assign // each, 1), options.companies)
    staff = min(options.assign, each)
    base = pathlib.Path(tempfile.mkdtemp(prefix="otpring-scale-", dir=options.folder))
    store = base / "store"
    subprocess.run([options.programs / "otpring", "--store", store, "init"], check=True, stdout=subprocess.DEVNULL)
    daemon = Daemon(options.programs, store, options.tokens)
    try:
        client, _ = daemon.start()
        fill(client, options.companies, each)
        users_add(client, staffed, staff)
        key, bank = assign(client, staffed, staff)
        pages(client, {"operator": "admin0", "key": key}, "tokens of a company", "stock.list")
        pages(client, bank, "tokens of all", "stock.list", state="custody")
        pages(client, bank, "companies", "company.list")
        print(f"measured: {daemon.memory()}, disk {disk_mib(base):.0f} MiB", flush=True)
        client.close()
        daemon.stop()
        client, seconds = daemon.start()
        print(f"measured: start with {options.tokens} tokens in stock: {seconds:.2f} s, {daemon.memory()}")
        client.close()
        daemon.stop()
    finally:
        if daemon.process and daemon.process.poll() is None:
            daemon.process.kill()
            daemon.process.wait()
        if not options.keep:
            shutil.rmtree(base, ignore_errors=True)


main()
