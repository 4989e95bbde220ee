#!/usr/bin/env python3
"""Exchanges: OCRA's mutual challenge-response (RFC 6287, section 7.2) through the running daemon. What the engine computes is compared
with tests/python/ocra_reference.py, which also is the token; and whatever could make the engine answer in the user's place is tried."""
import base64
import hashlib
import pathlib
import subprocess
import sys
import time

from harness import PROGRAMS, Store, base32, seeds_for

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "python"))
from ocra_reference import respond  # noqa: E402
from otpring_client import AdminClient, AdminError, AskClient, VerifyClient, ocra  # noqa: E402

COMPANY = "Bank"
PIN = hashlib.sha1(b"1234").digest()
PLAIN = "OCRA-1:HOTP-SHA256-8:QA08"


class World:
    def __init__(self, store):
        self.store, self.seeds, self.suites, self.profiles = store, {}, {}, {}
        self.connect()

    def connect(self):
        self.ask, self.admin = AskClient(str(self.store.path / "ask.sock")), AdminClient(str(self.store.path / "admin.sock"))
        self.codes = VerifyClient(str(self.store.path / "verify.sock"))

    def crash(self):
        for client in (self.ask, self.admin, self.codes):
            client.close()
        self.store.kill()
        self.store.start()
        self.connect()

    def profile(self, suite, mutual=True):
        if (suite, mutual) not in self.profiles:
            self.profiles[suite, mutual] = self.admin.ask("profile.add", name=f"{suite} {mutual}", suite=suite, mutual=mutual)["id"]
        return self.profiles[suite, mutual]

    def user(self, user, suite=PLAIN, mutual=True, **rest):
        self.seeds[user], self.suites[user] = hashlib.sha256(user.encode()).digest(), suite
        self.admin.ask("token.add", company=COMPANY, user=user, profile=self.profile(suite, mutual), secret=base32(self.seeds[user]), **rest)

    def begin(self, user, challenge, session="s1", **rest):
        return self.ask.one("exchange", company=COMPANY, user=user, session=session, client_challenge=challenge, **rest)

    def begun(self, user, challenge, session="s1", **rest):
        answer = self.begin(user, challenge, session, **rest)
        assert answer["ok"], answer
        return answer

    def server_response(self, user, first, second, **rest):
        """RS: under the suite without its PIN."""
        return respond(self.suites[user].replace("-PSHA1", ""), self.seeds[user], questions=(first, second), **rest)

    def token_response(self, user, begun, challenge, **rest):
        """RC over QS and QC."""
        return respond(self.suites[user], self.seeds[user], questions=(begun["server_challenge"], challenge), **rest)

    def answer(self, begun, response, session="s1", **rest):
        return self.ask.one("typed", challenge=begun["challenge"], session=session, response=response, **rest)

    def what_became(self, begun, session="s1"):
        return self.ask.one("wait", challenge=begun["challenge"], session=session)


def code_of(answer):
    assert answer["ok"] is False, f"not refused: {answer}"
    return answer["code"]


def another(response):
    return response[:-1] + ("1" if response[-1] == "0" else "0")


def both_sides_prove_themselves_under_every_kind_of_suite(world):
    cases = [("OCRA-1:HOTP-SHA256-8:QA08", "CLI22220", {}), ("OCRA-1:HOTP-SHA512-8:QA08-PSHA1", "CLI22220", {"pin": True}),
             ("OCRA-1:HOTP-SHA1-6:C-QN08", "12345678", {"counter": 7}), ("OCRA-1:HOTP-SHA1-8:QH40", "0123456789abcdef" * 2 + "01234567", {}),
             ("OCRA-1:HOTP-SHA512-8:QN08-T1H", "00000000", {"time": 3600}), ("OCRA-1:HOTP-SHA256-0:QN06", "123456", {}),
             ("OCRA-1:HOTP-SHA256-8:C-QN08-PSHA1-S064-T1H", "87654321", {"pin": True, "counter": 3, "time": 3600, "session": b"a session"})]
    for number, (suite, challenge, has) in enumerate(cases):
        user = f"kind{number}"
        world.user(user, suite, **({"counter": has["counter"]} if "counter" in has else {}))
        more = {"session_information": has["session"].decode()} if "session" in has else {}
        begun = world.begun(user, challenge, **more)
        server, form = begun["server_challenge"], {"A": str.isalnum, "N": str.isdigit, "H": lambda text: int(text, 16) >= 0}
        letter = suite.split(":Q")[-1].split("C-Q")[-1][0]
        assert len(server) == len(challenge) and form[letter](server), (suite, server)
        given = {"session": has.get("session", b""), "counter": has.get("counter", 0)}
        if "time" in has:
            given["step"] = int(time.time()) // has["time"]
        assert begun["server_response"] == world.server_response(user, challenge, server, **given), suite
        response = world.token_response(user, begun, challenge, pin_hash=PIN if "pin" in has else b"", **given)
        if "pin" in has:
            more["pin_hash"] = base64.urlsafe_b64encode(PIN).decode().rstrip("=")
        answer = world.answer(begun, response, **more)
        assert (answer["ok"], answer["state"]) == (True, "approved"), (suite, answer)
        assert world.what_became(begun)["state"] == "approved"


def the_engine_s_response_uses_nothing_up_and_the_token_s_does(world):
    world.user("count", "OCRA-1:HOTP-SHA1-8:C-QN08", counter=20)
    for session in ("a", "b"):
        begun = world.begun("count", "11112222", session)
        assert begun["server_response"] == world.server_response("count", "11112222", begun["server_challenge"], counter=20)
        assert world.ask.one("cancel", challenge=begun["challenge"], session=session)["ok"]
    begun = world.begun("count", "11112222")
    ahead = world.token_response("count", begun, "11112222", counter=22)  # two that the engine never saw
    assert world.answer(begun, ahead)["state"] == "approved"
    begun = world.begun("count", "11112222")
    assert begun["server_response"] == world.server_response("count", "11112222", begun["server_challenge"], counter=23)
    used = world.token_response("count", begun, "11112222", counter=22)
    assert world.answer(begun, used)["state"] == "refused", "the counter is used up"


def what_the_engine_computes_opens_nothing(world):
    """The reflection of one exchange into another, into the plain frames, and of the engine's response into its own exchange."""
    world.user("mirror", "OCRA-1:HOTP-SHA1-6:QN08")
    first = world.begun("mirror", "11111111", "a")
    assert code_of(world.begin("mirror", first["server_challenge"], "b")) == "QUESTION_BUSY", "one exchange of an account at a time"
    assert world.ask.one("cancel", challenge=first["challenge"], session="a")["ok"]
    second = world.begun("mirror", first["server_challenge"], "b")
    assert second["server_challenge"] not in ("11111111", first["server_challenge"])
    assert code_of(world.answer(first, second["server_response"], "a")) == "QUESTION_OVER"
    # An auth server that would judge by itself: QS of its own, and what the attacker had the engine compute for it.
    reflected = ocra(COMPANY, "mirror", second["server_response"], first["server_challenge"], second=second["server_challenge"])
    right = respond("OCRA-1:HOTP-SHA1-6:QN08", world.seeds["mirror"], questions=("22222222", "33333333"))
    one_way = respond("OCRA-1:HOTP-SHA1-6:QN08", world.seeds["mirror"], questions=("22222222",))
    plain = [reflected, ocra(COMPANY, "mirror", right, "22222222", second="33333333"), ocra(COMPANY, "mirror", one_way, "22222222")]
    assert [answer.verdict for answer in world.codes.verify_ocra(plain)] == ["REJECTED"] * 3, "its token answers exchanges alone"
    answer = world.answer(second, second["server_response"], "b")
    assert (answer["state"], answer["reason"]) == ("refused", "wrong-number")
    assert world.begun("mirror", "44444444")["server_challenge"] != second["server_challenge"], "each has a challenge of its own"


def a_response_is_judged_once(world):
    world.user("once")
    begun = world.begun("once", "CLI22221")
    right = world.token_response("once", begun, "CLI22221")
    item = {"challenge": begun["challenge"], "session": "s1", "response": right}
    answers = world.ask.batch("typed", [item, item, item])
    assert [answer.get("state") for answer in answers] == ["approved"] * 3
    assert [answer["ok"] for answer in answers] == [True, False, False] and code_of(answers[1]) == "QUESTION_OVER"
    assert code_of(world.answer(begun, right)) == "QUESTION_OVER"
    assert world.ask.closed(begun["challenge"])["state"] == "approved", "who asked is told by itself"
    begun = world.begun("once", "CLI22221")
    right = world.token_response("once", begun, "CLI22221")
    answers = world.ask.batch("typed", [{**item, "challenge": begun["challenge"], "response": text} for text in (another(right), right)])
    assert answers[0]["state"] == "refused" and code_of(answers[1]) == "QUESTION_OVER", "the first one counts"


def an_exchange_belongs_to_its_session_and_is_joined_there(world):
    world.user("mine")
    begun = world.begun("mine", "CLI22222")
    again = world.begun("mine", "CLI22222")
    same = ("challenge", "server_challenge", "server_response")
    assert again["joined"] and not begun["joined"] and all(again[key] == begun[key] for key in same)
    assert code_of(world.begin("mine", "CLI33333")) == "QUESTION_BUSY"
    right = world.token_response("mine", begun, "CLI22222")
    assert code_of(world.answer(begun, right, "another")) == "QUESTION_UNKNOWN"
    assert world.ask.one("list", company=COMPANY, user="mine")["challenges"][0]["purpose"] == "exchange"
    assert world.answer(begun, right)["state"] == "approved"
    fresh = world.begun("mine", "CLI22222")
    assert fresh["server_challenge"] != begun["server_challenge"] and not fresh["joined"]


def it_lives_through_a_crash(world):
    world.user("crash", "OCRA-1:HOTP-SHA1-6:C-QN08")
    begun = world.begun("crash", "12344321")
    right = world.token_response("crash", begun, "12344321")
    world.crash()
    assert world.what_became(begun)["state"] == "asked"
    assert world.answer(begun, right)["state"] == "approved"
    world.crash()
    assert code_of(world.answer(begun, right)) == "QUESTION_OVER"
    assert world.what_became(begun)["state"] == "approved"


def it_expires(world):
    world.user("late")
    begun = world.begun("late", "CLI22223", life_s=10)
    right = world.token_response("late", begun, "CLI22223")
    assert world.ask.closed(begun["challenge"])["state"] == "expired"
    answer = world.answer(begun, right)
    assert code_of(answer) == "QUESTION_OVER" and answer["state"] == "expired"


def whoever_cannot_answer_is_told_alike(world):
    """Unknown, of another kind, suspended, locked: one answer for all."""
    world.user("oneway", mutual=False)
    world.user("asleep")
    world.user("locked")
    world.admin.ask("token.add", company=COMPANY, user="typist", type="hotp", secret=base32(seeds_for(1, seed=64)["u0"]))
    world.admin.ask("token.suspend", company=COMPANY, user="asleep")
    lock(world, "locked")
    answers = [world.begin(user, "CLI22224") for user in ("nobody", "oneway", "asleep", "locked", "typist")]
    assert {code_of(answer) for answer in answers} == {"QUESTION_NO_DEVICE"} and len({str(answer) for answer in answers}) == 1, answers
    world.admin.ask("token.resume", company=COMPANY, user="asleep")
    world.admin.ask("token.unlock", company=COMPANY, user="locked")
    assert world.begun("asleep", "CLI22224") and world.begun("locked", "CLI22224")
    # A token that is not of an exchange's profile answers plain frames, as ever.
    response = respond(PLAIN, world.seeds["oneway"], questions=("SRV11110", "CLI22220"))
    assert world.codes.verify_ocra([ocra(COMPANY, "oneway", response, "SRV11110", second="CLI22220")])[0].verdict == "ACCEPTED"


def lock(world, user):
    world.store.long_locks()
    wrong = ocra(COMPANY, user, "12345678", "SRV11110", second="CLI22220")
    verdicts = [world.codes.verify_ocra([wrong])[0].verdict for _ in range(7)]
    assert verdicts[-1] == "THROTTLED", verdicts


def what_shuts_the_account_between_wins(world):
    for user, shut in (("hit", lambda: lock(world, "hit")), ("held", lambda: world.admin.ask("token.suspend", company=COMPANY, user="held")),
                       ("gone", lambda: world.admin.ask("token.remove", company=COMPANY, user="gone"))):
        world.user(user)
        begun = world.begun(user, "CLI22225")
        right = world.token_response(user, begun, "CLI22225")
        shut()
        answer = world.answer(begun, right)
        assert code_of(answer) == "QUESTION_OVER" and (answer["state"], answer["reason"]) == ("withdrawn", "shut"), (user, answer)


def an_account_s_exchanges_are_counted(world):
    world.user("many")
    for number in range(8):
        begun = world.begun("many", f"CLI2222{number}")
        assert world.answer(begun, "12345678")["state"] == "refused" if number == 0 else world.ask.one(
            "cancel", challenge=begun["challenge"], session="s1")["ok"]
    refusal = world.begin("many", "CLI22229")
    assert code_of(refusal) == "QUESTION_LIMITED" and refusal["retry_after_s"] > 0


def requests_that_break_the_rules_are_refused(world):
    world.user("form", "OCRA-1:HOTP-SHA1-6:QN08-PSHA1-S064")
    informed = {"session_information": "x"}
    for challenge in ("1234567", "123456789", "1234567a", ""):
        assert code_of(world.begin("form", challenge, **informed)) == "BAD_CHALLENGE", challenge
    assert code_of(world.begin("form", "9" * 65, **informed)) == "BAD_CHALLENGE"
    assert code_of(world.begin("form", "12345678")) == "BAD_SESSION_INFORMATION"
    assert code_of(world.begin("form", "12345678", session_information="x" * 1000)) == "BAD_SESSION_INFORMATION"
    assert code_of(world.begin("form", "12345678", purpose="login")) == "BAD_JSON"
    assert code_of(world.begin("form", "12345678", life_s=5)) == "BAD_JSON"
    begun = world.begun("form", "12345678", **informed)
    assert code_of(world.answer(begun, "123456", pin_hash="!")) == "BAD_JSON"
    assert code_of(world.answer(begun, "1" * 129)) == "BAD_JSON"
    assert world.what_became(begun)["state"] == "asked", "it stays as it is"
    for wrong, code in (({"name": "totp", "type": "totp", "mutual": True}, "BAD_ARGUMENT"), ({"name": "word", "suite": PLAIN, "mutual": "yes"}, "BAD_JSON"),
                        ({"name": "short", "suite": "OCRA-1:HOTP-SHA1-6:QN04", "mutual": True}, "BAD_SUITE")):
        try:
            world.admin.ask("profile.add", **wrong)
            raise AssertionError(f"taken: {wrong}")
        except AdminError as error:
            assert error.code == code, error
    try:
        world.admin.ask("profile.set", id=world.profile("OCRA-1:HOTP-SHA1-6:QN08-PSHA1-S064"), mutual=False)
        raise AssertionError("the mode of a profile in use was changed")
    except AdminError as error:
        assert error.code == "STORE_IN_USE", error
    listed = {row["id"]: row.get("mutual") for row in world.admin.ask("profile.list")["profiles"]}
    assert listed[world.profile(PLAIN)] is True and listed[world.profile(PLAIN, False)] is None


def the_virtual_token_answers_nobody_but_the_engine(world):
    """otpring-token draws its challenge, and gives a response only where the engine's own is right."""
    folder = world.store.base / "token"
    folder.mkdir()
    (folder / "pass").write_text("a passphrase\n")
    (folder / "pin").write_text("1234\n")

    def token(*words, status=0):
        base = [PROGRAMS / "otpring-token", "--file", folder / "accounts", "--passphrase-file", folder / "pass"]
        done = subprocess.run([*base, *words], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == status, f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout.strip() if status == 0 else done.stderr

    suite = "OCRA-1:HOTP-SHA256-8:C-QN08-PSHA1-S064-T1H"
    world.user("prog", suite)
    (folder / "seed").write_text(base32(world.seeds["prog"]) + "\n")
    # Two responses that never arrived: its counter is ahead of the engine's.
    token("add", "--suite", suite, "--secret-file", folder / "seed", "--company", COMPANY, "--user", "prog", "--counter", "2")
    challenge = token("ocra", "--new-challenge")
    assert len(challenge) == 8 and challenge.isdigit() and challenge != token("ocra", "--new-challenge")
    begun = world.begun("prog", challenge, session_information="portal")
    words = ["ocra", "--challenge", begun["server_challenge"], "--challenge-second", challenge, "--session-info", "portal", "--pin-file", folder / "pin"]
    for wrong in (another(begun["server_response"]), world.token_response("prog", begun, challenge, pin_hash=PIN, session=b"portal", counter=2)):
        assert "not your bank" in token(*words, "--server-response", wrong, status=1)
    assert "digits" in token(*words, "--server-response", "1", status=2)
    assert "--challenge-second" in token("ocra", "--challenge", "12345678", "--server-response", "12345678", status=2)
    assert "alone" in token("ocra", "--challenge", "12345678", "--new-challenge", status=2)
    assert world.what_became(begun)["state"] == "asked", "nothing was answered"
    response = token(*words, "--server-response", begun["server_response"])
    pin = base64.urlsafe_b64encode(PIN).decode().rstrip("=")
    assert world.answer(begun, response, pin_hash=pin, session_information="portal")["state"] == "approved"


def the_log_says_what_happened(world):
    assert "nothing found" in world.store.tool("check", program="otpring-log")
    told = world.store.tool("show", "--json", program="otpring-log")
    assert '"client_name":"exchange"' in told, "who asked core"


def main():
    stories = [both_sides_prove_themselves_under_every_kind_of_suite, the_engine_s_response_uses_nothing_up_and_the_token_s_does,
               what_the_engine_computes_opens_nothing, a_response_is_judged_once, an_exchange_belongs_to_its_session_and_is_joined_there,
               it_lives_through_a_crash, it_expires, whoever_cannot_answer_is_told_alike, what_shuts_the_account_between_wins,
               an_account_s_exchanges_are_counted, requests_that_break_the_rules_are_refused,
               the_virtual_token_answers_nobody_but_the_engine, the_log_says_what_happened]
    wanted = sys.argv[2:]
    with Store() as store:
        store.start()
        world = World(store)
        for story in stories:
            if wanted and story.__name__ not in wanted:
                continue
            story(world)
            print(f"passed: {story.__name__}", flush=True)
        store.stop()


if __name__ == "__main__":
    main()
