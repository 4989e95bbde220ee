/* Acts of the outbox: for otpring-relay (next, ack, fail), and for operators (put, list, show, ack, retry). What a
 * message says leaves through outbox.next alone. */
#include "admin/outbox.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "os/arena.h"

enum { BATCH_MAX = 256, LEASE_S_DEFAULT = 60 };

/* ---- putting ---- */

static struct result fields_take(struct act *act, struct outbox_field fields[MESSAGE_FIELDS_MAX], size_t *ret_count)
{
    const char *name;
    json_t *value, *object = json_object_get(act->request, "fields");
    *ret_count = 0;
    if (!json_is_object(object)) return act_detail(act, BAD_JSON, "fields must be an object of texts");
    json_object_foreach(object, name, value)
    {
        if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value)) {
            return act_detail(act, BAD_JSON, "fields must be an object of texts without zero bytes");
        }
        if (*ret_count == MESSAGE_FIELDS_MAX) return act_detail(act, BAD_ARGUMENT, "too many fields");
        fields[(*ret_count)++] = (struct outbox_field){.name = name, .value = json_string_value(value)};
    }
    return result_ok();
}

/* Where the request leaves them out, number and language are those that are known of the user. */
static struct result user_defaults(struct people *people, struct outbox_draft *draft, struct user_row *user,
                                   struct person *person)
{
    if (draft->to && draft->language) return result_ok();
    struct result got = people_user_get(people, draft->name, user);
    if (got.code == STORE_NOT_FOUND) return act_detail(people->act, STORE_NOT_FOUND, "user; give to and language");
    TRY(got);
    if (!draft->language) draft->language = user->language;
    if (draft->to) return result_ok();
    TRY(person_open(people, draft->name, user, person));
    if (draft->channel != CHANNEL_SMS || !person->phone[0]) {
        return act_detail(people->act, BAD_ARGUMENT, "to whom? no phone number is known, or it goes another way");
    }
    draft->to = person->phone;
    return result_ok();
}

static struct result named(struct act *act, const char *key, unsigned (*parse)(const char *name), unsigned *ret_number)
{
    const char *text = NULL;
    TRY(act_text(act, key, true, &text));
    *ret_number = parse(text);
    return *ret_number ? result_ok() : act_detail(act, BAD_ARGUMENT, "there is no %s \"%.40s\"", key, text);
}

static struct result put(struct people *people)
{
    struct act *act = people->act;
    struct outbox_field fields[MESSAGE_FIELDS_MAX];
    struct outbox_draft draft = {.fields = fields};
    const char *company = NULL, *user = NULL;
    uint64_t expires_ms = 0, number = 0;
    unsigned kind = 0, channel = 0;
    struct user_row row;
    struct person person = {{0}, {0}};
    TRY(people_names(people, true, &company, &user, draft.name));
    TRY(named(act, "kind", outbox_kind_of, &kind));
    TRY(named(act, "channel", outbox_channel_of, &channel));
    TRY(act_text(act, "to", false, &draft.to));
    TRY(act_text(act, "language", false, &draft.language));
    TRY(act_number(act, "expires_ms", false, 0, INT64_MAX, &expires_ms));
    TRY(fields_take(act, fields, &draft.field_count));
    draft.kind = kind;
    draft.channel = channel;
    draft.expires_ms = (int64_t)expires_ms;
    struct result result = user_defaults(people, &draft, &row, &person);
    if (!result_failed(result)) result = outbox_put(people, &draft, &number);
    secret_wipe(&person, sizeof(person));
    if (result.code == BAD_ARGUMENT && !act->admin->detail[0]) {
        return act_detail(act, BAD_ARGUMENT, "to, language, or the fields that the kind \"%s\" must have",
                          outbox_kind_name(kind));
    }
    TRY(result);
    json_object_set_new(act->answer, "number", json_integer((json_int_t)number));
    return result_ok();
}

struct result act_outbox_put(struct act *act)
{
    return people_change(act, put);
}

/* ---- handing over ---- */

/* The same for every hand-over, and for no other message: a store that was restored from an older backup gives numbers
 * out again, but not at the same time. */
static void id_make(struct people *people, const struct outbox_row *row, char ret_id[MESSAGE_ID_MAX + 1])
{
    const uint8_t *store = vault_store_id(core_vault(people->act->admin->core));
    snprintf(ret_id, MESSAGE_ID_MAX + 1, "%02x%02x%02x%02x-%" PRIu64 "-%" PRIx64, store[0], store[1], store[2],
             store[3], row->number, (uint64_t)row->created_ms);
}

static json_t *account_json(const struct outbox_row *row)
{
    char text[33];
    for (size_t i = 0; i < sizeof(row->name); i++) sprintf(text + 2 * i, "%02x", row->name[i]);
    return json_string(text);
}

static struct result give(struct people *people, const struct outbox_row *row, const struct outbox_content *content,
                          void *context)
{
    char id[MESSAGE_ID_MAX + 1];
    json_t *list = context, *fields = json_object();
    id_make(people, row, id);
    for (size_t i = 0; i < content->field_count; i++) {
        json_object_set_new(fields, content->fields[i].name, json_string(content->fields[i].value));
    }
    json_t *message = json_pack("{s:I,s:s,s:I,s:I,s:s,s:s,s:o,s:s,s:s,s:o}", "number", (json_int_t)row->number, "id",
                                id, "handed", (json_int_t)row->handed, "failed", (json_int_t)row->failed, "kind",
                                outbox_kind_name(row->kind), "channel", outbox_channel_name(row->channel), "account",
                                account_json(row), "to", content->to, "language", content->language, "fields", fields);
    return message && json_array_append_new(list, message) == 0 ? result_ok() : result_of(NO_MEMORY);
}

static struct result next(struct people *people)
{
    struct act *act = people->act;
    uint64_t limit = OUTBOX_HAND_MAX, lease_s = LEASE_S_DEFAULT, wait_ms = 0;
    TRY(act_number(act, "limit", false, 1, OUTBOX_HAND_MAX, &limit));
    TRY(act_number(act, "lease_s", false, 1, OUTBOX_LEASE_S_MAX, &lease_s));
    json_t *messages = json_array();
    json_object_set_new(act->answer, "messages", messages);
    if (people->change) TRY(outbox_hand(people, limit, (uint32_t)lease_s, give, messages));
    TRY(outbox_wait(people, &wait_ms));
    json_object_set_new(act->answer, "wait_ms",
                        wait_ms == UINT64_MAX ? json_null() : json_integer((json_int_t)wait_ms));
    return result_ok();
}

/* A look first: where nothing is due, nothing is written, and nobody waits for the disk. */
static struct result look(struct act *act)
{
    struct people people = {.act = act, .store = core_store(act->admin->core), .now_ms = admin_now_ms(act->admin)};
    TRY(store_begin(people.store, false, &people.txn));
    struct result result = next(&people);
    store_abort(people.store, people.txn);
    return result;
}

struct result act_outbox_next(struct act *act)
{
    TRY(look(act));
    const json_t *wait = json_object_get(act->answer, "wait_ms");
    return json_is_integer(wait) && json_integer_value(wait) == 0 ? people_change(act, next) : result_ok();
}

/* ---- what became of it ---- */

static struct result number_take(struct act *act, const json_t *value, uint64_t *ret_number)
{
    if (!json_is_integer(value) || json_integer_value(value) < 1) {
        return act_detail(act, BAD_JSON, "a message is named by its number");
    }
    *ret_number = (uint64_t)json_integer_value(value);
    return result_ok();
}

/* number, or numbers: each is served, all of them or none; `pass`: of several, those that are long forgotten do not
 * count. */
static struct result each_number(struct people *people, bool pass,
                                 struct result (*serve)(struct people *people, uint64_t number))
{
    struct act *act = people->act;
    const json_t *one = json_object_get(act->request, "number"), *many = json_object_get(act->request, "numbers");
    uint64_t number = 0;
    if (!one == !many || (many && (!json_is_array(many) || json_array_size(many) > BATCH_MAX))) {
        return act_detail(act, BAD_JSON, "give number, or numbers: an array of at most %d", BATCH_MAX);
    }
    size_t count = many ? json_array_size(many) : 1;
    for (size_t i = 0; i < count; i++) {
        TRY(number_take(act, many ? json_array_get(many, i) : one, &number));
        struct result result = serve(people, number);
        if (result.code == STORE_NOT_FOUND && many && pass) continue;
        if (result.code == STORE_NOT_FOUND || result.code == OUTBOX_STATE || result.code == OUTBOX_EXPIRED) {
            return act_detail(act, result.code, "message %" PRIu64, number);
        }
        TRY(result);
    }
    json_object_set_new(act->answer, "changed", json_integer((json_int_t)count));
    return result_ok();
}

static struct result ack(struct people *people)
{
    return each_number(people, true, outbox_ack);
}

/* The relay says what it delivered, an operator what was settled by hand. */
struct result act_outbox_ack(struct act *act)
{
    bool relay = act->who.role == ROLE_BANK && act->who.grants >> GRANT_RELAY & 1;
    if (!relay) TRY(people_granted(act, GRANT_MESSAGES));
    return people_change(act, ack);
}

static struct result retry(struct people *people)
{
    return each_number(people, false, outbox_retry);
}

struct result act_outbox_retry(struct act *act)
{
    return people_change(act, retry);
}

static struct result failure_take(struct act *act, json_t *json, uint64_t *ret_number,
                                  struct outbox_failure *ret_failure)
{
    json_int_t number = 0, handed = 0, retry_s = 0;
    int for_good = 0;
    const char *reason = "";
    if (json_unpack_ex(json, NULL, JSON_STRICT, "{s:I,s:I,s:s,s?b,s?I}", "number", &number, "handed", &handed, "reason",
                       &reason, "for_good", &for_good, "retry_s", &retry_s) != 0 ||
        number < 1 || handed < 1 || handed > UINT32_MAX || retry_s < 0 || retry_s > OUTBOX_RETRY_S_MAX) {
        return act_detail(act, BAD_JSON, "failures: number, handed, reason, and where wished for_good, retry_s");
    }
    *ret_number = (uint64_t)number;
    *ret_failure = (struct outbox_failure){
        .handed = (uint32_t)handed, .for_good = for_good != 0, .retry_s = (uint32_t)retry_s, .reason = reason};
    return result_ok();
}

static struct result fail(struct people *people)
{
    struct act *act = people->act;
    json_t *failures = json_object_get(act->request, "failures");
    struct outbox_failure failure;
    uint64_t number = 0;
    if (!json_is_array(failures) || json_array_size(failures) > BATCH_MAX) {
        return act_detail(act, BAD_JSON, "failures must be an array of at most %d", BATCH_MAX);
    }
    for (size_t i = 0; i < json_array_size(failures); i++) {
        TRY(failure_take(act, json_array_get(failures, i), &number, &failure));
        struct result result = outbox_fail(people, number, &failure);
        /* One that is long forgotten does not hold up what is said of the others. */
        if (result.code != STORE_NOT_FOUND) TRY(result);
    }
    return result_ok();
}

struct result act_outbox_fail(struct act *act)
{
    return people_change(act, fail);
}

/* ---- looking ---- */

static json_t *row_json(struct people *people, const struct outbox_row *row)
{
    char id[MESSAGE_ID_MAX + 1];
    id_make(people, row, id);
    json_t *json = json_pack("{s:I,s:s,s:s,s:s,s:s,s:o,s:I,s:I,s:I,s:I}", "number", (json_int_t)row->number, "id", id,
                             "state", outbox_state_name(row->state), "kind", outbox_kind_name(row->kind), "channel",
                             outbox_channel_name(row->channel), "account", account_json(row), "created_ms",
                             (json_int_t)row->created_ms, "since_ms", (json_int_t)row->since_ms, "handed",
                             (json_int_t)row->handed, "failed", (json_int_t)row->failed);
    if (!json) return NULL;
    if (row->state == OUTBOX_QUEUED || row->state == OUTBOX_HANDED) {
        json_object_set_new(json, "due_ms", json_integer((json_int_t)row->due_ms));
    }
    if (row->expires_ms) json_object_set_new(json, "expires_ms", json_integer((json_int_t)row->expires_ms));
    if (row->reason[0]) json_object_set_new(json, "reason", json_string(row->reason));
    return json;
}

/* A list is a walk along keys that end in a message's number. */
struct walk {
    enum store_map map;
    struct order_key prefix;
    uint64_t after;
};

static struct result walk_begin(struct people *people, struct walk *walk)
{
    struct act *act = people->act;
    const char *company = NULL, *user = NULL;
    uint8_t name[16];
    unsigned state = 0;
    bool by_user = json_object_get(act->request, "user") != NULL;
    bool by_state = json_object_get(act->request, "state") != NULL;
    TRY(act_number(act, "after", false, 0, INT64_MAX, &walk->after));
    if (by_user && by_state) return act_detail(act, BAD_ARGUMENT, "give a state or a user, not both");
    walk->map = by_user || by_state ? STORE_ORDER : STORE_OUTBOX;
    walk->prefix.size = 0;
    if (by_user) {
        TRY(people_names(people, true, &company, &user, name));
        walk->prefix = outbox_order('U', name, sizeof(name));
    } else if (by_state) {
        TRY(named(act, "state", outbox_state_of, &state));
        walk->prefix = outbox_order('S', &(uint8_t){(uint8_t)state}, 1);
    }
    return result_ok();
}

static struct result walk_next(struct people *people, struct walk *walk, uint64_t *ret_number)
{
    struct store_bytes key, value;
    struct order_key from = walk->prefix;
    /* Contents stand behind their messages: one number further there is neither. */
    order_u64(&from, walk->after + 1);
    TRY(store_next(people->store, people->txn, walk->map, order_done(&from), true, &key, &value));
    if (key.size < from.size || memcmp(key.bytes, walk->prefix.bytes, walk->prefix.size) != 0) {
        return result_of(STORE_NOT_FOUND);
    }
    walk->after = *ret_number = load_be64((const uint8_t *)key.bytes + walk->prefix.size);
    return result_ok();
}

static struct result counts_show(struct people *people)
{
    struct outbox_counts counts;
    TRY(outbox_counts(people, &counts));
    json_object_set_new(people->act->answer, "counts",
                        json_pack("{s:I,s:I,s:I,s:I}", "last", (json_int_t)counts.last, "open", (json_int_t)counts.open,
                                  "dead", (json_int_t)counts.dead, "delivered", (json_int_t)counts.delivered));
    return result_ok();
}

static struct result list(struct people *people)
{
    struct act *act = people->act;
    struct walk walk = {.after = 0};
    struct outbox_row row;
    uint64_t limit = 100, number = 0, last = 0;
    TRY(act_number(act, "limit", false, 1, LIST_LIMIT_MAX, &limit));
    TRY(walk_begin(people, &walk));
    json_t *messages = json_array();
    json_object_set_new(act->answer, "messages", messages);
    json_object_set_new(act->answer, "next", json_null());
    TRY(counts_show(people));
    for (;;) {
        struct result got = walk_next(people, &walk, &number);
        if (got.code == STORE_NOT_FOUND) return result_ok();
        TRY(got);
        if (json_array_size(messages) == limit) {
            json_object_set_new(act->answer, "next", json_integer((json_int_t)last));
            return result_ok();
        }
        TRY(outbox_get(people, number, &row));
        json_t *json = row_json(people, &row);
        if (!json || json_array_append_new(messages, json) != 0) return result_of(NO_MEMORY);
        last = number;
    }
}

struct result act_outbox_list(struct act *act)
{
    return people_read(act, list);
}

static struct result show(struct people *people)
{
    struct act *act = people->act;
    struct outbox_row row;
    uint64_t number = 0;
    TRY(number_take(act, json_object_get(act->request, "number"), &number));
    struct result got = outbox_get(people, number, &row);
    if (got.code == STORE_NOT_FOUND) return act_detail(act, STORE_NOT_FOUND, "message %" PRIu64, number);
    TRY(got);
    json_t *json = row_json(people, &row);
    if (!json) return result_of(NO_MEMORY);
    json_object_set_new(act->answer, "message", json);
    return result_ok();
}

struct result act_outbox_show(struct act *act)
{
    return people_read(act, show);
}
