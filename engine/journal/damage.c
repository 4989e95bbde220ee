#include "journal/damage.h"

#include <string.h>

const char *damage_name(enum damage_kind kind)
{
    static const char *const names[] = {[DAMAGE_CHANGED] = "changed",
                                        [DAMAGE_DROPPED] = "dropped",
                                        [DAMAGE_REORDERED] = "reordered",
                                        [DAMAGE_SPLICED] = "spliced"};
    return names[kind];
}

struct search {
    uint64_t position;
    uint64_t incarnation;
};

static bool is_it(void *context, const struct journal_block_view *block)
{
    const struct search *search = context;
    return block->header->position == search->position && block->header->incarnation == search->incarnation;
}

/* Whether the block that belongs here stands further on in this segment. */
static struct result elsewhere(struct walk *walk, bool *ret_found)
{
    struct search search = {walk->position, walk->file->header->incarnation};
    struct walk_scan scan = {.from = walk->offset,
                             .position = search.position,
                             .incarnation = search.incarnation,
                             .depth_max = (uint32_t)(walk->source.size / JOURNAL_BLOCK_SIZE_MAX) + 1,
                             .each = is_it,
                             .context = &search};
    return walk_scan_file(walk, walk->file->number, &scan, ret_found);
}

static bool follows_by_number(const struct walk *walk)
{
    const struct folder_file *end = walk->folder->files + walk->folder->count;
    return walk->file + 1 < end && walk->file[1].number == walk->file->number + 1;
}

/* Between two segments: a hole, or a successor that names another block as the last one of this segment. */
static void look_between(const struct folder_file *next, struct damage *ret_damage)
{
    if (!next || next->header->first_position <= ret_damage->first) return;
    ret_damage->kind = DAMAGE_DROPPED;
    ret_damage->last = next->header->first_position - 1;
}

static struct result look_at_block(struct walk *walk, const struct journal_block_header *header,
                                   struct damage *ret_damage)
{
    uint64_t position = header->position;
    bool found = false;
    if (header->incarnation != walk->file->header->incarnation) {
        /* A stale block of a recycled file shows through where the segment's own was cut out. */
        ret_damage->kind = header->incarnation < walk->file->header->incarnation ? DAMAGE_DROPPED : DAMAGE_SPLICED;
        return result_ok();
    }
    if (position == walk->position) {
        ret_damage->kind = DAMAGE_SPLICED;
        return result_ok();
    }
    if (position > walk->position) TRY(elsewhere(walk, &found));
    ret_damage->kind = found || position < walk->position ? DAMAGE_REORDERED : DAMAGE_DROPPED;
    if (ret_damage->kind == DAMAGE_DROPPED) ret_damage->last = position - 1;
    return result_ok();
}

static bool is_zero(const uint8_t *page)
{
    return page[0] == 0 && memcmp(page, page + 1, JOURNAL_BLOCK_ALIGNMENT - 1) == 0;
}

/* No whole block stands here. Where nothing was ever written, or what was is wiped out, it is gone, and with it the
 * segment behind this one when that is missing too. */
static struct result look_at_nothing(struct walk *walk, const struct folder_file *next, struct damage *ret_damage)
{
    const uint8_t *page;
    TRY(source_get(&walk->source, walk->offset, JOURNAL_BLOCK_ALIGNMENT, &page));
    if (!page || is_zero(page)) ret_damage->kind = DAMAGE_DROPPED;
    if (!follows_by_number(walk) && (!page || format_block_begins(page) == 0)) look_between(next, ret_damage);
    return result_ok();
}

struct result damage_look(struct walk *walk, struct damage *ret_damage)
{
    struct damage damage = {.kind = DAMAGE_CHANGED, .first = walk->position, .last = walk->position};
    const struct folder_file *next = folder_next(walk->folder, walk->file);
    if (walk->position == walk->file->limit) {
        damage.kind = DAMAGE_SPLICED;
        look_between(next, &damage);
        *ret_damage = damage;
        return result_ok();
    }
    const uint8_t *bytes;
    uint32_t size;
    struct journal_block_header header;
    TRY(walk_intact_at(walk, walk->offset, &bytes, &size));
    if (size > 0) {
        memcpy(&header, bytes, sizeof header);
        TRY(look_at_block(walk, &header, &damage));
    } else {
        TRY(look_at_nothing(walk, next, &damage));
    }
    *ret_damage = damage;
    return result_ok();
}
