/* Journal records of core_open, before there are workers: a writer of its own on the caller's os, one block at a time,
 * waited for. */
#include "core/state.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

struct open_writer {
    struct core *core;
    struct os *os;
    struct journal_writer *writer;
    bool settled;
    struct result result;
    uint32_t slot_count_max;
};

enum { OPEN_BLOCK_SLOTS = 8192, ROOM_ATTEMPTS = 1000, OPEN_SEGMENT_SHARE = 4, STEP_WAIT_NS = 1000000 };

static void open_settled(struct journal_block *block, struct result result)
{
    struct open_writer *writer = block->owner;
    writer->result = result;
    writer->settled = true;
}

struct result open_writer_create(struct core *core, struct os *os, struct open_writer **ret_writer)
{
    struct journal_writer_options options = {
        .block_count = 1, .slots_per_block = OPEN_BLOCK_SLOTS, .settled = open_settled};
    uint64_t segment_size = core->options.journal.segment_size;
    /* A small segment could not hold such a block and the journal's own reserve beside it. */
    if (segment_size && segment_size / OPEN_SEGMENT_SHARE < (OPEN_BLOCK_SLOTS + 1) * JOURNAL_SLOT_SIZE)
        options.slots_per_block = (uint32_t)(segment_size / OPEN_SEGMENT_SHARE / JOURNAL_SLOT_SIZE) - 1;
    struct open_writer *writer = calloc(1, sizeof(*writer));
    if (!writer) return result_of(NO_MEMORY);
    writer->slot_count_max = options.slots_per_block;
    writer->core = core;
    writer->os = os;
    struct result result = journal_writer_create(core->journal, os, &options, &writer->writer);
    if (result_failed(result)) {
        free(writer);
        return result;
    }
    *ret_writer = writer;
    return result_ok();
}

static struct result step(struct open_writer *writer)
{
    TRY(os_step(writer->os, STEP_WAIT_NS, NULL));
    journal_poll(writer->writer);
    return result_ok();
}

/* A new journal may have no room until its first spare is made; and while room is made, a record of the journal's own
 * may have the only buffer. */
static struct result room_make(struct open_writer *writer, struct journal_block **ret_block)
{
    for (unsigned i = 0;; i++) {
        struct result begun = journal_begin(writer->writer, ret_block);
        if (begun.code == FULL && i < ROOM_ATTEMPTS) {
            TRY(step(writer));
            continue;
        }
        if (begun.code != JOURNAL_NO_ROOM || i >= ROOM_ATTEMPTS) return begun;
        bool more = false;
        TRY(journal_make_room(writer->core->journal, writer->writer, core_now_ms(writer->core), &more));
    }
}

uint32_t open_writer_slots(const struct open_writer *writer)
{
    return writer->slot_count_max;
}

struct result open_writer_append(struct open_writer *writer, const uint8_t *slots, uint32_t slot_count,
                                 uint64_t *ret_position)
{
    struct journal_block *block;
    CHECK(slot_count > 0 && slot_count <= writer->slot_count_max);
    TRY(room_make(writer, &block));
    memcpy(block->slots, slots, (size_t)slot_count * JOURNAL_SLOT_SIZE);
    block->owner = writer;
    writer->settled = false;
    journal_append(block, slot_count, core_now_ms(writer->core));
    uint64_t position = block->position;
    while (!writer->settled) TRY(step(writer));
    if (ret_position) *ret_position = position;
    return writer->result;
}

/* A seal that was begun while room was made is waited for: nobody else would hear of it, and no other seal be made.
 * When the os failed with a write under way, nobody knows when its buffer is free: writer and journal are left as they
 * are.
 */
void open_writer_destroy(struct open_writer *writer)
{
    while (journal_in_flight(writer->writer) > 0 && !result_failed(step(writer))) continue;
    if (journal_in_flight(writer->writer) > 0) {
        writer->core->state->stuck = true;
        return;
    }
    journal_writer_destroy(writer->writer);
    free(writer);
}
