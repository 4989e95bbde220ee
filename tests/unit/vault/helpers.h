/* A folder for key files, and bytes from hexadecimal. */
#ifndef TESTS_UNIT_VAULT_HELPERS_H
#define TESTS_UNIT_VAULT_HELPERS_H

#include <stddef.h>
#include <stdint.h>

#include "base/result.h"
#include "vault/vault.h"

/* A new empty folder, and its removal with the files in it. */
void folder_make(char ret_folder[64]);
void folder_remove(const char *folder);

/* Number of bytes. */
size_t hex_bytes(const char *hex, uint8_t *ret_bytes);

void assert_code(struct result result, enum result_code code);

/* A store's keys under a key file made at folder/key. */
struct store_keys {
    char key_path[96];
    uint8_t store_id[VAULT_STORE_ID_SIZE];
    uint8_t row[VAULT_KEYS_ROW_SIZE_MAX];
    size_t row_size;
};

void keys_make(const char *folder, const char *name, struct store_keys *ret_keys);
struct vault *keys_open(const struct store_keys *keys);

#endif
