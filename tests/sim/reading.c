#include "reading.h"

#include <stdlib.h>

#include "base/check.h"
#include "journal/index.h"
#include "journal/proof.h"
#include "journal/scan.h"

static const char folder[] = "journal";

/* A failure that has to do with what was made to fail. */
static bool honest(struct result result)
{
    return !result_failed(result) || result.code == OS_FAILED || result.code == OS_NO_SPACE || result.code == NO_MEMORY;
}

static void judge(struct model *model, struct result result, bool whole, const char *what)
{
    if (!honest(result)) model_break(model, "%s: %s, where a disk or a memory failed", what, result_name(result));
    if (!result_failed(result) && !whole) model_break(model, "%s: given as whole, and is not", what);
}

/* ---- the check ---- */

static struct result check(struct os *os, const struct reading *reading, const struct journal_check_state *resume,
                           struct journal_check_report *ret_report)
{
    const struct journal_check_options options = {.public_key = reading->public_key, .part = true, .resume = resume};
    return journal_check(os, folder, &options, ret_report);
}

/* ---- scanning ---- */

static void count_block(void *context, unsigned thread, const struct journal_block_view *block)
{
    (void)thread;
    (void)block;
    ++*(uint64_t *)context;
}

static struct result scan(struct os *os, bool by_key, uint64_t *ret_blocks)
{
    *ret_blocks = 0;
    struct scan_options options = {.folder = folder,
                                   .os = os,
                                   .thread_count = 1,
                                   .since_ms = INT64_MIN,
                                   .until_ms = INT64_MAX,
                                   .block = count_block,
                                   .context = ret_blocks};
    if (by_key) {
        options.key_count = 1;
        options.keys[0] = index_key((const uint8_t *)"nobody at all 16", 16);
    }
    return journal_scan(&options, NULL);
}

/* ---- the reader, and evidence ---- */

static struct result read(struct os *os, bool ahead, uint64_t *ret_blocks)
{
    struct journal_reader *reader;
    struct journal_block_view block;
    struct result result;
    *ret_blocks = 0;
    TRY(journal_reader_open(os, folder, &(struct journal_reader_options){.read_ahead = ahead}, &reader));
    while (!result_failed(result = journal_reader_next(reader, &block))) ++*ret_blocks;
    journal_reader_close(reader);
    return result.code == STORE_NOT_FOUND ? result_ok() : result;
}

static struct result checkpoints(struct os *os, uint64_t *ret_count)
{
    struct slot_checkpoint *list;
    size_t count;
    TRY(journal_checkpoints(os, folder, 0, NULL, &list, &count));
    free(list);
    *ret_count = count;
    return result_ok();
}

/* Of the last record that is signed for. */
static struct result prove(struct os *os, const struct journal_check_state *state)
{
    struct journal_proof proof;
    TRY(journal_prove(os, folder, &(struct journal_proof_options){.position = state->checkpoint.last}, &proof));
    journal_proof_free(&proof);
    return result_ok();
}

static struct result segments(struct os *os, uint64_t *ret_count)
{
    struct scan_segment *list;
    size_t count;
    TRY(journal_segments(os, folder, &list, &count));
    free(list);
    *ret_count = count;
    return result_ok();
}

void reading_prepare(struct os_sim_world *world, struct vault *vault, struct reading *ret_reading)
{
    struct os *os = os_sim_create(world);
    struct journal_check_report report;
    struct slot_checkpoint *list;
    size_t count;
    *ret_reading = (struct reading){.world = world};
    vault_public_key(vault, ret_reading->public_key);
    CHECK(check(os, ret_reading, NULL, &report).code == OK && report.signed_any);
    ret_reading->blocks = report.blocks;
    ret_reading->state = report.newest;
    CHECK(journal_checkpoints(os, folder, 0, NULL, &list, &count).code == OK);
    ret_reading->checkpoints = count;
    free(list);
    os_destroy(os);
}

void reading_run(const struct reading *reading, struct model *model)
{
    struct os *os = os_sim_create(reading->world);
    struct journal_check_report report;
    uint64_t count = 0;
    struct result result = check(os, reading, NULL, &report);
    judge(model, result, report.blocks == reading->blocks, "the check");
    result = check(os, reading, &reading->state, &report);
    judge(model, result, report.resumed, "a check that goes on");
    result = scan(os, false, &count);
    judge(model, result, count == reading->blocks, "the scan");
    result = scan(os, true, &count);
    judge(model, result, count > 0, "a scan by name");
    result = read(os, false, &count);
    judge(model, result, count == reading->blocks, "the reader");
    result = read(os, true, &count);
    judge(model, result, count == reading->blocks, "the reader, reading ahead");
    result = checkpoints(os, &count);
    judge(model, result, count == reading->checkpoints, "the checkpoints");
    judge(model, prove(os, &reading->state), true, "a proof");
    result = segments(os, &count);
    judge(model, result, count > 1, "the list of segments");
    os_destroy(os);
}
