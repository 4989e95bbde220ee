#!/usr/bin/env python3
"""Evidence: checkpoints published from a store that serves, records proven and checked without it, by the program and by a verifier
that was written from the page alone; and what somebody who holds the files can do to them."""
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python"))

import otpring_proof  # noqa: E402
from harness import PROGRAMS, Store, copied, count_of, hotp, query, seeds_for  # noqa: E402

COMPANY = "Bank"
COUNT = count_of("OTPRING_PROOFS", 25)
seeds = seeds_for(20, seed=8)


def run(*words, status=0):
    done = subprocess.run([PROGRAMS / "otpring-log", *map(str, words)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == status, (words, done.returncode, done.stdout[-500:], done.stderr[-500:])
    return done.stdout if status == 0 else done.stdout + done.stderr


def traffic(store, first):
    """Frames of all sizes, until a few segments are full."""
    rng = random.Random(first)
    wire = store.wire(items=4096)
    oldest = store.tool("status", want_json=True)["journal"]["segment"]
    sequence = 0
    while store.tool("status", want_json=True)["journal"]["segment"] < oldest + 3:
        for _ in range(20):
            sequence += 1
            items = [query(COMPANY, f"u{rng.randrange(30)}", rng.randrange(10**6)) for _ in range(rng.choice([1, 3, 70, 200, 4000]))]
            wire.ask(0, sequence, items)
    for user, seed in seeds.items():
        sequence += 1
        wire.ask(0, sequence, [query(COMPANY, user, hotp(seed, first))])
    wire.close()


def signed_through(store, wanted=1):
    end = time.monotonic() + 30
    while True:
        through = json.loads(run("--store", store.path, "check", "--json"))["signed_through"]
        if through >= wanted:
            return through
        assert time.monotonic() < end, "nothing is signed"
        time.sleep(0.2)


def publish(store, name):
    path = store.base / name
    path.write_text(run("--store", store.path, "checkpoint"))
    return path


def prove(store, position, slot, checkpoint):
    path = store.base / "proof.json"
    path.write_text(run("--store", store.path, "prove", "--position", position, "--slot", slot, "--checkpoint", checkpoint))
    return path


def both_verifiers_agree(store, checkpoint, key_file):
    key = bytes.fromhex(key_file.read_text().strip())
    through = int(checkpoint.read_text().split("\n")[1])
    shown = [json.loads(line) for line in run("--store", store.path, "show", "--json").splitlines()]
    shown = [r for r in shown if r["position"] <= through]
    rng = random.Random(3)
    for record in rng.sample(shown, COUNT) + [r for r in shown if "act" in r][:10]:
        proof = prove(store, record["position"], record["index"], checkpoint)
        told = json.loads(run("verify-proof", proof, "--checkpoint", checkpoint, "--public-key", key_file, "--json"))
        # Names are the store's, and the request stands in the head of its frame.
        own = [name for name in told if name not in ("client_name", "company", "user", "request")]
        assert [told[name] for name in own] == [record[name] for name in own], (told, record)
        again = otpring_proof.check_proof(json.loads(proof.read_text()), checkpoint.read_text(), key)
        assert again["position"] == record["position"] and again["slot"] == record["index"]
        assert again["bytes"][:16].hex() == record["account"], (again, record)
        assert again["kind"] == (3 if "act" in record else 2)
    return proof


def what_is_changed_is_refused_by_both(proof_path, checkpoint, key_file):
    key = bytes.fromhex(key_file.read_text().strip())
    proof = json.loads(proof_path.read_text())
    rng = random.Random(4)
    bad = proof_path.with_name("bad.json")
    for name, value in proof.items():
        texts = value if isinstance(value, list) else [value]
        if not texts or name == "leaves":
            continue  # a claim that may be wrong in ways that change no path
        for _ in range(4):
            changed = json.loads(json.dumps(proof))
            i = rng.randrange(len(texts))
            if isinstance(texts[i], int):
                new = texts[i] + 1
            else:
                at = rng.randrange(len(texts[i]) - 4)
                new = texts[i][:at] + ("B" if texts[i][at] == "A" else "A") + texts[i][at + 1:]
            if isinstance(value, list):
                changed[name][i] = new
            else:
                changed[name] = new
            if name == "leaf" and len(proof["path"]) == 0:
                continue
            bad.write_text(json.dumps(changed))
            done = subprocess.run([PROGRAMS / "otpring-log", "verify-proof", bad, "--checkpoint", checkpoint, "--public-key", key_file],
                                  capture_output=True, text=True, check=False)
            assert done.returncode in (1, 2) and not done.stdout, (name, done)
            try:
                otpring_proof.check_proof(changed, checkpoint.read_text(), key)
            except (otpring_proof.Refused, ValueError):
                continue
            if name not in ("slot", "position"):
                raise AssertionError(f"the verifier took a proof with another {name}")
            raise AssertionError(f"the verifier took the proof for another {name}")


def one_checkpoint_continues_another(store, old, new, key_file):
    key = bytes.fromhex(key_file.read_text().strip())
    path = store.base / "continues.json"
    path.write_text(run("--store", store.path, "prove", "--since", old, "--checkpoint", new))
    out = run("verify-proof", path, "--since", old, "--checkpoint", new, "--public-key", key_file)
    assert "continues" in out, out
    otpring_proof.check_continues(json.loads(path.read_text()), old.read_text(), new.read_text(), key)
    assert "begins with another" in run("verify-proof", path, "--since", new, "--checkpoint", new, "--public-key", key_file, status=1)
    proof = json.loads(path.read_text())
    assert len(proof["checkpoints"]) > 2
    del proof["checkpoints"][1]
    path.write_text(json.dumps(proof))
    assert "does not follow" in run("verify-proof", path, "--since", old, "--checkpoint", new, "--public-key", key_file, status=1)


def a_checkpoint_kept_elsewhere_finds_a_cut_log(store, old, new):
    both = store.base / "both.txt"
    both.write_text(old.read_text() + "\n" + new.read_text())
    report = json.loads(run("--store", store.path, "check", "--checkpoint", both, "--json"))
    assert report["published_met"] == 2 and report["finding"] is None, report
    # The folder alone, without the store that knows its position.
    cut = store.base / "cut"
    copied(store.path / "journal", cut / "journal")
    shutil.copy(store.path / "audit.pub", cut / "audit.pub")
    newest = int(new.read_text().split("\n")[3].split()[1])
    for path in (cut / "journal").glob("[0-9a-f]*.seg"):
        if int(path.stem, 16) >= newest:
            path.unlink()
    report = json.loads(run("--store", cut, "check", "--json"))
    assert report["finding"] is None, report
    report = json.loads(run("--store", cut, "check", "--checkpoint", new, "--json", status=1))
    assert report["kind"] == "truncated" and report["bad_position"] == report["last_position"] + 1, report
    # With it, the store itself knows better.
    for name in ("store.mdb", "identity"):
        shutil.copy(store.path / name, cut / name)
    report = json.loads(run("--store", cut, "check", "--json", status=1))
    assert report["kind"] == "truncated" and "the store holds" in report["finding"], report


def a_check_goes_on_where_the_last_one_ended(store, state):
    first = json.loads(run("--store", store.path, "check", "--state", state, "--json"))
    assert not first["resumed"] and first["first_position"] == 1
    again = json.loads(run("--store", store.path, "check", "--state", state, "--json"))
    assert again["resumed"] and again["first_position"] > 1 and again["records"] < first["records"], again
    assert again["signed_through"] >= first["signed_through"] and again["finding"] is None
    state.write_text(state.read_text().replace("position ", "position 1"))
    assert "not the state of a check" in run("--store", store.path, "check", "--state", state, status=2)


def main():
    with Store() as store:
        for user, seed in seeds.items():
            store.add(COMPANY, user, seed)
        key_file = store.base / "key.pub"
        key_file.write_text(run("--store", store.path, "key"))
        assert key_file.read_text() == (store.path / "audit.pub").read_text()
        store.start("--segment-size", "2M")
        traffic(store, 0)
        signed_through(store, wanted=20)
        old = publish(store, "old.txt")
        traffic(store, 1)
        signed_through(store, wanted=int(old.read_text().split("\n")[1]) + 1)
        new = publish(store, "new.txt")
        assert run("--store", store.path, "checkpoint", "--all").count("otpring/") >= 8
        assert json.loads(run("--store", store.path, "checkpoint", "--json"))["note"].startswith("otpring/")
        proof = both_verifiers_agree(store, new, key_file)
        what_is_changed_is_refused_by_both(proof, new, key_file)
        one_checkpoint_continues_another(store, old, new, key_file)
        tail = json.loads(run("--store", store.path, "check", "--json"))
        assert "not sealed yet" in run("--store", store.path, "check") or tail["sealed_through"] == tail["last_position"]
        assert "no signed checkpoint covers" in run("--store", store.path, "prove", "--position", tail["last_position"], status=3)
        assert "no record begins" in run("--store", store.path, "prove", "--position", tail["last_position"] + 10**6, status=1)
        store.stop()
        a_checkpoint_kept_elsewhere_finds_a_cut_log(store, old, new)
        a_check_goes_on_where_the_last_one_ended(store, store.base / "state")
        # The key file opens the MACs of what is not signed yet; here all is, so there is none to check.
        assert json.loads(run("--store", store.path, "check", "--key", f"{store.path}.key", "--json"))["finding"] is None
        assert run("--store", store.path, "check", "--key", key_file, status=2)


if __name__ == "__main__":
    os.umask(0o077)
    main()
