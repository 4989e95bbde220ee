/* Requests to acts and back. What may be asked stands in one table, with every field that an act knows: all else is
 * refused. */
#include "admin/enrol.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/arena.h"

#define PROFILE_KEYS " type algorithm digits period t0 look_ahead suite profile "

static const struct {
    const char *name;
    act_function *serve;
    enum rule_grant grant; /* of an operator of the bank; NOTHING: the act judges itself, by the rules */
    const char *keys;      /* fields it knows, each between blanks; operator, key and reason stand with any */
} act_table[] = {
    {"status", act_status, GRANT_NOTHING, " "},
    {"token.add", act_token_add, GRANT_ENGINE, " company user label secret counter" PROFILE_KEYS},
    {"token.add-batch", act_token_add_batch, GRANT_ENGINE, " company users seeds counter" PROFILE_KEYS},
    {"token.list", act_token_list, GRANT_READ, " after limit company user state "},
    {"token.show", act_token_show, GRANT_READ, " ordinal company user "},
    {"token.set", act_token_set, GRANT_ENGINE, " ordinal company user label "},
    {"token.remove", act_token_remove, GRANT_ENGINE, " ordinal ordinals company user "},
    {"token.suspend", act_token_suspend, GRANT_ENGINE, " ordinal ordinals company user "},
    {"token.resume", act_token_resume, GRANT_ENGINE, " ordinal ordinals company user "},
    {"token.unlock", act_token_unlock, GRANT_ENGINE, " company user "},
    {"token.resync", act_token_resync, GRANT_ENGINE, " ordinal company user code code_next "},
    {"profile.add", act_profile_add, GRANT_ENGINE,
     " name type algorithm digits period t0 suite window_behind window_ahead look_ahead look_behind resync_window"
     " throttle_free throttle_base_s throttle_max_s drift_max mutual "},
    {"profile.list", act_profile_list, GRANT_READ, " "},
    {"profile.set", act_profile_set, GRANT_ENGINE,
     " id name type algorithm digits period t0 window_behind window_ahead look_ahead look_behind resync_window"
     " throttle_free throttle_base_s throttle_max_s drift_max mutual "},
    {"import", act_import, GRANT_ENGINE, " text company header first_line "},
    {"company.purge", act_company_purge, GRANT_ENGINE, " company "},
    {"backup", act_backup, GRANT_ENGINE, " folder "},
    {"checkpoint", act_checkpoint, GRANT_ENGINE, " "},
    {"log.prune", act_log_prune, GRANT_ENGINE, " through "},
    {"outbox.put", act_outbox_put, GRANT_MESSAGES, " company user kind channel to language fields expires_ms "},
    {"outbox.remind", act_outbox_remind, GRANT_MESSAGES, " company older_days "},
    {"outbox.list", act_outbox_list, GRANT_READ, " state company user after limit "},
    {"outbox.show", act_outbox_show, GRANT_READ, " number "},
    {"outbox.ack", act_outbox_ack, GRANT_NOTHING, " number numbers "},
    {"outbox.retry", act_outbox_retry, GRANT_MESSAGES, " number numbers "},
    {"outbox.next", act_outbox_next, GRANT_RELAY, " limit lease_s "},
    {"outbox.fail", act_outbox_fail, GRANT_RELAY, " failures "},
    {"clock.consent", act_clock_consent, GRANT_ENGINE, " "},
    {"company.add", act_company_add, GRANT_NOTHING, " company trained "},
    {"company.list", act_company_list, GRANT_NOTHING, " state after limit "},
    {"company.show", act_company_show, GRANT_NOTHING, " company "},
    {"company.activate", act_company_activate, GRANT_NOTHING, " company trained "},
    {"company.suspend", act_company_suspend, GRANT_NOTHING, " company "},
    {"user.add", act_user_add, GRANT_NOTHING, " company user name phone language "},
    {"user.add-batch", act_user_add_batch, GRANT_NOTHING, " company items "},
    {"user.list", act_user_list, GRANT_NOTHING, " company state after limit "},
    {"user.show", act_user_show, GRANT_NOTHING, " company user "},
    {"user.set", act_user_set, GRANT_NOTHING, " company user name phone language administrator "},
    {"user.deactivate", act_user_deactivate, GRANT_NOTHING, " company user "},
    {"user.reactivate", act_user_reactivate, GRANT_NOTHING, " company user "},
    {"user.release", act_user_release, GRANT_NOTHING, " company user "},
    {"user.unlock", act_user_unlock, GRANT_NOTHING, " company user "},
    {"user.reset", act_user_reset, GRANT_NOTHING, " company user "},
    {"user.erase", act_user_erase, GRANT_NOTHING, " company user "},
    {"stock.add", act_stock_add, GRANT_NOTHING, " serial secret counter" PROFILE_KEYS},
    {"stock.add-batch", act_stock_add_batch, GRANT_NOTHING, " items counter" PROFILE_KEYS},
    {"stock.give", act_stock_give, GRANT_NOTHING, " company serial serials "},
    {"stock.assign", act_stock_assign, GRANT_NOTHING, " company user serial "},
    {"stock.assign-batch", act_stock_assign_batch, GRANT_NOTHING, " company items "},
    {"stock.take", act_stock_take, GRANT_NOTHING, " serial serials "},
    {"stock.suspend", act_stock_suspend, GRANT_NOTHING, " serial serials "},
    {"stock.resume", act_stock_resume, GRANT_NOTHING, " serial serials "},
    {"stock.lost", act_stock_lost, GRANT_NOTHING, " serial serials "},
    {"stock.replace", act_stock_replace, GRANT_NOTHING, " serial by "},
    {"stock.retire", act_stock_retire, GRANT_NOTHING, " serial serials "},
    {"stock.list", act_stock_list, GRANT_NOTHING, " company state older_days after limit "},
    {"operator.add", act_operator_add, GRANT_NOTHING, " name company user may uid "},
    {"operator.grant", act_operator_grant, GRANT_NOTHING, " name may uid state new_key "},
    {"operator.list", act_operator_list, GRANT_NOTHING, " state after limit "},
    {"enrol.invite", act_enrol_invite, GRANT_NOTHING,
     " company user overlap overlap_days valid_hours rollback_hours link deliver" PROFILE_KEYS},
    {"enrol.list", act_enrol_list, GRANT_NOTHING, " company state after limit "},
    {"enrol.status", act_enrol_status, GRANT_NOTHING, " company user "},
    {"enrol.cancel", act_enrol_cancel, GRANT_NOTHING, " company user "},
    {"enrol.rollback", act_enrol_rollback, GRANT_NOTHING, " company user "},
    {"enrol.vouch", act_enrol_vouch, GRANT_NOTHING, " company user "},
    {"enrol.device", act_enrol_device, GRANT_NOTHING, " document "},
    {"device.list", act_device_list, GRANT_NOTHING, " company user state after limit "},
    {"device.unbind", act_device_unbind, GRANT_NOTHING, " device "},
    {"request.list", act_request_list, GRANT_NOTHING, " state after limit "},
    {"request.confirm", act_request_confirm, GRANT_NOTHING, " request "},
    {"request.refuse", act_request_refuse, GRANT_NOTHING, " request "},
};

/* ---- memory: JSON holds seeds, so whatever jansson gives back is wiped ---- */

static void wiping_free(void *memory)
{
    if (memory) secret_wipe(memory, malloc_usable_size(memory));
    free(memory);
}

void admin_text_free(char *text)
{
    wiping_free(text);
}

static struct result batch_create(struct admin_batch *batch)
{
    void *seeds;
    batch->specs = calloc(ADMIN_BATCH_MAX, sizeof(*batch->specs));
    batch->tokens = calloc(ADMIN_BATCH_MAX, sizeof(*batch->tokens));
    batch->lines = calloc(ADMIN_BATCH_MAX, sizeof(*batch->lines));
    batch->results = calloc(ADMIN_BATCH_MAX, sizeof(*batch->results));
    batch->ordinals = calloc(ADMIN_BATCH_MAX, sizeof(*batch->ordinals));
    if (!batch->specs || !batch->tokens || !batch->lines || !batch->results || !batch->ordinals) {
        return result_of(NO_MEMORY);
    }
    TRY(arena_take((size_t)ADMIN_BATCH_MAX * OTP_SEED_SIZE_MAX, false, &seeds));
    batch->seeds = seeds;
    return result_ok();
}

struct result admin_create(const struct admin_options *options, struct admin **ret_admin)
{
    struct admin *admin = calloc(1, sizeof(*admin));
    if (!admin) return result_of(NO_MEMORY);
    json_set_alloc_funcs(malloc, wiping_free);
    admin->options = *options;
    admin->core = options->engine->core;
    admin->started_ms = os_time(options->os).boot_ms;
    struct result result = batch_create(&admin->batch);
    if (result_failed(result)) {
        admin_destroy(admin);
        return result;
    }
    *ret_admin = admin;
    return result_ok();
}

void admin_destroy(struct admin *admin)
{
    arena_release(admin->batch.seeds, (size_t)ADMIN_BATCH_MAX * OTP_SEED_SIZE_MAX);
    free(admin->batch.specs);
    free(admin->batch.tokens);
    free(admin->batch.lines);
    free(admin->batch.results);
    free(admin->batch.ordinals);
    free(admin);
}

/* ---- fields ---- */

struct result act_detail(struct act *act, enum result_code code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(act->admin->detail, sizeof(act->admin->detail), format, arguments);
    va_end(arguments);
    /* What was quoted may be cut within a character, and JSON takes whole ones alone. */
    core_text_mend(act->admin->detail);
    return result_of(code);
}

struct result act_text(struct act *act, const char *key, bool needed, const char **ret_text)
{
    const json_t *value = json_object_get(act->request, key);
    if (!value && !needed) return result_ok();
    if (!json_is_string(value)) return act_detail(act, BAD_JSON, "%s must be a text", key);
    if (strlen(json_string_value(value)) != json_string_length(value)) {
        return act_detail(act, BAD_JSON, "%s holds a zero byte", key);
    }
    *ret_text = json_string_value(value);
    return result_ok();
}

struct result act_number(struct act *act, const char *key, bool needed, uint64_t least, uint64_t most,
                         uint64_t *ret_number)
{
    const json_t *value = json_object_get(act->request, key);
    if (!value && !needed) return result_ok();
    if (!value) return act_detail(act, BAD_JSON, "%s is missing", key);
    if (!json_is_integer(value) || json_integer_value(value) < 0 || (uint64_t)json_integer_value(value) < least ||
        (uint64_t)json_integer_value(value) > most) {
        return act_detail(act, BAD_JSON, "%s must be a whole number from %llu to %llu", key, (unsigned long long)least,
                          (unsigned long long)most);
    }
    *ret_number = (uint64_t)json_integer_value(value);
    return result_ok();
}

/* ---- requests ---- */

struct result act_keys_check(struct act *act, const char *known)
{
    const char *key;
    json_t *value;
    char wanted[64];
    json_object_foreach(act->request, key, value)
    {
        static const char *const common[] = {"act", "operator", "key", "reason"};
        bool is_common = false;
        for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++) is_common |= strcmp(key, common[i]) == 0;
        if (is_common) continue;
        int size = snprintf(wanted, sizeof(wanted), " %s ", key);
        if (size >= (int)sizeof(wanted) || strchr(key, ' ') || !strstr(known, wanted)) {
            return act_detail(act, BAD_JSON, "this act has no field \"%.40s\"", key);
        }
    }
    return result_ok();
}

static bool room_short(struct result result)
{
    return result.code == JOURNAL_NO_ROOM || result.code == FULL;
}

enum { WAIT_NS = 5000000 };

/* Alone, a seal that is on its way holds up the change of segments until somebody lets the ring go on. */
struct result admin_wait(struct admin *admin)
{
    TRY(admin_keep(admin));
    if (!admin->options.alone) return result_ok();
    TRY(os_step(admin->options.os, WAIT_NS, NULL));
    core_poll(admin->options.worker);
    return result_ok();
}

bool act_again(struct act *act, struct result result)
{
    enum { WAITS_MAX = 2000 }; /* a spare is written in less than one */
    if (!room_short(result) || act->waits == WAITS_MAX) return false;
    act->waits++;
    struct core_status status;
    bool kept = !result_failed(admin_wait(act->admin));
    core_status(act->admin->core, &status);
    /* A full disk is not waited for: it takes an operator. */
    if (!kept || status.journal.no_room) act->waits = WAITS_MAX;
    return act->waits < WAITS_MAX;
}

/* An auth server is served what devices and it say in an enrolment, and nothing else. A statement that a password has
 * passed is as good as a token, so of administrators only the owner, or an operator who may add tokens, stands in for
 * an auth server. */
static struct result asker_check(struct act *act, act_function *serve)
{
    if (serve == act_enrol_vouch || serve == act_enrol_device) {
        if (act->client || people_owner(act)) return result_ok();
        TRY(people_who(act));
        return people_granted(act, GRANT_ENGINE);
    }
    /* Whoever says which operator asks, and proves it, is that operator. */
    if (act->client && !json_object_get(act->request, "operator"))
        return act_detail(act, OS_PERMISSION, "this client is served acts of enrolment alone");
    act->anybody = serve == act_status;
    return people_who(act);
}

static struct result act_serve(struct act *act)
{
    const char *name = NULL;
    if (!json_is_object(act->request)) return act_detail(act, BAD_JSON, "a request is a JSON object");
    TRY(act_text(act, "act", true, &name));
    for (size_t i = 0; i < sizeof(act_table) / sizeof(act_table[0]); i++) {
        if (strcmp(act_table[i].name, name) != 0) continue;
        TRY(act_keys_check(act, act_table[i].keys));
        TRY(asker_check(act, act_table[i].serve));
        TRY(people_granted(act, act_table[i].grant));
        struct result result;
        do {
            json_object_clear(act->answer);
            batch_clear(&act->admin->batch);
            result = act_table[i].serve(act);
        } while (!act->partly && act_again(act, result));
        return result;
    }
    return act_detail(act, BAD_JSON, "there is no act \"%.40s\"", name);
}

struct result admin_request(struct admin *admin, uint32_t uid, const char *json, size_t size, char **ret_json)
{
    struct admin_peer peer = {.uid = uid};
    return admin_request_by(admin, &peer, json, size, ret_json);
}

void admin_touch(struct admin *admin, const uint8_t account[16])
{
    enum { ROOM = sizeof(admin->touched) / sizeof(admin->touched[0]) };
    for (uint32_t i = 0; i < admin->touched_count && i < ROOM; i++)
        if (memcmp(admin->touched[i], account, 16) == 0) return;
    if (admin->touched_count < ROOM) memcpy(admin->touched[admin->touched_count], account, 16);
    if (admin->touched_count <= ROOM) admin->touched_count++;
}

/* Whatever came of the act: who is told looks for himself. */
static void touched_tell(struct admin *admin)
{
    enum { ROOM = sizeof(admin->touched) / sizeof(admin->touched[0]) };
    static const uint8_t any[16];
    if (admin->options.touched && admin->touched_count > ROOM) admin->options.touched(admin->options.context, any);
    for (uint32_t i = 0; admin->options.touched && i < admin->touched_count && i < ROOM; i++)
        admin->options.touched(admin->options.context, admin->touched[i]);
    admin->touched_count = 0;
}

void admin_tend(struct admin *admin)
{
    enrol_tend(admin);
    touched_tell(admin);
}

struct result admin_request_by(struct admin *admin, const struct admin_peer *peer, const char *json, size_t size,
                               char **ret_json)
{
    json_error_t error;
    admin_tend(admin);
    struct act act = {.admin = admin, .actor = {.uid = peer->uid}, .client = peer->client, .answer = json_object()};
    if (!act.answer) return result_of(NO_MEMORY);
    admin->detail[0] = 0;
    act.request = json_loadb(json, size, JSON_REJECT_DUPLICATES, &error);
    struct result result;
    if (act.request) {
        result = act_serve(&act);
    } else {
        /* Not jansson's own text: it quotes what stands near the error, which may be a seed. */
        result = act_detail(&act, BAD_JSON, "not JSON: line %d, column %d", error.line, error.column);
    }
    batch_clear(&admin->batch);
    touched_tell(admin);
    json_object_set_new(act.answer, "ok", json_boolean(!result_failed(result)));
    if (result_failed(result)) {
        char text[sizeof(admin->detail) + 300];
        snprintf(text, sizeof(text), "%s%s%s", result_text(result), admin->detail[0] ? ": " : "", admin->detail);
        json_object_set_new(act.answer, "code", json_string(result_name(result)));
        json_object_set_new(act.answer, "error", json_string(text));
    }
    char *answer = json_dumps(act.answer, JSON_COMPACT);
    json_decref(act.answer);
    json_decref(act.request);
    if (!answer) return result_of(NO_MEMORY);
    *ret_json = answer;
    return result;
}

/* ---- the batch ---- */

void batch_clear(struct admin_batch *batch)
{
    if (batch->count > 0) secret_wipe(batch->seeds, batch->count * sizeof(batch->seeds[0]));
    batch->count = 0;
}

void batch_put(struct admin_batch *batch, const struct csv_token *token, uint16_t profile, uint64_t line)
{
    size_t at = batch->count++;
    struct csv_token *text = &batch->tokens[at];
    strcpy(text->company, token->company);
    strcpy(text->user, token->user);
    strcpy(text->label, token->label);
    memcpy(batch->seeds[at], token->seed, token->seed_size);
    batch->lines[at] = line;
    batch->specs[at] = (struct core_token_spec){.company = text->company,
                                                .user = text->user,
                                                .label = text->label,
                                                .profile = profile,
                                                .seed = batch->seeds[at],
                                                .seed_size = token->seed_size,
                                                .counter = token->counter};
}

int64_t admin_now_ms(struct admin *admin)
{
    return core_time_ms(admin->core, admin->options.os);
}

struct result admin_keep(struct admin *admin)
{
    bool more = true;
    if (!admin->options.alone) {
        struct os_op pause = {.kind = OS_TIMER, .timeout_ns = WAIT_NS};
        return os_result(os_run(admin->options.os, &pause));
    }
    for (int i = 0; more && i < 64; i++) TRY(core_keep(admin->options.worker, &more));
    return result_ok();
}

void admin_tidy(struct admin *admin)
{
    if (admin->options.alone) (void)!result_failed(admin_keep(admin));
}

/* Where the journal had no room for all of them, the rest is offered again. `from` is the first not yet decided:
 * results are in order, and room ends once a call. */
struct result batch_add(struct act *act)
{
    struct admin_batch *batch = &act->admin->batch;
    size_t from = 0;
    while (from < batch->count) {
        struct result result = core_token_add(act->admin->options.worker, &act->actor, batch->specs + from,
                                              batch->count - from, batch->results + from, batch->ordinals + from);
        if (!result_failed(result)) {
            while (from < batch->count && !room_short(batch->results[from])) from++;
            act->partly = act->partly || from > 0;
            if (from < batch->count) result = batch->results[from];
        }
        if (from == batch->count || act_again(act, result)) continue;
        for (size_t i = from; i < batch->count; i++) batch->results[i] = result;
        return result;
    }
    admin_tidy(act->admin);
    return result_ok();
}
