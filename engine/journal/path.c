#include "journal/path.h"

#include <string.h>

#include "base/check.h"
#include "journal/merkle.h"
#include "vault/vault.h"

/* The leaves [first, end) of a tree; all of it is [0, total). */
struct part {
    uint64_t first;
    uint64_t end;
};

/* Section 2.1: the largest power of two below the count. */
static uint64_t split(const struct part *part)
{
    uint64_t count = part->end - part->first;
    return part->first + (1ull << (63 - __builtin_clzll(count - 1)));
}

static bool apart(const struct part *part, const struct merkle_run *run)
{
    return part->end <= run->first || run->first + run->count <= part->first;
}

static bool within(const struct part *part, const struct merkle_run *run)
{
    return run->first <= part->first && part->end <= run->first + run->count;
}

static void root_of(const uint8_t (*leaves)[32], const struct part *part, uint8_t ret_root[32])
{
    struct merkle merkle;
    merkle_start(&merkle);
    for (uint64_t i = part->first; i < part->end; i++) merkle_add(&merkle, leaves[i]);
    merkle_root(&merkle, ret_root);
}

static void make(const uint8_t (*leaves)[32], const struct merkle_run *run, struct part part,
                 struct merkle_path *ret_path)
{
    if (within(&part, run)) return;
    struct part left = {part.first, split(&part)};
    struct part right = {left.end, part.end};
    if (!apart(&left, run)) make(leaves, run, left, ret_path);
    if (!apart(&right, run)) make(leaves, run, right, ret_path);
    const struct part *other = apart(&left, run) ? &left : apart(&right, run) ? &right : NULL;
    if (!other) return;
    CHECK(ret_path->count < MERKLE_PATH_MAX);
    root_of(leaves, other, ret_path->hashes[ret_path->count++]);
}

void merkle_path_make(const uint8_t (*leaves)[32], const struct merkle_run *run, struct merkle_path *ret_path)
{
    CHECK(run->count > 0 && run->first < run->total && run->count <= run->total - run->first);
    ret_path->count = 0;
    make(leaves, run, (struct part){0, run->total}, ret_path);
}

/* What is being rebuilt, and how much of the path is used up. */
struct rebuild {
    const uint8_t (*leaves)[32];
    const struct merkle_run *run;
    const struct merkle_path *path;
    uint32_t used;
};

static bool take(struct rebuild *rebuild, uint8_t ret_hash[32])
{
    if (rebuild->used >= rebuild->path->count) return false;
    memcpy(ret_hash, rebuild->path->hashes[rebuild->used++], 32);
    return true;
}

/* At most 64 deep: each step halves the part. */
static bool rebuild_part(struct rebuild *rebuild, struct part part, uint8_t ret_root[32])
{
    const struct merkle_run *run = rebuild->run;
    if (within(&part, run)) {
        root_of(rebuild->leaves, &(struct part){part.first - run->first, part.end - run->first}, ret_root);
        return true;
    }
    struct part left = {part.first, split(&part)};
    struct part right = {left.end, part.end};
    uint8_t left_root[32], right_root[32];
    bool whole = true;
    if (!apart(&left, run)) whole = rebuild_part(rebuild, left, left_root);
    if (whole && !apart(&right, run)) whole = rebuild_part(rebuild, right, right_root);
    if (whole && apart(&left, run)) whole = take(rebuild, left_root);
    if (whole && apart(&right, run)) whole = take(rebuild, right_root);
    if (whole) vault_merkle_node(left_root, right_root, ret_root);
    return whole;
}

bool merkle_path_root(const uint8_t (*run_leaves)[32], const struct merkle_run *run, const struct merkle_path *path,
                      uint8_t ret_root[32])
{
    if (run->count == 0 || run->first >= run->total || run->count > run->total - run->first) return false;
    if (path->count > MERKLE_PATH_MAX) return false;
    struct rebuild rebuild = {.leaves = run_leaves, .run = run, .path = path};
    uint8_t root[32];
    if (!rebuild_part(&rebuild, (struct part){0, run->total}, root) || rebuild.used != path->count) return false;
    memcpy(ret_root, root, sizeof root);
    return true;
}
