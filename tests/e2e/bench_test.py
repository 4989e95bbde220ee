#!/usr/bin/env python3
"""The bench suite, very shortly: it measures, writes JSON and a report that needs no network, and compares honestly."""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(sys.argv[1]).resolve().parent
sys.path.insert(0, str(ROOT / "bench/suite"))
sys.dont_write_bytecode = True

import figures  # noqa: E402  pylint: disable=wrong-import-position
import flame  # noqa: E402  pylint: disable=wrong-import-position
import part_end  # noqa: E402  pylint: disable=wrong-import-position


def check(condition, what):
    if not condition:
        sys.exit(f"failed: {what}")


def figure(values, better="higher", unit="verifications/s"):
    entry = {"part": "x", "name": "y", "unit": unit, "better": better, "values": values}
    figures.finish(entry)
    return {"x/y": entry}


def a_word_is_said_only_where_the_interval_shows_it():
    same = figure([100, 103, 98, 101, 99, 102, 100])
    check(figures.compare(same, same)[0]["word"] == "no difference shown", "the same figures differ")
    wide = figure([60, 150, 90, 120, 100, 80, 130])
    check(figures.compare(same, wide)[0]["word"] == "no difference shown", "noise is taken for a change")
    half = figure([50, 51, 49, 50, 52, 48, 50])
    check(figures.compare(same, half)[0]["word"] == "slower", "half the rate is not called slower")
    check(figures.compare(half, same)[0]["word"] == "faster", "twice the rate is not called faster")
    check(figures.compare(figure([1] * 4, "lower", "ns"), figure([2] * 4, "lower", "ns"))[0]["word"] == "slower", "twice the time is not called slower")
    check(figures.compare(figure([1.0] * 3), figure([2.0] * 3))[0]["word"] == "too few repetitions", "three repetitions prove something")
    check(figures.compare(same, half, ("x",))[0]["word"] == "other options", "figures of other options are compared")
    none, some = figure([0] * 4, "lower", "calls"), figure([3] * 4, "lower", "calls")
    check(figures.compare(none, none) == [], "nothing differs from nothing")
    risen = figures.compare(none, some)[0]
    check(risen["word"] == "worse" and figures.change(risen) == "0 and now 3", f"allocations that came are {risen}")
    try:
        figures.Figures().add("x", "y", [], "ns", "lower")
        check(False, "nothing is taken for a figure")
    except ValueError:
        pass


def each_quantity_has_a_median_of_its_own():
    results = [{"verifications_per_s": rate, "latency_us": {"p50": p50, "p99": p99}, "load_cpu_ns": 5, "daemon_cpu_ns": None, "frames": frames}
               for rate, p50, p99, frames in ((1, 30, 10, 7), (2, 10, 30, 9), (3, 20, 20, 8))]
    found = part_end.medians(results)
    check(found == {"latency_us": {"p50": 20, "p99": 20}, "load_cpu_ns": 5, "daemon_cpu_ns": None, "frames": 8}, f"the medians are {found}")


def refused(words, text):
    done = subprocess.run([ROOT / "bench/run", "--build", BUILD, *words], capture_output=True, text=True, check=False, timeout=60)
    check(done.returncode == 2 and text in done.stderr, f"{words} ended with {done.returncode}: {done.stderr}")


def what_cannot_be_is_refused_before_anything_is_measured():
    with tempfile.TemporaryDirectory() as out:
        broken = pathlib.Path(out, "broken.json")
        broken.write_text('{"figures": {}}', encoding="utf-8")
        refused(["--against", broken], "no results of this suite")
        broken.write_text('{"figures": {}, "machine": {}, "options": null}', encoding="utf-8")
        refused(["--against", broken], "no results of this suite")
        refused(["--against", f"{out}/none.json"], "no results of this suite")
    refused(["--repetitions", "33"], "--repetitions are 1 to 32")
    refused(["--tokens-max", "5"], "--tokens-max is 1,000")
    refused(["--only", "end,ends"], "unknown part: ends")


def command_of(out, *words):
    return [ROOT / "bench/run", "--quick", "--build", BUILD, "--accounts", "3000", "--tokens-max", "1000", "--seconds", "0.15", "--repetitions", "1", "--out", out, *words]


def a_part_that_fails_costs_none_of_the_others():
    with tempfile.TemporaryDirectory() as out:
        done = subprocess.run(command_of(out, "--only", "end,engine", "--store", f"{out}/none"), capture_output=True, text=True, check=False, timeout=120)
        results = json.loads(pathlib.Path(out, "results.json").read_text(encoding="utf-8"))
        check(done.returncode == 1 and "does not answer" in results["notes"][0]["text"], f"a daemon that is not there: {done.returncode} {results['notes']}")
        check(any(key.startswith("engine/") for key in results["figures"]), "the other part was not measured")
        check("Failed (end)" in pathlib.Path(out, "report.html").read_text(encoding="utf-8"), "the report does not say what failed")


def an_end_by_signal_leaves_nothing_behind():
    for number, parts in ((signal.SIGTERM, "floor,segments"), (signal.SIGHUP, "segments")):
        with tempfile.TemporaryDirectory() as out, tempfile.TemporaryDirectory(dir="/var/tmp") as scratch:
            process = subprocess.Popen(command_of(out, "--only", parts, "--scratch", scratch), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            while not any(pathlib.Path(scratch).glob("*/store/verify.sock")):
                check(process.poll() is None, f"it ended: {process.stdout.read() if process.poll() is not None else ''}")
                time.sleep(0.01)
            process.send_signal(number)
            said, _ = process.communicate(timeout=60)
            check(process.returncode == 1 and "it was interrupted" in said, f"after {number} it ended with {process.returncode}: {said}")
            check(not any(pathlib.Path(scratch).iterdir()), f"left behind: {list(pathlib.Path(scratch).iterdir())}")
            running = subprocess.run(["pgrep", "-f", f"otpringd --store {scratch}"], capture_output=True, text=True, check=False).stdout
            check(not running, f"still running: {running}")
            results = json.loads(pathlib.Path(out, "results.json").read_text(encoding="utf-8"))
            check("floor" not in parts or any(key.startswith("floor/") for key in results["figures"]), "what was measured before is lost")


def stacks_become_a_graph():
    script = "otpringd \n\t  1 leaf (/usr/bin/otpringd)\n\t  2 root<x> (/usr/bin/otpringd)\n\notpringd \n\t  3 do_it ([kernel.kallsyms])\n\t  2 root<x> (/usr/bin/otpringd)\n\n"
    stacks = flame.read(script)
    check(stacks == {("root<x>", "leaf"): 1, ("root<x>", "do_it [k]"): 1}, f"stacks are {stacks}")
    drawn = flame.render(stacks)
    check("root&lt;x&gt;: 100.00 %" in drawn and "do_it [k]: 50.00 %" in drawn, "the graph lacks a function")


def run(out, parts, *more):
    command = [ROOT / "bench/run", "--quick", "--build", BUILD, "--only", parts, "--accounts", "3000", "--tokens-max", "1000", "--seconds", "0.15",
               "--connections", "1,16", "--repetitions", "1", "--sustained", "0.3", "--out", out, *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    check(done.returncode == 0, f"bench/run ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return json.loads(pathlib.Path(out, "results.json").read_text(encoding="utf-8"))


def the_suite_measures_and_reports():
    with tempfile.TemporaryDirectory() as out:
        results = run(out, "end")
        rates = {key: entry["median"] for key, entry in results["figures"].items() if key.startswith("end/closed loop")}
        check("end/closed loop, batch 256, 1 connections, 16 in flight" in rates and max(rates.values()) > 1000, f"the rates are {rates}")
        check(results["machine"]["revision"] and results["machine"]["processors"] == os.cpu_count(), "the machine is not named")
        page = pathlib.Path(out, "report.html").read_text(encoding="utf-8")
        addresses = set(re.findall(r"https?://[^\"' )]+", page)) - {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
        check(not addresses and "<script" not in page, f"the report is not self-contained: {addresses}")
        check("Latency against offered load" in page, "the report lacks its latency plot")
        results = run(out, "engine", "--against", f"{out}/results.json")
        check(results["figures"]["engine/allocations on the path, 1,000 tokens"]["median"] == 0, "the verify path allocates")
        check(results["against"] == [], "figures of different parts are compared")


if not (BUILD / "bench/core_bench").exists():
    print("skipped: this build has no bench programs")
    sys.exit(77)
a_word_is_said_only_where_the_interval_shows_it()
each_quantity_has_a_median_of_its_own()
what_cannot_be_is_refused_before_anything_is_measured()
a_part_that_fails_costs_none_of_the_others()
an_end_by_signal_leaves_nothing_behind()
stacks_become_a_graph()
the_suite_measures_and_reports()
print("ok")
