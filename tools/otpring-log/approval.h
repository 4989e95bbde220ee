/* What was approved, as evidence: the challenge as it was shown, the device's signed answer, and the proof that the log
 * has it. */
#ifndef TOOLS_OTPRING_LOG_APPROVAL_H
#define TOOLS_OTPRING_LOG_APPROVAL_H

#include <jansson.h>

#include "challenge/keep.h"
#include "challenge/statement.h"

#define APPROVAL_FORMAT "otpring-approval-1"

/* Records of answers: one that stands, and one with a wrong number or response, which proves nothing. */
#define APPROVAL_ANSWER "challenge.answer"
#define APPROVAL_WRONG "challenge.wrong"

/* An answer and what it covers, as evidence carries them. */
struct approval {
    uint8_t id[CHALLENGE_ID_SIZE];
    uint8_t body[CHALLENGE_BODY_SIZE_MAX];
    size_t body_size;
    uint8_t evidence[CHALLENGE_EVIDENCE_SIZE_MAX]; /* challenge_proof_encode's */
    size_t evidence_size;
};

/* What they say in clear, with the fields that were shown: once answer and body fit each other. `ret_why` (a text of
 * ours) says what does not. The caller frees; NULL: they do not fit. */
json_t *approval_json(const struct approval *approval, const char **ret_why);

/* The parts of a change's record of STORE_CHALLENGES with this id: true for each that is there. */
struct approval_rows {
    struct store_bytes parts[128]; /* by letter (challenge/keep.h); bytes NULL: not there */
    struct store_bytes device;     /* the device's row, as it stands after its answer */
    uint8_t device_key[8];
    char name[CORE_CHANGE_NAME_MAX + 1];
    uint64_t subject;
};
/* From the payload of an act's record; false: it is no change, or not about this challenge. */
bool approval_rows_of(const uint8_t *payload, size_t size, const uint8_t id[CHALLENGE_ID_SIZE],
                      struct approval_rows *ret_rows);

#endif
