/* Gates: may a user pass without a code? Rows of STORE_GATES, put by the rooms above through changes; core keeps them
 * in memory as well, so that the question is answered at full speed (required.c).
 *
 *   key: a name; a company's has a zero second half. Value: version 1, gate 1.
 *
 * Adding a token removes the gate of its account: from then on its line says REQUIRED. */
#ifndef OTPRING_CORE_GATE_H
#define OTPRING_CORE_GATE_H

#include "core/core.h"

enum core_gate {
    GATE_NONE = 0,     /* no row */
    GATE_WAITING = 1,  /* company: its scheme is not active yet, nothing is enforced */
    GATE_ENFORCED = 2, /* company: its scheme is active */
    GATE_WAIVED = 3,   /* user: known, and passes without a code */
    GATE_PENDING = 4,  /* user: needs a code, though there is no token of theirs (an enrolment that is under way) */
};

enum { GATE_ROW_SIZE = 2, GATE_ROW_VERSION = 1 };

static inline void gate_encode(enum core_gate gate, uint8_t ret[GATE_ROW_SIZE])
{
    ret[0] = GATE_ROW_VERSION;
    ret[1] = (uint8_t)gate;
}

/* STORE_DAMAGED. */
static inline struct result gate_decode(struct store_bytes value, enum core_gate *ret_gate)
{
    const uint8_t *bytes = (const uint8_t *)value.bytes;
    if (value.size != GATE_ROW_SIZE || bytes[0] != GATE_ROW_VERSION || bytes[1] < GATE_WAITING ||
        bytes[1] > GATE_PENDING) {
        return result_of(STORE_DAMAGED);
    }
    *ret_gate = (enum core_gate)bytes[1];
    return result_ok();
}

/* REQUIRED, NOT_REQUIRED or UNAVAILABLE for a name, with the reason. In a turn, or while the act mutex is held (within
 * a change, say). */
enum otpring_verdict core_required(struct core *core, const uint8_t name[16], enum otpring_reason *ret_reason) MUST_USE;

#endif
