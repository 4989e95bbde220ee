/* outbox.remind: tells a company's administrators of tokens that have been in custody for long and are assigned to
 * nobody. Meant to be asked day by day, by a timer: who was told within a day is not told again. */
#include "admin/outbox.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "os/arena.h"

enum {
    DAY_MS = 86400000,
    DAYS_DEFAULT = 14,
    DAYS_MAX = 3650,
    COUNT_MAX = 10000, /* tokens that are counted; more are "10000" */
    ADMINISTRATORS_MAX = 64,
    SINCE_AT = 10, /* of a key of ORDER_STOCK_BY_COMPANY: kind, company, state, since */
};

struct unassigned {
    const char *company;
    uint64_t count;
    uint64_t oldest_days;
};

/* The next key behind `key` of the list that begins with `prefix`. STORE_NOT_FOUND: the end. */
static struct result order_next(struct people *people, const struct order_key *prefix, struct order_key *key)
{
    struct store_bytes found, value;
    bool first = key->size == prefix->size;
    TRY(store_next(people->store, people->txn, STORE_ORDER, order_done(key), first, &found, &value));
    if (found.size <= prefix->size || memcmp(found.bytes, prefix->bytes, prefix->size) != 0) {
        return result_of(STORE_NOT_FOUND);
    }
    memcpy(key->bytes, found.bytes, found.size);
    key->size = found.size;
    return result_ok();
}

/* In order of age: the first one that is too young ends it. */
static struct result tokens_count(struct people *people, const uint8_t company[8], uint64_t days,
                                  struct unassigned *unassigned)
{
    struct order_key prefix = order_begin(ORDER_STOCK_BY_COMPANY), key;
    order_bytes(&prefix, company, 8);
    order_u8(&prefix, STOCK_CUSTODY);
    key = prefix;
    while (unassigned->count < COUNT_MAX) {
        struct result got = order_next(people, &prefix, &key);
        if (got.code == STORE_NOT_FOUND) break;
        TRY(got);
        int64_t age_ms = people->now_ms - (int64_t)load_be64(key.bytes + SINCE_AT);
        if (age_ms < (int64_t)days * DAY_MS) break;
        if (unassigned->count++ == 0) unassigned->oldest_days = (uint64_t)(age_ms / DAY_MS);
    }
    return result_ok();
}

static struct result told_lately(struct people *people, const uint8_t name[16], bool *ret_told)
{
    struct order_key prefix = outbox_order('U', name, 16), key = prefix;
    struct outbox_row row;
    *ret_told = false;
    while (!*ret_told) {
        struct result got = order_next(people, &prefix, &key);
        if (got.code == STORE_NOT_FOUND) break;
        TRY(got);
        TRY(outbox_get(people, load_be64(key.bytes + prefix.size), &row));
        *ret_told = row.kind == MESSAGE_UNASSIGNED && people->now_ms - row.created_ms < DAY_MS;
    }
    return result_ok();
}

static struct result message_put(struct people *people, const uint8_t name[16], const struct user_row *user,
                                 const struct person *person, const struct unassigned *unassigned)
{
    char count[24], oldest_days[24];
    uint64_t number;
    snprintf(count, sizeof(count), "%" PRIu64, unassigned->count);
    snprintf(oldest_days, sizeof(oldest_days), "%" PRIu64, unassigned->oldest_days);
    const struct outbox_field fields[] = {
        {"company", unassigned->company}, {"count", count}, {"oldest_days", oldest_days}};
    struct outbox_draft draft = {.kind = MESSAGE_UNASSIGNED,
                                 .channel = CHANNEL_SMS,
                                 .to = person->phone,
                                 .language = user->language,
                                 .fields = fields,
                                 .field_count = 3};
    memcpy(draft.name, name, sizeof(draft.name));
    return outbox_put(people, &draft, &number);
}

/* Whom nobody can reach, or who was told lately, is passed over. */
static struct result administrator_tell(struct people *people, const uint8_t name[16],
                                        const struct unassigned *unassigned, json_int_t *queued)
{
    struct user_row user;
    struct person person;
    bool told;
    TRY(people_user_get(people, name, &user));
    if (user.state != USER_ACTIVE || !user.phone_known) return result_ok();
    TRY(told_lately(people, name, &told));
    if (told) return result_ok();
    TRY(person_open(people, name, &user, &person));
    struct result result = person.phone[0] ? message_put(people, name, &user, &person, unassigned) : result_ok();
    *queued += person.phone[0] && !result_failed(result);
    secret_wipe(&person, sizeof(person));
    return result;
}

static struct result administrators_tell(struct people *people, const uint8_t company[8],
                                         const struct unassigned *unassigned, json_int_t *queued)
{
    struct order_key prefix = order_begin(ORDER_ADMINISTRATOR), key;
    order_bytes(&prefix, company, 8);
    key = prefix;
    for (int i = 0; i < ADMINISTRATORS_MAX; i++) {
        struct result got = order_next(people, &prefix, &key);
        if (got.code == STORE_NOT_FOUND) break;
        TRY(got);
        TRY(administrator_tell(people, key.bytes + 1, unassigned, queued));
    }
    return result_ok();
}

static struct result remind(struct people *people)
{
    struct act *act = people->act;
    struct company_row company;
    struct unassigned unassigned = {.count = 0};
    const char *user = NULL;
    uint8_t name[16];
    uint64_t days = DAYS_DEFAULT;
    json_int_t queued = 0;
    TRY(people_names(people, false, &unassigned.company, &user, name));
    TRY(people_company_open(people, unassigned.company, name, &company));
    TRY(act_number(act, "older_days", false, 0, DAYS_MAX, &days));
    TRY(tokens_count(people, name, days, &unassigned));
    if (unassigned.count > 0) TRY(administrators_tell(people, name, &unassigned, &queued));
    json_object_set_new(act->answer, "tokens", json_integer((json_int_t)unassigned.count));
    json_object_set_new(act->answer, "queued", json_integer(queued));
    return result_ok();
}

struct result act_outbox_remind(struct act *act)
{
    return people_change(act, remind);
}
