/* Blocks that are still in their writers' buffers, so that the seals need not read them back from the disk. A buffer
 * is its writer's, but for the time that the keeper reads it; how long it stays as it is depends on how many a writer
 * has. */
#include <sched.h>

#include "base/check.h"
#include "journal/internal.h"

void recent_enter(struct journal *journal, struct writer_block *block)
{
    block->appended = block->block.position;
    block->segment = journal->current;
    journal->recent[block->appended % JOURNAL_RECENT_MAX] = (struct recent){block->appended, block};
    if (journal->vault) atomic_store(&block->wanted, WANTED);
}

/* recent_enter alone makes a buffer WANTED, under the lock that this holds: what is found so is of that position. */
struct writer_block *recent_take(struct journal *journal, uint64_t position)
{
    CHECK(pthread_mutex_lock(&journal->mutex) == 0);
    const struct recent *recent = &journal->recent[position % JOURNAL_RECENT_MAX];
    struct writer_block *block = recent->position == position ? recent->block : NULL;
    uint8_t wanted = WANTED;
    if (block && (block->appended != position || !atomic_compare_exchange_strong(&block->wanted, &wanted, WANTED_READ)))
        block = NULL;
    CHECK(pthread_mutex_unlock(&journal->mutex) == 0);
    return block;
}

void recent_leave(struct writer_block *block)
{
    atomic_store(&block->wanted, WANTED_NO);
}

/* The first that nobody wants, since it is the one most likely still in a cache; else the newest, so that seals which
 * are late find the older ones, which they come to first. The seals read one at a time, and there is one buffer more
 * than may be in use. */
struct writer_block *recent_free(struct journal_writer *writer)
{
    for (;;) {
        struct writer_block *newest = NULL;
        uint64_t hashed_through = atomic_load(&writer->journal->hashed_through);
        for (uint32_t i = 0; i < writer->buffer_count; i++) {
            struct writer_block *block = &writer->blocks[i];
            if (block->state != BLOCK_FREE) continue;
            uint8_t wanted = atomic_load(&block->wanted);
            if (wanted == WANTED_READ) continue;
            if (wanted == WANTED_NO || block->appended <= hashed_through) return block;
            if (!newest || block->appended > newest->appended) newest = block;
        }
        uint8_t wanted = WANTED;
        if (newest && atomic_compare_exchange_strong(&newest->wanted, &wanted, WANTED_NO)) return newest;
    }
}

void recent_forget(struct journal_writer *writer)
{
    struct journal *journal = writer->journal;
    CHECK(pthread_mutex_lock(&journal->mutex) == 0);
    for (uint32_t i = 0; i < JOURNAL_RECENT_MAX; i++) {
        struct recent *recent = &journal->recent[i];
        if (recent->block && recent->block->block.writer == writer) *recent = (struct recent){0};
    }
    CHECK(pthread_mutex_unlock(&journal->mutex) == 0);
    for (uint32_t i = 0; i < writer->buffer_count; i++)
        while (atomic_load(&writer->blocks[i].wanted) == WANTED_READ) sched_yield();
}
