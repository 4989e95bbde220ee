#!/usr/bin/env python3
"""Messages to a mosquitto broker over TLS: nothing is lost, order is kept, duplicates are marked, while broker, relay and the connections
between them die."""
import json
import random
import select
import signal
import socket
import subprocess
import threading

from harness import count_of
from outbox_world import RELAY, World, certificates, check_order, free_port, tool_needed, wait_until, what_of

MOSQUITTO, SUBSCRIBE, PASSWORDS = (tool_needed(name) for name in ("mosquitto", "mosquitto_sub", "mosquitto_passwd"))
USERS = 12
KILLS = count_of("OTPRING_RELAY_KILLS", 3)


class Proxy:
    """Stands between relay and broker: lets nobody in while it is closed, and cuts what goes on when told. What the broker sends can be held
    back, so that a publication arrives and its confirmation does not."""

    def __init__(self, to):
        self.to, self.open, self.deaf, self.pairs = to, False, False, []
        self.socket = socket.create_server(("127.0.0.1", free_port()))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            near, _ = self.socket.accept()
            try:
                far = socket.create_connection(("127.0.0.1", self.to)) if self.open else None
            except OSError:
                far = None
            if not far:
                near.close()
                continue
            self.pairs.append((near, far))
            threading.Thread(target=self.pump, args=(near, far), daemon=True).start()

    def pump(self, near, far):
        try:
            while True:
                for source in select.select([near, far], [], [], 0.5)[0]:
                    data = source.recv(65536)
                    if not data:
                        return
                    if source is near:
                        far.sendall(data)
                    elif not self.deaf:
                        near.sendall(data)
        except (OSError, ValueError):
            pass
        finally:
            near.close()
            far.close()

    def cut(self):
        pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


def connected_to(port):
    """Whether some process here still holds a connection to that port, established or waiting to be read to its end."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table][1:]
    return any(row[2].endswith(f":{port:04X}") and row[3] in ("01", "08") for row in rows)


class Broker:
    """mosquitto with TLS and a password, and somebody who listens to everything. The broker keeps nothing when it is killed, so its port is
    opened to the relay only when the listener is there: what the broker has confirmed, the listener gets."""

    def __init__(self, world):
        self.world, self.port, self.listener_port = world, free_port(), free_port()
        self.ca, cert, key = certificates(world.base)
        subprocess.run([PASSWORDS, "-b", "-c", world.base / "passwords", "relay", "a password"], check=True, capture_output=True)
        (world.base / "passwords").chmod(0o644)
        world.base.chmod(0o755)
        key.chmod(0o644)
        world.write("broker.conf", f"per_listener_settings true\nlistener {self.port} 127.0.0.1\ncafile {self.ca}\ncertfile {cert}\nkeyfile {key}\n"
                    f"allow_anonymous false\npassword_file {world.base}/passwords\n"
                    f"listener {self.listener_port} 127.0.0.1\nallow_anonymous true\n", 0o644)
        world.write("password", "a password\n")
        self.proxy = Proxy(self.port)
        self.runs = 0
        self.start()

    def start(self):
        self.broker = self.world.run([MOSQUITTO, "-v", "-c", self.world.base / "broker.conf"], "broker.log", ready="running")
        self.runs += 1
        self.listener = self.world.run(["stdbuf", "-oL", SUBSCRIBE, "-d", "-h", "127.0.0.1", "-p", self.listener_port, "-i", "listener", "-q", "1", "-t", "otpring/#",
                                        "-F", "=> %t %p"], f"listened.{self.runs:03d}", ready="Subscribed")
        self.proxy.open = True

    def kill(self):
        """The listener goes on until it has everything that the broker had sent it."""
        self.proxy.open = False
        self.broker.kill()
        self.proxy.cut()
        wait_until(lambda: not connected_to(self.listener_port), "the listener has read all and closed")
        self.listener.kill()

    def section(self, *more, timeout_s=20):
        """timeout_s: short alone where something dies or stands still."""
        return "\n".join(["[mqtt broker]", "channels = push", "host = localhost", f"port = {self.proxy.port}", "topic = otpring/{account}",
                          f"body = {RELAY}/bodies/mqtt.json", f"ca-file = {self.ca}", "username = relay",
                          f"password-file = {self.world.base}/password", f"timeout = {timeout_s}", "retry = 1", "retry-max = 2", *more])

    def heard(self):
        """[(topic, payload)]"""
        lines = []
        for run in range(1, self.runs + 1):
            for line in (self.world.base / f"listened.{run:03d}").read_text(errors="replace").splitlines():
                if line.startswith("=> "):
                    topic, payload = line[3:].split(" ", 1)
                    lines.append((topic, json.loads(payload)))
        return lines

    def arrivals(self):
        told = []
        for _, payload in self.heard():
            what = what_of(payload["text"])
            assert payload["redelivered"] == (payload["attempt"] > 1) and payload["fields"]["service"] == what, payload
            told.append((what.split("-")[0], what, payload["id"], payload["redelivered"]))
        return told


def nothing_is_lost_whoever_is_killed():
    rng = random.Random(6)
    with World() as world:
        broker = Broker(world)
        world.config(broker.section(timeout_s=2))
        relay = world.relay()
        expected = {f"u{i}": [] for i in range(USERS)}
        for kill in range(KILLS):
            arrived = len(broker.heard())
            for _ in range(40):
                user = f"u{rng.randrange(USERS)}"
                what = f"{user}-{len(expected[user])}"
                world.put(user, what, channel="push", to="device-1")
                expected[user].append(what)
            wait_until(lambda: len(broker.heard()) > arrived, "something arrives")
            if kill % 3 == 0:
                broker.kill()
                broker.start()
            elif kill % 3 == 1:
                # Publications arrive, their confirmations do not; then the connection breaks.
                wait_until(lambda: world.admin.counts()["open"] == 0, "those before are delivered")
                broker.proxy.deaf = True
                heard = len(broker.heard())
                what = f"u0-{len(expected['u0'])}"
                world.put("u0", what, channel="push", to="device-1")
                expected["u0"].append(what)
                wait_until(lambda: len(broker.heard()) > heard, "something arrives unconfirmed")
                broker.proxy.cut()
                broker.proxy.deaf = False
            else:
                relay.kill()
                relay = world.relay()
        wait_until(lambda: world.admin.counts()["open"] == 0, "all are delivered", 300)
        assert world.admin.counts()["dead"] == 0
        wanted = {what for told in expected.values() for what in told}
        wait_until(lambda: {what for _, what, _, _ in broker.arrivals()} == wanted, "all are heard", 30)
        twice = check_order(broker.arrivals(), expected)
        assert twice > 0 or KILLS < 2, "no duplicate came: the test tries nothing"
        relay.stop()
        print(f"counted: {len(wanted)} messages, {len(broker.heard())} heard, {twice} of them again, {KILLS} kills")


def a_broker_that_stands_still_is_given_up_and_come_back_to():
    with World() as world:
        broker = Broker(world)
        world.config(broker.section(timeout_s=2))
        relay = world.relay()
        world.put("ann", "ann-0", channel="push", to="device-1")
        wait_until(lambda: world.admin.counts()["delivered"] == 1, "the first")
        broker.broker.send(signal.SIGSTOP)
        number = world.put("ann", "ann-1", channel="push", to="device-1")
        wait_until(lambda: world.admin.ask(act="outbox.show", number=number)["message"]["failed"] > 0, "it is given up")
        broker.broker.send(signal.SIGCONT)
        wait_until(lambda: world.admin.counts()["delivered"] == 2, "the second")
        wait_until(lambda: "ann-1" in [what for _, what, _, _ in broker.arrivals()], "it is heard")
        check_order(broker.arrivals(), {"ann": ["ann-0", "ann-1"]})
        relay.stop()


def a_broker_that_nobody_vouches_for_gets_nothing():
    with World() as world:
        broker = Broker(world)
        (world.base / "other").mkdir()
        wrong = certificates(world.base / "other")[0]
        world.config(broker.section().replace(str(broker.ca), str(wrong)))
        relay = world.relay()
        number = world.put("ann", "ann-0", channel="push", to="device-1")
        wait_until(lambda: world.admin.ask(act="outbox.show", number=number)["message"]["failed"] > 1, "it is refused")
        assert broker.heard() == []
        relay.stop()
        # Nor one that does not know us.
        world.write("password", "another password\n")
        world.config(broker.section())
        relay = world.relay()
        wait_until(lambda: "authori" in relay.text().lower(), "the refusal is logged")
        assert broker.heard() == []
        relay.stop()
        world.write("password", "a password\n")
        relay = world.relay()
        wait_until(lambda: world.admin.counts()["delivered"] == 1, "it is delivered")
        relay.stop()


def an_address_cannot_lead_to_another_topic():
    with World() as world:
        broker = Broker(world)
        world.config(broker.section().replace("otpring/{account}", "otpring/{to}"))
        relay = world.relay()
        for number, to in enumerate(("dev-1", "a/../b", "#", "a+b"), 1):
            world.put(f"u{number}", f"u{number}-0", channel="push", to=to)
        wait_until(lambda: world.admin.counts()["delivered"] == 1 and world.admin.counts()["dead"] == 3, "each has its end")
        assert [topic for topic, _ in broker.heard()] == ["otpring/dev-1"]
        reasons = {row.get("reason") for row in world.admin.messages() if row["state"] == "dead"}
        assert reasons == {"the topic cannot be made"}, reasons
        relay.stop()


nothing_is_lost_whoever_is_killed()
a_broker_that_stands_still_is_given_up_and_come_back_to()
a_broker_that_nobody_vouches_for_gets_nothing()
an_address_cannot_lead_to_another_topic()
