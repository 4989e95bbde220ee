#include "approval/watch.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

struct result watches_create(uint32_t capacity, struct watches *ret_watches)
{
    uint32_t buckets = 1;
    while (buckets < capacity) buckets *= 2;
    *ret_watches = (struct watches){.bucket_count = buckets, .capacity = capacity, .fresh = 1};
    ret_watches->all = calloc((size_t)capacity + 1, sizeof *ret_watches->all);
    ret_watches->buckets = calloc(buckets, sizeof *ret_watches->buckets);
    if (ret_watches->all && ret_watches->buckets) return result_ok();
    watches_destroy(ret_watches);
    return result_of(NO_MEMORY);
}

void watches_destroy(struct watches *watches)
{
    free(watches->all);
    free(watches->buckets);
    *watches = (struct watches){0};
}

/* Ids are random, whoever names one. */
static uint32_t *bucket_of(struct watches *watches, const uint8_t id[CHALLENGE_ID_SIZE])
{
    return &watches->buckets[load_le32(id) & (watches->bucket_count - 1)];
}

static uint32_t take(struct watches *watches)
{
    uint32_t at = watches->free;
    if (at)
        watches->free = watches->all[at].next;
    else if (watches->fresh <= watches->capacity)
        at = watches->fresh++;
    return at;
}

bool watch_add(struct watches *watches, const uint8_t id[CHALLENGE_ID_SIZE], uint64_t owner, uint64_t tag)
{
    uint32_t *bucket = bucket_of(watches, id);
    for (uint32_t at = *bucket; at; at = watches->all[at].next) {
        const struct watch *watch = &watches->all[at];
        if (watch->owner == owner && watch->tag == tag && memcmp(watch->id, id, CHALLENGE_ID_SIZE) == 0) return true;
    }
    uint32_t at = take(watches);
    if (!at) return false;
    struct watch *watch = &watches->all[at];
    memcpy(watch->id, id, CHALLENGE_ID_SIZE);
    watch->owner = owner;
    watch->tag = tag;
    watch->next = *bucket;
    *bucket = at;
    return true;
}

static void due_add(struct watches *watches, uint32_t at)
{
    watches->all[at].next = 0;
    if (watches->due_last)
        watches->all[watches->due_last].next = at;
    else
        watches->due_first = at;
    watches->due_last = at;
}

void watch_close(struct watches *watches, const uint8_t id[CHALLENGE_ID_SIZE])
{
    uint32_t *link = bucket_of(watches, id);
    while (*link) {
        uint32_t at = *link;
        if (memcmp(watches->all[at].id, id, CHALLENGE_ID_SIZE) != 0) {
            link = &watches->all[at].next;
            continue;
        }
        *link = watches->all[at].next;
        due_add(watches, at);
    }
}

bool watch_due(struct watches *watches, struct watch *ret_watch)
{
    uint32_t at = watches->due_first;
    if (!at) return false;
    *ret_watch = watches->all[at];
    watches->due_first = ret_watch->next;
    if (!watches->due_first) watches->due_last = 0;
    watches->all[at].next = watches->free;
    watches->free = at;
    return true;
}

void watch_later(struct watches *watches, const struct watch *watch)
{
    uint32_t at = take(watches); /* the place that watch_due has just freed, or another */
    if (!at) return;
    watches->all[at] = *watch;
    due_add(watches, at);
}
