"""bench/end: daemon and load over the socket, durable, every verdict compared with the expected one."""
import contextlib
import json
import os
import statistics
import subprocess
import threading
import time

import daemon


JOURNAL = ("--segment-size", "64M", "--journal-keep", "512M")


def in_flight(batch, connections):
    return max(1, min(16, 65536 // (batch * connections)))


def run(options, figures, data):
    if options.store:
        with daemon.Daemon(options, running=options.store) as served:
            measure(options, figures, served, data)
        return
    with daemon.Folder(options, "end") as folder:
        with daemon.Daemon(options, folder, (*JOURNAL, *capacity(options))) as served:
            measure(options, figures, served, data)
    apart(options, figures)


def capacity(options):
    return ("--tokens-max", str(options.accounts * 2)) if options.accounts > 2000000 else ()


def measure(options, figures, served, data):
    first = served.status()
    data.update({"grid": [], "curve": [], "kernel": first["kernel"], "accounts": options.accounts, "own": served.pid is not None})
    # A store that is in use gets no profile of ours: nothing takes one away again.
    reach = () if options.store else daemon.TOTP_REACH
    data["reach"] = "1 back, 2 ahead, 20 far" if reach else "HOTP's default"
    with daemon.Load(options, served.store, options.accounts, reach) as load:
        figures.add("end", "enrolment through admin.sock", load.enrolment["enrolled"] / load.enrolment["seconds"], "accounts/s", "higher")
        latency_of_one(options, figures, load)
        grid(options, figures, served, load, data)
        latency_curve(options, figures, load, data)
        sustained(options, figures, served, load)
        if served.pid:
            figures.add("end", f"daemon's memory, {options.accounts:,} accounts", daemon.resident_bytes(served.pid) / options.accounts, "bytes an account", "lower",
                        "whole process, buffers and journal blocks included")
    if reach:
        far_reach(options, figures, served)
    last = served.status()
    figures.add("end", "segment rotations in this part", last["journal"]["rotations"] - first["journal"]["rotations"], "rotations", "")


def latency_of_one(options, figures, load):
    """Each repetition beside syncs of one block without the journal: on a busy machine both take a tick of the clock now and then. Medians both: a
    mean of syncs would hold each stall whole. A store elsewhere may be on another disk, whose syncs are not measured."""
    results, syncs = [], []
    for _ in range(options.repetitions):
        if not options.store:
            with daemon.Folder(options, "sync") as folder:
                done = subprocess.run([options.build / "bench/journal_bench", "--plain", folder, "0.25"], capture_output=True, text=True, check=True)
            syncs += json.loads(done.stdout)["p50_us"]
        results.append(load.run(batch=1, connections=1, in_flight=1, seconds=options.seconds, warmup=options.warmup))
    if syncs:
        figures.add("end", "one block written with data sync, p50, beside the next", syncs, "us", "lower")
    for part in ("p50", "p99"):
        figures.add("end", f"one client, one query in flight, {part}", [r["latency_us"][part] for r in results], "us", "lower")


def one(served, load, **named):
    """A run, with the daemon's processor time a verification."""
    before = daemon.cpu_s(served.pid) if served.pid else None
    result = load.run(**named)
    spent = daemon.cpu_s(served.pid) - before if served.pid else None
    result["daemon_cpu_ns"] = spent * 1e9 / result["answered_in_all"] if spent is not None and result["answered_in_all"] else None
    return result


def grid(options, figures, served, load, data):
    batches = (1, 16, 256, 1024, 4096)
    for batch in batches:
        for connections in options.connections:
            # Each connection walks its own accounts; and a session must not idle between two frames.
            if options.accounts < max(batch * connections // 4, connections):
                continue
            flight = in_flight(batch, connections)
            shape = f"batch {batch}, {connections} connections, {flight} in flight"
            closed = [one(served, load, batch=batch, connections=connections, in_flight=flight, seconds=options.seconds, warmup=options.warmup)
                      for _ in range(options.repetitions)]
            rate = figures.add("end", f"closed loop, {shape}", [r["verifications_per_s"] for r in closed], "verifications/s", "higher")["median"]
            row = {"batch": batch, "connections": connections, "in_flight": flight, "rate": rate, **medians(closed)}
            if batch in (1, 1024) and row["daemon_cpu_ns"]:
                figures.add("end", f"daemon's processor time, {shape}", [r["daemon_cpu_ns"] for r in closed], "ns a verification", "lower")
            # Half of what it can do: latency then is the engine's, not the queue's.
            opened = [load.run(batch=batch, connections=connections, in_flight=flight, rate=max(1, int(rate / 2)), seconds=options.seconds, warmup=options.warmup)
                      for _ in range(1 if options.quick else options.repetitions)]
            half = medians(opened)
            row["open_latency_us"], row["open_frames"], row["open_rate"] = half["latency_us"], half["frames"], rate / 2
            if batch in (1, 1024):
                figures.add("end", f"open loop at half of that rate, p99, {shape}", [r["latency_us"]["p99"] for r in opened], "us", "lower",
                            "from the time when a batch was due")
            data["grid"].append(row)


def median_of(results, name):
    values = [result[name] for result in results if result.get(name) is not None]
    return statistics.median(values) if values else None


def medians(results):
    """Of the repetitions of one shape, each quantity's own."""
    latencies = [result["latency_us"] for result in results]
    return {"latency_us": {name: statistics.median(latency[name] for latency in latencies) for name in latencies[0]},
            **{name: median_of(results, name) for name in ("load_cpu_ns", "daemon_cpu_ns", "frames")}}


def latency_curve(options, figures, load, data):
    """Offered load against latency, up to and past saturation, from the time when a batch was due."""
    batch, connections = 64, 16
    full = load.run(batch=batch, connections=connections, in_flight=64, seconds=options.seconds, warmup=options.warmup)["verifications_per_s"]
    for part in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1):
        results = [load.run(batch=batch, connections=connections, in_flight=64, rate=int(full * part), seconds=options.seconds, warmup=options.warmup)
                   for _ in range(options.repetitions if part == 0.5 else 1)]
        data["curve"].append({"offered": full * part, "reached": median_of(results, "verifications_per_s"), "part": part, "latency_us": medians(results)["latency_us"],
                              "unsent": max(result.get("unsent") or 0 for result in results)})
        if part == 0.5:
            figures.add("end", "p99 at half of the saturation rate, batch 64, 16 connections", [result["latency_us"]["p99"] for result in results], "us", "lower")
    data["curve_shape"] = f"frames of {batch}, {connections} connections"


def apart(options, figures):
    """Half of saturation and the best shape again: left to the scheduler, and with the verify thread held to either of two processors, the load and all else
    on the others. The disk's interrupt may land on one of the two."""
    everywhere = os.sched_getaffinity(0)
    cpus = sorted(everywhere)[:2]
    if len(cpus) < 2:
        return
    accounts, shape, best = min(options.accounts, 100000), {"batch": 64, "connections": 16, "in_flight": 64}, {"batch": 1024, "connections": 16, "in_flight": 4}
    ways = {"wherever the scheduler wants": None, **{f"--verify-cpus {cpu}, all else elsewhere": cpu for cpu in cpus}}
    with contextlib.ExitStack() as stack:
        loads = {}
        for way, cpu in ways.items():
            held = cpu is not None
            folder = stack.enter_context(daemon.Folder(options, "apart"))
            served = stack.enter_context(daemon.Daemon(options, folder, (*JOURNAL, *(("--verify-cpus", str(cpu)) if held else ()))))
            loads[way] = stack.enter_context(daemon.Load(options, served.store, accounts, daemon.TOTP_REACH, cpus=everywhere - {cpu} if held else None))
        full = loads["wherever the scheduler wants"].run(**shape, seconds=options.seconds, warmup=options.warmup)["verifications_per_s"]
        p99, rates = {way: [] for way in ways}, {way: [] for way in ways}
        for _ in range(options.repetitions):
            for way, load in loads.items():
                p99[way].append(load.run(**shape, rate=int(full / 2), seconds=options.seconds, warmup=options.warmup)["latency_us"]["p99"])
                rates[way].append(load.run(**best, seconds=options.seconds, warmup=options.warmup)["verifications_per_s"])
    for way in ways:
        figures.add("end", f"p99 at half of saturation, {way}, {accounts:,} accounts, batch 64, 16 connections, in turn", p99[way], "us", "lower")
        figures.add("end", f"closed loop, {way}, {accounts:,} accounts, batch 1024, 16 connections, 4 in flight, in turn", rates[way], "verifications/s", "higher")


def far_reach(options, figures, served):
    """HOTP's default profile looks 10 steps ahead and 100 far: what that costs of the best shape."""
    accounts = min(options.accounts, 1000000)
    with daemon.Load(options, served.store, accounts) as load:
        results = [load.run(batch=1024, connections=16, in_flight=4, seconds=options.seconds, warmup=options.warmup) for _ in range(options.repetitions)]
    figures.add("end", f"closed loop, HOTP's default profile, {accounts:,} accounts, batch 1024, 16 connections, 4 in flight", [r["verifications_per_s"] for r in results],
                "verifications/s", "higher", "10 steps ahead, 100 far")


def sustained(options, figures, served, load):
    """The best shape for longer, over more than 20 rotations where the time allows."""
    seconds, rotations = options.sustained_s, served.status()["journal"]["rotations"]
    with SealWatch(served) as watch:
        result = one(served, load, batch=1024, connections=16, in_flight=4, seconds=seconds, warmup=options.warmup)
    rotations = served.status()["journal"]["rotations"] - rotations
    accepted = result["accepted"] / max(1, sum(result[verdict] for verdict in ("accepted", "rejected", "replayed", "throttled", "resync")))
    figures.add("end", f"sustained for {seconds:g} s, batch 1024, 16 connections", result["verifications_per_s"], "verifications/s", "higher",
                f"{rotations} segment rotations, {accepted:.1%} ACCEPTED")
    figures.add("end", "accepted of those", 100 * accepted, "%", "")
    figures.add("end", "load's own processor time, sustained", result["load_cpu_ns"], "ns a verification", "lower")
    if result["daemon_cpu_ns"]:
        figures.add("end", "daemon's processor time, sustained", result["daemon_cpu_ns"], "ns a verification", "lower")
    if watch.ages_s:
        figures.add("end", "age of the oldest unsealed record, sustained, at most", max(watch.ages_s), "s", "lower",
                    "looked at twice a second; a seal is due every second")


class SealWatch:
    """How far the seals are behind while something else runs: the status names the last position that is durable and the last that is sealed. Asked
    twice a second, and what is durable then counts from the look before: an age may be half a second too large. The log's own last record, a few
    KiB, stays unsealed until something else comes: no lag."""

    def __init__(self, served):
        self.served, self.ages_s, self.over, self.failed = served, [], threading.Event(), None
        self.thread = threading.Thread(target=self.look, daemon=True)

    def look(self):
        durable_at, before = [], time.monotonic()
        try:
            while not self.over.wait(0.5):
                status, now = self.served.status(), time.monotonic()
                positions = status["positions"]
                durable_at = [(position, at) for position, at in durable_at if position > positions["sealed"]] + [(positions["durable"], before)]
                before = now
                if status["journal"]["unsealed_bytes"] < 1 << 20:
                    durable_at = []
                self.ages_s.append(now - durable_at[0][1] if durable_at else 0.0)
        except (OSError, subprocess.CalledProcessError, ValueError) as error:
            self.failed = error

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        if self.failed:
            raise RuntimeError(f"the daemon's status was not to be had: {self.failed}")
