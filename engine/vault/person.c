/* The key of one person's data: made at random, sealed under the data key, opened for one message at a time and wiped.
 * Whoever destroys the sealed key has destroyed what was sealed under it. */
#include <openssl/rand.h>
#include <string.h>

#include "os/arena.h"
#include "vault/seal.h"
#include "vault/vault.h"

enum { LABEL_SIZE = 17, KEY_ASSOCIATED_SIZE = LABEL_SIZE + VAULT_PERSON_NAME_SIZE };

static const char key_label[LABEL_SIZE] = "otpring-person-1";
static const char data_label[LABEL_SIZE] = "otpring-persona1";

static void associated_make(const char label[LABEL_SIZE], const uint8_t *name, uint8_t ret[KEY_ASSOCIATED_SIZE])
{
    memcpy(ret, label, LABEL_SIZE);
    memcpy(ret + LABEL_SIZE, name, VAULT_PERSON_NAME_SIZE);
}

struct result vault_person_create(const struct vault *vault, const uint8_t name[VAULT_PERSON_NAME_SIZE],
                                  uint8_t ret_key[VAULT_PERSON_KEY_SIZE])
{
    uint8_t key[VAULT_KEY_SIZE], associated[KEY_ASSOCIATED_SIZE];
    associated_make(key_label, name, associated);
    if (RAND_priv_bytes(key, sizeof(key)) != 1) return result_of(VAULT_FAILED);
    struct result result = vault_seal(vault, associated, sizeof(associated), key, sizeof(key), ret_key);
    secret_wipe(key, sizeof(key));
    return result;
}

static struct result key_open(const struct vault *vault, const uint8_t *name, const uint8_t *sealed,
                              uint8_t ret_key[VAULT_KEY_SIZE])
{
    uint8_t associated[KEY_ASSOCIATED_SIZE];
    associated_make(key_label, name, associated);
    return vault_unseal(vault, associated, sizeof(associated), sealed, VAULT_PERSON_KEY_SIZE, ret_key);
}

struct result vault_person_seal(const struct vault *vault, const uint8_t name[VAULT_PERSON_NAME_SIZE],
                                const uint8_t key[VAULT_PERSON_KEY_SIZE], const void *bytes, size_t size,
                                uint8_t *ret_sealed)
{
    uint8_t opened[VAULT_KEY_SIZE], associated[KEY_ASSOCIATED_SIZE];
    associated_make(data_label, name, associated);
    struct result result = key_open(vault, name, key, opened);
    if (!result_failed(result)) {
        result = seal_close(opened, associated, sizeof(associated), bytes, size, ret_sealed);
    }
    secret_wipe(opened, sizeof(opened));
    return result;
}

struct result vault_person_unseal(const struct vault *vault, const uint8_t name[VAULT_PERSON_NAME_SIZE],
                                  const uint8_t key[VAULT_PERSON_KEY_SIZE], const uint8_t *sealed, size_t sealed_size,
                                  void *ret_bytes)
{
    uint8_t opened[VAULT_KEY_SIZE], associated[KEY_ASSOCIATED_SIZE];
    associated_make(data_label, name, associated);
    struct result result = key_open(vault, name, key, opened);
    if (!result_failed(result)) {
        result = seal_open(opened, associated, sizeof(associated), sealed, sealed_size, ret_bytes);
    }
    secret_wipe(opened, sizeof(opened));
    return result;
}
