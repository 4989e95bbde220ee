#include "journal/leaves.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "journal/merkle.h"

enum { BATCH_PAGES = 256, BATCH_COUNT = 4 };

struct leaf {
    uint64_t position;
    uint8_t hash[32];
};

struct batch {
    size_t count;
    uint8_t pages[BATCH_PAGES][MERKLE_PAGE];
    uint8_t hashes[BATCH_PAGES][32];
};

struct leaves {
    struct leaf *items;
    size_t count;
    size_t capacity;
    size_t hashed; /* of items: those before it have their hashes */
    /* Batches are filled and hashed in turn, a ring: submitted and done count batches since the beginning. The one at
     * `submitted` is being filled. */
    struct batch *batches;
    bool threaded;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint64_t submitted; /* under mutex, as the next three */
    uint64_t done;
    bool ending;
    uint64_t collected; /* the caller's: their hashes are in items */
};

static void *hash_batches(void *argument)
{
    struct leaves *leaves = argument;
    CHECK(pthread_mutex_lock(&leaves->mutex) == 0);
    for (;;) {
        while (leaves->done == leaves->submitted && !leaves->ending)
            CHECK(pthread_cond_wait(&leaves->changed, &leaves->mutex) == 0);
        if (leaves->done == leaves->submitted) break;
        struct batch *batch = &leaves->batches[leaves->done % BATCH_COUNT];
        CHECK(pthread_mutex_unlock(&leaves->mutex) == 0);
        merkle_pages(batch->pages[0], batch->count, batch->hashes);
        CHECK(pthread_mutex_lock(&leaves->mutex) == 0);
        leaves->done++;
        CHECK(pthread_cond_broadcast(&leaves->changed) == 0);
    }
    CHECK(pthread_mutex_unlock(&leaves->mutex) == 0);
    return NULL;
}

struct result leaves_create(bool thread, struct leaves **ret_leaves)
{
    struct leaves *leaves = calloc(1, sizeof *leaves);
    if (leaves) leaves->batches = calloc(BATCH_COUNT, sizeof *leaves->batches);
    if (!leaves || !leaves->batches) {
        free(leaves);
        return result_of(NO_MEMORY);
    }
    CHECK(pthread_mutex_init(&leaves->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&leaves->changed, NULL) == 0);
    leaves->threaded = thread && pthread_create(&leaves->thread, NULL, hash_batches, leaves) == 0;
    *ret_leaves = leaves;
    return result_ok();
}

void leaves_destroy(struct leaves *leaves)
{
    if (!leaves) return;
    if (leaves->threaded) {
        CHECK(pthread_mutex_lock(&leaves->mutex) == 0);
        leaves->ending = true;
        CHECK(pthread_cond_broadcast(&leaves->changed) == 0);
        CHECK(pthread_mutex_unlock(&leaves->mutex) == 0);
        CHECK(pthread_join(leaves->thread, NULL) == 0);
    }
    pthread_cond_destroy(&leaves->changed);
    pthread_mutex_destroy(&leaves->mutex);
    free(leaves->batches);
    free(leaves->items);
    free(leaves);
}

/* Takes over the hashes of the oldest batch, once it is done. */
static void collect(struct leaves *leaves)
{
    CHECK(pthread_mutex_lock(&leaves->mutex) == 0);
    while (leaves->done <= leaves->collected) CHECK(pthread_cond_wait(&leaves->changed, &leaves->mutex) == 0);
    CHECK(pthread_mutex_unlock(&leaves->mutex) == 0);
    struct batch *batch = &leaves->batches[leaves->collected % BATCH_COUNT];
    for (size_t i = 0; i < batch->count; i++) memcpy(leaves->items[leaves->hashed + i].hash, batch->hashes[i], 32);
    leaves->hashed += batch->count;
    batch->count = 0;
    leaves->collected++;
}

/* Hands the batch being filled over; the next one is free afterwards. */
static void submit(struct leaves *leaves)
{
    CHECK(pthread_mutex_lock(&leaves->mutex) == 0);
    uint64_t submitted = ++leaves->submitted;
    if (!leaves->threaded) {
        struct batch *batch = &leaves->batches[leaves->done % BATCH_COUNT];
        merkle_pages(batch->pages[0], batch->count, batch->hashes);
        leaves->done++;
    }
    CHECK(pthread_cond_broadcast(&leaves->changed) == 0);
    CHECK(pthread_mutex_unlock(&leaves->mutex) == 0);
    while (submitted - leaves->collected >= (leaves->threaded ? BATCH_COUNT : 1)) collect(leaves);
}

static void settle(struct leaves *leaves)
{
    if (leaves->batches[leaves->submitted % BATCH_COUNT].count > 0) submit(leaves);
    while (leaves->collected < leaves->submitted) collect(leaves);
}

static struct result make_room(struct leaves *leaves, size_t count)
{
    if (leaves->count + count <= leaves->capacity) return result_ok();
    size_t capacity = leaves->capacity ? leaves->capacity * 2 : 4096;
    while (capacity < leaves->count + count) capacity *= 2;
    void *more = realloc(leaves->items, capacity * sizeof *leaves->items);
    if (!more) return result_of(NO_MEMORY);
    leaves->items = more;
    leaves->capacity = capacity;
    return result_ok();
}

struct result leaves_add(struct leaves *leaves, uint64_t position, const uint8_t *bytes, uint32_t page_count)
{
    TRY(make_room(leaves, page_count));
    for (uint32_t i = 0; i < page_count; i++) leaves->items[leaves->count++].position = position;
    while (page_count > 0) {
        struct batch *batch = &leaves->batches[leaves->submitted % BATCH_COUNT];
        size_t room = BATCH_PAGES - batch->count, taken = page_count < room ? page_count : room;
        memcpy(batch->pages[batch->count], bytes, taken * MERKLE_PAGE);
        batch->count += taken;
        bytes += taken * MERKLE_PAGE;
        page_count -= (uint32_t)taken;
        if (batch->count == BATCH_PAGES) submit(leaves);
    }
    return result_ok();
}

void leaves_root(struct leaves *leaves, uint64_t first, uint64_t last, uint8_t ret_root[32])
{
    struct merkle merkle;
    settle(leaves);
    merkle_start(&merkle);
    for (size_t i = 0; i < leaves->count; i++)
        if (first <= leaves->items[i].position && leaves->items[i].position <= last)
            merkle_add(&merkle, leaves->items[i].hash);
    merkle_root(&merkle, ret_root);
}

void leaves_drop(struct leaves *leaves, uint64_t through)
{
    size_t count = 0;
    settle(leaves);
    while (count < leaves->count && leaves->items[count].position <= through) count++;
    leaves->count -= count;
    leaves->hashed -= count;
    if (leaves->count > 0) memmove(leaves->items, leaves->items + count, leaves->count * sizeof *leaves->items);
}
