/* One challenge as memory and store hold it: two cache lines, no text. What it asks stands in the body, of which it has
 * the digest. */
#ifndef OTPRING_CHALLENGE_ENTRY_H
#define OTPRING_CHALLENGE_ENTRY_H

#include <assert.h>

#include "challenge/body.h"
#include "challenge/state.h"

/* Why it was refused or withdrawn. */
enum challenge_reason {
    CHALLENGE_NO_REASON,
    CHALLENGE_NOT_ME,       /* the user did not ask for it: an alarm */
    CHALLENGE_NOT_WANTED,   /* the user changed their mind, or a field is wrong */
    CHALLENGE_WRONG_NUMBER, /* the number entered is not the one on the screen */
    CHALLENGE_CANCELLED,    /* by who asked */
    CHALLENGE_ACCOUNT_SHUT, /* locked, suspended or removed between question and answer */
    CHALLENGE_UNBOUND,      /* the account lost its last device */
    CHALLENGE_REASON_COUNT,
};

enum { CHALLENGE_CONTENT_SIZE = 8, CHALLENGE_NONE = 0 /* no index: entries count from 1 */ };

struct challenge_entry {
    uint8_t id[CHALLENGE_ID_SIZE];
    uint8_t account[16]; /* zeros: bound to none yet */
    uint8_t binding[CHALLENGE_BINDING_SIZE];
    uint8_t digest[CHALLENGE_DIGEST_SIZE];
    uint8_t content[CHALLENGE_CONTENT_SIZE]; /* challenge_content: what is asked, without id and time */
    uint64_t device; /* the number of the device that answered; of an exchange where the log has the verdict; 0: none */
    uint32_t expires_s; /* journal time, seconds since 1970; not answered at or after it */
    uint32_t asked_s;
    uint32_t closed_s; /* when it became final; 0: open */
    uint32_t next_by_id, next_by_account, next_in_wheel;
    uint16_t client; /* who asked */
    uint8_t state;   /* enum challenge_state */
    uint8_t purpose; /* enum challenge_purpose */
    uint8_t flags;   /* enum challenge_flag */
    uint8_t number;  /* to be entered, 10 to 99; 0: none */
    uint8_t reason;  /* enum challenge_reason */
    uint8_t held;    /* 1: in its account's list; the room's own */
};
static_assert(sizeof(struct challenge_entry) == 128, "two cache lines");

/* What a body asks, without id, key and time: two asks of one content are the same question. First 8 bytes of SHA-256
 * over purpose, flags and fields. The bytes are those of challenge_body_encode. */
void challenge_content(const uint8_t *body, size_t size, uint8_t ret_content[CHALLENGE_CONTENT_SIZE]);

/* A number of two digits from a random one: 10 to 99, each as likely but for 1 in 10^17. */
uint8_t challenge_number(uint64_t random);

#endif
