"""What the tests of questions share: a bank with users whose devices are bound, and its way to ask.sock."""
import json
import pathlib
import sys
import time

from enrol_test import COMPANY, Bank, enrol

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
from otpring_client import AskClient  # noqa: E402
from otpring_device import Device, Refused, b64, unb64  # noqa: E402,F401

LOGIN = {"purpose": "login", "site": "Demo Bank", "text": "Log in to the portal from Bogotá?"}
PAYMENT = {"purpose": "transaction", "site": "Demo Bank", "text": "Approve this payment?", "amount": "1250.00", "currency": "EUR",
           "payee": "ACME S.A.", "reference": "INV-2026-0042"}


class World(Bank):
    """`ask` is an auth server's connection; it is made anew after a crash."""

    def __init__(self, store):
        super().__init__(store)
        self.devices, self.client = {}, None
        self.connect()

    def connect(self):
        if self.client:
            self.client.close()
        self.client = AskClient(str(self.store.path / "ask.sock"))

    def crash(self):
        super().crash()
        self.connect()

    def enrolled(self, user, algorithm="ES256", push=""):
        self.user(user)
        device = self.devices[user] = Device(algorithm, name="Phone", push=push)
        enrol(self, user, device, self.invite(user))
        return device

    def another_device(self, user, algorithm="Ed25519"):
        device = Device(algorithm, name="Second phone")
        enrol(self, user, device, self.invite(user), code=self.devices[user].code(time.time()))
        return device

    def to_device(self, document):
        return self.client.one("device", **document)

    def ask(self, user=None, session="s1", channel="push", **more):
        whom = {"company": COMPANY, "user": user} if user else {}
        return self.client.one("ask", session=session, channel=channel, **whom, **{**LOGIN, **more})

    def asked(self, user=None, **more):
        answer = self.ask(user, **more)
        assert answer["ok"], answer
        return answer

    def what_became(self, challenge, session="s1", **more):
        return self.client.one("wait", challenge=challenge, session=session, **more)

    def records(self, name):
        """The acts of this name in the log."""
        lines = self.store.tool("show", "--json", program="otpring-log").splitlines()
        return [record for record in map(json.loads, lines) if record.get("act") == name or record.get("change") == name]


def code_of(answer):
    """The code of a refusal; what is no refusal is a failure."""
    assert answer["ok"] is False, f"not refused: {answer}"
    return answer["code"]


def refused(code, call, *arguments, **more):
    try:
        call(*arguments, **more)
    except Refused as error:
        assert error.code == code, f"{error.answer}, expected {code}"
        return error.answer
    raise AssertionError(f"not refused; expected {code}")
