#!/usr/bin/env python3
"""OCRA as RFC 6287 has it, from its text alone and in its reference code's manner (appendix A: everything is text in
hexadecimal, numbers are big integers), with Python's hmac: what the engine's own code is compared with.

  ocra_reference.py check FOLDER    appendix C and the random cases of FOLDER agree with this code
  ocra_reference.py write FOLDER    makes FOLDER/ocra_random.csv anew, the same bytes each time
"""
import csv
import hashlib
import hmac
import io
import random
import re
import sys

HASHES = {"SHA1": hashlib.sha1, "SHA256": hashlib.sha256, "SHA512": hashlib.sha512}
SUITE = re.compile(
    r"OCRA-1:HOTP-(?P<hash>SHA1|SHA256|SHA512)-(?P<digits>0|[4-9]|10):(?P<counter>C-)?"
    r"Q(?P<format>[ANH])(?P<length>[4-9]|0[4-9]|[1-5][0-9]|6[0-4])"
    r"(-P(?P<pin>SHA1|SHA256|SHA512))?(-S(?P<session>(?!000)[0-9]{3}))?(-T(?P<time>[1-9][0-9]?[SMH]))?")


def question_hex(form, text):
    """Section 5.1: a number as a number, hexadecimal as it is, letters as their bytes; then zeros on the right."""
    digits = {"N": lambda: format(int(text, 10), "x"), "H": lambda: text, "A": lambda: text.encode("ascii").hex()}[form]()
    return digits.ljust(256, "0")


def respond(suite, key, counter=0, questions=("",), pin_hash=b"", session=b"", step=0):
    parts = SUITE.fullmatch(suite)
    message = suite.encode("ascii").hex() + "00"
    if parts["counter"]:
        message += format(counter, "016x")
    message += question_hex(parts["format"], "".join(questions))
    if parts["pin"]:
        message += pin_hash.hex()
    if parts["session"]:
        message += session.hex().rjust(2 * int(parts["session"]), "0")
    if parts["time"]:
        message += format(step, "016x")
    digest = hmac.new(key, bytes.fromhex(message), HASHES[parts["hash"]]).digest()
    if parts["digits"] == "0":
        return digest.hex()
    at = digest[-1] & 15
    value = int.from_bytes(digest[at:at + 4], "big") & 0x7FFFFFFF
    return str(value % 10 ** int(parts["digits"])).rjust(int(parts["digits"]), "0")


def standard_key(size):
    return (b"1234567890" * 7)[:size]


def appendix_c(folder):
    with open(f"{folder}/rfc6287_appendix_c.csv") as file:
        rows = [row for row in csv.reader(file) if not row[0].startswith("#")]
    for _, suite, size, counter, first, second, pin, step, response in rows:
        mine = respond(suite, standard_key(int(size)), int(counter or 0), (first, second), bytes.fromhex(pin), b"",
                       int(step or "0", 16))
        assert mine == response, (suite, first, second, mine, response)
    return len(rows)


CHARACTERS = {"N": "0123456789", "H": "0123456789abcdefABCDEF", "A": "".join(map(chr, range(33, 127)))}
IN_USE = ["OCRA-1:HOTP-SHA1-6:QN10", "OCRA-1:HOTP-SHA1-8:QH40", "OCRA-1:HOTP-SHA256-8:C-QN08-PSHA1",
          "OCRA-1:HOTP-SHA256-8:C-QN08", "OCRA-1:HOTP-SHA256-6:C-QA64", "OCRA-1:HOTP-SHA1-6:QH10-S128"]


def random_suite(source):
    length = source.randint(4, 64)
    suite = f"OCRA-1:HOTP-{source.choice(list(HASHES))}-{source.choice([0, 4, 5, 6, 7, 8, 9, 10])}:"
    suite += source.choice(["", "C-"]) + f"Q{source.choice('ANH')}{length:02d}"
    suite += source.choice(["", "-PSHA1", "-PSHA256", "-PSHA512"])
    suite += source.choice(["", f"-S{source.choice([1, 20, 64, 128, 256, 512, 999]):03d}"])
    return suite + source.choice(["", f"-T{source.randint(1, 59)}{source.choice('SM')}", f"-T{source.randint(1, 48)}H"])


def random_row(source, suite):
    parts = SUITE.fullmatch(suite)
    letters = CHARACTERS[parts["format"]]
    question = lambda: "".join(source.choice(letters) for _ in range(source.randint(1, int(parts["length"]))))
    questions = (question(), question() if source.random() < 0.4 else "")
    key = source.randbytes(source.choice([10, 16, 20, 32, 63, 64, 65, 100, 127, 128]))
    counter = source.getrandbits(source.choice([8, 32, 64])) if parts["counter"] else 0
    pin = HASHES[parts["pin"]](source.randbytes(4)).digest() if parts["pin"] else b""
    size = int(parts["session"] or 0)
    session = source.randbytes(source.choice([1, size, source.randint(1, size)])) if size else b""
    step = source.getrandbits(source.choice([16, 32, 63])) if parts["time"] else 0
    response = respond(suite, key, counter, questions, pin, session, step)
    return [suite, key.hex(), counter, *(q.encode().hex() for q in questions), pin.hex(), session.hex(), step, response]


def random_cases():
    source = random.Random(6287)
    out = io.StringIO()
    out.write("# Random OCRA cases, made by tests/python/ocra_reference.py, which knows the RFC and not the engine.\n"
              "# suite,key,counter,first challenge (hex of its text),second,PIN hash,session,step,response\n")
    writer = csv.writer(out, lineterminator="\n")
    for case in range(300):
        writer.writerow(random_row(source, IN_USE[case] if case < len(IN_USE) else random_suite(source)))
    return out.getvalue()


def main(act, folder):
    path = f"{folder}/ocra_random.csv"
    if act == "write":
        with open(path, "w") as file:
            file.write(random_cases())
        return 0
    count = appendix_c(folder)
    assert count == 70, count
    with open(path) as file:
        assert file.read() == random_cases(), "ocra_random.csv is not what this code makes"
    print(f"counted: {count} vectors of appendix C, 300 random cases")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("check", "write"):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
