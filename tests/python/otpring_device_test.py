#!/usr/bin/env python3
"""The example of include/otpring/DEVICE.md, byte by byte, against the device written from the page."""
import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
try:
    from otpring_device import Device, activation_letters, b64, ed25519, statement, unb64, x25519
except ImportError as error:  # python3-cryptography (tools/packages test)
    print(f"skipped: {error}")
    sys.exit(77)

PAGE = pathlib.Path(__file__).resolve().parents[2] / "include" / "otpring" / "DEVICE.md"


def example():
    values, name = {}, None
    for line in PAGE.read_text().split("## An example")[1].splitlines():
        if re.fullmatch(r" {8}[0-9a-f]+", line):
            values[name] += line.strip()
        elif line.startswith("    "):
            name = line.strip()
            values[name] = ""
    return {name: bytes.fromhex(value) for name, value in values.items()}


class Example(unittest.TestCase):
    def setUp(self):
        sign = ed25519.Ed25519PrivateKey.from_private_bytes(
            bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
        seal = x25519.X25519PrivateKey.from_private_bytes(bytes(range(32)))
        self.device = Device("Ed25519", name="Ana's phone", platform="Example 1",
                             store={"keys": (sign, seal), "enrolment": bytes(range(0xa0, 0xb0)), "nonce": bytes(range(0xc0, 0xd0))})
        self.values = example()

    def test_every_signature_is_the_one_of_the_page(self):
        device, values = self.device, self.values
        device.open({"encapsulated": b64(values["encapsulated"]), "sealed": b64(values["sealed"])})
        made = {"present": device.present("ABCD-EFGH-JKMN-PQRS"), "prove": device.prove(b64(bytes(range(0xb0, 0xc0))), "755224"),
                "bind": device.bind(), "stored": device.stored(), "confirm": device.confirm()}
        for step, document in made.items():
            self.assertEqual(unb64(document["signature"]), values[f"{step}, signature"], step)
        self.assertEqual(unb64(made["stored"]["proof"]), values["stored, proof"])

    def test_the_first_statement_is_the_one_of_the_page(self):
        device = self.device
        self.assertEqual(statement("otpring device present 1", b"ABCDEFGHJKMNPQRS", b"Ed25519", device._public(device.sign_private),
                                   device._public(device.seal_private), b"Ana's phone", b"Example 1", b""),
                         self.values["present, statement"])

    def test_the_sealed_seed_opens_and_gives_the_codes_of_rfc_6238(self):
        self.device.open({"encapsulated": b64(self.values["encapsulated"]), "sealed": b64(self.values["sealed"])})
        self.assertEqual(self.device.code(59), "287082")
        self.assertEqual(self.device.store["profile"]["user"], "ana")

    def test_an_activation_code_is_read_as_people_write_it(self):
        self.assertEqual(activation_letters("https://bank.example/enrol#abcd-efgh-jkmn-pqrs"), "ABCDEFGHJKMNPQRS")
        self.assertEqual(activation_letters("oOiI lLab cdef ghjk"), "001111ABCDEFGHJK")


if __name__ == "__main__":
    unittest.main()
