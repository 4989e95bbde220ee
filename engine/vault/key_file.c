#include "vault/key_file.h"

#include <openssl/rand.h>
#include <string.h>

#include "base/bytes.h"
#include "os/arena.h"
#include "os/private_file.h"
#include "vault/vault.h"

enum { KEY_FILE_VERSION = 1, KEK_AT = 16, CHECKSUM_AT = 48, CHECKSUM_SIZE = 16 };

static const uint8_t magic[8] = {'o', 't', 'p', 'r', '-', 'k', 'e', 'y'};

_Static_assert(KEK_AT + KEY_FILE_KEK_SIZE == CHECKSUM_AT && CHECKSUM_AT + CHECKSUM_SIZE == KEY_FILE_SIZE, "64 bytes");

struct result vault_key_file_create(const char *path)
{
    void *memory;
    uint8_t hash[32];
    TRY(arena_take(KEY_FILE_SIZE, false, &memory));
    uint8_t *file = memory;
    struct result result = result_of(VAULT_FAILED);
    memcpy(file, magic, sizeof(magic));
    store_le32(file + 8, KEY_FILE_VERSION);
    if (RAND_priv_bytes(file + KEK_AT, KEY_FILE_KEK_SIZE) == 1) {
        vault_sha256(file, CHECKSUM_AT, hash);
        memcpy(file + CHECKSUM_AT, hash, CHECKSUM_SIZE);
        result = private_file_create(path, file, KEY_FILE_SIZE);
    }
    arena_release(memory, KEY_FILE_SIZE);
    return result;
}

static bool file_valid(const uint8_t *file)
{
    uint8_t hash[32];
    vault_sha256(file, CHECKSUM_AT, hash);
    return memcmp(file, magic, sizeof(magic)) == 0 && load_le32(file + 8) == KEY_FILE_VERSION &&
           load_le32(file + 12) == 0 && vault_equal(file + CHECKSUM_AT, hash, CHECKSUM_SIZE);
}

struct result key_file_read(const char *path, uint8_t ret_kek[KEY_FILE_KEK_SIZE])
{
    void *memory;
    size_t size = 0;
    TRY(arena_take(KEY_FILE_SIZE, false, &memory));
    struct result result = private_file_read(path, memory, KEY_FILE_SIZE, &size);
    if (!result_failed(result) && (size != KEY_FILE_SIZE || !file_valid(memory)))
        result = result_of(VAULT_BAD_KEY_FILE);
    if (!result_failed(result)) memcpy(ret_kek, (const uint8_t *)memory + KEK_AT, KEY_FILE_KEK_SIZE);
    arena_release(memory, KEY_FILE_SIZE);
    return result;
}
