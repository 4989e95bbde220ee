/* The reference model: what a client may believe, in plain code. It knows what was sent and what was answered, nothing
 * of blocks, words or turns, and says of each answer whether a promise was broken.
 *
 * Where the order of things is not the client's to know (two frames in flight, an answer lost in a crash), it keeps
 * bounds: the floor that a token has at least and at most, the failures that an account has at least and at most. */
#ifndef TESTS_SIM_MODEL_H
#define TESTS_SIM_MODEL_H

#include "otpring/verdict.h"
#include "otpring/wire.h"
#include "tokens.h"

enum {
    MODEL_SESSIONS = 2,
    MODEL_SLOTS = 5, /* the last one is kept for the checks after a start */
    MODEL_CHECK_SLOT = MODEL_SLOTS - 1,
    MODEL_ITEMS_MAX = 16,
    MODEL_ACCEPTED_MAX = 512,
    MODEL_TOLD_MAX = 1024,
    MODEL_THROTTLE_FREE = 3,
    MODEL_THROTTLE_BASE_S = 2,
    MODEL_THROTTLE_MAX_S = 900,
    MODEL_LOOK_AHEAD = 10,
    MODEL_LOOK_BEHIND = 1,
    MODEL_REACH = 100, /* steps that a resynchronisation looks at */
};

enum model_state { MODEL_FREE, MODEL_SENT, MODEL_ANSWERED };

struct model_item {
    uint8_t account; /* enum sim_account */
    uint8_t token;   /* whose code it is, or TOKEN_NONE: nobody's */
    bool certain;    /* in the window whatever was in flight: not to be answered REJECTED */
    bool home;       /* sent to the account that the token is at */
    bool pair;       /* two adjacent codes, of step and the one behind it */
    bool far;        /* a single code beyond every window that there may be: never to be accepted */
    int64_t step;
    int64_t floor;     /* of the token, at least, when it was sent */
    uint32_t epoch;    /* of the account, when it was sent */
    uint32_t failures; /* of the account, at least, when it was sent */
    int64_t charged_s; /* journal time of the last of them, at least */
    int64_t sent_s;    /* journal time when it was sent */
    bool maybe_active; /* the token, when it was sent */
    uint32_t uses;     /* of the token, when it was sent */
    uint32_t resumes, moves;
};

struct model_frame {
    enum model_state state;
    struct otpring_wire_header header;
    uint32_t number; /* of all frames ever sent */
    uint32_t unsure; /* model.unsure when it was sent */
    uint32_t doubts; /* model.doubts when it was sent; 0: there was reason then */
    union {
        struct otpring_wire_query queries[MODEL_ITEMS_MAX];
        struct otpring_wire_pair pairs[MODEL_ITEMS_MAX];
    };
    struct model_item items[MODEL_ITEMS_MAX];
    struct otpring_wire_answer answers[MODEL_ITEMS_MAX]; /* once answered */
};

struct model_token {
    int64_t floor_least; /* from answers */
    int64_t floor_most;  /* from what was sent */
    bool maybe_suspended, maybe_active;
    uint32_t resumes, moves; /* begun so far */
    uint32_t uses;           /* of it that were begun: codes sent, pairs typed at the desk; and crashes */
    uint32_t desk_uses;      /* the uses when a pair was typed that must be accepted if nothing else comes; else 0 */
    bool maybe_at[2];        /* TOKEN_MOVING: at ACCOUNT_MOVING_A, _B */
    bool moving;             /* an act about it was begun, and is not known to be done */
    bool maybe_drifted;
};

struct model_account {
    uint32_t epoch; /* rises with everything that may reset failures */
    uint32_t right_in_flight;
    uint32_t failures_least;
    uint32_t failures_most;
    int64_t charged_s;
};

struct model_accepted {
    int64_t step;
    uint64_t record;
    uint32_t frame;
    uint16_t item;
    uint8_t token;
};

/* An answered verdict as the log must have it. */
struct model_told {
    uint64_t record;
    uint8_t verdict;
    uint8_t account;
    uint16_t item;
};

struct model {
    uint64_t sessions[MODEL_SESSIONS];
    uint32_t sequences[MODEL_SESSIONS][MODEL_SLOTS];
    struct model_frame frames[MODEL_SESSIONS][MODEL_SLOTS];
    struct model_token tokens[TOKEN_COUNT];
    struct model_account accounts[ACCOUNT_COUNT];
    struct model_accepted accepted[MODEL_ACCEPTED_MAX];
    unsigned accepted_count;
    struct model_told told[MODEL_TOLD_MAX];
    unsigned told_count;
    uint32_t frame_count;
    int64_t now_step;  /* of TOTP, kept up to date by whoever runs the clock */
    uint32_t unsure;   /* not 0: the engine must know that its clock is wrong, and since which step of it */
    bool doubting;     /* the engine may have reason to doubt its clock now */
    uint32_t doubts;   /* and so often it began to, and one more */
    uint32_t reasons;  /* bit by enum otpring_reason: UNAVAILABLE has this cause just now, or may still have */
    bool stopped_once; /* restored from a backup: counters may be suspended */
    uint64_t counts[10];
    char broken[256]; /* which promise, when one was broken */
};

void model_start(struct model *model);
void model_break(struct model *model, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A frame of a free or answered slot, empty; then its items; then it is sent. */
struct model_frame *model_frame(struct model *model, unsigned session, unsigned slot);
void model_right(struct model *model, struct model_frame *frame, enum sim_account account, enum token token,
                 int64_t step);
void model_wrong(struct model *model, struct model_frame *frame, enum sim_account account, uint32_t number);
/* Two adjacent codes of the token, from this step on; all items of a frame that has one. */
void model_pair(struct model *model, struct model_frame *frame, enum sim_account account, enum token token,
                int64_t step);
void model_sent(struct model *model, struct model_frame *frame, int64_t journal_ms);
/* The engine answered: judged by what may be, given that it is journal_ms now. */
void model_answered(struct model *model, struct model_frame *frame, const struct otpring_wire_answer *answers,
                    uint32_t count, int64_t journal_ms);

/* The block of this position is lost in a way that no start can see; what stands behind it was burned. */
void model_forget(struct model *model, uint64_t position);
/* An older state was restored: of what came after it only codes are still known, as used. */
void model_restored(struct model *model);
/* The engine died. */
void model_crashed(struct model *model);
/* Acts: begun (it may be in force from now on), then done (it is). */
void model_suspend(struct model *model, bool suspended, bool done);
void model_move(struct model *model, unsigned from, bool added, bool done);
void model_unlock(struct model *model, enum sim_account account, bool done);
void model_doubt(struct model *model, bool doubting);
/* Two adjacent codes typed at the desk: to be judged; then what came of it, and in which record. */
void model_desk(struct model *model, enum token token, int64_t step);
void model_desk_done(struct model *model, enum token token, int64_t step, bool was_accepted, uint64_t record);

#endif
