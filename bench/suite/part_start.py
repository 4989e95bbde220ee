"""bench/start: how long otpringd takes from being started until verify.sock is there and admin.sock answers, with a store that is in memory and with one that
comes from the disk. The store is that of a load which was killed: as many accounts as the other parts have, each with a sealed seed; the daemon was stopped
in peace, so all of them stand in its checkpoint."""
import os
import time

import daemon
import part_end

REPETITIONS_MAX = 5


def run(options, figures, data):
    if options.store:
        figures.note("start", "a daemon that runs elsewhere is not started again")
        return
    extra = part_end.capacity(options)
    with daemon.Folder(options, "start") as folder:
        with daemon.Daemon(options, folder, extra) as served:
            load = daemon.Load(options, served.store, options.accounts, daemon.TOTP_REACH)
            load.process.kill()
            load.process.wait()
            tokens = served.status()["tokens"]
        for state in ("in memory", "from a cold disk"):
            times = [started(options, folder, extra, state) for _ in range(min(options.repetitions, REPETITIONS_MAX))]
            figures.add("start", f"{tokens:,} tokens, store {state}", times, "s", "lower")
            figures.add("start", f"tokens a second, {tokens:,} tokens, store {state}", [tokens / seconds for seconds in times], "tokens/s", "higher")
        data["tokens"] = tokens


def started(options, folder, extra, state):
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in files:
        if state == "in memory":
            read_through(path)
        else:
            put_out(path)
    begin = time.monotonic()
    with daemon.Daemon(options, folder, extra):
        return time.monotonic() - begin


def read_through(path):
    with open(path, "rb") as file:
        while file.read(1 << 20):
            pass


def put_out(path):
    """Out of the system's memory; what was written is on the disk first."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
