/* The outbox's states, and the keys of order that go with them: outbox.h draws both. */
#include "admin/outbox.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "os/arena.h"

enum { COUNTS_VERSION = 1, COUNTS_SIZE = 21 };

/* Slots of a change that are left to the act that forgets a person. */
enum { FORGET_SLOTS_LEFT = 256 };

static const char counter_key[] = "outbox";
static const char erased[] = "the person's data was erased";

/* ---- keys ---- */

static struct store_bytes bytes_of(const void *bytes, size_t size)
{
    return (struct store_bytes){.bytes = bytes, .size = size};
}

struct order_key outbox_order(char list, const void *bytes, size_t size)
{
    struct order_key key = order_begin(ORDER_OUTBOX);
    order_u8(&key, (uint8_t)list);
    order_bytes(&key, bytes, size);
    return key;
}

static struct order_key message_key(uint64_t number)
{
    struct order_key key = {.size = 0};
    order_u64(&key, number);
    return key;
}

bool outbox_is_urgent(enum message_kind kind)
{
    return kind == MESSAGE_QUESTION;
}

/* Where a row's messages wait for each other. */
static struct order_key lane_of(const struct outbox_row *row)
{
    return outbox_order(outbox_is_urgent((enum message_kind)row->kind) ? 'P' : 'Q', row->name, sizeof(row->name));
}

/* The keys of order that a row has. */
enum { ROW_KEYS = 4 };

static bool is_open(const struct outbox_row *row)
{
    return row->state == OUTBOX_QUEUED || row->state == OUTBOX_HANDED;
}

static void keys_of(const struct outbox_row *row, struct order_key ret_keys[ROW_KEYS])
{
    memset(ret_keys, 0, ROW_KEYS * sizeof(ret_keys[0]));
    ret_keys[0] = outbox_order('U', row->name, sizeof(row->name));
    ret_keys[1] = outbox_order('S', &row->state, 1);
    if (is_open(row)) ret_keys[2] = lane_of(row);
    if (row->head) {
        ret_keys[3] = outbox_order('D', "", 0);
        order_u64(&ret_keys[3], (uint64_t)row->due_ms);
    }
    for (int i = 0; i < ROW_KEYS; i++) {
        if (ret_keys[i].size > 0) order_u64(&ret_keys[i], row->number);
    }
}

/* ---- rows ---- */

struct result outbox_get(struct people *people, uint64_t number, struct outbox_row *ret_row)
{
    struct store_bytes value;
    struct order_key key = message_key(number);
    TRY(store_get(people->store, people->txn, STORE_OUTBOX, bytes_of(key.bytes, key.size), &value));
    TRY(outbox_row_decode(value, ret_row));
    return ret_row->number == number ? result_ok() : result_of(STORE_DAMAGED);
}

struct result outbox_counts(struct people *people, struct outbox_counts *ret_counts)
{
    struct store_bytes value;
    struct result got =
        store_get(people->store, people->txn, STORE_COUNTERS, bytes_of(counter_key, sizeof(counter_key) - 1), &value);
    if (got.code == STORE_NOT_FOUND) {
        *ret_counts = (struct outbox_counts){0};
        return result_ok();
    }
    TRY(got);
    struct cursor cursor = cursor_over(value.bytes, value.size);
    if (value.size != COUNTS_SIZE || cursor_u8(&cursor) != COUNTS_VERSION) return result_of(STORE_DAMAGED);
    ret_counts->last = cursor_u64(&cursor);
    ret_counts->open = cursor_u32(&cursor);
    ret_counts->dead = cursor_u32(&cursor);
    ret_counts->delivered = cursor_u32(&cursor);
    return result_ok();
}

static struct result counts_put(struct people *people, const struct outbox_counts *counts)
{
    uint8_t bytes[COUNTS_SIZE] = {COUNTS_VERSION};
    store_le64(bytes + 1, counts->last);
    store_le32(bytes + 9, counts->open);
    store_le32(bytes + 13, counts->dead);
    store_le32(bytes + 17, counts->delivered);
    return core_change_put(people->change, STORE_COUNTERS, bytes_of(counter_key, sizeof(counter_key) - 1),
                           bytes_of(bytes, sizeof(bytes)));
}

static uint32_t *count_of(struct outbox_counts *counts, const struct outbox_row *row)
{
    return is_open(row) ? &counts->open : row->state == OUTBOX_DEAD ? &counts->dead : &counts->delivered;
}

/* Keeps the counts: one leaves a state, one enters another; NULL: none. */
static struct result counts_move(struct people *people, const struct outbox_row *from, const struct outbox_row *to)
{
    struct outbox_counts counts;
    TRY(outbox_counts(people, &counts));
    if (from && to && count_of(&counts, from) == count_of(&counts, to)) return result_ok();
    if (from && *count_of(&counts, from) == 0) return result_of(STORE_DAMAGED);
    if (from) --*count_of(&counts, from);
    if (to) ++*count_of(&counts, to);
    if (to && to->number > counts.last) counts.last = to->number;
    return counts_put(people, &counts);
}

static bool key_equal(const struct order_key *a, const struct order_key *b)
{
    return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

/* A row with its keys. NULL before: a new one; NULL after: it goes. */
static struct result row_move(struct people *people, const struct outbox_row *before, const struct outbox_row *after)
{
    struct order_key old[ROW_KEYS] = {{.size = 0}}, new[ROW_KEYS] = {{.size = 0}};
    uint8_t value[OUTBOX_ROW_MAX];
    struct order_key key = message_key(after ? after->number : before ? before->number : 0);
    if (before) keys_of(before, old);
    if (after) keys_of(after, new);
    for (int i = 0; i < ROW_KEYS; i++) {
        if (key_equal(&old[i], &new[i])) continue;
        if (old[i].size > 0) TRY(core_change_erase(people->change, STORE_ORDER, bytes_of(old[i].bytes, old[i].size)));
        if (new[i].size > 0) {
            TRY(core_change_put(people->change, STORE_ORDER, bytes_of(new[i].bytes, new[i].size), bytes_of("", 0)));
        }
    }
    TRY(counts_move(people, before, after));
    if (!after) return core_change_erase(people->change, STORE_OUTBOX, bytes_of(key.bytes, key.size));
    size_t size = outbox_row_encode(after, value);
    return core_change_put(people->change, STORE_OUTBOX, bytes_of(key.bytes, key.size), bytes_of(value, size));
}

static struct result record(struct people *people, const char *name, const struct outbox_row *row)
{
    struct core_change_act act = {.name = name, .subject = row->number};
    act.reason = people->act->reason ? people->act->reason : row->reason[0] ? row->reason : NULL;
    memcpy(act.account, row->name, sizeof(act.account));
    return core_change_record(people->change, &act);
}

/* ---- who of a user's messages may be offered ---- */

static struct result head_set(struct people *people, const struct outbox_row *row, bool head)
{
    struct outbox_row after = *row;
    after.head = head;
    return row_move(people, row, &after);
}

/* The first of the user's open messages is the head, but for one that is out already: that comes to its end first. */
static struct result head_renew(struct people *people, const struct outbox_row *of)
{
    struct order_key prefix = lane_of(of), key;
    struct outbox_row first, row;
    struct result got = people_order_first(people, &prefix, &key);
    if (got.code == STORE_NOT_FOUND) return result_ok();
    TRY(got);
    TRY(outbox_get(people, order_number(&key), &first));
    if (first.head) return result_ok();
    for (;;) {
        got = people_order_next(people, prefix.size, &key);
        if (got.code == STORE_NOT_FOUND) break;
        TRY(got);
        TRY(outbox_get(people, order_number(&key), &row));
        if (!row.head) continue;
        if (row.state == OUTBOX_HANDED) return result_ok();
        TRY(head_set(people, &row, false));
        break;
    }
    return head_set(people, &first, true);
}

static struct result user_room(struct people *people, const struct outbox_row *of)
{
    struct order_key prefix = lane_of(of), key;
    struct result got = people_order_first(people, &prefix, &key);
    for (int count = 1; !result_failed(got); count++) {
        if (count == OUTBOX_USER_MAX) return result_of(OUTBOX_USER_FULL);
        got = people_order_next(people, prefix.size, &key);
    }
    return got.code == STORE_NOT_FOUND ? result_ok() : got;
}

/* ---- steps ---- */

struct result outbox_put(struct people *people, const struct outbox_draft *draft, uint64_t *ret_number)
{
    struct outbox_counts counts;
    TRY(outbox_draft_check(draft));
    TRY(outbox_counts(people, &counts));
    uint32_t most = people->act->admin->options.outbox_max;
    if (counts.open + counts.dead >= (most ? most : OUTBOX_OPEN_MAX)) return result_of(OUTBOX_FULL);
    struct outbox_row row = {.number = counts.last + 1,
                             .state = OUTBOX_QUEUED,
                             .kind = (uint8_t)draft->kind,
                             .channel = (uint8_t)draft->channel,
                             .created_ms = people->now_ms,
                             .since_ms = people->now_ms,
                             .due_ms = people->now_ms,
                             .life_ms = people->now_ms + (int64_t)OUTBOX_LIFE_S * 1000,
                             .expires_ms = draft->expires_ms};
    memcpy(row.name, draft->name, sizeof(row.name));
    TRY(user_room(people, &row));
    TRY(record(people, "outbox.put", &row));
    TRY(outbox_content_put(people, draft, row.number));
    TRY(row_move(people, NULL, &row));
    TRY(head_renew(people, &row));
    *ret_number = row.number;
    return result_ok();
}

/* From one state to another; the user's next message may come up by it. */
static struct result step(struct people *people, const char *name, const struct outbox_row *before,
                          struct outbox_row *after)
{
    after->since_ms = people->now_ms;
    if (!is_open(after)) after->head = false;
    TRY(record(people, name, after));
    TRY(row_move(people, before, after));
    return head_renew(people, after);
}

static struct result die(struct people *people, const struct outbox_row *row, const char *reason)
{
    struct outbox_row after = *row;
    after.state = OUTBOX_DEAD;
    if (reason) strcpy(after.reason, reason);
    return step(people, "outbox.dead", row, &after);
}

static bool has_expired(const struct people *people, const struct outbox_row *row)
{
    return row->expires_ms && row->expires_ms <= people->now_ms;
}

/* A question that nobody can answer any more is gone without a trace but its record. */
static struct result vanish(struct people *people, const struct outbox_row *row, const char *reason)
{
    struct outbox_row told = *row;
    if (reason) strcpy(told.reason, reason);
    TRY(record(people, "outbox.dropped", &told));
    TRY(outbox_content_erase(people, row->number));
    TRY(row_move(people, row, NULL));
    return head_renew(people, row);
}

static const char *over_reason(const struct people *people, const struct outbox_row *row)
{
    if (has_expired(people, row)) return "expired before it could be delivered";
    return row->life_ms <= people->now_ms ? "could not be delivered in its time" : NULL;
}

/* STORE_NOT_FOUND: nothing is due. */
static struct result due_first(struct people *people, struct outbox_row *ret_row)
{
    struct order_key prefix = outbox_order('D', "", 0), key;
    TRY(people_order_first(people, &prefix, &key));
    TRY(outbox_get(people, order_number(&key), ret_row));
    return ret_row->due_ms <= people->now_ms ? result_ok() : result_of(STORE_NOT_FOUND);
}

static struct result hand(struct people *people, const struct outbox_row *row, uint32_t lease_s,
                          struct outbox_row *ret_after)
{
    *ret_after = *row;
    ret_after->state = OUTBOX_HANDED;
    ret_after->handed++;
    ret_after->due_ms = people->now_ms + (int64_t)lease_s * 1000;
    return step(people, "outbox.hand", row, ret_after);
}

struct result outbox_hand(struct people *people, size_t limit, uint32_t lease_s,
                          struct result (*each)(struct people *people, const struct outbox_row *row,
                                                const struct outbox_content *content, void *context),
                          void *context)
{
    struct outbox_row row, after;
    struct outbox_content content;
    /* Each step takes a key away that was due, so this ends; those that only die have a limit of their own. */
    for (size_t given = 0, dead = 0; given < limit && dead < OUTBOX_HAND_MAX;) {
        struct result got = due_first(people, &row);
        if (got.code == STORE_NOT_FOUND) break;
        TRY(got);
        const char *over = over_reason(people, &row);
        got = over ? result_ok() : outbox_open(people, &row, &content);
        if (got.code == STORE_NOT_FOUND) over = erased;
        /* One message that nobody can open does not hold up all others. */
        if (got.code == VAULT_BAD_SEAL) over = "what it says cannot be opened";
        if (over) {
            bool urgent = outbox_is_urgent((enum message_kind)row.kind);
            TRY(urgent ? vanish(people, &row, over) : die(people, &row, over));
            dead++;
            continue;
        }
        TRY(got);
        got = hand(people, &row, lease_s, &after);
        if (!result_failed(got)) got = each(people, &after, &content, context);
        secret_wipe(&content, sizeof(content));
        TRY(got);
        given++;
    }
    return result_ok();
}

/* ---- questions that have expired ---- */

enum { SWEEP_WALK_MAX = 256 };

/* The first of the heads that is such a one. STORE_NOT_FOUND: none, as far as is looked. */
static struct result expired_find(struct people *people, struct outbox_row *ret_row)
{
    struct order_key prefix = outbox_order('D', "", 0), key;
    TRY(people_order_first(people, &prefix, &key));
    for (int i = 0; i < SWEEP_WALK_MAX; i++) {
        TRY(outbox_get(people, order_number(&key), ret_row));
        if (outbox_is_urgent((enum message_kind)ret_row->kind) && has_expired(people, ret_row)) return result_ok();
        TRY(people_order_next(people, prefix.size, &key));
    }
    return result_of(STORE_NOT_FOUND);
}

struct result outbox_sweep_due(struct people *people, bool *ret_due)
{
    struct outbox_row row;
    struct result got = expired_find(people, &row);
    *ret_due = !result_failed(got);
    return got.code == STORE_NOT_FOUND ? result_ok() : got;
}

struct result outbox_sweep(struct people *people, size_t limit)
{
    struct outbox_row row;
    for (size_t swept = 0; swept < limit; swept++) {
        struct result got = expired_find(people, &row);
        if (got.code == STORE_NOT_FOUND) break;
        TRY(got);
        TRY(vanish(people, &row, "expired before it could be delivered"));
    }
    return result_ok();
}

/* One record a message; where they do not all fit the change, what is left cannot be opened any more either. */
struct result outbox_forget(struct people *people, const uint8_t name[16])
{
    struct order_key prefix = outbox_order('U', name, 16), key;
    struct outbox_row row;
    struct result got = people_order_first(people, &prefix, &key);
    for (; !result_failed(got) && core_change_slots_left(people->change) > FORGET_SLOTS_LEFT;
         got = people_order_next(people, prefix.size, &key)) {
        TRY(outbox_get(people, order_number(&key), &row));
        if (row.state == OUTBOX_DELIVERED) continue;
        if (outbox_is_urgent((enum message_kind)row.kind)) {
            TRY(vanish(people, &row, erased));
            continue;
        }
        TRY(is_open(&row) ? die(people, &row, erased) : record(people, "outbox.forget", &row));
        TRY(outbox_content_erase(people, row.number));
    }
    return got.code == STORE_NOT_FOUND ? result_ok() : got;
}

/* Only so many delivered ones are kept: the oldest goes. */
static struct result delivered_trim(struct people *people)
{
    struct outbox_counts counts;
    struct outbox_row row;
    struct order_key key, prefix = outbox_order('S', &(uint8_t){OUTBOX_DELIVERED}, 1);
    TRY(outbox_counts(people, &counts));
    if (counts.delivered <= OUTBOX_KEPT_MAX) return result_ok();
    TRY(people_order_first(people, &prefix, &key));
    TRY(outbox_get(people, order_number(&key), &row));
    return row_move(people, &row, NULL);
}

struct result outbox_ack(struct people *people, uint64_t number)
{
    struct outbox_row row, after;
    TRY(outbox_get(people, number, &row));
    if (row.state == OUTBOX_DELIVERED) return result_ok();
    after = row;
    after.state = OUTBOX_DELIVERED;
    after.reason[0] = 0;
    TRY(step(people, "outbox.delivered", &row, &after));
    TRY(outbox_content_erase(people, number));
    return delivered_trim(people);
}

static int64_t retry_ms(const struct outbox_row *row, uint32_t retry_s)
{
    uint32_t doublings = row->failed < 12 ? row->failed : 12;
    uint32_t own = OUTBOX_RETRY_FIRST_S << (doublings > 0 ? doublings - 1 : 0);
    uint32_t wait_s = retry_s ? retry_s : own;
    return (int64_t)(wait_s < OUTBOX_RETRY_S_MAX ? wait_s : OUTBOX_RETRY_S_MAX) * 1000;
}

/* A reason comes from a peer far away: what cannot stand in a record is left out, and it is cut between characters. */
static void reason_take(const char *text, char ret_reason[OUTBOX_REASON_MAX + 1])
{
    size_t size = strnlen(text, OUTBOX_REASON_MAX);
    memcpy(ret_reason, text, size);
    ret_reason[size] = 0;
    while (size > 0 && !core_text_valid(ret_reason, 0, OUTBOX_REASON_MAX)) ret_reason[--size] = 0;
}

struct result outbox_fail(struct people *people, uint64_t number, const struct outbox_failure *failure)
{
    struct outbox_row row, after;
    TRY(outbox_get(people, number, &row));
    if (row.state != OUTBOX_HANDED || row.handed != failure->handed) return result_ok();
    after = row;
    after.failed++;
    reason_take(failure->reason, after.reason);
    after.due_ms = people->now_ms + retry_ms(&after, failure->retry_s);
    int64_t end_ms = row.expires_ms && row.expires_ms < row.life_ms ? row.expires_ms : row.life_ms;
    /* One that would come up again only to die may as well let the next one pass now. */
    if (failure->for_good || after.due_ms >= end_ms) {
        if (outbox_is_urgent((enum message_kind)row.kind)) return vanish(people, &row, after.reason);
        after.state = OUTBOX_DEAD;
        return step(people, "outbox.dead", &row, &after);
    }
    after.state = OUTBOX_QUEUED;
    return step(people, "outbox.fail", &row, &after);
}

struct result outbox_retry(struct people *people, uint64_t number)
{
    struct outbox_row row, after;
    TRY(outbox_get(people, number, &row));
    if (row.state != OUTBOX_DEAD && row.state != OUTBOX_QUEUED) return result_of(OUTBOX_STATE);
    if (row.expires_ms && row.expires_ms <= people->now_ms) return result_of(OUTBOX_EXPIRED);
    after = row;
    after.state = OUTBOX_QUEUED;
    after.failed = 0;
    after.reason[0] = 0;
    after.due_ms = people->now_ms;
    after.life_ms = people->now_ms + (int64_t)OUTBOX_LIFE_S * 1000;
    return step(people, "outbox.retry", &row, &after);
}

struct result outbox_wait(struct people *people, uint64_t *ret_wait_ms)
{
    struct order_key prefix = outbox_order('D', "", 0), key;
    struct outbox_row row;
    struct result got = people_order_first(people, &prefix, &key);
    if (got.code == STORE_NOT_FOUND) {
        *ret_wait_ms = UINT64_MAX;
        return result_ok();
    }
    TRY(got);
    TRY(outbox_get(people, order_number(&key), &row));
    *ret_wait_ms = row.due_ms > people->now_ms ? (uint64_t)(row.due_ms - people->now_ms) : 0;
    return result_ok();
}
