/* An index whose checksums are right, and that says what cannot be: each of its fields by itself. It is none then, and
 * the scan reads the segment whole. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helpers.h"
#include "journal/file.h"
#include "journal/index.h"
#include "journal/scan.h"

enum { SEGMENT_SIZE = 2 << 20, SEGMENT = 1 };

struct claims {
    struct rig rig;
    struct segment_header segment;
    struct index_header header;
    struct index_group groups[INDEX_GROUPS_MAX + 1];
    uint8_t *file; /* as it was made */
    uint64_t file_size;
};

static uint64_t *index_bytes(struct claims *claims, uint64_t *ret_size)
{
    char name[INDEX_NAME_SIZE], path[INDEX_NAME_SIZE + 8];
    index_name(SEGMENT, name);
    snprintf(path, sizeof path, "/j/%s", name);
    uint8_t *bytes = os_sim_file(claims->rig.world, path, ret_size);
    assert_non_null(bytes);
    return (uint64_t *)(void *)bytes;
}

static struct claims *create(void)
{
    struct claims *claims = calloc(1, sizeof *claims);
    struct rig *rig = &claims->rig;
    rig_create(rig, 5);
    rig->vault = rig_vault(rig->options.store_id);
    rig->options.segment_size = SEGMENT_SIZE;
    assert_ok(rig_ready(rig, 0));
    for (unsigned i = 0; i < 200; i++) {
        while (!rig_append(rig, i % 3, 200, NULL)) {
            assert_true(rig_step(rig));
            assert_ok(rig_keep(rig));
        }
    }
    assert_true(rig_drain(rig));
    rig_close(rig);
    assert_ok(journal_index_make(rig->main_os, "/j", SEGMENT));
    uint64_t size;
    const uint8_t *segment = os_sim_file(rig->world, rig_segment_path(SEGMENT), &size);
    memcpy(&claims->segment, segment, sizeof claims->segment);
    const uint8_t *bytes = (const uint8_t *)index_bytes(claims, &claims->file_size);
    claims->file = malloc(claims->file_size);
    memcpy(claims->file, bytes, claims->file_size);
    memcpy(&claims->header, bytes, sizeof claims->header);
    assert_true(claims->header.group_count > 2);
    memcpy(claims->groups, bytes + sizeof claims->header, claims->header.group_count * sizeof claims->groups[0]);
    assert_true(index_header_valid(&claims->header, &claims->segment, claims->file_size));
    assert_true(index_groups_valid(&claims->header, claims->groups));
    return claims;
}

static void destroy(struct claims *claims)
{
    free(claims->file);
    rig_destroy(&claims->rig);
    free(claims);
}

static void every_field_of_the_header_must_be_of_this_segment(void **state)
{
    (void)state;
    struct claims *claims = create();
    struct index_header good = claims->header;
#define REFUSED(change)                                                                                                \
    do {                                                                                                               \
        struct index_header header = good;                                                                             \
        change;                                                                                                        \
        index_header_finish(&header, claims->groups);                                                                  \
        assert_false(index_header_valid(&header, &claims->segment, UINT64_MAX));                                       \
    } while (0)
    REFUSED(header.magic++);
    REFUSED(header.version++);
    REFUSED(header.segment++);
    REFUSED(header.segment_checksum++);
    REFUSED(header.store_id[0] ^= 1);
    REFUSED(header.group_count = 0);
    REFUSED(header.group_count = INDEX_GROUPS_MAX + 1);
    REFUSED(header.row_count = 0);
    REFUSED(header.row_count = INDEX_CELLS_MAX + 1);
    REFUSED(header.first_position++);
    REFUSED(header.last_position = header.first_position - 1);
    REFUSED(header.end_offset = SEGMENT_HEADER_SIZE);
    REFUSED(header.end_offset = claims->segment.size + 1);
#undef REFUSED
    assert_false(index_header_valid(&good, &claims->segment, index_file_size(&good) - 1));
    destroy(claims);
}

static void groups_must_lie_behind_each_other(void **state)
{
    (void)state;
    struct claims *claims = create();
    uint32_t last = claims->header.group_count - 1;
    struct index_group good[INDEX_GROUPS_MAX + 1];
    memcpy(good, claims->groups, sizeof good);
#define REFUSED(change)                                                                                                \
    do {                                                                                                               \
        struct index_group *groups = claims->groups;                                                                   \
        struct index_header header = claims->header;                                                                   \
        memcpy(groups, good, sizeof good);                                                                             \
        change;                                                                                                        \
        index_header_finish(&header, groups);                                                                          \
        assert_false(index_groups_valid(&header, groups));                                                             \
    } while (0)
    REFUSED(groups[0].offset += JOURNAL_BLOCK_ALIGNMENT);
    REFUSED(groups[0].first_position++);
    REFUSED(groups[1].offset++);
    REFUSED(groups[1].offset = groups[2].offset);
    REFUSED(groups[1].first_position = groups[2].first_position);
    REFUSED(groups[last].offset = header.end_offset);
    REFUSED(groups[last].first_position = header.last_position + 1);
#undef REFUSED
    destroy(claims);
}

/* ---- the same, as a file ---- */

static void index_write(struct claims *claims, const void *bytes, uint32_t size)
{
    uint8_t *page = aligned_alloc(JOURNAL_BLOCK_ALIGNMENT, size ? size : JOURNAL_BLOCK_ALIGNMENT);
    int file;
    memcpy(page, bytes, size);
    assert_ok(index_file_create(claims->rig.main_os, "/j", SEGMENT, &file));
    if (size > 0) assert_ok(file_write(claims->rig.main_os, file, page, size, 0, OS_WRITE));
    file_close(claims->rig.main_os, file);
    free(page);
}

static void count_block(void *context, unsigned thread, const struct journal_block_view *block)
{
    (void)thread;
    (void)block;
    ++*(uint64_t *)context;
}

/* Blocks that a scan for a name gives that nobody has, and how many segments it went through by index. */
static uint64_t scan(struct claims *claims, uint64_t *ret_indexed)
{
    uint64_t blocks = 0;
    struct scan_report report;
    struct scan_options options = {.folder = "/j",
                                   .os = claims->rig.main_os,
                                   .thread_count = 1,
                                   .since_ms = INT64_MIN,
                                   .until_ms = INT64_MAX,
                                   .keys = {index_key((const uint8_t *)"nobody at all 16", 16)},
                                   .key_count = 1,
                                   .block = count_block,
                                   .context = &blocks};
    assert_ok(journal_scan(&options, &report));
    *ret_indexed = report.segments_indexed;
    return blocks;
}

static void what_is_no_whole_index_is_not_gone_by(void **state)
{
    (void)state;
    struct claims *claims = create();
    uint64_t indexed, all, few = scan(claims, &indexed);
    assert_int_equal(indexed, 1);
    assert_ok(index_file_remove(claims->rig.main_os, "/j", SEGMENT));
    all = scan(claims, &indexed);
    assert_true(indexed == 0 && few < all);

    index_write(claims, claims->file, 0); /* nothing of it */
    assert_int_equal(scan(claims, &indexed), all);
    index_write(claims, claims->file, JOURNAL_BLOCK_ALIGNMENT); /* header and groups, but not every row */
    assert_true(scan(claims, &indexed) <= all);

    /* A row that was damaged; groups that were; an index that ends before its segment does; no index at all. */
    uint8_t *bytes = malloc(claims->file_size);
    memcpy(bytes, claims->file, claims->file_size);
    for (uint64_t at = index_row_offset(&claims->header, 0); at < index_file_size(&claims->header); at += 64)
        bytes[at] ^= 1;
    index_write(claims, bytes, (uint32_t)claims->file_size);
    assert_int_equal(scan(claims, &indexed), all);
    assert_int_equal(indexed, 0);
    memcpy(bytes, claims->file, claims->file_size);
    bytes[sizeof claims->header] ^= 1;
    index_write(claims, bytes, (uint32_t)claims->file_size);
    assert_int_equal(scan(claims, &indexed), all);
    struct index_header header = claims->header;
    header.last_position--;
    index_header_finish(&header, claims->groups);
    memcpy(bytes, claims->file, claims->file_size);
    memcpy(bytes, &header, sizeof header);
    index_write(claims, bytes, (uint32_t)claims->file_size);
    assert_int_equal(scan(claims, &indexed), all);
    assert_int_equal(indexed, 0);
    memset(bytes, 0, claims->file_size);
    index_write(claims, bytes, (uint32_t)claims->file_size);
    assert_int_equal(scan(claims, &indexed), all);
    free(bytes);
    destroy(claims);
}

/* Groups that are in order, and begin where no block does or another one does: the careful reader takes over, and
 * gives none that is not there. */
static void an_index_that_lies_about_its_groups_leads_to_no_block_that_is_not_there(void **state)
{
    (void)state;
    struct claims *claims = create();
    for (int lie = 0; lie < 3; lie++) {
        struct index_header header = claims->header;
        struct index_group groups[INDEX_GROUPS_MAX + 1];
        memcpy(groups, claims->groups, sizeof groups);
        if (lie == 0) groups[1].offset += JOURNAL_BLOCK_ALIGNMENT;
        if (lie == 1) groups[1].first_position++;
        if (lie == 2) groups[1].predecessor++;
        index_header_finish(&header, groups);
        uint8_t *bytes = malloc(claims->file_size);
        memcpy(bytes, claims->file, claims->file_size);
        memcpy(bytes, &header, sizeof header);
        memcpy(bytes + sizeof header, groups, header.group_count * sizeof *groups);
        index_write(claims, bytes, (uint32_t)claims->file_size);
        free(bytes);
        uint64_t blocks = 0;
        struct scan_options options = {.folder = "/j",
                                       .os = claims->rig.main_os,
                                       .thread_count = 1,
                                       .from_position = claims->groups[1].first_position,
                                       .since_ms = INT64_MIN,
                                       .until_ms = INT64_MAX,
                                       .block = count_block,
                                       .context = &blocks};
        assert_ok(journal_scan(&options, NULL));
        uint64_t with = blocks;
        blocks = 0;
        options.no_index = true;
        assert_ok(journal_scan(&options, NULL));
        /* Whoever can forge an index can hide what it leads to (INDEX.md): the one block that is named wrongly. */
        assert_true(with == blocks || with == blocks - 1);
        if (lie == 2) assert_int_equal(with, blocks);
    }
    destroy(claims);
}

/* Made by hand, of a segment that is not as it was written. */
static void no_index_is_made_of_a_damaged_segment(void **state)
{
    (void)state;
    struct claims *claims = create();
    struct rig *rig = &claims->rig;
    uint64_t size;
    uint8_t *bytes = os_sim_file(rig->world, rig_segment_path(SEGMENT), &size);
    uint32_t first = format_block_begins(bytes + SEGMENT_HEADER_SIZE);
    uint8_t *block = bytes + SEGMENT_HEADER_SIZE + first;
    uint32_t second = format_block_begins(block);
    uint8_t *kept = malloc(second);
    memcpy(kept, block, second);
    assert_ok(index_file_remove(rig->main_os, "/j", SEGMENT));
    block[200] ^= 1; /* the body */
    assert_code(journal_index_make(rig->main_os, "/j", SEGMENT), JOURNAL_CORRUPT);
    memset(block, 0, 64); /* no block */
    assert_code(journal_index_make(rig->main_os, "/j", SEGMENT), JOURNAL_CORRUPT);
    memcpy(block, kept, second);
    struct journal_block_header header;
    memcpy(&header, block, sizeof header);
    header.position++; /* whole, and not the next one */
    format_block_finish(&header);
    memcpy(block, &header, sizeof header);
    assert_code(journal_index_make(rig->main_os, "/j", SEGMENT), JOURNAL_CORRUPT);
    memcpy(block, kept, second);
    assert_ok(journal_index_make(rig->main_os, "/j", SEGMENT));
    free(kept);
    destroy(claims);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_of_the_header_must_be_of_this_segment),
        cmocka_unit_test(groups_must_lie_behind_each_other),
        cmocka_unit_test(what_is_no_whole_index_is_not_gone_by),
        cmocka_unit_test(an_index_that_lies_about_its_groups_leads_to_no_block_that_is_not_there),
        cmocka_unit_test(no_index_is_made_of_a_damaged_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
