"""bench/end with 0, 1, 3 and 10 ms added to every sync: on ext4 on a loop device over a file system in memory, whose sync
is delayed (end/slow_fs.c). io_uring passes by libc, so the delay must lie beneath the file system."""
import os
import subprocess

import daemon


def run(options, figures, data):
    device = options.root / "tests/e2e/power_cut_device.sh"
    program = options.build / "bench/slow_fs"
    if os.geteuid() != 0 or not program.exists():
        figures.note("slow", "added sync delays were not measured: they need root, FUSE and loop devices")
        return
    rows = data["rows"] = []
    for added_ms in (0, 1, 3, 10):
        with daemon.Folder(options, "slow") as folder:
            environment = dict(os.environ, FORGET_FS=str(program), SLOW_SYNC_MS=str(added_ms), DEVICE_DIR=str(folder))
            try:
                up = subprocess.run([device, "up", folder, "1500"], env=environment, capture_output=True, text=True, check=False)
                if up.returncode:
                    figures.note("slow", f"added sync delays were not measured: {up.stdout.strip() or up.stderr.strip()}")
                    return
                mount = folder / "mount/bench"
                mount.mkdir()
                with daemon.Daemon(options, mount, ("--segment-size", "16M", "--journal-keep", "64M")) as served:
                    with daemon.Load(options, served.store, min(options.accounts, 20000)) as load:
                        rows.append(slow_point(options, figures, load, added_ms))
            finally:
                subprocess.run([device, "down"], env=environment, capture_output=True, check=False)


def slow_point(options, figures, load, added_ms):
    note = "ext4 on a loop device over FUSE, in memory: compare with 0 ms added, not with a real disk"
    row = {"added_ms": added_ms}
    for batch, connections, flight in ((1, 1, 1), (1, 256, 16), (16, 16, 16), (1024, 16, 4)):
        results = [load.run(batch=batch, connections=connections, in_flight=flight, seconds=options.seconds, warmup=options.warmup) for _ in range(options.repetitions)]
        name = f"{added_ms} ms added to each sync, batch {batch}, {connections} connections, {flight} in flight"
        row[f"{batch}x{connections}"] = figures.add("slow", name, [r["verifications_per_s"] for r in results], "verifications/s", "higher", note)["median"]
        if connections == 1:
            row["p50_us"] = figures.add("slow", name + ", p50", [r["latency_us"]["p50"] for r in results], "us", "lower", note)["median"]
    return row
