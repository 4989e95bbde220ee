"""What the end-to-end tests share: a store and its daemon, codes by the standard library's HMAC, and bare frames.

Frames are made here by hand (include/otpring/PROTOCOL.md), since these tests cut, repeat and lose them on purpose; well-behaved
clients are tests/python/otpring_client.py and libotpring.
"""
import base64
import hashlib
import hmac
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

PROGRAMS = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build/release/tools").resolve()
HELLO, HELLO_ANSWER, VERIFY, VERIFY_ANSWER, RESYNC, RESYNC_ANSWER, ERROR, ADMIN = 1, 2, 3, 4, 5, 6, 7, 8
ACCEPTED, REJECTED, REPLAYED, THROTTLED, RESYNC_VERDICT, INACTIVE, UNKNOWN, MALFORMED, UNAVAILABLE = range(1, 10)
NAMES = ["", "ACCEPTED", "REJECTED", "REPLAYED", "THROTTLED", "RESYNC", "INACTIVE", "UNKNOWN", "MALFORMED", "UNAVAILABLE"]


def count_of(variable, reduced):
    """A count of tries: reduced by default, the full one from tests/long."""
    count = int(os.environ.get(variable, reduced))
    print(f"counted: {variable}={count}")
    return count


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


def copied(folder, copy):
    """A copy of a store or journal where a daemon may be at work, which makes, renames and recycles files meanwhile: made anew until
    the names stayed the same."""
    def copy_what_is_there(source, target):
        try:
            shutil.copy2(source, target)
        except FileNotFoundError:
            pass

    def names():
        return sorted(path for path in folder.rglob("*") if path.suffix not in (".sock", ".new"))
    before = None
    while before != names():
        before = names()
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*.sock", "*.new"), copy_function=copy_what_is_there)


def hotp(seed, counter, digits=6, algorithm="sha1"):
    digest = hmac.new(seed, struct.pack(">Q", counter), algorithm).digest()
    at = digest[-1] & 15
    return (struct.unpack(">I", digest[at:at + 4])[0] & 0x7FFFFFFF) % 10**digits


LOOK_AHEAD = 10  # of HOTP tokens enrolled with the defaults


def next_counter(seed, counter, _codes={}):
    """The first counter from here whose code stands nowhere else in the window: one code in 100,000 fits two steps by chance, and the
    engine then consumes the later one, as it must."""
    codes = _codes.setdefault(seed, [])
    while True:
        while len(codes) <= counter + 2 * LOOK_AHEAD:
            codes.append(hotp(seed, len(codes)))
        near = codes[max(0, counter - LOOK_AHEAD):counter] + codes[counter + 1:counter + 2 * LOOK_AHEAD]
        if codes[counter] not in near:
            return counter
        counter += 1


def totp(seed, unix_s, period=30, **rest):
    return hotp(seed, int(unix_s) // period, **rest)


def base32(seed):
    return base64.b32encode(seed).decode().rstrip("=")


def name_of(company, user):
    company, user = company.encode(), user.encode()
    return hashlib.sha256(company).digest()[:8] + hashlib.sha256(company + b"\0" + user).digest()[:8]


def query(company, user, code, digits=6, source=0, source_class=0):
    return name_of(company, user) + struct.pack("<QIBBBB", source, code, digits, 1, source_class, 0)


class Closed(Exception):
    """The other side is gone."""


class Wire:
    """One connection to verify.sock; frames as bytes. A session may be taken along from an older connection."""

    def __init__(self, path, session=0, slots=64, items=4096, timeout_s=10):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout_s)
        self.path = str(path)
        try:
            self.socket.connect(self.path)
            self.socket.sendall(struct.pack("<IHHQQIHH", 64, HELLO, 0, 0, 0, 0, 0, 0) +
                                struct.pack("<HHHHQ16x", 1, 1, slots, items, session))
            kind, _, _, body = self.receive()
        except OSError as error:
            raise Closed(str(error)) from error
        if kind == ERROR:
            raise Closed(f"hello refused: error {struct.unpack_from('<H', body)[0]}")
        self.version, self.slots, self.items, self.resumed, self.session, self.idle_s, self.kinds, _ = struct.unpack("<HHHHQIIQ", body)

    def frame(self, slot, sequence, items, tag=0, kind=VERIFY):
        body = b"".join(items)
        return struct.pack("<IHHQQIHH", 32 + len(body), kind, len(items), tag, self.session, sequence, slot, 0) + body

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Closed(str(error)) from error

    def exactly(self, size):
        data = bytearray()
        while len(data) < size:
            try:
                part = self.socket.recv(size - len(data))
            except socket.timeout:
                raise
            except OSError as error:
                raise Closed(str(error)) from error
            if not part:
                raise Closed("end of stream")
            data += part
        return bytes(data)

    def receive(self):
        """(kind, count, tag, body)"""
        size, kind, count, tag, _, _, _, _ = struct.unpack("<IHHQQIHH", self.exactly(32))
        return kind, count, tag, self.exactly(size - 32)

    def answers(self):
        """(tag, [(verdict, reason, retry_after_s, record)])"""
        kind, _, tag, body = self.receive()
        if kind == ERROR:
            raise Closed("error frame %d" % struct.unpack_from("<H", body)[0])
        assert kind in (VERIFY_ANSWER, RESYNC_ANSWER), kind
        return tag, [(v, r, w, rec) for v, r, _, w, rec in struct.iter_unpack("<BBHIQ", body)]

    def ask(self, slot, sequence, items, kind=VERIFY):
        self.send(self.frame(slot, sequence, items, kind=kind))
        return self.answers()[1]

    def close(self):
        self.socket.close()


class Store:
    """A store in a folder of its own, with or without its daemon."""

    def __init__(self, folder=None, init=True):
        self.own = folder is None
        self.base = pathlib.Path(folder or tempfile.mkdtemp(prefix="otpring-test-", dir=os.environ.get("OTPRING_TEST_FOLDER")))
        self.base.mkdir(parents=True, exist_ok=True)
        self.path = self.base / "store"
        self.daemon = None
        self.flags = os.environ.get("OTPRING_DAEMON_FLAGS", "").split()
        if init:
            self.tool("init")

    def tool(self, *words, status=0, text=None, program="otpring", want_json=False):
        arguments = [str(PROGRAMS / program), "--store", str(self.path), *words]
        if want_json:
            arguments.append("--json")
        done = subprocess.run(arguments, input=text, capture_output=True, text=True, timeout=600, check=False)
        if status is not None and done.returncode != status:
            raise AssertionError(f"{' '.join(arguments)}: exit {done.returncode}, expected {status}\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout) if want_json else done.stdout

    def start(self, *flags, wait_s=60, env=None):
        # Small segments, unless a test says otherwise: a store begins with four, written through. And room for few questions: it is locked
        # memory, cleared at each start.
        self.daemon = subprocess.Popen([str(PROGRAMS / "otpringd"), "--store", str(self.path), "--segment-size", "4M", "--challenges-max", "8K", *self.flags, *flags],
                                       stdout=subprocess.DEVNULL, stderr=open(self.base / "daemon.log", "ab"),
                                       env={**os.environ, **(env or {})})
        end = time.monotonic() + wait_s
        while time.monotonic() < end:
            if self.daemon.poll() is not None:
                raise AssertionError("otpringd ended: " + self.log_tail())
            try:
                Wire(self.path / "verify.sock", slots=1, items=1, timeout_s=5).close()
                return self
            except (Closed, socket.timeout):
                time.sleep(0.005)
        raise AssertionError("otpringd was not ready in time: " + self.log_tail())

    def log_tail(self):
        return (self.base / "daemon.log").read_text(errors="replace")[-2000:]

    def kill(self):
        self.daemon.send_signal(signal.SIGKILL)
        self.daemon.wait()
        self.daemon = None

    def stop(self, wait_s=60):
        self.daemon.send_signal(signal.SIGTERM)
        status = self.daemon.wait(wait_s)
        self.daemon = None
        assert status == 0, f"otpringd ended with {status}: {self.log_tail()}"

    def wire(self, **options):
        return Wire(self.path / "verify.sock", **options)

    def act(self, act, **members):
        """One act over admin.sock; its answer, which must be ok."""
        wire = Wire(self.path / "admin.sock", slots=1, items=1)
        text = json.dumps({"act": act, **members}).encode()
        wire.send(struct.pack("<IHHQQIHH", 32 + len(text), ADMIN, 0, 0, 0, 0, 0, 0) + text)
        answer = json.loads(wire.receive()[3])
        wire.close()
        assert answer["ok"], f"{act}: {answer}"
        return answer

    def long_locks(self):
        """Under every profile that there is: ten minutes, so that no pause of a test outlives a lock."""
        for profile in self.act("profile.list")["profiles"]:
            self.act("profile.set", id=profile["id"], throttle_base_s=600)

    def add(self, company, user, seed, kind="hotp", **options):
        words = ["token", "add", "--company", company, "--user", user, "--type", kind, "--secret-file", "-"]
        for key, value in options.items():
            words += [f"--{key.replace('_', '-')}", str(value)]
        return self.tool(*words, text=base32(seed))

    def import_hotp(self, company, seeds):
        """seeds: {user: seed}"""
        lines = [f"otpauth://hotp/{company}:{user}?secret={base32(seed)}&issuer={company}&counter=0" for user, seed in seeds.items()]
        self.tool("import", "-", text="\n".join(lines) + "\n")

    def records(self, answers):
        """{(position, index): verdict} of those verifications in the log that `answers` (record numbers) name."""
        wanted = {record_id(record) for record in answers}
        found = {}
        with subprocess.Popen([PROGRAMS / "otpring-log", "--store", self.path, "show", "--json"], stdout=subprocess.PIPE, text=True) as log:
            for line in log.stdout:
                record = json.loads(line)
                place = (record["position"], record.get("index"))
                if place in wanted and "verdict" in record:
                    found[place] = record["verdict"]
        assert log.returncode == 0, f"otpring-log ended with {log.returncode}"
        return found

    def remove(self):
        if self.daemon and self.daemon.poll() is None:
            self.kill()
        if self.own:
            shutil.rmtree(self.base, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()


def record_id(record):
    return record >> 14, record & 0x3FFF


def seeds_for(count, seed=1, prefix="u"):
    rng = random.Random(seed)
    return {f"{prefix}{i}": rng.randbytes(20) for i in range(count)}
