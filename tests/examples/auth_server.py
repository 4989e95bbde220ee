#!/usr/bin/env python3
"""How an auth server asks otpring, in Python. Standard library only.

    auth_server.py STORE/verify.sock COMPANY USER CODE [USER CODE]...

The first user is verified alone, all of them then as one batch (so the first code, once ACCEPTED, is REPLAYED there).
Exit: 0 the first code was accepted, 1 it was not, 2 usage, 3 ask again.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
from otpring_client import SessionLost, VerifyClient, source_hash  # noqa: E402


def main(arguments: list[str]) -> int:
    if len(arguments) < 4 or len(arguments) % 2:
        print(__doc__, file=sys.stderr)
        return 2
    path, company, *rest = arguments
    users = list(zip(rest[::2], rest[1::2], strict=True))
    source = source_hash("192.0.2.1")  # the address that the user came from
    try:
        with VerifyClient(path) as client:
            answer = client.verify(company, *users[0], source)
            print(f"{users[0][0]}\t{answer.verdict}")
            batch = client.verify_batch([(company, user, code) for user, code in users], source)
            for (user, _), each in zip(users, batch, strict=True):
                print(f"batch\t{user}\t{each.verdict}")
    except (OSError, SessionLost) as error:
        print(f"auth_server.py: not decided, ask again: {error}", file=sys.stderr)
        return 3
    return {"ACCEPTED": 0, "UNAVAILABLE": 3}.get(answer.verdict, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
