/* What there is: tokens page by page, and one of them in full. Reads the store alone; floors and budgets come from the
 * table. */
#include <stdio.h>
#include <string.h>

#include "admin/acts.h"
#include "base/bytes.h"

struct result admin_account_get(struct admin *admin, struct store_txn *txn, const uint8_t name[16],
                                struct account_row *ret_row)
{
    struct store_bytes value;
    TRY(store_get(core_store(admin->core), txn, STORE_ACCOUNTS, (struct store_bytes){name, 16}, &value));
    return schema_account_decode(value, ret_row);
}

struct result admin_token_get(struct admin *admin, struct store_txn *txn, uint32_t ordinal, struct token_row *ret_row)
{
    struct store_bytes value;
    uint8_t key[4];
    store_be32(key, ordinal);
    TRY(store_get(core_store(admin->core), txn, STORE_TOKENS, (struct store_bytes){key, sizeof(key)}, &value));
    return schema_token_decode(value, ret_row);
}

static const char *const state_names[] = {"", "active", "suspended", "removed", "unsynchronised"};
static const char *const algorithm_names[] = {"sha1", "sha256", "sha512"};

json_t *admin_token_json(struct admin *admin, const struct token_row *row, const struct account_row *account)
{
    struct profile_row profile;
    struct table_hit hit;
    json_t *token = json_pack("{s:I,s:s,s:s,s:s,s:i,s:s,s:I}", "ordinal", (json_int_t)row->ordinal, "company",
                              account->company, "user", account->user, "label", row->label, "profile", row->profile,
                              "state", row->state <= TOKEN_UNSYNCED ? state_names[row->state] : "", "created_ms",
                              (json_int_t)row->created_ms);
    if (!token) return NULL;
    if (core_profile_get(admin->core, row->profile, &profile)) {
        json_object_set_new(token, "type", json_string(admin_type_name(profile.type)));
        json_object_set_new(token, "algorithm", json_string(algorithm_names[profile.algorithm]));
        json_object_set_new(token, "digits", json_integer(profile.digits));
        if (profile.type == OTP_TOTP) json_object_set_new(token, "period", json_integer(profile.period_s));
        if (profile.type == OTP_OCRA) json_object_set_new(token, "suite", json_string(profile.suite));
    }
    if (row->state != TOKEN_REMOVED && table_line(core_table(admin->core), row->ordinal, &hit)) {
        json_object_set_new(token, "floor", json_integer(token_floor(atomic_load(&hit.tail->token))));
        json_object_set_new(token, "drift", json_integer(atomic_load(&hit.tail->drift)));
    }
    return token;
}

/* ---- lists ---- */

struct listing {
    struct act *act;
    struct store_txn *txn;
    const char *company;
    const char *user;
    unsigned state; /* 0: all that live */
    uint64_t limit;
    json_t *tokens;
    char next[40]; /* empty: the end */
};

static struct result listing_put(struct listing *listing, const struct token_row *row,
                                 const struct account_row *account)
{
    bool wanted = listing->state ? row->state == listing->state : row->state != TOKEN_REMOVED;
    if (!wanted) return result_ok();
    json_t *token = admin_token_json(listing->act->admin, row, account);
    return token && json_array_append_new(listing->tokens, token) == 0 ? result_ok() : result_of(NO_MEMORY);
}

static struct result account_put(struct listing *listing, const struct account_row *account)
{
    struct token_row row;
    for (unsigned i = 0; i < account->token_count; i++) {
        TRY(admin_token_get(listing->act->admin, listing->txn, account->tokens[i], &row));
        TRY(listing_put(listing, &row, account));
    }
    return result_ok();
}

static bool name_parse(const char *text, uint8_t ret_name[16])
{
    if (strlen(text) != 34 || text[0] != 'n' || text[1] != ':') return false;
    for (int i = 0; i < 16; i++) {
        unsigned byte;
        if (sscanf(text + 2 + 2 * i, "%2x", &byte) != 1) return false;
        ret_name[i] = (uint8_t)byte;
    }
    return true;
}

/* A company's accounts stand together; "next" names the last account that was given. */
static struct result list_company(struct listing *listing, const char *after)
{
    struct store *store = core_store(listing->act->admin->core);
    struct store_bytes key, value;
    struct account_row account;
    uint8_t company[16], at[16] = {0};
    bool inclusive = !after;
    core_name(listing->company, strlen(listing->company), "", 0, company);
    memcpy(at, company, 8);
    if (after && !name_parse(after, at)) return act_detail(listing->act, BAD_JSON, "after is not from this list");
    for (size_t walked = 0;; walked++) {
        struct result got =
            store_next(store, listing->txn, STORE_ACCOUNTS, (struct store_bytes){at, 16}, inclusive, &key, &value);
        if (got.code == STORE_NOT_FOUND || (!result_failed(got) && memcmp(key.bytes, company, 8) != 0)) {
            return result_ok();
        }
        TRY(got);
        if (json_array_size(listing->tokens) >= listing->limit || walked == WALK_MAX) break;
        memcpy(at, key.bytes, 16);
        inclusive = false;
        TRY(schema_account_decode(value, &account));
        TRY(account_put(listing, &account));
    }
    strcpy(listing->next, "n:");
    for (int i = 0; i < 16; i++) sprintf(listing->next + 2 + 2 * i, "%02x", at[i]);
    return result_ok();
}

/* All tokens, in order of ordinal; "next" names the last one looked at. */
static struct result list_all(struct listing *listing, const char *after)
{
    struct admin *admin = listing->act->admin;
    struct store_bytes key, value;
    struct account_row account;
    struct token_row row;
    unsigned ordinal = 0;
    bool inclusive = !after;
    char rest;
    uint8_t at[4];
    if (after && sscanf(after, "o:%8x%c", &ordinal, &rest) != 1) {
        return act_detail(listing->act, BAD_JSON, "after is not from this list");
    }
    for (size_t walked = 0;; walked++) {
        store_be32(at, ordinal);
        struct result got = store_next(core_store(admin->core), listing->txn, STORE_TOKENS, (struct store_bytes){at, 4},
                                       inclusive, &key, &value);
        if (got.code == STORE_NOT_FOUND) return result_ok();
        TRY(got);
        if (json_array_size(listing->tokens) >= listing->limit || walked == WALK_MAX) break;
        ordinal = load_be32(key.bytes);
        inclusive = false;
        TRY(schema_token_decode(value, &row));
        if (!(listing->state ? row.state == listing->state : row.state != TOKEN_REMOVED)) continue;
        TRY(admin_account_get(admin, listing->txn, row.name, &account));
        TRY(listing_put(listing, &row, &account));
    }
    sprintf(listing->next, "o:%08x", ordinal);
    return result_ok();
}

static struct result list_user(struct listing *listing)
{
    struct account_row account;
    uint8_t name[16];
    core_name(listing->company, strlen(listing->company), listing->user, strlen(listing->user), name);
    struct result got = admin_account_get(listing->act->admin, listing->txn, name, &account);
    if (got.code == STORE_NOT_FOUND) return result_ok();
    TRY(got);
    return account_put(listing, &account);
}

static struct result state_get(struct act *act, unsigned *ret_state)
{
    const char *state = "live";
    TRY(act_text(act, "state", false, &state));
    *ret_state = 0;
    if (strcmp(state, "live") == 0) return result_ok();
    for (unsigned i = TOKEN_ACTIVE; i <= TOKEN_UNSYNCED; i++) {
        if (strcmp(state, state_names[i]) == 0) *ret_state = i;
    }
    return *ret_state ? result_ok() : act_detail(act, BAD_ARGUMENT, "state is live, active, suspended or removed");
}

struct result act_token_list(struct act *act)
{
    struct listing listing = {.act = act, .limit = 100};
    const char *after = NULL;
    struct store *store = core_store(act->admin->core);
    TRY(act_text(act, "company", false, &listing.company));
    TRY(act_text(act, "user", false, &listing.user));
    TRY(act_text(act, "after", false, &after));
    TRY(act_number(act, "limit", false, 1, LIST_LIMIT_MAX, &listing.limit));
    TRY(state_get(act, &listing.state));
    if (listing.user && !listing.company) return act_detail(act, BAD_JSON, "user goes with company");
    if (listing.company && !core_text_valid(listing.company, 1, SCHEMA_NAME_MAX)) return result_of(BAD_NAME);
    if (listing.user && !core_text_valid(listing.user, 1, SCHEMA_NAME_MAX)) return result_of(BAD_NAME);
    listing.tokens = json_array();
    struct result result = store_begin(store, false, &listing.txn);
    if (!result_failed(result)) {
        result = listing.user      ? list_user(&listing)
                 : listing.company ? list_company(&listing, after)
                                   : list_all(&listing, after);
        store_abort(store, listing.txn);
    }
    if (!result_failed(result)) {
        json_object_set(act->answer, "tokens", listing.tokens);
        json_object_set_new(act->answer, "next", listing.next[0] ? json_string(listing.next) : json_null());
    }
    json_decref(listing.tokens);
    return result;
}

static struct result show(struct act *act, struct store_txn *txn, const uint32_t *ordinals, size_t count,
                          json_t *tokens)
{
    struct token_row row;
    struct account_row account;
    struct table_hit first;
    for (size_t i = 0; i < count; i++) {
        TRY(admin_token_get(act->admin, txn, ordinals[i], &row));
        TRY(admin_account_get(act->admin, txn, row.name, &account));
        json_array_append_new(tokens, admin_token_json(act->admin, &row, &account));
        /* By its ordinal, which the account's row lists first: the index is not to be walked outside a turn or act. */
        if (i > 0 || !table_line(core_table(act->admin->core), account.tokens[0], &first)) continue;
        uint64_t budget = atomic_load(&first.tail->budget);
        json_object_set_new(act->answer, "account",
                            json_pack("{s:s,s:s,s:i,s:i,s:I}", "company", account.company, "user", account.user,
                                      "failures", budget_failures(budget, 0), "failures_known_source",
                                      budget_failures(budget, 1), "last_charge_s", (json_int_t)budget_time_s(budget)));
    }
    return result_ok();
}

struct result act_token_show(struct act *act)
{
    uint32_t ordinals[SCHEMA_ACCOUNT_TOKENS_MAX];
    struct store *store = core_store(act->admin->core);
    struct store_txn *txn;
    size_t count = 0;
    TRY(act_tokens(act, ordinals, SCHEMA_ACCOUNT_TOKENS_MAX, &count));
    TRY(store_begin(store, false, &txn));
    json_t *tokens = json_array();
    struct result result = show(act, txn, ordinals, count, tokens);
    store_abort(store, txn);
    if (!result_failed(result)) json_object_set(act->answer, "tokens", tokens);
    json_decref(tokens);
    return result;
}
