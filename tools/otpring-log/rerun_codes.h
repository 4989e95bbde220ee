/* What a recorded attempt is asked again with. The log has no codes, but says what they were good for: the step that
 * matched (ACCEPTED: one below the floor that the word has since; else the distance from the step expected then), or
 * that none did. So the code is made anew for that step, or is one that fits no step within reach.
 *
 * Distances count from what the account's state was when the record was made; that is kept here, as recorded, apart
 * from the fresh engine's, which may come to differ. */
#ifndef TOOLS_OTPRING_LOG_RERUN_CODES_H
#define TOOLS_OTPRING_LOG_RERUN_CODES_H

#include "rerun_engine.h"

struct rerun_codes;

struct result rerun_codes_create(struct core *core, struct rerun_codes **ret_codes) MUST_USE;
void rerun_codes_destroy(struct rerun_codes *codes);

/* A recorded attempt. */
struct rerun_attempt {
    const struct slot_verify *slot;
    bool resync;    /* two adjacent codes were typed */
    int64_t time_s; /* wall clock, Unix time */
};

enum rerun_made {
    MADE,
    MADE_NOT,      /* UNAVAILABLE: it was not judged */
    MADE_NO_TOKEN, /* the token that matched is not there, or its profile */
    MADE_RESPONSE, /* a response to a challenge, which is not in the log: its words are taken over as recorded */
    MADE_NO_STEP,  /* the distance is cut, or the step lies outside all steps */
    MADE_COUNT
};
/* Before its turn, with the account's lines as they are now. */
enum rerun_made rerun_codes_make(struct rerun_codes *codes, const struct rerun_attempt *attempt,
                                 struct otpring_wire_pair *ret_query, enum rerun_client *ret_client);

/* By how many milliseconds the wall clock was behind time_ms when this was judged, as the step that an ACCEPTED one
 * matched tells; 0: not at all, -1: it does not tell. */
int64_t rerun_codes_lag(struct rerun_codes *codes, const struct rerun_attempt *attempt, int64_t time_ms);

/* In order of judging: the account's state after the record. */
void rerun_codes_learn(struct rerun_codes *codes, const struct rerun_attempt *attempt);
void rerun_codes_learn_act(struct rerun_codes *codes, const struct slot_act *act, const uint8_t *payload);

#endif
