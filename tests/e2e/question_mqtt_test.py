#!/usr/bin/env python3
"""Login by push over a mosquitto broker, by otpring-relay: with the broker killed and started again between question and delivery, with the
relay dead and the device asking by itself, and an access alert that needs no answer."""
import json

from outbox_world import RELAY, free_port, tool_needed, wait_until
from outbox_world import World as Place
from question_world import LOGIN, World

MOSQUITTO, SUBSCRIBE = (tool_needed(name) for name in ("mosquitto", "mosquitto_sub"))


class Broker:
    """mosquitto, and the phone that listens to it: a subscriber of the topic of every account."""

    def __init__(self, place):
        self.place, self.port, self.runs = place, free_port(), 0
        place.write("broker.conf", f"listener {self.port} 127.0.0.1\nallow_anonymous true\n", 0o644)
        place.config("\n".join(["[mqtt broker]", "channels = push", "host = localhost", f"port = {self.port}", "topic = otpring/{account}",
                                f"body = {RELAY}/bodies/mqtt.json", "timeout = 2", "retry = 1", "retry-max = 2"]))
        self.start()

    def start(self):
        self.runs += 1
        self.broker = self.place.run([MOSQUITTO, "-v", "-c", self.place.base / "broker.conf"], "broker.log", ready="running")
        self.phone = self.place.run(["stdbuf", "-oL", SUBSCRIBE, "-d", "-h", "127.0.0.1", "-p", self.port, "-q", "1", "-t", "otpring/#", "-F", "=> %p"],
                                    f"phone.{self.runs}", ready="Subscribed")

    def kill(self):
        self.broker.kill()
        self.phone.kill()

    def heard(self, challenge):
        """The messages about a challenge so far."""
        lines = [line for run in range(1, self.runs + 1) for line in (self.place.base / f"phone.{run}").read_text().splitlines()]
        messages = [json.loads(line[3:]) for line in lines if line.startswith("=> ")]
        return [message for message in messages if message["fields"].get("challenge") == challenge]

    def alerts(self):
        lines = (self.place.base / f"phone.{self.runs}").read_text().splitlines()
        return [line for line in lines if line.startswith("=> ") and json.loads(line[3:])["kind"] == "access-alert"]


def approve(world, device, asked):
    (question,) = device.questions(world.to_device)
    assert question["text"] == LOGIN["text"]
    assert device.answer(world.to_device, question, number=asked["number"])["state"] == "approved"
    assert world.client.closed(asked["challenge"])["state"] == "approved"


def main():
    with Place() as place:
        world = World(place.store)
        device = world.enrolled("ana", push="ana's phone")
        broker = Broker(place)
        relay = place.relay()
        asked = world.asked("ana", session="one")
        assert asked["pushed"] == 1
        wait_until(lambda: broker.heard(asked["challenge"]), "the push has come")
        message = broker.heard(asked["challenge"])[0]
        assert message["kind"] == "question" and LOGIN["text"] not in json.dumps(message), message
        approve(world, device, asked)

        broker.kill()  # between question and delivery
        asked = world.asked("ana", session="two")
        broker.start()
        wait_until(lambda: broker.heard(asked["challenge"]), "the push has come by the broker's second life")
        approve(world, device, asked)

        relay.kill()  # nobody delivers: the device asks by itself, and nothing waits for a push
        asked = world.asked("ana", session="three")
        approve(world, device, asked)
        assert not broker.heard(asked["challenge"])

        place.relay()
        assert world.client.one("alert", company="Demo Co", user="ana", service="the portal")["pushed"] == 1
        wait_until(broker.alerts, "the alert has come")
        world.client.close()


if __name__ == "__main__":
    main()
