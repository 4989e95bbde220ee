#include "rerun_acts.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum { WAIT_MS = 10000, WAITING_MAX = 4096, COUNTS = 1 << 16 };

struct waiting {
    struct slot_act act;
    uint8_t *payload;
    int64_t until_ms;
    bool done;
};

struct rerun_acts {
    struct core *core;
    const struct rerun_policy *policy;
    struct rerun_acts_calls calls;
    struct waiting waiting[WAITING_MAX]; /* a ring, oldest first */
    uint32_t first;
    uint32_t count;
    uint16_t names[COUNTS]; /* how many wait, by a hash of the account: most accounts have none */
    uint32_t profiles;      /* of them, that wait for their version */
    uint16_t version;       /* of the policy, as the last attempt says */
    bool version_known;
};

struct result rerun_acts_create(struct core *core, const struct rerun_policy *policy,
                                const struct rerun_acts_calls *calls, struct rerun_acts **ret_acts)
{
    struct rerun_acts *acts = calloc(1, sizeof *acts);
    if (!acts) return result_of(NO_MEMORY);
    acts->core = core;
    acts->policy = policy;
    acts->calls = *calls;
    *ret_acts = acts;
    return result_ok();
}

void rerun_acts_destroy(struct rerun_acts *acts)
{
    if (!acts) return;
    for (uint32_t i = 0; i < WAITING_MAX; i++) free(acts->waiting[i].payload);
    free(acts);
}

static struct waiting *waiting_at(struct rerun_acts *acts, uint32_t i)
{
    return &acts->waiting[(acts->first + i) % WAITING_MAX];
}

static uint16_t *names_of(struct rerun_acts *acts, const uint8_t name[16])
{
    return &acts->names[(load_le64(name) ^ load_le64(name + 8)) % COUNTS];
}

/* ---- doing ---- */

/* A profile is set as the policy wants it. */
static struct result profile_do(struct rerun_acts *acts, const struct slot_act *act, const uint8_t *payload)
{
    struct profile_row row;
    struct slot_act changed = *act;
    uint8_t bytes[SCHEMA_ROW_MAX];
    TRY(schema_profile_decode((struct store_bytes){.bytes = payload, .size = act->payload_size}, &row));
    rerun_policy_apply(acts->policy, &row);
    changed.payload_size = (uint32_t)schema_profile_encode(&row, bytes);
    return core_rerun_act(acts->core, &changed, bytes, false);
}

static struct result act_do(struct rerun_acts *acts, const struct slot_act *act, const uint8_t *payload)
{
    TRY(acts->calls.settle(acts->calls.context));
    if (act->act == ACT_PROFILE_SET) return profile_do(acts, act, payload);
    TRY(core_rerun_act(acts->core, act, payload, false));
    acts->calls.done(acts->calls.context, act, payload);
    return result_ok();
}

static struct result waiting_do(struct rerun_acts *acts, struct waiting *waiting)
{
    if (waiting->done) return result_ok();
    waiting->done = true;
    --*names_of(acts, waiting->act.name);
    if (waiting->act.act == ACT_PROFILE_SET) acts->profiles--;
    return act_do(acts, &waiting->act, waiting->payload);
}

/* The oldest leaves the ring. */
static struct result leave_first(struct rerun_acts *acts)
{
    struct waiting *waiting = waiting_at(acts, 0);
    TRY(waiting_do(acts, waiting));
    free(waiting->payload);
    waiting->payload = NULL;
    acts->first = (acts->first + 1) % WAITING_MAX;
    acts->count--;
    return result_ok();
}

static struct result all_of_name(struct rerun_acts *acts, const uint8_t name[16])
{
    if (*names_of(acts, name) == 0) return result_ok();
    for (uint32_t i = 0; i < acts->count; i++) {
        struct waiting *waiting = waiting_at(acts, i);
        if (waiting->act.act != ACT_PROFILE_SET && memcmp(waiting->act.name, name, 16) == 0)
            TRY(waiting_do(acts, waiting));
    }
    return result_ok();
}

static struct result profiles_of_versions(struct rerun_acts *acts, uint32_t count)
{
    for (uint32_t i = 0; i < acts->count && count > 0 && acts->profiles > 0; i++) {
        struct waiting *waiting = waiting_at(acts, i);
        if (waiting->act.act != ACT_PROFILE_SET || waiting->done) continue;
        TRY(waiting_do(acts, waiting));
        count--;
    }
    return result_ok();
}

/* ---- taking ---- */

static struct result wait_for(struct rerun_acts *acts, const struct slot_act *act, const uint8_t *payload,
                              int64_t time_ms)
{
    if (acts->count == WAITING_MAX) TRY(leave_first(acts));
    struct waiting *waiting = waiting_at(acts, acts->count);
    *waiting = (struct waiting){.act = *act, .until_ms = time_ms + WAIT_MS};
    waiting->payload = malloc(act->payload_size + 1u);
    if (!waiting->payload) return result_of(NO_MEMORY);
    memcpy(waiting->payload, payload, act->payload_size);
    acts->count++;
    ++*names_of(acts, act->name);
    acts->profiles += act->act == ACT_PROFILE_SET;
    return result_ok();
}

/* A removed token stopped accepting before its record was made; that it is gone shows later. */
static struct result remove_begin(struct rerun_acts *acts, const struct slot_act *act)
{
    struct slot_act suspend = *act;
    suspend.act = ACT_TOKEN_SUSPEND;
    suspend.payload_size = 0;
    return act_do(acts, &suspend, NULL);
}

/* One that is new is in force for nobody yet, but tokens may be added with it. */
static bool profile_is_new(struct rerun_acts *acts, const struct slot_act *act, const uint8_t *payload)
{
    struct profile_row row, old;
    struct store_bytes bytes = {.bytes = payload, .size = act->payload_size};
    return !result_failed(schema_profile_decode(bytes, &row)) && !core_profile_get(acts->core, row.id, &old);
}

struct result rerun_acts_take(struct rerun_acts *acts, const struct slot_act *act, const uint8_t *payload,
                              int64_t time_ms)
{
    switch (act->act) {
    case ACT_START:
        acts->version_known = false;
        while (acts->count) TRY(leave_first(acts));
        return act_do(acts, act, payload);
    case ACT_PROFILE_SET:
        TRY(wait_for(acts, act, payload, time_ms));
        return profile_is_new(acts, act, payload) ? act_do(acts, act, payload) : result_ok();
    case ACT_TOKEN_ADD:
    case ACT_TOKEN_RESUME:
        TRY(all_of_name(acts, act->name));
        return wait_for(acts, act, payload, time_ms);
    case ACT_TOKEN_REMOVE:
        TRY(all_of_name(acts, act->name));
        TRY(remove_begin(acts, act));
        return wait_for(acts, act, payload, time_ms);
    default:
        TRY(all_of_name(acts, act->name));
        return act_do(acts, act, payload);
    }
}

/* THROTTLED looks at no token. */
static bool shows_nothing(const struct slot_verify *attempt)
{
    return attempt->verdict == OTPRING_INACTIVE || attempt->verdict == OTPRING_THROTTLED ||
           attempt->reason == OTPRING_REASON_HIDDEN;
}

struct result rerun_acts_before(struct rerun_acts *acts, const struct slot_verify *attempt, int64_t time_ms)
{
    while (acts->count && (waiting_at(acts, 0)->done || waiting_at(acts, 0)->until_ms <= time_ms))
        TRY(leave_first(acts));
    uint16_t versions = (uint16_t)(attempt->policy - acts->version);
    if (!acts->version_known || versions) TRY(profiles_of_versions(acts, acts->version_known ? versions : UINT32_MAX));
    acts->version = attempt->policy;
    acts->version_known = true;
    if (shows_nothing(attempt)) return result_ok();
    /* UNKNOWN shows that a token is gone, and that none has come yet. */
    if (attempt->verdict == OTPRING_UNKNOWN && attempt->first_ordinal == UINT32_MAX) return result_ok();
    return all_of_name(acts, attempt->name);
}
