/* The open challenges, and those that were closed a moment ago: who may be asked what, and what becomes of an answer.
 *
 * Owned by whoever opened it; one thread at a time (core's act mutex serves). Memory is taken at start: `capacity`
 * entries of 128 bytes, and 8 bytes of index for each up to the next power of two; nothing is allocated later. Time is
 * an argument: journal time in seconds, which never goes back. Nothing here reads a clock, makes random bytes or
 * writes: a change is judged first (challenge_judge_*), made durable by the caller, and then entered (challenge_enter),
 * so that nothing is told that is not durable.
 *
 * The rules against bombing, for challenges that are bound to an account:
 *
 *   - One open prompt an account and purpose. The same question from the same session (binding and content) joins it:
 *     one prompt, one answer to both. From another session, or about something else, it is BUSY: a user who approves
 *     their own login must not let in whoever asked at the same time.
 *   - After a refusal, the account is asked nothing for cool_down_s: COOLING. Not after a wrong number, which is mostly
 *     a slip; but that prompt is gone.
 *   - prompts_max within window_s, whatever became of them, but for those approved: LIMITED.
 *
 * A closed challenge stays until nothing above asks for it any more, its expiry has passed and it has been closed for
 * CHALLENGE_KEPT_S, so that who waits can still be told; then it is forgotten (challenge_tick). */
#ifndef OTPRING_CHALLENGE_ROOM_H
#define OTPRING_CHALLENGE_ROOM_H

#include "challenge/entry.h"

struct challenge_room;

struct challenge_limits {
    uint32_t capacity;    /* entries, 1 to CHALLENGE_CAPACITY_MAX */
    uint32_t life_max_s;  /* 1 to CHALLENGE_SPAN_MAX_S: of one challenge */
    uint32_t cool_down_s; /* 0 to CHALLENGE_SPAN_MAX_S */
    uint32_t window_s;    /* 0 to CHALLENGE_SPAN_MAX_S */
    uint32_t prompts_max; /* at least 1 */
};

enum { CHALLENGE_CAPACITY_MAX = 1 << 26, CHALLENGE_SPAN_MAX_S = 86400, CHALLENGE_KEPT_S = 60 };

/* BAD_ARGUMENT, NO_MEMORY. hash_key spreads account names. */
struct result challenge_room_open(const struct challenge_limits *limits, const uint8_t hash_key[32],
                                  struct challenge_room **ret_room) MUST_USE;
void challenge_room_close(struct challenge_room *room);

/* Bytes that a room of so many entries takes. */
size_t challenge_room_size(uint32_t capacity);
/* Entries that are in it, closed ones among them. */
uint32_t challenge_count(const struct challenge_room *room);
/* Those of one client that are open, or whose time was up a moment ago. */
uint32_t challenge_open_count(const struct challenge_room *room, uint16_t client);

/* From now on `expired` is told each challenge that challenge_tick closes because its time is up. NULL: nobody. */
void challenge_on_expiry(struct challenge_room *room,
                         void (*expired)(void *context, const struct challenge_entry *entry), void *context);

enum challenge_asked {
    CHALLENGE_NEW,
    CHALLENGE_JOINED,
    CHALLENGE_BUSY,
    CHALLENGE_COOLING,
    CHALLENGE_LIMITED,
};

struct challenge_ask_verdict {
    enum challenge_asked asked;
    const struct challenge_entry *joined; /* JOINED: the one that is open */
    uint32_t retry_after_s;               /* BUSY, COOLING, LIMITED: when to ask again at the earliest */
};

/* May it be asked? Nothing changes. `entry` is whole but for state, closed_s, device, reason and the room's own
 * members; asked_s is now, and expires_s lies 1 to life_max_s after it. FULL: no room; STORE_EXISTS: the id is known;
 * BAD_ARGUMENT: time, purpose, an account where the flags say none, a number where they ask for none, and the reverse.
 */
struct result challenge_judge_ask(const struct challenge_room *room, const struct challenge_entry *entry,
                                  uint32_t now_s, struct challenge_ask_verdict *ret_verdict) MUST_USE;

struct challenge_answer {
    enum challenge_act act; /* APPROVE or REFUSE */
    uint8_t number;         /* that the user entered; 0: none */
    uint8_t reason;         /* of a refusal: NOT_ME, NOT_WANTED or none */
    bool wrong;             /* what was typed is not the response: it ends as after a wrong number */
    uint64_t device;        /* not 0 */
    uint8_t account[16];    /* that the device is bound to; the caller has checked its signature and state */
    uint8_t digest[CHALLENGE_DIGEST_SIZE]; /* of the body that it was shown */
};

enum challenge_answered {
    CHALLENGE_TAKEN,          /* ret_entry is what the challenge becomes, perhaps refused over a wrong number */
    CHALLENGE_UNKNOWN,        /* no such challenge, or not this account's */
    CHALLENGE_OTHER_CONTENT,  /* the device was shown something else: refused, and the challenge stays as it is */
    CHALLENGE_CLOSED_ALREADY, /* answered, expired or withdrawn before */
};

/* Judges an answer; nothing changes. ret_entry is written where TAKEN. BAD_ARGUMENT: another act, no device, no
 * account. */
struct result challenge_judge_answer(const struct challenge_room *room, const uint8_t id[CHALLENGE_ID_SIZE],
                                     const struct challenge_answer *answer, uint32_t now_s,
                                     enum challenge_answered *ret_answered, struct challenge_entry *ret_entry) MUST_USE;

/* Judges a showing or a withdrawal; answers are judged as such, and time by challenge_tick. STORE_NOT_FOUND: no such
 * challenge; CHALLENGE_DENIED: another act, not in its state, or not by this role. */
struct result challenge_judge_act(const struct challenge_room *room, const uint8_t id[CHALLENGE_ID_SIZE],
                                  enum challenge_act act, enum challenge_role role, enum challenge_reason reason,
                                  uint32_t now_s, struct challenge_entry *ret_entry) MUST_USE;

/* Enters what was judged: a new challenge, or the known one of this id as it has become. Also what recovery finds, in
 * any order and twice: of two states of one challenge the final one stays. FULL. */
struct result challenge_enter(struct challenge_room *room, const struct challenge_entry *entry,
                              uint32_t now_s) MUST_USE;

/* Takes back what was entered and then could not be made durable: the challenge is again as it was `before`; one that
 * was new (before.id with `new`) is gone, and its entry is free when its time comes up. */
void challenge_undo(struct challenge_room *room, const struct challenge_entry *before, bool new);

/* By id; NULL: unknown. An open one whose time has passed is given as it stands: see challenge_state_at. */
const struct challenge_entry *challenge_find(const struct challenge_room *room, const uint8_t id[CHALLENGE_ID_SIZE]);
/* Its state at a moment: expired where it is open and its time has passed. */
enum challenge_state challenge_state_at(const struct challenge_entry *entry, uint32_t now_s);
/* The open challenges of all accounts of a company, or of all there are (NULL), one after the other; NULL: the first,
 * and at the end. Walks the whole room. */
const struct challenge_entry *challenge_open_any(const struct challenge_room *room, const uint8_t company[8],
                                                 const struct challenge_entry *after, uint32_t now_s);
/* The open challenges of an account, one after the other; NULL: the first, and at the end. */
const struct challenge_entry *challenge_open_next(const struct challenge_room *room, const uint8_t account[16],
                                                  const struct challenge_entry *after, uint32_t now_s);

/* Time passes: what expired is closed, what nobody asks for any more is forgotten. At most `budget` entries are looked
 * at; true: there is more to do at once. `forget` (may be NULL) is told each entry before it goes. */
bool challenge_tick(struct challenge_room *room, uint32_t now_s, uint32_t budget,
                    void (*forget)(void *context, const struct challenge_entry *entry), void *context);

#endif
