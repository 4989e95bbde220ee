/* Looking at enrolments and devices: one user's, or a company's page by page. */
#include "admin/enrol.h"

#include <stdio.h>
#include <string.h>

static void time_put(json_t *json, const char *key, int64_t ms)
{
    if (ms != 0) json_object_set_new(json, key, json_integer(ms / 1000));
}

/* ---- enrolments ---- */

static void enrolment_put(json_t *json, const struct enrolment_row *row)
{
    static const char *const overlaps[] = {"", "at-once", "first-use", "days"};
    json_object_set_new(json, "state", json_string(rule_state_name(MACHINE_ENROLMENT, row->state)));
    json_object_set_new(json, "enrolment", json_integer((json_int_t)row->number));
    json_object_set_new(json, "overlap", json_string(overlaps[row->overlap]));
    json_object_set_new(json, "needs_code", json_boolean(row->needs_code));
    if (row->state == ENROLMENT_INVITED) json_object_set_new(json, "tries", json_integer(row->tries));
    if (row->device_number != 0) {
        json_object_set_new(json, "device", json_integer((json_int_t)row->device_number));
    }
    time_put(json, "invited", row->invited_ms);
    time_put(json, "changed", row->changed_ms);
    time_put(json, row->state < ENROLMENT_ACTIVE ? "expires" : "due", row->due_ms);
    time_put(json, "active", row->active_ms);
    time_put(json, "rollback_until", row->rollback_until_ms);
}

static struct result status(struct people *people)
{
    struct enrolling enrolling;
    const char *company, *user;
    uint8_t name[16];
    TRY(people_names(people, true, &company, &user, name));
    TRY(enrolling_open(people, company, user, name, &enrolling));
    if (enrolling.row.state == ENROLMENT_NONE) {
        return act_detail(people->act, STORE_NOT_FOUND, "the user was never invited");
    }
    enrolment_put(people->act->answer, &enrolling.row);
    return result_ok();
}

struct result act_enrol_status(struct act *act)
{
    return people_read(act, status);
}

/* Accounts are told by their names: the second half of one, in hex, is where a page goes on. */
static bool after_parse(const char *text, uint8_t ret_half[8])
{
    static const char digits[] = "0123456789abcdef";
    if (strlen(text) != 16) return false;
    for (int i = 0; i < 16; i++) {
        const char *digit = strchr(digits, text[i]);
        if (!digit) return false;
        ret_half[i / 2] = (uint8_t)(ret_half[i / 2] << 4 | (digit - digits));
    }
    return true;
}

static json_t *next_json(const uint8_t half[8])
{
    char text[17];
    for (int i = 0; i < 8; i++) sprintf(text + 2 * (size_t)i, "%02x", half[i]);
    return json_string(text);
}

static struct result enrolment_add(struct people *people, const uint8_t name[16], struct store_bytes value,
                                   unsigned state, json_t *list)
{
    struct enrolment_row row;
    struct user_row user;
    TRY(enrol_row_decode(value, &row));
    if (state && row.state != state) return result_ok();
    TRY(people_user_get(people, name, &user));
    json_t *item = json_pack("{s:s}", "user", user.user);
    enrolment_put(item, &row);
    return json_array_append_new(list, item) == 0 ? result_ok() : result_of(NO_MEMORY);
}

/* Rows stand by account, a company's together, so a page costs what it shows and what its filter passes over. */
static struct result enrolments(struct people *people)
{
    struct act *act = people->act;
    struct company_row company;
    struct store_bytes found, value;
    const char *text, *user, *after = NULL;
    uint64_t limit = 100;
    unsigned state = 0;
    uint8_t name[16];
    TRY(people_names(people, false, &text, &user, name));
    TRY(people_company_open(people, text, name, &company));
    TRY(people_state_filter(people, MACHINE_ENROLMENT, &state));
    TRY(act_number(act, "limit", false, 1, LIST_LIMIT_MAX, &limit));
    TRY(act_text(act, "after", false, &after));
    if (after && !after_parse(after, name + 8)) return act_detail(act, BAD_JSON, "after is not from this list");
    json_t *list = json_array();
    json_object_set_new(act->answer, "enrolments", list);
    json_object_set_new(act->answer, "next", json_null());
    for (size_t walked = 0;; walked++) {
        struct result got = store_next(people->store, people->txn, STORE_INVITATIONS,
                                       (struct store_bytes){name, sizeof(name)}, false, &found, &value);
        if (got.code == STORE_NOT_FOUND) return result_ok();
        TRY(got);
        if (found.size != sizeof(name) || memcmp(found.bytes, name, 8) != 0) return result_ok();
        if (json_array_size(list) == limit || walked == WALK_MAX) {
            json_object_set_new(act->answer, "next", next_json(name + 8));
            return result_ok();
        }
        memcpy(name, found.bytes, sizeof(name));
        TRY(enrolment_add(people, name, value, state, list));
    }
}

struct result act_enrol_list(struct act *act)
{
    return people_read(act, enrolments);
}

/* ---- devices ---- */

static struct result device_json(struct people *people, const struct device_row *row, json_t **ret_json)
{
    struct enrol_about about;
    TRY(enrol_about_open(people, row->name, &row->device, &about));
    json_t *json = json_object();
    json_object_set_new(json, "device", json_integer((json_int_t)row->number));
    json_object_set_new(json, "state", json_string(row->state == ENROL_DEVICE_BOUND ? "bound" : "unbound"));
    json_object_set_new(json, "name", json_string(about.name));
    json_object_set_new(json, "platform", json_string(row->device.platform));
    json_object_set_new(json, "algorithm",
                        json_string(device_algorithm_name((enum device_algorithm)row->device.sign_key.algorithm)));
    time_put(json, "bound", row->bound_ms);
    time_put(json, "unbound", row->unbound_ms);
    *ret_json = json;
    return result_ok();
}

struct listing {
    json_t *devices;
    uint8_t state; /* enum enrol_device_state; 0: any */
    size_t limit;
    struct order_key key; /* the last one shown, or where to begin */
    size_t prefix;
    bool more;
};

static struct result device_state_get(struct act *act, uint8_t *ret_state)
{
    const char *text = NULL;
    TRY(act_text(act, "state", false, &text));
    if (!text) return result_ok();
    *ret_state = strcmp(text, "bound") == 0     ? ENROL_DEVICE_BOUND
                 : strcmp(text, "unbound") == 0 ? ENROL_DEVICE_UNBOUND
                                                : 0;
    return *ret_state ? result_ok() : act_detail(act, BAD_ARGUMENT, "a device is bound or unbound");
}

static struct result listing_begin(struct people *people, struct listing *listing)
{
    const char *company, *user = NULL;
    uint8_t name[16];
    uint64_t after = 0, limit = 100;
    struct company_row row;
    TRY(act_text(people->act, "user", false, &user));
    TRY(people_names(people, user != NULL, &company, &user, name));
    TRY(people_company_open(people, company, name, &row));
    TRY(act_number(people->act, "limit", false, 1, LIST_LIMIT_MAX, &limit));
    TRY(act_number(people->act, "after", false, 0, INT64_MAX, &after));
    TRY(device_state_get(people->act, &listing->state));
    listing->limit = (size_t)limit;
    listing->key = order_begin(ORDER_DEVICE);
    order_bytes(&listing->key, name, user ? 16 : 8);
    listing->prefix = listing->key.size;
    if (after == 0) return result_ok();
    struct device_row device;
    TRY(enrol_device_get(people, after, &device));
    listing->key.size = 1;
    order_bytes(&listing->key, device.name, 16);
    order_u64(&listing->key, after);
    return result_ok();
}

static struct result list(struct people *people)
{
    struct listing listing = {0};
    struct store_bytes found, value;
    struct device_row device;
    uint64_t last = 0;
    TRY(listing_begin(people, &listing));
    uint8_t prefix[STORE_KEY_SIZE_MAX];
    memcpy(prefix, listing.key.bytes, listing.prefix);
    listing.devices = json_array();
    json_object_set_new(people->act->answer, "devices", listing.devices);
    for (;;) {
        struct result got = store_next(people->store, people->txn, STORE_ORDER, order_done(&listing.key),
                                       listing.key.size == listing.prefix, &found, &value);
        if (got.code == STORE_NOT_FOUND) break;
        TRY(got);
        if (found.size != 1 + 16 + 8 || memcmp(found.bytes, prefix, listing.prefix) != 0) break;
        if (json_array_size(listing.devices) == listing.limit) {
            listing.more = true;
            break;
        }
        memcpy(listing.key.bytes, found.bytes, found.size);
        listing.key.size = found.size;
        last = load_be64(listing.key.bytes + 17);
        TRY(enrol_device_get(people, last, &device));
        if (listing.state && device.state != listing.state) continue;
        json_t *json;
        TRY(device_json(people, &device, &json));
        json_array_append_new(listing.devices, json);
    }
    json_object_set_new(people->act->answer, "next", listing.more ? json_integer((json_int_t)last) : json_null());
    return result_ok();
}

struct result act_device_list(struct act *act)
{
    return people_read(act, list);
}
