#!/usr/bin/env python3
"""A user is enrolled by a QR code, on the screen, as a PNG and as an SVG; zbarimg reads it as an authenticator app would,
oathtool makes the code, and the engine accepts it. usage: qr_test.py FOLDER-OF-PROGRAMS"""
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile

PROGRAMS = os.path.abspath(sys.argv[1])
OTPRING = f"{PROGRAMS}/otpring"
SCALE = 4


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)


def otpring(folder, *words, **more):
    return run(OTPRING, "--store", f"{folder}/store", *words, "--insecure-memory", **more)


def scan(path):
    found = run("zbarimg", "--raw", "-q", "-Sdisable", "-Sqrcode.enable", path)
    assert found.returncode == 0, f"zbarimg: {found.stderr}"
    return found.stdout.strip()


def screen_to_picture(text, path):
    """Half blocks as a grey picture of a dark terminal."""
    lines = [line for line in text.splitlines() if re.fullmatch("[ ▀▄█]+", line) and "█" in line]
    width = max(map(len, lines))
    rows = []
    for line in lines:
        line = line.ljust(width)
        for light in ("▀█", "▄█"):
            row = b"".join(bytes([255 if c in light else 0]) * SCALE for c in line)
            rows += [row] * SCALE
    with open(path, "wb") as file:
        file.write(b"P5 %d %d 255\n" % (width * SCALE, len(rows)) + b"".join(rows))


def accepted(folder, user, uri):
    secret = re.search("secret=([A-Z2-7]+)", uri)[1]
    code = run("oathtool", "--totp", "-b", secret).stdout.strip()
    said = otpring(folder, "verify", "--company", "Demo Bank", "--user", user, code)
    assert said.stdout == "ACCEPTED\n" and said.returncode == 0, said


def main():
    if not all(map(shutil.which, ("zbarimg", "oathtool", "rsvg-convert"))):
        print("skipped: zbarimg, oathtool or rsvg-convert is not there")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        assert otpring(folder, "init").returncode == 0
        add = ("token", "add", "--company", "Demo Bank", "--user")
        # on the screen
        said = otpring(folder, *add, "ana", "--qr")
        screen_to_picture(said.stdout, f"{folder}/screen.pgm")
        uri = scan(f"{folder}/screen.pgm")
        assert uri.startswith("otpauth://totp/Demo%20Bank:ana?") and uri in said.stdout, uri
        accepted(folder, "ana", uri)
        # as a PNG, for the owner's eyes alone
        png = f"{folder}/luis.png"
        assert otpring(folder, *add, "luis", "--qr-file", png).returncode == 0
        assert stat.S_IMODE(os.stat(png).st_mode) == 0o600
        accepted(folder, "luis", scan(png))
        # the same file a second time is left as it is, and nobody is enrolled
        before = open(png, "rb").read()
        again = otpring(folder, *add, "eva", "--qr-file", png)
        assert again.returncode == 2 and "exists already" in again.stderr, again
        assert open(png, "rb").read() == before
        assert "eva" not in otpring(folder, "token", "list").stdout
        # as an SVG, drawn by a program that is not ours; JSON goes to standard output as ever
        svg = f"{folder}/maría.svg"
        assert otpring(folder, *add, "maría", "--json", "--qr-file", svg).stdout.startswith("{")
        drawn = run("rsvg-convert", "-w", "500", "-o", f"{folder}/drawn.png", svg)
        assert drawn.returncode == 0, drawn
        assert run("xmllint", "--noout", svg).returncode == 0
        accepted(folder, "maría", scan(f"{folder}/drawn.png"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
