/* Responses to challenges into frames: what OTPRING_WIRE_OCRA says of an item. */
#include <endian.h>
#include <string.h>

#include "internal.h"

enum { RESPONSE_MAX = 128, QUESTION_MAX = 64, SESSION_MAX = 999 };

/* A text's size, which may not be above `most`; NULL is empty. */
static bool size_of(const char *text, size_t most, size_t *ret_size)
{
    *ret_size = text ? strnlen(text, most + 1) : 0;
    return *ret_size <= most;
}

PUBLIC size_t otpring_ocra_item(const struct otpring_ocra_query *query, uint8_t ret_item[OTPRING_WIRE_OCRA_SIZE_MAX])
{
    if (!query->company || !query->user) return 0;
    const void *fields[5] = {query->response, query->challenge, query->challenge_second, query->pin_hash,
                             query->session};
    size_t sizes[5], size = sizeof(struct otpring_wire_ocra);
    uint8_t name[16];
    bool fits =
        size_of(query->response, RESPONSE_MAX, &sizes[0]) && size_of(query->challenge, QUESTION_MAX, &sizes[1]) &&
        size_of(query->challenge_second, QUESTION_MAX, &sizes[2]) && size_of(query->session, SESSION_MAX, &sizes[4]);
    sizes[3] = query->pin_hash ? query->pin_hash_size : 0;
    if (!fits || sizes[0] == 0 || sizes[1] == 0) return 0;
    if (sizes[3] != 0 && sizes[3] != 20 && sizes[3] != 32 && sizes[3] != 64) return 0;
    memset(ret_item, 0, OTPRING_WIRE_OCRA_SIZE_MAX);
    for (int i = 0; i < 5; i++) {
        if (sizes[i]) memcpy(ret_item + size, fields[i], sizes[i]);
        size += sizes[i];
    }
    size = (size + 7) & ~(size_t)7;
    struct otpring_wire_ocra head = {.query = {.source = htole64(query->source),
                                               .kind = OTPRING_QUERY_OCRA,
                                               .source_class = query->source_known ? 1 : 0},
                                     .size = htole16((uint16_t)size),
                                     .response_size = (uint8_t)sizes[0],
                                     .question_sizes = {(uint8_t)sizes[1], (uint8_t)sizes[2]},
                                     .pin_hash_size = (uint8_t)sizes[3],
                                     .session_size = htole16((uint16_t)sizes[4])};
    otpring_name(query->company, query->user, name);
    memcpy(head.query.company, name, 8);
    memcpy(head.query.account, name + 8, 8);
    memcpy(ret_item, &head, sizeof head);
    return size;
}

int client_encode_ocra(struct otpring_client *client, struct frame *frame, const void *any_queries, size_t count)
{
    const struct otpring_ocra_query *queries = any_queries;
    uint8_t item[OTPRING_WIRE_OCRA_SIZE_MAX];
    uint8_t *items = frame->bytes + sizeof(struct otpring_wire_header);
    size_t room = client_items_size(client->items_wished), used = 0;
    int error = 0;
    frame->kind = OTPRING_WIRE_OCRA;
    frame->asked = (uint16_t)count;
    frame->sent = 0;
    frame->placed = true;
    for (size_t i = 0; i < count && !error; i++) {
        if (!queries[i].company || !queries[i].user) {
            error = client_error(client, OTPRING_E_ARGUMENT, "query %zu lacks a name", i);
            continue;
        }
        size_t size = otpring_ocra_item(&queries[i], item);
        frame->places[i] = PLACE_MALFORMED;
        if (size == 0) continue;
        if (size > room - used) {
            error = client_error(client, OTPRING_E_ARGUMENT, "%zu queries need more than one frame: ask fewer at once",
                                 count);
            continue;
        }
        memcpy(items + used, item, size);
        used += size;
        frame->places[i] = frame->sent++;
    }
    explicit_bzero(item, sizeof item);
    if (error) explicit_bzero(items, used);
    frame->items_size = (uint32_t)used;
    return error;
}

PUBLIC int otpring_verify_ocra(struct otpring_client *client, const struct otpring_ocra_query *queries, size_t count,
                               struct otpring_answer *ret_answers)
{
    return client_verify(client, client_encode_ocra, queries, count, ret_answers);
}

PUBLIC int64_t otpring_submit_ocra(struct otpring_client *client, const struct otpring_ocra_query *queries,
                                   size_t count)
{
    return client_submit(client, client_encode_ocra, queries, count);
}
