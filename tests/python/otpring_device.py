"""A device written from include/otpring/DEVICE.md and QR.md alone: python3-cryptography for the primitives, HPKE and OCRA by hand.

    device = Device("ES256", name="Ana's phone")
    device.run(send, activation, statement, code)     # send(document) -> answer

`send` carries one document to the auth server and gives the answer back; whatever it raises leaves the device where it was,
and the same call goes on. `store` (a dict) is all that must outlive a crash.

    for asked in device.questions(send):               # or device.read(uri), off a QR code
        device.answer(send, asked, number=42)           # or refuse=NOT_ME
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import struct
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import qr_device

APPROVED, REFUSED = 1, 2
NO_REASON, NOT_ME, NOT_WANTED = 0, 1, 2

RAW = serialization.Encoding.Raw, serialization.PublicFormat.Raw
POINT = serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
SPKI = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Refused(Exception):
    def __init__(self, answer):
        super().__init__(f"{answer.get('code')}: {answer.get('error')}")
        self.code, self.answer = answer.get("code"), answer


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def statement(domain: str, *fields: bytes) -> bytes:
    return domain.encode() + b"\0" + b"".join(struct.pack(">I", len(field)) + field for field in fields)


def activation_letters(text: str) -> str:
    text = text.split("#")[-1].upper().replace("-", "").replace(" ", "")
    text = text.replace("O", "0").replace("I", "1").replace("L", "1")
    if len(text) != 16 or any(letter not in ALPHABET for letter in text):
        raise ValueError("no activation code")
    return text


def extract(salt: bytes, secret: bytes) -> bytes:
    return hmac.new(salt or bytes(32), secret, hashlib.sha256).digest()


def expand(key: bytes, info: bytes, size: int) -> bytes:
    return hmac.new(key, info + b"\1", hashlib.sha256).digest()[:size]


def labeled_extract(suite, salt, label, secret):
    return extract(salt, b"HPKE-v1" + suite + label + secret)


def labeled_expand(suite, key, label, info, size):
    return expand(key, struct.pack(">H", size) + b"HPKE-v1" + suite + label + info, size)


def hpke_open(kem: int, dh: bytes, encapsulated: bytes, own_public: bytes, info: bytes, associated: bytes, sealed: bytes) -> bytes:
    """RFC 9180, mode base, HKDF-SHA256, AES-256-GCM; dh is the Diffie-Hellman result."""
    suite = b"KEM" + struct.pack(">H", kem)
    shared = labeled_expand(suite, labeled_extract(suite, b"", b"eae_prk", dh), b"shared_secret", encapsulated + own_public, 32)
    suite = b"HPKE" + struct.pack(">HHH", kem, 1, 2)
    context = b"\0" + labeled_extract(suite, b"", b"psk_id_hash", b"") + labeled_extract(suite, b"", b"info_hash", info)
    secret = labeled_extract(suite, shared, b"secret", b"")
    key = labeled_expand(suite, secret, b"key", context, 32)
    nonce = labeled_expand(suite, secret, b"base_nonce", context, 12)
    return AESGCM(key).decrypt(nonce, sealed, associated)


class Device:
    """One device and its one account."""

    def __init__(self, algorithm="ES256", name="Test device", platform="Python", push="", store=None, der=False):
        self.algorithm, self.name, self.platform, self.push, self.der = algorithm, name, platform, push, der
        self.store = {} if store is None else store
        if "keys" not in self.store:
            self.store["keys"] = self._make_keys()
        self.sign_private, self.seal_private = self.store["keys"]

    def _make_keys(self):
        if self.algorithm == "ES256":
            return ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        return ed25519.Ed25519PrivateKey.generate(), x25519.X25519PrivateKey.generate()

    def _public(self, private) -> bytes:
        return private.public_key().public_bytes(*(POINT if self.algorithm == "ES256" else RAW))

    def _sent(self, private) -> str:
        return b64(private.public_key().public_bytes(*SPKI) if self.der else self._public(private))

    def sign(self, data: bytes) -> str:
        if self.algorithm == "Ed25519":
            return b64(self.sign_private.sign(data))
        r, s = decode_dss_signature(self.sign_private.sign(data, ec.ECDSA(hashes.SHA256())))
        return b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))

    # ---- documents ----

    def _step(self, step, *fields, **rest):
        signed = statement(f"otpring device {step} 1", self.store["enrolment"], *fields)
        return {"v": 1, "step": step, "enrolment": b64(self.store["enrolment"]), **rest, "signature": self.sign(signed)}

    def present(self, activation: str) -> dict:
        letters = activation_letters(activation)
        document = {"v": 1, "step": "present", "activation": activation.split("#")[-1], "algorithm": self.algorithm,
                    "sign_key": self._sent(self.sign_private), "seal_key": self._sent(self.seal_private),
                    "name": self.name, "platform": self.platform}
        if self.push:
            document["push"] = self.push
        document["signature"] = self.sign(statement(
            "otpring device present 1", letters.encode(), self.algorithm.encode(), self._public(self.sign_private),
            self._public(self.seal_private), self.name.encode(), self.platform.encode(), self.push.encode()))
        return document

    def prove(self, given: str, code: str = "") -> dict:
        rest = {"statement": given, **({"code": code} if code else {})}
        return self._step("prove", unb64(given), code.encode(), **rest)

    def bind(self) -> dict:
        return self._step("bind")

    def stored(self) -> dict:
        proof = hmac.new(self.store["seed"], statement("otpring device seed held 1", self.store["enrolment"]), hashlib.sha256).digest()
        return self._step("stored", proof, proof=b64(proof))

    def status(self) -> dict:
        return {"v": 1, "step": "status", "enrolment": b64(self.store["enrolment"])}

    def confirm(self) -> dict:
        return self._step("confirm", self.store["nonce"])

    # ---- answers ----

    def open(self, answer: dict) -> None:
        encapsulated, sealed = unb64(answer["encapsulated"]), unb64(answer["sealed"])
        if self.algorithm == "ES256":
            other = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), encapsulated)
            kem, dh = 0x10, self.seal_private.exchange(ec.ECDH(), other)
        else:
            kem, dh = 0x20, self.seal_private.exchange(x25519.X25519PublicKey.from_public_bytes(encapsulated))
        associated = statement("otpring device seed 1", self.store["enrolment"], self._public(self.sign_private))
        content = json.loads(hpke_open(kem, dh, encapsulated, self._public(self.seal_private), b"otpring device seed 1", associated, sealed))
        assert content["type"] == "totp" and len(unb64(content["bank_key"])) == 32
        self.store.update(seed=unb64(content["seed"]), profile=content)

    def code(self, unix_s: float) -> str:
        profile = self.store["profile"]
        step = (int(unix_s) - profile["t0"]) // profile["period"]
        digest = hmac.new(self.store["seed"], struct.pack(">Q", step), profile["algorithm"]).digest()
        at = digest[-1] & 15
        return str((struct.unpack(">I", digest[at:at + 4])[0] & 0x7FFFFFFF) % 10**profile["digits"]).zfill(profile["digits"])

    # ---- questions ----

    def questions_document(self, unix_s=None) -> dict:
        unix_s = int(time.time() if unix_s is None else unix_s)
        signed = statement("otpring device questions 1", struct.pack(">Q", self.store["device"]), struct.pack(">Q", unix_s))
        return {"v": 1, "step": "questions", "device": self.store["device"], "time": unix_s, "signature": self.sign(signed)}

    def read(self, uri: str) -> dict:
        """What a challenge asks, once the bank's signature holds; with the bytes that were signed under `body`."""
        body, said = qr_device.uri_read(uri, unb64(self.store["profile"]["bank_key"]))
        return {**said, "body": body}

    def questions(self, send) -> list[dict]:
        return [self.read(question["uri"]) for question in self._ask(send, self.questions_document())["questions"]]

    def answer_document(self, asked: dict, number=0, refuse=None, counter=None) -> dict:
        if counter is None:
            counter = self.store["counter"] = self.store.get("counter", 0) + 1
        decision, reason = (APPROVED, NO_REASON) if refuse is None else (REFUSED, refuse)
        signed = qr_device.statement(hashlib.sha256(asked["body"]).digest(), decision, reason, number, self.store["device"], counter)
        return {"v": 1, "step": "answer", "challenge": b64(asked["body"][12:28]), "statement": b64(signed), "signature": self.sign(signed)}

    def answer(self, send, asked: dict, **how) -> dict:
        return self._ask(send, self.answer_document(asked, **how))

    def response(self, asked: dict) -> str:
        """The digits that the user types: OCRA (RFC 6287) under the suite of DEVICE.md."""
        algorithm = self.store["profile"]["algorithm"]
        suite = f"OCRA-1:HOTP-{algorithm.upper()}-8:QH40"
        question = bytes.fromhex(hashlib.sha256(asked["body"]).hexdigest()[:40]).ljust(128, b"\0")
        digest = hmac.new(self.store["seed"], suite.encode() + b"\0" + question, algorithm).digest()
        at = digest[-1] & 15
        return str((struct.unpack(">I", digest[at:at + 4])[0] & 0x7FFFFFFF) % 10**8).zfill(8)

    # ---- the whole way ----

    def _ask(self, send, document):
        answer = send(document)
        if not answer.get("ok"):
            raise Refused(answer)
        return answer

    def step(self, send, activation=None, given=None, code="") -> str:
        """The next step; gives the state that the bank says."""
        at = self.store.get("state", "new")
        if at == "new":
            answer = self._ask(send, self.present(activation))
            self.store.update(enrolment=unb64(answer["enrolment"]), needs=answer["needs"])
        elif at == "presented":
            answer = self._ask(send, self.prove(given, code))
        elif at == "proven":
            answer = self._ask(send, self.bind())
            self.open(answer)
        elif at == "binding":
            answer = self._ask(send, self.stored())
        else:
            answer = self._ask(send, self.status())
            self.store.update(nonce=unb64(answer["nonce"]), text=answer["text"])
            answer = self._ask(send, self.confirm())
            self.store["device"] = answer["device"]
        self.store["state"] = answer["state"]
        return answer["state"]


def random_statement() -> str:
    return b64(os.urandom(16))
