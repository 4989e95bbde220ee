/* The store's part of a start: profiles, tokens, and replay state as of the checkpoint, into memory. */
#include "core/state.h"

#include <string.h>

#include "base/bytes.h"

enum { PROGRESS_STEP = 65536 };

static void progress(const struct core *core, const char *what, uint64_t done)
{
    if (core->options.progress && done % PROGRESS_STEP == 0) {
        core->options.progress(core->options.progress_context, what, done, 0);
    }
}

/* Calls `each` for every row of a map, in order of key. */
static struct result map_walk(struct core *core, struct store_txn *txn, enum store_map map, size_t key_size,
                              struct result (*each)(struct core *core, struct store_txn *txn, const uint8_t *key,
                                                    struct store_bytes value))
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
        TRY(each(core, txn, after, value));
    }
}

static struct result profile_load(struct core *core, struct store_txn *txn, const uint8_t *key,
                                  struct store_bytes value)
{
    struct profile_row row;
    (void)txn;
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
    TRY(map_walk(core, txn, STORE_PROFILES, 2, profile_load));
    TRY(row_meta_get(core, txn, META_POLICY, policy, sizeof(policy)));
    atomic_store(&core->policy, load_le16(policy));
    return result_ok();
}

/* Accounts with several lines go first, each in its own order, so that the first line becomes the first; all the others
 * are then read in order of ordinal, which is how they lie on the disk. */
static struct result account_load(struct core *core, struct store_txn *txn, const uint8_t *key,
                                  struct store_bytes value)
{
    struct account_row account;
    struct token_row row;
    TRY(schema_account_decode(value, &account));
    if (account.token_count < 2) return result_ok();
    for (unsigned i = 0; i < account.token_count; i++) {
        TRY(row_token_get(core, txn, account.tokens[i], &row));
        if (memcmp(row.name, key, sizeof(row.name)) != 0) return result_of(STORE_DAMAGED);
        if (i == 0 || row.state != TOKEN_REMOVED) TRY(token_to_table(core, &row));
    }
    return result_ok();
}

/* A removed token has a line only where it is its account's first: the account's budget is there. */
static struct result removed_load(struct core *core, struct store_txn *txn, const struct token_row *row)
{
    struct account_row account;
    TRY(row_account_get(core, txn, row->name, &account));
    if (account.token_count == 0 || account.tokens[0] != row->ordinal) return result_ok();
    return token_to_table(core, row);
}

static struct result token_load(struct core *core, struct store_txn *txn, const uint8_t *key, struct store_bytes value)
{
    struct token_row row;
    TRY(schema_token_decode(value, &row));
    if (row.ordinal != load_be32(key) || table_algorithm(row.ordinal) >= KERNEL_ALGORITHM_COUNT) {
        return result_of(STORE_DAMAGED);
    }
    enum kernel_algorithm algorithm = table_algorithm(row.ordinal);
    uint32_t next = table_line_index(row.ordinal) + 1;
    if (core->lines_next[algorithm] < next) core->lines_next[algorithm] = next;
    progress(core, "tokens", core->state->lines_total);
    return row.state == TOKEN_REMOVED ? removed_load(core, txn, &row) : token_to_table(core, &row);
}

struct result recover_tokens(struct core *core, struct store_txn *txn)
{
    uint8_t lines[4 * KERNEL_ALGORITHM_COUNT];
    TRY(row_meta_get(core, txn, META_LINES, lines, sizeof(lines)));
    for (int i = 0; i < KERNEL_ALGORITHM_COUNT; i++) core->lines_next[i] = load_le32(lines + 4 * i);
    TRY(map_walk(core, txn, STORE_ACCOUNTS, 16, account_load));
    return map_walk(core, txn, STORE_TOKENS, 4, token_load);
}

static struct result words_load(struct core *core, struct store_txn *txn, const uint8_t *key, struct store_bytes value)
{
    const uint8_t *bytes = value.bytes;
    struct table_hit hit;
    (void)txn;
    if (value.size < STATE_WORDS_HEAD || bytes[0] != 1) return result_of(STORE_DAMAGED);
    uint32_t first = load_be32(key), count = load_le32(bytes + 4);
    if (count > SCHEMA_WORDS_PER_BLOCK || value.size != STATE_WORDS_HEAD + (size_t)count * 17 ||
        bytes[1] != table_algorithm(first) || bytes[1] >= KERNEL_ALGORITHM_COUNT) {
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
    return map_walk(core, txn, STORE_WORDS, 4, words_load);
}

/* Blocks of a table of another size name other places: they are passed over, which costs the delays of names without
 * account. */
static struct result unknown_load(struct core *core, struct store_txn *txn, const uint8_t *key,
                                  struct store_bytes value)
{
    const uint8_t *bytes = value.bytes;
    uint32_t blocks = unknown_block_count(core->unknown), block = load_be32(key);
    (void)txn;
    if (value.size != STATE_UNKNOWN_HEAD + UNKNOWN_BLOCK_ENTRIES * 8 || load_le32(bytes) != 1) {
        return result_of(STORE_DAMAGED);
    }
    if (load_le32(bytes + 4) != blocks * UNKNOWN_BLOCK_ENTRIES || block >= blocks) return result_ok();
    unknown_block_write(core->unknown, block, bytes + STATE_UNKNOWN_HEAD);
    return result_ok();
}

struct result recover_unknown(struct core *core, struct store_txn *txn)
{
    return map_walk(core, txn, STORE_UNKNOWN, 4, unknown_load);
}

static struct result session_load(struct core *core, struct store_txn *txn, const uint8_t *key,
                                  struct store_bytes value)
{
    (void)txn;
    return sessions_load(core->sessions, load_be64(key), value.bytes, value.size);
}

struct result recover_sessions(struct core *core, struct store_txn *txn)
{
    return map_walk(core, txn, STORE_SESSIONS, 8, session_load);
}
