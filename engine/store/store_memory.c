/* The store's model: states that share what did not change. A commit puts a new state in the place of the old one; a
 * reader keeps the one that it began with. */
#include "store/store.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/check.h"
#include "store/treap.h"

struct txn_memory {
    struct store_memory *store;
    struct txn_memory *next; /* open ones */
    bool write;
    struct treap *maps[STORE_MAP_COUNT];
};

struct store_memory {
    struct store store;
    pthread_mutex_t mutex; /* over all below */
    struct treap *maps[STORE_MAP_COUNT];
    struct txn_memory *open;
    struct txn_memory *writer;
    uint64_t fail_commit_at;
    uint64_t random;
};

static struct txn_memory *memory_txn(struct store_txn *txn)
{
    return (struct txn_memory *)(void *)txn;
}

static bool key_valid(struct store_bytes key)
{
    return key.size > 0 && key.size <= STORE_KEY_SIZE_MAX;
}

static struct result memory_begin(struct store *base, bool write, struct store_txn **ret_txn)
{
    struct store_memory *store = (struct store_memory *)base;
    struct txn_memory *txn = calloc(1, sizeof(*txn));
    if (!txn) return result_of(NO_MEMORY);
    txn->store = store;
    txn->write = write;
    pthread_mutex_lock(&store->mutex);
    /* The order of writers is the caller's. LMDB would wait here; in a simulation there is nobody to wait for. */
    CHECK(!write || !store->writer);
    if (write) store->writer = txn;
    for (int i = 0; i < STORE_MAP_COUNT; i++) txn->maps[i] = treap_share(store->maps[i]);
    txn->next = store->open;
    store->open = txn;
    pthread_mutex_unlock(&store->mutex);
    *ret_txn = (struct store_txn *)txn;
    return result_ok();
}

/* Under the mutex: takes a transaction out and lets go of its state. */
static void txn_end(struct txn_memory *txn)
{
    struct store_memory *store = txn->store;
    struct txn_memory **at = &store->open;
    while (*at && *at != txn) at = &(*at)->next;
    CHECK(*at == txn);
    *at = txn->next;
    if (store->writer == txn) store->writer = NULL;
    for (int i = 0; i < STORE_MAP_COUNT; i++) treap_release(txn->maps[i]);
    free(txn);
}

static void memory_abort(struct store_txn *base)
{
    struct txn_memory *txn = memory_txn(base);
    struct store_memory *store = txn->store;
    pthread_mutex_lock(&store->mutex);
    txn_end(txn);
    pthread_mutex_unlock(&store->mutex);
}

static struct result memory_commit(struct store_txn *base)
{
    struct txn_memory *txn = memory_txn(base);
    struct store_memory *store = txn->store;
    pthread_mutex_lock(&store->mutex);
    bool fails = txn->write && store->fail_commit_at > 0 && --store->fail_commit_at == 0;
    for (int i = 0; i < STORE_MAP_COUNT && txn->write && !fails; i++) {
        struct treap *old = store->maps[i];
        store->maps[i] = txn->maps[i];
        txn->maps[i] = old;
    }
    txn_end(txn);
    pthread_mutex_unlock(&store->mutex);
    return fails ? result_of(OS_NO_SPACE) : result_ok();
}

static struct result memory_get(struct store_txn *base, enum store_map map, struct store_bytes key,
                                struct store_bytes *ret_value)
{
    if (!key_valid(key)) return result_of(BAD_ARGUMENT);
    bool found = treap_get(memory_txn(base)->maps[map], key, ret_value);
    return found ? result_ok() : result_of(STORE_NOT_FOUND);
}

/* splitmix64: the shape of the trees is the same in every run. */
static uint64_t random_next(struct store_memory *store)
{
    uint64_t z = store->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static struct result memory_put(struct store_txn *base, enum store_map map, struct store_bytes key,
                                struct store_bytes value)
{
    struct txn_memory *txn = memory_txn(base);
    CHECK(txn->write);
    if (!key_valid(key)) return result_of(BAD_ARGUMENT);
    treap_put(&txn->maps[map], key, value, random_next(txn->store));
    return result_ok();
}

static struct result memory_erase(struct store_txn *base, enum store_map map, struct store_bytes key)
{
    struct txn_memory *txn = memory_txn(base);
    CHECK(txn->write);
    if (!key_valid(key)) return result_of(BAD_ARGUMENT);
    return treap_erase(&txn->maps[map], key) ? result_ok() : result_of(STORE_NOT_FOUND);
}

static struct result memory_next(struct store_txn *base, enum store_map map, struct store_bytes after, bool inclusive,
                                 struct store_bytes *ret_key, struct store_bytes *ret_value)
{
    if (after.size > STORE_KEY_SIZE_MAX) return result_of(BAD_ARGUMENT);
    bool found = treap_next(memory_txn(base)->maps[map], after, inclusive, ret_key, ret_value);
    return found ? result_ok() : result_of(STORE_NOT_FOUND);
}

static struct result memory_backup(struct store *base, const char *folder)
{
    (void)base;
    (void)folder;
    return result_of(BAD_ARGUMENT);
}

void store_memory_crash(struct store *base)
{
    struct store_memory *store = (struct store_memory *)base;
    pthread_mutex_lock(&store->mutex);
    while (store->open) txn_end(store->open);
    pthread_mutex_unlock(&store->mutex);
}

void store_memory_fail_commit_at(struct store *base, uint64_t commit_count)
{
    struct store_memory *store = (struct store_memory *)base;
    pthread_mutex_lock(&store->mutex);
    store->fail_commit_at = commit_count;
    pthread_mutex_unlock(&store->mutex);
}

static void memory_close(struct store *base)
{
    struct store_memory *store = (struct store_memory *)base;
    store_memory_crash(base);
    for (int i = 0; i < STORE_MAP_COUNT; i++) treap_release(store->maps[i]);
    pthread_mutex_destroy(&store->mutex);
    free(store);
}

static const struct store_functions memory_functions = {
    .begin = memory_begin,
    .commit = memory_commit,
    .abort = memory_abort,
    .get = memory_get,
    .put = memory_put,
    .erase = memory_erase,
    .next = memory_next,
    .backup = memory_backup,
    .close = memory_close,
};

struct result store_memory_create(struct store **ret_store)
{
    struct store_memory *store = calloc(1, sizeof(*store));
    if (!store) return result_of(NO_MEMORY);
    store->store.functions = &memory_functions;
    pthread_mutex_init(&store->mutex, NULL);
    *ret_store = &store->store;
    return result_ok();
}

struct result store_memory_copy(struct store *base, struct store **ret_store)
{
    struct store_memory *from = (struct store_memory *)base;
    TRY(store_memory_create(ret_store));
    struct store_memory *to = (struct store_memory *)*ret_store;
    pthread_mutex_lock(&from->mutex);
    for (int i = 0; i < STORE_MAP_COUNT; i++) to->maps[i] = treap_share(from->maps[i]);
    to->random = from->random;
    pthread_mutex_unlock(&from->mutex);
    return result_ok();
}
