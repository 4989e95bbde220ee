/* The store: what is looked up by key, in transactions. Replay state stands here only as of a checkpoint.
 *
 * Two implementations: LMDB (store_lmdb.c), and a transactional model in memory (store_memory.c) for the simulator.
 * One write transaction at a time (acts and checkpoints share a mutex in core; the housekeeper's key row is written
 * outside it and waits in the store); reads anywhere. Commit is durable when it returns. Nothing here is called on the
 * verify path. */
#ifndef OTPRING_STORE_STORE_H
#define OTPRING_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

enum store_map {
    STORE_META,         /* text key -> see schema.h */
    STORE_PROFILES,     /* profile id, 2 bytes big-endian */
    STORE_TOKENS,       /* ordinal, 4 bytes big-endian */
    STORE_ACCOUNTS,     /* name, 16 bytes (company hash first, so that a company's accounts stand together) */
    STORE_FINGERPRINTS, /* seed fingerprint, 16 bytes */
    STORE_WORDS,        /* block of token and budget words: first ordinal of the block, 4 bytes big-endian */
    STORE_SESSIONS,     /* session id, 8 bytes big-endian */
    STORE_UNKNOWN,      /* block number of the unknown-names table, 4 bytes big-endian */
    /* The world of people. Core carries these rows and knows the meaning of STORE_GATES alone: core/change.h. */
    STORE_GATES,       /* name, 16 bytes; its second half zero: a company. Whether somebody may pass without a code */
    STORE_COMPANIES,   /* first half of a name, 8 bytes */
    STORE_USERS,       /* name, 16 bytes */
    STORE_STOCK,       /* token number, 8 bytes big-endian */
    STORE_DEVICES,     /* device number, 8 bytes big-endian */
    STORE_INVITATIONS, /* name, 16 bytes */
    STORE_OUTBOX,      /* message number, 8 bytes big-endian */
    STORE_OPERATORS,   /* operator number, 4 bytes big-endian */
    STORE_REQUESTS,    /* request number, 8 bytes big-endian */
    STORE_COUNTERS,    /* text: the last number given out, of each kind */
    STORE_ORDER,       /* secondary keys, so that no list scans a table: kind 1, then big-endian fields in order */
    STORE_PERSON_KEYS, /* name, 16 bytes: a person's sealed key. Never in the journal, so that it can be destroyed */
    STORE_CHALLENGES,  /* challenge id, 16 bytes, and a letter for which part: challenge/keep.h */
    STORE_MAP_COUNT
};

enum { STORE_KEY_SIZE_MAX = 64 };

struct store_bytes {
    const void *bytes;
    size_t size;
};

struct store;
struct store_txn;

struct store_functions {
    struct result (*begin)(struct store *store, bool write, struct store_txn **ret_txn);
    struct result (*commit)(struct store_txn *txn);
    void (*abort)(struct store_txn *txn);
    struct result (*get)(struct store_txn *txn, enum store_map map, struct store_bytes key,
                         struct store_bytes *ret_value);
    struct result (*put)(struct store_txn *txn, enum store_map map, struct store_bytes key, struct store_bytes value);
    struct result (*erase)(struct store_txn *txn, enum store_map map, struct store_bytes key);
    struct result (*next)(struct store_txn *txn, enum store_map map, struct store_bytes after, bool inclusive,
                          struct store_bytes *ret_key, struct store_bytes *ret_value);
    struct result (*backup)(struct store *store, const char *folder);
    void (*close)(struct store *store);
};

/* First member of each implementation's own struct. */
struct store {
    const struct store_functions *functions;
};

/* STORE_BUSY never; STORE_FULL, OS_NO_SPACE (both: nothing changed), STORE_DAMAGED. */
static inline struct result store_begin(struct store *store, bool write, struct store_txn **ret_txn)
{
    return store->functions->begin(store, write, ret_txn);
}

/* Operations on a transaction name the store too, so that a txn needs no pointer back. Values and keys given back point
 * into the store and live until the transaction ends or the next put or erase. STORE_NOT_FOUND where there is none. A
 * put that failed with anything but BAD_ARGUMENT (a key of 1 to STORE_KEY_SIZE_MAX bytes) spoils the transaction: its
 * commit fails in the same way. A commit ends the transaction whether it succeeds or not. A reader sees the state at
 * its begin; it may move between threads, a writer may not. */
static inline struct result store_get(struct store *store, struct store_txn *txn, enum store_map map,
                                      struct store_bytes key, struct store_bytes *ret_value)
{
    return store->functions->get(txn, map, key, ret_value);
}

static inline struct result store_put(struct store *store, struct store_txn *txn, enum store_map map,
                                      struct store_bytes key, struct store_bytes value)
{
    return store->functions->put(txn, map, key, value);
}

static inline struct result store_erase(struct store *store, struct store_txn *txn, enum store_map map,
                                        struct store_bytes key)
{
    return store->functions->erase(txn, map, key);
}

/* The least key greater than `after` (or equal to it when inclusive); size 0: from the beginning. STORE_NOT_FOUND at
 * the end. Cheap when called with the key it last gave. */
static inline struct result store_next(struct store *store, struct store_txn *txn, enum store_map map,
                                       struct store_bytes after, bool inclusive, struct store_bytes *ret_key,
                                       struct store_bytes *ret_value)
{
    return store->functions->next(txn, map, after, inclusive, ret_key, ret_value);
}

static inline struct result store_commit(struct store *store, struct store_txn *txn)
{
    return store->functions->commit(txn);
}

static inline void store_abort(struct store *store, struct store_txn *txn)
{
    store->functions->abort(txn);
}

/* A consistent, compacted and synced copy of everything into a new folder (or one without a store.mdb), while the store
 * is in use. LMDB only; the model answers BAD_ARGUMENT. OS_EXISTS, OS_NO_SPACE, OS_PERMISSION. */
static inline struct result store_backup(struct store *store, const char *folder)
{
    return store->functions->backup(store, folder);
}

static inline void store_close(struct store *store)
{
    store->functions->close(store);
}

/* DIR/store.mdb. No WRITEMAP, no NOSYNC: every commit is synced. size_max: the map's greatest size, beyond which
 * STORE_FULL; a file that is larger already is opened all the same. One open a file and process. create: OS_EXISTS when
 * there is one; else OS_NOT_FOUND when there is none. STORE_DAMAGED, STORE_VERSION, OS_NO_SPACE. */
struct result store_lmdb_open(const char *folder, bool create, uint64_t size_max, struct store **ret_store) MUST_USE;

/* The same for a look at a store that another process may have open: changes nothing, write transactions fail. A file
 * that is shorter than its root says is STORE_DAMAGED here, although an owner may mend it. */
struct result store_lmdb_open_reading(const char *folder, struct store **ret_store) MUST_USE;

/* The model: a sorted map in memory whose commits survive store_memory_crash, and whose open transactions do not.
 * fail_commit_at: the Nth commit from now fails with OS_NO_SPACE and changes nothing; 0: off. */
struct result store_memory_create(struct store **ret_store) MUST_USE;
void store_memory_crash(struct store *store);
/* Another store with what is committed in this one now. */
struct result store_memory_copy(struct store *store, struct store **ret_store) MUST_USE;
void store_memory_fail_commit_at(struct store *store, uint64_t commit_count);

#endif
