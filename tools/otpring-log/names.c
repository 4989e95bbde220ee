#include "names.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "core/core.h"

enum { CLIENT_IDS = 65536, CLIENT_NAME_TEXT = 3 * CORE_CLIENT_NAME_SIZE + 1, CACHE_SIZE = 4096 };

/* ---- clients ---- */

/* A name that another replaces stays until the end: some thread may be printing it. */
struct client_name {
    struct client_name *older;
    char plain[CORE_CLIENT_NAME_SIZE];
    char text[CLIENT_NAME_TEXT];
};

static _Atomic(struct client_name *) clients[CLIENT_IDS];
static _Atomic uint32_t client_count; /* names ever taken in: a table of none need not be gone through */
static struct store *store;           /* NULL: none */

static void escape(const char *name, size_t size, char ret_text[CLIENT_NAME_TEXT])
{
    char *to = ret_text;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)name[i];
        bool plain = c > 0x20 && c < 0x7f && c != '"' && c != '\\';
        to += plain ? sprintf(to, "%c", c) : sprintf(to, "%%%02x", c);
    }
    *to = 0;
}

void client_name_set(uint16_t id, const char *name, size_t size)
{
    if (size == 0 || size >= CORE_CLIENT_NAME_SIZE) return;
    struct client_name *there = atomic_load(&clients[id]);
    if (there && strlen(there->plain) == size && memcmp(there->plain, name, size) == 0) return;
    struct client_name *fresh = calloc(1, sizeof *fresh);
    if (!fresh) return; /* the id will do */
    atomic_fetch_add(&client_count, 1);
    memcpy(fresh->plain, name, size);
    escape(name, size, fresh->text);
    fresh->older = there;
    while (!atomic_compare_exchange_weak(&clients[id], &fresh->older, fresh)) {
    }
}

const char *client_name(uint16_t id)
{
    const struct client_name *name = atomic_load_explicit(&clients[id], memory_order_acquire);
    return name ? name->text : NULL;
}

/* As the daemon does for a client of its configuration: FNV-1a, folded. */
static uint16_t configured_id(const char *name)
{
    uint32_t hash = 2166136261U;
    for (; *name; name++) hash = (hash ^ (uint8_t)*name) * 16777619U;
    return (uint16_t)(hash >> 16 ^ hash);
}

uint16_t client_id_of_name(const char *name)
{
    for (unsigned id = 0; id < CLIENT_IDS && atomic_load(&client_count) > 0; id++) {
        const struct client_name *known = atomic_load(&clients[id]);
        if (known && (strcmp(known->plain, name) == 0 || strcmp(known->text, name) == 0)) return (uint16_t)id;
    }
    return configured_id(name);
}

static void read_clients(struct store_txn *txn)
{
    const char *prefix = META_CLIENT;
    size_t size = strcspn(prefix, "%");
    struct store_bytes key = {.bytes = prefix, .size = size}, value;
    for (bool first = true; !result_failed(store_next(store, txn, STORE_META, key, first, &key, &value));
         first = false) {
        unsigned id;
        char digits[5] = "";
        if (key.size != size + 4 || memcmp(key.bytes, prefix, size) != 0) return;
        memcpy(digits, (const char *)key.bytes + size, 4);
        if (sscanf(digits, "%4x", &id) == 1) client_name_set((uint16_t)id, value.bytes, value.size);
    }
}

void names_load(const char *folder)
{
    struct store_txn *txn;
    if (result_failed(store_lmdb_open_reading(folder, &store))) {
        store = NULL;
        return;
    }
    if (result_failed(store_begin(store, false, &txn))) return;
    read_clients(txn);
    store_abort(store, txn);
}

bool names_from_store(void)
{
    return store != NULL;
}

void names_free(void)
{
    if (store) store_close(store);
    store = NULL;
    if (atomic_exchange(&client_count, 0) == 0) return;
    for (unsigned id = 0; id < CLIENT_IDS; id++) {
        struct client_name *name = atomic_exchange(&clients[id], NULL);
        while (name) {
            struct client_name *older = name->older;
            free(name);
            name = older;
        }
    }
}

/* ---- accounts ---- */

struct cached {
    uint8_t name[16];
    bool used;
    bool known;
    struct account_name account;
};

/* The store as it is when this is made, and the accounts asked for last. */
struct names_look {
    struct store_txn *txn;
    struct cached cache[CACHE_SIZE];
};

struct names_look *names_look_new(void)
{
    struct names_look *look = store ? calloc(1, sizeof *look) : NULL;
    if (look && result_failed(store_begin(store, false, &look->txn))) {
        free(look);
        return NULL;
    }
    return look;
}

void names_look_free(struct names_look *look)
{
    if (!look) return;
    store_abort(store, look->txn);
    free(look);
}

/* Any account of the company will do for its name: they stand together. */
static bool find_company(struct names_look *look, const uint8_t name[16], struct account_row *row)
{
    uint8_t first[16] = {0};
    struct store_bytes key = {.bytes = first, .size = sizeof first}, value;
    memcpy(first, name, 8);
    if (result_failed(store_next(store, look->txn, STORE_ACCOUNTS, key, true, &key, &value))) return false;
    if (key.size != 16 || memcmp(key.bytes, name, 8) != 0) return false;
    return !result_failed(schema_account_decode(value, row));
}

static void find(struct names_look *look, struct cached *cached, const uint8_t name[16])
{
    struct account_row row;
    struct store_bytes key = {.bytes = name, .size = 16}, value;
    memset(cached, 0, sizeof *cached);
    memcpy(cached->name, name, 16);
    cached->used = true;
    struct result result = store_get(store, look->txn, STORE_ACCOUNTS, key, &value);
    if (!result_failed(result)) result = schema_account_decode(value, &row);
    if (!result_failed(result)) {
        memcpy(cached->account.user, row.user, sizeof row.user);
    } else if (!find_company(look, name, &row)) {
        return;
    }
    memcpy(cached->account.company, row.company, sizeof row.company);
    cached->known = true;
}

const struct account_name *names_account(struct names_look *look, const uint8_t name[16])
{
    static const uint8_t nobody[16];
    if (!look || memcmp(name, nobody, sizeof nobody) == 0) return NULL;
    struct cached *cached = &look->cache[load_le64(name + 8) % CACHE_SIZE];
    if (!cached->used || memcmp(cached->name, name, 16) != 0) find(look, cached, name);
    return cached->known ? &cached->account : NULL;
}

bool names_token(struct names_look *look, uint32_t ordinal, struct token_row *ret_row)
{
    uint8_t bytes[4];
    struct store_bytes key = {.bytes = bytes, .size = sizeof bytes}, value;
    if (!look) return false;
    for (int i = 0; i < 4; i++) bytes[i] = (uint8_t)(ordinal >> (24 - 8 * i));
    if (result_failed(store_get(store, look->txn, STORE_TOKENS, key, &value))) return false;
    return !result_failed(schema_token_decode(value, ret_row));
}

bool names_profile(struct names_look *look, uint16_t id, struct profile_row *ret_row)
{
    uint8_t bytes[2] = {(uint8_t)(id >> 8), (uint8_t)id};
    struct store_bytes key = {.bytes = bytes, .size = sizeof bytes}, value;
    if (!look || result_failed(store_get(store, look->txn, STORE_PROFILES, key, &value))) return false;
    return !result_failed(schema_profile_decode(value, ret_row));
}
