/* Names of clients. Records hold a client's id, two bytes made of its name; the name itself is journaled when it is
 * first configured, and stands in the store for those who read records later, also after the record was recycled. */
#include <stdio.h>
#include <string.h>

#include "core/state.h"

enum { META_KEY_SIZE = 16 };

static struct store_bytes client_key(uint16_t id, char ret_key[META_KEY_SIZE])
{
    snprintf(ret_key, META_KEY_SIZE, META_CLIENT, id);
    return bytes_of(ret_key, strlen(ret_key));
}

static struct result known(struct core *core, struct store_txn *txn, const struct core_client *client, bool *ret_known)
{
    char key[META_KEY_SIZE];
    struct store_bytes value;
    struct result got = store_get(core->store, txn, STORE_META, client_key(client->id, key), &value);
    if (result_failed(got) && got.code != STORE_NOT_FOUND) return got;
    *ret_known =
        !result_failed(got) && value.size == strlen(client->name) && memcmp(value.bytes, client->name, value.size) == 0;
    return result_ok();
}

/* The records of those that are new. Under the act mutex. */
static struct result records_make(struct core *core, const struct core_client *clients, uint32_t count)
{
    struct store_txn *txn;
    struct result result = result_ok();
    TRY(store_begin(core->store, false, &txn));
    for (uint32_t i = 0; !result_failed(result) && i < count; i++) {
        bool is_known = false;
        uint8_t *payload;
        result = known(core, txn, &clients[i], &is_known);
        if (result_failed(result) || is_known || !clients[i].name[0]) continue;
        struct act_client act = {.id = clients[i].id};
        snprintf(act.name, sizeof(act.name), "%s", clients[i].name);
        act_record(core, ACT_CLIENT, NULL, sizeof(act), &payload);
        memcpy(payload, &act, sizeof(act));
    }
    store_abort(core->store, txn);
    return result;
}

struct result core_clients_name(struct core_worker *worker, const struct core_client *clients, uint32_t count)
{
    struct core *core = worker->core;
    TRY(act_enter(worker));
    struct result result = records_make(core, clients, count);
    if (!result_failed(result) && core->state->batch.slot_count > 0) {
        result = act_write(worker);
        if (core->state->batch.durable_slots > 0) act_settle(core, NULL, false);
    }
    act_leave(core);
    return result;
}

struct result act_client_store(struct core *core, struct store_txn *txn, const struct slot_act *act,
                               const uint8_t *payload)
{
    char key[META_KEY_SIZE];
    struct act_client client;
    if (act->payload_size != sizeof(client)) return result_of(JOURNAL_CORRUPT);
    memcpy(&client, payload, sizeof(client));
    size_t size = strnlen(client.name, sizeof(client.name));
    if (size == 0 || size == sizeof(client.name)) return result_of(JOURNAL_CORRUPT);
    return store_put(core->store, txn, STORE_META, client_key(client.id, key), bytes_of(client.name, size));
}
