#!/usr/bin/env python3
"""The replay log as ops ask it: why a code was refused, who guesses, what comes; live, over rotations, with segments damaged or taken away."""
import collections
import csv
import ctypes.util
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from harness import ACCEPTED, PROGRAMS, REJECTED, REPLAYED, RESYNC_VERDICT, THROTTLED, Store, copied, hotp, name_of, query, record_id, seeds_for, totp

COMPANY = "Bank"
seeds = seeds_for(12, seed=9)
HERE, THERE = 0xABC123, 0xDEF456


def log(path, *words, status=0, where="--store", env=None):
    done = subprocess.run([PROGRAMS / "otpring-log", where, path, *map(str, words)], capture_output=True, timeout=120, check=False,
                          env={**os.environ, **(env or {})})
    assert done.returncode == status, (words, done.returncode, done.stdout[-800:], done.stderr)
    return done.stdout.decode()


def lines(path, *words, **how):
    return [json.loads(line) for line in log(path, *words, "--json", **how).splitlines()]


class Asking:
    """One session; each request is the next of slot 0."""

    def __init__(self, store):
        self.wire, self.sequence = store.wire(), 0

    def ask(self, *queries, kind=3):
        self.sequence += 1
        return self.wire.ask(0, self.sequence, list(queries), kind=kind)


def record_text(record):
    return "%d.%d" % record_id(record)


def explained(store, record, *words):
    told = log(store.path, "explain", record_text(record), *words)
    assert told.startswith(record_text(record) + " "), told
    return told


# ---- explain ----


def a_code_used_before_names_the_record_that_used_it(store, asking):
    code = hotp(seeds["u0"], 0)
    first = asking.ask(query(COMPANY, "u0", code, source=HERE))[0]
    other = Asking(store)
    second = other.ask(query(COMPANY, "u0", code, source=THERE))[0]
    assert (first[0], second[0]) == (ACCEPTED, REPLAYED)
    told = explained(store, second[3])
    assert f"used before: by record {record_text(first[3])}" in told and "through client owner" in told, told
    assert "source 0000000000abc123" in told and "somebody may have seen the code" in told, told
    again = lines(store.path, "explain", record_text(second[3]))[0]
    assert again["related"] == [{"role": "consumed_by", "position": record_id(first[3])[0], "index": record_id(first[3])[1]}], again
    same = asking.ask(query(COMPANY, "u0", code, source=HERE))[0]
    assert "from the same source, in two requests" in explained(store, same[3])
    # The same code twice in one request; then one of a step that was jumped over.
    twice = asking.ask(query(COMPANY, "u0", hotp(seeds["u0"], 3)), query(COMPANY, "u0", hotp(seeds["u0"], 3)))
    assert [answer[0] for answer in twice] == [ACCEPTED, REPLAYED], twice
    assert "the batch had the same account and code twice" in explained(store, twice[1][3])
    assert "step +0" not in explained(store, twice[0][3]) and "is used up now" in explained(store, twice[0][3])


def a_totp_code_used_before_does_too(store, asking):
    now = time.time()
    if now % 30 > 25:
        time.sleep(30 - now % 30)
    code = totp(seeds["u1"], time.time())
    first, second = (asking.ask(query(COMPANY, "u1", code, source=HERE))[0] for _ in range(2))
    assert (first[0], second[0]) == (ACCEPTED, REPLAYED), (first, second)
    assert f"used before: by record {record_text(first[3])}" in explained(store, second[3])
    # The step before it was not used itself, but may not be any more.
    early = asking.ask(query(COMPANY, "u1", totp(seeds["u1"], time.time() - 30)))[0]
    if early[0] == REPLAYED:
        told = explained(store, early[3])
        assert "of a step before one that was used already" in told and record_text(first[3]) in told, told


def a_wrong_clock_is_told_with_how_wrong_it_is(store, asking):
    answer = asking.ask(query(COMPANY, "u2", totp(seeds["u2"], time.time() + 30 * 12)))[0]
    if answer[0] != RESYNC_VERDICT:  # one code in 25,000 fits the window by chance
        return
    told = explained(store, answer[3])
    assert "step far from the expected one: 12 steps after" in told or "11 steps after" in told, told
    assert "(6 minutes)" in told or "(5 minutes)" in told, told
    assert "two adjacent codes" in told, told


def a_lock_names_the_failures_that_built_it_up(store, asking):
    answers = [asking.ask(query(COMPANY, "u3", (hotp(seeds["u3"], 0) + 1 + i) % 10**6, source=HERE + i % 3))[0] for i in range(9)]
    refused = [a for a in answers if a[0] == REJECTED]
    locked = [a for a in answers if a[0] == THROTTLED][0]
    told = explained(store, refused[0][3])
    assert "fits none of the account's tokens" in told and "failure 1 of unknown sources" in told, told
    assert "the account is locked for 2 seconds" in explained(store, refused[-1][3])
    told = explained(store, locked[3])
    assert f"{len(refused)} failures from unknown sources" in told and "from 3 sources" in told, told
    assert record_text(refused[-1][3]) in told and "The lock ends" in told, told
    store.tool("token", "unlock", "--company", COMPANY, "--user", "u3")
    told = log(store.path, "explain", "--company", COMPANY, "--user", "u3")
    assert "The account's failures were reset by uid" in told and "Token" in told and "was added for u3 of Bank" in told, told
    after = asking.ask(query(COMPANY, "u3", hotp(seeds["u3"], 0)))[0]
    assert after[0] == ACCEPTED
    assert "The account's next record: " in explained(store, locked[3])


def other_refusals_say_what_they_are(store, asking):
    unknown = asking.ask(query(COMPANY, "nobody", 123456))[0]
    assert "There is no such account" in explained(store, unknown[3])
    digits = asking.ask(query(COMPANY, "u4", 12345678, digits=8))[0]
    assert "another number of digits" in explained(store, digits[3])
    malformed = asking.ask(query(COMPANY, "u4", 1234567, digits=6))[0]
    assert "does not fit its number of digits" in explained(store, malformed[3])
    assert "no record 1.999" in subprocess.run([PROGRAMS / "otpring-log", "--store", store.path, "explain", "1.999"], capture_output=True,
                                               text=True, check=False).stderr
    told = log(store.path, "explain", "--at", "now")
    assert "of 5 accounts" in told or "The first 5 accounts" in told, told


# ---- filters ----


def filters_let_through_what_they_say(store):
    everything = lines(store.path, "show")
    verified = [r for r in everything if "verdict" in r]

    def expect(wanted, *words):
        assert lines(store.path, "show", *words) == wanted, words
        assert lines(store.path, "show", "--no-index", "--threads", "1", *words) == wanted, words

    account = name_of(COMPANY, "u3").hex()
    expect([r for r in everything if r["account"] == account], "--company", COMPANY, "--user", "u3")
    expect([r for r in everything if r["account"] == account], "--account", account)
    expect([r for r in everything if r["account"][:16] == account[:16]], "--company", COMPANY)
    expect([r for r in verified if r["verdict"] in ("REPLAYED", "THROTTLED")], "--verdict", "replayed,throttled")
    expect([r for r in verified if r["verdict"] != "ACCEPTED"], "--verdict", "refused")
    expect([r for r in everything if r.get("act") == "TOKEN_ADD"], "--act", "token_add")
    expect([r for r in everything if "act" in r], "--act", "all")
    expect([r for r in everything if r.get("act") == "TOKEN_ADD" or r.get("verdict") == "REPLAYED"], "--act", "TOKEN_ADD", "--verdict", "REPLAYED")
    expect([r for r in verified if r["source"] == "%016x" % HERE], "--source", "%016x" % HERE)
    expect(verified, "--client", "owner")
    expect([], "--client", "nobody")
    token = verified[0]["token"]
    expect([r for r in everything if r["token"] == token], "--token", token)
    middle = everything[len(everything) // 2]
    expect([r for r in everything if r["position"] >= middle["position"]], "--from", middle["position"])
    expect([r for r in everything if r["position"] <= middle["position"]], "--to", middle["position"])
    expect([r for r in everything if r["time"] >= middle["time"]], "--since", middle["time"])
    expect([r for r in everything if r["time"] < middle["time"]], "--until", middle["time"])
    expect(everything[:7], "-n", "7")
    expect(everything, "--since", "-1h")
    expect(everything, "--since", "yesterday 14:00")
    expect([], "--until", "-1h")
    assert lines(store.path, "tail", "--no-follow") == everything[-10:]
    assert lines(store.path, "tail", "--no-follow", "-n", "3", "--verdict", "REPLAYED") == [r for r in verified if r["verdict"] == "REPLAYED"][-3:]


def names_come_from_the_store_and_are_not_needed(store):
    with_names = lines(store.path, "show", "--company", COMPANY, "--user", "u3")
    assert all(r["company"] == COMPANY and r["user"] == "u3" for r in with_names)
    assert " Bank/u3 " in log(store.path, "show") and " Bank/u3 " not in log(store.path, "show", "--no-names")
    assert any(r["company"] == COMPANY and r["user"] is None for r in lines(store.path, "show", "--account", name_of(COMPANY, "nobody").hex()))
    alone = lines(store.path / "journal", "show", where="--journal", env={"OTPRING_STORE": ""})
    assert len(alone) == len(lines(store.path, "show")) and all(r["user"] is None for r in alone)
    told = log(store.path / "journal", "explain", "--company", COMPANY, "--user", "u0", where="--journal", env={"OTPRING_STORE": ""})
    assert "was right, but used before" in told, told


def output_cannot_drive_a_terminal(store):
    store.tool("token", "add", "--company", 'Ev"il,=1', "--user", "a\u202eb;\u200bc/d e")
    shown = log(store.path, "show", "--act", "TOKEN_ADD").splitlines()[-1]
    assert "\u202e" not in shown and "\u200b" not in shown and len(shown.split()) == 7, shown
    record = lines(store.path, "show", "--act", "TOKEN_ADD")[-1]
    assert record["company"] == 'Ev"il,=1' and record["user"] == "a\u202eb;\u200bc/d e"
    assert "\u202e" not in log(store.path, "show", "--act", "TOKEN_ADD", "--json")
    row = list(csv.DictReader(io.StringIO(log(store.path, "export", "--format", "csv", "--act", "TOKEN_ADD"))))[-1]
    assert row["company"] == 'Ev"il,=1' and row["user"] == "a\\u{202e}b;\\u{200b}c/d e", row
    cef = log(store.path, "export", "--format", "cef", "--act", "TOKEN_ADD").splitlines()[-1]
    assert cef.startswith("CEF:0|otpring|otpring|") and 'cs1=Ev"il,\\=1' in cef and "\u202e" not in cef, cef
    assert "\x1b[32mACCEPTED\x1b[0m" in log(store.path, "show", "--color", "always")
    assert "\x1b" not in log(store.path, "show") + log(store.path, "stats") + log(store.path, "explain", "--at", "now")


# ---- stats ----


def counts_are_those_of_the_records(store):
    counted = lines(store.path, "stats")[0]
    records = lines(store.path, "show")
    verdicts = collections.Counter(r["verdict"] for r in records if "verdict" in r)
    assert counted["verdicts"] == verdicts and counted["verifications"] == sum(verdicts.values())
    assert counted["acts"] == collections.Counter(r["act"] for r in records if "act" in r)
    refused = collections.Counter(r["account"] for r in records if r.get("verdict") not in (None, "ACCEPTED"))
    assert {a["account"]: a["refused"] for a in counted["accounts"]} == dict(refused.most_common(10)) or len(refused) > 10
    assert sum(sum(t["verdicts"].values()) for t in counted["times"]) == sum(verdicts.values())
    assert {c["client_name"] for c in counted["clients"]} == {"owner"}
    assert sum(counted["drift_steps"].values()) >= 1


def guessers_are_suspected(store, asking):
    asking.ask(*[query(COMPANY, f"victim{i}", 111111, source=0x6666) for i in range(200)])
    for _ in range(5):
        asking.ask(*[query(COMPANY, "target", 222222, source=0x10000 + i) for i in range(60)])
    counted = lines(store.path, "stats")[0]
    source = counted["suspect_sources"][0]
    assert source["source"] == "%016x" % 0x6666 and 160 <= source["accounts_about"] <= 240, source
    account = counted["suspect_accounts"][0]
    assert account["account"] == name_of(COMPANY, "target").hex() and 48 <= account["sources_about"] <= 72, account
    told = log(store.path, "stats", "--color", "always")
    assert "Suspects: one source, many accounts" in told and "\u2588" in told, told


# ---- what comes ----


class Follower:
    def __init__(self, path, *words):
        self.lines, self.errors = [], tempfile.TemporaryFile()
        self.process = subprocess.Popen([PROGRAMS / "otpring-log", "--store", path, *map(str, words)], stdout=subprocess.PIPE,
                                        stderr=self.errors, text=True)
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line)

    def wait_for(self, ready, what):
        end = time.monotonic() + 60
        while not ready(self.lines):
            self.errors.seek(0)
            assert time.monotonic() < end and self.process.poll() is None, (what, len(self.lines), self.errors.read())
            time.sleep(0.02)

    def end(self, sig=signal.SIGTERM):
        self.process.send_signal(sig)
        self.process.wait()
        self.thread.join()
        return self.lines


def tail_shows_what_comes_over_rotations(store, asking):
    tail = Follower(store.path, "tail", "-n", "1", "--json", "--company", "Other")
    asking.ask(query("Other", "first", 123456))
    tail.wait_for(lambda have: have, "tail has begun")
    before = store.tool("status", want_json=True)["journal"]["segment"]
    for round_number in range(6):
        asking.ask(*[query(COMPANY, "filler", i) for i in range(4096)])
        asking.ask(query("Other", f"user{round_number}", 123456))
    for _ in range(30):
        asking.ask(*[query(COMPANY, "filler", i) for i in range(4096)])
        if store.tool("status", want_json=True)["journal"]["segment"] > before:
            break
    asking.ask(query("Other", "last", 123456))
    assert store.tool("status", want_json=True)["journal"]["segment"] > before
    tail.wait_for(lambda have: len(have) >= 8, "tail")
    records = [json.loads(line) for line in tail.end()]
    assert [r["account"] for r in records] == [name_of("Other", user).hex() for user in ("first", *(f"user{i}" for i in range(6)), "last")]


def an_export_goes_on_where_it_was_killed(store, asking):
    resume = store.base / "export.position"
    words = ["export", "--follow", "--resume", resume, "--verdict", "refused,accepted"]
    had = []
    for round_number in range(4):
        export = Follower(store.path, *words)
        marks = {name_of("Siem", f"u{round_number}-{i}").hex() for i in range(5)}
        for i in range(5):
            asking.ask(query("Siem", f"u{round_number}-{i}", 123456), *[query(COMPANY, "filler", i) for i in range(500)])
        export.wait_for(lambda have, marks=marks: sum(any(mark in line for mark in marks) for line in have[-6000:]) >= 5, "export")
        lines_had = export.end(signal.SIGKILL)
        if lines_had and not lines_had[-1].endswith("\n"):
            lines_had.pop()
        had += [json.loads(line) for line in lines_had]
        assert int(resume.read_text()) > 0
    had += lines(store.path, *[w for w in words if w != "--follow"])
    places = {(r["position"], r["index"]): r for r in had}
    shown = lines(store.path, "show", "--verdict", "refused,accepted")
    assert set(places) == {(r["position"], r["index"]) for r in shown}
    assert len(had) < 2 * len(shown), "it began anew each time"
    after = shown[len(shown) // 2]["position"]
    assert lines(store.path, "export", "--after", after) == [r for r in lines(store.path, "show") if r["position"] > after]


def collectors_get_syslog_messages(store):
    wanted = log(store.path, "export", "--format", "cef", "--act", "all").splitlines()
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    udp.settimeout(20)
    log(store.path, "export", "--format", "cef", "--act", "all", "-n", "20", "--syslog", f"udp:127.0.0.1:{udp.getsockname()[1]}")
    got = [udp.recv(65536).decode() for _ in range(min(20, len(wanted)))]
    assert [m.split(" - - ", 1)[1] for m in got] == wanted[:20] and all(m.startswith("<86>1 2") for m in got), got[:2]
    path = store.base / "dev-log"
    unix = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    unix.bind(str(path))
    unix.settimeout(20)
    log(store.path, "export", "--format", "cef", "--act", "all", "-n", "3", "--syslog", f"unix:{path}")
    assert [unix.recv(65536).decode().split(" - - ", 1)[1] for _ in range(3)] == wanted[:3]
    listener = socket.create_server(("127.0.0.1", 0))
    received = []

    def serve():
        connection = listener.accept()[0]
        received.append(b"".join(iter(lambda: connection.recv(65536), b"")))

    server = threading.Thread(target=serve)
    server.start()
    log(store.path, "export", "--format", "cef", "--act", "all", "--syslog", f"tcp:127.0.0.1:{listener.getsockname()[1]}")
    server.join()
    stream, messages = received[0], []
    while stream:
        count, stream = stream.split(b" ", 1)
        messages.append(stream[:int(count)].decode().split(" - - ", 1)[1])
        stream = stream[int(count):]
    assert messages == wanted
    assert "not udp:HOST:PORT" in subprocess.run([PROGRAMS / "otpring-log", "--store", store.path, "export", "--syslog", "tls:x:1"],
                                                 capture_output=True, text=True, check=False).stderr
    log(store.path, "export", "--syslog", f"unix:{store.base}/nobody", status=3)


# ---- indexes and damage ----


def indexes_change_no_answer(store):
    journal = store.path / "journal"
    end = time.monotonic() + 30
    while len(list(journal.glob("*.idx"))) < 2:
        assert time.monotonic() < end, "the housekeeper made no index"
        time.sleep(0.1)
    words = ["show", "--company", "Siem"]
    wanted = log(store.path, *words, "--no-index")
    assert wanted and log(store.path, *words) == wanted
    copy = store.base / "copy"
    copied(journal, copy)
    for index in copy.glob("*.idx"):
        data = bytearray(index.read_bytes())
        data[200::50] = bytes(b ^ 1 for b in data[200::50])
        index.write_bytes(data)
    read = lambda: log(copy, *words, where="--journal")
    plain = log(copy, *words, "--no-index", where="--journal")
    assert read() == plain, "damaged indexes"
    for index in copy.glob("*.idx"):
        index.unlink()
    assert read() == plain, "no indexes"
    made = log(copy, "index", where="--journal")
    assert int(made.split()[0]) >= 2 and read() == plain, made
    assert log(copy, "index", where="--journal").startswith("0 made")
    shutil.rmtree(copy)


def blocks_of(data):
    """Offset and position of each block of a segment, in order; FORMAT.md. What a recycled one held before ends it."""
    offset, expected = 4096, int.from_bytes(data[4104:4112], "little")
    while data[offset:offset + 4] == b"OTRB" and int.from_bytes(data[offset + 8:offset + 16], "little") == expected:
        yield offset, expected
        offset += -(-(64 + int.from_bytes(data[offset + 6:offset + 8], "little") * 64) // 4096) * 4096
        expected += 1


def the_rest_is_read_where_segments_are_damaged(store):
    copy = store.base / "damaged"
    copy.mkdir()
    segments = sorted((store.path / "journal").glob("[0-9a-f]*.seg"))
    for segment in segments:
        shutil.copy(segment, copy)
    whole = {(r["position"], r["index"]) for r in lines(copy, "show", where="--journal")}
    # The one with the most in it, as its index tells.
    second = copy / max(segments, key=lambda p: (p.with_suffix(".idx").exists() and p.with_suffix(".idx").read_bytes()[104:112][::-1]) or b"").name

    def damaged(change, *expected, least=0.3):
        kept = second.read_bytes()
        data = bytearray(kept)
        change(data)
        second.write_bytes(data)
        done = subprocess.run([PROGRAMS / "otpring-log", "--journal", copy, "show", "--json"], capture_output=True, text=True, timeout=120, check=False)
        got = {(r["position"], r["index"]) for r in map(json.loads, done.stdout.splitlines())}
        assert done.returncode == 1 and got < whole and len(got) > least * len(whole), (expected, done.returncode, len(got), len(whole), done.stderr)
        assert all(text in done.stderr for text in expected), (expected, done.stderr)
        second.write_bytes(kept)

    # A block in the middle of it of which `show` has something to tell.
    shown, blocks = {position for position, _ in whole}, list(blocks_of(second.read_bytes()))
    blocks = [offset for offset, position in blocks if position in shown]
    middle = blocks[len(blocks) // 2]

    def flip(data):
        data[middle + 100] ^= 1

    def cut(data):
        del data[middle:]

    def no_header(data):
        data[10] ^= 1

    def finish(data):
        xxh = ctypes.CDLL(ctypes.util.find_library("xxhash"))
        xxh.XXH3_64bits.restype, xxh.XXH3_64bits.argtypes = ctypes.c_uint64, [ctypes.c_char_p, ctypes.c_size_t]
        data[4088:4096] = xxh.XXH3_64bits(bytes(data[:4088]), 4088).to_bytes(8, "little")

    def version(data):
        data[8:12] = (99).to_bytes(4, "little")
        finish(data)

    damaged(flip, "position ", "going on behind it")
    damaged(cut, "its header is damaged or its file is cut short")
    damaged(version, "the segment has another format version; it is passed over")
    # What the first block says stands for a header that is gone: nothing is lost.
    kept = second.read_bytes()
    data = bytearray(kept)
    no_header(data)
    second.write_bytes(data)
    assert {(r["position"], r["index"]) for r in lines(copy, "show", where="--journal", status=1)} == whole
    second.write_bytes(kept)
    # The newest by its number, and of another store.
    other = Store(store.base / "foreign")
    other.tool("token", "add", "--company", "X", "--user", "y")
    data = bytearray(sorted((other.path / "journal").glob("[0-9a-f]*.seg"))[0].read_bytes())
    data[32:40] = (0xFFFF).to_bytes(8, "little")
    finish(data)
    (copy / "000000000000ffff.seg").write_bytes(data)
    done = subprocess.run([PROGRAMS / "otpring-log", "--journal", copy, "show", "--json"], capture_output=True, text=True, timeout=120, check=False)
    assert {(r["position"], r["index"]) for r in map(json.loads, done.stdout.splitlines())} == whole and done.returncode == 1, (done.returncode, len(done.stdout.splitlines()), len(whole), done.stderr)
    assert "segment ffff: the segment belongs to another store; it is passed over" in done.stderr, done.stderr
    shutil.rmtree(copy)


def main():
    with Store() as store:
        for i in range(12):
            store.add(COMPANY, f"u{i}", seeds[f"u{i}"], kind="totp" if i in (1, 2) else "hotp")
        store.start("--segment-size", "2M")
        asking = Asking(store)
        a_code_used_before_names_the_record_that_used_it(store, asking)
        a_totp_code_used_before_does_too(store, asking)
        a_wrong_clock_is_told_with_how_wrong_it_is(store, asking)
        a_lock_names_the_failures_that_built_it_up(store, asking)
        other_refusals_say_what_they_are(store, asking)
        filters_let_through_what_they_say(store)
        names_come_from_the_store_and_are_not_needed(store)
        counts_are_those_of_the_records(store)
        output_cannot_drive_a_terminal(store)
        guessers_are_suspected(store, asking)
        tail_shows_what_comes_over_rotations(store, asking)
        an_export_goes_on_where_it_was_killed(store, asking)
        collectors_get_syslog_messages(store)
        indexes_change_no_answer(store)
        store.stop()
        the_rest_is_read_where_segments_are_damaged(store)


main()
