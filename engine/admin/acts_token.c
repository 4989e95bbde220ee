/* Acts on tokens: JSON to core and back. */
#include "admin/people.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "os/arena.h"
#include "otp/ocra.h"

/* ---- profiles ---- */

/* Defaults otherwise, but a look-ahead of its own. */
static bool look_ahead_fits(const struct profile_row *row, const struct profile_row *wished)
{
    return row->type == wished->type && row->algorithm == wished->algorithm && row->digits == wished->digits &&
           row->look_ahead == wished->look_ahead && row->look_behind == wished->look_behind &&
           row->resync_window == wished->resync_window && row->throttle_free == wished->throttle_free &&
           row->throttle_base_s == wished->throttle_base_s && row->throttle_max_s == wished->throttle_max_s;
}

struct result admin_profile_for(struct act *act, const struct otp_parameters *parameters, int look_ahead,
                                uint16_t *ret_profile)
{
    struct core *core = act->admin->core;
    struct core_worker *worker = act->admin->options.worker;
    struct profile_row base, row;
    uint16_t id;
    TRY(core_profile_for(worker, &act->actor, parameters, &id));
    if (!core_profile_get(core, id, &base)) return result_of(STORE_DAMAGED);
    if (look_ahead < 0 || base.look_ahead == look_ahead) {
        *ret_profile = id;
        return result_ok();
    }
    if (parameters->type != OTP_HOTP) return act_detail(act, BAD_ARGUMENT, "look_ahead is for HOTP");
    base.look_ahead = (uint8_t)look_ahead;
    for (uint16_t other = 0; other < UINT16_MAX; other++) {
        if (core_profile_get(core, other, &row) && look_ahead_fits(&row, &base)) {
            *ret_profile = other;
            return result_ok();
        }
    }
    size_t used = strnlen(base.name, SCHEMA_LABEL_MAX - 8);
    snprintf(base.name + used, sizeof(base.name) - used, "-ahead%d", look_ahead);
    base.id = UINT16_MAX;
    return core_profile_set(worker, &act->actor, &base, ret_profile);
}

static const char *const parameter_keys[] = {"type", "algorithm", "digits", "period", "t0", "look_ahead"};

/* The suite says all that the others would. */
static struct result suite_profile(struct act *act, const char *suite, uint16_t *ret_profile)
{
    const char *type = "ocra";
    TRY(act_text(act, "type", false, &type));
    if (strcmp(type, "ocra") != 0) return act_detail(act, BAD_ARGUMENT, "suite is for type ocra");
    for (size_t i = 1; i < sizeof(parameter_keys) / sizeof(parameter_keys[0]); i++) {
        if (json_object_get(act->request, parameter_keys[i]))
            return act_detail(act, BAD_ARGUMENT, "the suite says all; leave %s out", parameter_keys[i]);
    }
    return core_profile_for_suite(act->admin->options.worker, &act->actor, suite, ret_profile);
}

static struct result parameters_get(struct act *act, struct otp_parameters *ret_parameters, int *ret_look_ahead)
{
    const char *type = "totp", *algorithm = "sha1";
    uint64_t digits = 6, period = 30, t0 = 0, look_ahead = UINT64_MAX;
    TRY(act_text(act, "type", false, &type));
    TRY(act_text(act, "algorithm", false, &algorithm));
    TRY(act_number(act, "digits", false, 6, 8, &digits));
    TRY(act_number(act, "period", false, 1, OTP_PERIOD_S_MAX, &period));
    TRY(act_number(act, "t0", false, 0, INT64_MAX / 2, &t0));
    TRY(act_number(act, "look_ahead", false, 0, 255, &look_ahead));
    if (strcmp(type, "ocra") == 0) return act_detail(act, BAD_SUITE, "type ocra needs a suite");
    if (!csv_type_parse(type, strlen(type), &ret_parameters->type)) {
        return act_detail(act, BAD_ARGUMENT, "type is totp, hotp or ocra");
    }
    if (!csv_algorithm_parse(algorithm, strlen(algorithm), &ret_parameters->algorithm)) {
        return act_detail(act, BAD_ARGUMENT, "algorithm is sha1, sha256 or sha512");
    }
    bool totp = ret_parameters->type == OTP_TOTP;
    if (!totp && (json_object_get(act->request, "period") || t0 != 0)) {
        return act_detail(act, BAD_ARGUMENT, "period and t0 are for TOTP");
    }
    ret_parameters->digits = (uint8_t)digits;
    ret_parameters->period_s = totp ? (uint32_t)period : 0;
    ret_parameters->t0_s = totp ? (int64_t)t0 : 0;
    *ret_look_ahead = look_ahead == UINT64_MAX ? -1 : (int)look_ahead;
    return result_ok();
}

struct result act_profile_find(struct act *act, uint16_t *ret_profile, struct profile_row *ret_row)
{
    struct otp_parameters parameters = {0};
    const char *suite = NULL;
    uint64_t id = UINT64_MAX;
    int look_ahead = -1;
    TRY(act_number(act, "profile", false, 0, UINT16_MAX - 1, &id));
    TRY(act_text(act, "suite", false, &suite));
    if (suite && id != UINT64_MAX) return act_detail(act, BAD_ARGUMENT, "the profile says the suite; leave it out");
    if (suite) {
        TRY(suite_profile(act, suite, ret_profile));
    } else if (id == UINT64_MAX) {
        TRY(parameters_get(act, &parameters, &look_ahead));
        TRY(admin_profile_for(act, &parameters, look_ahead, ret_profile));
    } else {
        for (size_t i = 0; i < sizeof(parameter_keys) / sizeof(parameter_keys[0]); i++) {
            if (json_object_get(act->request, parameter_keys[i]))
                return act_detail(act, BAD_ARGUMENT, "the profile says the %s; leave it out", parameter_keys[i]);
        }
        *ret_profile = (uint16_t)id;
    }
    return core_profile_get(act->admin->core, *ret_profile, ret_row) ? result_ok()
                                                                     : act_detail(act, STORE_NOT_FOUND, "profile");
}

/* Whether a token of this profile counts: HOTP, and suites that begin with C. */
struct result act_counter_check(struct act *act, uint64_t counter, const struct profile_row *profile)
{
    struct ocra_suite suite;
    bool counts = profile->type == OTP_HOTP;
    if (profile->type == OTP_OCRA)
        counts = !result_failed(ocra_suite_parse(profile->suite, strlen(profile->suite), &suite)) && suite.counter;
    return counter == 0 || counts
               ? result_ok()
               : act_detail(act, BAD_ARGUMENT, "counter is for HOTP, and OCRA suites with a counter");
}

/* ---- adding ---- */

static struct result text_copy(struct act *act, const char *key, const char *text, char *ret, size_t size_max)
{
    size_t size_min = strcmp(key, "label") == 0 ? 0 : 1;
    if (!core_text_valid(text, size_min, size_max)) return act_detail(act, BAD_NAME, "%s", key);
    strcpy(ret, text);
    return result_ok();
}

static size_t seed_size_fresh(const struct profile_row *profile)
{
    return profile->algorithm == KERNEL_SHA1 ? 20 : profile->algorithm == KERNEL_SHA256 ? 32 : 64;
}

static void uri_answer(struct act *act, const struct csv_token *token, const struct profile_row *profile)
{
    char text[2600];
    struct otp_uri uri = {.parameters = {.type = profile->type,
                                         .algorithm = profile->algorithm,
                                         .digits = profile->digits,
                                         .period_s = profile->period_s,
                                         .t0_s = profile->t0_s},
                          .counter = token->counter,
                          .seed_size = token->seed_size};
    memcpy(uri.seed, token->seed, token->seed_size);
    strcpy(uri.issuer, token->company);
    strcpy(uri.account, token->user);
    if (!result_failed(otp_uri_format(&uri, text, sizeof(text)))) {
        json_object_set_new(act->answer, "uri", json_string(text));
    }
    secret_wipe(text, sizeof(text));
    otp_uri_wipe(&uri);
}

/* There is no URI that apps take OCRA tokens by: the seed and its suite are told as they are. */
static void ocra_answer(struct act *act, const struct csv_token *token, const struct profile_row *profile)
{
    char text[2 * OTP_SEED_SIZE_MAX];
    if (!result_failed(otp_base32_encode(token->seed, token->seed_size, text, sizeof(text)))) {
        json_object_set_new(act->answer, "secret", json_string(text));
        json_object_set_new(act->answer, "suite", json_string(profile->suite));
    }
    secret_wipe(text, sizeof(text));
}

static struct result token_add(struct act *act, struct csv_token *token)
{
    const char *company, *user, *label = "", *secret = NULL;
    struct profile_row profile;
    uint16_t profile_id;
    struct admin_batch *batch = &act->admin->batch;
    TRY(act_text(act, "company", true, &company));
    TRY(act_text(act, "user", true, &user));
    TRY(act_text(act, "label", false, &label));
    TRY(act_text(act, "secret", false, &secret));
    TRY(act_number(act, "counter", false, 0, INT64_MAX, &token->counter));
    TRY(text_copy(act, "company", company, token->company, OTP_NAME_SIZE_MAX));
    TRY(text_copy(act, "user", user, token->user, OTP_NAME_SIZE_MAX));
    TRY(text_copy(act, "label", label, token->label, CSV_LABEL_MAX));
    if (secret) {
        if (strlen(secret) > 2 * OTP_SEED_SIZE_MAX) return result_of(BAD_SECRET_SIZE);
        TRY(otp_base32_decode(secret, strlen(secret), token->seed, sizeof(token->seed), &token->seed_size));
    }
    TRY(act_profile_find(act, &profile_id, &profile));
    TRY(act_counter_check(act, token->counter, &profile));
    if (!secret) {
        token->seed_size = seed_size_fresh(&profile);
        os_random(act->admin->options.os, token->seed, token->seed_size);
    }
    batch_put(batch, token, profile_id, 0);
    TRY(batch_add(act));
    TRY(batch->results[0]);
    json_object_set_new(act->answer, "ordinal", json_integer(batch->ordinals[0]));
    if (!secret && profile.type == OTP_OCRA)
        ocra_answer(act, token, &profile);
    else if (!secret)
        uri_answer(act, token, &profile);
    return result_ok();
}

struct result act_token_add(struct act *act)
{
    struct csv_token token = {.look_ahead = -1};
    struct result result = token_add(act, &token);
    secret_wipe(&token, sizeof(token));
    return result;
}

struct adding {
    struct act *act;
    uint64_t added;
    json_t *refused;
    struct result first;
};

static void refused_put(struct adding *adding, uint64_t index, struct result result)
{
    if (!result_failed(adding->first)) adding->first = result;
    json_array_append_new(adding->refused,
                          json_pack("{s:I,s:s}", "index", (json_int_t)index, "code", result_name(result)));
}

static struct result adding_flush(struct adding *adding)
{
    struct admin_batch *batch = &adding->act->admin->batch;
    TRY(batch_add(adding->act));
    for (size_t i = 0; i < batch->count; i++) {
        if (result_failed(batch->results[i])) {
            refused_put(adding, batch->lines[i], batch->results[i]);
        } else {
            adding->added++;
        }
    }
    batch_clear(batch);
    return result_ok();
}

static struct result item_parse(const json_t *user, const json_t *seed, struct csv_token *token)
{
    if (!json_is_string(user) || !json_is_string(seed)) return result_of(BAD_JSON);
    const char *name = json_string_value(user);
    if (strlen(name) != json_string_length(user) || strlen(name) > OTP_NAME_SIZE_MAX) return result_of(BAD_NAME);
    if (json_string_length(seed) > 2 * OTP_SEED_SIZE_MAX) return result_of(BAD_SECRET_SIZE);
    strcpy(token->user, name);
    return otp_base32_decode(json_string_value(seed), json_string_length(seed), token->seed, sizeof(token->seed),
                             &token->seed_size);
}

static struct result add_items(struct adding *adding, const json_t *users, const json_t *seeds, uint16_t profile,
                               struct csv_token *token)
{
    struct admin_batch *batch = &adding->act->admin->batch;
    size_t count = json_array_size(users);
    for (size_t i = 0; i < count; i++) {
        struct result parsed = item_parse(json_array_get(users, i), json_array_get(seeds, i), token);
        if (result_failed(parsed)) {
            refused_put(adding, i, parsed);
            continue;
        }
        batch_put(batch, token, profile, i);
        if (batch->count == ADMIN_BATCH_MAX) TRY(adding_flush(adding));
    }
    return batch->count > 0 ? adding_flush(adding) : result_ok();
}

struct result act_token_add_batch(struct act *act)
{
    const json_t *users = json_object_get(act->request, "users"), *seeds = json_object_get(act->request, "seeds");
    struct csv_token token = {.look_ahead = -1};
    struct profile_row profile;
    const char *company;
    uint16_t profile_id;
    if (!json_is_array(users) || !json_is_array(seeds) || json_array_size(users) != json_array_size(seeds) ||
        json_array_size(users) == 0) {
        return act_detail(act, BAD_JSON, "users and seeds must be lists of the same length");
    }
    TRY(act_text(act, "company", true, &company));
    TRY(text_copy(act, "company", company, token.company, OTP_NAME_SIZE_MAX));
    TRY(act_number(act, "counter", false, 0, INT64_MAX, &token.counter));
    TRY(act_profile_find(act, &profile_id, &profile));
    struct adding adding = {.act = act, .refused = json_array()};
    struct result result = add_items(&adding, users, seeds, profile_id, &token);
    secret_wipe(&token, sizeof(token));
    json_object_set_new(act->answer, "added", json_integer((json_int_t)adding.added));
    if (json_array_size(adding.refused) > 0) json_object_set(act->answer, "refused", adding.refused);
    json_decref(adding.refused);
    return result_failed(result) ? result : adding.first;
}

/* ---- changing ---- */

static struct result ordinals_get(struct act *act, const json_t *list, uint32_t *ret_ordinals, size_t capacity,
                                  size_t *ret_count)
{
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count == 0 || count > capacity) {
        return act_detail(act, BAD_JSON, "ordinals must be a list of 1 to %zu numbers", capacity);
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(list, i);
        json_int_t number = json_is_integer(value) ? json_integer_value(value) : -1;
        if (number < 0 || number > UINT32_MAX) return act_detail(act, BAD_JSON, "ordinals[%zu]", i);
        ret_ordinals[i] = (uint32_t)number;
    }
    *ret_count = count;
    return result_ok();
}

static struct result account_tokens(struct act *act, const char *company, const char *user, uint32_t *ret_ordinals,
                                    size_t *ret_count)
{
    struct store *store = core_store(act->admin->core);
    struct store_txn *txn;
    struct account_row account;
    struct token_row row;
    uint8_t name[16];
    size_t count = 0;
    if (!core_text_valid(company, 1, SCHEMA_NAME_MAX) || !core_text_valid(user, 1, SCHEMA_NAME_MAX)) {
        return result_of(BAD_NAME);
    }
    core_name(company, strlen(company), user, strlen(user), name);
    TRY(store_begin(store, false, &txn));
    struct result result = admin_account_get(act->admin, txn, name, &account);
    for (unsigned i = 0; !result_failed(result) && i < account.token_count; i++) {
        result = admin_token_get(act->admin, txn, account.tokens[i], &row);
        if (!result_failed(result) && row.state != TOKEN_REMOVED) ret_ordinals[count++] = row.ordinal;
    }
    store_abort(store, txn);
    *ret_count = count;
    if (result.code == STORE_NOT_FOUND || (!result_failed(result) && count == 0))
        return act_detail(act, STORE_NOT_FOUND, "this user has no token");
    return result;
}

struct result act_tokens(struct act *act, uint32_t *ret_ordinals, size_t capacity, size_t *ret_count)
{
    const json_t *list = json_object_get(act->request, "ordinals");
    const char *company = NULL, *user = NULL;
    uint64_t ordinal = UINT64_MAX;
    TRY(act_number(act, "ordinal", false, 0, UINT32_MAX, &ordinal));
    TRY(act_text(act, "company", false, &company));
    TRY(act_text(act, "user", false, &user));
    bool one = ordinal != UINT64_MAX, account = company || user;
    if (list ? one || account : !one && !account) {
        return act_detail(act, BAD_JSON, "name the token by ordinal, by company and user, or by all three");
    }
    if (list) return ordinals_get(act, list, ret_ordinals, capacity, ret_count);
    if (account && (!company || !user)) return act_detail(act, BAD_JSON, "company and user go together");
    if (account) TRY(account_tokens(act, company, user, ret_ordinals, ret_count));
    if (!one) return result_ok();
    bool theirs = !account;
    for (size_t i = 0; account && i < *ret_count; i++) theirs = theirs || ret_ordinals[i] == ordinal;
    if (!theirs) {
        return act_detail(act, STORE_NOT_FOUND, "the user has no live token %llu", (unsigned long long)ordinal);
    }
    ret_ordinals[0] = (uint32_t)ordinal;
    *ret_count = 1;
    return result_ok();
}

/* For acts on one token: an account that has several says which. */
static struct result one_token(struct act *act, uint32_t ret_ordinals[SCHEMA_ACCOUNT_TOKENS_MAX], size_t *ret_count)
{
    TRY(act_tokens(act, ret_ordinals, SCHEMA_ACCOUNT_TOKENS_MAX, ret_count));
    if (*ret_count == 1) return result_ok();
    return act_detail(act, BAD_ARGUMENT, "the user has %zu tokens: name one by its number", *ret_count);
}

static struct result tokens_change(struct act *act, enum core_act change)
{
    uint32_t *ordinals = act->admin->batch.ordinals;
    size_t count = 0;
    TRY(act_tokens(act, ordinals, ADMIN_BATCH_MAX, &count));
    TRY(people_plain_only(act, ordinals, count));
    TRY(core_token_change(act->admin->options.worker, &act->actor, change, ordinals, count));
    json_object_set_new(act->answer, "changed", json_integer((json_int_t)count));
    admin_tidy(act->admin);
    return result_ok();
}

struct result act_token_remove(struct act *act)
{
    return tokens_change(act, ACT_TOKEN_REMOVE);
}

struct result act_token_suspend(struct act *act)
{
    return tokens_change(act, ACT_TOKEN_SUSPEND);
}

struct result act_token_resume(struct act *act)
{
    return tokens_change(act, ACT_TOKEN_RESUME);
}

struct result act_token_set(struct act *act)
{
    const char *label;
    uint32_t ordinals[SCHEMA_ACCOUNT_TOKENS_MAX];
    size_t count = 0;
    TRY(act_text(act, "label", true, &label));
    if (!core_text_valid(label, 0, SCHEMA_LABEL_MAX)) return act_detail(act, BAD_NAME, "label");
    TRY(one_token(act, ordinals, &count));
    return core_token_set_label(act->admin->options.worker, &act->actor, ordinals[0], label);
}

struct result act_token_unlock(struct act *act)
{
    const char *company, *user;
    TRY(act_text(act, "company", true, &company));
    TRY(act_text(act, "user", true, &user));
    TRY(people_unlock_alone(act, company, user));
    return core_account_unlock(act->admin->options.worker, &act->actor, company, user);
}

struct result act_token_resync(struct act *act)
{
    const char *code_text, *next_text;
    uint32_t code, code_next, ordinals[SCHEMA_ACCOUNT_TOKENS_MAX];
    uint8_t digits, digits_next;
    size_t count = 0;
    enum otpring_verdict verdict = OTPRING_UNAVAILABLE;
    TRY(act_text(act, "code", true, &code_text));
    TRY(act_text(act, "code_next", true, &next_text));
    TRY(otp_code_parse(code_text, strlen(code_text), &code, &digits));
    TRY(otp_code_parse(next_text, strlen(next_text), &code_next, &digits_next));
    if (digits != digits_next) return result_of(BAD_DIGITS);
    TRY(one_token(act, ordinals, &count));
    TRY(core_token_resync(act->admin->options.worker, &act->actor, ordinals[0], code, code_next, digits, &verdict));
    json_object_set_new(act->answer, "verdict", json_string(otpring_verdict_name(verdict)));
    return result_ok();
}

/* ---- a whole company ---- */

/* Collects live tokens from where the last call stopped. ret_over: the company's accounts are at their end. */
static struct result purge_collect(struct admin *admin, struct store_txn *txn, const uint8_t company[8],
                                   uint32_t *ret_ordinals, size_t *ret_count, bool *ret_over)
{
    struct store_bytes key, value;
    struct account_row account;
    struct token_row row;
    for (size_t walked = 0; walked < WALK_MAX && *ret_count + SCHEMA_ACCOUNT_TOKENS_MAX <= ADMIN_BATCH_MAX; walked++) {
        struct result got = store_next(core_store(admin->core), txn, STORE_ACCOUNTS,
                                       (struct store_bytes){admin->purge_after, 16}, !admin->purge_begun, &key, &value);
        if (got.code == STORE_NOT_FOUND || (!result_failed(got) && memcmp(key.bytes, company, 8) != 0)) {
            *ret_over = true;
            return result_ok();
        }
        TRY(got);
        memcpy(admin->purge_after, key.bytes, 16);
        admin->purge_begun = true;
        TRY(schema_account_decode(value, &account));
        for (unsigned i = 0; i < account.token_count; i++) {
            TRY(admin_token_get(admin, txn, account.tokens[i], &row));
            if (row.state != TOKEN_REMOVED) ret_ordinals[(*ret_count)++] = row.ordinal;
        }
    }
    return result_ok();
}

static void purge_reset(struct admin *admin, const char *company, const uint8_t name[16])
{
    strcpy(admin->purge_company, company);
    memset(admin->purge_after, 0, sizeof(admin->purge_after));
    memcpy(admin->purge_after, name, 8);
    admin->purge_begun = false;
    admin->purge_found = false;
}

/* Bounded steps: `more` until one walk from the first account to the last found nothing live. */
struct result act_company_purge(struct act *act)
{
    struct admin *admin = act->admin;
    struct store *store = core_store(admin->core);
    struct store_txn *txn;
    const char *company;
    uint8_t name[16];
    size_t count = 0;
    bool over = false;
    TRY(act_text(act, "company", true, &company));
    if (!core_text_valid(company, 1, SCHEMA_NAME_MAX)) return result_of(BAD_NAME);
    core_name(company, strlen(company), "", 0, name);
    if (strcmp(admin->purge_company, company) != 0) purge_reset(admin, company, name);
    TRY(store_begin(store, false, &txn));
    struct result result = purge_collect(admin, txn, name, admin->batch.ordinals, &count, &over);
    store_abort(store, txn);
    if (!result_failed(result) && count > 0) result = people_plain_only(act, admin->batch.ordinals, count);
    if (!result_failed(result) && count > 0) {
        result = core_token_change(admin->options.worker, &act->actor, ACT_TOKEN_REMOVE, admin->batch.ordinals, count);
    }
    if (result_failed(result)) {
        admin->purge_company[0] = 0;
        return result;
    }
    admin->purge_found |= count > 0;
    bool more = !over || admin->purge_found;
    if (over) purge_reset(admin, more ? company : "", name);
    json_object_set_new(act->answer, "removed", json_integer((json_int_t)count));
    json_object_set_new(act->answer, "more", json_boolean(more));
    admin_tidy(admin);
    return result_ok();
}
