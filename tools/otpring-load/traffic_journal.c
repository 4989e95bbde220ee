/* Recorded traffic from segments as they lie on the disk. Acts, with whatever they hold, are stepped over. */
#include <stdio.h>
#include <string.h>

#include "journal/journal.h"
#include "os/os_uring.h"
#include "traffic.h"

enum { RING_ENTRIES = 64 };

static int take_verify(struct traffic_making *making, const struct slot_verify *slot, int64_t time_ms, bool begins)
{
    struct traffic_record record = {.source = slot->source,
                                    .time_ms = time_ms,
                                    .verdict = slot->verdict,
                                    .reason = slot->reason,
                                    .method = slot->method,
                                    .source_class = slot->source_class,
                                    .begins = begins};
    memcpy(record.name, slot->name, sizeof record.name);
    return traffic_add(making, &record);
}

static int take_block(struct traffic_making *making, const struct journal_block_view *block)
{
    bool begins = true;
    for (uint32_t at = 0; at < block->header->slot_count; at++) {
        const uint8_t *slot = block->slots + (size_t)at * JOURNAL_SLOT_SIZE;
        struct slot_verify verify;
        struct slot_act act;
        switch (slot[JOURNAL_SLOT_SIZE - 1]) {
        case SLOT_FRAME:
            begins = true;
            break;
        case SLOT_VERIFY:
            memcpy(&verify, slot, sizeof verify);
            if (take_verify(making, &verify, block->header->time_ms, begins)) return -1;
            begins = false;
            break;
        case SLOT_ACT:
            memcpy(&act, slot, sizeof act);
            at += act.slot_count;
            break;
        default:
            return 0; /* the journal's own, alone in its block */
        }
    }
    return 0;
}

static int read_all(struct traffic_making *making, struct journal_reader *reader, struct result *ret_result)
{
    for (;;) {
        struct journal_block_view block;
        *ret_result = journal_reader_next(reader, &block);
        if (ret_result->code == STORE_NOT_FOUND) {
            *ret_result = result_ok();
            return 0;
        }
        if (ret_result->code == JOURNAL_CORRUPT) {
            traffic_damaged(making);
            continue;
        }
        if (result_failed(*ret_result)) return -1;
        if (take_block(making, &block)) return -1;
    }
}

int traffic_read_journal(struct traffic_making *making, const char *folder, char *ret_error, size_t capacity)
{
    struct os *os;
    struct journal_reader *reader;
    struct result result = os_uring_create(&(struct os_uring_options){.entries = RING_ENTRIES}, &os);
    if (result_failed(result)) {
        snprintf(ret_error, capacity, "%s", result_text(result));
        return -1;
    }
    int error = -1;
    result = journal_reader_open(os, folder, &(struct journal_reader_options){.read_ahead = true}, &reader);
    if (!result_failed(result)) {
        error = read_all(making, reader, &result);
        journal_reader_close(reader);
    }
    if (result_failed(result)) snprintf(ret_error, capacity, "%.200s: %s", folder, result_text(result));
    os_destroy(os);
    return error;
}
