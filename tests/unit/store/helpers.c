#include "helpers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

void folder_make(char ret_folder[64])
{
    snprintf(ret_folder, 64, "/tmp/otpring-store-XXXXXX");
    assert_non_null(mkdtemp(ret_folder));
}

void folder_remove(const char *folder)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
}

void assert_code(struct result result, enum result_code code)
{
    assert_string_equal(result_name(result), result_name(result_of(code)));
}

struct store_bytes text_bytes(const char *text)
{
    return (struct store_bytes){.bytes = text, .size = strlen(text)};
}

struct store_bytes bytes_of(const void *bytes, size_t size)
{
    return (struct store_bytes){.bytes = bytes, .size = size};
}

struct store_bytes number_key(uint32_t number, uint8_t ret_key[4])
{
    store_be32(ret_key, number);
    return bytes_of(ret_key, 4);
}

void put_text(struct store *store, enum store_map map, const char *key, const char *value)
{
    struct store_txn *txn;
    assert_code(store_begin(store, true, &txn), OK);
    assert_code(store_put(store, txn, map, text_bytes(key), text_bytes(value)), OK);
    assert_code(store_commit(store, txn), OK);
}

void assert_text(struct store *store, enum store_map map, const char *key, const char *value)
{
    struct store_txn *txn;
    struct store_bytes found;
    assert_code(store_begin(store, false, &txn), OK);
    struct result result = store_get(store, txn, map, text_bytes(key), &found);
    if (value) {
        assert_code(result, OK);
        assert_int_equal(found.size, strlen(value));
        assert_memory_equal(found.bytes, value, found.size);
    } else {
        assert_code(result, STORE_NOT_FOUND);
    }
    store_abort(store, txn);
}

uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}
