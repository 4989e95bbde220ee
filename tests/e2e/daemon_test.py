#!/usr/bin/env python3
"""The daemon as its keepers see it: readiness, file modes, signals, reloads, inherited sockets, who is let in, and the sandbox."""
import os
import pathlib
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time

from harness import ACCEPTED, PROGRAMS, UNAVAILABLE, Closed, Store, Wire, hotp, query, seeds_for

COMPANY = "Bank"
ERROR, PING, PONG, TIMEOUT, NO_RIGHT = 7, 10, 11, 13, 7


def wait_for(what, condition, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("in vain waited for: " + what)


def ready_is_told_after_the_sockets_answer(store):
    path = store.base / "notify.sock"
    notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notices.bind(str(path))
    notices.settimeout(30)
    store.start(env={"NOTIFY_SOCKET": str(path)})
    told = ""
    while "READY=1" not in told:
        told = notices.recv(4096).decode()
    store.wire().close()
    store.daemon.send_signal(signal.SIGTERM)
    told = ""
    while "STOPPING=1" not in told:
        told = notices.recv(4096).decode()
    assert store.daemon.wait(30) == 0
    store.daemon = None
    notices.close()
    assert not (store.path / "verify.sock").exists() and not (store.path / "admin.sock").exists()


def sockets_have_the_modes_asked_for(store):
    store.start("--verify-mode", "0660")
    assert stat.S_IMODE(os.stat(store.path / "verify.sock").st_mode) == 0o660
    assert stat.S_IMODE(os.stat(store.path / "admin.sock").st_mode) == 0o600
    store.stop()


def a_stale_socket_is_replaced_and_a_live_one_is_not(store):
    store.start()
    store.kill()
    assert (store.path / "verify.sock").exists()
    store.start()
    done = subprocess.run([PROGRAMS / "otpringd", "--store", store.path, *store.flags], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1 and "another process has this store open" in done.stderr, done
    store.wire().close()
    store.stop()
    other = socket.socket(socket.AF_UNIX)
    other.bind(str(store.path / "verify.sock"))
    other.listen()
    done = subprocess.run([PROGRAMS / "otpringd", "--store", store.path, *store.flags], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1 and "another process listens on this socket" in done.stderr, done
    other.close()
    os.unlink(store.path / "verify.sock")
    (store.path / "verify.sock").write_text("not a socket")
    done = subprocess.run([PROGRAMS / "otpringd", "--store", store.path, *store.flags], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1 and (store.path / "verify.sock").read_text() == "not a socket", done
    (store.path / "verify.sock").unlink()


def sigterm_answers_what_is_in_flight(store, seeds):
    """Every frame sent before the stop gets its answers or none at all; after a restart the session tells the same."""
    store.start()
    wire = store.wire()
    users = list(seeds)
    answered = {}

    def read():
        try:
            while True:
                tag, answers = wire.answers()
                answered[tag] = [a[0] for a in answers]
        except (Closed, socket.timeout):
            pass

    reader = threading.Thread(target=read)
    reader.start()
    frames = [[query(COMPANY, user, hotp(seeds[user], 0)) for user in users[i * 50:i * 50 + 50]] for i in range(20)]
    for slot, items in enumerate(frames):
        wire.send(wire.frame(slot, 1, items, tag=slot + 1))
    store.stop()
    reader.join()
    store.start()
    again = store.wire(session=wire.session)
    assert again.resumed == 1, "the session did not outlive the restart"
    for slot, items in enumerate(frames):
        verdicts = [a[0] for a in again.ask(slot, 1, items)]
        before = answered.get(slot + 1, verdicts)
        assert all(b in (v, UNAVAILABLE) for b, v in zip(before, verdicts)), (slot, before, verdicts)
        assert verdicts == [ACCEPTED] * 50, verdicts
    print(f"counted: {len(answered)} of 20 frames were answered before the stop, all 20 after")
    store.stop()


def sighup_reloads_clients_and_says_what_needs_a_restart(store):
    config = store.base / "otpringd.conf"
    config.write_text("[otpringd]\nworkers = 1\n")
    store.start("--config", str(config))
    wire = store.wire()
    config.write_text(f"[otpringd]\nworkers = 2\n[client here]\nuid = {os.geteuid()}\nrights = ask\n")
    store.daemon.send_signal(signal.SIGHUP)
    wait_for("the reload", lambda: "only a restart makes it so: workers" in store.log_tail())
    assert "reloaded: 1 clients" in store.log_tail()
    fresh = store.wire()
    assert not fresh.kinds & 1 << 3, "a client without the right verifies"
    fresh.close()
    config.write_text("[otpringd]\nwrokers = 2\n")
    store.daemon.send_signal(signal.SIGHUP)
    wait_for("the refusal", lambda: 'line 2: unknown key "wrokers"' in store.log_tail())
    wire.send(struct.pack("<IHHQQIHH", 32, PING, 0, 5, 0, 0, 0, 0))
    assert wire.receive()[0] == PONG
    wire.close()
    store.stop()


def status_tells_rates_by_verdict(store):
    store.start()
    wire = store.wire()
    time.sleep(1.2)
    rates = {"REJECTED": 0}
    # Rates are of the last second: on a busy machine it may be over before it is asked for.
    for number in range(1, 20):
        if rates["REJECTED"] == 0:
            wire.ask(0, number, [query(COMPANY, f"u{number}", 0)] * 40)
            time.sleep(0.3)
            rates = store.tool("status", want_json=True)["rates"]
    assert rates["THROTTLED"] > rates["REJECTED"] and rates["ACCEPTED"] == 0, rates
    wire.close()
    store.tool("token", "unlock", "--company", COMPANY, "--user", "u0")
    store.stop()


def inherited_sockets_are_served(store):
    """As systemd passes them: files from 3 on, LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES."""
    path = store.base / "elsewhere.sock"
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()
    child = os.fork()
    if child == 0:
        os.dup2(listening.fileno(), 3)
        os.set_inheritable(3, True)
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="verify")
        os.dup2(os.open(store.base / "daemon.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT), 2)
        os.execv(PROGRAMS / "otpringd", ["otpringd", "--store", str(store.path), *store.flags])
    wire = Wire(path, timeout_s=60)
    wire.send(struct.pack("<IHHQQIHH", 32, PING, 0, 5, 0, 0, 0, 0))
    assert wire.receive()[0] == PONG
    wire.close()
    wait_for("admin.sock", lambda: (store.path / "admin.sock").exists())
    assert not (store.path / "verify.sock").exists()
    os.kill(child, signal.SIGTERM)
    assert os.waitpid(child, 0)[1] == 0
    assert path.exists(), "an inherited socket was removed"
    listening.close()


def strangers_are_refused(store):
    """Whoever is neither owner, root nor configured gets NO_RIGHT, though the file mode lets him connect."""
    if os.geteuid() != 0:
        print("skipped: strangers (needs root to become one)")
        return
    config = store.base / "clients.conf"
    config.write_text("[client guest]\nuid = 54321\nrights = verify\n")
    os.chmod(store.base, 0o755)
    os.chmod(store.path, 0o755)
    store.start("--verify-mode", "0666", "--admin-mode", "0666", "--config", str(config))
    script = ("import os,sys,socket,struct\nos.setuid(int(sys.argv[2]))\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
              "try:\n s.sendall(struct.pack('<IHHQQIHH',64,1,0,0,0,0,0,0)+struct.pack('<HHHHQ16x',1,1,0,0,0))\nexcept OSError: pass\n"
              "d=s.recv(64)\nprint(struct.unpack_from('<H',d,4)[0], struct.unpack_from('<H',d,32)[0])\n")

    def hello_as(uid, name):
        return subprocess.run([sys.executable, "-c", script, store.path / name, str(uid)], capture_output=True, text=True,
                              timeout=30, check=True).stdout.split()

    assert hello_as(54322, "verify.sock") == ["7", str(NO_RIGHT)]
    assert hello_as(54321, "verify.sock")[0] == "2"
    assert hello_as(54321, "admin.sock") == ["7", str(NO_RIGHT)]
    store.stop()


def the_running_daemon_is_filtered_and_has_no_dumps(store):
    (store.base / "daemon.log").write_text("")
    store.start()
    wait_for("the line that all is set up", lambda: "serving " in store.log_tail())
    status = pathlib.Path(f"/proc/{store.daemon.pid}/status").read_text()
    limits = pathlib.Path(f"/proc/{store.daemon.pid}/limits").read_text()
    filtered = [line.split()[1] for line in status.splitlines() if line.startswith("Seccomp:")]
    if "no system call filter" not in store.log_tail():
        assert filtered == ["2"], filtered
    assert "Max core file size        0 " in limits
    for task in pathlib.Path(f"/proc/{store.daemon.pid}/task").iterdir():
        if "no system call filter" not in store.log_tail():
            assert "Seccomp:\t2" in (task / "status").read_text()
    store.stop()


def verify_threads_have_processors_of_their_own(store, seeds):
    allowed = sorted(os.sched_getaffinity(0))
    (store.base / "daemon.log").write_text("")
    store.start("--verify-cpus", str(allowed[0]))
    wait_for("the line that all is set up", lambda: "1 verify thread," in store.log_tail())
    places = {}
    for task in pathlib.Path(f"/proc/{store.daemon.pid}/task").iterdir():
        places.setdefault((task / "comm").read_text().strip(), set()).update(os.sched_getaffinity(int(task.name)))
    assert places.pop("verify") == {allowed[0]}, places
    others = set(allowed[1:]) or set(allowed)
    assert all(places[name] == others for name in ("housekeeper", "checkpointer", "admin", "asking")), places
    user = next(iter(seeds))
    assert store.wire().ask(0, 1, [query(COMPANY, user, hotp(seeds[user], 5))])[0][0] == ACCEPTED
    store.stop()


def sleeps_of(process):
    """How often each thread of ours has gone to sleep so far; sanitizers and the ring have threads of their own."""
    sleeps = {}
    for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
        try:
            lines = (task / "status").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        name = lines[0].split()[1]
        if name in ("housekeeper", "checkpointer", "verify", "asking", "admin"):
            sleeps[f"{name} {task.name}"] = sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))
    return sleeps


def the_threads_of_an_idle_daemon_rest(store, seeds):
    store.start()
    wire = store.wire()
    user = next(iter(seeds))
    assert wire.ask(0, 1, [query(COMPANY, user, hotp(seeds[user], 6))])[0][0] == ACCEPTED
    deadline, seconds, most = time.monotonic() + 30, 4, 12
    while True:
        before = sleeps_of(store.daemon)
        time.sleep(seconds)
        sleeps = {name: count - before.get(name, 0) for name, count in sleeps_of(store.daemon).items()}
        if max(sleeps.values()) <= most or time.monotonic() > deadline:
            break
    assert max(sleeps.values()) <= most, f"sleeps in {seconds} s: {sleeps}"
    print(f"measured: threads of an idle daemon slept {max(sleeps.values())} times in {seconds} s")
    # A daemon that has rested goes on sealing.
    assert wire.ask(0, 2, [query(COMPANY, user, hotp(seeds[user], 7))])[0][0] == ACCEPTED
    position = store.tool("status", want_json=True)["positions"]["durable"]
    wait_for("the seal", lambda: store.tool("status", want_json=True)["positions"]["sealed"] >= position - 1)
    wire.close()
    store.stop()


def main():
    with Store() as store:
        seeds = seeds_for(1000, seed=21)
        store.import_hotp(COMPANY, seeds)
        ready_is_told_after_the_sockets_answer(store)
        sockets_have_the_modes_asked_for(store)
        a_stale_socket_is_replaced_and_a_live_one_is_not(store)
        sigterm_answers_what_is_in_flight(store, seeds)
        sighup_reloads_clients_and_says_what_needs_a_restart(store)
        status_tells_rates_by_verdict(store)
        inherited_sockets_are_served(store)
        strangers_are_refused(store)
        the_running_daemon_is_filtered_and_has_no_dumps(store)
        verify_threads_have_processors_of_their_own(store, seeds)
        the_threads_of_an_idle_daemon_rest(store, seeds)


main()
