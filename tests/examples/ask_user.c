/* How an auth server has a user asked on the phone, in C.
 *
 *     ask_user STORE/ask.sock COMPANY USER SESSION
 *
 * Asks for a login, shows the number that the user must enter on the device, and waits for the answer. Exit: 0
 * approved, 1 not, 2 usage, 3 ask again. */
#include <stdio.h>
#include <string.h>

#include "otpring/ask.h"

static int wait_for(struct otpring_asker *asker, const char *challenge, const char *session)
{
    const struct otpring_asked_by by = {.challenge = challenge, .session = session};
    struct otpring_outcome outcome;
    for (;;) {
        int got = otpring_closed(asker, 120000, &outcome);
        /* The connection was lost: what was asked is still open, and may have been answered meanwhile. */
        if (got < 0 && otpring_wait(asker, &by, 1, &outcome) < 0) break;
        if (got == 0 || strcmp(outcome.challenge, challenge) != 0) continue;
        if (strcmp(outcome.state, "asked") == 0 || strcmp(outcome.state, "shown") == 0) continue;
        printf("%s\t%s\n", outcome.state, outcome.user);
        return strcmp(outcome.state, "approved") == 0 ? 0 : 1;
    }
    fprintf(stderr, "ask_user: %s\n", otpring_asker_last_error(asker));
    return 3;
}

int main(int argc, char **argv)
{
    struct otpring_asker *asker;
    struct otpring_asked asked;
    if (argc != 5) {
        fprintf(stderr, "usage: ask_user STORE/ask.sock COMPANY USER SESSION\n");
        return 2;
    }
    const struct otpring_question question = {.company = argv[2],
                                              .user = argv[3],
                                              .session = argv[4],
                                              .channel = "push",
                                              .purpose = "login",
                                              .site = "Demo Bank",
                                              .text = "Log in to the portal?"};
    if (otpring_asker_open(argv[1], 0, &asker) < 0) return 3;
    int status = 3;
    if (otpring_ask(asker, &question, 1, &asked) < 0) {
        fprintf(stderr, "ask_user: %s\n", otpring_asker_last_error(asker));
    } else if (asked.code[0]) {
        fprintf(stderr, "ask_user: %s\n", asked.code);
        status = 1;
    } else {
        printf("enter %u on your phone\n", asked.number);
        fflush(stdout);
        status = wait_for(asker, asked.challenge, argv[4]);
    }
    otpring_asker_close(asker);
    return status;
}
