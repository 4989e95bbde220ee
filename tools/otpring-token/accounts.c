/* Accounts to JSON and back. The file is sealed, so what stands in it is ours; it is checked all the same, since a
 * later version may have written it. */
#include <stdlib.h>
#include <string.h>

#include "base/base64url.h"
#include "os/arena.h"
#include "token.h"

static const char *const states[] = {"new", "presented", "proven", "binding", "bound", "active", "unbound"};
static const char *const algorithms[] = {"sha1", "sha256", "sha512"};
static const char *const types[] = {[OTP_HOTP] = "hotp", [OTP_TOTP] = "totp", [OTP_OCRA] = "ocra"};

const char *account_type_name(const struct account *account)
{
    return types[account->parameters.type];
}

const char *account_state_name(enum account_state state)
{
    return states[state];
}

static void bytes_set(json_t *object, const char *key, const void *bytes, size_t size)
{
    char text[BASE64URL_SIZE(OTP_SEED_SIZE_MAX)];
    base64url_encode(bytes, size, text);
    json_object_set_new(object, key, json_string(text));
    secret_wipe(text, sizeof(text));
}

bool document_bytes(const json_t *object, const char *key, uint8_t *ret_bytes, size_t size)
{
    const char *text = json_string_value(json_object_get(object, key));
    size_t got;
    return text && base64url_decode(text, ret_bytes, size, &got) && got == size;
}

static json_t *account_json(const struct account *account)
{
    const struct otp_parameters *parameters = &account->parameters;
    json_t *json = json_pack(
        "{s:i,s:s,s:s,s:s,s:s,s:s,s:s,s:b,s:I,s:s,s:s,s:s,s:i,s:i,s:I}", "number", (int)account->number, "state",
        states[account->state], "algorithm", device_algorithm_name(account->algorithm), "name", account->name,
        "platform", account->platform, "push", account->push, "activation", account->activation, "needs_code",
        (int)account->needs_code, "device", (json_int_t)account->device, "company", account->company, "user",
        account->user, "hash", algorithms[parameters->algorithm], "digits", (int)parameters->digits, "period",
        (int)parameters->period_s, "t0", (json_int_t)parameters->t0_s);
    bytes_set(json, "sign_private", account->sign_private, sizeof(account->sign_private));
    bytes_set(json, "seal_private", account->seal_private, sizeof(account->seal_private));
    bytes_set(json, "handle", account->handle, sizeof(account->handle));
    bytes_set(json, "nonce", account->nonce, sizeof(account->nonce));
    bytes_set(json, "bank_key", account->bank_key, sizeof(account->bank_key));
    bytes_set(json, "seed", account->seed, account->seed_size);
    json_object_set_new(json, "type", json_string(types[parameters->type]));
    json_object_set_new(json, "suite", json_string(account->suite));
    json_object_set_new(json, "moving", json_integer((json_int_t)account->moving));
    json_object_set_new(json, "answers", json_integer((json_int_t)account->answers));
    return json;
}

json_t *accounts_json(const struct accounts *accounts)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < accounts->count; i++) json_array_append_new(list, account_json(&accounts->items[i]));
    return json_pack("{s:i,s:o}", "last_number", (int)accounts->last_number, "accounts", list);
}

static bool text_read(const json_t *object, const char *key, char *ret_text, size_t size_max)
{
    const char *text = json_string_value(json_object_get(object, key));
    if (!text || strlen(text) > size_max) return false;
    strcpy(ret_text, text);
    return true;
}

static bool word_read(const json_t *object, const char *key, const char *const *words, unsigned count, unsigned *ret)
{
    const char *text = json_string_value(json_object_get(object, key));
    for (unsigned i = 0; text && i < count; i++) {
        if (strcmp(text, words[i]) != 0) continue;
        *ret = i;
        return true;
    }
    return false;
}

static bool seed_read(const json_t *json, struct account *account)
{
    const char *text = json_string_value(json_object_get(json, "seed"));
    return text && base64url_decode(text, account->seed, sizeof(account->seed), &account->seed_size);
}

/* What the first files of this version did not have, all of whose accounts were enrolled. */
static bool added_read(const json_t *json, struct account *account)
{
    unsigned type = OTP_TOTP;
    if (!json_object_get(json, "type")) return true;
    if (!word_read(json, "type", types, 3, &type)) return false;
    account->parameters.type = (enum otp_type)type;
    account->moving = (uint64_t)json_integer_value(json_object_get(json, "moving"));
    account->answers = (uint64_t)json_integer_value(json_object_get(json, "answers"));
    return text_read(json, "suite", account->suite, OCRA_SUITE_SIZE_MAX);
}

static bool account_read(const json_t *json, struct account *ret_account)
{
    struct account *account = ret_account;
    unsigned state, hash;
    const char *algorithm = json_string_value(json_object_get(json, "algorithm"));
    if (!algorithm || !device_algorithm_parse(algorithm, &account->algorithm)) return false;
    if (!word_read(json, "state", states, ACCOUNT_UNBOUND + 1, &state) ||
        !word_read(json, "hash", algorithms, 3, &hash))
        return false;
    account->state = (enum account_state)state;
    account->number = (unsigned)json_integer_value(json_object_get(json, "number"));
    account->needs_code = json_is_true(json_object_get(json, "needs_code"));
    account->device = (uint64_t)json_integer_value(json_object_get(json, "device"));
    account->parameters =
        (struct otp_parameters){.type = OTP_TOTP,
                                .algorithm = (enum kernel_algorithm)hash,
                                .digits = (uint8_t)json_integer_value(json_object_get(json, "digits")),
                                .period_s = (uint32_t)json_integer_value(json_object_get(json, "period")),
                                .t0_s = (int64_t)json_integer_value(json_object_get(json, "t0"))};
    return text_read(json, "name", account->name, NAME_MAX_SIZE) &&
           text_read(json, "platform", account->platform, PLATFORM_MAX_SIZE) &&
           text_read(json, "push", account->push, PUSH_MAX_SIZE) &&
           text_read(json, "activation", account->activation, ACTIVATION_SIZE) &&
           text_read(json, "company", account->company, OTP_NAME_SIZE_MAX) &&
           text_read(json, "user", account->user, OTP_NAME_SIZE_MAX) &&
           document_bytes(json, "sign_private", account->sign_private, sizeof(account->sign_private)) &&
           document_bytes(json, "seal_private", account->seal_private, sizeof(account->seal_private)) &&
           document_bytes(json, "handle", account->handle, sizeof(account->handle)) &&
           document_bytes(json, "nonce", account->nonce, sizeof(account->nonce)) &&
           document_bytes(json, "bank_key", account->bank_key, sizeof(account->bank_key)) && seed_read(json, account) &&
           added_read(json, account);
}

bool accounts_read(const json_t *json, struct accounts *ret_accounts)
{
    const json_t *list = json_object_get(json, "accounts");
    memset(ret_accounts, 0, sizeof(*ret_accounts));
    if (!json_is_array(list) || json_array_size(list) > ACCOUNTS_MAX) return false;
    ret_accounts->last_number = (unsigned)json_integer_value(json_object_get(json, "last_number"));
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!account_read(json_array_get(list, i), &ret_accounts->items[i])) return false;
        ret_accounts->count++;
    }
    return true;
}

struct account *account_find(struct accounts *accounts, const char *number_text)
{
    char *end;
    unsigned long number = strtoul(number_text, &end, 10);
    for (unsigned i = 0; *number_text && !*end && i < accounts->count; i++) {
        if (accounts->items[i].number == number) return &accounts->items[i];
    }
    return NULL;
}
