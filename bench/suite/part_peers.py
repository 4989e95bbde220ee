"""bench/peers: others doing the job, on this machine, in this run, on the load's own tokens. Each is installed from its
registry, listens on loopback or a Unix socket only, and is ended by its process. What is missing is said, not failed."""
import hashlib
import hmac
import json
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import time

import daemon

TOKENS = 50000


def run(options, figures, data):
    del data
    with daemon.Folder(options, "peers") as folder:
        tokens = folder / "tokens"
        with open(tokens, "w", encoding="ascii") as file:
            subprocess.run([options.build / "bench/peer_tokens", str(TOKENS), "otpring-load-bench", "1"], stdout=file, check=True)
        for peer in (libraries, redis, freeradius, pam, node, otpring):
            try:
                peer(options, figures, folder, tokens)
            except (OSError, subprocess.SubprocessError, RuntimeError, ValueError) as error:
                # A peer that does not do its job is no fault of the run; otpring is.
                figures.note("peers", f"{peer.__name__} was not measured: {error}", failed=peer is otpring)


def program_of(name):
    """Servers stand where an ordinary user's PATH does not look."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin")


def libraries(options, figures, folder, tokens):
    """One core, in a loop, nothing stored."""
    del folder
    done = subprocess.run([options.build / "bench/hash_peers", tokens, str(options.seconds / 4), str(options.repetitions)], capture_output=True, text=True, check=True)
    names = set()
    for row in map(json.loads, done.stdout.splitlines()):
        names.add(row["peer"])
        figures.add("peers", f"{row['peer']}, in a loop on one core, nothing stored", row["rates"], "verifications/s", "higher")
    if "intel-ipsec-mb" not in names:
        figures.note("peers", "intel-ipsec-mb is not installed")


def redis(options, figures, folder, tokens):
    """SET otp:user:step 1 NX EX 90 with a synced append-only file, and the HMAC in the client."""
    program = program_of("redis-server")
    if not program:
        figures.note("peers", "Redis is not installed")
        return
    path = folder / "redis.sock"
    command = [program, "--port", "0", "--unixsocket", path, "--dir", folder, "--save", "", "--appendonly", "yes", "--appendfsync", "always"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            await_path(path, server)
            for connections, pipeline in ((16, 256), (16, 16), (1, 1)):
                before, rates, cpu = daemon.cpu_s(server.pid), [], []
                for _ in range(options.repetitions):
                    done = subprocess.run([options.build / "bench/redis_web", path, tokens, str(connections), str(pipeline), str(options.seconds)],
                                          capture_output=True, text=True, check=True, timeout=120)
                    result = json.loads(done.stdout)
                    rates.append(result["verifications_per_s"])
                    cpu.append(result["client_cpu_ns"])
                figures.add("peers", f"Redis: HMAC in the client, then SET NX EX, synced; {connections} connections, pipeline {pipeline}", rates,
                            "verifications/s", "higher", f"server {daemon.cpu_s(server.pid) - before:.1f} s of processor time in all")
        finally:
            daemon.end(server)


def await_path(path, process):
    for _ in range(200):
        if path.exists():
            return
        if process.poll() is not None:
            raise RuntimeError(f"it ended with status {process.returncode}")
        time.sleep(0.05)
    raise RuntimeError(f"{path.name} did not appear")


def read_tokens(tokens, count):
    with open(tokens, encoding="ascii") as file:
        return [line.split() for line, _ in zip(file, range(count))]


def code_now(seed_hex):
    digest = hmac.new(bytes.fromhex(seed_hex), struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    offset = digest[19] & 15
    return (struct.unpack(">I", digest[offset:offset + 4])[0] & 0x7FFFFFFF) % 1000000


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def freeradius(options, figures, folder, tokens):
    program, client = program_of("freeradius"), program_of("radclient")
    if not program or not client:
        figures.note("peers", "FreeRADIUS is not installed")
        return
    own, port = folder / "radius", free_port()
    own.mkdir()
    (own / "dictionary").touch()
    rows = read_tokens(tokens, 2000)
    template = (options.root / "bench/peers/radiusd.conf.in").read_text(encoding="utf-8")
    (own / "radiusd.conf").write_text(template.replace("@DIR@", str(own)).replace("@PORT@", str(port)), encoding="utf-8")
    (own / "users").write_text("".join(f'{user} TOTP-Secret := "{base32}"\n' for user, _, base32 in rows), encoding="ascii")
    with open(own / "log", "w", encoding="utf-8") as log, subprocess.Popen([program, "-f", "-d", own, "-n", "radiusd", "-l", "stdout"],
                                                                          stdout=log, stderr=log) as server:
        try:
            await_text(own / "log", "Ready to process requests", server)
            rates = []
            for _ in range(options.repetitions):
                (own / "requests").write_text("\n".join(f'User-Name = "{user}", User-Password = "{code_now(seed):06d}"\n' for user, seed, _ in rows), encoding="ascii")
                begin = time.monotonic()
                done = subprocess.run([client, "-q", "-s", "-r", "1", "-t", "1", "-p", "64", "-c", "5" if options.quick else "20", "-f", own / "requests",
                                       f"127.0.0.1:{port}", "auth", "otpring-bench"], capture_output=True, text=True, check=False, timeout=60)
                passed = time.monotonic() - begin
                accepted = re.search(r"Accepted\s*:\s*(\d+)", done.stdout)
                if not accepted or not int(accepted[1]):
                    raise RuntimeError(f"radclient had nothing accepted: {(done.stderr or done.stdout).strip()[-200:]}")
                rates.append(int(accepted[1]) / passed)
            figures.add("peers", "FreeRADIUS rlm_totp, radclient with 64 in flight", rates, "verifications/s", "higher",
                        "it accepts the same code again: nothing is stored; radclient's own start is in the time")
        finally:
            daemon.end(server)


def await_text(path, text, process):
    for _ in range(200):
        if text in path.read_text(encoding="utf-8", errors="replace"):
            return
        if process.poll() is not None:
            said = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise RuntimeError(f"it ended: {said[-1] if said else 'without a word'}")
        time.sleep(0.05)
    raise RuntimeError("it did not get ready")


def pam(options, figures, folder, tokens):
    """HOTP, since a time-based code would do for one login alone; the module rewrites its file of users each time."""
    program = options.build / "bench/pam_peer"
    modules = list(pathlib.Path("/lib").glob("*/security/pam_oath.so"))
    if not program.exists() or not modules:
        figures.note("peers", "pam_oath is not installed")
        return
    for count in (1, 1000, 20000 if options.quick else TOKENS):
        own = folder / f"pam-{count}"
        own.mkdir()
        users = own / "users"
        users.write_text("".join(f"HOTP {user} - {seed}\n" for user, seed, _ in read_tokens(tokens, count)), encoding="ascii")
        users.chmod(0o600)
        (own / "otpring-bench").write_text(f"auth required {modules[0]} usersfile={users} window=5 digits=6\n", encoding="ascii")
        done = subprocess.run([program, own, users, "u0", str(options.seconds)], capture_output=True, text=True, check=True, timeout=120)
        figures.add("peers", f"pam_oath, file of {count:,} users", json.loads(done.stdout)["verifications_per_s"], "verifications/s", "higher")


def node(options, figures, folder, tokens):
    program, npm, wrk = (shutil.which(name) for name in ("node", "npm", "wrk"))
    if not program or not npm or not wrk:
        figures.note("peers", "Node, npm or wrk is not installed")
        return
    own = options.build / "peers-node"
    own.mkdir(exist_ok=True)
    for name in ("package.json", "server.mjs"):
        shutil.copy(options.root / "bench/peers/node" / name, own)
    if not (own / "node_modules/otplib").exists():
        if not options.installs:
            figures.note("peers", "otplib is not installed beside the build that was given")
            return
        done = subprocess.run([npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=own, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode:
            raise RuntimeError("npm could not install otplib")
    small = folder / "tokens-node"
    rows = read_tokens(tokens, 2000)
    small.write_text("".join(" ".join(row) + "\n" for row in rows), encoding="ascii")
    with subprocess.Popen([program, own / "server.mjs", small], stdout=subprocess.PIPE, text=True) as server:
        try:
            port = int(server.stdout.readline())
            rates = []
            for _ in range(options.repetitions):
                paths = ",".join(f'"/verify?user={user}&code={code_now(seed):06d}"' for user, seed, _ in rows)
                script = folder / "paths.lua"
                script.write_text(f"local paths = {{{paths}}}\nlocal at = 0\nrequest = function()\n  at = at % #paths + 1\n  return wrk.format('GET', paths[at])\nend\n",
                                  encoding="ascii")
                done = subprocess.run([wrk, "-t1", "-c32", f"-d{max(1, round(options.seconds))}s", "-s", script, f"http://127.0.0.1:{port}"],
                                      capture_output=True, text=True, check=True, timeout=60)
                if "Non-2xx" in done.stdout:  # the thirty seconds ended on the way: one more step is still taken, so this is a bug
                    raise RuntimeError("it refused right codes")
                rates.append(float(re.search(r"Requests/sec:\s*([\d.]+)", done.stdout)[1]))
            figures.add("peers", "Node http server with otplib, wrk with 32 connections", rates, "verifications/s", "higher", "nothing durable")
        finally:
            daemon.end(server)


def otpring(options, figures, folder, tokens):
    """The same tokens: the same company and seed make the same secrets."""
    del tokens
    own = folder / "otpring"
    own.mkdir()
    with daemon.Daemon(options, own, ("--segment-size", "64M", "--journal-keep", "512M")) as served:
        with daemon.Load(options, served.store, TOKENS, ("--company", "otpring-load-bench", "--seed", "1", *daemon.TOTP_REACH)) as load:
            for batch, connections, flight in ((1024, 16, 4), (1, 256, 16), (1, 1, 1)):
                results = [load.run(batch=batch, connections=connections, in_flight=flight, seconds=options.seconds, warmup=options.warmup) for _ in range(options.repetitions)]
                figures.add("peers", f"otpring, durable, batch {batch}, {connections} connections, {flight} in flight",
                            [r["verifications_per_s"] for r in results], "verifications/s", "higher")
