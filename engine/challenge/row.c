#include "challenge/row.h"

#include <string.h>

#include "base/bytes.h"

enum { HEAD_VERSION = 1, ASSOCIATED_SIZE = 9 + ROW_KEY_SIZE };

struct row_key row_key_of(const uint8_t id[CHALLENGE_ID_SIZE], enum row_part part)
{
    struct row_key key;
    memcpy(key.bytes, id, CHALLENGE_ID_SIZE);
    key.bytes[CHALLENGE_ID_SIZE] = (uint8_t)part;
    return key;
}

void row_head_encode(const struct challenge_entry *entry, uint8_t ret_bytes[CHALLENGE_HEAD_SIZE])
{
    uint8_t *at = ret_bytes;
    memset(at, 0, CHALLENGE_HEAD_SIZE);
    at[0] = HEAD_VERSION;
    at[1] = entry->state;
    at[2] = entry->purpose;
    at[3] = entry->flags;
    at[4] = entry->number;
    at[5] = entry->reason;
    store_le16(at + 6, entry->client);
    store_le32(at + 8, entry->expires_s);
    store_le32(at + 12, entry->asked_s);
    store_le32(at + 16, entry->closed_s);
    store_le64(at + 24, entry->device);
    memcpy(at + 32, entry->account, 16);
    memcpy(at + 48, entry->binding, CHALLENGE_BINDING_SIZE);
    memcpy(at + 64, entry->digest, CHALLENGE_DIGEST_SIZE);
    memcpy(at + 96, entry->content, CHALLENGE_CONTENT_SIZE);
}

struct result row_head_decode(const uint8_t id[CHALLENGE_ID_SIZE], const uint8_t *bytes, size_t size,
                              struct challenge_entry *ret_entry)
{
    struct challenge_entry entry = {0};
    if (size != CHALLENGE_HEAD_SIZE || bytes[0] != HEAD_VERSION || bytes[1] >= CHALLENGE_STATE_COUNT ||
        bytes[2] < CHALLENGE_LOGIN || bytes[2] > CHALLENGE_EXCHANGE || bytes[5] >= CHALLENGE_REASON_COUNT ||
        load_le32(bytes + 20) != 0)
        return result_of(STORE_DAMAGED);
    memcpy(entry.id, id, CHALLENGE_ID_SIZE);
    entry.state = bytes[1];
    entry.purpose = bytes[2];
    entry.flags = bytes[3];
    entry.number = bytes[4];
    entry.reason = bytes[5];
    entry.client = load_le16(bytes + 6);
    entry.expires_s = load_le32(bytes + 8);
    entry.asked_s = load_le32(bytes + 12);
    entry.closed_s = load_le32(bytes + 16);
    entry.device = load_le64(bytes + 24);
    memcpy(entry.account, bytes + 32, 16);
    memcpy(entry.binding, bytes + 48, CHALLENGE_BINDING_SIZE);
    memcpy(entry.digest, bytes + 64, CHALLENGE_DIGEST_SIZE);
    memcpy(entry.content, bytes + 96, CHALLENGE_CONTENT_SIZE);
    *ret_entry = entry;
    return result_ok();
}

/* A part of one challenge cannot be passed off as that of another, or as another part. */
static void associated_make(const struct row_key *key, uint8_t ret_bytes[ASSOCIATED_SIZE])
{
    memcpy(ret_bytes, "challenge", 9);
    memcpy(ret_bytes + 9, key->bytes, ROW_KEY_SIZE);
}

struct result row_put(struct core_change *change, const struct vault *vault, const uint8_t id[CHALLENGE_ID_SIZE],
                      enum row_part part, const uint8_t *bytes, size_t size)
{
    uint8_t sealed[ROW_VALUE_SIZE_MAX], associated[ASSOCIATED_SIZE];
    struct row_key key = row_key_of(id, part);
    associated_make(&key, associated);
    TRY(vault_seal(vault, associated, sizeof associated, bytes, size, sealed));
    return core_change_put(change, STORE_CHALLENGES, (struct store_bytes){.bytes = key.bytes, .size = sizeof key.bytes},
                           (struct store_bytes){.bytes = sealed, .size = size + VAULT_SEAL_EXTRA});
}

struct result challenge_part_open(const struct vault *vault, const uint8_t key[CHALLENGE_PART_KEY_SIZE],
                                  struct store_bytes value, uint8_t *ret_bytes, size_t capacity, size_t *ret_size)
{
    struct row_key row;
    memcpy(row.bytes, key, sizeof row.bytes);
    return row_open(vault, &row, value, ret_bytes, capacity, ret_size);
}

struct result row_open(const struct vault *vault, const struct row_key *key, struct store_bytes value,
                       uint8_t *ret_bytes, size_t capacity, size_t *ret_size)
{
    uint8_t associated[ASSOCIATED_SIZE];
    if (value.size < VAULT_SEAL_EXTRA || value.size - VAULT_SEAL_EXTRA > capacity) return result_of(STORE_DAMAGED);
    associated_make(key, associated);
    TRY(vault_unseal(vault, associated, sizeof associated, value.bytes, value.size, ret_bytes));
    *ret_size = value.size - VAULT_SEAL_EXTRA;
    return result_ok();
}
