/* Verdicts and their reasons, as they stand on the wire, in the log and in the tools. Values never change their
 * meaning. */
#ifndef OTPRING_VERDICT_H
#define OTPRING_VERDICT_H

enum otpring_verdict {
    OTPRING_ACCEPTED = 1,    /* right, and consumed: never accepted again */
    OTPRING_REJECTED = 2,    /* wrong; charged */
    OTPRING_REPLAYED = 3,    /* right, but used before or older than one used; not charged */
    OTPRING_THROTTLED = 4,   /* not judged: too many failures; ask again after retry_after_s */
    OTPRING_RESYNC = 5,      /* right for a far step: ask the user for two adjacent codes; charged */
    OTPRING_INACTIVE = 6,    /* every token of the account is suspended; told only to clients granted it */
    OTPRING_UNKNOWN = 7,     /* no such account; told only to clients granted it, others see REJECTED */
    OTPRING_MALFORMED = 8,   /* the query itself breaks the rules; nothing looked up */
    OTPRING_UNAVAILABLE = 9, /* the engine cannot know now: not judged, ask again */
    /* Of the question whether a code is required (OTPRING_QUERY_REQUIRED): */
    OTPRING_REQUIRED = 10,     /* this user does not pass without a code */
    OTPRING_NOT_REQUIRED = 11, /* this user passes without; the reason says by what */
    OTPRING_VERDICT_COUNT = 12
};

enum otpring_reason {
    OTPRING_REASON_NONE = 0,
    OTPRING_REASON_NO_MATCH = 1,     /* REJECTED: no step of the window */
    OTPRING_REASON_NOT_SEARCHED = 2, /* REJECTED: the far search had no budget left in this turn */
    OTPRING_REASON_FAR = 3,          /* RESYNC */
    OTPRING_REASON_USED = 4,         /* REPLAYED: this very step was consumed, or one after it */
    OTPRING_REASON_DIGITS = 5,       /* REJECTED: another number of digits than the token's */
    OTPRING_REASON_HIDDEN = 6,       /* in the log only: REJECTED stood for UNKNOWN or INACTIVE towards the client */
    OTPRING_REASON_CODE_RANGE = 7,   /* MALFORMED: code does not fit its digits, or digits not 6 to 8 */
    OTPRING_REASON_RESERVED = 8,     /* MALFORMED: reserved bits or unknown query kind or source class */
    OTPRING_REASON_CLOCK = 9,        /* UNAVAILABLE */
    OTPRING_REASON_NO_ROOM = 10,     /* UNAVAILABLE: no journal room */
    OTPRING_REASON_POISONED = 11,    /* UNAVAILABLE: journal poisoned */
    OTPRING_REASON_STOPPING = 12,    /* UNAVAILABLE */
    OTPRING_REASON_BUSY = 13,        /* UNAVAILABLE: an internal limit */
    OTPRING_REASON_COMPANY = 14,     /* REJECTED: not a company of this client */
    OTPRING_REASON_CHALLENGE = 15,   /* REJECTED: the challenge, PIN or session is none of the token's OCRA suite */
    OTPRING_REASON_MARKS = 16,       /* UNAVAILABLE: no room to remember that the response is used */
    OTPRING_REASON_SCHEME = 32,      /* NOT_REQUIRED: the company's scheme is not active yet */
    OTPRING_REASON_WAIVED = 33,      /* NOT_REQUIRED: a known user without a token yet, or released */
    OTPRING_REASON_NOT_KNOWN = 34,   /* UNAVAILABLE: nothing is known of this user, so nobody can say */
};

/* Upper-case name, or NULL when the value is none. Static text. */
static inline const char *otpring_verdict_name(unsigned verdict)
{
    static const char *const names[] = {0,           "ACCEPTED",    "REJECTED", "REPLAYED",
                                        "THROTTLED", "RESYNC",      "INACTIVE", "UNKNOWN",
                                        "MALFORMED", "UNAVAILABLE", "REQUIRED", "NOT_REQUIRED"};
    return verdict < sizeof names / sizeof names[0] ? names[verdict] : 0;
}

#endif
