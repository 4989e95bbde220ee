/* Tampering, at random: whoever can write the files flips bits, drops, swaps and splices blocks and segments, cuts the
 * end off; as they stand, or with every checksum made right again, or with seals and checkpoints made anew under keys
 * of their own. The check, with what an auditor has (the public key, the newest published checkpoint, the store's
 * position and, for what is not signed yet, its present key), must find each at its place, and never accuse what was
 * left alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helpers.h"
#include "journal/internal.h"
#include "journal/proof.h"

enum { BLOCKS_MAX = 2000, SEGMENTS_MAX = 40, LOGS = 5 };

/* How far the forger goes. */
enum effort { RAW, CHECKSUMS, SEALS, EFFORTS };

struct forged_block {
    uint8_t *bytes;
    uint32_t size;
    unsigned segment; /* index */
    uint64_t was;     /* position in the true log */
};

/* A log as files, and as blocks that can be moved about. */
struct log {
    struct rig rig;
    struct rig other; /* another store's log, to splice from */
    uint8_t key[VAULT_PUBLIC_KEY_SIZE];
    struct slot_checkpoint published;
    struct journal_check_report clean;
    unsigned segment_count;
    uint64_t file_size[SEGMENTS_MAX];
    uint8_t *files[SEGMENTS_MAX]; /* as they are */
    struct forged_block blocks[BLOCKS_MAX];
    unsigned count;
};

static struct os_sim_world *dice;
static struct vault *forger;

static uint64_t draw(uint64_t below)
{
    return os_sim_draw(dice) % below;
}

/* ---- a log ---- */

static void fill(struct rig *rig, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        while (!rig_append(rig, i % 3, 1 + (uint32_t)(os_sim_draw(rig->world) % 120), NULL)) {
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

static void write_log(struct rig *rig, uint64_t seed)
{
    rig_create(rig, seed);
    rig->vault = rig_vault(rig->options.store_id);
    for (int run = 0; run < 2; run++) {
        assert_ok(rig_ready(rig, 0));
        fill(rig, 70);
        if (run == 0) assert_ok(rig_finish(rig));
        /* And a few seals in a segment that is not closed. */
        uint64_t segment = 0;
        for (int rounds = 0; run == 1 && rounds < 4; rounds++) {
            assert_true(rig_append(rig, 0, 3, NULL));
            assert_true(rig_drain(rig));
            rig->now_ms += 2000;
            assert_ok(rig_keep(rig));
            if (journal_status(rig->journal).segment != segment) rounds = 0;
            segment = journal_status(rig->journal).segment;
        }
        rig_close(rig);
    }
}

static uint8_t *file_of(struct rig *rig, unsigned index, uint64_t *ret_size)
{
    return os_sim_file(rig->world, rig_segment_path(index + 1), ret_size);
}

static struct result check(struct log *log, struct journal_check_report *ret_report)
{
    struct journal_check_options options = {.public_key = log->key,
                                            .vault = log->rig.vault,
                                            .published = &log->published,
                                            .published_count = 1,
                                            .known_position = log->clean.sealed_through,
                                            .store_id = log->rig.options.store_id,
                                            .threads = draw(8) == 0};
    return journal_check(log->rig.main_os, "/j", &options, ret_report);
}

static void make_log(struct log *log, uint64_t seed)
{
    struct slot_checkpoint *checkpoints;
    size_t count;
    memset(log, 0, sizeof *log);
    write_log(&log->rig, seed);
    write_log(&log->other, seed + 1000);
    vault_public_key(log->rig.vault, log->key);
    assert_ok(journal_checkpoints(log->rig.main_os, "/j", 0, NULL, &checkpoints, &count));
    log->published = checkpoints[count - 1];
    free(checkpoints);
    struct journal_check_options options = {.public_key = log->key, .vault = log->rig.vault};
    assert_ok(journal_check(log->rig.main_os, "/j", &options, &log->clean));
    assert_true(log->clean.macs_checked > 0 && log->clean.sealed_through > log->clean.signed_through);
    for (unsigned i = 0; i < SEGMENTS_MAX; i++) {
        uint64_t size;
        uint8_t *bytes = file_of(&log->rig, i, &size);
        if (!bytes || size < SEGMENT_HEADER_SIZE ||
            format_header_check((const struct segment_header *)(const void *)bytes, i + 1) != HEADER_VALID)
            break;
        log->files[i] = malloc(size);
        log->file_size[i] = size;
        memcpy(log->files[i], bytes, size);
        log->segment_count++;
    }
    assert_true(log->segment_count > 5);
}

static void restore(struct log *log)
{
    for (unsigned i = 0; i < log->segment_count; i++) {
        uint64_t size;
        memcpy(file_of(&log->rig, i, &size), log->files[i], log->file_size[i]);
    }
}

static void free_log(struct log *log)
{
    for (unsigned i = 0; i < log->segment_count; i++) free(log->files[i]);
    rig_destroy(&log->rig);
    rig_destroy(&log->other);
}

/* ---- the forger's workshop: blocks out of the files, and back ---- */

static void take_apart(struct log *log)
{
    log->count = 0;
    for (unsigned i = 0; i < log->segment_count; i++) {
        uint64_t at = SEGMENT_HEADER_SIZE;
        uint64_t expected = ((const struct segment_header *)(const void *)log->files[i])->first_position;
        while (at < log->file_size[i]) {
            const uint8_t *bytes = log->files[i] + at;
            uint32_t size = format_block_begins(bytes);
            if (size == 0 || ((const struct journal_block_header *)(const void *)bytes)->position != expected) break;
            struct forged_block *block = &log->blocks[log->count++];
            *block = (struct forged_block){.bytes = malloc(size), .size = size, .segment = i, .was = expected++};
            memcpy(block->bytes, bytes, size);
            at += size;
        }
    }
}

static struct journal_block_header *header_of(struct forged_block *block)
{
    return (struct journal_block_header *)(void *)block->bytes;
}

static uint8_t kind_of(const struct forged_block *block)
{
    return block->bytes[2 * JOURNAL_SLOT_SIZE - 1];
}

/* Positions, predecessors and checksums as if nothing had happened. */
static void mend_checksums(struct log *log)
{
    uint64_t predecessor = 0, committed = 0;
    for (unsigned i = 0; i < log->count; i++) {
        struct journal_block_header *header = header_of(&log->blocks[i]);
        header->position = i + 1;
        header->predecessor = predecessor;
        if (header->committed_through > i) header->committed_through = i;
        if (header->committed_through < committed) header->committed_through = committed;
        committed = header->committed_through;
        header->incarnation = ((struct segment_header *)(void *)log->files[log->blocks[i].segment])->incarnation;
        format_block_body(header, log->blocks[i].bytes + sizeof *header);
        format_block_finish(header);
        predecessor = header->header_checksum;
    }
}

static uint64_t position_now(const struct log *log, uint64_t was)
{
    uint64_t now = 0;
    for (unsigned i = 0; i < log->count; i++)
        if (log->blocks[i].was <= was) now = i + 1;
    return now;
}

static void forge_seal(struct log *log, struct forged_block *block, struct seal_state *state)
{
    struct slot_seal seal;
    static struct page_tree pages;
    memcpy(&seal, block->bytes + JOURNAL_SLOT_SIZE, sizeof seal);
    seal.number = state->seal_number + 1;
    seal.first = state->sealed_through + 1;
    seal.last = position_now(log, seal.last);
    page_tree_start(&pages);
    for (uint64_t at = seal.first; at <= seal.last; at++)
        page_tree_add(&pages, log->blocks[at - 1].bytes, log->blocks[at - 1].size);
    page_tree_root(&pages, seal.root);
    memcpy(seal.previous, state->seal_hash, 32);
    vault_mac(forger, &seal, offsetof(struct slot_seal, mac), seal.mac);
    memcpy(block->bytes + JOURNAL_SLOT_SIZE, &seal, sizeof seal);
    seal_state_seal(state, &seal);
}

static void forge_checkpoint(struct forged_block *block, struct seal_state *state)
{
    struct slot_checkpoint checkpoint;
    uint8_t bytes[CHECKPOINT_SIGNED_SIZE];
    memcpy(&checkpoint, block->bytes + JOURNAL_SLOT_SIZE, sizeof checkpoint);
    checkpoint.last = state->sealed_through;
    checkpoint.seal_number = state->seal_number;
    checkpoint.seal_count = state->seal_count;
    memcpy(checkpoint.previous, state->checkpoint_hash, 32);
    merkle_root(&state->seals, checkpoint.seals_root);
    checkpoint_signed_bytes(&checkpoint, bytes);
    /* Now and then the true signature is left: it is over something else. */
    if (draw(3) != 0) assert_ok(vault_sign(forger, bytes, sizeof bytes, checkpoint.signature));
    memcpy(block->bytes + JOURNAL_SLOT_SIZE, &checkpoint, sizeof checkpoint);
    seal_state_checkpoint(state, &checkpoint);
}

/* Seals and checkpoints made anew, each before the checksums of what it covers are final are none: in order. Only what
 * comes out differently is touched, so that what is before the forgery keeps its true MACs. */
static void mend_seals(struct log *log, uint64_t from)
{
    struct seal_state state = {0};
    merkle_start(&state.seals);
    for (unsigned i = 0; i < log->count; i++) {
        struct forged_block *block = &log->blocks[i];
        mend_checksums(log);
        struct slot_seal seal;
        memcpy(&seal, block->bytes + JOURNAL_SLOT_SIZE, sizeof seal);
        if (kind_of(block) == SLOT_SEAL && seal.last >= from)
            forge_seal(log, block, &state);
        else if (kind_of(block) == SLOT_SEAL)
            seal_state_seal(&state, &seal);
        else if (kind_of(block) == SLOT_CHECKPOINT && state.sealed_through >= from)
            forge_checkpoint(block, &state);
        else if (kind_of(block) == SLOT_CHECKPOINT) {
            struct slot_checkpoint checkpoint;
            memcpy(&checkpoint, block->bytes + JOURNAL_SLOT_SIZE, sizeof checkpoint);
            seal_state_checkpoint(&state, &checkpoint);
        }
    }
    mend_checksums(log);
}

/* Back into files: blocks one behind the other, the headers naming them. False: they do not fit any more. */
static bool put_together(struct log *log, enum effort effort)
{
    unsigned at = 0;
    for (unsigned i = 0; i < log->segment_count; i++) {
        uint64_t size, offset = SEGMENT_HEADER_SIZE;
        uint8_t *bytes = file_of(&log->rig, i, &size);
        struct segment_header *header = (struct segment_header *)(void *)bytes;
        memset(bytes + offset, 0, size - offset);
        if (effort != RAW) {
            header->first_position = at + 1;
            header->predecessor = at > 0 ? header_of(&log->blocks[at - 1])->header_checksum : 0;
            if (header->committed_through > at) header->committed_through = at;
            format_header_finish(header);
        }
        for (; at < log->count && log->blocks[at].segment == i; at++) {
            if (offset + log->blocks[at].size > size) return false;
            memcpy(bytes + offset, log->blocks[at].bytes, log->blocks[at].size);
            offset += log->blocks[at].size;
        }
    }
    return true;
}

static void free_blocks(struct log *log)
{
    for (unsigned i = 0; i < log->count; i++) free(log->blocks[i].bytes);
    log->count = 0;
}

/* ---- what is done to it: each gives the first position that is not what it was; 0: nothing came of it ---- */

static uint64_t flip(struct log *log, enum effort effort)
{
    struct forged_block *block = &log->blocks[draw(log->clean.sealed_through)];
    uint32_t filled = (1 + header_of(block)->slot_count) * (uint32_t)JOURNAL_SLOT_SIZE;
    /* Checksums of the header would only be made right again; padding has none. */
    uint64_t at = effort == RAW ? draw(block->size) : JOURNAL_SLOT_SIZE + draw(filled - JOURNAL_SLOT_SIZE);
    if (effort == SEALS && kind_of(block) >= SLOT_SEAL) return 0; /* it would be made anew */
    block->bytes[at] ^= (uint8_t)(1 << draw(8));
    return block->was;
}

static void remove_block(struct log *log, unsigned at)
{
    free(log->blocks[at].bytes);
    log->count--;
    memmove(&log->blocks[at], &log->blocks[at + 1], (log->count - at) * sizeof *log->blocks);
}

static uint64_t drop(struct log *log, enum effort effort)
{
    unsigned at = (unsigned)draw(log->clean.sealed_through);
    uint64_t was = log->blocks[at].was;
    (void)effort;
    remove_block(log, at);
    return was;
}

static uint64_t swap(struct log *log, enum effort effort)
{
    unsigned a = (unsigned)draw(log->clean.sealed_through), b = (unsigned)draw(log->clean.sealed_through);
    if (a > b) {
        unsigned c = a;
        a = b;
        b = c;
    }
    struct forged_block one = log->blocks[a], other = log->blocks[b];
    if (a == b) return 0;
    if (effort == SEALS && (kind_of(&one) >= SLOT_SEAL || kind_of(&other) >= SLOT_SEAL)) return 0;
    uint64_t was = one.was;
    log->blocks[a].bytes = other.bytes, log->blocks[a].size = other.size;
    log->blocks[b].bytes = one.bytes, log->blocks[b].size = one.size;
    return was;
}

/* Another block in its place: of the same log, or of another store's. */
static uint64_t splice(struct log *log, enum effort effort)
{
    unsigned at = (unsigned)draw(log->clean.sealed_through);
    struct forged_block *block = &log->blocks[at];
    uint64_t size;
    const uint8_t *from = NULL;
    uint32_t from_size = 0;
    if (effort == SEALS && kind_of(block) >= SLOT_SEAL) return 0;
    if (draw(2)) {
        const struct forged_block *source = &log->blocks[draw(log->clean.sealed_through)];
        from = source->bytes, from_size = source->size;
    } else {
        const uint8_t *file = file_of(&log->other, block->segment, &size);
        uint64_t offset = SEGMENT_HEADER_SIZE;
        for (uint64_t skip = draw(6); skip > 0 && format_block_begins(file + offset); skip--)
            offset += format_block_begins(file + offset);
        from = file + offset, from_size = format_block_begins(file + offset);
    }
    if (from_size == 0 || from == block->bytes) return 0;
    uint8_t *bytes = malloc(from_size);
    memcpy(bytes, from, from_size);
    if (effort == SEALS && bytes[2 * JOURNAL_SLOT_SIZE - 1] >= SLOT_SEAL) {
        free(bytes);
        return 0;
    }
    free(block->bytes);
    block->bytes = bytes;
    block->size = from_size;
    return block->was;
}

static uint64_t truncate(struct log *log, enum effort effort)
{
    unsigned at = (unsigned)draw(log->clean.sealed_through);
    (void)effort;
    if (at == 0) return 0; /* an empty folder is another matter */
    while (log->count > at) remove_block(log, log->count - 1);
    return at + 1;
}

static const struct {
    const char *name;
    uint64_t (*change)(struct log *log, enum effort effort);
    enum journal_finding finding; /* what it is called, as it is; NONE: depends */
} kinds[] = {{"flip", flip, FINDING_CHANGED},
             {"drop", drop, FINDING_DROPPED},
             {"swap", swap, FINDING_NONE},
             {"splice", splice, FINDING_NONE},
             {"truncate", truncate, FINDING_TRUNCATED}};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* Segments behind the cut have no blocks any more: their files go back to what files look like before they are used. */
static void empty_files_behind(struct log *log)
{
    unsigned last = log->count > 0 ? log->blocks[log->count - 1].segment : 0;
    for (unsigned i = last + 1; i < log->segment_count; i++) {
        uint64_t size;
        uint8_t *bytes = file_of(&log->rig, i, &size);
        memset(bytes, 0, size);
    }
}

static bool tamper(struct log *log, unsigned kind, enum effort effort)
{
    struct journal_check_report report;
    take_apart(log);
    uint64_t place = kinds[kind].change(log, effort);
    bool done = place > 0;
    if (done && effort == CHECKSUMS) mend_checksums(log);
    if (done && effort == SEALS) mend_seals(log, place);
    if (done) done = put_together(log, effort);
    if (done && kinds[kind].change == truncate) empty_files_behind(log);
    if (done) {
        struct result result = check(log, &report);
        if (!result_failed(result))
            fail_msg("%s of position %llu, effort %d: not found", kinds[kind].name, (unsigned long long)place, effort);
        if (report.finding[0] == '\0') fail_msg("%s: %s", kinds[kind].name, result_text(result));
        bool right = report.bad_position <= place && place <= report.bad_last;
        if (effort == RAW)
            right = (report.bad_position == place || report.bad_last == 2) &&
                    (!kinds[kind].finding || report.kind == kinds[kind].finding);
        if (!right)
            fail_msg("%s of position %llu, effort %d: found at %llu to %llu: %s: %s", kinds[kind].name,
                     (unsigned long long)place, effort, (unsigned long long)report.bad_position,
                     (unsigned long long)report.bad_last, journal_finding_name(report.kind), report.finding);
    }
    free_blocks(log);
    restore(log);
    return done;
}

static void random_tamperings_are_all_found_each_at_its_place(void **state)
{
    (void)state;
    const char *text = getenv("OTPRING_TAMPERINGS");
    unsigned long wanted = text ? strtoul(text, NULL, 10) : 600, done = 0, clean = 0;
    unsigned counts[KINDS][EFFORTS] = {0};
    static struct log log;
    for (uint64_t seed = 1; seed <= LOGS; seed++) {
        make_log(&log, seed);
        for (unsigned long i = 0; i < wanted / LOGS;) {
            unsigned kind = (unsigned)draw(KINDS);
            enum effort effort = (enum effort)draw(EFFORTS);
            if (!tamper(&log, kind, effort)) continue;
            counts[kind][effort]++;
            i++, done++;
            if (i % 20 != 0) continue;
            struct journal_check_report report;
            assert_ok(check(&log, &report));
            assert_int_equal(report.published_met, 1);
            clean++;
        }
        free_log(&log);
    }
    printf("counted: OTPRING_TAMPERINGS=%lu, untouched logs checked %lu times\n", done, clean);
    for (unsigned kind = 0; kind < KINDS; kind++)
        printf("counted: %s: %u as it is, %u with checksums, %u with seals\n", kinds[kind].name, counts[kind][RAW],
               counts[kind][CHECKSUMS], counts[kind][SEALS]);
}

static void neighbours_that_change_places_are_called_reordered(void **state)
{
    (void)state;
    static struct log log;
    struct journal_check_report report;
    make_log(&log, 6);
    for (unsigned at = 0; at + 1 < log.clean.sealed_through; at++) {
        take_apart(&log);
        if (log.blocks[at].segment == log.blocks[at + 1].segment) {
            struct forged_block block = log.blocks[at];
            log.blocks[at] = log.blocks[at + 1];
            log.blocks[at + 1] = block;
            assert_true(put_together(&log, RAW));
            assert_code(check(&log, &report), JOURNAL_CORRUPT);
            assert_int_equal(report.kind, FINDING_REORDERED);
            assert_int_equal(report.bad_position, at + 1);
        }
        free_blocks(&log);
        restore(&log);
    }
    free_log(&log);
}

/* The verdict, and everything else, is inside what is authenticated. */
static void every_bit_of_a_record_is_under_the_seal_whoever_mends_the_checksums(void **state)
{
    (void)state;
    static struct log log;
    struct journal_check_report report;
    make_log(&log, 77);
    for (unsigned bit = 0; bit < 8 * sizeof(struct slot_verify); bit++) {
        for (enum effort effort = RAW; effort < EFFORTS; effort++) {
            take_apart(&log);
            unsigned at = 0;
            while (kind_of(&log.blocks[at]) != SLOT_VERIFY) at++;
            log.blocks[at].bytes[JOURNAL_SLOT_SIZE + bit / 8] ^= (uint8_t)(1 << bit % 8);
            if (effort == CHECKSUMS) mend_checksums(&log);
            if (effort == SEALS) mend_seals(&log, log.blocks[at].was);
            assert_true(put_together(&log, effort));
            assert_true(result_failed(check(&log, &report)));
            assert_true(report.bad_position <= log.blocks[at].was && log.blocks[at].was <= report.bad_last);
            free_blocks(&log);
            restore(&log);
        }
    }
    free_log(&log);
}

static void a_segment_that_is_gone_or_of_another_store_is_found_where_it_began(void **state)
{
    (void)state;
    static struct log log;
    struct journal_check_report report;
    make_log(&log, 5);
    for (unsigned i = 0; i < log.segment_count; i++) {
        uint64_t first = ((const struct segment_header *)(const void *)log.files[i])->first_position, size;
        if (first > log.clean.sealed_through) break;
        uint8_t *bytes = file_of(&log.rig, i, &size);
        memcpy(bytes, file_of(&log.other, i, &size), size);
        assert_true(result_failed(check(&log, &report)));
        assert_true(report.bad_position <= first + 1);
        restore(&log);
        struct os_op op = {.kind = OS_RENAME, .path = rig_segment_path(i + 1), .path_to = "/j/gone"};
        char path[64];
        snprintf(path, sizeof path, "%s", op.path);
        op.path = path;
        assert_int_equal(os_run(log.rig.main_os, &op), 0);
        assert_true(result_failed(check(&log, &report)));
        if (i == 0)
            assert_int_equal(report.kind, FINDING_BEGINNING);
        else
            assert_int_equal(report.bad_position, first);
        op = (struct os_op){.kind = OS_RENAME, .path = "/j/gone", .path_to = path};
        assert_int_equal(os_run(log.rig.main_os, &op), 0);
        assert_ok(check(&log, &report));
    }
    free_log(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_tamperings_are_all_found_each_at_its_place),
        cmocka_unit_test(neighbours_that_change_places_are_called_reordered),
        cmocka_unit_test(every_bit_of_a_record_is_under_the_seal_whoever_mends_the_checksums),
        cmocka_unit_test(a_segment_that_is_gone_or_of_another_store_is_found_where_it_began),
    };
    uint8_t store_id[16];
    assert_ok(os_sim_world_create(&(struct os_sim_options){.seed = 99}, &dice));
    forger = rig_vault(store_id);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    vault_close(forger);
    os_sim_world_destroy(dice);
    return failed;
}
