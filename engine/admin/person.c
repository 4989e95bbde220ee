/* A person's data: sealed under a key of their own, which is sealed under the store's. Erasing the person erases that
 * key; rows and journal stay, and say nothing any more.
 *
 * Sealed: name and phone number, each a 2-byte size and its text. */
#include "admin/people.h"

#include <string.h>

#include "os/arena.h"

enum { DATA_VERSION = 1 };

static struct result key_get(struct people *people, const uint8_t name[16], uint8_t ret_key[VAULT_PERSON_KEY_SIZE])
{
    struct store_bytes value;
    TRY(store_get(people->store, people->txn, STORE_PERSON_KEYS, (struct store_bytes){name, 16}, &value));
    if (value.size != VAULT_PERSON_KEY_SIZE) return result_of(STORE_DAMAGED);
    memcpy(ret_key, value.bytes, VAULT_PERSON_KEY_SIZE);
    return result_ok();
}

struct result person_key_ensure(struct people *people, const uint8_t name[16])
{
    uint8_t key[VAULT_PERSON_KEY_SIZE];
    struct result got = key_get(people, name, key);
    if (got.code != STORE_NOT_FOUND) return got;
    TRY(vault_person_create(core_vault(people->act->admin->core), name, key));
    return core_change_person_key(people->change, name, key);
}

struct result person_seal_bytes(struct people *people, const uint8_t name[16], const void *bytes, size_t size,
                                uint8_t *ret_sealed)
{
    uint8_t key[VAULT_PERSON_KEY_SIZE];
    TRY(key_get(people, name, key));
    return vault_person_seal(core_vault(people->act->admin->core), name, key, bytes, size, ret_sealed);
}

struct result person_open_bytes(struct people *people, const uint8_t name[16], const uint8_t *sealed, size_t size,
                                void *ret_bytes)
{
    uint8_t key[VAULT_PERSON_KEY_SIZE];
    TRY(key_get(people, name, key));
    return vault_person_unseal(core_vault(people->act->admin->core), name, key, sealed, size, ret_bytes);
}

struct result person_seal(struct people *people, const uint8_t name[16], const struct person *person,
                          struct user_row *row)
{
    uint8_t bytes[PEOPLE_PERSON_MAX];
    struct row_writer writer = row_writer_over(bytes, sizeof(bytes), DATA_VERSION);
    TRY(person_key_ensure(people, name));
    row_text(&writer, person->name);
    row_text(&writer, person->phone);
    struct store_bytes data = row_done(&writer);
    struct result result = person_seal_bytes(people, name, data.bytes, data.size, row->sealed);
    secret_wipe(bytes, sizeof(bytes));
    TRY(result);
    row->sealed_size = (uint16_t)(data.size + VAULT_SEAL_EXTRA);
    row->phone_known = person->phone[0] != 0;
    return result_ok();
}

struct result person_open(struct people *people, const uint8_t name[16], const struct user_row *row,
                          struct person *ret_person)
{
    uint8_t bytes[PEOPLE_PERSON_MAX];
    *ret_person = (struct person){{0}, {0}};
    if (row->sealed_size == 0) return result_ok();
    if (row->sealed_size < VAULT_SEAL_EXTRA) return result_of(STORE_DAMAGED);
    struct result got = person_open_bytes(people, name, row->sealed, row->sealed_size, bytes);
    if (got.code == STORE_NOT_FOUND) return result_ok();
    TRY(got);
    struct cursor cursor =
        row_cursor((struct store_bytes){bytes, (size_t)row->sealed_size - VAULT_SEAL_EXTRA}, DATA_VERSION);
    row_take_text(&cursor, ret_person->name, PEOPLE_PERSON_NAME_MAX);
    row_take_text(&cursor, ret_person->phone, PEOPLE_PHONE_MAX);
    secret_wipe(bytes, sizeof(bytes));
    return row_judge(&cursor, true);
}

struct result person_phone_parse(const char *text, char ret_phone[PEOPLE_PHONE_MAX + 1])
{
    enum { DIGITS_MIN = 7, DIGITS_MAX = 15 };
    char phone[PEOPLE_PHONE_MAX + 1] = "+";
    size_t digits = 0;
    if (text[0] != '+') return result_of(BAD_NAME);
    for (const char *at = text + 1; *at; at++) {
        if (*at == ' ' || *at == '-') continue;
        if (*at < '0' || *at > '9' || digits == DIGITS_MAX || (digits == 0 && *at == '0')) return result_of(BAD_NAME);
        phone[1 + digits++] = *at;
    }
    if (digits < DIGITS_MIN) return result_of(BAD_NAME);
    memcpy(ret_phone, phone, sizeof(phone));
    return result_ok();
}
