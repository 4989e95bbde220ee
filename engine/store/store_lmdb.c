/* The store on LMDB: DIR/store.mdb, and DIR/store.mdb-lock beside it, which may be lost.
 *
 * LMDB writes new pages only where no committed page stands, syncs them, then writes one of two root pages through
 * (O_DSYNC): a crash at any point leaves the last commit that returned, or the one under way, whole. A full disk fails
 * the commit before its root page is written. The map is as large as the limit from the start (address space alone; the
 * file grows as it is used), so that nothing is remapped under a reader. */
#include "store/store.h"

#include <errno.h>
#include <lmdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "os/files.h"
#include "os/os.h"
#include "os/private_file.h"
#include "os/store_lock.h"

enum {
    PATH_SIZE = 4096,
    READERS_MAX = 1024,
    SIZE_MIN = 1 << 20,
    SIZE_STEP = 1 << 16,      /* the map's size is a multiple of any page size */
    SPACE_LEFT_MIN = 4 << 20, /* a short write with less than this free was for want of space */
};

static const char *const map_names[STORE_MAP_COUNT] = {
    [STORE_META] = "meta",
    [STORE_PROFILES] = "profiles",
    [STORE_TOKENS] = "tokens",
    [STORE_ACCOUNTS] = "accounts",
    [STORE_FINGERPRINTS] = "fingerprints",
    [STORE_WORDS] = "words",
    [STORE_SESSIONS] = "sessions",
    [STORE_UNKNOWN] = "unknown",
    [STORE_GATES] = "gates",
    [STORE_COMPANIES] = "companies",
    [STORE_USERS] = "users",
    [STORE_STOCK] = "stock",
    [STORE_DEVICES] = "devices",
    [STORE_INVITATIONS] = "invitations",
    [STORE_OUTBOX] = "outbox",
    [STORE_OPERATORS] = "operators",
    [STORE_REQUESTS] = "requests",
    [STORE_COUNTERS] = "counters",
    [STORE_ORDER] = "order",
    [STORE_PERSON_KEYS] = "person-keys",
    [STORE_CHALLENGES] = "challenges",
};

struct store_lmdb {
    struct store store;
    MDB_env *env;
    MDB_dbi maps[STORE_MAP_COUNT];
    _Atomic uint16_t
        broken; /* a result code once a commit failed in a way that leaves the medium in doubt: no more writing */
    char folder[PATH_SIZE];
};

/* Where `next` stands in one map. */
struct position {
    MDB_cursor *cursor;
    bool valid; /* the cursor is on `key`, and nothing was written to the map since */
    size_t key_size;
    uint8_t key[STORE_KEY_SIZE_MAX];
};

struct txn_lmdb {
    struct store_lmdb *store;
    MDB_txn *txn;
    bool write;
    struct result failure; /* of a write: the commit gives it again */
    struct position positions[STORE_MAP_COUNT];
};

static struct txn_lmdb *lmdb_txn(struct store_txn *txn)
{
    return (struct txn_lmdb *)(void *)txn;
}

static struct result lmdb_result(int code)
{
    switch (code) {
    case MDB_SUCCESS:
        return result_ok();
    case MDB_NOTFOUND:
        return result_of(STORE_NOT_FOUND);
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case EFBIG:
        return result_of(STORE_FULL);
    case MDB_READERS_FULL:
        return result_of(FULL);
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_PAGE_FULL:
    case MDB_CURSOR_FULL:
    case MDB_INVALID:
        return result_of(STORE_DAMAGED);
    case MDB_VERSION_MISMATCH:
        return result_of(STORE_VERSION);
    case MDB_BAD_VALSIZE:
        return result_of(BAD_ARGUMENT);
    case ENOMEM:
        return result_of(NO_MEMORY);
    case ENOSPC:
    case EDQUOT:
        return result_of(OS_NO_SPACE);
    default:
        return code > 0 ? os_result(-(int64_t)code) : result_of(OS_FAILED);
    }
}

/* LMDB reports a write that a full disk cut short as EIO, like a failing device: the space that is left tells them
 * apart. */
static struct result write_result(const struct store_lmdb *store, int code)
{
    uint64_t left;
    if (code == EIO && !result_failed(store_space(store->folder, &left)) && left < SPACE_LEFT_MIN) {
        return result_of(OS_NO_SPACE);
    }
    return lmdb_result(code);
}

static bool key_valid(struct store_bytes key)
{
    return key.size > 0 && key.size <= STORE_KEY_SIZE_MAX;
}

static MDB_val val_of(struct store_bytes bytes)
{
    return (MDB_val){.mv_size = bytes.size,
                     .mv_data = (void *)(uintptr_t)bytes.bytes}; // NOLINT(performance-no-int-to-ptr)
}

static struct store_bytes bytes_of_val(MDB_val val)
{
    return (struct store_bytes){.bytes = val.mv_data, .size = val.mv_size};
}

/* A reader of a process that was killed (`otpring-log` looks up names) would keep every page that was in use when it
 * began from being used again, until the store is full. What such a look costs is nothing beside a commit; where it
 * fails the next one will do. */
static void dead_readers_clear(struct store_lmdb *store)
{
    int dead;
    (void)mdb_reader_check(store->env, &dead);
}

static struct result lmdb_begin(struct store *base, bool write, struct store_txn **ret_txn)
{
    struct store_lmdb *store = (struct store_lmdb *)base;
    uint16_t broken = atomic_load_explicit(&store->broken, memory_order_acquire);
    if (write && broken != OK) return result_of((enum result_code)broken);
    if (write) dead_readers_clear(store);
    struct txn_lmdb *txn = calloc(1, sizeof(*txn));
    if (!txn) return result_of(NO_MEMORY);
    int code = mdb_txn_begin(store->env, NULL, write ? 0 : MDB_RDONLY, &txn->txn);
    if (code != MDB_SUCCESS) {
        free(txn);
        return lmdb_result(code);
    }
    txn->store = store;
    txn->write = write;
    *ret_txn = (struct store_txn *)txn;
    return result_ok();
}

/* A write transaction's cursors go with it; a reader's are the caller's. */
static void cursors_close(struct txn_lmdb *txn)
{
    for (int i = 0; i < STORE_MAP_COUNT; i++) {
        if (txn->positions[i].cursor) mdb_cursor_close(txn->positions[i].cursor);
    }
}

static void lmdb_abort(struct store_txn *base)
{
    struct txn_lmdb *txn = lmdb_txn(base);
    cursors_close(txn);
    mdb_txn_abort(txn->txn);
    free(txn);
}

static struct result lmdb_commit(struct store_txn *base)
{
    struct txn_lmdb *txn = lmdb_txn(base);
    struct store_lmdb *store = txn->store;
    struct result result = txn->failure;
    if (result_failed(result)) {
        lmdb_abort(base);
        return result;
    }
    cursors_close(txn);
    result = write_result(store, mdb_txn_commit(txn->txn));
    free(txn);
    if (result_class(result) == RESULT_FENCE) {
        atomic_store_explicit(&store->broken, result.code, memory_order_release);
    }
    return result;
}

static struct result lmdb_get(struct store_txn *base, enum store_map map, struct store_bytes key,
                              struct store_bytes *ret_value)
{
    struct txn_lmdb *txn = lmdb_txn(base);
    MDB_val wanted = val_of(key), value;
    if (!key_valid(key)) return result_of(BAD_ARGUMENT);
    TRY(lmdb_result(mdb_get(txn->txn, txn->store->maps[map], &wanted, &value)));
    *ret_value = bytes_of_val(value);
    return result_ok();
}

/* What a put or an erase came to. After a failure LMDB takes no more of the transaction, and no commit. */
static struct result wrote(struct txn_lmdb *txn, enum store_map map, int code)
{
    struct result result = write_result(txn->store, code);
    txn->positions[map].valid = false;
    if (result_failed(result) && result.code != STORE_NOT_FOUND) txn->failure = result;
    return result;
}

static struct result lmdb_put(struct store_txn *base, enum store_map map, struct store_bytes key,
                              struct store_bytes value)
{
    struct txn_lmdb *txn = lmdb_txn(base);
    MDB_val key_val = val_of(key), value_val = val_of(value);
    CHECK(txn->write);
    if (!key_valid(key)) return result_of(BAD_ARGUMENT);
    if (result_failed(txn->failure)) return txn->failure;
    return wrote(txn, map, mdb_put(txn->txn, txn->store->maps[map], &key_val, &value_val, 0));
}

static struct result lmdb_erase(struct store_txn *base, enum store_map map, struct store_bytes key)
{
    struct txn_lmdb *txn = lmdb_txn(base);
    MDB_val key_val = val_of(key);
    CHECK(txn->write);
    if (!key_valid(key)) return result_of(BAD_ARGUMENT);
    if (result_failed(txn->failure)) return txn->failure;
    return wrote(txn, map, mdb_del(txn->txn, txn->store->maps[map], &key_val, NULL));
}

static bool same(struct store_bytes a, const void *bytes, size_t size)
{
    return a.size == size && memcmp(a.bytes, bytes, size) == 0;
}

/* Moves the cursor to the first key past `after`: one step from where it stands, or a search. */
static int seek(struct position *at, struct store_bytes after, bool inclusive, MDB_val *key, MDB_val *value)
{
    if (at->valid && !inclusive && same(after, at->key, at->key_size)) {
        return mdb_cursor_get(at->cursor, key, value, MDB_NEXT);
    }
    if (after.size == 0) return mdb_cursor_get(at->cursor, key, value, MDB_FIRST);
    *key = val_of(after);
    int code = mdb_cursor_get(at->cursor, key, value, MDB_SET_RANGE);
    if (code != MDB_SUCCESS || inclusive || !same(after, key->mv_data, key->mv_size)) return code;
    return mdb_cursor_get(at->cursor, key, value, MDB_NEXT);
}

static struct result lmdb_next(struct store_txn *base, enum store_map map, struct store_bytes after, bool inclusive,
                               struct store_bytes *ret_key, struct store_bytes *ret_value)
{
    struct txn_lmdb *txn = lmdb_txn(base);
    struct position *at = &txn->positions[map];
    MDB_val key, value;
    if (after.size > STORE_KEY_SIZE_MAX) return result_of(BAD_ARGUMENT);
    if (!at->cursor) TRY(lmdb_result(mdb_cursor_open(txn->txn, txn->store->maps[map], &at->cursor)));
    int code = seek(at, after, inclusive, &key, &value);
    at->valid = false;
    TRY(lmdb_result(code));
    if (key.mv_size == 0 || key.mv_size > sizeof(at->key)) return result_of(STORE_DAMAGED);
    memcpy(at->key, key.mv_data, key.mv_size);
    at->key_size = key.mv_size;
    at->valid = true;
    *ret_key = bytes_of_val(key);
    *ret_value = bytes_of_val(value);
    return result_ok();
}

static struct result path_make(const char *folder, char ret_path[PATH_SIZE])
{
    int size = snprintf(ret_path, PATH_SIZE, "%s/store.mdb", folder);
    return size > 0 && size < PATH_SIZE ? result_ok() : result_of(BAD_ARGUMENT);
}

static struct result lmdb_backup(struct store *base, const char *folder)
{
    struct store_lmdb *store = (struct store_lmdb *)base;
    char path[PATH_SIZE];
    int file = -1;
    TRY(path_make(folder, path));
    struct result made = files_make_folder(folder);
    if (result_failed(made) && made.code != OS_EXISTS) return made;
    TRY(private_file_open_new(path, &file));
    struct result copied = write_result(store, mdb_env_copyfd2(store->env, file, MDB_CP_COMPACT));
    struct result finished = private_file_finish(file);
    struct result result = result_failed(copied) ? copied : finished;
    if (!result_failed(result)) result = private_file_sync_name(path);
    if (!result_failed(result)) result = private_file_sync_name(folder);
    if (result_failed(result)) (void)files_remove(path).code;
    return result;
}

static void lmdb_close(struct store *base)
{
    struct store_lmdb *store = (struct store_lmdb *)base;
    mdb_env_close(store->env);
    free(store);
}

static const struct store_functions lmdb_functions = {
    .begin = lmdb_begin,
    .commit = lmdb_commit,
    .abort = lmdb_abort,
    .get = lmdb_get,
    .put = lmdb_put,
    .erase = lmdb_erase,
    .next = lmdb_next,
    .backup = lmdb_backup,
    .close = lmdb_close,
};

/* Reading past the end of the mapped file would be a signal, not an error. A file may end a few pages short of what its
 * root names (pages that a transaction took and gave back unwritten), so a short one is not damage in itself: it is
 * made whole with zeros, which no page of LMDB is, and what is really missing is found out when it is read. */
static struct result file_extend(struct store_lmdb *store, const char *path)
{
    MDB_envinfo info;
    MDB_stat stat;
    TRY(lmdb_result(mdb_env_info(store->env, &info)));
    TRY(lmdb_result(mdb_env_stat(store->env, &stat)));
    uint64_t size;
    if (__builtin_mul_overflow((uint64_t)info.me_last_pgno + 1, (uint64_t)stat.ms_psize, &size) || size > INT64_MAX) {
        return result_of(STORE_DAMAGED);
    }
    struct result result = private_file_extend(path, size);
    return result.code == STORE_FULL || result.code == OS_FAILED ? result_of(STORE_DAMAGED) : result;
}

static struct result maps_open(struct store_lmdb *store, bool create)
{
    MDB_txn *txn;
    TRY(lmdb_result(mdb_txn_begin(store->env, NULL, create ? 0 : MDB_RDONLY, &txn)));
    for (int i = 0; i < STORE_MAP_COUNT; i++) {
        int code = mdb_dbi_open(txn, map_names[i], create ? MDB_CREATE : 0, &store->maps[i]);
        if (code == MDB_SUCCESS) continue;
        mdb_txn_abort(txn);
        /* Every store has every map, made in the one transaction that made the store. */
        return code == MDB_NOTFOUND || code == MDB_INCOMPATIBLE ? result_of(STORE_DAMAGED) : write_result(store, code);
    }
    return write_result(store, mdb_txn_commit(txn));
}

static struct result env_open(struct store_lmdb *store, const char *path, bool create, uint64_t size_max)
{
    TRY(lmdb_result(mdb_env_set_mapsize(store->env, size_max / SIZE_STEP * SIZE_STEP)));
    TRY(lmdb_result(mdb_env_set_maxdbs(store->env, STORE_MAP_COUNT)));
    TRY(lmdb_result(mdb_env_set_maxreaders(store->env, READERS_MAX)));
    TRY(lmdb_result(mdb_env_open(store->env, path, MDB_NOSUBDIR | MDB_NOTLS, 0600)));
    dead_readers_clear(store);
    TRY(file_extend(store, path));
    TRY(maps_open(store, create));
    return create ? private_file_sync_name(path) : result_ok();
}

/* Without a lock file nobody has it open, and a reader that made one would change the folder. */
static struct result env_open_reading(struct store_lmdb *store, const char *path)
{
    char lock[PATH_SIZE + 8];
    MDB_envinfo info;
    MDB_stat stat;
    uint64_t size;
    snprintf(lock, sizeof(lock), "%s-lock", path);
    unsigned flags = MDB_NOSUBDIR | MDB_NOTLS | MDB_RDONLY | (files_exist(lock) ? 0 : MDB_NOLOCK);
    TRY(lmdb_result(mdb_env_set_maxdbs(store->env, STORE_MAP_COUNT)));
    TRY(lmdb_result(mdb_env_open(store->env, path, flags, 0600)));
    TRY(lmdb_result(mdb_env_info(store->env, &info)));
    TRY(lmdb_result(mdb_env_stat(store->env, &stat)));
    TRY(files_size(path, &size));
    if (size / stat.ms_psize <= info.me_last_pgno) return result_of(STORE_DAMAGED);
    return maps_open(store, false);
}

/* LMDB would make a new database of an empty file: a store that was there and is empty now is damaged. */
static struct result file_check(const char *path, bool create)
{
    uint8_t first;
    size_t size = 0;
    if (create) return files_exist(path) ? result_of(OS_EXISTS) : result_ok();
    TRY(files_read(path, &first, sizeof(first), &size));
    return size > 0 ? result_ok() : result_of(STORE_DAMAGED);
}

/* size_max 0: for reading alone. */
static struct result open_path(const char *folder, const char *path, bool create, uint64_t size_max,
                               struct store **ret_store)
{
    struct store_lmdb *store = calloc(1, sizeof(*store));
    if (!store) return result_of(NO_MEMORY);
    store->store.functions = &lmdb_functions;
    snprintf(store->folder, sizeof(store->folder), "%s", folder);
    struct result result = lmdb_result(mdb_env_create(&store->env));
    if (!result_failed(result))
        result = size_max ? env_open(store, path, create, size_max) : env_open_reading(store, path);
    if (result_failed(result)) {
        if (store->env) mdb_env_close(store->env);
        free(store);
        return result;
    }
    *ret_store = &store->store;
    return result_ok();
}

struct result store_lmdb_open(const char *folder, bool create, uint64_t size_max, struct store **ret_store)
{
    char path[PATH_SIZE];
    TRY(path_make(folder, path));
    TRY(file_check(path, create));
    return open_path(folder, path, create, size_max < SIZE_MIN ? SIZE_MIN : size_max, ret_store);
}

struct result store_lmdb_open_reading(const char *folder, struct store **ret_store)
{
    char path[PATH_SIZE];
    TRY(path_make(folder, path));
    TRY(file_check(path, false));
    return open_path(folder, path, false, 0, ret_store);
}
