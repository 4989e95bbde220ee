/* What is known of one account at a point of its log: which codes were used up and by what, which failures stand
 * against it. Fed with its records in order; of one size whatever their number. One thread. */
#ifndef TOOLS_OTPRING_LOG_STORY_H
#define TOOLS_OTPRING_LOG_STORY_H

#include "acts.h"
#include "event.h"

enum { STORY_RAISED = 128, STORY_FAILURES = 32, STORY_TOKENS = 64 };

/* What is kept of a record that raised a floor or was charged. */
struct story_record {
    uint64_t position;
    uint32_t slot;
    int64_t time_ms;
    bool is_act;
    struct slot_verify verify; /* not of acts */
    bool has_frame;
    struct slot_frame frame;
    unsigned act;
    uint32_t uid;
    uint32_t ordinal;
    uint32_t floor;    /* after it */
    uint32_t consumed; /* steps that it used up: floor - consumed to floor - 1; 0: all below the floor */
};

struct story_token {
    uint32_t ordinal;
    bool profile_known;
    struct profile_row profile;
    bool drift_known;
    int8_t drift;
};

struct story {
    struct names_look *look;
    uint8_t name[16];
    struct story_record raised[STORY_RAISED]; /* a ring */
    uint64_t raised_count;
    struct story_record failures[STORY_FAILURES]; /* a ring: since the last reset */
    uint64_t failure_count;
    struct story_record reset; /* what reset them; position 0: nothing */
    struct story_token tokens[STORY_TOKENS];
    unsigned token_count;
    char company[SCHEMA_NAME_MAX + 1]; /* from its records, or the store; empty: not known */
    char user[SCHEMA_NAME_MAX + 1];
};

void story_start(struct story *story, const uint8_t name[16], struct names_look *look);
/* After the event was told (tell.h). */
void story_add(struct story *story, const struct event *event);

/* The record that used up this step of the token, or the one that raised the floor to where it stood; NULL: not there.
 */
const struct story_record *story_consumer(const struct story *story, uint32_t ordinal, int64_t step);
const struct story_record *story_raiser(const struct story *story, uint32_t ordinal, uint32_t floor);
/* The record that used the response with this mark (engine/core/marks.h); NULL: not there. */
const struct story_record *story_marker(const struct story *story, uint64_t mark);
struct story_token *story_token(struct story *story, uint32_t ordinal);
/* The step that a REPLAYED code fitted; false where too little is known. */
bool story_step(struct story *story, const struct event *event, int64_t *ret_step);
/* Seconds of a step; 0: a counter, or not known. */
uint32_t story_period_s(struct story *story, uint32_t ordinal);
/* Seconds that the account is locked after the charge that left this budget word, by its first token's profile; 0: it
 * is not, or the profile is not known. */
uint32_t story_lock_s(struct story *story, const struct slot_verify *verify);

#endif
