/* The stages in plain C: what the vectors must do too. Each works on a copy of what it is given, whose fields no store
 * can be thought to change. */
#include "kernel/stages.h"

#include <stdbool.h>

#include "kernel/bucket.h"
#include "kernel/stages_from.h"

void stage_gather(const struct stage_gather *wanted)
{
    const struct stage_gather from = *wanted;
    for (size_t i = 0; i < from.count; i++) {
        from.ret_queries[from.at + i] = (const uint8_t *)from.query + i * from.query_size;
        from.ret_answers[from.at + i] = (uint8_t *)from.answer + i * STAGE_ANSWER;
        from.ret_frames[from.at + i] = from.frame;
        from.ret_places[from.at + i] = from.place + i;
        from.ret_records[from.at + i] = from.record + (uint32_t)i;
    }
}

void stage_hash_names_from(const struct stage_names *wanted, size_t first)
{
    const struct stage_names names = *wanted;
    for (size_t i = first; i < names.count; i++) {
        uint64_t hash = stage_name_hash(names.key, names.names[i]);
        names.ret_hashes[i] = hash;
        names.ret_buckets[i] =
            (const uint8_t *)names.index.buckets + (hash >> 32 >> names.index.shift) * 8 * BUCKET_ENTRIES;
    }
}

void stage_find_from(struct stage_find *find, size_t first)
{
    stage_find_by(bucket_match, find, first);
}

/* By digits modulo 8; all but 6, 7 and 8 fit no code. */
static const uint32_t code_limit[8] = {100000000, 0, 0, 0, 0, 0, 1000000, 10000000};

static bool look_one(const struct stage_look *look, size_t i)
{
    const _Atomic uint64_t *tail = look->tails[i];
    uint64_t state = atomic_load_explicit(&tail[TAIL_STATE], memory_order_acquire);
    uint64_t token = atomic_load_explicit(&tail[TAIL_TOKEN], memory_order_relaxed);
    uint32_t id = state >> 32 & 0xffff;
    if ((uint32_t)state != (uint32_t)look->hashes[i] || state >> 56 != look->flags || id >= look->profile_count)
        return false;
    uint64_t profile = look->profiles[id], query;
    memcpy(&query, (const uint8_t *)look->queries[i] + 24, sizeof query);
    bool totp = profile >> STAGE_PROFILE_TOTP & 1;
    uint32_t code = (uint32_t)query;
    uint8_t digits = (uint8_t)(query >> STAGE_PROFILE_DIGITS),
            algorithm = (uint8_t)(profile >> STAGE_PROFILE_ALGORITHM);
    if (!(profile >> STAGE_PROFILE_VALID) || digits != (uint8_t)(profile >> STAGE_PROFILE_DIGITS)) return false;
    if (algorithm != look->ordinals[i] >> 30 || code >= code_limit[digits & 7]) return false;
    if ((query >> 40 & ~(uint64_t)0x100) != 1) return false;
    int64_t expected = totp ? (int64_t)(uint32_t)profile + (int8_t)(state >> 48) : (int64_t)(token >> 32);
    if (expected < 0 || expected > 0xfffffffe) return false;
    look->ret_states[i] = state;
    look->ret_expected[i] = (uint64_t)expected;
    look->ret_lasts[i] =
        look->record_last | (query >> 24 & 0xff000000u) | (totp ? state >> 16 & (uint64_t)0xff << 32 : 0);
    struct stage_tries *tries = look->tries[algorithm];
    uint32_t at = tries->count++;
    tries->midstates[at] = look->lines[i];
    tries->steps[at] = (uint64_t)expected;
    tries->codes[at] = code;
    tries->digits[at] = digits;
    tries->items[at] = (uint8_t)i;
    return true;
}

void stage_look_from(struct stage_look *wanted, size_t first)
{
    const struct stage_look look = *wanted;
    uint64_t straight = 0;
    for (size_t i = first; i < look.count; i++)
        if (look.wanted >> i & 1) straight |= (uint64_t)look_one(&look, i) << i;
    wanted->ret_straight |= straight;
}

void stage_check_from(struct stage_check *wanted, size_t first)
{
    const struct stage_check check = *wanted;
    uint64_t all_ready = 0;
    for (size_t i = first; i < check.count; i++) {
        _Atomic uint64_t *tail = check.tails[i];
        uint64_t budget = atomic_load_explicit(&tail[TAIL_BUDGET], memory_order_acquire);
        uint64_t state = atomic_load_explicit(&tail[TAIL_STATE], memory_order_acquire);
        bool ready = (check.wanted >> i & 1) && (budget & 0xffff) == 0 && state == check.states[i] &&
                     check.seen[i] >> 32 <= check.expected[i];
        all_ready |= (uint64_t)ready << i;
        check.ret_words[i] = ready ? &tail[TAIL_TOKEN] : check.nowhere;
        check.ret_next[i] = (check.expected[i] + 1) << 32 | (uint32_t)check.seen[i];
    }
    wanted->ret_ready |= all_ready;
}

void stage_record_some(const struct stage_record *wanted, uint64_t which)
{
    const struct stage_record record = *wanted;
    for (uint64_t left = which; left; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctzll(left);
        uint64_t source, ordinal = record.ordinals[i];
        uint8_t *slot = record.slots + (size_t)record.records[i] * 64;
        uint64_t *words = (uint64_t *)(void *)slot, *answer = record.answers[i];
        memcpy(&source, (const uint8_t *)record.queries[i] + 16, sizeof source);
        memcpy(slot, record.queries[i], 16);
        words[2] = record.tokens[i];
        words[3] = 0;
        words[4] = source;
        words[5] = ordinal | ordinal << 32;
        words[6] = record.places[i];
        words[7] = record.lasts[i];
        answer[0] = record.answer;
        answer[1] = record.records[i];
    }
}

void stage_hash_names(const struct stage_names *names)
{
    stage_hash_names_from(names, 0);
}

static void find(struct stage_find *find)
{
    find->ret_found = find->ret_long = find->ret_none = 0;
    stage_find_from(find, 0);
}

static void look(struct stage_look *look)
{
    look->ret_straight = 0;
    stage_look_from(look, 0);
}

static void check(struct stage_check *check)
{
    check->ret_ready = 0;
    stage_check_from(check, 0);
}

static void record(const struct stage_record *record)
{
    stage_record_some(record, record->which);
}

const struct kernel_stages stages_portable = {stage_gather, stage_hash_names, find, look, check, record};
