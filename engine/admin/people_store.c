/* Rows of people in the store, with the secondary keys that go with each. */
#include "admin/people.h"

#include <assert.h>
#include <string.h>

static struct store_bytes bytes_of(const void *bytes, size_t size)
{
    return (struct store_bytes){.bytes = bytes, .size = size};
}

static struct result row_find(struct people *people, enum store_map map, const void *key, size_t size,
                              struct store_bytes *ret_value)
{
    return store_get(people->store, people->txn, map, bytes_of(key, size), ret_value);
}

struct result people_company_get(struct people *people, const uint8_t company[8], struct company_row *ret_row)
{
    struct store_bytes value;
    TRY(row_find(people, STORE_COMPANIES, company, 8, &value));
    return people_company_decode(value, ret_row);
}

struct result people_user_get(struct people *people, const uint8_t name[16], struct user_row *ret_row)
{
    struct store_bytes value;
    TRY(row_find(people, STORE_USERS, name, 16, &value));
    return people_user_decode(value, ret_row);
}

struct result people_stock_get(struct people *people, uint64_t number, struct stock_row *ret_row)
{
    uint8_t key[8];
    struct store_bytes value;
    store_be64(key, number);
    TRY(row_find(people, STORE_STOCK, key, sizeof(key), &value));
    TRY(people_stock_decode(value, ret_row));
    return ret_row->number == number ? result_ok() : result_of(STORE_DAMAGED);
}

struct result people_operator_get(struct people *people, uint32_t id, struct operator_row *ret_row)
{
    uint8_t key[4];
    struct store_bytes value;
    store_be32(key, id);
    TRY(row_find(people, STORE_OPERATORS, key, sizeof(key), &value));
    return people_operator_decode(value, ret_row);
}

struct result people_request_get(struct people *people, uint64_t number, struct request_row *ret_row)
{
    uint8_t key[8];
    struct store_bytes value;
    store_be64(key, number);
    TRY(row_find(people, STORE_REQUESTS, key, sizeof(key), &value));
    return people_request_decode(value, ret_row);
}

/* ---- secondary keys ---- */

struct result people_order_put(struct people *people, const struct order_key *key, struct store_bytes value)
{
    return core_change_put(people->change, STORE_ORDER, order_done(key), value);
}

struct result people_order_erase(struct people *people, const struct order_key *key)
{
    return core_change_erase(people->change, STORE_ORDER, order_done(key));
}

static struct result order_step(struct people *people, struct order_key *key, size_t prefix_size, bool inclusive)
{
    struct store_bytes found, value;
    TRY(store_next(people->store, people->txn, STORE_ORDER, order_done(key), inclusive, &found, &value));
    if (found.size < prefix_size + 8 || memcmp(found.bytes, key->bytes, prefix_size) != 0)
        return result_of(STORE_NOT_FOUND);
    memcpy(key->bytes, found.bytes, found.size);
    key->size = found.size;
    return result_ok();
}

struct result people_order_first(struct people *people, const struct order_key *prefix, struct order_key *ret_key)
{
    *ret_key = *prefix;
    return order_step(people, ret_key, prefix->size, true);
}

struct result people_order_next(struct people *people, size_t prefix_size, struct order_key *key)
{
    return order_step(people, key, prefix_size, false);
}

static void order_text(struct order_key *key, const char *text, size_t size_max)
{
    /* A zero ends a shorter text, so that it comes before its continuations. */
    size_t size = strnlen(text, size_max);
    order_bytes(key, text, size);
    if (size < size_max) order_u8(key, 0);
}

/* An operator is found by the whole name; companies and users have what is left of theirs in the hash behind it. */
enum { COMPANY_PREFIX = 48, USER_PREFIX = 40, OPERATOR_PREFIX = PEOPLE_OPERATOR_NAME_MAX };
static_assert(1 + (int)OPERATOR_PREFIX <= (int)STORE_KEY_SIZE_MAX, "an operator's name is a key");

struct order_key people_company_order(const char *name, const uint8_t company[8])
{
    struct order_key key = order_begin(ORDER_COMPANY_BY_NAME);
    order_text(&key, name, COMPANY_PREFIX);
    order_bytes(&key, company, 8);
    return key;
}

struct order_key people_user_order(const char *user, const uint8_t name[16])
{
    struct order_key key = order_begin(ORDER_USER_BY_NAME);
    order_bytes(&key, name, 8);
    order_text(&key, user, USER_PREFIX);
    order_bytes(&key, name + 8, 8);
    return key;
}

static struct order_key operator_order(const char *name)
{
    struct order_key key = order_begin(ORDER_OPERATOR_BY_NAME);
    order_text(&key, name, OPERATOR_PREFIX);
    return key;
}

struct result people_operator_find(struct people *people, const char *name, struct operator_row *ret_row)
{
    struct store_bytes value;
    struct order_key key = operator_order(name);
    TRY(row_find(people, STORE_ORDER, key.bytes, key.size, &value));
    if (value.size != 4) return result_of(STORE_DAMAGED);
    TRY(people_operator_get(people, load_be32(value.bytes), ret_row));
    return strcmp(ret_row->name, name) == 0 ? result_ok() : result_of(STORE_NOT_FOUND);
}

struct result people_company_put(struct people *people, const uint8_t company[8], const struct company_row *row)
{
    uint8_t value[PEOPLE_ROW_MAX];
    size_t size = people_company_encode(row, value);
    TRY(core_change_put(people->change, STORE_COMPANIES, bytes_of(company, 8), bytes_of(value, size)));
    struct order_key key = people_company_order(row->name, company);
    return people_order_put(people, &key, bytes_of("", 0));
}

struct result people_user_put(struct people *people, const uint8_t name[16], const struct user_row *row)
{
    uint8_t value[PEOPLE_ROW_MAX];
    size_t size = people_user_encode(row, value);
    TRY(core_change_put(people->change, STORE_USERS, bytes_of(name, 16), bytes_of(value, size)));
    struct order_key by_name = people_user_order(row->user, name);
    TRY(people_order_put(people, &by_name, bytes_of("", 0)));
    struct order_key administrator = order_begin(ORDER_ADMINISTRATOR);
    order_bytes(&administrator, name, 16);
    return row->flags & USER_IS_ADMINISTRATOR ? people_order_put(people, &administrator, bytes_of("", 0))
                                              : people_order_erase(people, &administrator);
}

/* ---- the stock ---- */

static struct order_key by_company(const struct stock_row *row)
{
    struct order_key key = order_begin(ORDER_STOCK_BY_COMPANY);
    order_bytes(&key, row->company, sizeof(row->company));
    order_u8(&key, row->state);
    order_u64(&key, (uint64_t)row->since_ms);
    order_u64(&key, row->number);
    return key;
}

static struct order_key by_state(const struct stock_row *row)
{
    struct order_key key = order_begin(ORDER_STOCK_BY_STATE);
    order_u8(&key, row->state);
    order_u64(&key, (uint64_t)row->since_ms);
    order_u64(&key, row->number);
    return key;
}

static struct order_key by_user(const struct stock_row *row)
{
    struct order_key key = order_begin(ORDER_STOCK_BY_USER);
    order_bytes(&key, row->holder, sizeof(row->holder));
    order_u64(&key, row->number);
    return key;
}

static struct order_key by_ordinal(uint32_t ordinal)
{
    struct order_key key = order_begin(ORDER_STOCK_BY_ORDINAL);
    order_u32(&key, ordinal);
    return key;
}

static struct order_key by_seed(const struct stock_row *row)
{
    struct order_key key = order_begin(ORDER_SEED);
    order_bytes(&key, row->fingerprint, sizeof(row->fingerprint));
    return key;
}

static struct order_key by_serial(const char *serial)
{
    struct order_key key = order_begin(ORDER_STOCK_BY_SERIAL);
    order_bytes(&key, serial, strlen(serial));
    return key;
}

bool people_held(const struct stock_row *row)
{
    static const uint8_t nobody[16];
    return memcmp(row->holder, nobody, sizeof(nobody)) != 0;
}

/* Only what the next row does not write again: few records of a bulk act are more than two. */
static struct result keys_leave(struct people *people, const struct stock_row *before, const struct stock_row *row)
{
    struct order_key old = by_company(before), new = by_company(row);
    if (old.size != new.size || memcmp(old.bytes, new.bytes, old.size) != 0) TRY(people_order_erase(people, &old));
    old = by_state(before);
    new = by_state(row);
    if (memcmp(old.bytes, new.bytes, old.size) != 0) TRY(people_order_erase(people, &old));
    old = by_user(before);
    if (people_held(before) && memcmp(before->holder, row->holder, sizeof(row->holder)) != 0) {
        TRY(people_order_erase(people, &old));
    }
    old = by_ordinal(before->ordinal);
    if (before->ordinal != UINT32_MAX && before->ordinal != row->ordinal) TRY(people_order_erase(people, &old));
    return result_ok();
}

static struct result keys_enter(struct people *people, const struct stock_row *before, const struct stock_row *row)
{
    uint8_t number[8];
    store_be64(number, row->number);
    struct order_key key = by_company(row);
    TRY(people_order_put(people, &key, bytes_of("", 0)));
    key = by_state(row);
    TRY(people_order_put(people, &key, bytes_of("", 0)));
    key = by_user(row);
    if (people_held(row) && (!before || memcmp(before->holder, row->holder, sizeof(row->holder)) != 0)) {
        TRY(people_order_put(people, &key, bytes_of("", 0)));
    }
    key = by_ordinal(row->ordinal);
    if (row->ordinal != UINT32_MAX && (!before || before->ordinal != row->ordinal)) {
        TRY(people_order_put(people, &key, bytes_of(number, sizeof(number))));
    }
    if (before) return result_ok();
    key = by_seed(row);
    TRY(people_order_put(people, &key, bytes_of(number, sizeof(number))));
    key = by_serial(row->serial);
    return people_order_put(people, &key, bytes_of(number, sizeof(number)));
}

struct result people_stock_put(struct people *people, const struct stock_row *before, const struct stock_row *row)
{
    uint8_t key[8], value[PEOPLE_ROW_MAX];
    size_t size = people_stock_encode(row, value);
    store_be64(key, row->number);
    if (before) TRY(keys_leave(people, before, row));
    TRY(core_change_put(people->change, STORE_STOCK, bytes_of(key, sizeof(key)), bytes_of(value, size)));
    return keys_enter(people, before, row);
}

static struct result number_find(struct people *people, const struct order_key *key, struct stock_row *ret_row)
{
    struct store_bytes value;
    TRY(row_find(people, STORE_ORDER, key->bytes, key->size, &value));
    if (value.size != 8) return result_of(STORE_DAMAGED);
    return people_stock_get(people, load_be64(value.bytes), ret_row);
}

struct result people_stock_find(struct people *people, const char *serial, struct stock_row *ret_row)
{
    struct order_key key = by_serial(serial);
    return strlen(serial) > PEOPLE_SERIAL_MAX ? result_of(STORE_NOT_FOUND) : number_find(people, &key, ret_row);
}

struct result people_stock_of_ordinal(struct people *people, uint32_t ordinal, struct stock_row *ret_row)
{
    struct order_key key = by_ordinal(ordinal);
    return number_find(people, &key, ret_row);
}

struct result people_stock_of_seed(struct people *people, const uint8_t fingerprint[16], struct stock_row *ret_row)
{
    struct stock_row wanted;
    memcpy(wanted.fingerprint, fingerprint, sizeof(wanted.fingerprint));
    struct order_key key = by_seed(&wanted);
    return number_find(people, &key, ret_row);
}

/* ---- operators and requests ---- */

struct result people_operator_put(struct people *people, const struct operator_row *row)
{
    uint8_t key[4], value[PEOPLE_ROW_MAX];
    size_t size = people_operator_encode(row, value);
    store_be32(key, row->id);
    TRY(core_change_put(people->change, STORE_OPERATORS, bytes_of(key, sizeof(key)), bytes_of(value, size)));
    struct order_key by_name = operator_order(row->name);
    return people_order_put(people, &by_name, bytes_of(key, sizeof(key)));
}

static struct order_key request_order(const struct request_row *row)
{
    struct order_key key = order_begin(ORDER_REQUEST_BY_STATE);
    order_u8(&key, row->state);
    order_u64(&key, row->number);
    return key;
}

struct result people_request_put(struct people *people, const struct request_row *before, const struct request_row *row)
{
    uint8_t key[8], value[PEOPLE_ROW_MAX];
    size_t size = people_request_encode(row, value);
    store_be64(key, row->number);
    if (before) {
        struct order_key old = request_order(before);
        TRY(people_order_erase(people, &old));
    }
    TRY(core_change_put(people->change, STORE_REQUESTS, bytes_of(key, sizeof(key)), bytes_of(value, size)));
    struct order_key by_state_key = request_order(row);
    return people_order_put(people, &by_state_key, bytes_of("", 0));
}

struct result people_number(struct people *people, const char *counter, uint64_t *ret_number)
{
    uint8_t value[8];
    struct store_bytes got;
    uint64_t number = 1;
    struct result result = row_find(people, STORE_COUNTERS, counter, strlen(counter), &got);
    if (!result_failed(result)) {
        if (got.size != 8) return result_of(STORE_DAMAGED);
        number = load_le64(got.bytes) + 1;
    } else if (result.code != STORE_NOT_FOUND) {
        return result;
    }
    store_le64(value, number);
    TRY(core_change_put(people->change, STORE_COUNTERS, bytes_of(counter, strlen(counter)),
                        bytes_of(value, sizeof(value))));
    *ret_number = number;
    return result_ok();
}
