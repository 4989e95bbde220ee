/* Building: blocks in order, grouped by size; each group's distinct keys are kept until it is known how many rows the
 * fullest one needs, then everything is laid out at once. Memory: 8 bytes a key, at most an eighth of the segment. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "journal/index.h"

enum {
    SET_SIZE_FIRST = 1024,
    KEYS_FIRST = 4096,
    /* Of one step, some 0.1 ms. */
    STEP_KEYS = 4096,
    STEP_BYTES = 256 << 10,
};

/* The keys of the group at hand, for telling new ones: open addressing, at most half full. Key 0 stands for itself by
 * `has_zero`. */
struct key_set {
    uint64_t *slots;
    size_t size; /* power of two */
    size_t count;
    bool has_zero;
};

struct index_builder {
    struct index_header header;
    uint64_t group_size; /* bytes from which on another group begins */
    struct index_group groups[INDEX_GROUPS_MAX];
    size_t key_ends[INDEX_GROUPS_MAX]; /* where each group's keys end */
    uint64_t *keys;
    size_t key_count;
    size_t key_capacity;
    struct key_set set;
    uint8_t company[8]; /* the last one added to this group */
    bool company_known;
    uint8_t *file;
    size_t file_size;
    /* how far laying out has come */
    size_t key_at;
    uint32_t group_at;
    uint32_t row_at;
};

struct result index_builder_create(const struct segment_header *segment, struct index_builder **ret_builder)
{
    struct index_builder *builder = calloc(1, sizeof *builder);
    if (!builder) return result_of(NO_MEMORY);
    uint64_t wanted = segment->size / INDEX_GROUPS_WANTED;
    builder->group_size = wanted > INDEX_GROUP_SIZE_MIN ? wanted : INDEX_GROUP_SIZE_MIN;
    builder->header = (struct index_header){.magic = INDEX_MAGIC,
                                            .version = INDEX_VERSION,
                                            .segment = segment->segment,
                                            .segment_checksum = segment->header_checksum,
                                            .first_position = segment->first_position,
                                            .end_offset = SEGMENT_HEADER_SIZE};
    memcpy(builder->header.store_id, segment->store_id, sizeof builder->header.store_id);
    *ret_builder = builder;
    return result_ok();
}

void index_builder_destroy(struct index_builder *builder)
{
    if (!builder) return;
    free(builder->keys);
    free(builder->set.slots);
    free(builder->file);
    free(builder);
}

/* ---- keys ---- */

static size_t set_place(const struct key_set *set, uint64_t key)
{
    size_t at = (size_t)(key >> 7) & (set->size - 1);
    while (set->slots[at] && set->slots[at] != key) at = (at + 1) & (set->size - 1);
    return at;
}

static bool set_grow(struct key_set *set)
{
    struct key_set bigger = {.size = set->size ? set->size * 2 : SET_SIZE_FIRST, .count = set->count};
    bigger.slots = calloc(bigger.size, sizeof *bigger.slots);
    if (!bigger.slots) return false;
    for (size_t i = 0; i < set->size; i++)
        if (set->slots[i]) bigger.slots[set_place(&bigger, set->slots[i])] = set->slots[i];
    bigger.has_zero = set->has_zero;
    free(set->slots);
    *set = bigger;
    return true;
}

static void set_clear(struct key_set *set)
{
    if (set->slots) memset(set->slots, 0, set->size * sizeof *set->slots);
    set->count = 0;
    set->has_zero = false;
}

/* *ret_new: it was not there. */
static struct result set_add(struct key_set *set, uint64_t key, bool *ret_new)
{
    *ret_new = false;
    if (key == 0) {
        *ret_new = !set->has_zero;
        set->has_zero = true;
        return result_ok();
    }
    if (2 * (set->count + 1) > set->size && !set_grow(set)) return result_of(NO_MEMORY);
    size_t at = set_place(set, key);
    *ret_new = set->slots[at] == 0;
    set->count += *ret_new;
    set->slots[at] = key;
    return result_ok();
}

static struct result add_key(struct index_builder *builder, uint64_t key)
{
    bool fresh;
    TRY(set_add(&builder->set, key, &fresh));
    if (!fresh) return result_ok();
    if (builder->key_count == builder->key_capacity) {
        size_t more = builder->key_capacity ? 2 * builder->key_capacity : KEYS_FIRST;
        uint64_t *bigger = realloc(builder->keys, more * sizeof *bigger);
        if (!bigger) return result_of(NO_MEMORY);
        builder->keys = bigger;
        builder->key_capacity = more;
    }
    builder->keys[builder->key_count++] = key;
    return result_ok();
}

static struct result add_name(struct index_builder *builder, const uint8_t name[16])
{
    TRY(add_key(builder, index_key(name, 16)));
    /* Records of one company often stand together. */
    if (builder->company_known && memcmp(builder->company, name, 8) == 0) return result_ok();
    memcpy(builder->company, name, 8);
    builder->company_known = true;
    return add_key(builder, index_key(name, 8));
}

/* ---- blocks ---- */

static struct result add_record(struct index_builder *builder, struct index_group *group, const uint8_t *at)
{
    struct slot_verify verify;
    struct slot_act act;
    switch (at[JOURNAL_SLOT_SIZE - 1]) {
    case SLOT_VERIFY:
        memcpy(&verify, at, sizeof verify);
        group->kinds |= 1u << (verify.verdict & 15);
        group->record_count++;
        return add_name(builder, verify.name);
    case SLOT_ACT:
        memcpy(&act, at, sizeof act);
        group->kinds |= INDEX_KIND_ACT;
        group->record_count++;
        return add_name(builder, act.name);
    case SLOT_FRAME:
        return result_ok();
    default:
        group->kinds |= INDEX_KIND_OWN;
        return result_ok();
    }
}

static struct index_group *group_for(struct index_builder *builder, const struct journal_block_header *block,
                                     uint32_t size)
{
    struct index_header *header = &builder->header;
    struct index_group *group = header->group_count ? &builder->groups[header->group_count - 1] : NULL;
    if (group && header->end_offset - group->offset + size <= builder->group_size) return group;
    CHECK(header->group_count < INDEX_GROUPS_MAX);
    set_clear(&builder->set);
    builder->company_known = false;
    group = &builder->groups[header->group_count++];
    *group = (struct index_group){.offset = header->end_offset,
                                  .first_position = block->position,
                                  .predecessor = block->predecessor,
                                  .time_first_ms = block->time_ms};
    return group;
}

struct result index_builder_block(struct index_builder *builder, const struct journal_block_view *block, uint32_t size)
{
    struct index_header *header = &builder->header;
    struct journal_block_header head;
    memcpy(&head, block->header, sizeof head);
    if (header->group_count == 0) header->time_first_ms = head.time_ms;
    struct index_group *group = group_for(builder, &head, size);
    uint32_t count;
    for (uint32_t slot = 0; slot < head.slot_count; slot += count) {
        count = format_record_slots(block->slots, head.slot_count, slot);
        if (count == 0) break;
        TRY(add_record(builder, group, block->slots + (size_t)slot * JOURNAL_SLOT_SIZE));
    }
    group->time_last_ms = header->time_last_ms = head.time_ms;
    builder->key_ends[header->group_count - 1] = builder->key_count;
    header->last_position = head.position;
    header->last_checksum = head.header_checksum;
    header->end_offset += size;
    return result_ok();
}

/* ---- the file ---- */

static struct result begin_file(struct index_builder *builder)
{
    struct index_header *header = &builder->header;
    size_t most = 1;
    for (uint32_t i = 0; i < header->group_count; i++) {
        size_t count = builder->key_ends[i] - (i ? builder->key_ends[i - 1] : 0);
        if (count > most) most = count;
        header->record_count += builder->groups[i].record_count;
    }
    header->row_count = (uint32_t)((most + INDEX_KEYS_PER_CELL - 1) / INDEX_KEYS_PER_CELL);
    index_header_finish(header, builder->groups);
    /* Direct I/O writes whole blocks. */
    size_t size = (size_t)index_file_size(header);
    builder->file_size = (size + JOURNAL_BLOCK_ALIGNMENT - 1) / JOURNAL_BLOCK_ALIGNMENT * JOURNAL_BLOCK_ALIGNMENT;
    builder->file = aligned_alloc(JOURNAL_BLOCK_ALIGNMENT, builder->file_size);
    if (!builder->file) return result_of(NO_MEMORY);
    memset(builder->file, 0, builder->file_size);
    memcpy(builder->file, header, sizeof *header);
    memcpy(builder->file + sizeof *header, builder->groups, header->group_count * sizeof builder->groups[0]);
    return result_ok();
}

static void place_key(struct index_builder *builder)
{
    const struct index_header *header = &builder->header;
    uint64_t key = builder->keys[builder->key_at];
    while (builder->key_at == builder->key_ends[builder->group_at]) builder->group_at++;
    uint64_t row = index_row_offset(header, index_row(header, key));
    index_cell_add(builder->file + row + (size_t)builder->group_at * INDEX_CELL_SIZE, key);
    builder->key_at++;
}

struct result index_builder_finish(struct index_builder *builder, bool *ret_done, const uint8_t **ret_bytes,
                                   size_t *ret_size)
{
    const struct index_header *header = &builder->header;
    CHECK(header->group_count > 0);
    *ret_done = false;
    if (!builder->file) return begin_file(builder);
    if (builder->key_at < builder->key_count) {
        for (unsigned i = 0; i < STEP_KEYS && builder->key_at < builder->key_count; i++) place_key(builder);
        return result_ok();
    }
    for (size_t bytes = 0; bytes < STEP_BYTES && builder->row_at < header->row_count; builder->row_at++) {
        index_row_finish(header, builder->row_at, builder->file + index_row_offset(header, builder->row_at));
        bytes += index_row_size(header);
    }
    *ret_done = builder->row_at == header->row_count;
    *ret_bytes = builder->file;
    *ret_size = builder->file_size;
    return result_ok();
}
