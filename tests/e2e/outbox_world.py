"""What the tests of the outbox share: the daemon asked over admin.sock, a relay, receivers and brokers that can be killed, and what
must hold for whatever arrived."""
import hashlib
import hmac
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

from harness import ERROR, PROGRAMS, Closed, Store, Wire

ADMIN, ADMIN_ANSWER = 8, 9
HERE = pathlib.Path(__file__).parent
RELAY = HERE.parent.parent / "tools" / "otpring-relay"
SECRET = "a secret of the two sides"
COMPANY = "Acme"


def wait_until(holds, what, wait_s=120):
    """Not a test of speed: only what never happens fails."""
    end = time.monotonic() + wait_s
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"not within {wait_s} s: {what}")
        time.sleep(0.02)


def free_port(_given=set()):
    """Never the same twice: the kernel may, as long as nobody listens there."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port


class Admin:
    """Requests over admin.sock; a connection that breaks is made again, so what is asked must bear to be asked twice."""

    def __init__(self, store):
        self.path, self.wire = store.path / "admin.sock", None

    def once(self, **request):
        if not self.wire:
            self.wire = Wire(self.path, slots=1, items=1, timeout_s=60)
        text = json.dumps(request).encode()
        try:
            self.wire.send(struct.pack("<IHHQQIHH", 32 + len(text), ADMIN, 0, 0, 0, 0, 0, 0) + text)
            kind, _, _, body = self.wire.receive()
        except (Closed, socket.timeout):
            self.wire = None
            raise
        assert kind == ADMIN_ANSWER, f"frame {kind}" + (f" error {body[:2]}" if kind == ERROR else "")
        return json.loads(body)

    def ask(self, **request):
        answer = self.once(**request)
        assert answer["ok"], (request, answer)
        return answer

    def counts(self):
        return self.ask(act="outbox.list", limit=1)["counts"]

    def messages(self):
        rows, after = [], 0
        while after is not None:
            answer = self.ask(act="outbox.list", limit=1000, after=after)
            rows += answer["messages"]
            after = answer["next"]
        return rows


class Process:
    """A process with what it prints in a file; killed by its number."""

    def __init__(self, words, log, ready=None, env=None):
        self.log = pathlib.Path(log)
        with open(self.log, "ab") as out:
            start = out.tell()
            self.process = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                            env={**os.environ, **(env or {})})
        if ready:
            wait_until(lambda: self.process.poll() is not None or ready in self.text(start), f"{words[0]} ready", 60)
            assert self.process.poll() is None, f"{words}: {self.text(start)}"

    def text(self, start=0):
        return self.log.read_bytes()[start:].decode(errors="replace")

    def send(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, wait_s=60):
        self.process.terminate()
        status = self.process.wait(wait_s)
        assert status == 0, f"{self.process.args[0]} ended with {status}: {self.text()[-2000:]}"


class World:
    """A store with its daemon, and a folder in which everything else stands."""

    def __init__(self):
        self.store = Store()
        self.base = self.store.base
        self.processes = []
        self.write("secret", SECRET + "\n")
        self.store.start()
        self.admin = Admin(self.store)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            if process.process.poll() is None:
                process.send(signal.SIGCONT)
                process.kill()
        self.store.remove()

    def write(self, name, text, mode=0o400):
        path = self.base / name
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def run(self, words, log, **options):
        process = Process(words, self.base / log, **options)
        self.processes.append(process)
        return process

    def config(self, *sections):
        head = ["[relay]", f"socket = {self.store.path}/admin.sock", "bank = Banco Uno", "support = +34 900 1", f"texts = {RELAY}/texts",
                "poll = 20"]
        return self.write("relay.conf", "\n".join([*head, *sections]) + "\n", 0o600)

    def webhook(self, port, *more, scheme="http", channels="sms", name="sms", timeout_s=20):
        """timeout_s: short alone where something hangs; a receiver that is merely slow is not to be asked again."""
        return "\n".join([f"[webhook {name}]", f"channels = {channels}", f"url = {scheme}://localhost:{port}/messages/{{to}}",
                          f"secret-file = {self.base}/secret", f"body = {RELAY}/bodies/sms.json", f"timeout = {timeout_s}", "retry = 1", "retry-max = 2",
                          *more])

    def relay(self, ready="delivering for"):
        return self.run([PROGRAMS / "otpring-relay", "--config", self.base / "relay.conf"], "relay.log", ready=ready, env={"TZ": "UTC"})

    def receiver(self, port, log="received", *more):
        return self.run([sys.executable, HERE / "receiver.py", port, self.base / log, *more], "receiver.log", ready="ready")

    def received(self, log="received"):
        path = self.base / log
        lines = path.read_text().split("\n")[:-1] if path.exists() else []
        return [json.loads(line) for line in lines]

    def put(self, user, what, channel="sms", to="+34600000001", language="en"):
        """A message whose text says `what`; put once, whatever happens to the daemon meanwhile: its number."""
        return self.admin.ask(act="outbox.put", company=COMPANY, user=user, kind="access-alert", channel=channel, to=to, language=language,
                              fields={"service": what, "when": "1700000000"})["number"]


def what_of(text):
    """What World.put was told to say."""
    return text.split("access to ")[1].split(" on ")[0]


def check_order(arrivals, expected):
    """arrivals: [(user, what, id, marked)] in their order; expected: {user: [what, ...]}. Nothing is lost, each user's come in their order,
    and whatever comes a second time says so."""
    first, ids, twice = {}, set(), 0
    for user, what, message, marked in arrivals:
        if message in ids:
            twice += 1
            assert marked, f"{what} came again and did not say so"
        ids.add(message)
        told = first.setdefault(user, [])
        if what not in told:
            told.append(what)
        else:
            assert what == told[-1], f"{user}: {what} came again after {told[-1]}"
    for user, wanted in expected.items():
        assert first.get(user) == wanted, f"{user}: {first.get(user)} instead of {wanted}"
    return twice


def check_signature(request, secret=SECRET):
    """As a receiver would, with the standard library alone."""
    parts = dict(part.split("=", 1) for part in request["headers"]["otpring-signature"].split(","))
    wanted = hmac.new(secret.encode(), f"{parts['t']}.{request['body']}".encode(), hashlib.sha256).hexdigest()
    assert hmac.compare_digest(parts["v1"], wanted), request
    assert abs(time.time() - int(parts["t"])) < 3600, request


def certificates(folder):
    """A certificate authority and a server's certificate for localhost: (ca, cert, key)."""
    folder = pathlib.Path(folder)

    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=folder)

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=test authority",
            "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost", "-keyout", "server.key", "-out",
            "server.csr")
    (folder / "server.ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "server.ext",
            "-out", "server.pem")
    return folder / "ca.pem", folder / "server.pem", folder / "server.key"


def tool_needed(name):
    from harness import skip
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
    if not path:
        skip(f"{name} is not installed")
    return path
