"""bench/profile: where the daemon's time goes end to end: top functions, shares of the parts, a flame graph."""
import collections
import os
import re
import shutil
import subprocess

import daemon
import flame

# In order: the first that matches a function's name or library takes it.
ROOMS = [
    ("kernel: HMAC", r"sha1_|sha256_|sha512_|sha_ni|portable_|avx|kernel_"),
    ("socket, ring, disk: operating system", r"\[k\]"),
    ("table", r"table_|index_"),
    ("journal", r"journal|format_|XXH|merkle|spare|settle"),
    ("socket: otpringd", r"server|connection|intake|output|wire_|os_uring|uring|on_recv|on_send"),
    ("frame MAC and seals: libcrypto", r"libcrypto|vault_|SHA256"),
]
ALLOWED = ("kernel: HMAC", "socket, ring, disk: operating system", "table", "journal", "socket: otpringd")


def run(options, figures):
    if not shutil.which("perf"):
        figures.note("profile", "perf is not installed")
        return {}
    if options.store:
        figures.note("profile", "a daemon that runs elsewhere is not profiled")
        return {}
    with daemon.Folder(options, "profile") as folder:
        with daemon.Daemon(options, folder, ("--segment-size", "64M", "--journal-keep", "512M")) as served:
            with daemon.Load(options, served.store, options.accounts) as load:
                load.run(batch=1024, connections=16, in_flight=4, seconds=0.5, warmup=0)
                data = folder / "perf.data"
                recording = subprocess.Popen(["perf", "record", "-q", "-e", "cpu-clock", "-F", "1999", "-g", "-p", str(served.pid), "-o", data],
                                             stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
                load.run(batch=1024, connections=16, in_flight=4, seconds=max(2, options.seconds), warmup=options.warmup)
                daemon.end(recording)
        script = subprocess.run(["perf", "script", "-i", data, "-F", "comm,ip,sym,dso"], capture_output=True, text=True, check=False).stdout
    stacks = flame.read(script)
    if not stacks:
        figures.note("profile", "perf recorded nothing")
        return {}
    return summary(figures, stacks)


def summary(figures, stacks):
    functions, rooms = collections.Counter(), collections.Counter()
    total = sum(stacks.values())
    for stack, count in stacks.items():
        functions[stack[-1]] += count
        rooms[room_of(stack[-1])] += count
    top = [{"function": name, "percent": 100 * count / total, "room": room_of(name)} for name, count in functions.most_common(25)]
    for name, count in rooms.most_common():
        figures.add("profile", f"share of {name}", 100 * count / total, "%", "")
    return {"top": top, "rooms": {name: 100 * count / total for name, count in rooms.most_common()},
            "outside": [entry for entry in top if entry["percent"] > 5 and entry["room"] not in ALLOWED],
            "flame": flame.render(stacks), "samples": total}


def room_of(name):
    for room, pattern in ROOMS:
        if re.search(pattern, name):
            return room
    return "core: sessions, candidates, judging" if not name.startswith("[") else "library without symbols"
