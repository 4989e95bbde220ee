#include "admin/engine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/files.h"
#include "os/machine.h"
#include "os/os_uring.h"
#include "os/store_lock.h"

#define STORE_SIZE_DEFAULT ((uint64_t)16 << 30)

static struct result path_make(char ret_path[ENGINE_PATH_SIZE], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static struct result path_make(char ret_path[ENGINE_PATH_SIZE], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(ret_path, ENGINE_PATH_SIZE, format, arguments);
    va_end(arguments);
    return size > 0 && size < ENGINE_PATH_SIZE ? result_ok() : result_of(BAD_ARGUMENT);
}

/* The folder without slashes at its end, and the key beside it. */
static struct result paths_make(const char *folder, const char *key_path, char ret_folder[ENGINE_PATH_SIZE],
                                char ret_key[ENGINE_PATH_SIZE])
{
    TRY(path_make(ret_folder, "%s", folder));
    for (size_t size = strlen(ret_folder); size > 1 && ret_folder[size - 1] == '/'; size--) ret_folder[size - 1] = 0;
    return key_path ? path_make(ret_key, "%s", key_path) : path_make(ret_key, "%s.key", ret_folder);
}

static struct store_bytes text_bytes(const char *text)
{
    return (struct store_bytes){.bytes = text, .size = strlen(text)};
}

static struct result meta_put(struct store *store, const char *key, const void *bytes, size_t size)
{
    struct store_txn *txn;
    TRY(store_begin(store, true, &txn));
    struct result result = store_put(store, txn, STORE_META, text_bytes(key), (struct store_bytes){bytes, size});
    if (result_failed(result)) {
        store_abort(store, txn);
        return result;
    }
    return store_commit(store, txn);
}

struct meta {
    uint8_t store_id[VAULT_STORE_ID_SIZE];
    uint8_t keys[VAULT_KEYS_ROW_SIZE_MAX];
    size_t keys_size;
    uint8_t place[STORE_PLACE_SIZE];
    bool placed;
};

static struct result meta_read(struct store *store, struct store_txn *txn, struct meta *ret_meta)
{
    struct store_bytes value;
    memset(ret_meta, 0, sizeof(*ret_meta));
    TRY(store_get(store, txn, STORE_META, text_bytes(META_STORE_ID), &value));
    if (value.size != VAULT_STORE_ID_SIZE) return result_of(STORE_DAMAGED);
    memcpy(ret_meta->store_id, value.bytes, value.size);
    TRY(store_get(store, txn, STORE_META, text_bytes(META_KEYS), &value));
    if (value.size > VAULT_KEYS_ROW_SIZE_MAX) return result_of(STORE_DAMAGED);
    memcpy(ret_meta->keys, value.bytes, value.size);
    ret_meta->keys_size = value.size;
    struct result got = store_get(store, txn, STORE_META, text_bytes(META_PLACE), &value);
    if (got.code == STORE_NOT_FOUND) return result_ok();
    TRY(got);
    if (value.size != STORE_PLACE_SIZE) return result_of(STORE_DAMAGED);
    memcpy(ret_meta->place, value.bytes, value.size);
    ret_meta->placed = true;
    return result_ok();
}

static struct result meta_get(struct store *store, struct meta *ret_meta)
{
    struct store_txn *txn;
    TRY(store_begin(store, false, &txn));
    struct result result = meta_read(store, txn, ret_meta);
    store_abort(store, txn);
    return result.code == STORE_NOT_FOUND ? result_of(STORE_DAMAGED) : result;
}

static struct result public_key_write(const char *folder, struct store *store, const char *key_path)
{
    struct meta meta;
    struct vault *vault;
    uint8_t key[VAULT_PUBLIC_KEY_SIZE];
    char path[ENGINE_PATH_SIZE], text[2 * VAULT_PUBLIC_KEY_SIZE + 2];
    TRY(path_make(path, "%s/audit.pub", folder));
    TRY(meta_get(store, &meta));
    TRY(vault_open(key_path, meta.store_id, meta.keys, meta.keys_size, &vault));
    vault_public_key(vault, key);
    vault_close(vault);
    for (size_t i = 0; i < sizeof(key); i++) snprintf(text + 2 * i, 3, "%02x", key[i]);
    text[sizeof(text) - 2] = '\n';
    return files_write_new(path, text, sizeof(text) - 1);
}

struct result engine_public_key(const char *folder, uint8_t ret_key[VAULT_PUBLIC_KEY_SIZE])
{
    char path[ENGINE_PATH_SIZE], text[2 * VAULT_PUBLIC_KEY_SIZE + 1] = {0};
    uint8_t key[VAULT_PUBLIC_KEY_SIZE];
    size_t size = 0;
    TRY(path_make(path, "%s/audit.pub", folder));
    TRY(files_read(path, text, sizeof(text) - 1, &size));
    if (size != sizeof(text) - 1 || strspn(text, "0123456789abcdef") != size) return result_of(STORE_DAMAGED);
    for (size_t i = 0; i < sizeof(key); i++) {
        unsigned byte;
        if (sscanf(text + 2 * i, "%2x", &byte) != 1) return result_of(STORE_DAMAGED);
        key[i] = (uint8_t)byte;
    }
    memcpy(ret_key, key, sizeof(key));
    return result_ok();
}

/* ---- a new store ---- */

static struct result init_locked(const char *folder, const char *key_path)
{
    uint8_t place[STORE_PLACE_SIZE];
    char journal[ENGINE_PATH_SIZE];
    struct store *store;
    TRY(path_make(journal, "%s/journal", folder));
    TRY(files_make_folder(journal));
    TRY(store_lmdb_open(folder, true, STORE_SIZE_DEFAULT, &store));
    struct result result = core_init(store, key_path);
    if (!result_failed(result)) result = public_key_write(folder, store, key_path);
    if (!result_failed(result)) result = store_place(folder, true, place);
    if (!result_failed(result)) result = meta_put(store, META_PLACE, place, sizeof(place));
    store_close(store);
    return result_failed(result) ? result : files_sync_folder(folder);
}

static struct result folder_take(const char *folder)
{
    bool empty = false;
    struct result made = files_make_folder(folder);
    if (made.code != OS_EXISTS) return made;
    TRY(files_folder_empty(folder, &empty));
    return empty ? result_ok() : made;
}

/* Who copies the folder would have the key too. By name: the folder is not there yet. */
static bool lies_inside(const char *path, const char *folder)
{
    size_t size = strlen(folder);
    return strncmp(path, folder, size) == 0 && path[size] == '/';
}

struct result engine_init(const char *folder_given, const char *key_given)
{
    char folder[ENGINE_PATH_SIZE], key_path[ENGINE_PATH_SIZE];
    int lock;
    TRY(paths_make(folder_given, key_given, folder, key_path));
    if (lies_inside(key_path, folder)) return result_of(VAULT_KEY_INSIDE);
    if (files_exist(key_path)) return result_of(OS_EXISTS);
    TRY(folder_take(folder));
    TRY(store_lock_take(folder, &lock));
    struct result result = vault_key_file_create(key_path);
    if (!result_failed(result)) {
        result = init_locked(folder, key_path);
        /* Nothing was ever sealed for keeps under a key whose store did not come to be. */
        if (result_failed(result)) (void)files_remove(key_path).code;
    }
    store_lock_release(lock);
    return result;
}

/* ---- opening ---- */

/* Where a store was last served tells a moved or copied one: it may have been served elsewhere since, so it is a
 * restore. */
static struct result place_judge(struct engine *engine, const struct engine_options *options, const struct meta *meta)
{
    uint8_t place[STORE_PLACE_SIZE];
    TRY(store_place(engine->folder, false, place));
    if (meta->placed && memcmp(place, meta->place, sizeof(place)) == 0) return result_ok();
    if (!options->core.take_over) return result_of(STORE_FOREIGN);
    if (options->core.restore_now_ms <= 0) return result_of(STORE_RESTORED);
    return meta_put(engine->store, META_RESTORED, "1", 1);
}

static struct result place_write(struct engine *engine, const struct meta *meta)
{
    uint8_t place[STORE_PLACE_SIZE];
    TRY(store_place(engine->folder, false, place));
    if (meta->placed && memcmp(place, meta->place, sizeof(place)) == 0) return result_ok();
    return meta_put(engine->store, META_PLACE, place, sizeof(place));
}

/* A name that leads nowhere is told for what it is: each has another remedy. */
static struct result folder_judge(const char *folder)
{
    char identity[ENGINE_PATH_SIZE], rows[ENGINE_PATH_SIZE];
    TRY(path_make(identity, "%s/identity", folder));
    TRY(path_make(rows, "%s/store.mdb", folder));
    struct result found = files_look(identity);
    if (found.code != OS_NOT_FOUND) return found;
    return result_of(files_exist(rows) ? STORE_UNFINISHED : STORE_NONE);
}

static struct result open_all(struct engine *engine, const struct engine_options *options)
{
    struct meta meta;
    struct os_uring_options ring = {.entries = 256};
    struct core_options core = options->core;
    if (core.load_threads == 0) core.load_threads = machine_cpu_count();
    TRY(path_make(engine->journal_folder, "%s/journal", engine->folder));
    TRY(folder_judge(engine->folder));
    struct result key = files_look(engine->key_path);
    TRY(key.code == OS_NOT_FOUND ? result_of(VAULT_NO_KEY_FILE) : key);
    TRY(store_lock_take(engine->folder, &engine->lock));
    uint64_t size_max = options->store_size_max ? options->store_size_max : STORE_SIZE_DEFAULT;
    TRY(store_lmdb_open(engine->folder, false, size_max, &engine->store));
    TRY(meta_get(engine->store, &meta));
    TRY(vault_open(engine->key_path, meta.store_id, meta.keys, meta.keys_size, &engine->vault));
    TRY(place_judge(engine, options, &meta));
    TRY(os_uring_create(&ring, &engine->os));
    core.journal_folder = engine->journal_folder;
    TRY(core_open(engine->os, &core, engine->store, engine->vault, &engine->core));
    return place_write(engine, &meta);
}

struct result engine_open(const struct engine_options *options, struct engine **ret_engine)
{
    struct engine *engine = calloc(1, sizeof(*engine));
    if (!engine) return result_of(NO_MEMORY);
    engine->lock = -1;
    struct result result = paths_make(options->folder, options->key_path, engine->folder, engine->key_path);
    if (!result_failed(result)) result = open_all(engine, options);
    if (result_failed(result)) {
        engine_close(engine);
        return result;
    }
    *ret_engine = engine;
    return result_ok();
}

void engine_close(struct engine *engine)
{
    if (engine->core) core_close(engine->core, engine->os);
    if (engine->os) os_destroy(engine->os);
    if (engine->vault) vault_close(engine->vault);
    if (engine->store) store_close(engine->store);
    if (engine->lock >= 0) store_lock_release(engine->lock);
    free(engine);
}

/* ---- backup ---- */

struct segment_copying {
    struct engine *engine;
    struct os *os;
    const char *folder; /* the backup's journal folder */
    uint64_t segment;   /* being read; 0: none yet */
    uint64_t end;       /* of the last block wanted in it */
};

static struct result segment_path(char ret_path[ENGINE_PATH_SIZE], const char *folder, uint64_t segment)
{
    return path_make(ret_path, "%s/%016llx.seg", folder, (unsigned long long)segment);
}

/* Bytes of a segment up to `end`, zeros behind: blocks that are being written while we copy would look like damage in
 * the copy. */
static struct result segment_copy(const struct segment_copying *copying, uint64_t segment, uint64_t end)
{
    char from[ENGINE_PATH_SIZE], to[ENGINE_PATH_SIZE];
    TRY(segment_path(from, copying->engine->journal_folder, segment));
    TRY(segment_path(to, copying->folder, segment));
    return files_exist(from) ? files_copy(from, to, end, 0) : result_ok();
}

static uint64_t block_end(const struct journal_block_view *view)
{
    uint64_t size = ((uint64_t)view->header->slot_count + 1) * JOURNAL_SLOT_SIZE;
    return view->offset + (size + JOURNAL_BLOCK_ALIGNMENT - 1) / JOURNAL_BLOCK_ALIGNMENT * JOURNAL_BLOCK_ALIGNMENT;
}

static struct result segments_read(struct segment_copying *copying, struct journal_reader *reader, uint64_t to_position)
{
    for (;;) {
        struct journal_block_view view;
        struct result got = journal_reader_next(reader, &view);
        bool over = got.code == STORE_NOT_FOUND || (!result_failed(got) && view.header->position > to_position);
        if (over) break;
        TRY(got);
        if (view.segment != copying->segment) {
            if (copying->segment) TRY(segment_copy(copying, copying->segment, copying->end));
            /* The two before hold what may not be sealed and signed yet. */
            for (uint64_t before = 2; !copying->segment && before > 0; before--) {
                if (view.segment > before) TRY(segment_copy(copying, view.segment - before, UINT64_MAX));
            }
            copying->segment = view.segment;
        }
        copying->end = block_end(&view);
    }
    return copying->segment ? segment_copy(copying, copying->segment, copying->end) : result_ok();
}

static struct result segments_copy(void *context, uint64_t from_position, uint64_t to_position)
{
    struct segment_copying *copying = context;
    struct journal_reader *reader;
    struct journal_reader_options options = {.from_position = from_position};
    TRY(journal_reader_open(copying->os, copying->engine->journal_folder, &options, &reader));
    struct result result = segments_read(copying, reader, to_position);
    journal_reader_close(reader);
    return result_failed(result) ? result : files_sync_folder(copying->folder);
}

struct result engine_backup(struct engine *engine, struct os *os, struct core_worker *worker,
                            const struct core_actor *actor, const char *folder)
{
    char from[ENGINE_PATH_SIZE], to[ENGINE_PATH_SIZE], journal[ENGINE_PATH_SIZE];
    bool inside;
    TRY(files_inside(folder, engine->folder, &inside));
    if (inside) return result_of(BACKUP_INSIDE);
    TRY(path_make(journal, "%s/journal", folder));
    TRY(folder_take(folder));
    TRY(files_make_folder(journal));
    struct segment_copying copying = {.engine = engine, .os = os, .folder = journal};
    TRY(core_backup(worker, actor, folder, segments_copy, &copying));
    TRY(path_make(from, "%s/audit.pub", engine->folder));
    TRY(path_make(to, "%s/audit.pub", folder));
    TRY(files_copy_all(from, to));
    return files_sync_folder(folder);
}

/* ---- restore ---- */

struct restoring {
    const char *from;
    const char *to;
    struct result result;
};

static void segment_restore(void *context, const char *name, uint64_t size)
{
    struct restoring *restoring = context;
    char from[ENGINE_PATH_SIZE], to[ENGINE_PATH_SIZE];
    size_t length = strlen(name);
    (void)size;
    if (result_failed(restoring->result) || length != 20 || strcmp(name + 16, ".seg") != 0) return;
    restoring->result = path_make(from, "%s/%s", restoring->from, name);
    if (!result_failed(restoring->result)) restoring->result = path_make(to, "%s/%s", restoring->to, name);
    if (!result_failed(restoring->result)) restoring->result = files_copy_all(from, to);
}

static struct result segments_restore(const char *from, const char *to)
{
    struct os *os;
    struct os_uring_options options = {.entries = 16};
    struct restoring restoring = {.from = from, .to = to};
    TRY(os_uring_create(&options, &os));
    struct result listed = os_list(os, from, segment_restore, &restoring);
    os_destroy(os);
    TRY(listed);
    TRY(restoring.result);
    return files_sync_folder(to);
}

/* The key must open the store before anyone relies on the copy. */
static struct result restore_mark(const char *folder, const char *key_path)
{
    struct store *store;
    struct vault *vault;
    struct meta meta;
    TRY(store_lmdb_open(folder, false, STORE_SIZE_DEFAULT, &store));
    struct result result = meta_get(store, &meta);
    if (!result_failed(result)) result = vault_open(key_path, meta.store_id, meta.keys, meta.keys_size, &vault);
    if (!result_failed(result)) {
        vault_close(vault);
        result = meta_put(store, META_RESTORED, "1", 1);
    }
    store_close(store);
    return result;
}

/* DIR/identity comes last: without it the folder does not open, so a restore that broke off cannot be mistaken for a
 * store. */
static struct result restore_locked(const char *backup, const char *journal_from, const char *folder,
                                    const char *key_path)
{
    char from[ENGINE_PATH_SIZE], to[ENGINE_PATH_SIZE];
    uint8_t place[STORE_PLACE_SIZE];
    TRY(path_make(to, "%s/journal", folder));
    TRY(files_make_folder(to));
    if (journal_from) {
        TRY(path_make(from, "%s", journal_from));
    } else {
        TRY(path_make(from, "%s/journal", backup));
    }
    TRY(segments_restore(from, to));
    TRY(path_make(from, "%s/store.mdb", backup));
    TRY(path_make(to, "%s/store.mdb", folder));
    TRY(files_copy_all(from, to));
    TRY(restore_mark(folder, key_path));
    TRY(path_make(from, "%s/audit.pub", backup));
    TRY(path_make(to, "%s/audit.pub", folder));
    TRY(files_copy_all(from, to));
    TRY(store_place(folder, true, place));
    return files_sync_folder(folder);
}

struct result engine_restore(const char *backup, const char *journal_from, const char *folder_given,
                             const char *key_given)
{
    char folder[ENGINE_PATH_SIZE], key_path[ENGINE_PATH_SIZE];
    int lock;
    TRY(paths_make(folder_given, key_given, folder, key_path));
    TRY(folder_take(folder));
    TRY(store_lock_take(folder, &lock));
    struct result result = restore_locked(backup, journal_from, folder, key_path);
    store_lock_release(lock);
    return result;
}
