/* Verification by the administrator's own thread: a code goes the way of every other code, through a turn, and is
 * judged, charged and recorded the same.
 *
 * A session is opened at the first use in a run; each query is a frame of its own in slot 0. Who notes session and
 * sequence durably before the query is asked may ask again after a crash, in the session of then, and is given the
 * answer of then (PROTOCOL.md: retry) instead of REPLAYED. One thread. */
#ifndef OTPRING_ADMIN_ADMIN_VERIFY_H
#define OTPRING_ADMIN_ADMIN_VERIFY_H

#include "admin/admin.h"

/* UNAVAILABLE where sessions are exhausted or the caller gave no inbox. After this admin->verify.session is this run's.
 */
struct result admin_verify_ready(struct admin *admin) MUST_USE;
/* The verdict, durable; waits for room in the turn and in the journal, 10 s at most, then ENROL_UNAVAILABLE. `session`:
 * this run's, or an earlier one's, which is gone on with while it lives; otherwise the query is judged afresh, in this
 * run's. */
struct result admin_verify(struct admin *admin, uint64_t session, uint32_t sequence,
                           const struct otpring_wire_query *query, struct otpring_wire_answer *ret_answer) MUST_USE;
/* The same for the response of an exchange (approval/exchange.h), always afresh. An administration asks for codes or
 * for responses of exchanges, not for both: a session is of one client. */
struct result admin_verify_exchange(struct admin *admin, const struct otpring_wire_ocra *response,
                                    struct otpring_wire_answer *ret_answer) MUST_USE;

#endif
