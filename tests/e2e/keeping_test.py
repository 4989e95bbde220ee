#!/usr/bin/env python3
"""What is kept of the log: archived with zstd and read in place, pruned with and without the daemon, and nothing that is needed goes."""
import json
import os
import random
import shutil
import struct
import subprocess
import time

from harness import PROGRAMS, Store, copied, count_of, hotp, name_of, query, seeds_for

COMPANY = "Bank"
seeds = seeds_for(3, seed=6)
FLIPS = count_of("OTPRING_ARCHIVE_FLIPS", 20)


def run(store, *words, status=0):
    done = subprocess.run([PROGRAMS / "otpring-log", "--store", store, *map(str, words)], capture_output=True, text=True, timeout=120,
                          check=False)
    assert done.returncode == status, (words, done.returncode, done.stdout[-500:], done.stderr[-500:])
    return done.stdout if status == 0 else done.stdout + done.stderr


def report(store, *words, status=0):
    return json.loads(run(store, "check", "--json", *words, status=status))


def fill(store, segments):
    wire = store.wire(items=4096)
    until = store.tool("status", want_json=True)["journal"]["segment"] + segments
    sequence = 0
    while store.tool("status", want_json=True)["journal"]["segment"] < until:
        sequence += 1
        wire.ask(0, sequence, [query(COMPANY, "nobody", i) for i in range(4096)])
    wire.close()


def raw(store):
    return sorted(p for p in (store.path / "journal").glob("[0-9a-f]*.seg") if not p.name.startswith("spare"))


def unpacked(path):
    """What zstd's own program makes of it; None: it refuses."""
    done = subprocess.run(["zstd", "-dc", path], capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


def packed_segments_are_the_very_segments(store):
    archive = sorted((store.path / "archive").glob("*.seg.zst"))
    assert len(archive) >= 3
    for path in archive:
        assert unpacked(path) == (store.path / "journal" / path.name.removesuffix(".zst")).read_bytes(), path
    assert "nothing to archive" in run(store.path, "archive")


def what_went_is_read_in_the_archive(store, before):
    """The same records, the same check, a proof of a record whose segment is gone from the journal."""
    first = json.loads(store.tool("log", "prune", "--through", str(before["signed_through"] // 2), "--json"))["first_position"]
    assert 1 < first <= before["signed_through"] // 2 + 1, first
    alone = store.base / "alone"
    copied(store.path, alone)
    shutil.rmtree(alone / "archive")
    assert report(alone)["first_position"] == first
    whole = report(store.path)
    assert whole["first_position"] == 1 and whole["finding"] is None and whole["records"] >= before["records"]
    assert report(alone, "--archive", store.path / "archive")["records"] >= before["records"]
    assert run(store.path, "show", "-n", "5") == before["show"]
    key, note, proof = (store.base / name for name in ("key", "note", "proof"))
    key.write_text(run(store.path, "key"))
    note.write_text(run(store.path, "checkpoint"))
    proof.write_text(run(store.path, "prove", "--position", "3", "--checkpoint", note))
    done = subprocess.run([PROGRAMS / "otpring-log", "verify-proof", proof, "--public-key", key, "--checkpoint", note],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "proven" in done.stdout, done
    return first


def an_archived_segment_has_its_index(store):
    """Beside it, made again where it is missing; what an index rules out is not unpacked."""
    gone = [path for path in sorted((store.path / "archive").glob("*.seg.zst")) if not (store.path / "journal" / path.name.removesuffix(".zst")).exists()]
    assert gone
    indexes = [path.with_name(path.name.removesuffix(".seg.zst") + ".idx") for path in gone]
    assert all(index.exists() for index in indexes), indexes
    good = indexes[0].read_bytes()
    indexes[0].unlink()
    assert "1 made" in run(store.path, "index") and indexes[0].read_bytes() == good
    assert not (store.path / "journal" / indexes[0].name).exists()
    indexes[0].write_bytes(b"none" + good[4:])
    shown = run(store.path, "show", "--account", name_of(COMPANY, "nobody").hex())
    assert "1 made" in run(store.path, "index") and indexes[0].read_bytes() == good
    assert run(store.path, "show", "--account", name_of(COMPANY, "nobody").hex()) == shown and shown
    assert all(run(store.path, "show", "--no-names", "--threads", threads) == run(store.path, "show", "--no-names", "--threads", 1) for threads in (2, 4))
    packed = bytearray(gone[-1].read_bytes())
    whole = bytes(packed)
    frames = int.from_bytes(packed[-9:-5], "little")
    table = [struct.unpack_from("<II", packed, len(packed) - 9 - 8 * (frames - i))[0] for i in range(frames)]
    at, content = sum(table) - table[-1] // 2, unpacked(gone[-1])  # in the last frame: the first has the segment's header
    while unpacked(gone[-1]) == content:  # some bits say nothing
        packed[at] ^= 1
        at += 1
        gone[-1].write_bytes(packed)
    somebody = name_of("Other", "somebody").hex()
    assert run(store.path, "show", "--account", somebody) == ""
    assert "position" in run(store.path, "show", "--account", somebody, "--no-index", status=1)
    gone[-1].write_bytes(whole)


def every_removal_is_a_record(store, first):
    own = [json.loads(line) for line in run(store.path, "show", "--own", "--json").splitlines() if '"own"' in line]
    removals = [r for r in own if r["own"] == "REMOVAL"]
    assert removals and removals[-1]["last"] == first - 1, removals[-3:]


def what_is_needed_does_not_go(store):
    end = report(store.path)["last_position"]
    answer = store.tool("log", "prune", "--through", str(end + 1000), "--json", status=1)
    assert json.loads(answer)["code"] == "JOURNAL_NEEDED" and "could go now" in json.loads(answer)["error"], answer
    done = subprocess.run([PROGRAMS / "otpring-log", "prune", "--store", store.path, "--through", str(end + 1000)], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 1 and "could go now" in done.stderr, done


def damage_of_an_archive_is_found_and_harms_nothing_else(store):
    rng = random.Random(1)
    path = sorted((store.path / "archive").glob("*.seg.zst"))[0]
    good, content, sound = path.read_bytes(), unpacked(path), report(store.path)
    for _ in range(FLIPS):
        bad = bytearray(good)
        at = rng.randrange(len(bad))
        bad[at] ^= 1 << rng.randrange(8)
        cut = rng.random() >= 0.7
        path.write_bytes(bad[:at] if cut else bad)
        done = subprocess.run([PROGRAMS / "otpring-log", "--store", store.path, "check", "--json"], capture_output=True, text=True, timeout=60,
                              check=False)
        if done.returncode not in (1, 3):  # some bits say nothing: the very same segment comes out
            assert done.returncode == 0 and not cut and unpacked(path) == content, (at, cut, done)
            read = json.loads(done.stdout)
            assert read["finding"] is None and read["first_position"] == sound["first_position"] and read["records"] >= sound["records"], (at, read)
        done = subprocess.run([PROGRAMS / "otpring-log", "--store", store.path, "tail", "--no-follow", "-n", "3"], capture_output=True, text=True,
                              timeout=60, check=False)
        assert len(done.stdout.splitlines()) == 3, done
    path.write_bytes(good)
    assert report(store.path)["finding"] is None


def a_segment_cut_short_is_told_of_and_the_others_are_archived(store):
    alone, there = store.base / "alone", store.base / "elsewhere"
    first, second = sorted(p for p in (alone / "journal").glob("[0-9a-f]*.seg") if not p.name.startswith("spare"))[:2]
    os.truncate(first, first.stat().st_size // 2)
    assert "corrupt" in run(alone, "archive", "--to", there, status=3)
    names = {path.name for path in there.iterdir()}
    assert f"{first.name}.zst" not in names and f"{second.name}.zst" in names, names


def a_published_note_older_than_what_is_kept_accuses_nobody():
    """A small store, its only signed segment pruned: there is nothing left to compare the note with; but a log that ends before it is cut."""
    with Store() as store:
        store.start()
        for user, seed in seeds.items():
            store.add(COMPANY, user, seed)
        store.stop()
        note = store.base / "note"
        note.write_text(run(store.path, "checkpoint"))
        signed = json.loads(run(store.path, "check", "--json", "--checkpoint", note))
        assert signed["published_met"] == 1 and signed["finding"] is None, signed
        store.start()
        cut = store.base / "cut"
        end = time.monotonic() + 60
        while report(store.path)["first_position"] == 1:
            assert time.monotonic() < end, "the housekeeper removed nothing"
            store.tool("log", "prune", "--through", str(signed["last_position"]), status=None)  # refused until the seals have come as far
            time.sleep(0.2)
        said = run(store.path, "check", "--checkpoint", note)
        assert "published checkpoints older than what is kept, not compared: 1" in said and "nothing found" in said, said
        first = report(store.path)["first_position"]
        assert first > signed["signed_through"], first
        assert f"not signed yet: positions {first} to " in said or "not signed yet" not in said, said
        store.stop()
        copied(store.path, cut)
        for segment in (cut / "journal").glob("[0-9a-f]*.seg"):
            segment.unlink()
        assert "nothing found" not in run(cut, "check", "--checkpoint", note, status=1)


def main():
    a_published_note_older_than_what_is_kept_accuses_nobody()
    if not shutil.which("zstd"):
        print("skipped: no zstd program")
        raise SystemExit(77)
    with Store() as store:
        for user, seed in seeds.items():
            store.add(COMPANY, user, seed)
        store.start("--segment-size", "2M")
        fill(store, 8)
        end = time.monotonic() + 30
        while json.loads(run(store.path, "archive", "--json"))["segments"] < 4 and len(list((store.path / "archive").glob("*"))) < 4:
            assert time.monotonic() < end, "nothing is closed"
            time.sleep(0.5)
        packed_segments_are_the_very_segments(store)
        before = report(store.path)
        before["show"] = run(store.path, "show", "-n", "5")
        what_is_needed_does_not_go(store)
        first = what_went_is_read_in_the_archive(store, before)
        every_removal_is_a_record(store, first)
        an_archived_segment_has_its_index(store)
        wire = store.wire()
        assert wire.ask(0, 1, [query(COMPANY, "u0", hotp(seeds["u0"], 0))])[0][0] == 1
        wire.close()
        damage_of_an_archive_is_found_and_harms_nothing_else(store)
        store.stop()
        # And without the daemon: the same act under the store's lock.
        run(store.path, "archive")
        newest = max(int(p.name.split(".")[0], 16) for p in (store.path / "archive").iterdir())
        notes = run(store.path, "checkpoint", "--all").split("\n\notpring/")
        through = max(int(note.split("\n")[1]) for note in notes if f"\nsegment {newest}\n" in note)
        done = subprocess.run([PROGRAMS / "otpring-log", "--store", store.path, "prune", "--through", str(through)], capture_output=True, text=True,
                              check=False)
        assert done.returncode == 0 and "The log begins at position" in done.stdout, done
        assert int(done.stdout.split()[-1]) > first
        assert report(store.path)["first_position"] == 1 and report(store.path)["finding"] is None
        assert int(raw(store)[0].stem, 16) > 1
        store.start()
        store.stop()
        a_segment_cut_short_is_told_of_and_the_others_are_archived(store)


if __name__ == "__main__":
    os.umask(0o077)
    main()
