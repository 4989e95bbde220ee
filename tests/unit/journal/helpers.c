#include "helpers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal/format.h"
#include "journal/internal.h"

void rig_create(struct rig *rig, uint64_t seed)
{
    memset(rig, 0, sizeof *rig);
    assert_ok(os_sim_world_create(&(struct os_sim_options){.seed = seed, .wall_ms = 1700000000000}, &rig->world));
    rig->main_os = os_sim_create(rig->world);
    for (int i = 0; i < RIG_WRITERS; i++) rig->os[i] = os_sim_create(rig->world);
    rig->options = (struct journal_options){.folder = "/j", .segment_size = 64 << 10, .spare_count = 2, .depth_max = 4};
    rig->options.keep_size = 1 << 30;
    rig->options.busy_bytes = UINT64_MAX;
    memset(rig->options.store_id, 7, sizeof rig->options.store_id);
    rig->blocks = calloc(RIG_BLOCKS_MAX, sizeof *rig->blocks);
    rig->visited = calloc(RIG_BLOCKS_MAX * 2, sizeof *rig->visited);
    rig->slots_per_block = 255;
    rig->now_ms = 1700000000000;
    rig->release_position = UINT64_MAX;
}

void rig_destroy(struct rig *rig)
{
    if (rig->journal) rig_kill(rig);
    os_sim_world_destroy(rig->world);
    free(rig->blocks);
    free(rig->visited);
    vault_close(rig->vault);
}

static void settled(struct journal_block *block, struct result result)
{
    struct rig *rig = block->owner;
    uint64_t id;
    memcpy(&id, block->slots, sizeof id);
    struct rig_block *own = &rig->blocks[id - 1];
    if (result_failed(result)) {
        own->settled_bad = true;
        return;
    }
    own->settled_ok = true;
    if (own->position <= rig->writer_last[own->writer]) rig->out_of_order = true;
    rig->writer_last[own->writer] = own->position;
    if (own->position > journal_durable_through(rig->journal)) rig->out_of_order = true;
    /* Answers leave in order: everything before this one is durable, and was settled or is about to be on its own
     * thread. */
    if (own->position > rig->settle_order_last) rig->settle_order_last = own->position;
}

static struct result visit(void *context, const struct journal_block_view *block)
{
    struct rig *rig = context;
    uint64_t position = block->header->position;
    uint8_t kind = block->slots[JOURNAL_SLOT_SIZE - 1];
    if (kind != SLOT_VERIFY) {
        /* The journal's own record. */
        if (!block->salvaged) {
            if (rig->visited_last && position != rig->visited_last + 1) rig->gap = true;
            rig->visited_last = position;
            rig->visited[position] = UINT64_MAX;
        }
        return result_ok();
    }
    uint64_t id;
    memcpy(&id, block->slots, sizeof id);
    if (id == 0 || id > rig->block_count) {
        rig->invented = true;
        return result_ok();
    }
    for (uint32_t slot = 0; slot < block->header->slot_count; slot++)
        if (memcmp(block->slots + (size_t)slot * 64, &id, 8) != 0) rig->invented = true;
    if (rig->blocks[id - 1].position != position) rig->invented = true;
    if (block->salvaged) {
        rig->salvaged_count++;
        return result_ok();
    }
    if (rig->visited_last && position != rig->visited_last + 1) rig->gap = true;
    rig->visited_last = position;
    rig->visited_count++;
    rig->visited[position] = id;
    return result_ok();
}

struct result rig_open(struct rig *rig, uint64_t after_position)
{
    memset(rig->visited, 0, RIG_BLOCKS_MAX * 2 * sizeof *rig->visited);
    rig->visited_last = after_position;
    rig->visited_count = rig->salvaged_count = 0;
    uint64_t bad_position;
    TRY(journal_open(rig->main_os, &rig->options, rig->vault, after_position, visit, rig, &rig->journal,
                     &bad_position));
    return rig_writers(rig);
}

struct result rig_ready(struct rig *rig, uint64_t after_position)
{
    TRY(rig_open(rig, after_position));
    return rig_keep(rig);
}

struct result rig_writers(struct rig *rig)
{
    for (int i = 0; i < RIG_WRITERS; i++) {
        struct journal_writer_options options = {.block_count = 2,
                                                 .kept_count = rig->kept_count,
                                                 .slots_per_block = rig->slots_per_block,
                                                 .settled = settled};
        TRY(journal_writer_create(rig->journal, rig->os[i], &options, &rig->writers[i]));
        rig->writer_last[i] = 0;
    }
    return result_ok();
}

void rig_kill(struct rig *rig)
{
    if (!rig->journal) return;
    journal_poison(rig->journal);
    for (int i = 0; i < RIG_WRITERS; i++) {
        struct journal_writer *writer = rig->writers[i];
        if (!writer) continue;
        writer->queue_count = writer->headers = writer->used_count = 0;
        journal_writer_destroy(writer);
        rig->writers[i] = NULL;
    }
    for (struct segment *segment = rig->journal->oldest; segment; segment = segment->next) segment->file = -1;
    rig->journal->keeper.making_file = -1;
    journal_close(rig->journal, rig->main_os);
    rig->journal = NULL;
}

void rig_close(struct rig *rig)
{
    assert_true(rig_drain(rig));
    for (int i = 0; i < RIG_WRITERS; i++) {
        journal_writer_destroy(rig->writers[i]);
        rig->writers[i] = NULL;
    }
    journal_close(rig->journal, rig->main_os);
    rig->journal = NULL;
}

void rig_crash(struct rig *rig)
{
    /* The disk first: what is in flight tears out of the buffers that the kill frees. */
    os_sim_crash(rig->world);
    rig_kill(rig);
    os_destroy(rig->main_os);
    for (int i = 0; i < RIG_WRITERS; i++) os_destroy(rig->os[i]);
    rig->main_os = os_sim_create(rig->world);
    for (int i = 0; i < RIG_WRITERS; i++) rig->os[i] = os_sim_create(rig->world);
}

bool rig_append(struct rig *rig, uint32_t writer, uint32_t slot_count, struct result *ret_refusal)
{
    struct journal_block *block;
    struct result result = journal_begin(rig->writers[writer], &block);
    if (ret_refusal) *ret_refusal = result;
    if (result_failed(result)) return false;
    assert_true(rig->block_count < RIG_BLOCKS_MAX);
    uint64_t id = ++rig->block_count;
    for (uint32_t slot = 0; slot < slot_count; slot++) {
        uint8_t *at = block->slots + (size_t)slot * 64;
        memset(at, (int)(id * 31 + slot), 64);
        memcpy(at, &id, sizeof id);
        at[63] = SLOT_VERIFY;
    }
    block->owner = rig;
    rig->blocks[id - 1] = (struct rig_block){.id = id, .writer = writer};
    journal_append(block, slot_count, rig->now_ms);
    rig->blocks[id - 1].position = block->position;
    return true;
}

bool rig_step(struct rig *rig)
{
    for (int i = 0; i < RIG_WRITERS; i++) {
        if (result_failed(os_step(rig->os[i], 20000, NULL))) return false;
        journal_poll(rig->writers[i]);
    }
    return true;
}

bool rig_drain(struct rig *rig)
{
    for (;;) {
        uint32_t in_flight = 0;
        for (int i = 0; i < RIG_WRITERS; i++) in_flight += journal_in_flight(rig->writers[i]);
        if (in_flight == 0) return true;
        if (!rig_step(rig)) return false;
    }
}

void rig_make_durable(struct rig *rig)
{
    while (journal_in_flight(rig->writers[0]) > 0) {
        assert_ok(os_step(rig->os[0], 20000, NULL));
        journal_poll(rig->writers[0]);
    }
}

struct result rig_keep(struct rig *rig)
{
    for (int i = 0; i < 10000; i++) {
        bool more;
        TRY(journal_keep(rig->journal, rig->writers[RIG_KEEPER], rig->now_ms, rig->release_position, &more));
        if (!more && journal_in_flight(rig->writers[RIG_KEEPER]) == 0) return result_ok();
        if (!rig_step(rig)) return result_of(OS_FAILED);
    }
    return result_of(FULL);
}

struct result rig_finish(struct rig *rig)
{
    if (!rig_drain(rig)) return result_of(OS_FAILED);
    return journal_finish(rig->journal, rig->writers[RIG_KEEPER], rig->now_ms);
}

bool rig_promises_kept(const struct rig *rig, uint64_t after_position)
{
    if (rig->invented || rig->gap || rig->out_of_order) return false;
    for (uint64_t i = 0; i < rig->block_count; i++) {
        const struct rig_block *block = &rig->blocks[i];
        if (block->settled_ok && block->position > after_position && rig->visited[block->position] != block->id)
            return false;
    }
    return true;
}

void rig_vault_twins(uint8_t ret_store_id[16], struct vault **ret_one, struct vault **ret_other)
{
    char folder[] = "/tmp/journal-test-XXXXXX";
    char path[64];
    uint8_t row[VAULT_KEYS_ROW_SIZE_MAX];
    size_t row_size;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/key", folder);
    assert_ok(vault_key_file_create(path));
    assert_ok(vault_create(path, ret_store_id, row, &row_size));
    assert_ok(vault_open(path, ret_store_id, row, row_size, ret_one));
    if (ret_other) assert_ok(vault_open(path, ret_store_id, row, row_size, ret_other));
    unlink(path);
    rmdir(folder);
}

struct vault *rig_vault(uint8_t ret_store_id[16])
{
    struct vault *vault;
    rig_vault_twins(ret_store_id, &vault, NULL);
    return vault;
}

const char *rig_segment_path(uint64_t number)
{
    static char path[64];
    snprintf(path, sizeof path, "/j/%016" PRIx64 ".seg", number);
    return path;
}

/* ---- a disk at rest ---- */

void rig_fill(struct rig *rig, unsigned count)
{
    rig_create(rig, 1);
    assert_ok(rig_ready(rig, 0));
    for (unsigned i = 0; i < count; i++) {
        assert_true(rig_append(rig, 0, 1, NULL));
        assert_true(rig_drain(rig));
    }
    rig_close(rig);
}

uint8_t *rig_block_bytes(struct rig *rig, uint64_t position)
{
    uint64_t size;
    uint8_t *bytes = os_sim_file(rig->world, rig_segment_path(1), &size);
    assert_non_null(bytes);
    return bytes + SEGMENT_HEADER_SIZE + (position - 1) * JOURNAL_BLOCK_ALIGNMENT;
}

struct result rig_reopen(struct rig *rig, uint64_t *ret_bad_position)
{
    struct result result =
        journal_open(rig->main_os, &rig->options, NULL, 0, NULL, NULL, &rig->journal, ret_bad_position);
    if (result_failed(result)) rig->journal = NULL;
    return result;
}

void rig_claim_committed(struct rig *rig, uint64_t position, uint64_t committed_through)
{
    uint8_t *bytes = rig_block_bytes(rig, position);
    struct journal_block_header header;
    memcpy(&header, bytes, sizeof header);
    header.committed_through = committed_through;
    if (position > 1) memcpy(&header.predecessor, rig_block_bytes(rig, position - 1) + 56, 8);
    format_block_finish(&header);
    memcpy(bytes, &header, sizeof header);
}
