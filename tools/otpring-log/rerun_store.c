#include "rerun_store.h"

#include <string.h>

#include "base/bytes.h"
#include "core/core.h"

static struct store_bytes text_key(const char *text)
{
    return (struct store_bytes){.bytes = text, .size = strlen(text)};
}

/* ---- rows on their way ---- */

struct copying {
    struct store *from;
    struct store_txn *from_txn;
    struct store *to;
    struct store_txn *to_txn;
    const struct rerun_policy *policy;
};

/* Profiles as the policy wants them; all else as it is. */
static struct result row_put(const struct copying *copying, enum store_map map, struct store_bytes key,
                             struct store_bytes value)
{
    struct profile_row row;
    uint8_t bytes[SCHEMA_ROW_MAX];
    if (map != STORE_PROFILES || !rerun_policy_any(copying->policy))
        return store_put(copying->to, copying->to_txn, map, key, value);
    TRY(schema_profile_decode(value, &row));
    rerun_policy_apply(copying->policy, &row);
    value = (struct store_bytes){.bytes = bytes, .size = schema_profile_encode(&row, bytes)};
    return store_put(copying->to, copying->to_txn, map, key, value);
}

static struct result map_copy(const struct copying *copying, enum store_map map)
{
    struct store_bytes key = {0}, value;
    for (bool first = true;; first = false) {
        struct result got = store_next(copying->from, copying->from_txn, map, key, first, &key, &value);
        if (got.code == STORE_NOT_FOUND) return result_ok();
        TRY(got);
        TRY(row_put(copying, map, key, value));
    }
}

/* The journal of the re-run begins at its own position 1, and nobody's session is gone on with. */
static struct result begin_anew(const struct copying *copying, struct rerun_store *ret_store)
{
    struct checkpoint_row checkpoint;
    struct store_bytes value;
    uint8_t bytes[SCHEMA_ROW_MAX] = {0};
    TRY(store_get(copying->from, copying->from_txn, STORE_META, text_key(META_ADMIN_POSITION), &value));
    if (value.size != 8) return result_of(STORE_DAMAGED);
    ret_store->admin_position = load_le64(value.bytes);
    TRY(store_get(copying->from, copying->from_txn, STORE_META, text_key(META_CHECKPOINT), &value));
    TRY(schema_checkpoint_decode(value, &checkpoint));
    ret_store->checkpoint_position = checkpoint.position;
    ret_store->checkpoint_ms = checkpoint.wall_ms;
    TRY(store_put(copying->to, copying->to_txn, STORE_META, text_key(META_ADMIN_POSITION),
                  (struct store_bytes){.bytes = bytes, .size = 8}));
    value = (struct store_bytes){.bytes = bytes, .size = schema_checkpoint_encode(&(struct checkpoint_row){0}, bytes)};
    TRY(store_put(copying->to, copying->to_txn, STORE_META, text_key(META_CHECKPOINT), value));
    struct result gone = store_erase(copying->to, copying->to_txn, STORE_META, text_key(META_RESTORED));
    return gone.code == STORE_NOT_FOUND ? result_ok() : gone;
}

static struct result all_copy(const struct copying *copying, struct rerun_store *ret_store)
{
    for (enum store_map map = 0; map < STORE_MAP_COUNT; map++)
        if (map != STORE_SESSIONS) TRY(map_copy(copying, map));
    return begin_anew(copying, ret_store);
}

/* The profiles that `otpring init` made, as the policy wants them. */
static struct result profiles_change(const struct copying *copying)
{
    uint8_t id[2] = {0};
    struct store_bytes key = {0}, value;
    for (bool first = true;; first = false) {
        struct result got = store_next(copying->to, copying->to_txn, STORE_PROFILES, key, first, &key, &value);
        if (got.code == STORE_NOT_FOUND) return result_ok();
        TRY(got);
        if (key.size != sizeof id) return result_of(STORE_DAMAGED);
        memcpy(id, key.bytes, sizeof id); /* a put moves what the store gave */
        key.bytes = id;
        TRY(row_put(copying, STORE_PROFILES, key, value));
    }
}

/* What `otpring init` made, under the keys that the store has now: all else came with records. */
static struct result keys_copy(const struct copying *copying)
{
    struct store_bytes value;
    TRY(profiles_change(copying));
    for (int i = 0; i < 2; i++) {
        const char *key = i ? META_KEYS : META_STORE_ID;
        TRY(store_get(copying->from, copying->from_txn, STORE_META, text_key(key), &value));
        TRY(store_put(copying->to, copying->to_txn, STORE_META, text_key(key), value));
    }
    return result_ok();
}

/* ---- opening ---- */

static struct result meta_get(struct store *store, struct store_txn *txn, const char *key, uint8_t *ret,
                              size_t capacity, size_t *ret_size)
{
    struct store_bytes value;
    TRY(store_get(store, txn, STORE_META, text_key(key), &value));
    if (value.size > capacity) return result_of(STORE_DAMAGED);
    memcpy(ret, value.bytes, value.size);
    *ret_size = value.size;
    return result_ok();
}

static struct result store_id_of(const char *folder, uint8_t ret_id[VAULT_STORE_ID_SIZE])
{
    struct store *store;
    struct store_txn *txn;
    size_t size = 0;
    TRY(store_lmdb_open_reading(folder, &store));
    struct result result = store_begin(store, false, &txn);
    if (!result_failed(result)) {
        result = meta_get(store, txn, META_STORE_ID, ret_id, VAULT_STORE_ID_SIZE, &size);
        store_abort(store, txn);
    }
    store_close(store);
    if (!result_failed(result) && size != VAULT_STORE_ID_SIZE) return result_of(STORE_DAMAGED);
    return result;
}

static struct result fill(struct copying *copying, bool beginning, struct rerun_store *ret_store)
{
    TRY(store_begin(copying->from, false, &copying->from_txn));
    struct result result = store_begin(copying->to, true, &copying->to_txn);
    if (!result_failed(result)) {
        result = beginning ? keys_copy(copying) : all_copy(copying, ret_store);
        if (result_failed(result))
            store_abort(copying->to, copying->to_txn);
        else
            result = store_commit(copying->to, copying->to_txn);
    }
    store_abort(copying->from, copying->from_txn);
    return result;
}

static struct result vault_of(struct store *store, const char *key_path, struct vault **ret_vault)
{
    uint8_t id[VAULT_STORE_ID_SIZE], keys[VAULT_KEYS_ROW_SIZE_MAX];
    size_t id_size = 0, keys_size = 0;
    struct store_txn *txn;
    TRY(store_begin(store, false, &txn));
    struct result result = meta_get(store, txn, META_STORE_ID, id, sizeof id, &id_size);
    if (!result_failed(result)) result = meta_get(store, txn, META_KEYS, keys, sizeof keys, &keys_size);
    store_abort(store, txn);
    TRY(result);
    if (id_size != sizeof id) return result_of(STORE_DAMAGED);
    return vault_open(key_path, id, keys, keys_size, ret_vault);
}

static struct result open_parts(const char *from, const char *key_path, bool beginning,
                                const struct rerun_policy *policy, struct rerun_store *ret_store)
{
    struct copying copying = {.policy = policy};
    TRY(store_memory_create(&ret_store->store));
    if (beginning) TRY(core_init(ret_store->store, key_path));
    TRY(store_lmdb_open_reading(from, &copying.from));
    copying.to = ret_store->store;
    struct result result = fill(&copying, beginning, ret_store);
    store_close(copying.from);
    TRY(result);
    return vault_of(ret_store->store, key_path, &ret_store->vault);
}

struct result rerun_store_open(const char *folder, const char *from, const char *key_path,
                               const struct rerun_policy *policy, struct rerun_store *ret_store)
{
    uint8_t id[VAULT_STORE_ID_SIZE], from_id[VAULT_STORE_ID_SIZE];
    *ret_store = (struct rerun_store){0};
    TRY(store_id_of(folder, id));
    if (from) TRY(store_id_of(from, from_id));
    if (from && memcmp(id, from_id, sizeof id) != 0) return result_of(STORE_FOREIGN);
    struct result result = open_parts(from ? from : folder, key_path, !from, policy, ret_store);
    if (result_failed(result)) rerun_store_close(ret_store);
    return result;
}

void rerun_store_close(struct rerun_store *store)
{
    if (store->vault) vault_close(store->vault);
    if (store->store) store_close(store->store);
    *store = (struct rerun_store){0};
}
