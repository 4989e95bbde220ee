"""A client of otpringd written from include/otpring/PROTOCOL.md alone, with nothing but the standard library (Python 3.11).

VerifyClient speaks to verify.sock, AskClient to ask.sock, AdminClient to admin.sock. All block; one thread at a time. A VerifyClient goes on with its session
after a lost connection and sends what is unanswered again, byte for byte. The pieces (Connection, frame, query) are public, so
that tests can break the rules on purpose.

    with VerifyClient("/path/to/store/verify.sock") as client:
        print(client.verify("Demo Bank", "ana", "755224").verdict)
"""

from __future__ import annotations

import hashlib
import json
import socket
import struct
import time
from dataclasses import dataclass

HELLO, HELLO_ANSWER, VERIFY, VERIFY_ANSWER, RESYNC, RESYNC_ANSWER = 1, 2, 3, 4, 5, 6
ERROR, ADMIN, ADMIN_ANSWER, PING, PONG = 7, 8, 9, 10, 11
QUESTION, QUESTION_ANSWER, QUESTION_EVENT = 12, 13, 14
OCRA, OCRA_ANSWER = 20, 21

VERDICTS = {
    1: "ACCEPTED", 2: "REJECTED", 3: "REPLAYED", 4: "THROTTLED", 5: "RESYNC",
    6: "INACTIVE", 7: "UNKNOWN", 8: "MALFORMED", 9: "UNAVAILABLE", 10: "REQUIRED", 11: "NOT_REQUIRED",
}
ERRORS = {
    1: "SIZE", 2: "KIND", 3: "VERSION", 4: "RESERVED", 5: "NO_HELLO", 6: "TOO_MANY", 7: "NO_RIGHT",
    8: "SESSION", 9: "SLOT", 10: "SEQUENCE", 11: "CHANGED_CONTENT", 12: "LIMIT", 13: "TIMEOUT",
}

HEADER = struct.Struct("<IHHQQIHH")
HELLO_BODY = struct.Struct("<HHHHQ16x")
HELLO_ANSWER_BODY = struct.Struct("<HHHHQIIQ")
QUERY = struct.Struct("<8s8sQIBBBB")
PAIR_END = struct.Struct("<II")
OCRA_END = struct.Struct("<HBBBBH")
ANSWER = struct.Struct("<BBHIQ")
ERROR_BODY = struct.Struct("<HHIQ")
FRAME_SIZE_MAX = 4 << 20


class ProtocolError(Exception):
    """An ERROR frame, or bytes that are no frame of the protocol."""

    def __init__(self, name: str, kind: int = 0, offset: int = 0):
        super().__init__(f"{name} (frame kind {kind}, byte {offset})")
        self.name, self.kind, self.offset = name, kind, offset


class SessionLost(Exception):
    """The session expired while a frame was unanswered: its queries are undecided."""


class AdminError(Exception):
    """An act that was answered with ok false."""

    def __init__(self, code: str, text: str):
        super().__init__(f"{code}: {text}")
        self.code = code


@dataclass(frozen=True)
class Answer:
    verdict: str
    reason: int = 0
    retry_after_s: int = 0
    record: int = 0


@dataclass(frozen=True)
class Frame:
    kind: int
    count: int
    tag: int
    session: int
    sequence: int
    slot: int
    body: bytes


@dataclass(frozen=True)
class HelloAnswer:
    version: int
    slots: int
    items_max: int
    resumed: bool
    session: int
    idle_timeout_s: int
    kinds: int
    server_time_ms: int


def frame(kind: int, body: bytes = b"", *, count: int = 0, tag: int = 0, session: int = 0, sequence: int = 0,
          slot: int = 0) -> bytes:
    return HEADER.pack(HEADER.size + len(body), kind, count, tag, session, sequence, slot, 0) + body


def hello(slots: int = 16, items_max: int = 1024, session: int = 0, versions: tuple[int, int] = (1, 1)) -> bytes:
    return frame(HELLO, HELLO_BODY.pack(*versions, slots, items_max, session))


def name(company: str, user: str) -> tuple[bytes, bytes]:
    whole = company.encode() + b"\0" + user.encode()
    return hashlib.sha256(company.encode()).digest()[:8], hashlib.sha256(whole).digest()[:8]


def source_hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") or 1


def code_is_well_formed(code: str) -> bool:
    return 6 <= len(code) <= 8 and code.isascii() and code.isdigit()


def query(company: str, user: str, code: str, source: int = 0, source_known: bool = False) -> bytes:
    return QUERY.pack(*name(company, user), source, int(code), len(code), 1, 1 if source_known else 0, 0)


def query_required(company: str, user: str, source: int = 0) -> bytes:
    return QUERY.pack(*name(company, user), source, 0, 0, 2, 0, 0)


def pair(company: str, user: str, code: str, code_next: str, source: int = 0, source_known: bool = False) -> bytes:
    return query(company, user, code, source, source_known) + PAIR_END.pack(int(code_next), 0)


def ocra(company: str, user: str, response: str, challenge: str, *, second: str = "", pin_hash: bytes = b"", session: bytes = b"",
         source: int = 0, source_known: bool = False) -> bytes:
    fields = [response.encode(), challenge.encode(), second.encode(), pin_hash, session]
    size = QUERY.size + OCRA_END.size + sum(map(len, fields))
    padded = (size + 7) // 8 * 8
    return (QUERY.pack(*name(company, user), source, 0, 0, 3, 1 if source_known else 0, 0) +
            OCRA_END.pack(padded, *map(len, fields)) + b"".join(fields) + bytes(padded - size))


def answers_of(body: bytes) -> list[Answer]:
    found = []
    for verdict, reason, reserved, retry_after_s, record in ANSWER.iter_unpack(body):
        if verdict not in VERDICTS or reserved:
            raise ProtocolError(f"verdict {verdict}")
        found.append(Answer(VERDICTS[verdict], reason, retry_after_s, record))
    return found


class Connection:
    """Frames over one socket. After `greet` the hello answer is in `granted`."""

    def __init__(self, path: str, timeout_s: float = 10.0):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout_s)
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise
        self.granted: HelloAnswer | None = None

    def close(self) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def _read(self, size: int) -> bytes:
        parts = []
        while size:
            part = self.socket.recv(min(size, 1 << 20))
            if not part:
                raise ConnectionResetError("the daemon closed the connection")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def receive(self) -> Frame:
        """The next frame; an ERROR frame is raised as ProtocolError."""
        size, kind, count, tag, session, sequence, slot, reserved = HEADER.unpack(self._read(HEADER.size))
        if reserved or not HEADER.size <= size <= FRAME_SIZE_MAX:
            raise ProtocolError("a header from the daemon is not sound", kind)
        body = self._read(size - HEADER.size)
        if kind == ERROR:
            code, at_kind, offset, _ = ERROR_BODY.unpack(body)
            raise ProtocolError(ERRORS.get(code, str(code)), at_kind, offset)
        if kind in (VERIFY_ANSWER, RESYNC_ANSWER, OCRA_ANSWER) and len(body) != count * ANSWER.size:
            raise ProtocolError("an answer's size does not fit its count", kind)
        return Frame(kind, count, tag, session, sequence, slot, body)

    def greet(self, slots: int = 16, items_max: int = 1024, session: int = 0) -> HelloAnswer:
        self.send(hello(slots, items_max, session))
        answer = self.receive()
        if answer.kind != HELLO_ANSWER:
            raise ProtocolError("no hello answer", answer.kind)
        version, granted_slots, granted_items, resumed, *rest = HELLO_ANSWER_BODY.unpack(answer.body)
        self.granted = HelloAnswer(version, granted_slots, granted_items, bool(resumed), *rest)
        if version != 1:
            raise ProtocolError("the hello answer is not sound", answer.kind)
        return self.granted

    def ping(self) -> None:
        self.send(frame(PING, tag=7))
        answer = self.receive()
        if answer.kind != PONG or answer.tag != 7:
            raise ProtocolError("no pong", answer.kind)


class VerifyClient:
    def __init__(self, path: str, slots: int = 16, items_max: int = 1024, timeout_s: float = 10.0):
        self.path, self.wished, self.timeout_s = path, (slots, items_max), timeout_s
        self.connection: Connection | None = None
        self.session = 0
        self.slots, self.items_max, self.idle_timeout_s = slots, items_max, 0
        self.sequences: dict[int, int] = {}
        self.last_frame_s = 0.0
        self.tag = 0

    def __enter__(self) -> VerifyClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self.connection:
            self.connection.close()
            self.connection = None

    def connect(self) -> bool:
        """True when the session goes on, false when it is new."""
        self.close()
        connection = Connection(self.path, self.timeout_s)
        try:
            granted = connection.greet(*self.wished, self.session)
            if not granted.session:
                raise ProtocolError("no session was granted", HELLO_ANSWER)
        except BaseException:
            connection.close()
            raise
        self.connection = connection
        self.last_frame_s = time.monotonic()
        self.slots, self.items_max, self.idle_timeout_s = granted.slots, granted.items_max, granted.idle_timeout_s
        if not granted.resumed:
            self.session = granted.session
            self.sequences = {}
        return granted.resumed

    def exchange(self, kind: int, bodies: list[tuple[int, bytes]]) -> list[list[Answer]]:
        """Sends one frame a slot, all in flight at once; `bodies` are (count, items). Retries through lost connections."""
        if self.connection and time.monotonic() - self.last_frame_s > self.idle_timeout_s / 2:
            self.close()
        deadline_s = time.monotonic() + self.timeout_s
        if not self.connection:
            self.connect()
        if len(bodies) > self.slots:
            raise ValueError(f"{len(bodies)} frames, {self.slots} slots are granted")
        waiting: dict[int, tuple[int, bytes]] = {}
        for slot, (count, body) in enumerate(bodies):
            self.tag += 1
            self.sequences[slot] = self.sequences.get(slot, 0) + 1
            waiting[self.tag] = (slot, frame(kind, body, count=count, tag=self.tag, session=self.session,
                                             sequence=self.sequences[slot], slot=slot))
        answered: dict[int, list[Answer]] = {}
        while True:
            try:
                assert self.connection
                self.connection.send(b"".join(data for _, data in waiting.values()))
                while waiting:
                    self._take(kind, waiting, answered)
                self.last_frame_s = time.monotonic()
                return [answered[slot] for slot in range(len(bodies))]
            except ProtocolError as error:
                self.close()
                if error.name == "SESSION":
                    self.session = 0
                    raise SessionLost from error
                if error.name != "TIMEOUT":
                    self.session = 0
                    raise
            except TimeoutError:
                self.close()
                raise
            except OSError:
                self.close()
            self._reconnect(deadline_s)

    def _take(self, kind: int, waiting: dict[int, tuple[int, bytes]], answered: dict[int, list[Answer]]) -> None:
        assert self.connection
        answer = self.connection.receive()
        if answer.kind != kind + 1 or answer.tag not in waiting:
            raise ProtocolError("an answer to nothing that was asked", answer.kind)
        slot, asked = waiting.pop(answer.tag)
        if HEADER.unpack_from(asked)[2] != answer.count or (answer.session, answer.slot) != (self.session, slot):
            raise ProtocolError("an answer to something else", answer.kind)
        answered[slot] = answers_of(answer.body)

    def _reconnect(self, deadline_s: float) -> None:
        while True:
            try:
                if not self.connect():
                    raise SessionLost
                return
            except OSError:
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(0.05)

    def verify_batch(self, queries: list[tuple[str, str, str]], source: int = 0) -> list[Answer]:
        """(company, user, code) each; answers in the same order. Large batches go as several frames, in flight together."""
        well_formed = [index for index, item in enumerate(queries) if code_is_well_formed(item[2])]
        if not self.connection and well_formed:
            self.connect()
        found = [Answer("MALFORMED", 7)] * len(queries)
        step = self.items_max
        chunks = [well_formed[at:at + step] for at in range(0, len(well_formed), step)]
        for at in range(0, len(chunks), self.slots):
            part = chunks[at:at + self.slots]
            bodies = [(len(chunk), b"".join(query(*queries[index], source) for index in chunk)) for chunk in part]
            for chunk, answers in zip(part, self.exchange(VERIFY, bodies), strict=True):
                for index, answer in zip(chunk, answers, strict=True):
                    found[index] = answer
        return found

    def verify(self, company: str, user: str, code: str, source: int = 0) -> Answer:
        return self.verify_batch([(company, user, code)], source)[0]

    def required(self, company: str, user: str) -> Answer:
        """May this user pass without a code? Take UNAVAILABLE, and MALFORMED of an older daemon, for REQUIRED."""
        return self.exchange(VERIFY, [(1, query_required(company, user))])[0][0]

    def resync(self, company: str, user: str, code: str, code_next: str, source: int = 0) -> Answer:
        if not code_is_well_formed(code) or not code_is_well_formed(code_next) or len(code) != len(code_next):
            return Answer("MALFORMED", 7)
        return self.exchange(RESYNC, [(1, pair(company, user, code, code_next, source))])[0][0]


    def verify_ocra(self, items: list[bytes]) -> list[Answer]:
        """Responses to challenges, made by `ocra`; at most items_max, in one frame."""
        return self.exchange(OCRA, [(len(items), b"".join(items))])[0]


class AskClient:
    """Questions to devices. Every item of a call gets its own answer, a dict with "ok"; `events` collects what was closed meanwhile."""

    def __init__(self, path: str, slots: int = 16, items_max: int = 256, timeout_s: float = 30.0):
        self.connection = Connection(path, timeout_s)
        try:
            self.granted = self.connection.greet(slots, items_max)
        except BaseException:
            self.connection.close()
            raise
        self.tag = 0
        self.events: list[dict] = []

    def __enter__(self) -> AskClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.connection.close()

    def send(self, act: str, items: list[dict]) -> int:
        """One frame on its way; gives its tag."""
        self.tag += 1
        text = json.dumps({"act": act, "items": items}).encode()
        self.connection.send(frame(QUESTION, text, count=len(items), tag=self.tag))
        return self.tag

    def receive(self, tag: int) -> list[dict]:
        """The answers to the frame of this tag; one refused as a whole is raised as AdminError."""
        while True:
            answer = self.connection.receive()
            said = json.loads(answer.body)
            if answer.kind == QUESTION_EVENT:
                self.events.append(said)
                continue
            if answer.kind != QUESTION_ANSWER or answer.tag != tag:
                raise ProtocolError("an answer to nothing that was asked", answer.kind)
            if said["ok"] is not True:
                raise AdminError(str(said.get("code")), str(said.get("error")))
            return said["items"]

    def batch(self, act: str, items: list[dict]) -> list[dict]:
        return self.receive(self.send(act, items))

    def one(self, act: str, **item: object) -> dict:
        return self.batch(act, [item])[0]

    def closed(self, challenge: str) -> dict:
        """Waits until the daemon says by itself what became of it."""
        while True:
            for event in self.events:
                if event["challenge"] == challenge:
                    self.events.remove(event)
                    return event
            answer = self.connection.receive()
            if answer.kind != QUESTION_EVENT:
                raise ProtocolError("no event", answer.kind)
            self.events.append(json.loads(answer.body))


class AdminClient:
    def __init__(self, path: str, timeout_s: float = 30.0):
        self.connection = Connection(path, timeout_s)
        try:
            self.connection.greet(slots=1)
        except BaseException:
            self.connection.close()
            raise
        self.tag = 0

    def __enter__(self) -> AdminClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.connection.close()

    def ask_raw(self, request: dict) -> dict:
        self.tag += 1
        self.connection.send(frame(ADMIN, json.dumps(request).encode(), tag=self.tag))
        answer = self.connection.receive()
        if answer.kind != ADMIN_ANSWER or answer.tag != self.tag:
            raise ProtocolError("no admin answer", answer.kind)
        return json.loads(answer.body)

    def ask(self, act: str, **members: object) -> dict:
        """The answer of an act; one with ok false is raised as AdminError."""
        answer = self.ask_raw({"act": act, **members})
        if answer.get("ok") is not True:
            raise AdminError(str(answer.get("code")), str(answer.get("error")))
        return answer
