"""bench/floor: what the parts cost without the whole, in the same run.

Per verification: the kernel alone (one core), the socket alone (server's side and client's side, echo of frames of the
same size), the journal alone (this disk, blocks of the same size). Their sum, as if one were done after the other, is
the floor that the whole is compared with; with the kernel's step as it is alone, and as it is while another processor
does the same."""
import json
import os
import statistics
import subprocess
import time

import daemon


def run(options, figures, data):
    data["echo"] = echo(options, figures)
    ceiling(options, figures)
    journal(options, figures)
    yielding(options, figures)
    kernel(options, figures)


def echo(options, figures):
    rows = []
    with daemon.Folder(options, "floor") as folder:
        with subprocess.Popen([options.build / "bench/null_server", folder]) as server:
            try:
                await_socket(folder / "verify.sock")
                for batch, connections, in_flight in shapes(options):
                    row = {"batch": batch, "connections": connections, "in_flight": in_flight}
                    rates, server_ns, client_ns, p50 = [], [], [], []
                    for _ in range(options.repetitions):
                        before = daemon.cpu_s(server.pid)
                        done = subprocess.run([options.build / "bench/echo_load", folder / "verify.sock", str(batch), str(connections),
                                               str(in_flight), str(options.seconds / 2)], capture_output=True, text=True, check=True)
                        result = json.loads(done.stdout)
                        rates.append(result["records_per_s"])
                        # The server's time includes the warm-up, a fifth on top.
                        server_ns.append((daemon.cpu_s(server.pid) - before) * 1e9 / (result["records"] * 1.2))
                        client_ns.append(result["client_cpu_ns"])
                        p50.append(result["p50_us"])
                    shape = f"batch {batch}, {connections} connections, {in_flight} in flight"
                    row["rate"] = figures.add("floor", f"socket echo, {shape}", rates, "records/s", "higher")["median"]
                    row["server_ns"] = figures.add("floor", f"socket echo, server's side, {shape}", server_ns, "ns a record", "lower")["median"]
                    row["client_ns"] = figures.add("floor", f"socket echo, client's side, {shape}", client_ns, "ns a record", "lower")["median"]
                    if in_flight == 1:
                        figures.add("floor", f"socket round trip p50, {shape}", p50, "us", "lower")
                    rows.append(row)
            finally:
                daemon.end(server)
    return rows


def shapes(options):
    some = [(1, 1, 1), (1, 256, 16), (1024, 16, 4)]
    return some if options.quick else some + [(16, 16, 16), (256, 16, 4), (1024, 1, 4), (4096, 16, 1)]


def ceiling(options, figures):
    """The load generator against a server that does nothing."""
    with daemon.Folder(options, "ceiling") as folder:
        with subprocess.Popen([options.build / "bench/null_server", folder]) as server:
            try:
                await_socket(folder / "verify.sock")
                with daemon.Load(options, folder, options.accounts, ("--mix", "right:1")) as load:
                    for batch, connections, in_flight in ((1024, 16, 4), (1, 256, 16)):
                        results = [load.run(batch=batch, connections=connections, in_flight=in_flight, seconds=options.seconds / 2, warmup=options.warmup)
                                   for _ in range(options.repetitions)]
                        shape = f"batch {batch}, {connections} connections, {in_flight} in flight"
                        figures.add("floor", f"otpring-load alone, {shape}", [r["verifications_per_s"] for r in results], "verifications/s", "higher")
                        figures.add("floor", f"otpring-load's own cost, {shape}", [r["load_cpu_ns"] for r in results], "ns a verification", "lower")
            finally:
                daemon.end(server)


def await_socket(path):
    for _ in range(100):
        if path.exists():
            return
        time.sleep(0.05)
    raise RuntimeError(f"{path.name} did not appear")


def journal(options, figures):
    with daemon.Folder(options, "journal") as folder:
        done = subprocess.run([options.build / "bench/journal_bench", "--json", folder, str(options.seconds)], capture_output=True, text=True, check=True)
    for row in map(json.loads, done.stdout.splitlines()):
        how = "one write with data sync at a time, no journal" if row["depth"] == 0 else f"depth {row['depth']}"
        figures.add("floor", f"journal, {row['records']} records a block, {how}", row["rates"], "records/s", "higher")


def yielding(options, figures):
    """A synced write of a worker that looks at its ring after each piece of work, alone and beside a thread that never gives its processor up:
    where that is the one of the disk's interrupt, the kernel's threads wait there until a tick."""
    with daemon.Folder(options, "yield") as folder:
        command = [options.build / "bench/yield_bench", "--json", folder, str(max(0.05, options.seconds / 4 / options.repetitions))]
        said = [subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines() for _ in range(options.repetitions)]
    for rows in zip(*(map(json.loads, lines) for lines in said)):
        row = rows[0]
        how = {"asleep": "asleep meanwhile", "no work": "looking at the ring without a pause"}.get(row["piece"], f"working in pieces of {row['piece']}")
        beside = "" if row["second_thread"] is None else f", beside a thread that never gives processor {row['second_thread']} up"
        figures.add("floor", f"one block written with data sync, p50, by a thread {how}{beside}", [row["p50_us"] for row in rows], "us", "lower")


def kernel(options, figures):
    """One step of SHA-1 on tokens in cache (hash_peers measures it beside the peers): on one processor alone, and on two at once. In the whole, daemon
    and load are both at work; where two processors are two threads of one core, each then does what its share allows."""
    with daemon.Folder(options, "kernel") as folder:
        tokens = folder / "tokens"
        with open(tokens, "w", encoding="ascii") as file:
            subprocess.run([options.build / "bench/peer_tokens", "4800", "otpring-load-bench", "1"], stdout=file, check=True)
        command = [options.build / "bench/hash_peers", tokens, "0.1", str(options.repetitions), "kernel"]
        alone = rates_of(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        both = beside(command)
    figures.add("floor", "kernel: one candidate step, in cache", [1e9 / rate for rate in alone], "ns a verification", "lower")
    if len(both) < 2:
        figures.note("floor", "one processor: what two do together was not measured")
        return
    figures.add("floor", "kernel: one candidate step, a second processor doing the same", [1e9 / rate for rates in both for rate in rates], "ns a verification", "lower")
    figures.add("floor", "kernel: what two processors do together, against one", [sum(pair) / statistics.median(alone) for pair in zip(*both)], "x", "higher")


def rates_of(output):
    return json.loads(output.splitlines()[-1])["rates"]


def beside(command):
    """The rates of two that run at once, each on a processor of its own."""
    places = sorted(os.sched_getaffinity(0))[:2]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=lambda place=place: os.sched_setaffinity(0, {place})) for place in places]
    return [rates_of(process.communicate()[0]) for process in started]
