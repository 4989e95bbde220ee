/* The stages in plain C: whole ones that vectors do not do better, from some item on for what vectors leave over, and
 * what an entry of the index comes to. Room-internal. */
#ifndef OTPRING_KERNEL_STAGES_FROM_H
#define OTPRING_KERNEL_STAGES_FROM_H

#include "kernel/bucket.h"
#include "kernel/stages.h"

void stage_gather(const struct stage_gather *gather);
void stage_hash_names(const struct stage_names *names);
void stage_hash_names_from(const struct stage_names *names, size_t first);
void stage_find_from(struct stage_find *find, size_t first); /* adds to the masks, as the next one does */
void stage_look_from(struct stage_look *look, size_t first);
void stage_check_from(struct stage_check *check, size_t first);
void stage_record_some(const struct stage_record *record, uint64_t which);

/* What the bucket of item i says of it. */
static inline void stage_found(struct stage_find *find, size_t i, const _Atomic uint64_t *bucket,
                               struct bucket_match match)
{
    if (!match.empty || !match.tags || (match.tags & (match.tags - 1))) {
        find->ret_none |= (uint64_t)(match.empty && !match.tags) << i;
        find->ret_ordinals[i] = 0;
        find->ret_lines[i] = find->ret_tails[i] = find->nowhere;
        return;
    }
    const _Atomic uint64_t *entry = bucket + __builtin_ctz(match.tags);
    uint32_t ordinal = (uint32_t)atomic_load_explicit(entry, memory_order_acquire) - 1;
    uint32_t algorithm = ordinal >> 30, line = ordinal & 0x3fffffff;
    size_t size = 64 * ((size_t)algorithm + 1);
    find->ret_ordinals[i] = ordinal;
    find->ret_lines[i] = (uint8_t *)find->arrays[algorithm] + line * size;
    find->ret_tails[i] = (uint8_t *)find->ret_lines[i] + size - 8 * TAIL_WORDS;
    find->ret_found |= (uint64_t)1 << i;
    find->ret_long |= (uint64_t)(algorithm > 0) << i;
}

typedef struct bucket_match bucket_match_function(const _Atomic uint64_t *bucket, uint32_t tag);

/* stage_find_from, with a bucket compared by `match`: inline, so that there is no call for each. */
static inline __attribute__((always_inline)) void stage_find_by(bucket_match_function *match, struct stage_find *wanted,
                                                                size_t first)
{
    struct stage_find find = *wanted;
    for (size_t i = first; i < find.count; i++) {
        uint32_t tag = (uint32_t)(find.hashes[i] >> 32);
        const _Atomic uint64_t *bucket =
            (const _Atomic uint64_t *)find.index.buckets + (size_t)(tag >> find.index.shift) * BUCKET_ENTRIES;
        stage_found(&find, i, bucket, match(bucket, tag));
    }
    wanted->ret_found = find.ret_found;
    wanted->ret_long = find.ret_long;
    wanted->ret_none = find.ret_none;
}

#endif
