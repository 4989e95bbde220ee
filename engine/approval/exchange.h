/* Mutual challenge-response (RFC 6287 section 7.2): the engine proves itself to the token before the token answers. The
 * token's challenge QC comes in, the engine draws its own, QS, and gives it out together with its response RS over
 * QC | QS; then the token's response RC over QS | QC is handed in like any typed response. PROTOCOL.md (Exchanges) says
 * why each of these holds:
 *
 *   - QC is fixed before QS is drawn, both are kept as a challenge of purpose CHALLENGE_EXCHANGE, and RC is judged over
 *     what was kept, once, in core's turn: charged, throttled and recorded like every other response.
 *   - RS is computed for tokens of profiles that are `mutual` alone, and these answer exchanges alone.
 *   - RS uses nothing up: it is computed at the counter's floor and at the present time step.
 *
 * Room-internal. */
#ifndef OTPRING_APPROVAL_EXCHANGE_H
#define OTPRING_APPROVAL_EXCHANGE_H

#include <stdbool.h>

#include "challenge/keep.h"
#include "otp/ocra.h"

struct approvals;
struct answering;
struct item;

/* One that is being begun. */
struct exchange {
    const char *client_challenge;
    const char *information; /* session information; NULL: none */
    bool known;              /* this session has begun it already: it is joined */
    uint8_t known_id[CHALLENGE_ID_SIZE];
    char server_challenge[OCRA_QUESTION_SIZE_MAX + 1];
    char server_response[OCRA_RESPONSE_SIZE_MAX + 1];
};

/* The token's response, as it is handed in. */
struct exchange_reply {
    bool judged;
    uint8_t verdict; /* enum otpring_verdict, once judged */
    uint64_t record; /* where the log has it */
    uint8_t pin_hash[OCRA_PIN_HASH_SIZE_MAX];
    size_t pin_hash_size;
    const char *information; /* session information; NULL: none */
};

/* In the change that asks: finds the token, draws QS, computes RS. */
struct result exchange_may(struct item *item, struct core_change *change, struct challenge_ask *ask) MUST_USE;
/* The fields of a response. */
struct result exchange_reply_begin(struct item *item, struct exchange_reply *reply) MUST_USE;
/* Has the responses of the turn judged, each a frame of its own: one of an exchange, whatever else came for it. */
void exchanges_judge(struct approvals *approvals);
/* In the change that answers: what the verdict makes of the challenge. */
struct result exchange_reply_may(struct item *item, struct challenge_reply *reply) MUST_USE;

#endif
