#!/usr/bin/env python3
"""The bench suite, very shortly: it measures, writes JSON and a report that needs no network, and compares honestly."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(sys.argv[1]).resolve().parent
sys.path.insert(0, str(ROOT / "bench/suite"))
sys.dont_write_bytecode = True

import figures  # noqa: E402  pylint: disable=wrong-import-position
import flame  # noqa: E402  pylint: disable=wrong-import-position


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
    check(figures.compare(figure([1, 1, 1], "lower", "ns"), figure([2, 2, 2], "lower", "ns"))[0]["word"] == "slower", "twice the time is not called slower")
    check(figures.compare(figure([1.0]), figure([2.0]))[0]["word"] == "too few repetitions", "one repetition proves something")


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
stacks_become_a_graph()
the_suite_measures_and_reports()
print("ok")
