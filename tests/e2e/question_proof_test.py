#!/usr/bin/env python3
"""What was approved is proven from the log alone: by a published checkpoint and the public key, to somebody who has neither store nor log. Whatever is
changed in the evidence, it proves nothing. The signature is checked by OpenSSL's command too."""
import base64
import hashlib
import json
import shutil
import subprocess
import tempfile

from enrol_test import COMPANY
from harness import PROGRAMS, Store, name_of
from question_world import PAYMENT, World, unb64


def log(*words, status=0):
    done = subprocess.run([PROGRAMS / "otpring-log", *map(str, words)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == status, (words, done.returncode, done.stdout[-700:], done.stderr[-700:])
    return done.stdout if status == 0 else done.stdout + done.stderr


NOTHING = ("open", "wrong number", "wrong response")


def answers(world):
    """A payment approved (ES256), the same by Ed25519, one refused, one typed; and what approves nothing: one that is open, one approved
    under a wrong number, one with a wrong response; {name: challenge}."""
    found = {}
    for user, algorithm in (("es", "ES256"), ("ed", "Ed25519"), ("no", "ES256"), ("typed", "ES256"), *((name, "ES256") for name in NOTHING)):
        device = world.enrolled(user, algorithm)
        asked = world.asked(user, session=user, channel="qr", match=user == "wrong number", **PAYMENT)
        found[user] = asked["challenge"]
        question = device.read(asked["uri"])
        if user in ("typed", "wrong response"):
            response = device.response(question)
            response = response if user == "typed" else str((int(response) + 1) % 10**8).zfill(8)
            assert world.client.one("typed", challenge=asked["challenge"], session=user, response=response)["ok"]
        elif user == "wrong number":
            number = asked["number"] + 1 if asked["number"] < 99 else 10
            assert device.answer(world.to_device, question, number=number)["reason"] == "wrong-number"
        elif user != "open":
            device.answer(world.to_device, question, **({"refuse": 2} if user == "no" else {}))
    return found


def openssl_agrees(evidence):
    """The device's own key over the statement, outside of otpring."""
    if not shutil.which("openssl"):
        return
    raw = base64.b64decode(evidence["evidence"])
    statement, key, signature = raw[:90], unb64(evidence["device_key"]), unb64(evidence["signature"])
    assert hashlib.sha256(base64.b64decode(evidence["body"])).digest() in statement
    with tempfile.TemporaryDirectory() as folder:
        def put(name, data):
            with open(f"{folder}/{name}", "wb") as file:
                file.write(data)
            return f"{folder}/{name}"

        def number(part):
            part = part.lstrip(b"\0") or b"\0"
            part = (b"\0" if part[0] & 0x80 else b"") + part
            return b"\x02" + bytes([len(part)]) + part

        r_and_s = number(signature[:32]) + number(signature[32:])
        der = b"\x30" + bytes([len(r_and_s)]) + r_and_s
        public = put("key", bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200") + key)
        done = subprocess.run(["openssl", "dgst", "-sha256", "-keyform", "DER", "-verify", public, "-signature", put("signature", der),
                               put("statement", statement)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done


def changed(evidence):
    """Evidence that was tampered with, and what it says: each must prove nothing."""
    def with_bytes(name, at):
        data = bytearray(base64.b64decode(evidence[name]))
        data[at] ^= 1
        return {**evidence, name: base64.b64encode(data).decode()}

    body = base64.b64decode(evidence["body"])
    for before, after in ((b"1250.00", b"9250.00"), (b"ACME S.A.", b"ACME S.B.")):
        yield {**evidence, "body": base64.b64encode(body.replace(before, after)).decode()}
    for at in (0, 20, 60, 89, 95, -1):
        yield with_bytes("evidence", at)
    for at in (4, 12, 28):
        yield with_bytes("body", at)
    # What is there to be read must say what is proven.
    yield {**evidence, "fields": {**evidence["fields"], "amount": "9250.00"}}
    yield {**evidence, "fields": {**evidence["fields"], "payee": "MALLORY"}}
    yield {**evidence, "decision": "refused"}
    yield {**evidence, "answered_ms": evidence["answered_ms"] + 1}
    yield {**evidence, "device": evidence["device"] + 1}
    yield {**evidence, "note": "approved by the chairman"}
    yield {key: value for key, value in evidence.items() if key != "reason"}
    pages = list(evidence["proof"]["pages"])
    page = bytearray(base64.b64decode(pages[-1]))
    page[100] ^= 1
    yield {**evidence, "proof": {**evidence["proof"], "pages": pages[:-1] + [base64.b64encode(page).decode()]}}


def the_log_names_each_question(store, found):
    """So that whoever reads it finds what `approval` wants."""
    records = [json.loads(line) for line in log("--store", store.path, "show", "--json").splitlines()]
    for name, change, says in (("es", "challenge.answer", "was answered with device"), ("typed", "challenge.answer", "was answered with device"),
                               ("wrong number", "challenge.wrong", "approved nothing"), ("no", "challenge.answer", "was answered with device"),
                               ("open", "challenge.ask", "was put to the user")):
        record = next(r for r in records if r.get("change") == change and r.get("challenge") == found[name])
        told = log("--store", store.path, "explain", f"{record['position']}.{record['index']}")
        assert says in told and f"challenge {found[name]}" in told, told


def main():
    with Store() as store, tempfile.TemporaryDirectory() as elsewhere:
        store.start()
        world = World(store)
        found = answers(world)
        log("--store", store.path, "approval", found["es"], status=3)  # not signed yet
        world.client.close()
        store.stop()  # closes the segment, and signs it
        the_log_names_each_question(store, found)
        key, published = f"{elsewhere}/audit.pub", f"{elsewhere}/checkpoint"
        shutil.copy(store.path / "audit.pub", key)
        with open(published, "w") as file:
            file.write(log("--store", store.path, "checkpoint"))
        all_evidence = {name: json.loads(log("--store", store.path, "approval", challenge)) for name, challenge in found.items() if name not in NOTHING}
        for name in NOTHING:
            said = log("--store", store.path, "approval", found[name], status=1)
            assert ("approved nothing" in said) == (name != "open"), said
        log("--store", store.path, "approval", "A" * 22, status=1)
        log("--store", store.path, "approval", "short", status=2)
        log("--store", store.path, "approval", found["es"], "--key", key, status=2)

        def verify(evidence, status=0):
            path = f"{elsewhere}/evidence"
            with open(path, "w") as file:
                json.dump(evidence, file)
            return log("verify-approval", path, "--public-key", key, "--checkpoint", published, *(["--json"] if status == 0 else []), status=status)

        for name, evidence in all_evidence.items():
            said = json.loads(verify(evidence))
            assert said["proven"] and said["checkpoint_through"] > 0 and said["answered_ms"] == evidence["answered_ms"], said
            assert said["account"] == name_of(COMPANY, name).hex() and said["answered"].endswith("Z"), said
            assert said["decision"] == ("refused" if name == "no" else "approved"), said
            assert said["fields"] == {field: PAYMENT[field] for field in PAYMENT if field != "purpose"}, said
            assert ("typed" in said) == (name == "typed")
        openssl_agrees(all_evidence["es"])
        count = 0
        for count, evidence in enumerate(changed(all_evidence["es"]), 1):
            verify(evidence, status=1)
        verify({**all_evidence["es"], "evidence": all_evidence["ed"]["evidence"]}, status=1)
        verify({**all_evidence["es"], "proof": all_evidence["ed"]["proof"]}, status=1)
        verify({**all_evidence["es"], "format": "otpring-approval-2"}, status=2)
        print(f"counted: {len(all_evidence)} answers proven, {count + 2} changed ones not")


if __name__ == "__main__":
    main()
