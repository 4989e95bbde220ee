/* Logs whose checksums are right and whose seals, checkpoints or headers say what cannot be: each claim by itself, told
 * by its own finding. And checks that go on from a checkpoint that was checked before. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helpers.h"
#include "journal/file.h"
#include "journal/format.h"
#include "journal/internal.h"

enum { SEGMENTS_MAX = 64 };

struct log {
    struct rig rig;
    struct vault *auditor; /* the same keys at their beginning */
    uint8_t key[VAULT_PUBLIC_KEY_SIZE];
    struct journal_check_report half; /* of the log's first run alone */
    struct journal_check_report whole;
    uint8_t *kept[SEGMENTS_MAX]; /* as written */
    uint64_t sizes[SEGMENTS_MAX];
};

static uint8_t *segment(struct log *log, uint64_t number, uint64_t *ret_size)
{
    return os_sim_file(log->rig.world, rig_segment_path(number), ret_size);
}

static struct result check(struct log *log, const struct journal_check_options *options,
                           struct journal_check_report *ret_report)
{
    return journal_check(log->rig.main_os, "/j", options, ret_report);
}

static void fill(struct rig *rig, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        while (!rig_append(rig, i % 3, 1 + i * 7 % 120, NULL)) {
            assert_true(rig_step(rig));
            assert_ok(rig_keep(rig));
        }
        rig->now_ms += 300;
        if (i % 5 == 0) assert_ok(rig_keep(rig));
    }
    assert_true(rig_drain(rig));
    rig->now_ms += 2000;
    assert_ok(rig_keep(rig));
}

static void keep_log(struct log *log)
{
    for (unsigned i = 1; i < SEGMENTS_MAX; i++) {
        uint64_t size;
        const uint8_t *bytes = segment(log, i, &size);
        if (!bytes) continue;
        log->kept[i] = malloc(size);
        log->sizes[i] = size;
        memcpy(log->kept[i], bytes, size);
    }
}

static struct log *begin(void)
{
    struct log *log = calloc(1, sizeof *log);
    rig_create(&log->rig, 12);
    rig_vault_twins(log->rig.options.store_id, &log->rig.vault, &log->auditor);
    vault_public_key(log->rig.vault, log->key);
    return log;
}

static struct log *create(void)
{
    struct log *log = begin();
    struct rig *rig = &log->rig;
    for (int run = 0; run < 2; run++) {
        assert_ok(rig_ready(rig, 0));
        fill(rig, 60);
        assert_ok(rig_finish(rig));
        rig_close(rig);
        const struct journal_check_options options = {.public_key = log->key};
        assert_ok(check(log, &options, run ? &log->whole : &log->half));
    }
    assert_true(log->whole.signed_any && log->half.signed_through < log->whole.signed_through);
    keep_log(log);
    return log;
}

static void restore(struct log *log)
{
    for (unsigned i = 1; i < SEGMENTS_MAX; i++) {
        uint64_t size;
        if (log->kept[i] && segment(log, i, &size)) memcpy(segment(log, i, &size), log->kept[i], log->sizes[i]);
    }
}

static void destroy(struct log *log)
{
    for (unsigned i = 1; i < SEGMENTS_MAX; i++) free(log->kept[i]);
    vault_close(log->auditor);
    rig_destroy(&log->rig);
    free(log);
}

/* Walks the blocks from the oldest segment on, as their headers lie; each(block) may change one. Mends every checksum
 * and predecessor behind it. */
static void forge(struct log *log, void (*each)(void *context, struct journal_block_header *header, uint8_t *slots),
                  void *context)
{
    uint64_t predecessor = 0, position = 0;
    for (unsigned i = 1; i < SEGMENTS_MAX; i++) {
        uint64_t size;
        uint8_t *bytes = segment(log, i, &size);
        struct segment_header *segment_header = (struct segment_header *)(void *)bytes;
        if (!bytes || segment_header->magic != SEGMENT_MAGIC) continue;
        if (position == 0) predecessor = segment_header->predecessor;
        segment_header->predecessor = predecessor;
        format_header_finish(segment_header);
        for (uint64_t at = SEGMENT_HEADER_SIZE; at < size;) {
            struct journal_block_header *header = (struct journal_block_header *)(void *)(bytes + at);
            if (header->magic != JOURNAL_BLOCK_MAGIC || header->incarnation != segment_header->incarnation) break;
            if (position > 0 && header->position != position + 1) break;
            position = header->position;
            if (each) each(context, header, bytes + at + sizeof *header);
            header->predecessor = predecessor;
            format_block_body(header, bytes + at + sizeof *header);
            format_block_finish(header);
            predecessor = header->header_checksum;
            at += format_block_size(header->slot_count);
        }
    }
}

/* ---- one record changed ---- */

struct change {
    uint8_t kind;   /* of the block's first slot */
    unsigned index; /* which of these, from 0 on */
    void (*how)(void *record);
    struct vault *sign; /* checkpoints are signed again */
};

static void change_record(void *context, struct journal_block_header *header, uint8_t *slots)
{
    struct change *change = context;
    (void)header;
    if (slots[JOURNAL_SLOT_SIZE - 1] != change->kind || change->index-- != 0) return;
    union {
        struct slot_seal seal;
        struct slot_checkpoint checkpoint;
    } record;
    memcpy(&record, slots, sizeof record);
    change->how(&record);
    if (change->sign) {
        uint8_t bytes[CHECKPOINT_SIGNED_SIZE];
        checkpoint_signed_bytes(&record.checkpoint, bytes);
        assert_ok(vault_sign(change->sign, bytes, sizeof bytes, record.checkpoint.signature));
    }
    memcpy(slots, &record, sizeof record);
}

#define CHANGE(type, name, ...)                                                                                        \
    static void name(void *record)                                                                                     \
    {                                                                                                                  \
        struct type *it = record;                                                                                      \
        __VA_ARGS__;                                                                                                   \
    }
CHANGE(slot_seal, seal_of_nothing, it->first = 0)
CHANGE(slot_seal, seal_turned_round, it->last = it->first - 1)
CHANGE(slot_seal, seal_of_itself, it->last += 1000)
CHANGE(slot_seal, seal_reserved, it->reserved[3] = 1)
CHANGE(slot_seal, seal_reserved2, it->reserved2[3] = 1)
CHANGE(slot_seal, seal_number, it->number++)
CHANGE(slot_seal, seal_overlap, it->first--)
CHANGE(slot_seal, seal_previous, it->previous[0] ^= 1)
CHANGE(slot_seal, seal_of_another, it->segment = 1)
CHANGE(slot_seal, seal_key, it->mac_segment++)
CHANGE(slot_seal, seal_root, it->root[0] ^= 1)
CHANGE(slot_seal, seal_mac, it->mac[0] ^= 1)
CHANGE(slot_checkpoint, checkpoint_store, it->store_id[0] ^= 1)
CHANGE(slot_checkpoint, checkpoint_reserved, it->reserved[0] = 1)
CHANGE(slot_checkpoint, checkpoint_last, it->last--)
CHANGE(slot_checkpoint, checkpoint_seal, it->seal_number++)
CHANGE(slot_checkpoint, checkpoint_previous, it->previous[0] ^= 1)
CHANGE(slot_checkpoint, checkpoint_count, it->seal_count++)
CHANGE(slot_checkpoint, checkpoint_root, it->seals_root[0] ^= 1)

static void each_claim_of_a_seal_or_a_checkpoint_is_held_against_what_it_is_about(void **state)
{
    (void)state;
    static const struct {
        uint8_t kind;
        void (*how)(void *record);
        const char *finding;
    } claims[] = {{SLOT_SEAL, seal_of_nothing, "makes no sense"},
                  {SLOT_SEAL, seal_turned_round, "makes no sense"},
                  {SLOT_SEAL, seal_of_itself, "makes no sense"},
                  {SLOT_SEAL, seal_reserved, "makes no sense"},
                  {SLOT_SEAL, seal_reserved2, "makes no sense"},
                  {SLOT_SEAL, seal_number, "does not follow"},
                  {SLOT_SEAL, seal_overlap, "does not follow"},
                  {SLOT_SEAL, seal_previous, "does not follow"},
                  {SLOT_SEAL, seal_of_another, "not of the segment"},
                  {SLOT_SEAL, seal_key, "not of the segment"},
                  {SLOT_SEAL, seal_root, "are not what seal"},
                  {SLOT_SEAL, seal_mac, "the MAC of seal"},
                  {SLOT_CHECKPOINT, checkpoint_store, "of another store"},
                  {SLOT_CHECKPOINT, checkpoint_reserved, "of another store"},
                  {SLOT_CHECKPOINT, checkpoint_last, "not of the last seal"},
                  {SLOT_CHECKPOINT, checkpoint_seal, "not of the last seal"},
                  {SLOT_CHECKPOINT, checkpoint_previous, "does not fit its seals"},
                  {SLOT_CHECKPOINT, checkpoint_count, "does not fit its seals"},
                  {SLOT_CHECKPOINT, checkpoint_root, "does not fit its seals"}};
    struct log *log = create();
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
        struct journal_check_report report;
        bool signs = claims[i].kind == SLOT_CHECKPOINT;
        struct change change = {
            .kind = claims[i].kind, .index = 3, .how = claims[i].how, .sign = signs ? log->rig.vault : NULL};
        forge(log, change_record, &change);
        /* The MACs are the last line: with a fresh key each time, which the check walks forward. */
        const struct journal_check_options options = {.public_key = log->key,
                                                      .vault = claims[i].how == seal_mac ? log->auditor : NULL};
        assert_code(check(log, &options, &report), JOURNAL_BAD_SEAL);
        if (!strstr(report.finding, claims[i].finding))
            fail_msg("claim %zu: \"%s\", not \"%s\"", i, report.finding, claims[i].finding);
        restore(log);
    }
    destroy(log);
}

/* Without the public key a signature is bytes, and without the vault a MAC is. */
static void what_cannot_be_verified_is_not_said_to_be(void **state)
{
    (void)state;
    struct log *log = create();
    struct journal_check_report report;
    const struct journal_check_options options = {0};
    assert_ok(check(log, &options, &report));
    assert_true(!report.signed_any && report.signed_through == 0 && report.macs_checked == 0);
    assert_true(report.sealed_through > 0);
    destroy(log);
}

static void remove_segments(struct log *log, uint64_t first, uint64_t last)
{
    for (uint64_t number = first; number <= last; number++) {
        struct os_op op = {.kind = OS_UNLINK, .path = rig_segment_path(number)};
        assert_int_equal(os_run(log->rig.main_os, &op), 0);
    }
}

/* A part of a log: what stands behind its blocks may lie before it, and says so of itself. */
CHANGE(slot_seal, seal_far_key, it->mac_segment += 1000000)

static void a_part_of_a_log_is_checked_as_far_as_it_goes(void **state)
{
    (void)state;
    struct log *log = create();
    struct journal_check_report report;
    remove_segments(log, 1, 2);
    const struct journal_check_options part = {.public_key = log->key, .vault = log->auditor, .part = true};
    assert_ok(check(log, &part, &report));
    assert_true(report.first_position > 1 && report.signed_any);
    const struct journal_check_options all = {.public_key = log->key};
    assert_code(check(log, &all, &report), JOURNAL_MISSING);
    assert_int_equal(report.kind, FINDING_BEGINNING);
    destroy(log);

    /* The first seal is of a segment that is gone, and names a key that nobody has reached. */
    log = create();
    remove_segments(log, 1, 2);
    struct change change = {.kind = SLOT_SEAL, .how = seal_far_key};
    forge(log, change_record, &change);
    assert_code(check(log, &part, &report), JOURNAL_BAD_SEAL);
    assert_non_null(strstr(report.finding, "a key of the future"));
    destroy(log);
}

/* ---- headers and blocks ---- */

struct block_change {
    uint64_t position;
    void (*how)(struct journal_block_header *header, uint8_t *slots);
};

static void change_block(void *context, struct journal_block_header *header, uint8_t *slots)
{
    const struct block_change *change = context;
    if (header->position == change->position) change->how(header, slots);
}

static void time_falls(struct journal_block_header *header, uint8_t *slots)
{
    (void)slots;
    header->time_ms -= 100000;
}

static void committed_falls(struct journal_block_header *header, uint8_t *slots)
{
    (void)slots;
    header->committed_through = 0;
}

static void no_record(struct journal_block_header *header, uint8_t *slots)
{
    (void)header;
    slots[JOURNAL_SLOT_SIZE - 1] = 99;
}

static void each_claim_of_a_block_is_held_against_the_one_before_it(void **state)
{
    (void)state;
    static const struct {
        void (*how)(struct journal_block_header *header, uint8_t *slots);
        const char *finding;
    } claims[] = {{time_falls, "time falls"}, {committed_falls, "committed-through falls"}, {no_record, "no record"}};
    struct log *log = create();
    const struct journal_check_options options = {.public_key = log->key};
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
        struct journal_check_report report;
        struct block_change change = {.position = 20, .how = claims[i].how};
        forge(log, change_block, &change);
        assert_code(check(log, &options, &report), JOURNAL_CORRUPT);
        assert_non_null(strstr(report.finding, claims[i].finding));
        assert_true(report.bad_position <= 20 && report.bad_last == 20);
        restore(log);
    }
    destroy(log);
}

static void each_segment_is_of_the_same_store_and_has_a_key_of_its_own(void **state)
{
    (void)state;
    struct log *log = create();
    struct journal_check_report report;
    uint64_t size;
    uint8_t other[16] = {1};
    const struct journal_check_options wrong = {.public_key = log->key, .store_id = other};
    assert_code(check(log, &wrong, &report), JOURNAL_CORRUPT);
    assert_int_equal(report.kind, FINDING_SPLICED);

    const struct journal_check_options options = {.public_key = log->key};
    struct segment_header *header = (struct segment_header *)(void *)segment(log, 3, &size);
    header->mac_segment--;
    forge(log, NULL, NULL);
    assert_code(check(log, &options, &report), JOURNAL_CORRUPT);
    assert_non_null(strstr(report.finding, "a key used before"));
    restore(log);

    /* The oldest one is a stranger's: what is behind it is another log. */
    header = (struct segment_header *)(void *)segment(log, 1, &size);
    header->store_id[0] ^= 1;
    format_header_finish(header);
    assert_true(result_failed(check(log, &options, &report)));
    destroy(log);
}

/* Position 1 names nothing before it: where the second does not follow, either of the two is the stranger. */
static void a_first_block_that_the_second_does_not_name_is_spliced(void **state)
{
    (void)state;
    struct log *log = create();
    struct journal_check_report report;
    uint64_t size;
    uint8_t *bytes = segment(log, 1, &size) + SEGMENT_HEADER_SIZE;
    struct journal_block_header header;
    memcpy(&header, bytes, sizeof header);
    header.time_ms--;
    format_block_finish(&header);
    memcpy(bytes, &header, sizeof header);
    assert_code(check(log, &(struct journal_check_options){0}, &report), JOURNAL_CORRUPT);
    assert_int_equal(report.kind, FINDING_SPLICED);
    assert_int_equal(report.bad_position, 1);
    destroy(log);
}

/* ---- a log that does not begin at its beginning ---- */

static void act_instead(struct journal_block_header *header, uint8_t *slots)
{
    (void)header;
    struct slot_act act = {.kind = SLOT_ACT};
    memcpy(slots, &act, sizeof act);
}

static bool any_act_says_so(const struct slot_act *act, const uint8_t *payload, uint64_t first_position)
{
    (void)act;
    (void)payload;
    return first_position > 1;
}

static bool no_act_says_so(const struct slot_act *act, const uint8_t *payload, uint64_t first_position)
{
    (void)act;
    (void)payload;
    (void)first_position;
    return false;
}

static void an_act_may_say_why_the_beginning_is_gone(void **state)
{
    (void)state;
    struct log *log = create();
    struct journal_check_report report;
    uint64_t size;
    remove_segments(log, 1, 2);
    const struct segment_header *header = (const struct segment_header *)(void *)segment(log, 3, &size);
    struct block_change change = {.position = header->first_position + 1, .how = act_instead};
    forge(log, change_block, &change);
    /* Signatures and roots do not fit what was changed, and are not what this is about: without a key, and roots only
     * where the blocks are. */
    for (int says = 0; says < 3; says++) {
        const struct journal_check_options options = {.begins_at = says == 0   ? NULL
                                                                   : says == 1 ? no_act_says_so
                                                                               : any_act_says_so};
        struct result result = check(log, &options, &report);
        assert_true(result_failed(result));
        assert_true(says < 2 || report.kind != FINDING_BEGINNING);
    }
    destroy(log);
}

/* ---- checkpoints that were published ---- */

static void a_published_checkpoint_is_met_or_too_old_or_not_of_this_log(void **state)
{
    (void)state;
    struct log *log = create();
    struct journal_check_report report;
    struct slot_checkpoint published[2] = {log->half.newest.checkpoint, log->whole.newest.checkpoint};
    struct journal_check_options options = {.public_key = log->key, .published = published, .published_count = 2};
    assert_ok(check(log, &options, &report));
    assert_int_equal(report.published_met, 2);
    published[0].time_ms++;
    assert_code(check(log, &options, &report), JOURNAL_BAD_SEAL);
    assert_non_null(strstr(report.finding, "another checkpoint than the one that was published"));
    published[0].segment += 1000; /* within what is there, and not of it */
    assert_code(check(log, &options, &report), JOURNAL_BAD_SEAL);
    assert_non_null(strstr(report.finding, "no such checkpoint"));
    published[0].last = 1000000;
    assert_code(check(log, &options, &report), JOURNAL_MISSING);
    assert_int_equal(report.kind, FINDING_TRUNCATED);
    published[0] = log->half.newest.checkpoint;
    options.published_count = 1;
    options.part = true;
    uint64_t size, number = 1;
    while (!segment(log, number, &size) ||
           ((const struct segment_header *)(void *)segment(log, number, &size))->first_position <=
               published[0].last + 1)
        remove_segments(log, number, number), number++;
    assert_ok(check(log, &options, &report));
    assert_true(report.published_met == 0 && report.published_old == 1);
    /* Of what is kept nothing is left: that is no reason why the note could not be compared. */
    for (uint64_t behind = number + 1; segment(log, behind, &size); behind++) remove_segments(log, behind, behind);
    uint8_t *bytes = segment(log, number, &size);
    memset(bytes + SEGMENT_HEADER_SIZE, 0, size - SEGMENT_HEADER_SIZE);
    assert_code(check(log, &options, &report), JOURNAL_MISSING);
    assert_true(report.blocks == 0 && report.kind == FINDING_TRUNCATED);
    destroy(log);
}

/* ---- going on ---- */

/* The segment as it was written, also where it was removed. */
static void put_back(struct log *log, unsigned number)
{
    uint64_t size;
    if (!log->kept[number]) return;
    if (!segment(log, number, &size)) {
        const char *name = strrchr(rig_segment_path(number), '/') + 1;
        int file;
        assert_ok(file_open(log->rig.main_os, "/j", name, OS_OPEN_WRITE | OS_OPEN_CREATE, &file));
        assert_ok(file_write(log->rig.main_os, file, log->kept[number], (uint32_t)log->sizes[number], 0, OS_WRITE));
        file_close(log->rig.main_os, file);
    }
    memcpy(segment(log, number, &size), log->kept[number], log->sizes[number]);
}

/* Nothing is left behind this position, as after a cut. */
static void cut_behind(struct log *log, uint64_t position)
{
    for (uint64_t number = 1; number < SEGMENTS_MAX; number++) {
        uint64_t size;
        uint8_t *bytes = segment(log, number, &size);
        const struct segment_header *header = (const struct segment_header *)(void *)bytes;
        if (!bytes || header->magic != SEGMENT_MAGIC) continue;
        if (header->first_position > position) {
            remove_segments(log, number, number);
            continue;
        }
        uint64_t at = SEGMENT_HEADER_SIZE, next = header->first_position;
        for (; next <= position && at < size && format_block_begins(bytes + at); next++)
            at += format_block_begins(bytes + at);
        if (next > position) memset(bytes + at, 0, size - at);
    }
}

static void a_check_goes_on_from_a_checkpoint_that_was_checked_before(void **state)
{
    (void)state;
    struct log *log = create();
    struct journal_check_report report;
    struct journal_check_state resume = log->half.newest;
    const struct journal_check_options options = {.public_key = log->key,
                                                  .vault = log->auditor,
                                                  .resume = &resume,
                                                  .published = &resume.checkpoint,
                                                  .published_count = 1};
    assert_ok(check(log, &options, &report));
    assert_true(report.resumed && report.blocks < log->whole.blocks && report.published_met == 1);
    assert_memory_equal(&report.newest, &log->whole.newest, sizeof report.newest);

    resume.checkpoint.time_ms++;
    assert_code(check(log, &options, &report), JOURNAL_BAD_SEAL);
    assert_non_null(strstr(report.finding, "checked before"));
    resume = log->half.newest;
    resume.seal_hash[0] ^= 1;
    assert_code(check(log, &options, &report), JOURNAL_BAD_SEAL);
    resume = log->half.newest;

    /* What was changed behind it is found; the log ends before the record of it. */
    struct block_change change = {.position = resume.checkpoint.last + 20, .how = time_falls};
    forge(log, change_block, &change);
    assert_true(result_failed(check(log, &options, &report)));
    restore(log);
    cut_behind(log, resume.checkpoint.last);
    assert_code(check(log, &options, &report), JOURNAL_MISSING);
    assert_int_equal(report.kind, FINDING_TRUNCATED);
    destroy(log);
}

struct places {
    uint64_t positions[SEGMENTS_MAX];
    unsigned count;
};

static void note_checkpoint(void *context, struct journal_block_header *header, uint8_t *slots)
{
    struct places *places = context;
    if (slots[JOURNAL_SLOT_SIZE - 1] == SLOT_CHECKPOINT) places->positions[places->count++] = header->position;
}

/* A run that died before anything was sealed is sealed by the next one: the records of many seals stand behind all that
 * they cover. From each checkpoint among them a check goes on. */
static void a_check_goes_on_from_any_checkpoint_also_where_seals_lag_behind(void **state)
{
    (void)state;
    struct log *log = begin();
    struct rig *rig = &log->rig;
    assert_ok(rig_ready(rig, 0));
    for (unsigned i = 0; i < 12; i++) {
        for (unsigned tries = 0; !rig_append(rig, i % 3, 200, NULL) && tries < 100; tries++) assert_true(rig_step(rig));
        assert_true(rig_drain(rig));
    }
    rig_crash(rig);
    assert_ok(rig_ready(rig, 0));
    fill(rig, 30);
    assert_ok(rig_finish(rig));
    rig_close(rig);
    keep_log(log);
    struct places places = {0};
    forge(log, note_checkpoint, &places);
    assert_true(places.count >= 3);
    const struct journal_check_options first = {.public_key = log->key};
    for (unsigned i = 0; i < places.count; i++) {
        struct journal_check_report report, again;
        cut_behind(log, places.positions[i]);
        assert_ok(check(log, &first, &report));
        struct journal_check_state resume = report.newest;
        for (unsigned number = 1; number < SEGMENTS_MAX; number++) put_back(log, number);
        const struct journal_check_options options = {.public_key = log->key, .resume = &resume};
        if (result_failed(check(log, &options, &again)))
            fail_msg("from the checkpoint of segment %llu: %s", (unsigned long long)resume.checkpoint.segment,
                     again.finding);
        assert_true(again.resumed);
    }
    destroy(log);
}

static void where_the_log_no_longer_joins_a_check_begins_anew(void **state)
{
    (void)state;
    struct log *log = create();
    struct journal_check_report report;
    const struct journal_check_options options = {.public_key = log->key, .resume = &log->half.newest, .part = true};
    uint64_t size, number = 1;
    while (!segment(log, number, &size) ||
           ((const struct segment_header *)(void *)segment(log, number, &size))->first_position <=
               log->half.newest.checkpoint.last + 1)
        remove_segments(log, number, number), number++;
    assert_ok(check(log, &options, &report));
    assert_false(report.resumed);
    for (; number < SEGMENTS_MAX; number++)
        if (segment(log, number, &size)) remove_segments(log, number, number);
    /* Nothing is left at all. */
    assert_code(check(log, &options, &report), JOURNAL_MISSING);
    assert_int_equal(report.blocks, 0);
    destroy(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_claim_of_a_seal_or_a_checkpoint_is_held_against_what_it_is_about),
        cmocka_unit_test(what_cannot_be_verified_is_not_said_to_be),
        cmocka_unit_test(a_part_of_a_log_is_checked_as_far_as_it_goes),
        cmocka_unit_test(each_claim_of_a_block_is_held_against_the_one_before_it),
        cmocka_unit_test(each_segment_is_of_the_same_store_and_has_a_key_of_its_own),
        cmocka_unit_test(a_first_block_that_the_second_does_not_name_is_spliced),
        cmocka_unit_test(an_act_may_say_why_the_beginning_is_gone),
        cmocka_unit_test(a_published_checkpoint_is_met_or_too_old_or_not_of_this_log),
        cmocka_unit_test(a_check_goes_on_from_a_checkpoint_that_was_checked_before),
        cmocka_unit_test(a_check_goes_on_from_any_checkpoint_also_where_seals_lag_behind),
        cmocka_unit_test(where_the_log_no_longer_joins_a_check_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
