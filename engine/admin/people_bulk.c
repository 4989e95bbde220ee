/* Many items in one request, each taken or refused on its own, but many of them in one change: whatever refuses one
 * does so before anything of it is put. */
#include "admin/people.h"

#include <stdio.h>

enum { ITEMS_MAX = 1000, CHANGE_ITEMS_MAX = CORE_CHANGE_KEYS_MAX };

struct bulk {
    struct result (*one)(struct people *people, const json_t *item);
    const json_t *items;
    size_t from;
    size_t end;
    json_int_t done;
    json_t *refused; /* of this change */
    struct result first;
};

static void refuse(struct act *act, struct bulk *bulk, size_t index, struct result result)
{
    json_t *item = json_pack("{s:I,s:s}", "index", (json_int_t)index, "code", result_name(result));
    json_t *rule = json_object_get(act->answer, "rule");
    if (rule) json_object_set(item, "rule", rule);
    char text[sizeof(act->admin->detail) + 300];
    const char *detail = act->admin->detail;
    snprintf(text, sizeof(text), "%s%s%s", result_text(result), detail[0] ? ": " : "", detail);
    json_object_set_new(item, "error", json_string(text));
    json_object_del(act->answer, "rule");
    json_array_append_new(bulk->refused, item);
    if (!result_failed(bulk->first)) bulk->first = result;
}

static struct result change(struct people *people)
{
    struct act *act = people->act;
    struct bulk *bulk = act->context;
    bulk->done = 0;
    bulk->first = result_ok();
    json_array_clear(bulk->refused);
    for (size_t i = bulk->from; i < bulk->end; i++) {
        act->admin->detail[0] = 0;
        struct result result = bulk->one(people, json_array_get(bulk->items, i));
        if (result_failed(result) && result_class(result) != RESULT_REFUSE) return result;
        if (result_failed(result)) refuse(act, bulk, i, result);
        bulk->done += !result_failed(result);
    }
    act->admin->detail[0] = 0;
    return result_ok();
}

/* One change's worth; where the change itself fails, none of it is done, and all of it is told so. */
static struct result step(struct act *act, struct bulk *bulk)
{
    struct result result;
    do result = people_change(act, change);
    while (act_again(act, result));
    if (!result_failed(result)) return bulk->first;
    bulk->done = 0;
    json_array_clear(bulk->refused);
    for (size_t i = bulk->from; i < bulk->end; i++) refuse(act, bulk, i, result);
    return result;
}

struct result people_bulk(struct act *act, const char *done_key,
                          struct result (*one)(struct people *people, const json_t *item))
{
    struct bulk bulk = {.one = one, .items = json_object_get(act->request, "items")};
    struct result first = result_ok();
    json_int_t done = 0;
    size_t count = json_array_size(bulk.items);
    json_t *refused = json_array();
    json_object_set_new(act->answer, "refused", refused);
    if (!json_is_array(bulk.items) || count == 0 || count > ITEMS_MAX) {
        return act_detail(act, BAD_JSON, "items must be a list of 1 to %d", ITEMS_MAX);
    }
    bulk.refused = json_array();
    act->context = &bulk;
    for (; bulk.from < count; bulk.from = bulk.end) {
        bulk.end = count - bulk.from < CHANGE_ITEMS_MAX ? count : bulk.from + CHANGE_ITEMS_MAX;
        struct result result = step(act, &bulk);
        if (result_failed(result) && !result_failed(first)) first = result;
        done += bulk.done;
        act->partly |= done > 0;
        json_array_extend(refused, bulk.refused);
    }
    act->context = NULL;
    act->admin->detail[0] = 0;
    json_decref(bulk.refused);
    json_object_set_new(act->answer, done_key, json_integer(done));
    return first;
}
