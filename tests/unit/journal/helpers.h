/* A journal on the simulated os, with writers that append numbered blocks, and a memory of what was promised. */
#ifndef TESTS_JOURNAL_HELPERS_H
#define TESTS_JOURNAL_HELPERS_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "journal/journal.h"
#include "os/os_sim.h"

enum { RIG_WRITERS = 4, RIG_KEEPER = 3, RIG_BLOCKS_MAX = 20000 };

struct rig_block {
    uint64_t id; /* stands in every slot */
    uint64_t position;
    bool settled_ok;
    bool settled_bad;
    uint32_t writer;
};

struct rig {
    struct os_sim_world *world;
    struct os *main_os;
    struct os *os[RIG_WRITERS];
    struct journal *journal;
    struct journal_writer *writers[RIG_WRITERS]; /* the last one is the keeper's */
    struct journal_options options;
    struct vault *vault;
    uint32_t slots_per_block, kept_count; /* of writers */
    int64_t now_ms;
    uint64_t release_position;
    /* what was appended, in order of id */
    struct rig_block *blocks;
    uint64_t block_count;
    uint64_t settle_order_last; /* greatest position settled OK */
    bool out_of_order;          /* a writer's own blocks settled out of order */
    uint64_t writer_last[RIG_WRITERS];
    /* what recovery showed */
    uint64_t *visited; /* ids by position, 0: not visited */
    uint64_t visited_last;
    uint64_t visited_count;
    uint64_t salvaged_count;
    bool invented;
    bool gap;
};

/* Segments of 64 KiB, two spares, depth 4, blocks of 255 slots, no buffers kept, never busy, unless changed before
 * rig_open. */
void rig_create(struct rig *rig, uint64_t seed);
void rig_destroy(struct rig *rig);
struct result rig_open(struct rig *rig, uint64_t after_position);
/* The same with spares armed. */
struct result rig_ready(struct rig *rig, uint64_t after_position);
struct result rig_writers(struct rig *rig);
/* Lets the process die: memory is freed, nothing reaches the disk any more. */
void rig_kill(struct rig *rig);
/* Clean: everything settled, writers gone, closed. */
void rig_close(struct rig *rig);
/* Kill, crash of the disk, fresh os structs. */
void rig_crash(struct rig *rig);

/* Appends a block of that many slots; false when begin was refused (*ret_refusal). */
bool rig_append(struct rig *rig, uint32_t writer, uint32_t slot_count, struct result *ret_refusal);
/* Steps every os a little; false when the world is dead. */
bool rig_step(struct rig *rig);
/* Until nothing of these writers is in flight; false when the world died. */
bool rig_drain(struct rig *rig);
/* Writer 0's part alone, where the keeper's os must not be stepped. */
void rig_make_durable(struct rig *rig);
struct result rig_keep(struct rig *rig);
struct result rig_finish(struct rig *rig);

/* After a recovery: each promise kept, nothing invented? */
bool rig_promises_kept(const struct rig *rig, uint64_t after_position);

/* `count` blocks of one slot in the first segment, one in flight at a time, so that each says all before it were
 * committed. Closed. */
void rig_fill(struct rig *rig, unsigned count);
/* The bytes on the disk of that block, after rig_fill. */
uint8_t *rig_block_bytes(struct rig *rig, uint64_t position);
/* Rewrites the block so that it claims less was committed when it got its position, and follows the one before it. */
void rig_claim_committed(struct rig *rig, uint64_t position, uint64_t committed_through);
/* Opens without reading anything; on failure nothing is open. */
struct result rig_reopen(struct rig *rig, uint64_t *ret_bad_position);

/* A vault with fresh keys; freed by the caller with vault_close. */
struct vault *rig_vault(uint8_t ret_store_id[16]);

/* Two that were opened with the same keys. */
void rig_vault_twins(uint8_t ret_store_id[16], struct vault **ret_one, struct vault **ret_other);

/* Path of a segment's file in the simulated folder. */
const char *rig_segment_path(uint64_t number);

#define assert_ok(expression) assert_string_equal(result_name(expression), "OK")
#define assert_code(expression, expected) assert_string_equal(result_name(expression), result_name(result_of(expected)))

#endif
