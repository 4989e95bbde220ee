/* Lists of people: a walk along secondary keys, page by page. `after` and `next` are the key of the last one looked at,
 * in hex, so a page costs what it shows (and what its filter passes over, up to a limit; then the page is empty and
 * goes on). */
#include <stdio.h>
#include <string.h>

#include "admin/people.h"

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The walk goes on behind `after`, which must lie within the list. */
static bool after_parse(const char *text, const struct order_key *prefix, struct order_key *ret_key)
{
    size_t size = strlen(text) / 2;
    if (strlen(text) % 2 || size > sizeof(ret_key->bytes) || size <= prefix->size) return false;
    for (size_t i = 0; i < size; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        ret_key->bytes[i] = (uint8_t)(high << 4 | low);
    }
    ret_key->size = size;
    return memcmp(ret_key->bytes, prefix->bytes, prefix->size) == 0;
}

static json_t *next_json(const struct order_key *key)
{
    char text[2 * STORE_KEY_SIZE_MAX + 1] = "";
    for (size_t i = 0; i < key->size; i++) sprintf(text + 2 * i, "%02x", key->bytes[i]);
    return json_string(text);
}

struct result people_list(struct people *people, const char *field, const struct order_key *prefix,
                          struct result (*put)(struct people *people, const struct store_bytes *key,
                                               struct store_bytes value, json_t *list))
{
    struct act *act = people->act;
    struct order_key key = *prefix;
    struct store_bytes found, value;
    const char *after = NULL;
    uint64_t limit = 100;
    bool inclusive = true;
    TRY(act_text(act, "after", false, &after));
    TRY(act_number(act, "limit", false, 1, LIST_LIMIT_MAX, &limit));
    if (after && !after_parse(after, prefix, &key)) return act_detail(act, BAD_JSON, "after is not from this list");
    inclusive = !after;
    json_t *list = json_array();
    json_object_set_new(act->answer, field, list);
    json_object_set_new(act->answer, "next", json_null());
    for (size_t walked = 0;; walked++) {
        struct result got =
            store_next(people->store, people->txn, STORE_ORDER, order_done(&key), inclusive, &found, &value);
        if (got.code == STORE_NOT_FOUND) return result_ok();
        TRY(got);
        if (found.size <= prefix->size || memcmp(found.bytes, prefix->bytes, prefix->size) != 0) return result_ok();
        if (json_array_size(list) >= limit || walked == WALK_MAX) {
            json_object_set_new(act->answer, "next", next_json(&key));
            return result_ok();
        }
        memcpy(key.bytes, found.bytes, found.size);
        key.size = found.size;
        inclusive = false;
        struct store_bytes at = order_done(&key);
        TRY(put(people, &at, value, list));
        if (people->list_over) return result_ok();
    }
}

struct result people_state_filter(struct people *people, enum rule_machine machine, unsigned *ret_state)
{
    const char *text = NULL;
    TRY(act_text(people->act, "state", false, &text));
    if (!text || rule_state_parse(machine, text, ret_state)) return result_ok();
    return act_detail(people->act, BAD_ARGUMENT, "%s %s has no state \"%.20s\"", rule_machine_article(machine),
                      rule_machine_name(machine), text);
}

json_t *people_operator_json(struct people *people, uint32_t id)
{
    struct operator_row row;
    if (id == UINT32_MAX) return json_null();
    if (id == 0 || result_failed(people_operator_get(people, id, &row))) return json_string("owner");
    return json_string(row.name);
}
