#include "rerun_run.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "names.h"

/* ---- the turn: attempts of different accounts at one time ---- */

enum { NAMES_COUNT = 4 * RERUN_TURN_MAX };

struct entry {
    struct slot_verify slot;
    struct rerun_attempt attempt;
    uint64_t position;
    uint32_t index;
    int64_t time_ms;
    struct otpring_wire_answer answer;
};

struct rerun_turn {
    struct entry entries[RERUN_TURN_MAX];
    uint32_t count;
    uint32_t number; /* counts turns, so that `names` need not be cleared */
    struct {
        uint64_t name[2];
        uint32_t number;
    } names[NAMES_COUNT];
    int64_t time_ms; /* of the block at hand */
    int64_t lag_ms;
};

/* Whether the account has an attempt in this turn; if not, it has from now on. */
static bool in_turn(struct rerun_turn *turn, const uint8_t name[16])
{
    uint64_t words[2] = {load_le64(name), load_le64(name + 8)};
    for (uint64_t at = words[0] ^ words[1];; at++) {
        size_t i = (size_t)(at % NAMES_COUNT);
        if (turn->names[i].number != turn->number) {
            memcpy(turn->names[i].name, words, sizeof words);
            turn->names[i].number = turn->number;
            return false;
        }
        if (memcmp(turn->names[i].name, words, sizeof words) == 0) return true;
    }
}

static void turn_begin(struct rerun_turn *turn)
{
    turn->count = 0;
    if (++turn->number == 0) { /* once in four thousand million */
        memset(turn->names, 0, sizeof turn->names);
        turn->number = 1;
    }
}

/* An accepted code that used up another step than then. */
static bool other_step(const struct rerun *rerun, const struct entry *entry)
{
    struct table_hit hit;
    if (entry->slot.verdict != OTPRING_ACCEPTED) return false;
    return table_line(core_table(rerun->engine.core), entry->slot.ordinal, &hit) &&
           token_floor(atomic_load(&hit.tail->token)) != token_floor(entry->slot.token);
}

static void compare(struct rerun *rerun, const struct entry *entry)
{
    bool step = entry->answer.verdict == entry->slot.verdict && other_step(rerun, entry);
    if (entry->answer.verdict == entry->slot.verdict && !step) {
        rerun->counts.same++;
        return;
    }
    if (rerun->counts.different++ < rerun->shown_max)
        rerun_tell_difference(rerun, &entry->attempt, entry->position, entry->index, entry->time_ms,
                              entry->answer.verdict, step);
}

static struct result flush(struct rerun *rerun)
{
    struct rerun_turn *turn = rerun->turn;
    if (turn->count == 0) return result_ok();
    TRY(rerun_engine_turn(&rerun->engine, turn->lag_ms));
    for (uint32_t i = 0; i < turn->count; i++) compare(rerun, &turn->entries[i]);
    turn_begin(turn);
    return result_ok();
}

/* ---- records, in the order in which they were judged ---- */

/* The wall clock of a turn may have been behind the journal's time, by a few milliseconds where another worker's block
 * came between; it matters where a step begins. What all accepted codes of the block agree on is believed. */
static int64_t block_lag(struct rerun *rerun, int64_t time_ms, const struct order_record *const *records, size_t count)
{
    int64_t lag_ms = 0;
    for (size_t i = 0; i < count; i++) {
        if (!records[i]->verify || records[i]->verify->verdict != OTPRING_ACCEPTED) continue;
        struct rerun_attempt attempt = {.slot = records[i]->verify, .resync = records[i]->resync};
        int64_t own_ms = rerun_codes_lag(rerun->codes, &attempt, time_ms);
        if (own_ms == 0) return 0;
        if (own_ms > lag_ms) lag_ms = own_ms;
    }
    return lag_ms;
}

static struct result on_block(void *context, int64_t time_ms, const struct order_record *const *records, size_t count)
{
    struct rerun *rerun = context;
    TRY(flush(rerun));
    rerun_engine_time(&rerun->engine, time_ms);
    rerun->turn->time_ms = time_ms;
    rerun->turn->lag_ms = block_lag(rerun, time_ms, records, count);
    if (rerun->turn->lag_ms) rerun->counts.lagging++;
    return result_ok();
}

static bool stands_in(const struct slot_verify *slot)
{
    return slot->method == OTPRING_QUERY_CODE && slot->verdict != OTPRING_ACCEPTED &&
           slot->verdict != OTPRING_REPLAYED && slot->verdict != OTPRING_RESYNC && slot->verdict != OTPRING_MALFORMED;
}

static bool is_response(const struct slot_verify *slot)
{
    return slot->method == OTPRING_QUERY_OCRA || slot->method == METHOD_OCRA_MARKED;
}

/* What it did to the engine stands in its place, in order, so that what follows meets the same words. */
static struct result response_take(struct rerun *rerun, const struct slot_verify *slot)
{
    TRY(flush(rerun));
    rerun->counts.not_run[MADE_RESPONSE]++;
    return core_rerun_verify(rerun->engine.core, slot);
}

static struct result attempt_run(struct rerun *rerun, const struct order_record *record)
{
    if (is_response(record->verify)) return response_take(rerun, record->verify);
    struct rerun_turn *turn = rerun->turn;
    struct otpring_wire_pair query;
    enum rerun_client client;
    if (turn->count == RERUN_TURN_MAX) TRY(flush(rerun));
    if (in_turn(turn, record->verify->name)) {
        TRY(flush(rerun));
        (void)in_turn(turn, record->verify->name);
    }
    struct entry *entry = &turn->entries[turn->count];
    *entry = (struct entry){
        .slot = *record->verify, .position = record->position, .index = record->slot, .time_ms = record->time_ms};
    entry->attempt = (struct rerun_attempt){
        .slot = &entry->slot, .resync = record->resync, .time_s = (turn->time_ms - turn->lag_ms) / 1000};
    enum rerun_made made = rerun_codes_make(rerun->codes, &entry->attempt, &query, &client);
    rerun_codes_learn(rerun->codes, &entry->attempt);
    if (made != MADE) {
        rerun->counts.not_run[made]++;
        return result_ok();
    }
    rerun->counts.stand_ins += stands_in(&entry->slot);
    turn->count++;
    rerun_engine_ask(&rerun->engine, client, record->resync, &query, &entry->answer);
    return result_ok();
}

static struct result on_record(void *context, const struct order_record *record)
{
    struct rerun *rerun = context;
    if (record->verify) {
        TRY(rerun_acts_before(rerun->acts, record->verify, rerun->turn->time_ms));
        return attempt_run(rerun, record);
    }
    rerun->counts.acts++;
    if (record->act->act == ACT_RESTORE) rerun->restored_at = record->position;
    return rerun_acts_take(rerun->acts, record->act, record->payload, rerun->turn->time_ms);
}

static struct result on_settle(void *context)
{
    return flush(context);
}

static void on_act_done(void *context, const struct slot_act *act, const uint8_t *payload)
{
    struct rerun *rerun = context;
    rerun_codes_learn_act(rerun->codes, act, payload);
}

/* ---- the records behind a backup's checkpoint: taken over, not run ---- */

static struct result fold_block(void *context, int64_t time_ms, const struct order_record *const *records, size_t count)
{
    (void)context;
    (void)time_ms;
    (void)records;
    (void)count;
    return result_ok();
}

static struct result fold_record(void *context, const struct order_record *record)
{
    struct rerun *rerun = context;
    struct core *core = rerun->engine.core;
    bool in_store = record->position <= rerun->start.admin_position;
    if (record->verify) return core_rerun_verify(core, record->verify);
    return core_rerun_act(core, record->act, record->payload, in_store);
}

/* ---- reading ---- */

struct reading {
    const char *folder;
    struct os *os;
    uint64_t from; /* the position that must come first */
    uint64_t to;
    struct order_calls calls;
    int64_t *ret_first_ms; /* not NULL: only the time of the first block is wanted */
};

static int read_failed(const struct reading *reading, struct result result, uint64_t position)
{
    if (result.code == JOURNAL_CORRUPT || result.code == JOURNAL_MISSING)
        return complain(EXIT_USAGE, "position %" PRIu64 ": %s; the re-run cannot go on behind it", position,
                        result_text(result));
    return cannot(reading->folder, result);
}

static int gap(const struct reading *reading, uint64_t expected, uint64_t met)
{
    if (expected == 1)
        return complain(EXIT_USAGE,
                        "%s: the log begins with position %" PRIu64 ", so what the store was before is not known; name "
                        "a backup with --from DIR",
                        reading->folder, met);
    return complain(EXIT_USAGE, "%s: positions %" PRIu64 " to %" PRIu64 " are not there", reading->folder, expected,
                    met - 1);
}

static int read_blocks(const struct reading *reading, struct journal_reader *reader, struct order *order,
                       uint64_t *ret_last)
{
    for (uint64_t expected = reading->from;; expected++) {
        struct journal_block_view block;
        struct result result = journal_reader_next(reader, &block);
        if (result.code == STORE_NOT_FOUND) return EXIT_DONE;
        if (result_failed(result)) return read_failed(reading, result, journal_reader_position(reader));
        uint64_t position = block.header->position;
        if (position < expected) {
            expected = position;
            continue;
        }
        if (position != expected) return gap(reading, expected, position);
        if (reading->to && position > reading->to) return EXIT_DONE;
        if (reading->ret_first_ms) {
            *reading->ret_first_ms = block.header->time_ms;
            return EXIT_DONE;
        }
        result = order_block(order, &block);
        if (result_failed(result)) return read_failed(reading, result, position);
        *ret_last = position;
    }
}

static int read_log(const struct reading *reading, uint64_t *ret_last, uint64_t *ret_moved)
{
    struct journal_reader_options options = {.from_position = reading->from, .read_ahead = !reading->ret_first_ms};
    struct journal_reader *reader;
    struct order *order;
    struct result result = order_create(&reading->calls, &order);
    if (result_failed(result)) return cannot(reading->folder, result);
    result = journal_reader_open(reading->os, reading->folder, &options, &reader);
    if (result_failed(result)) {
        order_destroy(order);
        return cannot(reading->folder, result);
    }
    int code = read_blocks(reading, reader, order, ret_last);
    /* What was read before it broke off is run, unless it was the running that did. */
    result = order_end(order);
    if (code == EXIT_DONE && result_failed(result)) code = read_failed(reading, result, *ret_last);
    *ret_moved = order_moved(order);
    journal_reader_close(reader);
    order_destroy(order);
    return code;
}

/* ---- the whole ---- */

static int fold(struct rerun *rerun, const char *backup, uint64_t *ret_last)
{
    uint64_t moved;
    struct reading reading = {.folder = backup,
                              .os = rerun->os,
                              .from = rerun->start.checkpoint_position + 1,
                              .calls = {.block = fold_block, .record = fold_record, .context = rerun}};
    *ret_last = rerun->start.checkpoint_position;
    return read_log(&reading, ret_last, &moved);
}

/* The clock stands at the first record that is run, not before: it only goes forward from there. */
static int start_time(struct rerun *rerun, int64_t *ret_ms)
{
    uint64_t last, moved;
    struct reading reading = {.folder = rerun->folder, .os = rerun->os, .from = 1, .ret_first_ms = ret_ms};
    *ret_ms = rerun->start.checkpoint_ms;
    if (*ret_ms) return EXIT_DONE;
    return read_log(&reading, &last, &moved);
}

static int run_all(struct rerun *rerun, const char *backup)
{
    uint64_t folded = 0;
    int64_t start_ms;
    int code = start_time(rerun, &start_ms);
    if (code != EXIT_DONE) return code;
    struct result result = rerun_engine_open(&rerun->start, start_ms, &rerun->engine);
    if (!result_failed(result)) result = rerun_codes_create(rerun->engine.core, &rerun->codes);
    struct rerun_acts_calls calls = {.settle = on_settle, .done = on_act_done, .context = rerun};
    if (!result_failed(result)) result = rerun_acts_create(rerun->engine.core, rerun->policy, &calls, &rerun->acts);
    if (result_failed(result)) return cannot(rerun->folder, result);
    if (backup) code = fold(rerun, backup, &folded);
    if (code != EXIT_DONE) return code;
    rerun->first_position = folded + 1;
    rerun->last_position = folded;
    struct reading reading = {.folder = rerun->folder,
                              .os = rerun->os,
                              .from = folded + 1,
                              .to = rerun->to,
                              .calls = {.block = on_block, .record = on_record, .context = rerun}};
    code = read_log(&reading, &rerun->last_position, &rerun->moved);
    result = flush(rerun);
    if (code == EXIT_DONE && result_failed(result)) code = cannot(rerun->folder, result);
    if (rerun->restored_at)
        return complain(EXIT_USAGE,
                        "position %" PRIu64 ": a backup was restored there, and what the store was then is not in the "
                        "log; go on with --from a backup made after it",
                        rerun->restored_at);
    return code;
}

int rerun_log(struct rerun *rerun, const char *backup)
{
    rerun->turn = calloc(1, sizeof *rerun->turn);
    if (!rerun->turn) return cannot(rerun->folder, result_of(NO_MEMORY));
    turn_begin(rerun->turn);
    rerun->look = names_look_new();
    int code = run_all(rerun, backup);
    rerun->complete = code == EXIT_DONE;
    if (rerun->acts) rerun_tell_counts(rerun);
    names_look_free(rerun->look);
    rerun_acts_destroy(rerun->acts);
    rerun_codes_destroy(rerun->codes);
    rerun_engine_close(&rerun->engine);
    free(rerun->turn);
    if (code != EXIT_DONE) return code;
    return rerun->counts.different ? EXIT_FINDINGS : EXIT_DONE;
}
