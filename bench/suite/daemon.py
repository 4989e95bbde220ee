"""Daemons and loads of the suite: each started here, known by its process, ended here."""
import json
import os
import pathlib
import resource
import shutil
import subprocess
import tempfile
import time

TICKS = os.sysconf("SC_CLK_TCK")

# A TOTP token accepts one code a period, so a load must be of HOTP. Its profile then reaches as far as TOTP's default one: one step back, two ahead, 20 for a
# resynchronisation. HOTP's own (1, 10 and 100), which is measured beside it, makes a wrong or near code cost several times as many hashes.
TOTP_REACH = ("--look-ahead", "2", "--resync-window", "20")


def cpu_s(pid):
    """Processor time of a process and its threads so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_bytes(pid):
    fields = pathlib.Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


def memory_locks():
    """Whether this user's processes may lock what the daemon locks; root's may."""
    return os.geteuid() == 0 or resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY


def end(process, seconds=60):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Folder:
    """A scratch folder on a disk, removed at the end."""

    def __init__(self, options, name):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix=f"otpring-bench-{name}-", dir=options.scratch))

    def __enter__(self):
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


class Daemon:
    """otpringd on a store of its own, made where there is none yet, or (store given) one that runs already and is left alone."""

    def __init__(self, options, folder=None, extra=(), running=None):
        self.tools = options.build / "tools"
        self.process = None
        self.store = running or folder / "store"
        if not running:
            if not self.store.exists():
                subprocess.run([self.tools / "otpring", "--store", self.store, "init"], check=True, stdout=subprocess.DEVNULL)
            # Each shape of load has sessions of its own, and there is room for so many: they must go soon after.
            unlocked = () if memory_locks() else ("--insecure-memory",)
            command = [self.tools / "otpringd", "--store", self.store, "--workers", "1", "--session-idle", "5", *unlocked, *extra]
            self.log_path = folder / "daemon.log"
            self.log = open(self.log_path, "w", encoding="utf-8")
            self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        try:
            self.await_ready()
        except BaseException:
            self.close()
            raise

    def await_ready(self):
        """One that runs already answers now or never."""
        deadline = time.monotonic() + 120
        while True:
            # Asking is a process that takes its share of what the start needs.
            if self.process and self.process.poll() is None and time.monotonic() < deadline and not (self.store / "verify.sock").exists():
                time.sleep(0.005)
                continue
            try:
                self.status()
                return
            except (subprocess.CalledProcessError, ValueError) as error:
                if not self.process:
                    said = getattr(error, "stderr", b"") or b""
                    raise RuntimeError(f"the daemon of {self.store} does not answer: {said.decode(errors='replace').strip() or error}") from None
                if time.monotonic() > deadline or self.process.poll() is not None:
                    said = self.log_path.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
                    raise RuntimeError(f"otpringd on {self.store} did not get ready: {'; '.join(said) or 'it said nothing'}") from None
                time.sleep(0.02)

    def status(self):
        done = subprocess.run([self.tools / "otpring", "--store", self.store, "status", "--daemon", "--json"], capture_output=True, check=True)
        return json.loads(done.stdout)

    @property
    def pid(self):
        return self.process.pid if self.process else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.process:
            end(self.process)
            self.log.close()


class Load:
    """otpring-load --series: the accounts are enrolled once, each run is a line."""

    def __init__(self, options, store, accounts, extra=(), kind="hotp", cpus=None):
        command = [options.build / "tools/otpring-load", "--store", store, "--accounts", str(accounts), "--type", kind, "--series", "-", *extra]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        preexec_fn=(lambda: os.sched_setaffinity(0, cpus)) if cpus else None)
        self.enrolment = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"otpring-load ended with status {self.process.wait()}; its message stands above")
        return json.loads(line)

    def run(self, **named):
        """Options by name, with _ for -. Every verdict must have been the expected one, or the suite ends."""
        words = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in named.items())
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()
        result = self.answer()
        if result["unexpected"]:
            raise RuntimeError(f"{result['unexpected']} verdicts were not the expected ones")
        if result["error"] or result["unanswered"]:
            raise RuntimeError(f"the load ended early: {result['error'] or 'not everything was answered'}")
        # Refusals are quick: a rate or a latency that holds some is none of verification.
        if result["unavailable"]:
            raise RuntimeError(f"{result['unavailable']} of {result['answered_in_all']} were answered UNAVAILABLE: a full disk, or a daemon that was stopped?")
        return result

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.stdin.close()
        # It removes its accounts before it ends; the daemon must stay that long.
        try:
            self.process.wait(600)
        except subprocess.TimeoutExpired:
            end(self.process)
