/* What the files of the verify path share: candidates.c computes, judge.c decides, session.c remembers, turn.c drives.
 * Everything here belongs to one worker's thread but for struct sessions, which has a lock a session. */
#ifndef OTPRING_CORE_VERIFY_H
#define OTPRING_CORE_VERIFY_H

#include <string.h>

#include "core/internal.h"
#include "kernel/stages.h"
#include "otp/ocra.h"

enum {
    CHUNK_ITEMS = STAGE_ITEMS_MAX, /* items that go through a stage together: what all stages touch stays in the
                                      first-level cache */
    CHUNK_STAGES = 4,              /* hashed, probed, looked at (and tried and judged), settled */
    CHUNK_PAIRS = CHUNK_ITEMS * (TABLE_ACCOUNT_TOKENS_MAX + 1), /* the one more: of the chunk that is settled */
    NO_ORDINAL = 0xffffffff,
};

#define STEP_GREATEST ((int64_t)0xfffffffe) /* the floor after it still fits 32 bits */

/* Bounds of windows of steps. */
static inline int64_t greatest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static inline int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- profiles as judging needs them: a worker's own copy (profiles.c) ---- */

struct judge_profile {
    bool used;
    bool straight; /* its queries may go the straight way (straight.h) */
    bool mutual;   /* OCRA: responses of exchanges alone (CORE_RIGHT_EXCHANGE) */
    uint8_t type;
    uint8_t algorithm;
    uint8_t digits;
    uint8_t behind; /* TOTP window, look-behind of a counter */
    uint8_t ahead;  /* TOTP window, look-ahead of a counter */
    uint8_t drift_max;
    uint8_t time_behind; /* OCRA: window of the time step */
    uint8_t time_ahead;
    uint16_t resync_window;
    uint32_t period_s;
    int64_t t0_s;
    struct throttle_policy throttle;
    int64_t now_s; /* the time that now_step is of */
    int64_t now_step;
};

struct profile_cache {
    uint32_t version; /* of core->profile_version when copied; odd: never copied */
    uint32_t count;   /* the greatest id in use + 1 */
    int64_t words_s;  /* the time that `words` are of; INT64_MIN: to be made anew */
    struct judge_profile profiles[CORE_PROFILES_MAX];
    uint64_t words[CORE_PROFILES_MAX]; /* stage_profile; 0 of those whose queries do not go the straight way */
    struct ocra_suite suites[CORE_PROFILES_MAX]; /* of profiles whose type is OCRA */
};

struct judge_profile judge_profile_of(const struct profile_row *row);
/* TOTP: the step of a Unix time, drift left out (RFC 6238 4.2); HOTP: 0. */
int64_t profile_step(const struct judge_profile *profile, int64_t unix_s);
/* The same, divided once a second. */
static inline int64_t profile_step_now(struct judge_profile *profile, int64_t unix_s)
{
    if (profile->now_s != unix_s) {
        profile->now_step = profile_step(profile, unix_s);
        profile->now_s = unix_s;
    }
    return profile->now_step;
}
/* Copies what changed; cheap when nothing did. */
void profile_cache_refresh(struct profile_cache *cache, struct core *core);
/* Brings the words to this second; cheap when they are. */
void profile_words_refresh(struct profile_cache *cache, int64_t unix_s);

/* ---- candidates ---- */

/* One token that one code is tried on. Steps in [low, high] have been computed; `matched` is the greatest of them that
 * fits. */
struct pair {
    const void *midstates;
    struct table_tail *tail; /* NULL: the dummy line of a name without tokens */
    struct judge_profile *profile;
    int64_t expected; /* HOTP: the floor as first read; TOTP: the step of now plus drift */
    int64_t low;
    int64_t high;
    int64_t matched; /* -1: none */
    uint32_t ordinal;
    uint32_t code;
    uint32_t live; /* all ones when a match counts; zero for dummies, other digits and lines that were blocked */
    bool blocked;  /* suspended when first read: nothing computed counts */
    bool digits_fit;
};

/* One algorithm's full kernel batch in the making: first tries of items that go the straight way, then of pairs. */
struct batch {
    struct stage_tries tries;
    uint32_t straight; /* so many of the tries */
    uint32_t pairs[CHUNK_ITEMS];
    uint8_t fits[CHUNK_ITEMS];
};

/* What the items of one frame have in common. */
struct judged_frame {
    const struct core_client *client;
    uint16_t client_id;
    uint16_t method;   /* frame kind: VERIFY, RESYNC or OCRA */
    bool sees_states;  /* the client may be told UNKNOWN and INACTIVE */
    bool needs_others; /* a verdict may rest on a turn of another worker */
};

/* A query that goes the general way. */
struct group_item {
    const struct otpring_wire_query *query; /* in the frame; followed by the other code when the method is RESYNC */
    struct judged_frame *frame;
    struct slot_verify *slot;
    struct otpring_wire_answer *answer;
    struct table_tail *first; /* the account's first line, with its budget; NULL: a name without account */
    uint32_t first_ordinal;
    uint32_t pair_first;
    uint32_t record; /* the slot's index in its block */
    uint16_t index;  /* in its frame */
    uint8_t pair_count;
    uint8_t live_count; /* tokens that are not removed */
    uint8_t
        other_count; /* of them, active ones that this kind of query is not for: they accept no code, or codes alone */
    uint8_t preset;  /* a verdict that needs no looking up, or 0 */
    uint8_t preset_reason;
    bool profile_missing;
    uint64_t own_mark; /* OCRA: put by this very query, whose token then moved; 0: none */
};

static inline bool item_is_ocra(const struct group_item *item)
{
    return item->frame->method == OTPRING_WIRE_OCRA;
}

static inline const struct otpring_wire_ocra *item_ocra(const struct group_item *item)
{
    return (const struct otpring_wire_ocra *)(const void *)item->query;
}

static inline uint32_t item_code_next(const struct group_item *item)
{
    return ((const struct otpring_wire_pair *)(const void *)item->query)->code_next;
}

/* Queries on their way through the stages, in order of arrival; one thing of all of them after the other, as vectors
 * like it. */
struct chunk {
    uint32_t count;
    uint64_t plain; /* bit i: a client and a frame whose queries may go the straight way */
    const void *queries[CHUNK_ITEMS];
    void *frames[CHUNK_ITEMS]; /* struct judged_frame */
    void *answers[CHUNK_ITEMS];
    uint64_t places[CHUNK_ITEMS];  /* in the record's own form: index in the frame, client, no distance, policy */
    uint32_t records[CHUNK_ITEMS]; /* index of each slot in the block */
    uint64_t hashes[CHUNK_ITEMS];
    struct table_probes probes;
    /* Of items that go the straight way: the line's state as first read, the expected step, the record's last word. */
    uint64_t states[CHUNK_ITEMS];
    uint64_t expected[CHUNK_ITEMS];
    uint64_t lasts[CHUNK_ITEMS];
};

/* Words of the last chunk that was judged, to be swapped while the next one is hashed: in order of item, each from what
 * was seen to its next. */
struct swaps {
    struct kernel_swaps list;
    uint64_t items; /* bit i: item i is accepted if its word is swapped; of others `nowhere` is */
    _Atomic uint64_t *words[CHUNK_ITEMS];
    uint64_t seen[CHUNK_ITEMS];
    uint64_t next[CHUNK_ITEMS];
    uint8_t done[CHUNK_ITEMS];
    _Alignas(64) _Atomic uint64_t nowhere;
};

/* The chunks in the stages, and what has become of the one that is looked at. */
struct group {
    uint64_t advanced;   /* how often, never wrapping; the chunk being filled is chunks[advanced % CHUNK_STAGES] */
    uint8_t *slots;      /* of the turn's block */
    bool prefetch_waits; /* for the next kernel batch */
    bool bursts;         /* see bursts.h */
    const void *prefetch[2 * CHUNK_ITEMS];
    struct batch batches[KERNEL_ALGORITHM_COUNT];
    struct chunk chunks[CHUNK_STAGES];
    struct swaps swaps;
    uint64_t straight; /* bit i: item i goes the straight way; its code, tried at the expected step: */
    uint8_t fits[CHUNK_ITEMS];
    /* Of all others. */
    uint32_t pair_count;
    struct group_item items[CHUNK_ITEMS];
    struct pair pairs[CHUNK_PAIRS];
};

/* The bits of the first `count` items. */
static inline uint64_t items_mask(uint32_t count)
{
    return count == CHUNK_ITEMS ? UINT64_MAX : ((uint64_t)1 << count) - 1;
}

/* Bit i: byte i is 1 and not 0. */
static inline uint64_t bits_of_bytes(const uint8_t bytes[CHUNK_ITEMS])
{
    uint64_t bits = 0;
    for (uint32_t from = 0; from < CHUNK_ITEMS; from += 8) {
        uint64_t eight;
        memcpy(&eight, bytes + from, sizeof eight);
        bits |= (eight * 0x0102040810204080u >> 56) << from;
    }
    return bits;
}

static inline struct chunk *group_filling(struct group *group)
{
    return &group->chunks[group->advanced % CHUNK_STAGES];
}

static inline bool group_empty(const struct group *group)
{
    uint32_t count = 0;
    for (int i = 0; i < CHUNK_STAGES; i++) count += group->chunks[i].count;
    return count == 0;
}

/* Everything judging has at hand in one turn. */
struct judge {
    struct core *core;
    const struct kernel *kernel;
    struct profile_cache *profiles;
    int64_t wall_s;     /* what TOTP steps are counted from */
    uint32_t journal_s; /* what locks are counted in */
    uint16_t policy;
    int64_t far_left;  /* candidates of far searches that this turn may still compute */
    int64_t pair_left; /* the same for pairs of adjacent codes */
    bool far_untouched, pair_untouched;
    uint64_t verdicts[OTPRING_VERDICT_COUNT];
    uint64_t stage_ns[4];       /* when measuring: -, finding and first steps, the rest of the windows, judging */
    uint64_t (*clock_ns)(void); /* of a benchmark; NULL: does not measure */
    _Alignas(64) uint8_t dummy[KERNEL_SHA512_MIDSTATES];
};

/* For the benchmark: adds the time since begun_ns to a stage (none when negative) and gives the time now. */
static inline uint64_t judge_mark(struct judge *judge, int stage, uint64_t begun_ns)
{
    if (__builtin_expect(!judge->clock_ns, 1)) return 0;
    uint64_t now_ns = judge->clock_ns();
    if (stage >= 0) judge->stage_ns[stage] += now_ns - begun_ns;
    return now_ns;
}

/* Every chunk goes one stage on: one is taken in, one has its pairs made and computed (the expected steps, then, for
 * what missed, the rest of the windows) and is judged, and the one that was judged before is settled and empty. */
void group_advance(struct judge *judge, struct group *group);

/* The steps that a code may fit when the floor stands at `floor`: [*ret_low, *ret_high], empty when low > high. */
void pair_window(const struct pair *pair, int64_t floor, int64_t *ret_low, int64_t *ret_high);
/* Forgets what was computed. */
void pair_forget(struct pair *pair);
/* Makes [low, high] part of what is computed, one scalar batch at a time. */
void pair_cover(const struct kernel *kernel, struct pair *pair, int64_t low, int64_t high);
/* Computes steps apart from the pair's range; the greatest that fits, or -1. */
int64_t pair_far(const struct kernel *kernel, const struct pair *pair, int64_t low, int64_t high);
/* The greatest s in [low, high] with code at s and code_next at s + 1, or -1. */
int64_t pair_adjacent(const struct kernel *kernel, const struct pair *pair, uint32_t code_next, int64_t low,
                      int64_t high);

/* ---- judging ---- */

/* What the tokens of the account say to the query at one look. */
struct choice {
    uint8_t verdict;
    bool digits_fit;
    bool challenge_misfits; /* OCRA: no suite of the account's can have been asked that */
    bool not_searched;
    bool busy;
    bool by_time; /* steps are counted from what is expected, not from the floor */
    struct pair *pair;
    int64_t step;
    uint64_t word;
    uint32_t consumed; /* steps: 1; 2 for a pair of adjacent codes; 0 for a mark */
    uint64_t mark;     /* of a response that only a mark can tell from a used one; 0: another one */
};

/* Reads the word, then the flags: false when the token does not accept. */
bool pair_active(struct pair *pair, uint64_t *ret_word);
/* A response to a challenge (judge_ocra.c): ACCEPTED, else REPLAYED, INACTIVE, REJECTED. */
void choose_ocra(struct judge *judge, struct group *group, struct group_item *item, struct choice *choice);
/* What the query itself decides; false: nothing. */
bool ocra_preset(const struct otpring_wire_ocra *query, uint8_t *ret_verdict, uint8_t *ret_reason);

/* An item that declined to go the straight way after all, as the general way has it: with the one pair that was tried;
 * `fits`: its code is that of the expected step. */
void group_item_general(struct judge *judge, struct group *group, const struct chunk *chunk, uint32_t i, bool fits,
                        struct group_item *ret_item);

/* Judges the items of the chunk that was looked at, in order, and fills in their slots and answers; answer->record is
 * the slot's index, or 0 when UNAVAILABLE. Of those on the straight way the swap and what follows it are left to
 * judge_settle. */
void judge_chunk(struct judge *judge, struct group *group, const struct chunk *chunk);
/* The chunk that was judged last: swaps what is not swapped yet, records what was, and judges what could not be. */
void judge_settle(struct judge *judge, struct group *group, const struct chunk *chunk);

/* What the client is told of a record: used for kept answers after a restart. */
void answer_of_record(const struct slot_verify *slot, uint64_t record, struct otpring_wire_answer *ret_answer);
/* True when the verdict may rest on another worker's change (REPLAYED, THROTTLED, INACTIVE also when hidden). */
bool record_rests_on_others(const struct slot_verify *slot);

/* ---- sessions ---- */

enum session_admit {
    SESSION_NEW,   /* in flight from now on */
    SESSION_RETRY, /* the same; some items were answered and are in ret_answers, the UNAVAILABLE ones are to be judged
                    */
    SESSION_KEPT,  /* ret_answers has all */
    SESSION_IN_FLIGHT, /* ask again later */
    SESSION_WANTS_MAC, /* the slot's last sequence once more: offer again with the frame's MAC */
    SESSION_REFUSED,   /* see ret_error */
};

/* A frame in flight, as session.c knows it. */
struct session_ticket {
    uint64_t id;
    uint16_t slot;
    uint16_t count;
    bool recorded;    /* the session's record is in the journal */
    const void *kept; /* its kept_slot, there while the frame is in flight; only to be asked for early */
    struct act_session act;
    uint8_t mac[16]; /* of a new frame set by frame_macs, before it is settled */
};

struct session;

/* mac: of the frame (frame_mac.c), or NULL: only a retry is compared, so of most frames it is not wanted here. */
enum session_admit sessions_offer(struct sessions *sessions, const struct otpring_wire_header *header, uint16_t client,
                                  const uint8_t mac[16], struct session_ticket *ret_ticket,
                                  struct otpring_wire_answer *ret_answers, enum otpring_wire_error_code *ret_error);
/* The frame is durable: its answers are kept. It stays in flight until released, which may be said at once. *hold, NULL
 * at first, is the session that stays locked for the frames after it, most of which are of the same one; let it go
 * before anything else is asked of sessions. */
void sessions_settle(struct sessions *sessions, struct session **hold, const struct session_ticket *ticket,
                     const struct otpring_wire_answer *answers, int64_t now_ms, bool release);
void sessions_let_go(struct session **hold);
/* Asks memory for the beginnings of session and slot: to be called some frames before the frame is settled. */
void sessions_prefetch(const struct sessions *sessions, const struct session_ticket *ticket);
/* No longer in flight; without settle before, the slot stands as it stood. */
void sessions_release(struct sessions *sessions, const struct session_ticket *ticket);
void sessions_recorded(struct sessions *sessions, uint64_t id);

/* A new session; random: 64 random bits. false: limit. The grant is in ret_act. */
bool sessions_open(struct sessions *sessions, uint16_t client, uint16_t slots, uint16_t items_max, uint64_t random,
                   int64_t now_ms, struct act_session *ret_act);
/* Goes on with one of this client: false when there is none. */
bool sessions_resume(struct sessions *sessions, uint64_t id, uint16_t client, int64_t now_ms,
                     struct act_session *ret_act);
void sessions_close(struct sessions *sessions, uint64_t id);
uint32_t sessions_idle_s(const struct sessions *sessions);

#endif
