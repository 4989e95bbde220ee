#!/usr/bin/env python3
"""How an auth server has a user asked on the phone, in Python. Standard library only.

    ask_user.py STORE/ask.sock COMPANY USER SESSION

Asks for a login, shows the number that the user must enter on the device, and waits for the answer.
Exit: 0 approved, 1 not, 2 usage, 3 ask again.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
from otpring_client import AskClient  # noqa: E402


def main(arguments: list[str]) -> int:
    if len(arguments) != 4:
        print(__doc__, file=sys.stderr)
        return 2
    path, company, user, session = arguments
    try:
        with AskClient(path, timeout_s=120) as client:
            asked = client.one("ask", company=company, user=user, session=session, channel="push", purpose="login",
                               site="Demo Bank", text="Log in to the portal?")
            if not asked["ok"]:
                print(f"ask_user.py: {asked['code']}: {asked['error']}", file=sys.stderr)
                return 1
            print(f"enter {asked['number']} on your phone", flush=True)
            outcome = client.closed(asked["challenge"])
    except OSError as error:
        print(f"ask_user.py: not decided, ask again: {error}", file=sys.stderr)
        return 3
    print(f"{outcome['state']}\t{outcome.get('user', '')}")
    return 0 if outcome["state"] == "approved" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
