/* The states of a challenge, who may do what in which, and what it becomes: one constant table; what does not stand in
 * it is denied. Pure functions, any thread.
 *
 *                    +--------- approve, refuse (device) ---------+
 *                    |                                            v
 *   ask --> ASKED --show--> SHOWN -- approve, refuse (device) --> APPROVED, REFUSED
 *             |               |
 *             +---------------+-- withdraw (client, operator, engine) --> WITHDRAWN
 *             +---------------+-- refuse, expire (engine) --------------> REFUSED, EXPIRED
 *
 * A device that scanned a QR code answers without having fetched anything, so an answer may come in ASKED. The engine
 * withdraws where a lock, a suspension or an unbinding came between question and answer, and refuses where the number
 * that the user entered was wrong. Nothing leaves the four final states. */
#ifndef OTPRING_CHALLENGE_STATE_H
#define OTPRING_CHALLENGE_STATE_H

#include <stdbool.h>

enum challenge_state {
    CHALLENGE_ASKED,
    CHALLENGE_SHOWN, /* a device has fetched it */
    CHALLENGE_APPROVED,
    CHALLENGE_REFUSED,
    CHALLENGE_EXPIRED,
    CHALLENGE_WITHDRAWN,
    CHALLENGE_STATE_COUNT,
};

enum challenge_act {
    CHALLENGE_SHOW,
    CHALLENGE_APPROVE,
    CHALLENGE_REFUSE,
    CHALLENGE_WITHDRAW,
    CHALLENGE_EXPIRE,
    CHALLENGE_ACT_COUNT,
};

enum challenge_role {
    CHALLENGE_CLIENT,   /* the auth server that asked, in the session that asked */
    CHALLENGE_DEVICE,   /* a device bound to the account */
    CHALLENGE_OPERATOR, /* an administrator */
    CHALLENGE_ENGINE,   /* time, and what befalls account and device */
    CHALLENGE_ROLE_COUNT,
};

/* What the challenge becomes; false: it may not, and ret_state is untouched. */
bool challenge_next(enum challenge_state state, enum challenge_act act, enum challenge_role role,
                    enum challenge_state *ret_state);

/* Still to be answered. */
bool challenge_is_open(enum challenge_state state);

/* As logs and JSON have them: "asked", ... */
const char *challenge_state_name(enum challenge_state state);

#endif
