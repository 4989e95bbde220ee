/* A folder for a store, and short ways to name bytes. */
#ifndef TESTS_UNIT_STORE_HELPERS_H
#define TESTS_UNIT_STORE_HELPERS_H

#include "store/store.h"

void folder_make(char ret_folder[64]);
/* With all that is in it. */
void folder_remove(const char *folder);

void assert_code(struct result result, enum result_code code);

struct store_bytes text_bytes(const char *text);
struct store_bytes bytes_of(const void *bytes, size_t size);
/* 4 bytes, big-endian, in the caller's array. */
struct store_bytes number_key(uint32_t number, uint8_t ret_key[4]);

/* Key and value as text, in transactions of their own. */
void put_text(struct store *store, enum store_map map, const char *key, const char *value);
void assert_text(struct store *store, enum store_map map, const char *key, const char *value);

uint64_t random_next(uint64_t *state);

#endif
