/* Folders forged at random, with every checksum right: blocks that stand elsewhere, name another run or position,
 * headers that say something else, files that are gone, empty, or under another's name. Nobody who reads them falls
 * over, and what is given is whole and in order. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helpers.h"
#include "journal/file.h"
#include "journal/format.h"
#include "journal/index.h"
#include "journal/proof.h"
#include "journal/scan.h"

enum { SEGMENTS_MAX = 24, FORGERIES_MAX = 3, LOGS = 4 };

struct forgery {
    struct os_sim_world *world; /* a copy, to be forged */
    struct os *os;
    bool fails; /* one of the disk's operations fails while it is read */
};

static struct os_sim_world *dice;

static uint64_t draw(uint64_t below)
{
    return os_sim_draw(dice) % below;
}

/* ---- logs ---- */

static void fill(struct rig *rig, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        while (!rig_append(rig, i % 3, 1 + (uint32_t)draw(150), NULL)) {
            assert_true(rig_step(rig));
            assert_ok(rig_keep(rig));
        }
        rig->now_ms += 200;
        if (i % 6 == 0) assert_ok(rig_keep(rig));
    }
    assert_true(rig_drain(rig));
    rig->now_ms += 2000;
    assert_ok(rig_keep(rig));
}

/* Runs that were stopped, or died with blocks in flight. */
static void write_log(struct rig *rig, uint64_t seed)
{
    rig_create(rig, seed);
    rig->vault = rig_vault(rig->options.store_id);
    rig->options.index = true;
    for (int run = 0; run < 3; run++) {
        assert_ok(rig_ready(rig, 0));
        fill(rig, 25 + (unsigned)draw(40));
        if (run == 0) assert_ok(rig_finish(rig));
        for (uint32_t writer = 0; run == 1 && writer < 3; writer++) rig_append(rig, writer, 5, NULL);
        if (run == 1)
            rig_crash(rig);
        else
            rig_close(rig);
    }
}

/* ---- forging ---- */

static uint8_t *segment(struct forgery *forgery, uint64_t *ret_number, uint64_t *ret_size)
{
    for (int tries = 0; tries < 100; tries++) {
        *ret_number = 1 + draw(SEGMENTS_MAX);
        uint8_t *bytes = os_sim_file(forgery->world, rig_segment_path(*ret_number), ret_size);
        if (bytes && *ret_size > SEGMENT_HEADER_SIZE &&
            ((const struct segment_header *)(const void *)bytes)->magic == SEGMENT_MAGIC)
            return bytes;
    }
    return NULL;
}

/* A block of a segment, drawn, that lies whole in it (forged ones may say otherwise); NULL: it holds none. */
static struct journal_block_header *block_in(uint8_t *bytes, uint64_t size)
{
    struct journal_block_header *found = NULL;
    uint64_t skip = draw(20);
    for (uint64_t at = SEGMENT_HEADER_SIZE; at < size;) {
        uint32_t block = format_block_begins(bytes + at);
        if (block == 0 || block > size - at) break;
        found = (struct journal_block_header *)(void *)(bytes + at);
        if (skip-- == 0) break;
        at += block;
    }
    return found;
}

static uint64_t near_to(uint64_t number)
{
    static const int64_t steps[] = {-1000, -5, -1, 1, 2, 5, 1000};
    return number + (uint64_t)steps[draw(sizeof steps / sizeof *steps)];
}

static void forge_block(struct forgery *forgery)
{
    uint64_t number, size, other_number, other_size;
    uint8_t *bytes = segment(forgery, &number, &size), *other = segment(forgery, &other_number, &other_size);
    struct journal_block_header *header = bytes ? block_in(bytes, size) : NULL;
    const struct journal_block_header *from = other ? block_in(other, other_size) : NULL;
    if (!header || !from) return;
    uint32_t from_size = format_block_size(from->slot_count);
    switch (draw(9)) {
    case 0:
        header->position = near_to(header->position);
        break;
    case 1:
        header->incarnation = near_to(header->incarnation);
        break;
    case 2:
        header->predecessor ^= 1;
        break;
    case 3:
        header->committed_through = draw(header->position);
        break;
    case 4:
        if ((uint8_t *)header + from_size <= bytes + size) memmove(header, from, from_size);
        return;
    case 5:
        memset(header, 0, format_block_size(header->slot_count));
        return;
    case 6: /* the body alone */
        ((uint8_t *)header)[100] ^= 1;
        return;
    case 7:
        header->slot_count = (uint16_t)(header->slot_count + draw(2000));
        break;
    default: /* a record that is none */
        ((uint8_t *)header)[2 * JOURNAL_SLOT_SIZE - 1] = (uint8_t)draw(9);
        format_block_body(header, (const uint8_t *)header + sizeof *header);
    }
    format_block_finish(header);
}

static void forge_header(struct forgery *forgery)
{
    uint64_t number, size;
    uint8_t *bytes = segment(forgery, &number, &size);
    if (!bytes) return;
    struct segment_header *header = (struct segment_header *)(void *)bytes;
    switch (draw(10)) {
    case 0:
        header->first_position = near_to(header->first_position);
        break;
    case 1:
        header->incarnation = near_to(header->incarnation);
        break;
    case 2:
        header->predecessor ^= 1;
        break;
    case 3:
        header->committed_through = near_to(header->committed_through);
        break;
    case 4:
        header->size = JOURNAL_BLOCK_ALIGNMENT * draw(20);
        break;
    case 5:
        header->segment = near_to(header->segment);
        break;
    case 6:
        header->store_id[0] ^= 1;
        break;
    case 7:
        header->depth_max = (uint32_t)draw(70);
        break;
    case 8: /* another version, or a header that is torn */
        format_header_finish(header);
        header->version++;
        if (draw(2)) header->magic ^= 1;
        return;
    default:
        memset(bytes, 0, SEGMENT_HEADER_SIZE);
        return;
    }
    format_header_finish(header);
}

static void forge_folder(struct forgery *forgery)
{
    char from[64], to[64];
    int file;
    snprintf(from, sizeof from, "%s", rig_segment_path(1 + draw(SEGMENTS_MAX)));
    snprintf(to, sizeof to, "%s", rig_segment_path(1 + draw(SEGMENTS_MAX)));
    struct os_op op = {.kind = OS_UNLINK, .path = from};
    if (draw(3) == 0) op = (struct os_op){.kind = OS_RENAME, .path = from, .path_to = to};
    (void)os_run(forgery->os, &op); /* where there is none, nothing was forged */
    if (draw(3) != 0) return;
    if (result_failed(file_open(forgery->os, "/j", strrchr(from, '/') + 1, OS_OPEN_WRITE | OS_OPEN_CREATE, &file)))
        return;
    file_close(forgery->os, file); /* an empty one in its place */
}

/* ---- those who read ---- */

struct order {
    uint64_t last;
    uint64_t count;
};

static void take(struct order *order, const struct journal_block_view *block)
{
    uint64_t position = block->header->position;
    uint32_t size = format_block_begins(block->header);
    assert_true(size > 0 && format_block_intact((const uint8_t *)block->header, size));
    assert_true(order->count == 0 || position > order->last);
    order->last = position;
    order->count++;
}

static void read(struct forgery *forgery, const struct journal_reader_options *options)
{
    struct os *os = forgery->os;
    struct journal_reader *reader;
    struct journal_block_view block;
    struct journal_place place;
    struct order order = {0};
    if (result_failed(journal_reader_open(os, "/j", options, &reader))) return;
    for (unsigned damages = 0; damages < 10000;) {
        struct result result = journal_reader_next(reader, &block);
        journal_reader_place(reader, &place);
        if (result.code == JOURNAL_CORRUPT) {
            damages++;
            continue;
        }
        if (result_failed(result)) break;
        take(&order, &block);
    }
    if (!forgery->fails)
        assert_int_equal(journal_reader_next(reader, &block).code, options->follow ? FULL : STORE_NOT_FOUND);
    journal_reader_close(reader);
}

static void on_block(void *context, unsigned thread, const struct journal_block_view *block)
{
    (void)thread;
    take(context, block);
}

static void scan(struct os *os, uint64_t from, uint64_t to)
{
    struct order order = {0};
    struct scan_options options = {.folder = "/j",
                                   .os = os,
                                   .thread_count = 1,
                                   .from_position = from,
                                   .to_position = to,
                                   .since_ms = INT64_MIN,
                                   .until_ms = INT64_MAX,
                                   .block = on_block,
                                   .context = &order};
    (void)!result_failed(journal_scan(&options, NULL));
}

static struct result visit(void *context, const struct journal_block_view *block)
{
    struct order *order = context;
    uint32_t size = format_block_begins(block->header);
    assert_true(size > 0 && format_block_intact((const uint8_t *)block->header, size));
    if (block->salvaged) return draw(8) ? result_ok() : result_of(NO_MEMORY);
    assert_true(order->count == 0 || block->header->position == order->last + 1);
    order->last = block->header->position;
    order->count++;
    return result_ok();
}

static void start(struct rig *rig, struct forgery *forgery, uint64_t after)
{
    struct journal *journal;
    struct order order = {0};
    uint64_t bad;
    struct result result =
        journal_open(forgery->os, &rig->options, NULL, after, visit, &order, &journal, draw(2) ? &bad : NULL);
    if (!result_failed(result)) journal_close(journal, forgery->os);
}

static void evidence(struct os *os, uint64_t position)
{
    struct journal_proof proof;
    struct slot_checkpoint *checkpoints;
    size_t count;
    if (!result_failed(journal_checkpoints(os, "/j", draw(2) ? position : 0, NULL, &checkpoints, &count))) {
        const struct slot_checkpoint *through = count > 0 && draw(2) ? &checkpoints[draw(count)] : NULL;
        const struct journal_proof_options options = {
            .position = position, .slot = (uint32_t)draw(3), .through = through};
        if (!result_failed(journal_prove(os, "/j", &options, &proof))) journal_proof_free(&proof);
        free(checkpoints);
    }
}

static void indexes(struct os *os)
{
    for (uint64_t number = 1; number < SEGMENTS_MAX; number++)
        (void)!result_failed(journal_index_make(os, "/j", number));
}

static void read_all(struct rig *rig, struct forgery *forgery)
{
    struct journal_check_report report;
    const struct journal_check_options options = {.part = draw(2)};
    uint64_t position = draw(160);
    forgery->fails = draw(3) == 0;
    if (forgery->fails) os_sim_faults_set(forgery->world, &(struct os_sim_faults){.fail_op_at = 1 + draw(30)});
    read(forgery, &(struct journal_reader_options){.from_position = position, .read_ahead = draw(4) == 0});
    read(forgery, &(struct journal_reader_options){.follow = true});
    scan(forgery->os, 0, 0);
    scan(forgery->os, position, position + draw(60));
    (void)!result_failed(journal_check(forgery->os, "/j", &options, &report));
    evidence(forgery->os, position);
    indexes(forgery->os);
    start(rig, forgery, draw(2) ? position : 0);
}

static void whatever_a_folder_holds_it_is_read_in_order_or_refused(void **state)
{
    (void)state;
    const char *text = getenv("OTPRING_FORGERIES");
    unsigned long wanted = text ? strtoul(text, NULL, 10) : 800;
    for (uint64_t seed = 1; seed <= LOGS; seed++) {
        struct rig rig;
        write_log(&rig, seed);
        for (unsigned long i = 0; i < wanted / LOGS; i++) {
            struct forgery forgery;
            assert_ok(os_sim_world_fork(rig.world, i, true, &forgery.world));
            forgery.os = os_sim_create(forgery.world);
            forgery.fails = false;
            for (uint64_t count = 1 + draw(FORGERIES_MAX); count > 0; count--) {
                uint64_t kind = draw(10);
                if (kind < 5)
                    forge_block(&forgery);
                else if (kind < 8)
                    forge_header(&forgery);
                else
                    forge_folder(&forgery);
            }
            read_all(&rig, &forgery);
            os_destroy(forgery.os);
            os_sim_world_destroy(forgery.world);
        }
        rig_destroy(&rig);
    }
    printf("counted: OTPRING_FORGERIES=%lu\n", wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_a_folder_holds_it_is_read_in_order_or_refused),
    };
    assert_ok(os_sim_world_create(&(struct os_sim_options){.seed = 99}, &dice));
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    os_sim_world_destroy(dice);
    return failed;
}
