/* Bytes that a disk may hold: each field that is wrong makes a header, a block or a record none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include <cmocka.h>

#include "journal/format.h"

enum { NUMBER = 7, FILE_SIZE = 1 << 20 };

static struct segment_header sound_header(void)
{
    struct segment_header header = {
        .depth_max = 4, .segment = NUMBER, .first_position = 9, .incarnation = 3, .size = FILE_SIZE};
    format_header_finish(&header);
    return header;
}

static enum header_state state_of(struct segment_header *header)
{
    header->header_checksum = XXH3_64bits(header, offsetof(struct segment_header, header_checksum));
    return format_header_check(header, NUMBER);
}

static void a_header_counts_when_every_field_may_be_so(void **state)
{
    (void)state;
    struct segment_header header = sound_header();
    assert_int_equal(state_of(&header), HEADER_VALID);
#define BROKEN(change, expected)                                                                                       \
    header = sound_header();                                                                                           \
    change;                                                                                                            \
    assert_int_equal(state_of(&header), expected)
    BROKEN(header.magic ^= 1, HEADER_NONE);
    BROKEN(header.version++, HEADER_VERSION);
    BROKEN(header.segment++, HEADER_NONE);
    BROKEN(header.size = SEGMENT_HEADER_SIZE - 1, HEADER_NONE);
    BROKEN(header.size = FILE_SIZE - 1, HEADER_NONE);
    BROKEN(header.first_position = 0, HEADER_NONE);
    BROKEN(header.depth_max = 0, HEADER_NONE);
    BROKEN(header.depth_max = JOURNAL_DEPTH_LIMIT + 1, HEADER_NONE);
    BROKEN(header.depth_max = JOURNAL_DEPTH_LIMIT, HEADER_VALID);
    BROKEN(header.size = SEGMENT_HEADER_SIZE, HEADER_VALID);
#undef BROKEN
    header = sound_header();
    header.padding[0] = 1;
    assert_int_equal(format_header_check(&header, NUMBER), HEADER_NONE);
}

static void a_block_begins_where_every_field_may_be_so(void **state)
{
    (void)state;
    const struct journal_block_header sound = {.magic = JOURNAL_BLOCK_MAGIC,
                                               .version = JOURNAL_FORMAT_VERSION,
                                               .slot_count = 100,
                                               .position = 5,
                                               .committed_through = 4};
    struct journal_block_header header = sound;
    format_block_finish(&header);
    assert_int_equal(format_block_begins(&header), format_block_size(100));
#define BROKEN(change)                                                                                                 \
    header = sound;                                                                                                    \
    change;                                                                                                            \
    format_block_finish(&header);                                                                                      \
    assert_int_equal(format_block_begins(&header), 0)
    BROKEN(header.magic ^= 1);
    BROKEN(header.version++);
    BROKEN(header.slot_count = 0);
    BROKEN(header.slot_count = JOURNAL_SLOTS_MAX + 1);
    BROKEN(header.position = header.committed_through = 0);
    BROKEN(header.committed_through = 5);
#undef BROKEN
    header = sound;
    format_block_finish(&header);
    header.time_ms++;
    assert_int_equal(format_block_begins(&header), 0);
}

/* What stood there when its size was asked may be another block by now. */
static void a_block_is_whole_in_its_own_size_alone(void **state)
{
    (void)state;
    static _Alignas(8) uint8_t bytes[3 * JOURNAL_BLOCK_ALIGNMENT];
    struct journal_block_header header = {
        .magic = JOURNAL_BLOCK_MAGIC, .version = JOURNAL_FORMAT_VERSION, .slot_count = 100, .position = 5};
    uint32_t size = format_block_size(header.slot_count);
    assert_int_equal(size, 2 * JOURNAL_BLOCK_ALIGNMENT);
    format_block_body(&header, bytes + sizeof header);
    format_block_finish(&header);
    memcpy(bytes, &header, sizeof header);
    assert_true(format_block_intact(bytes, size));
    assert_false(format_block_intact(bytes, size - JOURNAL_BLOCK_ALIGNMENT));
    assert_false(format_block_intact(bytes, size + JOURNAL_BLOCK_ALIGNMENT));
    /* Its padding, from the first byte to the last. */
    const uint32_t padding[] = {(header.slot_count + 1) * JOURNAL_SLOT_SIZE, size - 2, size - 1};
    for (size_t i = 0; i < sizeof padding / sizeof padding[0]; i++) {
        bytes[padding[i]] = 1;
        assert_false(format_block_intact(bytes, size));
        bytes[padding[i]] = 0;
    }
    assert_true(format_block_intact(bytes, size));
}

static void a_record_fills_the_slots_that_its_kind_says_and_no_more_than_there_are(void **state)
{
    (void)state;
    static const struct {
        uint8_t kind;
        uint32_t slots;
    } kinds[] = {{SLOT_FRAME, 1},   {SLOT_VERIFY, 1}, {SLOT_SEAL, 3}, {SLOT_CHECKPOINT, 3},
                 {SLOT_REMOVAL, 1}, {0, 0},           {250, 0}};
    uint8_t slots[4 * JOURNAL_SLOT_SIZE] = {0};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        slots[JOURNAL_SLOT_SIZE - 1] = kinds[i].kind;
        assert_int_equal(format_record_slots(slots, 4, 0), kinds[i].slots);
        assert_int_equal(format_record_slots(slots, 2, 0), kinds[i].slots <= 2 ? kinds[i].slots : 0);
    }
    assert_int_equal(format_record_slots(slots, 4, 4), 0);
    struct slot_act act = {.kind = SLOT_ACT, .slot_count = 2, .payload_size = 2 * JOURNAL_SLOT_SIZE};
    memcpy(slots, &act, sizeof act);
    assert_int_equal(format_record_slots(slots, 4, 0), 3);
    act.payload_size++;
    memcpy(slots, &act, sizeof act);
    assert_int_equal(format_record_slots(slots, 4, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_counts_when_every_field_may_be_so),
        cmocka_unit_test(a_block_begins_where_every_field_may_be_so),
        cmocka_unit_test(a_block_is_whole_in_its_own_size_alone),
        cmocka_unit_test(a_record_fills_the_slots_that_its_kind_says_and_no_more_than_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
