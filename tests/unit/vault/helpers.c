#include "helpers.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/arena.h"

void folder_make(char ret_folder[64])
{
    snprintf(ret_folder, 64, "/tmp/otpring-vault-XXXXXX");
    assert_non_null(mkdtemp(ret_folder));
    arena_allow_unlocked(true);
}

void folder_remove(const char *folder)
{
    char path[512];
    DIR *open = opendir(folder);
    for (const struct dirent *entry; open && (entry = readdir(open));) {
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        unlink(path);
        rmdir(path);
    }
    if (open) closedir(open);
    rmdir(folder);
}

size_t hex_bytes(const char *hex, uint8_t *ret_bytes)
{
    size_t size = strlen(hex) / 2;
    for (size_t i = 0; i < size; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        ret_bytes[i] = (uint8_t)byte;
    }
    return size;
}

void assert_code(struct result result, enum result_code code)
{
    assert_string_equal(result_name(result), result_name(result_of(code)));
}

void keys_make(const char *folder, const char *name, struct store_keys *ret_keys)
{
    snprintf(ret_keys->key_path, sizeof(ret_keys->key_path), "%s/%s", folder, name);
    if (access(ret_keys->key_path, F_OK) != 0) assert_code(vault_key_file_create(ret_keys->key_path), OK);
    assert_code(vault_create(ret_keys->key_path, ret_keys->store_id, ret_keys->row, &ret_keys->row_size), OK);
}

struct vault *keys_open(const struct store_keys *keys)
{
    struct vault *vault;
    assert_code(vault_open(keys->key_path, keys->store_id, keys->row, keys->row_size, &vault), OK);
    return vault;
}
