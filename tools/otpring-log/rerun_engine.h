/* A fresh engine of today's code, for queries whose verdicts are compared with recorded ones: core and its journal on a
 * simulated os, whose clock is set to the time of each record. One thread. Memory: the store's rows and lines, and a
 * few segments of a journal that nobody reads. */
#ifndef TOOLS_OTPRING_LOG_RERUN_ENGINE_H
#define TOOLS_OTPRING_LOG_RERUN_ENGINE_H

#include "core/core.h"
#include "rerun_store.h"

/* What a client may be told, and may ask for, as the record implies it. */
enum rerun_client { CLIENT_PLAIN, CLIENT_SEES_STATES, CLIENT_OTHER_COMPANY, CLIENT_COUNT };

struct rerun_engine {
    struct core *core;
    struct os_sim_world *world;
    struct os *os;
    struct os *worker_os;
    struct core_worker *worker;
    struct rerun_asking *asking; /* of the present turn */
    uint64_t bytes;              /* journaled since housekeeping */
};

/* wall_ms: Unix time, not behind the first record that is run. Errors as of core_open. */
struct result rerun_engine_open(struct rerun_store *store, int64_t wall_ms, struct rerun_engine *ret_engine) MUST_USE;
void rerun_engine_close(struct rerun_engine *engine);

/* Sets the clock forward; it never goes back. */
void rerun_engine_time(struct rerun_engine *engine, int64_t time_ms);

enum { RERUN_TURN_MAX = 4096 };
/* One more query of the present turn, judged in this order among those of one client and kind; at most RERUN_TURN_MAX.
 * *ret_answer is there after the turn. `resync`: two adjacent codes. */
void rerun_engine_ask(struct rerun_engine *engine, enum rerun_client client, bool resync,
                      const struct otpring_wire_pair *query, struct otpring_wire_answer *ret_answer);
/* Judges them all, as one batch, the wall clock lag_ms behind. OS_FAILED, JOURNAL_*, FULL: none of them happens as long
 * as there is memory. */
struct result rerun_engine_turn(struct rerun_engine *engine, int64_t lag_ms) MUST_USE;

#endif
