#include "rerun_order.h"

#include <stdlib.h>
#include <string.h>

#include "core/core.h"

/* Blocks in flight are at most 64; a turn may begin while as many others end. */
enum { WINDOW = 128, LATEST_COUNT = 1 << 17 };

struct unit {
    struct order_record record;
    struct unit *before; /* the first of those moved before this one */
    struct unit *next;   /* moved before the same one */
    bool moved;
    bool done;
};

struct window_block {
    uint64_t position;
    int64_t time_ms;
    uint8_t *slots;
    struct unit *units;
    size_t count;
};

/* The greatest word of a token, or of an account's budget, and where it was met last. Direct-mapped: what another one
 * displaced is at worst not moved. */
struct latest {
    uint64_t key;
    uint64_t word;
    uint64_t position;
};

struct order {
    struct order_calls calls;
    struct window_block blocks[WINDOW];
    size_t first;
    size_t count;
    struct latest *latest;
    uint16_t policy; /* the greatest met */
    bool policy_met;
    uint64_t barred_position;            /* of the last attempt that no token could pass */
    const struct order_record **records; /* room for one block's */
    uint64_t moved;
};

struct result order_create(const struct order_calls *calls, struct order **ret_order)
{
    struct order *order = calloc(1, sizeof *order);
    if (!order) return result_of(NO_MEMORY);
    order->calls = *calls;
    order->latest = calloc(LATEST_COUNT, sizeof *order->latest);
    order->records = calloc(JOURNAL_SLOTS_MAX, sizeof(struct order_record *));
    if (!order->latest || !order->records) {
        order_destroy(order);
        return result_of(NO_MEMORY);
    }
    *ret_order = order;
    return result_ok();
}

static void block_free(struct window_block *block)
{
    free(block->slots);
    free(block->units);
    *block = (struct window_block){0};
}

void order_destroy(struct order *order)
{
    if (!order) return;
    for (size_t i = 0; i < WINDOW; i++) block_free(&order->blocks[i]);
    free(order->latest);
    free(order->records);
    free(order);
}

uint64_t order_moved(const struct order *order)
{
    return order->moved;
}

static struct window_block *block_at(struct order *order, size_t i)
{
    return &order->blocks[(order->first + i) % WINDOW];
}

/* ---- what two records of one account say about their order ---- */

/* The words of a record, 0: none; `makes`: the record made the word, it does not only rest on it. */
struct words {
    uint64_t token_key;
    uint64_t token;
    bool token_makes;
    uint64_t budget_key;
    uint64_t budget;
    bool budget_makes;
    bool clean; /* accepted without failures before: a budget with failures came after it */
    bool attempt;
    uint16_t policy; /* of an attempt: the version that it was judged by */
    bool barred;     /* an attempt that no token could pass */
    bool bars;       /* an act that takes a token out: in force a little before its record has a position */
    const uint8_t *name;
};

static struct words words_of(const struct order_record *record)
{
    struct words words = {0};
    const struct slot_verify *verify = record->verify;
    if (!verify) {
        words.name = record->act->name;
        words.bars = record->act->act == ACT_TOKEN_SUSPEND || record->act->act == ACT_TOKEN_REMOVE;
        if (record->act->ordinal == UINT32_MAX) return words;
        words.token_key = 1ULL << 32 | record->act->ordinal;
        words.budget_key = 2ULL << 32 | record->act->ordinal;
        words.token = record->act->token;
        words.budget = record->act->budget;
        words.token_makes = words.budget_makes = true;
        return words;
    }
    words.attempt = true;
    words.policy = verify->policy;
    words.name = verify->name;
    words.barred = verify->first_ordinal != UINT32_MAX &&
                   (verify->verdict == OTPRING_INACTIVE || verify->reason == OTPRING_REASON_HIDDEN);
    if (verify->ordinal != UINT32_MAX) words.token_key = 1ULL << 32 | verify->ordinal;
    words.token = verify->token;
    words.token_makes = verify->verdict == OTPRING_ACCEPTED;
    /* A name without an account is a hash already. */
    words.budget_key = 2ULL << 32 | verify->first_ordinal;
    if (verify->first_ordinal == UINT32_MAX) memcpy(&words.budget_key, verify->name + 8, sizeof words.budget_key);
    words.budget = verify->budget;
    /* Of those only the record that makes a word has the count within the second. */
    if (verify->first_ordinal == UINT32_MAX) words.budget &= 0xffffffff0000ffffu;
    words.budget_makes = verify->verdict != OTPRING_THROTTLED;
    words.clean = verify->verdict == OTPRING_ACCEPTED && verify->budget == 0;
    return words;
}

static bool has_failures(uint64_t budget)
{
    return budget_failures(budget, 0) || budget_failures(budget, 1);
}

static bool word_before(uint64_t word, bool makes, uint64_t other)
{
    return word != 0 && other != 0 && (word < other || (word == other && makes));
}

static bool same_name(const struct words *a, const struct words *b)
{
    return memcmp(a->name, b->name, 16) == 0;
}

/* Versions only grow, modulo 2^16. */
static bool policy_before(const struct words *a, uint16_t policy)
{
    return a->attempt && (int16_t)(a->policy - policy) < 0;
}

/* Whether what has words `a`, standing behind, was judged before what has words `b`. */
static bool judged_before(const struct words *a, const struct words *b)
{
    bool token = a->token_key && a->token_key == b->token_key;
    bool budget = a->budget_key && a->budget_key == b->budget_key;
    if (token && word_before(a->token, a->token_makes, b->token)) return true;
    if (budget && word_before(a->budget, a->budget_makes, b->budget)) return true;
    if (budget && a->clean && b->budget_makes && has_failures(b->budget)) return true;
    if (b->attempt && policy_before(a, b->policy)) return true;
    return a->bars && b->barred && same_name(a, b);
}

/* Whether what has words `a`, standing behind, cannot have been judged before what has words `b`: acts are done one
 * after the other, and a lower word is the earlier one. */
static bool judged_behind(const struct words *a, const struct words *b)
{
    bool token = a->token_key && a->token_key == b->token_key;
    bool budget = a->budget_key && a->budget_key == b->budget_key;
    if (!a->attempt && !b->attempt) return same_name(a, b);
    return (token && b->token != 0 && b->token < a->token) || (budget && b->budget != 0 && b->budget < a->budget);
}

/* ---- moving ---- */

static struct latest *latest_of(struct order *order, uint64_t key)
{
    uint64_t hash = key * 0x9e3779b97f4a7c15u;
    return &order->latest[hash >> 47];
}

/* Whether anything in the window may be ahead of it. */
static bool may_precede(struct order *order, const struct words *words, uint64_t oldest)
{
    const struct latest *token = latest_of(order, words->token_key), *budget = latest_of(order, words->budget_key);
    bool token_met = words->token_key && token->key == words->token_key && token->position >= oldest;
    bool budget_met = words->budget_key && budget->key == words->budget_key && budget->position >= oldest;
    if ((words->bars && order->barred_position >= oldest) || (order->policy_met && policy_before(words, order->policy)))
        return true;
    if (token_met && word_before(words->token, words->token_makes, token->word)) return true;
    if (budget_met && word_before(words->budget, words->budget_makes, budget->word)) return true;
    return budget_met && words->clean && has_failures(budget->word);
}

static void latest_note(struct order *order, uint64_t key, uint64_t word, uint64_t position, uint64_t oldest)
{
    if (!key || !word) return;
    struct latest *latest = latest_of(order, key);
    bool stale = latest->key != key || latest->position < oldest;
    if (!stale && latest->word > word) return;
    *latest = (struct latest){.key = key, .word = word, .position = position};
}

/* Before the first record of the blocks before it that came after it, and behind all that came before it. */
static void move(struct order *order, struct unit *unit, const struct words *words)
{
    struct unit *target = NULL;
    for (size_t i = 0; i + 1 < order->count; i++) {
        struct window_block *block = block_at(order, i);
        for (size_t j = 0; j < block->count; j++) {
            struct unit *other = &block->units[j];
            if (other->done) continue; /* moved itself, and had its turn */
            struct words theirs = words_of(&other->record);
            if (!target && judged_before(words, &theirs)) target = other;
            if (target && !other->moved && judged_behind(words, &theirs)) target = NULL;
        }
    }
    if (!target) return;
    struct unit **at = &target->before;
    for (; *at; at = &(*at)->next) {
        struct words theirs = words_of(&(*at)->record);
        if (judged_before(words, &theirs)) break;
    }
    unit->next = *at;
    *at = unit;
    unit->moved = true;
    order->moved++;
}

static void order_units(struct order *order, struct window_block *block)
{
    uint64_t oldest = block_at(order, 0)->position;
    for (size_t i = 0; i < block->count; i++) {
        struct words words = words_of(&block->units[i].record);
        if (may_precede(order, &words, oldest)) move(order, &block->units[i], &words);
        if (words.attempt && !(order->policy_met && policy_before(&words, order->policy))) {
            order->policy = words.policy;
            order->policy_met = true;
        }
        if (words.barred) order->barred_position = block->position;
        latest_note(order, words.token_key, words.token, block->position, oldest);
        latest_note(order, words.budget_key, words.budget, block->position, oldest);
    }
}

/* ---- blocks ---- */

/* The records of a block; none of one of the journal's own. */
static struct result parse(struct window_block *block, uint32_t slot_count)
{
    uint32_t frame_left = 0;
    bool resync = false;
    for (uint32_t at = 0; at < slot_count; at++) {
        const uint8_t *slot = block->slots + (size_t)at * JOURNAL_SLOT_SIZE;
        struct order_record record = {.position = block->position, .slot = at, .time_ms = block->time_ms};
        switch (slot[JOURNAL_SLOT_SIZE - 1]) {
        case SLOT_FRAME:
            frame_left = ((const struct slot_frame *)(const void *)slot)->item_count;
            resync = ((const struct slot_frame *)(const void *)slot)->frame_kind == OTPRING_WIRE_RESYNC;
            continue;
        case SLOT_VERIFY:
            record.verify = (const void *)slot;
            record.resync = frame_left > 0 && resync;
            if (frame_left) frame_left--;
            break;
        case SLOT_ACT:
            record.act = (const void *)slot;
            record.payload = slot + JOURNAL_SLOT_SIZE;
            if (record.act->slot_count >= slot_count - at ||
                record.act->payload_size > (uint32_t)record.act->slot_count * JOURNAL_SLOT_SIZE)
                return result_of(JOURNAL_CORRUPT);
            at += record.act->slot_count;
            break;
        case SLOT_SEAL:
        case SLOT_CHECKPOINT:
        case SLOT_REMOVAL:
            return result_ok(); /* stands alone */
        default:
            return result_of(JOURNAL_CORRUPT);
        }
        block->units[block->count++].record = record;
    }
    return result_ok();
}

static struct result emit(struct order *order, struct unit *unit)
{
    for (struct unit *before = unit->before; before; before = before->next) TRY(emit(order, before));
    unit->done = true;
    return order->calls.record(order->calls.context, &unit->record);
}

static struct result emit_first(struct order *order)
{
    struct window_block *block = block_at(order, 0);
    size_t count = 0;
    for (size_t i = 0; i < block->count; i++)
        if (!block->units[i].moved) order->records[count++] = &block->units[i].record;
    TRY(order->calls.block(order->calls.context, block->time_ms, order->records, count));
    for (size_t i = 0; i < block->count; i++)
        if (!block->units[i].moved) TRY(emit(order, &block->units[i]));
    block_free(block);
    order->first = (order->first + 1) % WINDOW;
    order->count--;
    return result_ok();
}

struct result order_block(struct order *order, const struct journal_block_view *view)
{
    if (order->count == WINDOW) TRY(emit_first(order));
    struct window_block *block = block_at(order, order->count++);
    size_t size = (size_t)view->header->slot_count * JOURNAL_SLOT_SIZE;
    *block = (struct window_block){.position = view->header->position, .time_ms = view->header->time_ms};
    block->slots = malloc(size);
    block->units = calloc(view->header->slot_count, sizeof *block->units);
    if (!block->slots || !block->units) return result_of(NO_MEMORY);
    memcpy(block->slots, view->slots, size);
    TRY(parse(block, view->header->slot_count));
    order_units(order, block);
    return result_ok();
}

struct result order_end(struct order *order)
{
    while (order->count) TRY(emit_first(order));
    return result_ok();
}
