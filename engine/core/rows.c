/* Rows of the store: keys and encodings, so that the files of acts and recovery speak of rows alone. */
#include "core/state.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "os/arena.h"

struct result row_meta_get(struct core *core, struct store_txn *txn, const char *key, void *ret, size_t size)
{
    struct store_bytes value;
    TRY(store_get(core->store, txn, STORE_META, bytes_of(key, strlen(key)), &value));
    if (value.size != size) return result_of(STORE_DAMAGED);
    memcpy(ret, value.bytes, size);
    return result_ok();
}

struct result row_meta_put(struct core *core, struct store_txn *txn, const char *key, const void *bytes, size_t size)
{
    return store_put(core->store, txn, STORE_META, bytes_of(key, strlen(key)), bytes_of(bytes, size));
}

struct result row_token_get(struct core *core, struct store_txn *txn, uint32_t ordinal, struct token_row *ret_row)
{
    uint8_t key[4];
    struct store_bytes value;
    store_be32(key, ordinal);
    TRY(store_get(core->store, txn, STORE_TOKENS, bytes_of(key, sizeof(key)), &value));
    TRY(schema_token_decode(value, ret_row));
    return ret_row->ordinal == ordinal ? result_ok() : result_of(STORE_DAMAGED);
}

struct result row_token_put(struct core *core, struct store_txn *txn, const struct token_row *row)
{
    uint8_t key[4];
    uint8_t value[SCHEMA_ROW_MAX];
    store_be32(key, row->ordinal);
    size_t size = schema_token_encode(row, value);
    return store_put(core->store, txn, STORE_TOKENS, bytes_of(key, sizeof(key)), bytes_of(value, size));
}

struct result row_account_get(struct core *core, struct store_txn *txn, const uint8_t name[16],
                              struct account_row *ret_row)
{
    struct store_bytes value;
    TRY(store_get(core->store, txn, STORE_ACCOUNTS, bytes_of(name, 16), &value));
    return schema_account_decode(value, ret_row);
}

struct result row_account_put(struct core *core, struct store_txn *txn, const uint8_t name[16],
                              const struct account_row *row)
{
    uint8_t value[SCHEMA_ROW_MAX];
    size_t size = schema_account_encode(row, value);
    return store_put(core->store, txn, STORE_ACCOUNTS, bytes_of(name, 16), bytes_of(value, size));
}

struct result row_fingerprint_get(struct core *core, struct store_txn *txn, const uint8_t fingerprint[16],
                                  struct fingerprint_row *ret_row)
{
    struct store_bytes value;
    TRY(store_get(core->store, txn, STORE_FINGERPRINTS, bytes_of(fingerprint, 16), &value));
    return schema_fingerprint_decode(value, ret_row);
}

struct result row_fingerprint_put(struct core *core, struct store_txn *txn, const uint8_t fingerprint[16],
                                  const struct fingerprint_row *row)
{
    uint8_t value[SCHEMA_ROW_MAX];
    size_t size = schema_fingerprint_encode(row, value);
    return store_put(core->store, txn, STORE_FINGERPRINTS, bytes_of(fingerprint, 16), bytes_of(value, size));
}

struct result row_profile_put(struct store *store, struct store_txn *txn, const struct profile_row *row)
{
    uint8_t key[2] = {(uint8_t)(row->id >> 8), (uint8_t)row->id};
    uint8_t value[SCHEMA_ROW_MAX];
    size_t size = schema_profile_encode(row, value);
    return store_put(store, txn, STORE_PROFILES, bytes_of(key, sizeof(key)), bytes_of(value, size));
}

/* A sealed seed opens only for this account and this ordinal: a row moved elsewhere is found out. */
enum { SEED_ASSOCIATED_SIZE = 16 + 16 + 4 };

static void seed_associated(const struct token_row *row, uint8_t ret[SEED_ASSOCIATED_SIZE])
{
    memcpy(ret, "otpring-seed-1\0", 16);
    memcpy(ret + 16, row->name, 16);
    store_le32(ret + 32, row->ordinal);
}

static struct result sealed_check(const struct token_row *row)
{
    bool fits = row->sealed_size >= VAULT_SEAL_EXTRA + OTP_SEED_SIZE_MIN && row->sealed_size <= SCHEMA_SEALED_SEED_MAX;
    return fits ? result_ok() : result_of(STORE_DAMAGED);
}

struct result row_seeds_open(const struct core *core, const struct token_row *const rows[], size_t count,
                             uint8_t (*ret_seeds)[OTP_SEED_SIZE_MAX])
{
    uint8_t associated[ROW_SEEDS_MAX][SEED_ASSOCIATED_SIZE];
    struct vault_sealed items[ROW_SEEDS_MAX];
    CHECK(count <= ROW_SEEDS_MAX);
    for (size_t i = 0; i < count; i++) {
        TRY(sealed_check(rows[i]));
        seed_associated(rows[i], associated[i]);
        items[i] = (struct vault_sealed){.associated = associated[i],
                                         .associated_size = SEED_ASSOCIATED_SIZE,
                                         .sealed = rows[i]->sealed_seed,
                                         .sealed_size = rows[i]->sealed_size,
                                         .ret_bytes = ret_seeds[i]};
    }
    return vault_unseal_many(core->vault, items, count);
}

struct result row_seed_seal(const struct core *core, struct token_row *row, const uint8_t *seed, size_t size)
{
    uint8_t associated[SEED_ASSOCIATED_SIZE];
    seed_associated(row, associated);
    TRY(vault_seal(core->vault, associated, sizeof(associated), seed, size, row->sealed_seed));
    row->sealed_size = (uint16_t)(size + VAULT_SEAL_EXTRA);
    return result_ok();
}
