#!/usr/bin/env python3
"""otpring-load against a daemon: no verdict but the expected ones, over many segment rotations, and its accounts are gone afterwards."""
import json
import subprocess

from harness import PROGRAMS, Store, count_of


def own_profile(store):
    """Accounts whose profile looks less far: made once, used by every run that wants the same."""
    for _ in range(2):
        done = subprocess.run([PROGRAMS / "otpring-load", "--store", store.path, "--accounts", "2000", "--seconds", "0.5", "--mix", "right:6,near:2,wrong:1,replayed:1",
                               "--look-ahead", "2", "--resync-window", "0", "--json"], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, (done.stdout, done.stderr)
        result = json.loads(done.stdout)
        assert result["accepted"] and result["rejected"] and result["look_ahead"] == 2 and result["resync_window"] == 0, result
    made = [profile for profile in store.tool("profile", "list", want_json=True)["profiles"] if profile["name"].startswith("otpring-load-")]
    assert [(profile["look_ahead"], profile["resync_window"]) for profile in made] == [(2, 0)], made
    for words in (("--look-ahead", "1"), ("--look-ahead", "11"), ("--look-ahead", "2", "--type", "totp1")):
        store.tool(*words, program="otpring-load", status=2)


def main():
    seconds = count_of("OTPRING_LOAD_SECONDS", 3)
    with Store() as store:
        store.start("--segment-size", "16M", "--journal-keep", "64M")
        for batch, connections in ((1024, 4), (16, 64), (1, 64)):
            done = subprocess.run([PROGRAMS / "otpring-load", "--store", store.path, "--accounts", "20000", "--batch", str(batch), "--connections",
                                   str(connections), "--in-flight", "4", "--seconds", str(seconds), "--json"],
                                  capture_output=True, text=True, timeout=120 + seconds, check=False)
            assert done.returncode == 0, (done.stdout, done.stderr)
            result = json.loads(done.stdout)
            assert result["unexpected"] == 0 and result["accepted"] > 0, result
            latency = result["latency_us"]
            print(f"measured: batch {batch}, {connections} connections: {result['verifications_per_s']:.0f} verifications/s, "
                  f"p50 {latency['p50']:.0f} us, p99 {latency['p99']:.0f} us")
        own_profile(store)
        status = store.tool("status", want_json=True)
        assert status["tokens"] == 0, status["tokens"]
        print(f"measured: {status['journal']['rotations']} segment rotations, {status['journal']['bytes_appended'] >> 20} MiB of journal")
        killed = subprocess.Popen([PROGRAMS / "otpring-load", "--store", store.path, "--accounts", "2000", "--seconds", "60"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        company = killed.stderr.readline().split()[-1]
        killed.kill()
        killed.wait()
        assert store.tool("status", want_json=True)["tokens"] == 2000
        store.tool("--remove", "Bank", program="otpring-load", status=2)
        store.tool("--remove", company, program="otpring-load")
        assert store.tool("status", want_json=True)["tokens"] == 0, "a killed run's accounts stay"
        store.tool("--hdr", "/nowhere/file", program="otpring-load", status=2)
        store.stop()
        store.tool("check", program="otpring-log")


main()
