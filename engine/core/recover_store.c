/* The store's part of a start, but for the tokens (load.c): profiles, and replay state as of the checkpoint, into
 * memory. */
#include "core/state.h"

#include <string.h>

#include "base/bytes.h"

struct result recover_map(struct core *core, struct store_txn *txn, enum store_map map, size_t key_size,
                          struct result (*each)(void *context, struct core *core, const uint8_t *key,
                                                struct store_bytes value),
                          void *context)
{
    uint8_t after[STORE_KEY_SIZE_MAX];
    struct store_bytes key, value, from = {0};
    for (;;) {
        struct result got = store_next(core->store, txn, map, from, false, &key, &value);
        if (got.code == STORE_NOT_FOUND) return result_ok();
        TRY(got);
        if (key.size != key_size) return result_of(STORE_DAMAGED);
        memcpy(after, key.bytes, key_size);
        from = bytes_of(after, key_size);
        TRY(each(context, core, after, value));
    }
}

static struct result profile_load(void *unused, struct core *core, const uint8_t *key, struct store_bytes value)
{
    struct profile_row row;
    (void)unused;
    TRY(schema_profile_decode(value, &row));
    if (row.id != (key[0] << 8 | key[1]) || row.id >= CORE_PROFILES_MAX || row.algorithm >= KERNEL_ALGORITHM_COUNT) {
        return result_of(STORE_DAMAGED);
    }
    profile_publish(core, &row);
    return result_ok();
}

struct result recover_profiles(struct core *core, struct store_txn *txn)
{
    uint8_t policy[2];
    TRY(recover_map(core, txn, STORE_PROFILES, 2, profile_load, NULL));
    TRY(row_meta_get(core, txn, META_POLICY, policy, sizeof(policy)));
    atomic_store(&core->policy, load_le16(policy));
    return result_ok();
}

static struct result marks_load(struct core *core, const uint8_t *bytes, size_t size)
{
    uint32_t count = load_le32(bytes + 4);
    if (count > MARKS_BLOCK || size != STATE_WORDS_HEAD + (size_t)count * 8) return result_of(STORE_DAMAGED);
    for (uint32_t i = 0; i < count; i++)
        TRY(marks_restore(core->marks, load_le64(bytes + STATE_WORDS_HEAD + (size_t)i * 8)));
    core->state->marks_saved = marks_count(core->marks);
    return result_ok();
}

static struct result words_load(void *unused, struct core *core, const uint8_t *key, struct store_bytes value)
{
    const uint8_t *bytes = value.bytes;
    struct table_hit hit;
    (void)unused;
    if (value.size < STATE_WORDS_HEAD || bytes[0] != 1) return result_of(STORE_DAMAGED);
    uint32_t first = load_be32(key), count = load_le32(bytes + 4);
    if (bytes[1] == STATE_MARKS_ALGORITHM && first >> 30 == STATE_MARKS_ALGORITHM)
        return marks_load(core, bytes, value.size);
    if (count > SCHEMA_WORDS_PER_BLOCK || value.size != STATE_WORDS_HEAD + (size_t)count * 17 ||
        bytes[1] != table_algorithm(first)) {
        return result_of(STORE_DAMAGED);
    }
    const uint8_t *words = bytes + STATE_WORDS_HEAD, *drifts = words + (size_t)count * 16;
    for (uint32_t i = 0; i < count; i++) {
        if (!table_line(core->table, first + i, &hit)) continue;
        word_raise(&hit.tail->token, load_le64(words + (size_t)i * 16));
        word_raise(&hit.tail->budget, load_le64(words + (size_t)i * 16 + 8));
        atomic_store_explicit(&hit.tail->drift, (int8_t)drifts[i], memory_order_relaxed);
    }
    return result_ok();
}

struct result recover_words(struct core *core, struct store_txn *txn)
{
    return recover_map(core, txn, STORE_WORDS, 4, words_load, NULL);
}

/* Blocks of a table of another size name other places: they are passed over, which costs the delays of names without
 * account. */
static struct result unknown_load(void *unused, struct core *core, const uint8_t *key, struct store_bytes value)
{
    const uint8_t *bytes = value.bytes;
    uint32_t blocks = unknown_block_count(core->unknown), block = load_be32(key);
    (void)unused;
    if (value.size != STATE_UNKNOWN_HEAD + UNKNOWN_BLOCK_ENTRIES * 8 || load_le32(bytes) != 1) {
        return result_of(STORE_DAMAGED);
    }
    if (load_le32(bytes + 4) != blocks * UNKNOWN_BLOCK_ENTRIES || block >= blocks) return result_ok();
    unknown_block_write(core->unknown, block, bytes + STATE_UNKNOWN_HEAD);
    return result_ok();
}

struct result recover_unknown(struct core *core, struct store_txn *txn)
{
    return recover_map(core, txn, STORE_UNKNOWN, 4, unknown_load, NULL);
}

static struct result session_load(void *unused, struct core *core, const uint8_t *key, struct store_bytes value)
{
    (void)unused;
    return sessions_load(core->sessions, load_be64(key), value.bytes, value.size);
}

struct result recover_sessions(struct core *core, struct store_txn *txn)
{
    return recover_map(core, txn, STORE_SESSIONS, 8, session_load, NULL);
}
