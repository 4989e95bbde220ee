#!/usr/bin/env python3
"""A device's side of QR challenges, written from include/otpring/QR.md alone, with OpenSSL's command for Ed25519.

  qr_device.py read KEYHEX         the URI on standard input as JSON; exit 1 and the reason when it is refused
  qr_device.py check FOLDER        FOLDER's challenge_*.csv are what this code makes
  qr_device.py write FOLDER        makes them anew
"""
import base64
import hashlib
import json
import random
import re
import subprocess
import sys
import tempfile
import unicodedata

CONTEXT = b"otpring challenge\0"
FIELDS = {1: "site", 2: "text", 3: "amount", 4: "currency", 5: "payee", 6: "reference"}
SIZES = {1: 64, 2: 200, 3: 20, 4: 3, 5: 70, 6: 140}
PUBLIC_DER = bytes.fromhex("302a300506032b6570032100")
PRIVATE_DER = bytes.fromhex("302e020100300506032b657004220420")


class Refused(Exception):
    pass


# ---- reading ----

def signature_holds(public_key, message, signature):
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("key", PUBLIC_DER + public_key), ("message", message), ("signature", signature)):
            with open(f"{folder}/{name}", "wb") as file:
                file.write(content)
        done = subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", f"{folder}/key",
                               "-rawin", "-in", f"{folder}/message", "-sigfile", f"{folder}/signature"],
                              capture_output=True, check=False)
        return done.returncode == 0


def base32_encode(content):
    return base64.b32encode(content).decode().rstrip("=")


def base32_decode(text):
    if not re.fullmatch("[A-Z2-7]+", text):
        raise Refused("BAD_URI")
    try:
        content = base64.b32decode(text + "=" * (-len(text) % 8))
    except ValueError:
        raise Refused("BAD_URI") from None
    if base32_encode(content) != text:
        raise Refused("BAD_URI")
    return content


def may_be_shown(text):
    """No line ends, controls, format characters, and no fillers that show as nothing."""
    fillers = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"
    if text != text.strip(" ") or not text:
        return False
    return not any(unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") or c in fillers or "\ufe00" <= c <= "\ufe0f" or
                   "\u180b" <= c <= "\u180f" or "\ufff0" <= c <= "\ufffb" for c in text)


def field_check(tag, content):
    if not 1 <= len(content) <= SIZES[tag]:
        raise Refused("BAD_TEXT" if content else "BAD_BODY")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("BAD_AMOUNT" if tag in (3, 4) else "BAD_TEXT") from None
    good = {3: lambda: re.fullmatch(r"(0|[1-9][0-9]{0,14})(\.[0-9]{1,4})?", text),
            4: lambda: re.fullmatch(r"[A-Z]{3}", text)}.get(tag, lambda: may_be_shown(text))
    if not good():
        raise Refused("BAD_AMOUNT" if tag in (3, 4) else "BAD_TEXT")
    return text


def body_read(body):
    if len(body) < 44 or body[0] != 1:
        raise Refused("BAD_BODY")
    raw, at, before = {}, 44, 0
    for _ in range(body[3]):
        if at + 2 > len(body):
            raise Refused("BAD_BODY")
        tag, size = body[at], body[at + 1]
        content = body[at + 2:at + 2 + size]
        if not before < tag <= 6 or size == 0 or len(content) != size:
            raise Refused("BAD_BODY")
        raw[tag], at, before = content, at + 2 + size, tag
    if at != len(body) or not 1 <= body[1] <= 4 or body[2] & ~7:
        raise Refused("BAD_BODY")
    said = {"purpose": body[1], "flags": body[2], "key_id": body[4:8].hex(), "expires": int.from_bytes(body[8:12], "little"),
            "id": body[12:28].hex(), "binding": body[28:44].hex()}
    for tag, name in FIELDS.items():
        may = tag <= 2 or body[1] == 4
        if (tag in raw and not may) or (tag not in raw and may and tag != 6):
            raise Refused("FIELDS")
        if tag in raw:
            said[name] = field_check(tag, raw[tag])
    return said


def uri_read(uri, public_key):
    if not uri.startswith("OTPRING:") or len(uri) > 996:
        raise Refused("BAD_URI")
    content = base32_decode(uri[8:])
    if len(content) <= 64:
        raise Refused("BAD_URI")
    body, signature = content[:-64], content[-64:]
    if not signature_holds(public_key, CONTEXT + body, signature):
        raise Refused("BAD_SIGNATURE")
    said = body_read(body)
    if said["key_id"] != hashlib.sha256(public_key).hexdigest()[:8]:
        raise Refused("BAD_BODY")
    return body, said


def question(form, length, digest):
    if length < {"H": 16, "N": 20, "A": 13}[form]:
        return ""
    if form == "H":
        return digest.hex()[:length]
    if form == "N":
        return str(int.from_bytes(digest, "big") % 10 ** length).rjust(length, "0")
    return base32_encode(digest)[:length]


def statement(body_digest, decision, reason, number, device, counter):
    fields = (body_digest, bytes([decision]), bytes([reason]), bytes([number]), device.to_bytes(8, "big"),
              counter.to_bytes(8, "big"))
    return b"otpring answer\0" + b"".join(len(field).to_bytes(4, "big") + field for field in fields)


# ---- making vectors: what a bank would do ----

SECRET = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
KEY_ID = hashlib.sha256(PUBLIC).digest()[:4]


def sign(message):
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("key", PRIVATE_DER + SECRET), ("message", message)):
            with open(f"{folder}/{name}", "wb") as file:
                file.write(content)
        return subprocess.run(["openssl", "pkeyutl", "-sign", "-keyform", "DER", "-inkey", f"{folder}/key", "-rawin", "-in",
                               f"{folder}/message"], capture_output=True, check=True).stdout


def body_of(purpose=1, flags=0, fields=((1, "Demo Bank"), (2, "Log in to the portal?")), version=1, count=None, key_id=KEY_ID,
            tail=b""):
    out = bytes([version, purpose, flags, len(fields) if count is None else count]) + key_id
    out += (1800000000).to_bytes(4, "little") + bytes(range(16)) + bytes(range(0x80, 0x90))
    for tag, text in fields:
        content = text if isinstance(text, bytes) else text.encode()
        out += bytes([tag, len(content)]) + content
    return out + tail


def uri_of(body, context=CONTEXT):
    return "OTPRING:" + base32_encode(body + sign(context + body))


def payment(**changed):
    fields = {"site": "Demo Bank", "text": "¿Paga esta factura?", "amount": "1250.00", "currency": "EUR", "payee": "Ana Pérez",
              "reference": "Factura 2026/117"} | changed
    return body_of(4, 1, [(tag, fields[name]) for tag, name in FIELDS.items() if fields[name] is not None])


def good_bodies():
    yield body_of()
    yield body_of(flags=7)
    yield body_of(2, 0, [(1, "B"), (2, "¿Autoriza ver el saldo? ✓ 口座")])
    yield body_of(3, 2)
    yield payment()
    yield payment(reference=None)
    yield payment(site="s" * 64, text="t" * 200, amount="123456789012345.1234", payee="p" * 70, reference="r" * 140)
    for amount in ("0", "0.5", "0.0001", "7", "999999999999999"):
        yield payment(amount=amount)


def bad_bodies():
    for made, why in ((dict(version=2), "BAD_BODY"), (dict(version=0), "BAD_BODY"), (dict(purpose=0), "BAD_BODY"),
                      (dict(purpose=5), "BAD_BODY"), (dict(flags=8), "BAD_BODY"), (dict(flags=0x80), "BAD_BODY"),
                      (dict(count=1), "BAD_BODY"), (dict(count=3), "BAD_BODY"), (dict(count=255), "BAD_BODY"),
                      (dict(tail=b"\0"), "BAD_BODY"), (dict(key_id=b"\0\0\0\0"), "BAD_BODY"), (dict(fields=()), "FIELDS"),
                      (dict(fields=((1, "a"),)), "FIELDS"), (dict(fields=((2, "a"),)), "FIELDS"),
                      (dict(fields=((2, "a"), (1, "b"))), "BAD_BODY"), (dict(fields=((1, "a"), (1, "b"))), "BAD_BODY"),
                      (dict(fields=((1, "a"), (2, "b"), (7, "c"))), "BAD_BODY"),
                      (dict(fields=((0, "a"), (2, "b"))), "BAD_BODY"), (dict(fields=((1, ""), (2, "b"))), "BAD_BODY"),
                      (dict(fields=((1, "a"), (2, "b"), (3, "1"), (4, "EUR"), (5, "c"))), "FIELDS")):
        yield body_of(**made), why
    for field in ("site", "text", "amount", "currency", "payee"):
        yield payment(**{field: None}), "FIELDS"
    for amount in ("01", "00", "1.", ".5", "1.00000", "1,50", "-1", "+1", "1e3", " 1", "1 ", "1234567890123456", "0x1", "１"):
        yield payment(amount=amount), "BAD_AMOUNT"
    for currency in ("eur", "EU", "E1R", "€€€"[:1]):
        yield payment(currency=currency), "BAD_AMOUNT"
    for text in ("a\nb", "a\0b", "a\x7fb", "a\u0085b", "a\u202eb", "a\u2066b", "a\u200bb", "a\ufeffb", "a\u00adb", "a\u2028b",
                 "a\u3164b", "a\u115fb", "a\U000e0041b", "a\ufe0fb", " a", "a ", " ", b"a\xff", b"\xc0\xaf", b"\xed\xa0\x80",
                 b"\xf4\x90\x80\x80", b"a\xc3", b"\xe0\x80\xaf", b"\x80"):
        yield payment(payee=text), "BAD_TEXT"
    yield payment(payee="p" * 71), "BAD_TEXT"
    yield payment(site="p" * 65), "BAD_TEXT"


def uri_rows():
    good = uri_of(body_of())
    for body in good_bodies():
        yield "OK", uri_of(body), body.hex()
    for body, why in bad_bodies():
        yield why, uri_of(body), ""
    yield "BAD_SIGNATURE", uri_of(body_of(), b""), ""
    yield "BAD_SIGNATURE", uri_of(body_of(), b"otpring checkpoint\0"), ""
    yield "BAD_SIGNATURE", "OTPRING:" + base32_encode(payment(amount="1251.00") + sign(CONTEXT + payment())), ""
    yield "BAD_SIGNATURE", "OTPRING:" + base32_encode(bytes(44) + bytes(64)), ""
    for text in ("", "OTPRING:", "OTPRING", good.lower(), "otpring:" + good[8:], good[:-1] + good[-1].lower(), good + "=",
                 good[:20] + " " + good[20:], good[:20] + "-" + good[20:], good[:20] + "1" + good[21:], good[:-3],
                 "OTPRING:" + base32_encode(bytes(64)), good + "AAAAAAA" * 300, " " + good, good + "\\"):
        yield "BAD_URI", text, ""
    spare = uri_of(body_of(fields=((1, "a"), (2, "bcd"))))  # not a whole number of bytes in its last character
    yield "BAD_URI", spare[:-1] + chr(ord(spare[-1]) + 1), ""


def uris():
    lines = ["# QR challenges, made by tests/python/qr_device.py from the device page. Signed by the key of RFC 8032 section 7.1 test 1:",
             "# " + PUBLIC.hex(), "# result,URI,body"]
    return "\n".join(lines + [",".join(row) for row in uri_rows()]) + "\n"


def questions():
    source = random.Random(2026)
    lines = ["# OCRA questions that stand for a challenge, by the same code. format,characters,digest,question (empty: refused)"]
    for form in "HNA":
        for length in [4, 8, 12, 13, 15, 16, 19, 20, 40, 51, 52, 53, 63, 64]:
            digest = source.randbytes(32) if length != 40 else bytes(31) + b"\7"
            lines.append(f"{form},{length},{digest.hex()},{question(form, length, digest)}")
    return "\n".join(lines) + "\n"


def statements():
    source = random.Random(90)
    lines = ["# Statements that devices sign, by the same code. decision,reason,number,device,counter,digest,statement"]
    first = (hashlib.sha256(body_of()).digest(), 1, 0, 0, 7, 1)
    for row in range(40):
        decision = source.choice([1, 2])
        values = (source.randbytes(32), decision, source.choice([0, 1, 2]) if decision == 2 else 0,
                  source.choice([0, 10, 42, 99]), source.getrandbits(63) + 1, source.getrandbits(64)) if row else first
        lines.append(",".join(map(str, values[1:])) + f",{values[0].hex()},{statement(*values).hex()}")
    return "\n".join(lines) + "\n"


def vectors_check():
    """What is made is read back as what it was made of."""
    for wanted, uri, body in uri_rows():
        try:
            found, read = "OK", uri_read(uri, PUBLIC)[0].hex()
        except Refused as why:
            found, read = str(why), ""
        assert (found, read) == (wanted, body), (wanted, found, uri)


def main(act, where):
    if act == "read":
        try:
            print(json.dumps(uri_read(sys.stdin.read(), bytes.fromhex(where))[1], ensure_ascii=False))
        except Refused as why:
            print(why)
            return 1
        return 0
    vectors_check()
    for name, content in (("challenge_uris.csv", uris()), ("challenge_questions.csv", questions()),
                          ("challenge_statements.csv", statements())):
        if act == "write":
            with open(f"{where}/{name}", "w") as file:
                file.write(content)
        with open(f"{where}/{name}") as file:
            assert file.read() == content, f"{name} is not what this code makes"
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("read", "check", "write"):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
