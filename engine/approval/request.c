/* Frames of JSON into items, and items into answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "approval/internal.h"
#include "base/base64url.h"

enum { ANSWER_BASE = 1024, ANSWER_OF_ITEM = 6144 }; /* four challenges with their URIs, and what stands beside them */

static const struct item_kind *const kinds[] = {&kind_ask,  &kind_wait,  &kind_cancel, &kind_typed,
                                                &kind_list, &kind_alert, &kind_device, &kind_exchange};

uint32_t approvals_answer_max(uint32_t count)
{
    return ANSWER_BASE + count * ANSWER_OF_ITEM;
}

/* ---- fields ---- */

struct people item_people(struct item *item, struct store_txn *txn, struct core_change *change)
{
    struct approvals *approvals = item->approvals;
    return (struct people){.act = &item->act,
                           .store = core_store(approvals->admin.core),
                           .txn = txn,
                           .change = change,
                           .now_ms = change ? core_change_now_ms(change) : (int64_t)approvals->now_s * 1000};
}

struct result item_flag(struct item *item, const char *key, bool *ret_flag)
{
    const json_t *value = json_object_get(item->act.request, key);
    if (!value) return result_ok();
    if (!json_is_boolean(value)) return act_detail(&item->act, BAD_JSON, "%s must be true or false", key);
    *ret_flag = json_is_true(value);
    return result_ok();
}

void item_bytes(struct item *item, const char *key, const void *bytes, size_t size)
{
    char text[BASE64URL_SIZE(64)];
    base64url_encode(bytes, size, text);
    json_object_set_new(item->act.answer, key, json_string(text));
}

struct result item_session(struct item *item)
{
    TRY(act_text(&item->act, "session", true, &item->session));
    size_t size = strlen(item->session);
    if (size == 0 || size > CHALLENGE_SESSION_SIZE_MAX)
        return act_detail(&item->act, BAD_JSON, "session has 1 to %d bytes", CHALLENGE_SESSION_SIZE_MAX);
    return result_ok();
}

struct result item_challenge(struct item *item)
{
    const char *text;
    size_t size = 0;
    TRY(act_text(&item->act, "challenge", true, &text));
    if (!base64url_decode(text, item->id, sizeof item->id, &size) || size != sizeof item->id)
        return act_detail(&item->act, BAD_JSON, "challenge is not base64url of 16 bytes");
    return item_session(item);
}

static bool client_sees(const struct core_client *client, const uint8_t name[16])
{
    if (client->company_count == 0) return true;
    for (uint32_t i = 0; i < client->company_count; i++)
        if (memcmp(client->companies[i], name, 8) == 0) return true;
    return false;
}

struct result item_account(struct item *item, bool needed)
{
    struct act *act = &item->act;
    TRY(act_text(act, "company", needed, &item->company));
    TRY(act_text(act, "user", needed || item->company, &item->user));
    if (!item->company && !item->user) return result_ok();
    if (!item->company) return act_detail(act, BAD_JSON, "company and user go together");
    if (!core_text_valid(item->company, 1, SCHEMA_NAME_MAX)) return act_detail(act, BAD_NAME, "company");
    if (!core_text_valid(item->user, 1, SCHEMA_NAME_MAX)) return act_detail(act, BAD_NAME, "user");
    core_name(item->company, strlen(item->company), item->user, strlen(item->user), item->name);
    return client_sees(item->request->asker.client, item->name) ? result_ok() : result_of(QUESTION_NO_DEVICE);
}

/* ---- results ---- */

static void failure_fill(json_t *answer, struct result result, const char *detail)
{
    char text[600];
    snprintf(text, sizeof text, "%s%s%s", result_text(result), detail[0] ? ": " : "", detail);
    json_object_set_new(answer, "ok", json_false());
    json_object_set_new(answer, "code", json_string(result_name(result)));
    json_object_set_new(answer, "error", json_string(text));
}

void item_fail(struct item *item, struct result result)
{
    item->result = result;
    failure_fill(item->act.answer, result, item->approvals->admin.detail);
    item->approvals->admin.detail[0] = 0;
}

/* ---- taking ---- */

bool approvals_take(struct approvals *approvals, const struct approval_asker *asker, const uint8_t *json, uint32_t size)
{
    if (approvals->request_count == APPROVAL_REQUESTS_MAX || approvals->item_count + asker->count > APPROVAL_ITEMS_MAX)
        return false;
    json_error_t error;
    struct request *request = &approvals->requests[approvals->request_count++];
    *request = (struct request){.asker = *asker};
    request->json = json_loadb((const char *)json, size, JSON_REJECT_DUPLICATES, &error);
    if (!request->json) {
        request->result = result_of(BAD_JSON);
        snprintf(request->detail, sizeof request->detail, "not JSON: line %d, column %d", error.line, error.column);
        return true;
    }
    approvals->item_count += asker->count;
    return true;
}

/* ---- beginning ---- */

static struct result request_refuse(struct request *request, const char *why)
{
    snprintf(request->detail, sizeof request->detail, "%s", why);
    return result_of(BAD_JSON);
}

static struct result kind_find(struct request *request, const struct item_kind **ret_kind, json_t **ret_items)
{
    const char *key, *name = json_string_value(json_object_get(request->json, "act"));
    json_t *value;
    *ret_items = json_object_get(request->json, "items");
    if (!name || !json_is_array(*ret_items)) return request_refuse(request, "a frame has \"act\" and \"items\"");
    json_object_foreach(request->json, key, value)
    {
        if (strcmp(key, "act") != 0 && strcmp(key, "items") != 0)
            return request_refuse(request, "a frame has \"act\" and \"items\" and no other field");
    }
    if (json_array_size(*ret_items) != request->asker.count)
        return request_refuse(request, "there are not as many items as the frame's header says");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i]->name, name) != 0) continue;
        *ret_kind = kinds[i];
        return result_ok();
    }
    return request_refuse(request, "there is no such act");
}

static struct result item_begin(struct item *item)
{
    if (!json_is_object(item->act.request)) return act_detail(&item->act, BAD_JSON, "an item is an object");
    if (item->kind->keys) TRY(act_keys_check(&item->act, item->kind->keys));
    return item->kind->begin(item);
}

static void item_make(struct approvals *approvals, struct request *request, const struct item_kind *kind, json_t *json)
{
    struct item *item = &approvals->items[approvals->item_count++];
    *item = (struct item){.approvals = approvals, .request = request, .kind = kind};
    item->act = (struct act){.admin = &approvals->admin,
                             .actor = {.uid = request->asker.client->uid},
                             .who = {.role = ROLE_BANK},
                             .client = request->asker.client,
                             .request = json,
                             .answer = json_object()};
    json_array_append_new(request->answers, item->act.answer);
    approvals->admin.detail[0] = 0;
    struct result result = item_begin(item);
    if (result_failed(result)) item_fail(item, result);
}

static void request_begin(struct approvals *approvals, struct request *request)
{
    const struct item_kind *kind = NULL;
    json_t *items = NULL;
    if (result_failed(request->result)) return;
    request->result = kind_find(request, &kind, &items);
    if (result_failed(request->result)) return;
    request->answers = json_array();
    size_t i;
    json_t *json;
    json_array_foreach(items, i, json)
    {
        item_make(approvals, request, kind, json);
    }
}

void requests_begin(struct approvals *approvals)
{
    approvals->item_count = 0;
    for (uint32_t i = 0; i < approvals->request_count; i++) request_begin(approvals, &approvals->requests[i]);
}

/* ---- ending ---- */

static void request_answer(struct approvals *approvals, struct request *request)
{
    json_t *answer = json_object();
    if (result_failed(request->result)) {
        failure_fill(answer, request->result, request->detail);
    } else {
        json_object_set_new(answer, "ok", json_true());
        json_object_set(answer, "items", request->answers);
    }
    char *text = json_dumps(answer, JSON_COMPACT);
    json_decref(answer);
    size_t size = text ? strlen(text) : 0;
    /* Without memory for an answer there is none, and the connection's other frames go on. */
    approvals->options.answered(approvals->options.context, &request->asker, text ? text : "{\"ok\":false}",
                                text ? size : 12);
    admin_text_free(text);
}

void requests_end(struct approvals *approvals)
{
    for (uint32_t i = 0; i < approvals->request_count; i++) {
        struct request *request = &approvals->requests[i];
        request_answer(approvals, request);
        json_decref(request->answers);
        json_decref(request->json);
    }
    approvals->request_count = approvals->item_count = 0;
}
