/* The commit path: begin, append, completion, settling. The lock's section assigns position, offset, predecessor and
 * committed-through, hashes one 56-byte header (the next block names it), notes where the seals find the block, and
 * nothing else. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "journal/internal.h"

static void lock(struct journal *journal)
{
    CHECK(pthread_mutex_lock(&journal->mutex) == 0);
}

static void unlock(struct journal *journal)
{
    CHECK(pthread_mutex_unlock(&journal->mutex) == 0);
}

/* ---- waking ---- */

/* Writers to wake once the lock is released. A count in each keeps it, and so its os, from being destroyed meanwhile.
 */
struct wake_list {
    struct journal_writer *writers[JOURNAL_WRITERS_MAX];
    uint64_t listed; /* bit by writer index */
};

static void wake_add(struct wake_list *list, struct journal_writer *writer)
{
    if (list->listed >> writer->index & 1) return;
    list->listed |= 1ULL << writer->index;
    list->writers[writer->index] = writer;
    atomic_fetch_add(&writer->wakers, 1);
}

/* Blocks became free: whoever was told FULL for want of depth may ask again. Under the lock. */
static void wake_wanting(struct journal *journal, struct wake_list *list)
{
    for (uint32_t i = 0; journal->wanting_count > 0 && i < JOURNAL_WRITERS_MAX; i++) {
        struct journal_writer *writer = journal->writers[i];
        if (!writer || !writer->wanting) continue;
        writer->wanting = false;
        journal->wanting_count--;
        wake_add(list, writer);
    }
}

static void wake_all(struct wake_list *list, const struct journal_writer *self)
{
    while (list->listed) {
        unsigned index = (unsigned)__builtin_ctzll(list->listed);
        list->listed &= list->listed - 1;
        struct journal_writer *writer = list->writers[index];
        if (writer != self) os_wake(writer->os);
        atomic_fetch_sub(&writer->wakers, 1);
    }
}

/* ---- writers ---- */

static void writer_free(struct journal_writer *writer)
{
    free(writer->memory);
    free(writer->blocks);
    free(writer->queue);
    free(writer);
}

static bool writer_buffers(struct journal_writer *writer)
{
    size_t size = format_block_size(writer->options.slots_per_block);
    writer->buffer_count = writer->options.block_count + writer->options.kept_count + 1;
    writer->blocks = calloc(writer->buffer_count, sizeof *writer->blocks);
    writer->queue = calloc(writer->options.block_count, sizeof *writer->queue);
    /* So much comes from the system as it is used, page by page. */
    writer->memory = calloc(1, writer->buffer_count * size + JOURNAL_BLOCK_ALIGNMENT);
    if (!writer->blocks || !writer->queue || !writer->memory) return false;
    uint8_t *aligned = (uint8_t *)writer->memory + (-(uintptr_t)writer->memory & (JOURNAL_BLOCK_ALIGNMENT - 1));
    for (uint32_t i = 0; i < writer->buffer_count; i++) {
        struct writer_block *own = &writer->blocks[i];
        own->bytes = aligned + i * size;
        own->block = (struct journal_block){.slots = own->bytes + sizeof(struct journal_block_header),
                                            .slot_capacity = writer->options.slots_per_block,
                                            .writer = writer,
                                            .index = i};
    }
    return true;
}

static struct result writer_register(struct journal *journal, struct journal_writer *writer)
{
    struct result result = result_of(FULL);
    uint32_t size = format_block_size(writer->options.slots_per_block);
    lock(journal);
    for (uint32_t i = 0; i < journal->options.writer_count_max; i++) {
        if (journal->writers[i]) continue;
        journal->writers[i] = writer;
        writer->index = i;
        if (size > journal->block_size_max) journal->block_size_max = size;
        result = result_ok();
        break;
    }
    unlock(journal);
    return result;
}

struct result journal_writer_create(struct journal *journal, struct os *os,
                                    const struct journal_writer_options *options, struct journal_writer **ret_writer)
{
    struct journal_writer *writer = calloc(1, sizeof *writer);
    if (!writer) return result_of(NO_MEMORY);
    writer->journal = journal;
    writer->os = os;
    writer->options = *options;
    if (writer->options.block_count == 0) writer->options.block_count = 4;
    if (writer->options.slots_per_block == 0) writer->options.slots_per_block = JOURNAL_SLOTS_MAX;
    uint64_t room = journal->options.segment_size - SEGMENT_HEADER_SIZE;
    bool fits = writer->options.slots_per_block <= JOURNAL_SLOTS_MAX &&
                format_block_size(writer->options.slots_per_block) <= room;
    struct result result = fits ? result_ok() : result_of(BAD_ARGUMENT);
    if (fits && !writer_buffers(writer)) result = result_of(NO_MEMORY);
    if (!result_failed(result)) result = writer_register(journal, writer);
    if (result_failed(result)) {
        writer_free(writer);
        return result;
    }
    *ret_writer = writer;
    return result_ok();
}

void journal_writer_destroy(struct journal_writer *writer)
{
    if (!writer) return;
    struct journal *journal = writer->journal;
    CHECK(journal_in_flight(writer) == 0);
    CHECK(writer->used_count == 0);
    if (writer->keeps) source_refresh(&journal->keeper.source); /* what is read ahead is read by this writer's os */
    lock(journal);
    journal->writers[writer->index] = NULL;
    if (writer->wanting) journal->wanting_count--;
    if (journal->wake_keeper == writer) journal->wake_keeper = NULL;
    unlock(journal);
    while (atomic_load(&writer->wakers) > 0) sched_yield();
    recent_forget(writer);
    writer_free(writer);
}

uint32_t journal_in_flight(const struct journal_writer *writer)
{
    return writer->queue_count + writer->headers;
}

/* ---- begin ---- */

static void count(struct journal *journal, uint64_t *counted, uint64_t size)
{
    lock(journal);
    uint64_t left = journal->bytes_appended - *counted;
    *counted += size < left ? size : left;
    unlock(journal);
}

void journal_hashed(struct journal *journal, uint64_t size)
{
    count(journal, &journal->bytes_hashed, size);
}

void journal_sealed(struct journal *journal, uint64_t size)
{
    count(journal, &journal->bytes_sealed, size);
}

/* Bytes that can be appended in any order of sizes: at each change of segment less than one largest block is wasted.
 * Appending s bytes lowers this by at most s, so what was once admitted always fits. Invariant I5 of FORMAT.md. */
static uint64_t room_left(const struct journal *journal)
{
    uint64_t waste = journal->block_size_max - JOURNAL_BLOCK_ALIGNMENT;
    uint64_t rest = journal->current->size - journal->offset;
    uint64_t each = journal->options.segment_size - SEGMENT_HEADER_SIZE - waste;
    return (rest > waste ? rest - waste : 0) + journal->armed_count * each;
}

/* Load that outruns the seals is held back. Were it not, what is unsealed and what is kept for it would grow without
 * end, the more so as each segment is then a new one. The journal's own records are not. */
static bool outruns_seals(const struct journal *journal)
{
    return journal->vault && journal->bytes_appended - journal->bytes_hashed > journal->options.unsealed_max;
}

static struct result admit(struct journal_writer *writer, uint32_t size, bool own)
{
    struct journal *journal = writer->journal;
    if (atomic_load_explicit(&journal->poisoned, memory_order_relaxed)) return result_of(JOURNAL_POISONED);
    uint64_t reserve = own ? 0 : JOURNAL_OWN_RESERVE;
    if (journal->reserved + size + reserve > room_left(journal)) return result_of(JOURNAL_NO_ROOM);
    if (!own && outruns_seals(journal)) return result_of(JOURNAL_NO_ROOM);
    if (journal->block_count >= journal->options.depth_max) {
        if (!writer->wanting) journal->wanting_count++;
        writer->wanting = true;
        return result_of(FULL);
    }
    journal->reserved += size;
    journal->block_count++;
    return result_ok();
}

struct result writer_begin(struct journal_writer *writer, uint32_t slot_count, bool own,
                           struct journal_block **ret_block)
{
    if (writer->used_count == writer->options.block_count) {
        bool poisoned = atomic_load(&writer->journal->poisoned);
        return result_of(poisoned ? JOURNAL_POISONED : FULL);
    }
    uint32_t size = format_block_size(slot_count);
    lock(writer->journal);
    struct result result = admit(writer, size, own);
    unlock(writer->journal);
    TRY(result);
    struct writer_block *block = recent_free(writer);
    writer->used_count++;
    block->state = BLOCK_BEGUN;
    block->reserved = size;
    block->own = own;
    block->block.position = 0;
    *ret_block = &block->block;
    return result_ok();
}

struct result journal_begin(struct journal_writer *writer, struct journal_block **ret_block)
{
    return writer_begin(writer, writer->options.slots_per_block, false, ret_block);
}

static struct writer_block *block_own(struct journal_block *block)
{
    return &block->writer->blocks[block->index];
}

/* What begin took, without the bytes: the block has left, one way or the other. Under the lock. */
static void release_depth(struct journal *journal, uint32_t count, struct wake_list *list)
{
    CHECK(journal->block_count >= count);
    journal->block_count -= count;
    wake_wanting(journal, list);
}

void journal_abandon(struct journal_block *block)
{
    struct writer_block *own = block_own(block);
    struct journal *journal = block->writer->journal;
    struct wake_list list = {.listed = 0};
    CHECK(own->state == BLOCK_BEGUN);
    lock(journal);
    journal->reserved -= own->reserved;
    release_depth(journal, 1, &list);
    unlock(journal);
    own->state = BLOCK_FREE;
    own->block.writer->used_count--;
    wake_all(&list, NULL);
}

/* ---- durability ---- */

/* Moves durable_through over everything done, in order; a segment's blocks wait for its header. Under the lock. */
static void advance(struct journal *journal, struct wake_list *list)
{
    if (atomic_load_explicit(&journal->poisoned, memory_order_relaxed)) return;
    uint64_t durable = atomic_load_explicit(&journal->durable_through, memory_order_relaxed);
    uint32_t count = 0;
    while (durable + 1 < journal->position_next) {
        struct flight *flight = &journal->flights[(durable + 1) % journal->options.depth_max];
        if (!flight->done || !flight->segment->header_durable) break;
        wake_add(list, flight->writer);
        flight->done = false;
        durable++;
        count++;
    }
    if (count == 0) return;
    atomic_store_explicit(&journal->durable_through, durable, memory_order_release);
    if (journal->wake_keeper && durable >= journal->wake_at) {
        wake_add(list, journal->wake_keeper);
        journal->wake_keeper = NULL;
    }
    release_depth(journal, count, list);
}

void journal_poison(struct journal *journal)
{
    struct wake_list list = {.listed = 0};
    lock(journal);
    atomic_store(&journal->poisoned, true);
    for (uint32_t i = 0; i < JOURNAL_WRITERS_MAX; i++)
        if (journal->writers[i]) wake_add(&list, journal->writers[i]);
    unlock(journal);
    wake_all(&list, NULL);
}

static void write_done(struct os_op *op, int64_t result)
{
    struct writer_block *own = op->owner;
    struct journal_writer *writer = own->block.writer;
    struct journal *journal = writer->journal;
    own->state = BLOCK_WRITTEN;
    if (result != own->size) {
        journal_poison(journal);
    } else {
        struct wake_list list = {.listed = 0};
        lock(journal);
        journal->flights[own->block.position % journal->options.depth_max].done = true;
        advance(journal, &list);
        unlock(journal);
        wake_all(&list, writer);
    }
    journal_poll(writer);
}

static void header_done(struct os_op *op, int64_t result)
{
    struct segment *segment = op->owner;
    struct journal_writer *writer = segment->header_writer;
    struct journal *journal = writer->journal;
    struct wake_list list = {.listed = 0};
    writer->headers--;
    if (result != SEGMENT_HEADER_SIZE) {
        journal_poison(journal);
    } else {
        lock(journal);
        segment->header_durable = true;
        advance(journal, &list);
        unlock(journal);
        wake_all(&list, writer);
    }
    journal_poll(writer);
}

/* ---- append ---- */

void journal_header_fill(const struct journal *journal, struct segment *segment)
{
    struct segment_header *header = segment->header;
    memset(header, 0, sizeof *header);
    header->depth_max = journal->options.depth_max;
    memcpy(header->store_id, journal->options.store_id, sizeof header->store_id);
    header->segment = segment->number;
    header->first_position = segment->first;
    header->incarnation = journal->incarnation;
    header->predecessor = journal->predecessor;
    header->size = segment->size;
    header->mac_segment = segment->mac_segment;
    header->committed_through = atomic_load_explicit(&journal->durable_through, memory_order_relaxed);
    header->time_ms = journal->time_ms;
    header->closed_segment = journal->closed.closed_segment;
    header->sealed_through = journal->closed.closed_sealed_through;
    header->seal_number = journal->closed.closed_seal_number;
    memcpy(header->seal_hash, journal->closed.closed_seal_hash, sizeof header->seal_hash);
    memcpy(header->checkpoint_hash, journal->closed.checkpoint_hash, sizeof header->checkpoint_hash);
    segment->closed_segment = journal->closed.closed_segment;
    segment->time_ms = journal->time_ms;
    format_header_finish(header);
}

/* On to the armed segment. Under the lock; no file is touched here: its header is written by the caller, after the
 * lock. */
static struct segment *rotate(struct journal *journal, struct journal_writer *writer)
{
    struct segment *segment = journal->current->next;
    CHECK(segment && journal->armed_count > 0);
    journal->current->last = journal->position_next - 1;
    segment->first = journal->position_next;
    segment->mac_segment = journal->current->mac_segment + 1;
    segment->header_writer = writer;
    journal_header_fill(journal, segment);
    segment->header_op = (struct os_op){.kind = OS_WRITE_DSYNC,
                                        .file = segment->file,
                                        .buffer = segment->header,
                                        .size = SEGMENT_HEADER_SIZE,
                                        .done = header_done,
                                        .owner = segment};
    journal->current = segment;
    journal->armed_count--;
    journal->rotations++;
    journal->offset = SEGMENT_HEADER_SIZE;
    return segment;
}

/* Position, place and chain. Under the lock. */
static void assign(struct journal *journal, struct writer_block *own, int64_t time_ms)
{
    struct journal_block_header *header = (struct journal_block_header *)(void *)own->bytes;
    if (time_ms > journal->time_ms) journal->time_ms = time_ms;
    header->position = journal->position_next++;
    header->committed_through = atomic_load_explicit(&journal->durable_through, memory_order_relaxed);
    header->time_ms = journal->time_ms;
    header->predecessor = journal->predecessor;
    format_block_finish(header);
    journal->predecessor = header->header_checksum;
    own->block.position = header->position;
    own->op.file = journal->current->file;
    own->op.offset = journal->offset;
    journal->offset += own->size;
    journal->bytes_appended += own->size;
    if (!own->own) journal->user_position = header->position;
    struct flight *flight = &journal->flights[header->position % journal->options.depth_max];
    *flight = (struct flight){.writer = own->block.writer, .segment = journal->current};
    recent_enter(journal, own);
}

static void prepare(struct journal *journal, struct writer_block *own, uint32_t slot_count)
{
    struct journal_block_header *header = (struct journal_block_header *)(void *)own->bytes;
    own->size = format_block_size(slot_count);
    size_t used = (size_t)(slot_count + 1) * JOURNAL_SLOT_SIZE;
    memset(own->bytes + used, 0, own->size - used);
    *header = (struct journal_block_header){.magic = JOURNAL_BLOCK_MAGIC,
                                            .version = JOURNAL_FORMAT_VERSION,
                                            .slot_count = (uint16_t)slot_count,
                                            .incarnation = journal->incarnation};
    format_block_body(header, own->block.slots);
    own->op = (struct os_op){
        .kind = OS_WRITE_DSYNC, .buffer = own->bytes, .size = own->size, .done = write_done, .owner = own};
}

void journal_append(struct journal_block *block, uint32_t slot_count, int64_t time_ms)
{
    struct writer_block *own = block_own(block);
    struct journal_writer *writer = block->writer;
    struct journal *journal = writer->journal;
    struct segment *rotated = NULL;
    CHECK(own->state == BLOCK_BEGUN && slot_count > 0 && format_block_size(slot_count) <= own->reserved);
    prepare(journal, own, slot_count);
    lock(journal);
    journal->reserved -= own->reserved;
    bool poisoned = atomic_load_explicit(&journal->poisoned, memory_order_relaxed);
    if (!poisoned) {
        if (journal->offset + own->size > journal->current->size) rotated = rotate(journal, writer);
        assign(journal, own, time_ms);
    }
    unlock(journal);
    writer->queue[(writer->queue_head + writer->queue_count++) % writer->options.block_count] = block->index;
    own->state = poisoned ? BLOCK_REFUSED : BLOCK_WRITING;
    if (poisoned) return; /* settles in the next journal_poll */
    if (rotated) {
        writer->headers++;
        os_submit(writer->os, &rotated->header_op);
    }
    os_submit(writer->os, &own->op);
}

/* ---- settling ---- */

/* The oldest block in flight, when its fate is known and its buffer is no longer being written from. */
static struct writer_block *settled_block(struct journal_writer *writer, struct result *ret_result)
{
    if (writer->queue_count == 0) return NULL;
    struct writer_block *own = &writer->blocks[writer->queue[writer->queue_head]];
    /* Read in this order: durable_through no longer moves once the journal is poisoned. */
    bool poisoned = atomic_load_explicit(&writer->journal->poisoned, memory_order_acquire);
    uint64_t durable = atomic_load_explicit(&writer->journal->durable_through, memory_order_acquire);
    if (own->state == BLOCK_WRITING) return NULL;
    bool safe = own->state == BLOCK_WRITTEN && own->block.position <= durable;
    if (!safe && !poisoned) return NULL;
    *ret_result = safe ? result_ok() : result_of(JOURNAL_POISONED);
    return own;
}

void journal_poll(struct journal_writer *writer)
{
    if (writer->polling) return;
    writer->polling = true;
    struct writer_block *own;
    struct result result;
    while ((own = settled_block(writer, &result))) {
        writer->queue_head = (writer->queue_head + 1) % writer->options.block_count;
        writer->queue_count--;
        if (own->own)
            keeper_settled(writer->journal, result);
        else
            writer->options.settled(&own->block, result);
        own->state = BLOCK_FREE;
        writer->used_count--;
    }
    writer->polling = false;
}

/* ---- state ---- */

uint64_t journal_durable_through(const struct journal *journal)
{
    return atomic_load_explicit(&journal->durable_through, memory_order_acquire);
}

/* Void segments hold nothing that counts. */
static uint64_t first_position(const struct journal *journal)
{
    for (const struct segment *at = journal->oldest; at; at = at->next)
        if (at->last >= at->first) return at->first;
    return journal->position_next;
}

struct journal_status journal_status(const struct journal *journal)
{
    struct journal *locked = (struct journal *)(uintptr_t)journal;
    lock(locked);
    struct journal_status status = {
        .position_next = journal->position_next,
        .first_position = first_position(journal),
        .durable_through = atomic_load(&locked->durable_through),
        .sealed_through = atomic_load(&locked->sealed_through),
        .incarnation = journal->incarnation,
        .segment = journal->current->number,
        .segment_oldest = journal->oldest->number,
        .bytes_appended = journal->bytes_appended,
        .unsealed_bytes = journal->vault ? journal->bytes_appended - journal->bytes_sealed : 0,
        .held_back = outruns_seals(journal),
        .spares = journal->armed_count,
        .rotations = journal->rotations,
        .poisoned = atomic_load(&locked->poisoned),
        .no_room = atomic_load(&locked->no_room),
    };
    unlock(locked);
    return status;
}
