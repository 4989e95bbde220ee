/* A store of N tokens (default 1,000,000): written in transactions of 10,000 with all the rows that enrolment writes,
 * then read as a start reads it. store_bench FOLDER [TOKENS]: makes FOLDER/store.mdb; store_bench FOLDER read: reads it
 * alone, for a cold cache. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "store/schema.h"

enum { TXN_TOKENS = 10000 };

static double now_s(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void must(struct result result)
{
    if (!result_failed(result)) return;
    fprintf(stderr, "store_bench: %s\n", result_text(result));
    exit(1);
}

static uint64_t mixed(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static struct store_bytes bytes_of(const void *bytes, size_t size)
{
    return (struct store_bytes){.bytes = bytes, .size = size};
}

static void token_put(struct store *store, struct store_txn *txn, uint32_t number)
{
    uint8_t value[SCHEMA_ROW_MAX], key[4];
    struct token_row token = {.ordinal = number, .state = TOKEN_ACTIVE, .created_ms = 1700000000000, .sealed_size = 48};
    struct account_row account = {.company = "company", .token_count = 1, .tokens = {number}};
    struct fingerprint_row fingerprint = {.ordinal = number, .live = true};
    store_le64(token.name, mixed(number % 1000 + 1));
    store_le64(token.name + 8, mixed(number + 12345));
    store_le64(token.fingerprint, mixed(number + 99999999999));
    for (size_t i = 0; i < token.sealed_size; i++) token.sealed_seed[i] = (uint8_t)mixed(number * 64ull + i);
    snprintf(account.user, sizeof(account.user), "user%u@example.org", number);
    store_be32(key, number);
    must(store_put(store, txn, STORE_TOKENS, bytes_of(key, 4), bytes_of(value, schema_token_encode(&token, value))));
    must(store_put(store, txn, STORE_ACCOUNTS, bytes_of(token.name, 16),
                   bytes_of(value, schema_account_encode(&account, value))));
    must(store_put(store, txn, STORE_FINGERPRINTS, bytes_of(token.fingerprint, 16),
                   bytes_of(value, schema_fingerprint_encode(&fingerprint, value))));
}

static void write_all(struct store *store, uint32_t tokens)
{
    double start = now_s();
    for (uint32_t done = 0; done < tokens;) {
        struct store_txn *txn;
        uint32_t until = tokens - done < TXN_TOKENS ? tokens : done + TXN_TOKENS;
        must(store_begin(store, true, &txn));
        for (; done < until; done++) token_put(store, txn, done);
        must(store_commit(store, txn));
    }
    double took = now_s() - start;
    printf("write: %u tokens (3 rows each) in %.2f s, %.0f tokens/s\n", tokens, took, tokens / took);
}

static void read_map(struct store *store, enum store_map map, const char *name)
{
    struct store_txn *txn;
    struct store_bytes key, value, from = {0};
    uint8_t after[STORE_KEY_SIZE_MAX];
    uint64_t count = 0, bytes = 0;
    double start = now_s();
    must(store_begin(store, false, &txn));
    while (!result_failed(store_next(store, txn, map, from, false, &key, &value))) {
        memcpy(after, key.bytes, key.size);
        from = bytes_of(after, key.size);
        struct token_row row;
        if (map == STORE_TOKENS) must(schema_token_decode(value, &row));
        bytes += value.size;
        count++;
    }
    store_abort(store, txn);
    double took = now_s() - start;
    printf("read %s: %llu rows, %llu bytes in %.3f s, %.0f rows/s\n", name, (unsigned long long)count,
           (unsigned long long)bytes, took, (double)count / took);
}

int main(int argc, char **argv)
{
    struct store *store;
    if (argc < 2) {
        fprintf(stderr, "usage: store_bench FOLDER [TOKENS|read]\n");
        return 2;
    }
    bool read_only = argc > 2 && strcmp(argv[2], "read") == 0;
    must(store_lmdb_open(argv[1], !read_only, (uint64_t)64 << 30, &store));
    if (!read_only) write_all(store, argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1000000);
    read_map(store, STORE_TOKENS, "tokens in order");
    read_map(store, STORE_ACCOUNTS, "accounts in order");
    store_close(store);
    return 0;
}
