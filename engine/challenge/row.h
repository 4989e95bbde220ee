/* Rows of STORE_CHALLENGES: keys, the head's bytes, seals. What is read may be damaged. Room-internal. */
#ifndef OTPRING_CHALLENGE_ROW_H
#define OTPRING_CHALLENGE_ROW_H

#include "challenge/keep.h"
#include "vault/vault.h"

enum { ROW_KEY_SIZE = CHALLENGE_ID_SIZE + 1, ROW_VALUE_SIZE_MAX = CHALLENGE_BODY_SIZE_MAX + VAULT_SEAL_EXTRA };
static_assert((int)CHALLENGE_EVIDENCE_SIZE_MAX <= (int)CHALLENGE_BODY_SIZE_MAX, "the body is the longest part");

enum row_part { ROW_HEAD = 'h', ROW_BODY = 'b', ROW_EVIDENCE = 'e', ROW_COMMITMENT = 'c' };

struct row_key {
    uint8_t bytes[ROW_KEY_SIZE];
};

struct row_key row_key_of(const uint8_t id[CHALLENGE_ID_SIZE], enum row_part part);

/* The entry as a head, and back; the room's own members are left out. STORE_DAMAGED. */
void row_head_encode(const struct challenge_entry *entry, uint8_t ret_bytes[CHALLENGE_HEAD_SIZE]);
struct result row_head_decode(const uint8_t id[CHALLENGE_ID_SIZE], const uint8_t *bytes, size_t size,
                              struct challenge_entry *ret_entry) MUST_USE;

/* One part of a challenge into the change, sealed. */
struct result row_put(struct core_change *change, const struct vault *vault, const uint8_t id[CHALLENGE_ID_SIZE],
                      enum row_part part, const uint8_t *bytes, size_t size) MUST_USE;
/* The bytes of a sealed row. STORE_DAMAGED: too long or too short for its part; VAULT_BAD_SEAL. */
struct result row_open(const struct vault *vault, const struct row_key *key, struct store_bytes value,
                       uint8_t *ret_bytes, size_t capacity, size_t *ret_size) MUST_USE;

#endif
