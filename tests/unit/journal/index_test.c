/* The index of closed segments: what it says can be somewhere, what it may be trusted with, and that it never matters
 * to anything else. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helpers.h"
#include "journal/file.h"
#include "journal/folder.h"
#include "journal/index.h"

enum { NAMES = 3000 };

static void name_of(uint32_t number, uint8_t ret_name[16])
{
    uint64_t company = index_key((const uint8_t *)&(uint32_t){number % 7}, 4);
    uint64_t user = index_key((const uint8_t *)&number, 4);
    memcpy(ret_name, &company, 8);
    memcpy(ret_name + 8, &user, 8);
}

static struct segment_header segment_header(uint64_t size)
{
    struct segment_header header = {.segment = 9, .first_position = 100, .size = size, .depth_max = 8};
    memset(header.store_id, 7, sizeof header.store_id);
    format_header_finish(&header);
    return header;
}

/* One block of verifications of these names, with a frame head. */
static uint32_t block_make(uint8_t *bytes, uint64_t position, uint32_t first, uint32_t count)
{
    struct journal_block_header *header = (void *)bytes;
    uint8_t *slots = bytes + sizeof *header;
    memset(bytes, 0, format_block_size(count + 1));
    slots[JOURNAL_SLOT_SIZE - 1] = SLOT_FRAME;
    for (uint32_t i = 0; i < count; i++) {
        struct slot_verify verify = {.verdict = (uint8_t)(1 + (first + i) % 3), .kind = SLOT_VERIFY};
        name_of(first + i, verify.name);
        memcpy(slots + (size_t)(1 + i) * JOURNAL_SLOT_SIZE, &verify, sizeof verify);
    }
    *header = (struct journal_block_header){.magic = JOURNAL_BLOCK_MAGIC,
                                            .version = JOURNAL_FORMAT_VERSION,
                                            .slot_count = (uint16_t)(count + 1),
                                            .position = position,
                                            .committed_through = position - 1,
                                            .time_ms = (int64_t)(1000 * position)};
    format_block_body(header, slots);
    format_block_finish(header);
    return format_block_size(count + 1);
}

/* NAMES names in blocks of `each`; the file's bytes are the caller's. */
static uint8_t *build(const struct segment_header *segment, uint32_t each, size_t *ret_size)
{
    struct index_builder *builder;
    uint8_t *bytes = aligned_alloc(4096, JOURNAL_BLOCK_SIZE_MAX);
    uint64_t position = segment->first_position, offset = SEGMENT_HEADER_SIZE;
    assert_ok(index_builder_create(segment, &builder));
    for (uint32_t at = 0; at < NAMES; at += each) {
        uint32_t size = block_make(bytes, position++, at, NAMES - at < each ? NAMES - at : each);
        struct journal_block_view view = {.header = (void *)bytes, .slots = bytes + 64, .offset = offset};
        assert_ok(index_builder_block(builder, &view, size));
        offset += size;
    }
    const uint8_t *file;
    bool done = false;
    while (!done) assert_ok(index_builder_finish(builder, &done, &file, ret_size));
    uint8_t *copy = malloc(*ret_size);
    memcpy(copy, file, *ret_size);
    index_builder_destroy(builder);
    free(bytes);
    return copy;
}

static bool can(const uint8_t *file, uint32_t group, uint64_t key)
{
    const struct index_header *header = (const void *)file;
    uint32_t row = index_row(header, key);
    const uint8_t *bytes = file + index_row_offset(header, row);
    assert_true(index_row_valid(header, row, bytes));
    return index_cell_has(bytes, group, key);
}

static void every_account_and_company_is_found_in_its_group_and_few_are_found_elsewhere(void **state)
{
    (void)state;
    struct segment_header segment = segment_header(64 << 20);
    size_t size;
    uint32_t each = 40; /* a block fills a page: 64 of them are a group */
    uint8_t *file = build(&segment, each, &size);
    const struct index_header *header = (const void *)file;
    const struct index_group *groups = (const void *)(file + sizeof *header);
    assert_true(index_header_valid(header, &segment, size));
    assert_true(index_groups_valid(header, groups));
    assert_int_equal(header->group_count, 2);
    assert_int_equal(groups[1].first_position, 164);
    assert_int_equal(groups[1].kinds, 7 << 1);
    assert_int_equal(header->record_count, NAMES);
    assert_int_equal(header->last_position, 174);
    assert_int_equal(groups[0].record_count, 64 * each);
    unsigned wrong = 0;
    for (uint32_t i = 0; i < NAMES; i++) {
        uint8_t name[16];
        name_of(i, name);
        uint32_t group = i / each / 64;
        assert_true(can(file, group, index_key(name, 16)));
        assert_true(can(file, group, index_key(name, 8)));
        wrong += can(file, !group, index_key(name, 16));
        name_of(i + 1000000, name);
        wrong += can(file, 0, index_key(name, 16)) + can(file, 1, index_key(name, 16));
    }
    assert_in_range(wrong, 0, 3 * NAMES / 100);
    free(file);
}

/* An intact block may hold what no record begins with: what comes before it is found. */
static void a_block_is_indexed_as_far_as_it_holds_records(void **state)
{
    (void)state;
    struct segment_header segment = segment_header(64 << 20);
    struct index_builder *builder;
    static _Alignas(4096) uint8_t bytes[8 * 4096];
    uint32_t size = block_make(bytes, segment.first_position, 0, 20);
    const struct journal_block_view view = {
        .header = (void *)bytes, .slots = bytes + 64, .offset = SEGMENT_HEADER_SIZE};
    bytes[64 + 11 * 64 + 63] = 0; /* the kind of the eleventh name's record */
    assert_ok(index_builder_create(&segment, &builder));
    assert_ok(index_builder_block(builder, &view, size));
    const uint8_t *file;
    size_t file_size;
    bool done = false;
    while (!done) assert_ok(index_builder_finish(builder, &done, &file, &file_size));
    for (uint32_t i = 0; i < 10; i++) {
        uint8_t name[16];
        name_of(i, name);
        assert_true(can(file, 0, index_key(name, 16)));
    }
    assert_int_equal(((const struct index_header *)(const void *)file)->record_count, 10);
    index_builder_destroy(builder);
}

static void an_index_with_any_byte_changed_is_none_or_says_the_same(void **state)
{
    (void)state;
    struct segment_header segment = segment_header(64 << 20);
    size_t size;
    uint8_t *file = build(&segment, 40, &size);
    struct index_header header;
    memcpy(&header, file, sizeof header);
    uint64_t used = index_file_size(&header);
    for (uint64_t at = 0; at < used; at += at < 300 ? 1 : 7) {
        file[at] ^= 0x40;
        memcpy(&header, file, sizeof header);
        bool valid =
            index_header_valid(&header, &segment, size) && index_groups_valid(&header, (void *)(file + sizeof header));
        if (at < sizeof header + header.group_count * sizeof(struct index_group)) {
            assert_false(valid);
        } else {
            assert_true(valid);
            uint64_t rows = index_row_offset(&header, 0);
            uint32_t row = (uint32_t)((at - rows) / index_row_size(&header));
            uint64_t within = (at - rows) % index_row_size(&header);
            bool matters = at >= rows && within < header.group_count * INDEX_CELL_SIZE + 8;
            if (matters) assert_false(index_row_valid(&header, row, file + index_row_offset(&header, row)));
        }
        file[at] ^= 0x40;
    }
    free(file);
}

static void an_index_of_another_segment_or_cut_short_is_none(void **state)
{
    (void)state;
    struct segment_header segment = segment_header(64 << 20);
    struct segment_header other = segment;
    size_t size;
    uint8_t *file = build(&segment, 200, &size);
    const struct index_header *header = (const void *)file;
    other.time_ms++;
    format_header_finish(&other);
    assert_false(index_header_valid(header, &other, size));
    assert_false(index_header_valid(header, &segment, index_file_size(header) - 1));
    assert_true(index_header_valid(header, &segment, index_file_size(header)));
    free(file);
}

/* ---- the housekeeper's ---- */

static void create_indexing(struct rig *rig, uint64_t seed)
{
    rig_create(rig, seed);
    rig->vault = rig_vault(rig->options.store_id);
    rig->options.index = true;
}

static void fill(struct rig *rig, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        while (!rig_append(rig, i % 3, 1 + i % 150, NULL)) {
            assert_true(rig_step(rig));
            assert_ok(rig_keep(rig));
        }
        rig->now_ms += 100;
        if (i % 10 == 0) assert_ok(rig_keep(rig));
    }
    assert_true(rig_drain(rig));
    for (int i = 0; i < 300; i++) {
        rig->now_ms += 100;
        assert_ok(rig_keep(rig));
        assert_true(rig_step(rig));
    }
}

struct counted {
    unsigned indexes;
    unsigned closed; /* segments behind the one being written, with something in them */
};

static void count_name(void *context, const char *name, uint64_t size)
{
    struct counted *counted = context;
    (void)size;
    counted->indexes += strstr(name, ".idx") != NULL;
}

static struct counted look(struct rig *rig)
{
    struct counted counted = {0};
    struct folder folder;
    assert_ok(os_list(rig->main_os, "/j", count_name, &counted));
    assert_ok(folder_read(rig->main_os, "/j", NULL, &folder));
    for (size_t i = 0; i < folder.count; i++) {
        const struct folder_file *file = &folder.files[i];
        if (!file->chain || file->limit == UINT64_MAX || file->limit == file->header->first_position) continue;
        struct index_file index;
        counted.closed++;
        struct result opened = index_file_open(rig->main_os, "/j", file->header, &index);
        if (result_failed(opened)) continue;
        assert_int_equal(index.header.first_position, file->header->first_position);
        assert_int_equal(index.header.last_position, file->limit - 1);
        index_file_close(rig->main_os, &index);
    }
    folder_release(&folder);
    return counted;
}

static void every_closed_segment_gets_an_index_and_keeps_it_while_it_is_there(void **state)
{
    (void)state;
    struct rig rig;
    create_indexing(&rig, 31);
    assert_ok(rig_ready(&rig, 0));
    fill(&rig, 200);
    struct counted counted = look(&rig);
    assert_true(counted.closed >= 5);
    assert_int_equal(counted.indexes, counted.closed);
    rig.release_position = UINT64_MAX;
    rig.options.keep_size = 1;
    rig_close(&rig);
    assert_ok(rig_ready(&rig, 0));
    fill(&rig, 200);
    counted = look(&rig);
    assert_true(counted.closed < 5);
    assert_int_equal(counted.indexes, counted.closed);
    rig_close(&rig);
    rig_destroy(&rig);
}

static void a_crash_anywhere_leaves_indexes_that_are_made_anew(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct rig rig;
        create_indexing(&rig, seed);
        for (int life = 0; life < 3; life++) {
            os_sim_faults_set(rig.world, &(struct os_sim_faults){.crash_at = 100 + os_sim_draw(rig.world) % 400});
            if (!result_failed(rig_open(&rig, 0)) && !result_failed(rig_keep(&rig))) {
                for (int i = 0; i < 60; i++) {
                    rig_append(&rig, (uint32_t)i % 3, 1 + (uint32_t)(os_sim_draw(rig.world) % 150), NULL);
                    rig.now_ms += 400;
                    if (!rig_step(&rig) || result_failed(rig_keep(&rig))) break;
                }
            }
            rig_crash(&rig);
        }
        os_sim_faults_set(rig.world, &(struct os_sim_faults){0});
        assert_ok(rig_ready(&rig, 0));
        fill(&rig, 5);
        struct counted counted = look(&rig);
        assert_int_equal(counted.indexes, counted.closed);
        rig_close(&rig);
        rig_destroy(&rig);
    }
}

static void an_index_is_made_by_hand_where_there_is_none(void **state)
{
    (void)state;
    struct rig rig;
    rig_create(&rig, 5);
    rig.vault = rig_vault(rig.options.store_id);
    assert_ok(rig_ready(&rig, 0));
    fill(&rig, 100);
    assert_int_equal(look(&rig).indexes, 0);
    assert_ok(journal_index_make(rig.main_os, "/j", 1));
    assert_code(journal_index_make(rig.main_os, "/j", 1), STORE_EXISTS);
    assert_int_equal(look(&rig).indexes, 1);
    assert_code(journal_index_make(rig.main_os, "/j", 999), JOURNAL_MISSING);
    rig_close(&rig);
    rig_destroy(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_account_and_company_is_found_in_its_group_and_few_are_found_elsewhere),
        cmocka_unit_test(a_block_is_indexed_as_far_as_it_holds_records),
        cmocka_unit_test(an_index_with_any_byte_changed_is_none_or_says_the_same),
        cmocka_unit_test(an_index_of_another_segment_or_cut_short_is_none),
        cmocka_unit_test(every_closed_segment_gets_an_index_and_keeps_it_while_it_is_there),
        cmocka_unit_test(a_crash_anywhere_leaves_indexes_that_are_made_anew),
        cmocka_unit_test(an_index_is_made_by_hand_where_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
