/* Names of clients, by the id that stands in records: from the store of the folder, where it has one, and from the
 * records that name them. A name is a foreign text: what is kept of it is printable, blanks and quotes escaped. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core.h"
#include "log.h"

struct client_name {
    uint16_t id;
    char text[CLIENT_NAME_TEXT];
};

static struct client_name *names;
static size_t name_count;

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
    size_t at = 0;
    while (at < name_count && names[at].id != id) at++;
    if (size == 0 || size >= CORE_CLIENT_NAME_SIZE) return;
    if (at == name_count) {
        struct client_name *more = realloc(names, (name_count + 1) * sizeof *more);
        if (!more) return; /* the id will do */
        names = more;
        names[name_count++].id = id;
    }
    escape(name, size, names[at].text);
}

const char *client_name(uint16_t id)
{
    for (size_t i = 0; i < name_count; i++)
        if (names[i].id == id) return names[i].text;
    return NULL;
}

static void names_read(struct store *store, struct store_txn *txn)
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

void client_names_load(const char *folder)
{
    struct store *store;
    struct store_txn *txn;
    if (result_failed(store_lmdb_open_reading(folder, &store))) return; /* segments alone: ids are shown */
    if (!result_failed(store_begin(store, false, &txn))) {
        names_read(store, txn);
        store_abort(store, txn);
    }
    store_close(store);
}

void client_names_free(void)
{
    free(names);
    names = NULL;
    name_count = 0;
}
