#!/usr/bin/env python3
"""No way round an acceptance: an older backup, the same seed enrolled again, a copied store, another key."""
import pathlib
import shutil
import subprocess
import time

from harness import ACCEPTED, NAMES, PROGRAMS, REJECTED, REPLAYED, Store, base32, copied, hotp, query, seeds_for, totp

COMPANY = "Bank"
seeds = seeds_for(4)


def verify(store, user, code):
    wire = store.wire()
    verdict = wire.ask(0, 1, [query(COMPANY, user, code)])[0][0]
    wire.close()
    return verdict


def accept_after_backup(store, folder):
    """A backup, then one acceptance of each token; gives the codes."""
    store.tool("backup", str(folder))
    now = time.time()
    codes = {"u0": hotp(seeds["u0"], 0), "u1": totp(seeds["u1"], now)}
    for user, code in codes.items():
        verdict = verify(store, user, code)
        assert verdict == ACCEPTED, (user, NAMES[verdict])
    return codes, now


def no_key_in(folder, key_path):
    key = pathlib.Path(key_path).read_bytes()
    for path in folder.rglob("*"):
        assert not path.is_file() or key[-32:] not in path.read_bytes(), f"{path} holds the key"
        assert not path.name.endswith(".key"), path


def restored_store_refuses(store, base, codes, now):
    restored = Store(base / "restored", init=False)
    key = str(store.path) + ".key"
    restored.tool("restore", str(base / "backup"), "--key", key, "--now", str(int(time.time())))
    restored.start("--key", key)
    assert verify(restored, "u0", codes["u0"]) != ACCEPTED, "an HOTP code was accepted again after the restore"
    assert verify(restored, "u1", codes["u1"]) != ACCEPTED, "a TOTP code was accepted again after the restore"
    shown = restored.tool("token", "show", "--company", COMPANY, "--user", "u0", want_json=True)["tokens"][0]
    assert shown["state"] == "unsynchronised", shown
    # Nobody resumes it before its counter is known again; the codes used after the backup stay refused.
    restored.tool("token", "resume", "--company", COMPANY, "--user", "u0", status=1)
    assert verify(restored, "u0", codes["u0"]) != ACCEPTED
    pair = [f"{hotp(seeds['u0'], counter):06d}" for counter in (5, 6)]
    restored.tool("token", "resync", "--company", COMPANY, "--user", "u0", *pair)
    restored.tool("token", "resume", "--company", COMPANY, "--user", "u0")
    assert verify(restored, "u0", codes["u0"]) != ACCEPTED
    assert verify(restored, "u0", hotp(seeds["u0"], 7)) == ACCEPTED
    restored.stop()
    print("measured: restore of an older backup: codes accepted after it are refused, HOTP tokens are suspended")


def copied_store_is_refused(store, base):
    copy = Store(base / "copy", init=False)
    copied(store.path, copy.path)
    shutil.copy(str(store.path) + ".key", str(copy.path) + ".key")
    done = subprocess.run([PROGRAMS / "otpringd", "--store", copy.path], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode != 0 and "take-over" in done.stderr, (done.returncode, done.stderr)


def wrong_key_is_refused(store, base):
    other = Store(base / "other")
    done = subprocess.run([PROGRAMS / "otpringd", "--store", store.path, "--key", str(other.path) + ".key"],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode != 0 and "key" in done.stderr, (done.returncode, done.stderr)


def same_seed_again(store):
    code = hotp(seeds["u2"], 0)
    assert verify(store, "u2", code) == ACCEPTED
    store.tool("token", "add", "--company", COMPANY, "--user", "thief", "--type", "hotp", "--secret-file", "-", text=base32(seeds["u2"]), status=1)
    store.tool("token", "remove", "--company", COMPANY, "--user", "u2")
    store.add(COMPANY, "u2", seeds["u2"])
    assert verify(store, "u2", code) in (REPLAYED, REJECTED), "removing and adding the same seed let a code in again"
    store.tool("token", "remove", "--company", COMPANY, "--user", "u2")
    store.add(COMPANY, "other", seeds["u2"])
    assert verify(store, "other", code) in (REPLAYED, REJECTED)
    assert verify(store, "other", hotp(seeds["u2"], 1)) == ACCEPTED


def main():
    with Store() as store:
        store.add(COMPANY, "u0", seeds["u0"])
        store.add(COMPANY, "u1", seeds["u1"], kind="totp")
        store.add(COMPANY, "u2", seeds["u2"])
        store.start()
        codes, now = accept_after_backup(store, store.base / "backup")
        no_key_in(store.base / "backup", str(store.path) + ".key")
        same_seed_again(store)
        store.stop()
        restored_store_refuses(store, store.base, codes, now)
        copied_store_is_refused(store, store.base)
        wrong_key_is_refused(store, store.base)


main()
