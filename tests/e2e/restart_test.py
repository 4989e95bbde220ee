#!/usr/bin/env python3
"""A restart with many tokens and a long journal: time and memory, printed."""
import base64
import random
import re
import subprocess
import time

from harness import PROGRAMS, Store, count_of


def memory_kib(pid):
    text = open(f"/proc/{pid}/status").read()
    return int(re.search(r"VmRSS:\s+(\d+)", text).group(1)), int(re.search(r"VmHWM:\s+(\d+)", text).group(1))


def main():
    tokens = count_of("OTPRING_RESTART_TOKENS", 50000)
    records = count_of("OTPRING_RESTART_RECORDS", 500000)
    with Store() as store:
        rng = random.Random(3)
        path = store.base / "tokens.txt"
        with open(path, "w", encoding="ascii") as file:
            for i in range(tokens):
                secret = base64.b32encode(rng.randbytes(20)).decode()
                file.write(f"otpauth://totp/Bank:user{i}?secret={secret}&issuer=Bank\n")
        # A checkpoint far away, so that the start has the whole journal to read.
        flags = ["--tokens-max", str(max(4 * tokens, 1 << 20)), "--checkpoint-bytes", str(1 << 40), "--journal-keep", "16G"]
        begin = time.monotonic()
        store.tool("import", str(path))
        print(f"measured: import of {tokens} tokens: {tokens / (time.monotonic() - begin):.0f} a second")
        store.start(*flags, wait_s=300)
        seconds = 5
        while True:
            subprocess.run([PROGRAMS / "otpring-load", "--store", store.path, "--accounts", "20000", "--batch", "1024", "--connections", "2",
                            "--in-flight", "4", "--seconds", str(seconds), "--json", "--keep"], check=True, stdout=subprocess.DEVNULL)
            status = store.tool("status", want_json=True)
            done = sum(status["verdicts"].values())
            if done >= records:
                break
        store.kill()
        begin = time.monotonic()
        store.start(*flags, wait_s=600)
        seconds = time.monotonic() - begin
        rss, peak = memory_kib(store.daemon.pid)
        print(f"measured: restart with {tokens} tokens and {done} records after the checkpoint: {seconds:.2f} s, "
              f"{rss / 1024:.0f} MiB resident, peak {peak / 1024:.0f} MiB")
        store.stop()


main()
