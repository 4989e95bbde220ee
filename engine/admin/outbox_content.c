/* What a message says, sealed under the key of the person whom it goes to: who is erased takes it along, out of the
 * store and out of the journal. */
#include "admin/outbox.h"

#include <string.h>

#include "os/arena.h"

enum { KEY_SIZE = 9 };

static struct store_bytes key_of(uint64_t number, uint8_t ret_key[KEY_SIZE])
{
    store_be64(ret_key, number);
    ret_key[8] = 'P';
    return (struct store_bytes){.bytes = ret_key, .size = KEY_SIZE};
}

struct result outbox_content_put(struct people *people, const struct outbox_draft *draft, uint64_t number)
{
    uint8_t bytes[OUTBOX_CONTENT_MAX], sealed[OUTBOX_CONTENT_MAX + VAULT_SEAL_EXTRA], key[KEY_SIZE];
    TRY(person_key_ensure(people, draft->name));
    size_t size = outbox_content_encode(draft, number, bytes);
    struct result result = person_seal_bytes(people, draft->name, bytes, size, sealed);
    secret_wipe(bytes, sizeof(bytes));
    TRY(result);
    return core_change_put(people->change, STORE_OUTBOX, key_of(number, key),
                           (struct store_bytes){.bytes = sealed, .size = size + VAULT_SEAL_EXTRA});
}

struct result outbox_open(struct people *people, const struct outbox_row *row, struct outbox_content *ret_content)
{
    uint8_t bytes[OUTBOX_CONTENT_MAX], key[KEY_SIZE];
    struct store_bytes sealed;
    TRY(store_get(people->store, people->txn, STORE_OUTBOX, key_of(row->number, key), &sealed));
    if (sealed.size < VAULT_SEAL_EXTRA || sealed.size > sizeof(bytes) + VAULT_SEAL_EXTRA) {
        return result_of(STORE_DAMAGED);
    }
    TRY(person_open_bytes(people, row->name, sealed.bytes, sealed.size, bytes));
    struct result result = outbox_content_decode(bytes, sealed.size - VAULT_SEAL_EXTRA, row->number, ret_content);
    secret_wipe(bytes, sizeof(bytes));
    return result;
}

struct result outbox_content_erase(struct people *people, uint64_t number)
{
    uint8_t key[KEY_SIZE];
    return core_change_erase(people->change, STORE_OUTBOX, key_of(number, key));
}
