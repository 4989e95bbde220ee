"""A verifier of otpring's evidence, written from engine/journal/PROOF.md and FORMAT.md alone; no code of otpring's.

check_proof(proof, note, public_key) -> dict of the record; raises Refused. Needs python3-cryptography for Ed25519, and a function for
XXH3-64 (xxhsum is not needed: the header's checksum is looked at only where `xxh3` is given).
"""
import base64
import hashlib
import struct

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PAGE = 4096
SLOT = 64


class Refused(Exception):
    pass


def need(condition, why):
    if not condition:
        raise Refused(why)


def digest(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def decode(text):
    return base64.b64decode(text, validate=True)


# Trees


def split(count):
    k = 1
    while k * 2 < count:
        k *= 2
    return k


def root_of(leaves):
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return digest(b"\x01", root_of(leaves[:k]), root_of(leaves[k:]))


def root_from_path(leaves, first, total, path):
    need(leaves and 0 <= first and first + len(leaves) <= total, "the run leaves its tree")
    left_over = list(path)

    def rebuild(low, high):
        end = first + len(leaves)
        if first <= low and high <= end:
            return root_of(leaves[low - first : high - first])
        middle = low + split(high - low)
        sides = [(low, middle), (middle, high)]
        touched = [a < end and first < b for a, b in sides]
        hashes = [rebuild(*side) if touch else None for side, touch in zip(sides, touched)]
        for i in range(2):
            if not touched[i]:
                need(left_over, "a hash is missing")
                hashes[i] = left_over.pop(0)
        return digest(b"\x01", *hashes)

    root = rebuild(0, total)
    need(not left_over, "hashes are left over")
    return root


# Checkpoints


class Checkpoint:
    def __init__(self, record):
        need(len(record) == 192, "a checkpoint has 192 bytes")
        self.record = record
        self.store = record[:16]
        self.segment, self.first, self.last, self.time_ms, self.seal_number, self.seal_count = struct.unpack("<QQQqQI", record[16:60])
        self.kind = record[63]
        self.root = record[64:96]
        self.previous = record[96:128]

    def verify(self, public_key):
        need(self.kind == 5, "not a checkpoint")
        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(self.record[128:], b"otpring checkpoint 1\n" + self.record[:128])
        except InvalidSignature:
            raise Refused("the signature does not verify") from None


def parse_note(text, public_key):
    lines = text.split("\n")
    need(len(lines) == 12 and lines[11] == "" and lines[9] == "", "not a note")
    need(lines[0].startswith("otpring/"), "no origin")
    store = bytes.fromhex(lines[0][8:])
    values = {}
    for line, name in zip(lines[3:9], ["segment", "first", "time", "seal", "seals", "previous"]):
        word, value = line.split(" ")
        need(word == name, "another line was expected")
        values[name] = value
    dash, origin, blob = lines[10].split(" ")
    need(dash == "\u2014" and origin == lines[0], "no signature line")
    signature = decode(blob)
    key_id = digest(lines[0].encode(), b"\n\xffotpring checkpoint 1\n", public_key)[:4]
    need(signature[:4] == key_id, "another key's id")
    record = store + struct.pack("<QQQqQI", int(values["segment"]), int(values["first"]), int(lines[1]), int(values["time"]),
                                 int(values["seal"]), int(values["seals"]))
    record += b"\0\0\0\x05" + decode(lines[2]) + decode(values["previous"]) + signature[4:]
    checkpoint = Checkpoint(record)
    checkpoint.verify(public_key)
    return checkpoint


def check_chain(checkpoints, public_key, published):
    need(checkpoints, "no checkpoints")
    for before, checkpoint in zip([None, *checkpoints], checkpoints):
        checkpoint.verify(public_key)
        if before:
            need(before.store == checkpoint.store and before.segment < checkpoint.segment and before.last < checkpoint.last,
                 "a checkpoint does not come behind the one before it")
            need(digest(before.record) == checkpoint.previous, "a checkpoint names another one before it")
    need(published.record in [c.record for c in checkpoints], "the published checkpoint is not among them")


def check_continues(proof, old_note, new_note, public_key):
    need(proof["format"] == "otpring-checkpoints-1", "another format")
    checkpoints = [Checkpoint(decode(c)) for c in proof["checkpoints"]]
    check_chain(checkpoints, public_key, parse_note(new_note, public_key))
    need(checkpoints[0].record == parse_note(old_note, public_key).record, "it begins with another checkpoint")


# Records


def record_slots(slot):
    kind = slot[63]
    if kind in (1, 2, 6):
        return 1
    if kind in (4, 5):
        return 3
    need(kind == 3, "no record begins here")
    return 1 + struct.unpack("<H", slot[46:48])[0]


def check_proof(proof, note, public_key, xxh3=None):
    need(proof["format"] == "otpring-proof-1", "another format")
    position, slot = proof["position"], proof["slot"]
    checkpoints = [Checkpoint(decode(c)) for c in proof["checkpoints"]]
    check_chain(checkpoints, public_key, parse_note(note, public_key))

    seal = decode(proof["seal"])
    need(len(seal) == 192 and seal[63] == 4, "not a seal")
    first, last = struct.unpack("<QQ", seal[8:24])
    need(proof["seals"] == checkpoints[0].seal_count, "another number of seals than was signed")
    root = root_from_path([digest(b"\0", seal)], proof["seal_index"], proof["seals"], [decode(h) for h in proof["seal_path"]])
    need(root == checkpoints[0].root, "the seal is not one of the checkpoint's")
    need(first <= position <= last <= checkpoints[0].last, "the seal does not cover this position")

    pages = [decode(p) for p in proof["pages"]]
    need(pages and all(len(p) == PAGE for p in pages), "pages have 4096 bytes")
    root = root_from_path([digest(b"\0", p) for p in pages], proof["leaf"], proof["leaves"], [decode(h) for h in proof["path"]])
    need(root == seal[64:96], "the pages are not what the seal was made over")

    block = b"".join(pages)
    magic, version, slot_count, block_position = struct.unpack("<4sHHQ", block[:16])
    need(magic == b"OTRB" and version == 2 and block_position == position, "the first page begins another block")
    if xxh3:
        need(xxh3(block[:56]) == struct.unpack("<Q", block[56:64])[0], "the header's checksum is wrong")
    slots = block[SLOT : SLOT * (1 + slot_count)]
    at = 0
    while at < slot:
        at += record_slots(slots[at * SLOT : (at + 1) * SLOT])
    need(at == slot and (at + 1) * SLOT <= len(slots), "no record begins at this slot")
    end = at + record_slots(slots[at * SLOT : (at + 1) * SLOT])
    need(end * SLOT <= len(slots), "the record is not whole")
    return {"position": position, "slot": slot, "time_ms": struct.unpack("<q", block[32:40])[0], "kind": slots[at * SLOT + 63],
            "bytes": slots[at * SLOT : end * SLOT]}
