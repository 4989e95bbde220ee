/* The engine as a whole: status, backup, checkpoint, clock. */
#include "admin/acts.h"
#include "os/machine.h"

static const char *reason_text(enum otpring_reason reason)
{
    switch (reason) {
    case OTPRING_REASON_CLOCK:
        return "the wall clock cannot be trusted; see otpring clock consent";
    case OTPRING_REASON_NO_ROOM:
        return "no space for the journal";
    case OTPRING_REASON_POISONED:
        return "a journal write failed; the daemon must be restarted when the disk is sound";
    case OTPRING_REASON_STOPPING:
        return "stopping";
    default:
        return "busy";
    }
}

static json_t *verdicts_json(const struct core_status *status)
{
    json_t *verdicts = json_object();
    for (unsigned i = OTPRING_ACCEPTED; i < OTPRING_VERDICT_COUNT; i++) {
        json_object_set_new(verdicts, otpring_verdict_name(i), json_integer((json_int_t)status->verdicts[i]));
    }
    return verdicts;
}

static json_t *rates_json(const struct core_status *status)
{
    json_t *rates = json_object();
    for (unsigned i = OTPRING_ACCEPTED; i < OTPRING_VERDICT_COUNT; i++)
        json_object_set_new(rates, otpring_verdict_name(i), json_real(status->rates[i]));
    return rates;
}

static json_t *positions_json(const struct core_status *status)
{
    const struct journal_status *journal = &status->journal;
    return json_pack("{s:I,s:I,s:I,s:I}", "next", (json_int_t)journal->position_next, "durable",
                     (json_int_t)journal->durable_through, "sealed", (json_int_t)journal->sealed_through, "checkpoint",
                     (json_int_t)status->checkpoint_position);
}

static json_t *journal_json(const struct core_status *status)
{
    const struct journal_status *journal = &status->journal;
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:b,s:b,s:b}", "incarnation", (json_int_t)journal->incarnation,
                     "segment", (json_int_t)journal->segment, "segment_oldest", (json_int_t)journal->segment_oldest,
                     "bytes_appended", (json_int_t)journal->bytes_appended, "spares", (json_int_t)journal->spares,
                     "rotations", (json_int_t)journal->rotations, "unsealed_bytes", (json_int_t)journal->unsealed_bytes,
                     "held_back", journal->held_back, "poisoned", journal->poisoned, "no_room", journal->no_room);
}

struct result act_status(struct act *act)
{
    static const char *const clocks[] = {"sure", "stepped", "behind", "far-ahead"};
    struct admin *admin = act->admin;
    struct core_status status;
    core_status(admin->core, &status);
    uint64_t uptime_ms = os_time(admin->options.os).boot_ms - admin->started_ms;
    json_t *answer = act->answer;
    json_object_set_new(answer, "version", json_string(OTPRING_VERSION));
    json_object_set_new(answer, "kernel", json_string(status.kernel));
    json_object_set_new(answer, "uptime_s", json_integer((json_int_t)(uptime_ms / 1000)));
    json_object_set_new(answer, "tokens", json_integer((json_int_t)status.tokens));
    json_object_set_new(answer, "sessions", json_integer((json_int_t)status.sessions));
    json_object_set_new(answer, "turns", json_integer((json_int_t)status.turns));
    json_object_set_new(answer, "ocra_marks", json_integer((json_int_t)status.marks));
    json_object_set_new(answer, "ocra_marks_max", json_integer((json_int_t)status.marks_max));
    json_object_set_new(answer, "memory_size", json_integer((json_int_t)status.memory_size));
    json_object_set_new(answer, "resident_size", json_integer((json_int_t)machine_resident_size()));
    json_object_set_new(answer, "verdicts", verdicts_json(&status));
    json_object_set_new(answer, "rates", rates_json(&status));
    json_object_set_new(answer, "positions", positions_json(&status));
    json_object_set_new(answer, "journal", journal_json(&status));
    json_object_set_new(answer, "checkpoint_ms", json_integer((json_int_t)status.checkpoint_ms));
    json_object_set_new(answer, "journal_ms", json_integer((json_int_t)status.journal_ms));
    json_object_set_new(answer, "policy", json_integer(status.policy));
    json_object_set_new(answer, "clock", json_string(clocks[status.clock]));
    json_object_set_new(answer, "act_pending", json_boolean(status.act_pending));
    json_object_set_new(answer, "unavailable",
                        status.unavailable == OTPRING_REASON_NONE ? json_null()
                                                                  : json_string(reason_text(status.unavailable)));
    if (admin->options.tell_status) admin->options.tell_status(admin->options.context, answer);
    return result_ok();
}

struct result act_backup(struct act *act)
{
    struct admin *admin = act->admin;
    struct core_status status;
    const char *folder;
    TRY(act_text(act, "folder", true, &folder));
    if (folder[0] != '/') return act_detail(act, BAD_ARGUMENT, "folder must be a whole path");
    struct result result =
        engine_backup(admin->options.engine, admin->options.os, admin->options.worker, &act->actor, folder);
    if (result_failed(result) && result_class(result) == RESULT_REFUSE)
        return act_detail(act, result.code, "%s", folder);
    TRY(result);
    core_status(admin->core, &status);
    json_object_set_new(act->answer, "checkpoint", json_integer((json_int_t)status.checkpoint_position));
    return result_ok();
}

struct result act_checkpoint(struct act *act)
{
    struct core_status status;
    TRY(core_checkpoint(act->admin->options.worker));
    core_status(act->admin->core, &status);
    json_object_set_new(act->answer, "position", json_integer((json_int_t)status.checkpoint_position));
    return result_ok();
}

/* The daemon's housekeeper removes them while this waits; alone, this does. */
struct result act_log_prune(struct act *act)
{
    enum { WAITS_MAX = 4000, STILL_MAX = 200 };
    struct admin *admin = act->admin;
    struct core_status status;
    uint64_t through;
    TRY(act_number(act, "through", true, 1, INT64_MAX, &through));
    struct result result = core_prune(admin->options.worker, through);
    core_status(admin->core, &status);
    if (result.code == JOURNAL_NEEDED)
        return act_detail(act, JOURNAL_NEEDED, "%s; positions up to %llu could go now", result_text(result),
                          (unsigned long long)(status.journal.sealed_through < status.checkpoint_position
                                                   ? status.journal.sealed_through
                                                   : status.checkpoint_position));
    TRY(result);
    /* Each removal is a record, and is done when that is durable: as long as one follows another. */
    for (int waits = 0, still = 0; waits < WAITS_MAX && still < STILL_MAX; waits++, still++) {
        uint64_t first = status.journal.first_position;
        TRY(admin_wait(admin));
        core_status(admin->core, &status);
        if (status.journal.first_position != first) still = 0;
    }
    json_object_set_new(act->answer, "first_position", json_integer((json_int_t)status.journal.first_position));
    return result_ok();
}

struct result act_clock_consent(struct act *act)
{
    return core_clock_consent(act->admin->options.worker, &act->actor);
}
