"""bench/profile: where the daemon's time goes end to end: top functions, shares of the parts, a flame graph."""
import collections
import os
import re
import shutil
import signal
import subprocess
import time

import daemon
import flame
import part_end

# What a folder of the source is called here. The issue of the day: nothing outside the ALLOWED above 5 %.
ROOMS = {"kernel": "kernel: HMAC", "table": "table", "journal": "journal", "server": "socket: otpringd", "os": "socket: otpringd",
         "vault": "vault: frame MAC and seals", "core": "core: sessions, candidates, judging"}
STAGES = "kernel: lookups, judging and records, many at once"
SYSTEM = "socket, ring, disk: operating system"
OTHERS = [
    (r"^(avx512|avx2|sha_ni|simd128|portable)_sha256_many", ROOMS["journal"]),  # of the seals
    (r"^(avx512|avx2|sha_ni|simd128|portable)_sha", ROOMS["kernel"]),
    (r"\[k\]$", SYSTEM), (r"^\[libcrypto", ROOMS["vault"]), (r"^\[liburing|^io_uring", ROOMS["os"]), (r"^XXH|^\[libxxhash", ROOMS["journal"]), (r"^\[liblmdb|^mdb_", "store: LMDB")]
ATTACHED_S = 0.3  # until perf surely counts; an idle worker calls once a second
ALLOWED = (ROOMS["kernel"], STAGES, ROOMS["table"], ROOMS["journal"], ROOMS["server"], SYSTEM)


def symbols(root):
    """Which room a function is of, by where it is defined."""
    known = {}
    # Should two rooms have a function of one name, the stages' is meant, which are called through pointers; then the verify path's.
    for path in sorted(root.glob("engine/*/*.[ch]"), key=lambda path: (not path.name.startswith("stages"), path.parent.name not in ROOMS, str(path))):
        for found in re.finditer(r"^(?:static |inline |MUST_USE )*(?:struct |enum |const |unsigned )*\w+[ *]+(\w+)\([^;]*$", path.read_text(encoding="utf-8"), re.M):
            known.setdefault(found[1], STAGES if path.name.startswith("stages") else ROOMS.get(path.parent.name, path.parent.name))
    return known


def run(options, figures, data):
    if not shutil.which("perf"):
        figures.note("profile", "perf is not installed")
        return
    if options.store:
        figures.note("profile", "a daemon that runs elsewhere is not profiled")
        return
    with daemon.Folder(options, "profile") as folder:
        with daemon.Daemon(options, folder, ("--segment-size", "64M", "--journal-keep", "512M", *part_end.capacity(options))) as served:
            with daemon.Load(options, served.store, min(options.accounts, 1000000), daemon.TOTP_REACH) as load:
                load.run(batch=1024, connections=16, in_flight=4, seconds=0.5, warmup=0)
                system_calls(options, figures, served, load)
                recorded, said = folder / "perf.data", folder / "perf.said"
                with open(said, "w", encoding="utf-8") as file:
                    recording = subprocess.Popen(["perf", "record", "-q", "-e", "cpu-clock", "-F", "499", "--call-graph", "dwarf,8192", "-p", str(served.pid), "-o", recorded],
                                                 stderr=file, stdout=subprocess.DEVNULL)
                try:
                    load.run(batch=1024, connections=16, in_flight=4, seconds=max(2, options.seconds), warmup=options.warmup)
                finally:
                    daemon.end(recording)
        script = subprocess.run(["perf", "script", "--no-inline", "-i", recorded, "-F", "comm,ip,sym,dso"], capture_output=True, text=True, check=False).stdout
        why = said.read_text(encoding="utf-8", errors="replace").strip()
    stacks = flame.read(script)
    if not stacks:
        figures.note("profile", f"perf recorded nothing: {why or 'it did not say why'}")
        return
    data.update(summary(figures, stacks, symbols(options.root)))


def system_calls(options, figures, served, load):
    """What the verify worker asks of the kernel, beside how many frames a turn takes in."""
    worker = next(thread for thread in os.listdir(f"/proc/{served.pid}/task") if comm_of(served.pid, thread) == "verify")
    for batch, connections, in_flight in ((1, 256, 16), (16, 16, 16), (1024, 16, 4)):
        load.run(batch=batch, connections=connections, in_flight=in_flight, seconds=0.2, warmup=0)
        counting = subprocess.Popen(["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-t", worker], stderr=subprocess.PIPE, text=True)
        try:
            time.sleep(ATTACHED_S)
            turns = served.status()["turns"]
            result = load.run(batch=batch, connections=connections, in_flight=in_flight, seconds=max(1, options.seconds), warmup=0)
            turns = served.status()["turns"] - turns
        finally:
            counting.send_signal(signal.SIGINT)
            said = counting.communicate()[1]
        counted = re.search(r"^(\d+),.*sys_enter", said, re.M)
        if not counted:
            figures.note("profile", "system calls were not counted: perf may not use tracepoints here (root may)")
            return
        shape = f"batch {batch}, {connections} connections, {in_flight} in flight"
        figures.add("profile", f"system calls of the verify worker, {shape}", int(counted[1]) / turns, "a turn", "lower")
        figures.add("profile", f"frames, {shape}", result["frames"] / turns, "a turn", "")


def comm_of(pid, thread):
    with open(f"/proc/{pid}/task/{thread}/comm", encoding="utf-8") as file:
        return file.read().strip()


def summary(figures, stacks, known):
    functions, rooms = collections.Counter(), collections.Counter()
    total = sum(stacks.values())
    for stack, count in stacks.items():
        functions[stack[-1]] += count
        rooms[room_of(stack[-1], known)] += count
    top = [{"function": name, "percent": 100 * count / total, "room": room_of(name, known)} for name, count in functions.most_common(25)]
    for name, count in rooms.most_common():
        figures.add("profile", f"share of {name}", 100 * count / total, "%", "")
    return {"top": top, "rooms": {name: 100 * count / total for name, count in rooms.most_common()},
            "outside": [entry for entry in top if entry["percent"] > 5 and entry["room"] not in ALLOWED],
            "flame": flame.render(stacks), "samples": total}


def room_of(name, known):
    for pattern, room in OTHERS:
        if re.search(pattern, name):
            return room
    # The compiler's clones carry a suffix.
    return known.get(name.split(".")[0], "libraries")
