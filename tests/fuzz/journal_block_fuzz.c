/* The reader and the check over arbitrary bytes in place of segments. The first byte says how much is mended: a fuzzer
 * does not guess checksums. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "journal/format.h"
#include "journal/journal.h"
#include "os/os_sim.h"

enum { FILE_SIZE = 64 << 10 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_file(struct os *os, const char *path, uint8_t *bytes)
{
    struct os_op op = {.kind = OS_OPEN, .path = path, .flags = OS_OPEN_WRITE | OS_OPEN_CREATE};
    int file = (int)os_run(os, &op);
    CHECK(file >= 0);
    op = (struct os_op){.kind = OS_WRITE, .file = file, .buffer = bytes, .size = FILE_SIZE};
    CHECK(os_run(os, &op) == FILE_SIZE);
    op = (struct os_op){.kind = OS_CLOSE, .file = file};
    (void)os_run(os, &op);
}

/* Makes the header and every block's checksums right; positions, predecessors and slots stay as the input has them. */
static void mend(uint8_t *bytes, uint64_t number, bool chain)
{
    struct segment_header *header = (void *)bytes;
    header->segment = number;
    header->size = FILE_SIZE;
    header->depth_max = header->depth_max % JOURNAL_DEPTH_LIMIT + 1;
    if (header->first_position == 0 || chain)
        header->first_position = number == 1 ? 1 : header->first_position % 32 + 1;
    format_header_finish(header);
    uint64_t position = header->first_position;
    uint64_t predecessor = header->predecessor;
    for (uint64_t at = SEGMENT_HEADER_SIZE; at < FILE_SIZE;) {
        struct journal_block_header *block = (void *)(bytes + at);
        block->magic = JOURNAL_BLOCK_MAGIC;
        block->version = JOURNAL_FORMAT_VERSION;
        block->slot_count = block->slot_count % 100 + 1;
        uint32_t block_size = format_block_size(block->slot_count);
        if (at + block_size > FILE_SIZE) return;
        if (chain) {
            block->position = position++;
            block->incarnation = header->incarnation;
            block->predecessor = predecessor;
            block->committed_through %= block->position;
        }
        size_t used = 64 + (size_t)block->slot_count * 64;
        memset(bytes + at + used, 0, block_size - used);
        format_block_body(block, (uint8_t *)(block + 1));
        format_block_finish(block);
        predecessor = block->header_checksum;
        at += block_size;
    }
}

static struct result visit(void *context, const struct journal_block_view *block)
{
    uint64_t *sum = context;
    for (uint32_t slot = 0; slot < block->header->slot_count; slot++) *sum += block->slots[(size_t)slot * 64 + 63];
    return result_ok();
}

static void read_all(struct os *os)
{
    struct journal_reader *reader;
    if (result_failed(journal_reader_open(os, "/j", &(struct journal_reader_options){.from_position = 2}, &reader)))
        return;
    for (int i = 0; i < 1000; i++) {
        struct journal_block_view block;
        struct result result = journal_reader_next(reader, &block);
        if (result_failed(result) && result.code != JOURNAL_CORRUPT) break;
        CHECK(i < 999); /* an end comes, whatever the bytes are */
    }
    journal_reader_close(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) return 0;
    struct os_sim_world *world;
    CHECK(!result_failed(os_sim_world_create(&(struct os_sim_options){.seed = 1}, &world)));
    struct os *os = os_sim_create(world);
    uint8_t mode = data[0];
    data++;
    size--;
    uint8_t *bytes = aligned_alloc(4096, FILE_SIZE);
    for (uint64_t number = 1; number <= 2; number++) {
        size_t part = number == 1 ? size / 2 : size - size / 2;
        if (part > FILE_SIZE) part = FILE_SIZE;
        memset(bytes, 0, FILE_SIZE);
        memcpy(bytes, number == 1 ? data : data + size / 2, part);
        if (mode & number) mend(bytes, number, mode & 4);
        put_file(os, number == 1 ? "/j/0000000000000001.seg" : "/j/0000000000000002.seg", bytes);
    }
    free(bytes);
    read_all(os);
    struct journal_check_report report;
    uint8_t key[32] = {1};
    (void)!result_failed(journal_check(os, "/j", &(struct journal_check_options){.public_key = key}, &report));
    struct journal_options options = {.folder = "/j", .segment_size = FILE_SIZE, .spare_count = 1};
    struct journal *journal;
    uint64_t bad_position;
    uint64_t sum = 0;
    if (!result_failed(journal_open(os, &options, NULL, 0, visit, &sum, &journal, &bad_position)))
        journal_close(journal, os);
    os_sim_world_destroy(world);
    return 0;
}
