#!/usr/bin/env python3
"""What bad input gets: a malformed frame costs its sender's connection and nothing else; no other spelling of a used code passes."""
import random
import socket
import struct
import subprocess

from harness import (ACCEPTED, MALFORMED, NAMES, PROGRAMS, REJECTED, REPLAYED, Closed, Store, Wire, count_of, hotp, name_of,
                     query, seeds_for)
import subprocess

COMPANY = "Bank"
SIZE, KIND, VERSION, RESERVED, NO_HELLO, TOO_MANY, NO_RIGHT, SESSION, SLOT, SEQUENCE = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10


def error_of(store, data, hello=True):
    """The error code that a frame gets, and that the connection is closed after it."""
    wire = store.wire() if hello else None
    if hello:
        data = data(wire) if callable(data) else data
        wire.send(data)
        peer = wire
    else:
        peer = object.__new__(Wire)
        peer.socket = socket.socket(socket.AF_UNIX)
        peer.socket.settimeout(10)
        peer.socket.connect(str(store.path / "verify.sock"))
        peer.send(data)
    kind, _, _, body = peer.receive()
    assert kind == 7, f"no error frame but kind {kind}"
    try:
        peer.receive()
        raise AssertionError("the connection stayed open")
    except Closed:
        pass
    peer.close()
    return struct.unpack_from("<H", body)[0]


def head(size, kind, count, session=0, sequence=1, slot=0, reserved=0):
    return struct.pack("<IHHQQIHH", size, kind, count, 0, session, sequence, slot, reserved)


def malformed_frames(store, user):
    item = query(COMPANY, user, 123456)
    cases = [
        (SIZE, lambda w: head(16, 3, 1, w.session)),
        (SIZE, lambda w: head(32 + 33, 3, 1, w.session) + bytes(33)),
        (SIZE, lambda w: head(1 << 31, 3, 1, w.session)),
        (KIND, lambda w: head(64, 77, 1, w.session) + item),
        (KIND, lambda w: head(64, 4, 1, w.session) + item),
        (RESERVED, lambda w: head(64, 3, 1, w.session, reserved=1) + item),
        (TOO_MANY, lambda w: head(32, 3, 0, w.session)),
        (SESSION, lambda w: head(64, 3, 1, w.session ^ 1) + item),
        (SLOT, lambda w: head(64, 3, 1, w.session, slot=w.slots) + item),
    ]
    for expected, make in cases:
        seen = error_of(store, make)
        assert seen == expected, f"error {seen}, expected {expected}"
    assert error_of(store, head(64, 3, 1, 5) + item, hello=False) == NO_HELLO
    seen = error_of(store, head(64, 1, 0, sequence=0) + struct.pack("<HHHHQ16x", 9, 9, 1, 1, 0), hello=False)
    assert seen == VERSION, seen


def items_are_judged_one_by_one(store, user, seed):
    wire = store.wire()
    good = hotp(seed, 0)
    base = name_of(COMPANY, user)
    items = [
        base + struct.pack("<QIBBBB", 0, 1234567, 6, 1, 0, 0),  # a code past its digits
        base + struct.pack("<QIBBBB", 0, 1234, 4, 1, 0, 0),     # four digits
        base + struct.pack("<QIBBBB", 0, good, 6, 9, 0, 0),     # an unknown kind
        base + struct.pack("<QIBBBB", 0, good, 6, 1, 7, 0),     # an unknown source class
        base + struct.pack("<QIBBBB", 0, good, 6, 1, 0, 128),   # a reserved flag
        base + struct.pack("<QIBBBB", 0, good, 7, 1, 0, 0),     # another number of digits
        query(COMPANY, user, good),
        query(COMPANY, user, good),
    ]
    verdicts = [a[0] for a in wire.ask(0, 1, items)]
    assert verdicts == [MALFORMED] * 5 + [REJECTED, ACCEPTED, REPLAYED], [NAMES[v] for v in verdicts]
    wire.close()


def other_spellings(store, user, seed):
    code = f"{hotp(seed, 1):06d}"
    assert store.tool("verify", "--company", COMPANY, "--user", user, code).strip() == "ACCEPTED"
    arabic = "".join(chr(0x660 + int(digit)) for digit in code)
    for typed in [" " + code, code + " ", "+" + code, code[:3] + " " + code[3:], "0" + code, code[:5], arabic, code + "\t", "", "0x1234"]:
        done = subprocess.run([PROGRAMS / "otpring", "--store", store.path, "verify", "--company", COMPANY, "--user", user, "--", typed],
                              capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode in (1, 2) and "ACCEPTED" not in done.stdout, (typed, done)


def noise(store, user, seed, count):
    """Random bytes and damaged frames; a well-behaved neighbour is served all the time."""
    rng = random.Random(11)
    neighbour = store.wire()
    for i in range(count):
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(str(store.path / "verify.sock"))
        frame = bytearray(head(64, 1, 0) + struct.pack("<HHHHQ16x", 1, 1, 4, 16, 0) + head(64, 3, 1) + query(COMPANY, user, 1))
        for _ in range(rng.randrange(1, 6)):
            frame[rng.randrange(len(frame))] = rng.randrange(256)
        try:
            peer.sendall(bytes(frame[:rng.randrange(len(frame) + 1)]) if rng.random() < 0.7 else rng.randbytes(rng.randrange(1, 5000)))
        except OSError:
            pass
        peer.close()
        if i % 50 == 0:
            verdict = neighbour.ask(0, 1 + i // 50, [query(COMPANY, user, hotp(seed, 2 + i // 50))])[0][0]
            assert verdict == ACCEPTED, NAMES[verdict]
    neighbour.close()
    print(f"measured: {count} noisy connections, a neighbour served all the time")


def main():
    count = count_of("OTPRING_NOISE", 500)
    seeds = seeds_for(2)
    with Store() as store:
        store.import_hotp(COMPANY, seeds)
        store.start()
        malformed_frames(store, "u0")
        items_are_judged_one_by_one(store, "u0", seeds["u0"])
        other_spellings(store, "u0", seeds["u0"])
        noise(store, "u1", seeds["u1"], count)
        store.stop()


main()
