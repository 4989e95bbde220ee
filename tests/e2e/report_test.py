#!/usr/bin/env python3
"""The report as people see it: in a browser without a network, at the width of a telephone and of a desk."""
import html.parser
import json
import os
import pathlib
import random
import re
import shutil
import subprocess

from harness import PROGRAMS, Store, hotp, query, seeds_for

COMPANY = "Bank & <script>alert(1)</script>"
USER = 'ana "<img src=x onerror=alert(1)>'
seeds = seeds_for(10, seed=11)


def run(store, *words, status=0):
    done = subprocess.run([PROGRAMS / "otpring-log", "--store", store, *map(str, words)], capture_output=True, text=True, timeout=120,
                          check=False)
    assert done.returncode == status, (words, done.returncode, done.stderr[-500:])
    return done.stdout


def browser(store, page, *words):
    profile = store.base / "browser"
    return subprocess.run(["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={profile}",
                           "--host-resolver-rules=MAP * ~NOTFOUND", *words, page.as_uri()], capture_output=True, text=True, timeout=120,
                          check=True).stdout


def overflow(store, page, width):
    """How much wider than the window the page is, as the browser lays it out."""
    frame = store.base / "frame.html"
    frame.write_text(f"""<!doctype html><iframe id=f style="border:0;width:{width}px;height:800px" src="{page.name}"></iframe><script>
        f.onload = () => {{ document.body.append("overflow=" + (f.contentDocument.documentElement.scrollWidth - {width})) }}</script>""")
    dom = browser(store, frame, "--dump-dom", "--allow-file-access-from-files", "--virtual-time-budget=5000")
    return int(re.search(r"overflow=(-?\d+)", dom)[1])


class Seen(html.parser.HTMLParser):
    """Tags, and the text of each section, of the page as the browser has it."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.sections, self.section = [], {}, "head"
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "section":
            self.section = dict(attrs)["id"]
        if tag in ("td", "th"):
            self.handle_data(" ")

    def handle_data(self, data):
        self.sections[self.section] = self.sections.get(self.section, "") + data


def traffic(store):
    store.start()
    wire = store.wire()
    rng = random.Random(2)
    sequence = 0
    for user, seed in seeds.items():
        sequence += 1
        wire.ask(0, sequence, [query(COMPANY, user, hotp(seed, 0))])
    # One source tries many accounts; many sources try the account whose name is markup.
    sequence += 1
    wire.ask(0, sequence, [query(COMPANY, f"x{i}", rng.randrange(10**6), source=77) for i in range(40)])
    sequence += 1
    wire.ask(0, sequence, [query(COMPANY, USER, rng.randrange(10**6), source=1000 + i) for i in range(40)])
    wire.close()
    store.stop()


def main():
    if not shutil.which("chromium"):
        print("skipped: no chromium")
        raise SystemExit(77)
    with Store() as store:
        for user, seed in seeds.items():
            store.add(COMPANY, user, seed)
        store.add(COMPANY, USER, b"0123456789abcdefghij")
        traffic(store)
        page = store.base / "report.html"
        page.write_text(run(store.path, "report"))
        # Nothing from elsewhere, and no script at all.
        raw = page.read_text()
        assert "http" not in re.sub(r'http-equiv="[^"]*"', "", raw) and "<script" not in raw and "src=" not in raw.replace("src=x onerror", "")
        seen = Seen(browser(store, page, "--dump-dom"))
        assert not [t for t, _ in seen.tags if t in ("script", "img", "iframe", "link", "object")], "markup of a name became markup"
        stats = json.loads(run(store.path, "stats", "--json"))
        for verdict, count in stats["verdicts"].items():
            assert re.search(rf"{verdict}\s*{count}\b", seen.sections["verdicts"]), (verdict, count, seen.sections["verdicts"])
        for reason, count in stats["reasons"].items():
            if reason != "NONE":
                assert re.search(rf"{reason}\s*{count}\b", seen.sections["reasons"]), (reason, seen.sections["reasons"])
        assert f"{77:016x}" in seen.sections["suspects"], seen.sections["suspects"]
        assert f"{COMPANY} / {USER}" in seen.sections["suspects"], seen.sections["suspects"]
        assert "Nothing found" in seen.sections["chain"], seen.sections["chain"]
        # A chart says what it is, and has its numbers in a table; sections have headings, links lead to them.
        charts = [attrs for tag, attrs in seen.tags if tag == "svg"]
        assert charts and all(c.get("role") == "img" and c.get("aria-label") for c in charts)
        ids = {attrs.get("id") for _, attrs in seen.tags}
        assert all(attrs["href"][1:] in ids for tag, attrs in seen.tags if tag == "a")
        assert all(attrs.get("scope") for tag, attrs in seen.tags if tag == "th")
        for width, height in ((390, 844), (1280, 900)):
            assert overflow(store, page, width) <= 0, width
            shot = pathlib.Path(os.environ.get("OTPRING_SHOTS", str(store.base))) / f"report-{width}.png"
            browser(store, page, f"--screenshot={shot}", f"--window-size={width},{height}")
            assert shot.stat().st_size > 10_000, shot
        # Damage is told in the page, and in the exit status of the check.
        segment = sorted((store.path / "journal").glob("[0-9a-f]*.seg"))[0]
        data = bytearray(segment.read_bytes())
        data[4096 + 70] ^= 1
        segment.write_bytes(data)
        damaged = subprocess.run([PROGRAMS / "otpring-log", "--store", store.path, "report"], capture_output=True, text=True, check=False)
        assert damaged.returncode == 1 and "FOUND (changed)" in damaged.stdout, damaged.stdout[-600:]


if __name__ == "__main__":
    os.umask(0o077)
    main()
