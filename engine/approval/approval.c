#include "approval/approval.h"

#include <stdlib.h>
#include <string.h>

#include "approval/internal.h"
#include "challenge/uri.h"
#include "os/arena.h"

enum {
    ALSO_SLOTS_MAX = 32 + 64 * DEVICES_MAX, /* a device's row, or a message of the outbox to each of them */
    TICKS_MAX = 16,                         /* of challenge_keep_tick in one turn */
    SWEPT_MAX = 64,
    EVENTS_MAX = 4096, /* told in one turn */
    LATER_MAX = 16,    /* of them, found without room */
};

/* ---- life ---- */

static struct result lists_create(struct work_lists *lists)
{
    lists->asks = calloc(APPROVAL_ITEMS_MAX, sizeof *lists->asks);
    lists->replies = calloc(APPROVAL_ITEMS_MAX, sizeof *lists->replies);
    lists->answerings = calloc(APPROVAL_ITEMS_MAX, sizeof *lists->answerings);
    lists->withdrawals = calloc(APPROVAL_ITEMS_MAX, sizeof *lists->withdrawals);
    lists->polls = calloc(APPROVAL_ITEMS_MAX, sizeof *lists->polls);
    bool made = lists->asks && lists->replies && lists->answerings && lists->withdrawals && lists->polls;
    return made ? result_ok() : result_of(NO_MEMORY);
}

static uint32_t journal_now_s(struct approvals *approvals)
{
    return (uint32_t)(core_time_ms(approvals->admin.core, approvals->options.os) / 1000);
}

static void expired(void *context, const struct challenge_entry *entry)
{
    struct approvals *approvals = context;
    watch_close(&approvals->watches, entry->id);
}

static struct result keep_open(struct approvals *approvals)
{
    const struct approvals_options *options = &approvals->options;
    struct core *core = options->engine->core;
    approvals->also = (struct challenge_also){.context = approvals,
                                              .slots_max = ALSO_SLOTS_MAX,
                                              .may_ask = ask_may,
                                              .may_answer = answer_may,
                                              .asked = ask_put,
                                              .answered = answer_put};
    approvals->keep = (struct challenge_keep){
        .also = &approvals->also, .worker = options->worker, .store = core_store(core), .vault = core_vault(core)};
    TRY(challenge_room_open(&options->limits, vault_table_secret(core_vault(core)), &approvals->keep.room));
    challenge_on_expiry(approvals->keep.room, expired, approvals);
    return challenge_keep_load(&approvals->keep, approvals->now_s);
}

static struct result fill(struct approvals *approvals)
{
    uint8_t public_key[VAULT_PUBLIC_KEY_SIZE];
    approvals->items = calloc(APPROVAL_ITEMS_MAX, sizeof *approvals->items);
    approvals->signed_ones = calloc(SIGNED_MAX, sizeof *approvals->signed_ones);
    if (!approvals->items || !approvals->signed_ones) return result_of(NO_MEMORY);
    TRY(lists_create(&approvals->lists));
    TRY(watches_create(approvals->options.limits.capacity, &approvals->watches));
    TRY(pool_create(approvals->options.threads, &approvals->pool));
    vault_public_key(core_vault(approvals->admin.core), public_key);
    challenge_key_id(public_key, approvals->key_id);
    approvals->now_s = journal_now_s(approvals);
    return keep_open(approvals);
}

struct result approvals_create(const struct approvals_options *options, struct approvals **ret_approvals)
{
    struct approvals *approvals = calloc(1, sizeof *approvals);
    if (!approvals) return result_of(NO_MEMORY);
    approvals->options = *options;
    approvals->admin.core = options->engine->core;
    approvals->admin.options = (struct admin_options){.engine = options->engine,
                                                      .outbox_max = options->outbox_max,
                                                      .worker = options->worker,
                                                      .os = options->os,
                                                      .inbox = options->inbox};
    pthread_mutex_init(&approvals->mutex, NULL);
    struct result result = fill(approvals);
    if (result_failed(result)) {
        approvals_destroy(approvals);
        return result;
    }
    *ret_approvals = approvals;
    return result_ok();
}

void approvals_destroy(struct approvals *approvals)
{
    if (!approvals) return;
    pool_destroy(approvals->pool);
    challenge_room_close(approvals->keep.room);
    watches_destroy(&approvals->watches);
    free(approvals->lists.asks);
    free(approvals->lists.replies);
    free(approvals->lists.answerings);
    free(approvals->lists.withdrawals);
    free(approvals->lists.polls);
    free(approvals->items);
    free(approvals->signed_ones);
    pthread_mutex_destroy(&approvals->mutex);
    free(approvals);
}

/* ---- telling ---- */

/* False: there is no room for it now. */
static bool event_tell(struct approvals *approvals, struct store_txn *txn, const struct watch *watch)
{
    const struct challenge_entry *entry = challenge_find(approvals->keep.room, watch->id);
    if (!entry) return true;
    json_t *event = json_object();
    json_object_set_new(event, "ok", json_true());
    bool filled = !result_failed(state_fill(approvals, txn, entry, event));
    char *text = filled ? json_dumps(event, JSON_COMPACT) : NULL;
    json_decref(event);
    /* What cannot be told by itself can be asked for. */
    if (!text) return true;
    enum approval_told told =
        approvals->options.event(approvals->options.context, watch->owner, watch->tag, text, strlen(text));
    admin_text_free(text);
    return told == APPROVAL_TOLD;
}

static void events_tell(struct approvals *approvals)
{
    struct watch watch;
    struct store_txn *txn;
    if (!approvals->watches.due_first || result_failed(store_begin(approvals->keep.store, false, &txn))) return;
    /* One that has no room waits behind the others. */
    for (uint32_t i = 0, later = 0; i < EVENTS_MAX && later < LATER_MAX && watch_due(&approvals->watches, &watch);
         i++) {
        if (event_tell(approvals, txn, &watch)) continue;
        watch_later(&approvals->watches, &watch);
        later++;
    }
    store_abort(approvals->keep.store, txn);
}

/* ---- time ---- */

static struct result sweep(struct people *people)
{
    return outbox_sweep(people, SWEPT_MAX);
}

/* Pushes that nobody fetched and nobody wants any more. */
static void outbox_tend(struct approvals *approvals)
{
    struct act act = {.admin = &approvals->admin, .who = {.role = ROLE_BANK}};
    struct people people = {.act = &act, .store = approvals->keep.store, .now_ms = (int64_t)approvals->now_s * 1000};
    bool due = false;
    if (result_failed(store_begin(people.store, false, &people.txn))) return;
    struct result result = outbox_sweep_due(&people, &due);
    store_abort(people.store, people.txn);
    if (!result_failed(result) && due) (void)result_failed(people_change(&act, sweep));
}

/* Once a second. */
static void time_pass(struct approvals *approvals)
{
    static const struct core_actor itself = {.uid = 0};
    bool more = true;
    for (int i = 0; more && i < TICKS_MAX; i++) {
        struct result result = challenge_keep_tick(&approvals->keep, &itself, approvals->now_s, &more);
        if (result_failed(result)) break; /* a change could not be made: the next second tries again */
    }
    outbox_tend(approvals);
}

/* ---- the turn ---- */

static void items_finish(struct approvals *approvals)
{
    for (uint32_t i = 0; i < approvals->item_count; i++) {
        struct item *item = &approvals->items[i];
        if (result_failed(item->result)) continue;
        approvals->admin.detail[0] = 0;
        struct result result = item->kind->finish(item);
        if (result_failed(result))
            item_fail(item, result);
        else
            json_object_set_new(item->act.answer, "ok", json_true());
    }
}

void approvals_turn(struct approvals *approvals)
{
    uint32_t before_s = approvals->now_s;
    approvals->now_s = journal_now_s(approvals);
    touched_serve(approvals);
    if (approvals->now_s != before_s) time_pass(approvals);
    if (approvals->request_count > 0) {
        struct work_lists *lists = &approvals->lists;
        lists->ask_count = lists->reply_count = lists->withdrawal_count = lists->poll_count = 0;
        requests_begin(approvals);
        answers_check(approvals);
        exchanges_judge(approvals);
        changes_run(approvals);
        asked_sign(approvals);
        items_finish(approvals);
        requests_end(approvals);
        atomic_fetch_add(&approvals->turns, 1);
    }
    events_tell(approvals);
    atomic_store(&approvals->kept, challenge_count(approvals->keep.room));
}

void approvals_status(const struct approvals *approvals, struct approvals_status *ret_status)
{
    uint32_t capacity = approvals->options.limits.capacity;
    *ret_status = (struct approvals_status){.kept = atomic_load(&approvals->kept),
                                            .capacity = capacity,
                                            .memory_size = challenge_room_size(capacity),
                                            .asked = atomic_load(&approvals->asked),
                                            .approved = atomic_load(&approvals->approved),
                                            .refused = atomic_load(&approvals->refused),
                                            .withdrawn = atomic_load(&approvals->withdrawn),
                                            .turns = atomic_load(&approvals->turns)};
}
