#!/usr/bin/env python3
"""The replay log as ops read it: clients by name, the engine's own acts, and a journal whose oldest segments were taken away."""
import json
import os
import shutil
import subprocess
import time

from harness import ACCEPTED, PROGRAMS, Store, copied, hotp, query, seeds_for

COMPANY = "Bank"
seeds = seeds_for(3, seed=5)


def log(path, *words, status=0):
    done = subprocess.run([PROGRAMS / "otpring-log", "--store", path, *words], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == status, (words, done.returncode, done.stdout[-500:], done.stderr)
    return done.stdout


def segments(path):
    return sorted((path / "journal").glob("[0-9a-f]*.seg"))


def check_finds_the_oldest_segment_gone(path):
    """On a copy, since a journal with a part missing is of no use any more."""
    copy = path.parent / "cut"
    copied(path, copy)
    first = json.loads(log(copy, "check", "--json"))["first_position"]
    while json.loads(subprocess.run([PROGRAMS / "otpring-log", "--store", copy, "check", "--json"], capture_output=True, text=True,
                                    timeout=120, check=False).stdout)["first_position"] == first:
        segments(copy)[0].unlink()
    assert "no record says that the segments before it were removed" in log(copy, "check", status=1)
    found = json.loads(log(copy, "check", "--json", status=1))
    assert found["bad_position"] == found["first_position"] > first and not found["part"], found
    shutil.rmtree(copy)


def fill_until_recycled(store):
    """Small segments and the least keep: the journal throws its oldest segments away, and says so."""
    store.start("--segment-size", "2M", "--journal-keep", "4M", "--checkpoint-bytes", "1M", "--config", str(store.base / "otpringd.conf"))
    wire = store.wire(items=4096)
    end = time.monotonic() + 120
    sequence = 0
    while store.tool("status", want_json=True)["journal"]["segment_oldest"] < 8:
        assert time.monotonic() < end, "nothing is recycled"
        for _ in range(8):
            sequence += 1
            wire.ask(0, sequence, [query(COMPANY, "nobody", i) for i in range(4096)])
    wire.close()


def clients_are_named(store):
    config = store.base / "otpringd.conf"
    config.write_text(f"[client web front]\nuid = {os.geteuid()}\nrights = verify\n")
    store.start("--config", str(config))
    wire = store.wire()
    assert wire.ask(0, 1, [query(COMPANY, "u0", hotp(seeds["u0"], 0))])[0][0] == ACCEPTED
    records = [json.loads(line) for line in log(store.path, "show", "--json").splitlines()]
    named = [r for r in records if r.get("act") == "CLIENT" and r["client_name"] == "web%20front"]
    assert len(named) == 1 and named[0]["uid"] is None, named
    verified = [r for r in records if r.get("verdict") == "ACCEPTED"]
    assert [r["client_name"] for r in verified] == ["web%20front"] and len(verified[0]["client"]) == 4, verified
    lines = log(store.path, "show").splitlines()
    assert any(" ACCEPTED " in line and line.split()[5] == "web%20front" for line in lines), lines
    assert any(" ACT START " in line and line.endswith(" engine") for line in lines), lines
    assert any(" ACT TOKEN_ADD " in line and line.endswith(f" uid={os.getuid()}") for line in lines), lines
    assert "4294967295" not in "".join(lines)
    wire.close()
    store.stop()
    # A start with the same names writes none again; another name is written at the reload.
    store.start("--config", str(config))
    config.write_text(f"[client api]\nuid = {os.geteuid()}\nrights = verify\n")
    store.daemon.send_signal(1)
    end = time.monotonic() + 20
    while " ACT CLIENT " not in log(store.path, "show") or "engine api" not in log(store.path, "show"):
        assert time.monotonic() < end, "the reload's client has no record"
        time.sleep(0.05)
    assert log(store.path, "show").count(" ACT CLIENT ") == 2 + log(store.path, "show").count("engine root")
    store.stop()


def names_outlive_their_records(store):
    lines = log(store.path, "show", "-n", "2000").splitlines()
    assert not any(" ACT CLIENT " in line for line in lines), "the record should have been recycled"
    assert any(" THROTTLED " in line and line.split()[5] == "api" for line in lines), lines[-5:]


def main():
    with Store() as store:
        for user, seed in seeds.items():
            store.add(COMPANY, user, seed)
        assert json.loads(log(store.path, "check", "--json"))["first_position"] == 1
        check_finds_the_oldest_segment_gone(store.path)
        clients_are_named(store)
        fill_until_recycled(store)
        names_outlive_their_records(store)
        report = json.loads(log(store.path, "check", "--json"))
        assert report["first_position"] > 1 and report["finding"] is None, report
        store.tool("backup", str(store.base / "backup"))
        store.stop()
        check_finds_the_oldest_segment_gone(store.path)
        # A backup begins where its checkpoint was, and has nothing that could say why.
        assert "note: no store but a backup" in log(store.base / "backup", "check")
        assert json.loads(log(store.base / "backup", "check", "--json"))["part"]
        restored = Store(store.base / "other", init=False)
        restored.tool("restore", str(store.base / "backup"), "--key", str(store.path) + ".key", "--now", "clock")
        restored.tool("token", "list", "--key", str(store.path) + ".key")
        report = json.loads(log(restored.path, "check", "--json"))
        assert report["first_position"] > 1 and not report["part"], report
        check_finds_the_oldest_segment_gone(restored.path)


main()
