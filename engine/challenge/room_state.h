/* What room.c keeps and judge.c reads. Room-internal.
 *
 * Entries are a dense array counted from 1 (0: none). Three singly linked lists run through them: by id, by account,
 * and the slots of a wheel of seconds by when each is next to be looked at. That moment (entry_due) never comes nearer,
 * so an entry is taken out of the wheel only when its slot comes up, and put in again if it is not yet its time. */
#ifndef OTPRING_CHALLENGE_ROOM_STATE_H
#define OTPRING_CHALLENGE_ROOM_STATE_H

#include <string.h>

#include "base/checksum.h"
#include "challenge/room.h"

enum { WHEEL_SLOTS = 4096 };

struct challenge_room {
    struct challenge_limits limits;
    uint8_t secret[CHECKSUM_SECRET_SIZE];
    struct challenge_entry *entries; /* capacity + 1; [0] is not used */
    uint32_t *by_id;                 /* bucket_count heads each */
    uint32_t *by_account;
    uint32_t bucket_count; /* a power of two, at least the capacity */
    uint32_t count;        /* entries in use */
    uint32_t fresh;        /* the least index never used */
    uint32_t spare;        /* head of those that were forgotten, by next_by_id */
    uint32_t swept_s;      /* the last second of which the slot was taken up; 0: time has not begun */
    uint32_t pending;      /* what is left of that slot, by next_in_wheel */
    void (*expired)(void *context, const struct challenge_entry *entry);
    void *expired_context;
    uint32_t wheel[WHEEL_SLOTS];
    uint32_t open_by_client[1 << 16];
};

uint32_t room_id_bucket(const struct challenge_room *room, const uint8_t id[CHALLENGE_ID_SIZE]);
uint32_t room_account_bucket(const struct challenge_room *room, const uint8_t account[16]);

static inline bool account_is_none(const uint8_t account[16])
{
    static const uint8_t none[16];
    return memcmp(account, none, sizeof none) == 0;
}

/* Whether its refusal cools the account down: not a wrong number, and not without an account. */
static inline bool entry_cools(const struct challenge_entry *entry)
{
    return entry->state == CHALLENGE_REFUSED && entry->reason != CHALLENGE_WRONG_NUMBER;
}

#endif
