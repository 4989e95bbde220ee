/* What an act means: to the rows of the store, and to the lines of the table. Applied by whoever does the act once its
 * record is durable, by recovery from the journal, and again when the store had no room. */
#include "core/gate.h"
#include "core/state.h"

#include <string.h>

#include "base/bytes.h"
#include "os/arena.h"

/* ---- the payload of ACT_TOKEN_ADD: row size 2, row, company size 1, company, user size 1, user ---- */

uint32_t act_token_add_encode(const struct act_token_add *add, uint8_t *ret_bytes)
{
    size_t company_size = strlen(add->company), user_size = strlen(add->user);
    size_t row_size = schema_token_encode(&add->row, ret_bytes + 2);
    store_le16(ret_bytes, (uint16_t)row_size);
    uint8_t *at = ret_bytes + 2 + row_size;
    *at++ = (uint8_t)company_size;
    memcpy(at, add->company, company_size);
    at += company_size;
    *at++ = (uint8_t)user_size;
    memcpy(at, add->user, user_size);
    at += user_size;
    return (uint32_t)(at - ret_bytes);
}

static void cursor_text(struct cursor *cursor, char *ret_text)
{
    size_t size = cursor_u8(cursor);
    const uint8_t *bytes = cursor_take(cursor, size);
    if (!bytes) return;
    memcpy(ret_text, bytes, size);
    ret_text[size] = 0;
}

struct result act_token_add_decode(const uint8_t *payload, size_t size, struct act_token_add *ret_add)
{
    struct cursor cursor = cursor_over(payload, size);
    size_t row_size = cursor_u16(&cursor);
    const uint8_t *row = cursor_take(&cursor, row_size);
    if (!row) return result_of(JOURNAL_CORRUPT);
    cursor_text(&cursor, ret_add->company);
    cursor_text(&cursor, ret_add->user);
    if (cursor.failed || !core_text_valid(ret_add->company, 1, SCHEMA_NAME_MAX) ||
        !core_text_valid(ret_add->user, 1, SCHEMA_NAME_MAX)) {
        return result_of(JOURNAL_CORRUPT);
    }
    return schema_token_decode(bytes_of(row, row_size), &ret_add->row);
}

/* ---- rows ---- */

static struct result store_add(struct core *core, struct store_txn *txn, const uint8_t *payload, size_t size)
{
    struct act_token_add add;
    struct account_row account;
    TRY(act_token_add_decode(payload, size, &add));
    TRY(row_token_put(core, txn, &add.row));
    struct result got = row_account_get(core, txn, add.row.name, &account);
    if (got.code == STORE_NOT_FOUND) {
        memset(&account, 0, sizeof(account));
        memcpy(account.company, add.company, sizeof(account.company));
        memcpy(account.user, add.user, sizeof(account.user));
    } else {
        TRY(got);
    }
    bool listed = false;
    for (unsigned i = 0; i < account.token_count; i++) listed |= account.tokens[i] == add.row.ordinal;
    if (!listed) {
        if (account.token_count >= SCHEMA_ACCOUNT_TOKENS_MAX) return result_of(STORE_DAMAGED);
        account.tokens[account.token_count++] = add.row.ordinal;
        TRY(row_account_put(core, txn, add.row.name, &account));
    }
    /* From now on the line says that a code is required. */
    struct result gone = store_erase(core->store, txn, STORE_GATES, bytes_of(add.row.name, sizeof(add.row.name)));
    if (gone.code != STORE_NOT_FOUND) TRY(gone);
    struct fingerprint_row fingerprint = {.ordinal = add.row.ordinal, .live = true, .floor = add.row.start_floor};
    TRY(row_fingerprint_put(core, txn, add.row.fingerprint, &fingerprint));
    enum kernel_algorithm algorithm = table_algorithm(add.row.ordinal);
    uint32_t next = table_line_index(add.row.ordinal) + 1;
    if (core->lines_next[algorithm] < next) core->lines_next[algorithm] = next;
    return result_ok();
}

/* The seed goes, its fingerprint and floor stay for ever. The account keeps its first line (the budget is there) and
 * forgets this one otherwise, so that an account may change its tokens any number of times. */
static struct result store_remove(struct core *core, struct store_txn *txn, const struct slot_act *act)
{
    struct token_row row;
    struct account_row account;
    struct fingerprint_row fingerprint;
    TRY(row_token_get(core, txn, act->ordinal, &row));
    row.state = TOKEN_REMOVED;
    row.change = token_change(act->token);
    row.sealed_size = 0;
    secret_wipe(row.sealed_seed, sizeof(row.sealed_seed));
    TRY(row_token_put(core, txn, &row));
    TRY(row_fingerprint_get(core, txn, row.fingerprint, &fingerprint));
    if (fingerprint.ordinal == row.ordinal) {
        fingerprint.live = false;
        if (fingerprint.floor < token_floor(act->token)) fingerprint.floor = token_floor(act->token);
        TRY(row_fingerprint_put(core, txn, row.fingerprint, &fingerprint));
    }
    TRY(row_account_get(core, txn, row.name, &account));
    unsigned kept = 0;
    for (unsigned i = 0; i < account.token_count; i++) {
        if (i == 0 || account.tokens[i] != row.ordinal) account.tokens[kept++] = account.tokens[i];
    }
    if (kept == account.token_count) return result_ok();
    account.token_count = (uint16_t)kept;
    return row_account_put(core, txn, row.name, &account);
}

static struct result store_change(struct core *core, struct store_txn *txn, const struct slot_act *act,
                                  const uint8_t *payload)
{
    struct token_row row;
    TRY(row_token_get(core, txn, act->ordinal, &row));
    if (row.state == TOKEN_REMOVED) return result_ok();
    switch (act->act) {
    case ACT_TOKEN_SUSPEND:
    case ACT_TOKEN_RESUME:
        if (act->act == ACT_TOKEN_RESUME) row.state = TOKEN_ACTIVE;
        if (act->act == ACT_TOKEN_SUSPEND && row.state == TOKEN_ACTIVE) row.state = TOKEN_SUSPENDED;
        row.change = token_change(act->token);
        break;
    case ACT_TOKEN_SET:
        if (act->payload_size > SCHEMA_LABEL_MAX) return result_of(JOURNAL_CORRUPT);
        memset(row.label, 0, sizeof(row.label));
        memcpy(row.label, payload, act->payload_size);
        break;
    default: {
        struct act_resync resync;
        if (act->payload_size != sizeof(resync)) return result_of(JOURNAL_CORRUPT);
        memcpy(&resync, payload, sizeof(resync));
        if (resync.verdict != OTPRING_ACCEPTED) return result_ok();
        row.drift = resync.drift;
        if (row.state == TOKEN_UNSYNCED) row.state = TOKEN_SUSPENDED;
        break;
    }
    }
    return row_token_put(core, txn, &row);
}

struct result act_apply_store(struct core *core, struct store_txn *txn, const struct slot_act *act,
                              const uint8_t *payload)
{
    switch (act->act) {
    case ACT_TOKEN_ADD:
        return store_add(core, txn, payload, act->payload_size);
    case ACT_TOKEN_REMOVE:
        return store_remove(core, txn, act);
    case ACT_TOKEN_SUSPEND:
    case ACT_TOKEN_RESUME:
    case ACT_TOKEN_SET:
    case ACT_TOKEN_RESYNC:
        return store_change(core, txn, act, payload);
    case ACT_PROFILE_SET: {
        struct profile_row row;
        TRY(schema_profile_decode(bytes_of(payload, act->payload_size), &row));
        return row_profile_put(core->store, txn, &row);
    }
    case ACT_CLIENT:
        return act_client_store(core, txn, act, payload);
    case ACT_CHANGE:
        return change_store(core, txn, act, payload);
    default:
        return result_ok(); /* the journal alone keeps it */
    }
}

struct result act_apply_seal(struct core *core, struct store_txn *txn, uint64_t position)
{
    uint8_t value[4 * KERNEL_ALGORITHM_COUNT];
    for (int i = 0; i < KERNEL_ALGORITHM_COUNT; i++) store_le32(value + 4 * i, core->lines_next[i]);
    TRY(row_meta_put(core, txn, META_LINES, value, sizeof(value)));
    store_le16(value, atomic_load(&core->policy));
    TRY(row_meta_put(core, txn, META_POLICY, value, 2));
    store_le64(value, position);
    return row_meta_put(core, txn, META_ADMIN_POSITION, value, 8);
}

/* ---- lines ---- */

struct result token_enter(struct core *core, const struct token_row *row, const void *midstates)
{
    struct table_token token = {
        .ordinal = row->ordinal,
        .midstates = midstates,
        .token = token_word(row->start_floor, row->change),
        .profile = row->profile,
        .drift = row->drift,
        .flags = (uint8_t)((row->first ? TABLE_FIRST : 0) | (row->state == TOKEN_REMOVED  ? TABLE_REMOVED
                                                             : row->state != TOKEN_ACTIVE ? TABLE_SUSPENDED
                                                                                          : 0)),
    };
    memcpy(token.name, row->name, sizeof(token.name));
    TRY(table_insert(core->table, &token));
    core->state->lines_total++;
    if (row->state != TOKEN_REMOVED) core->state->profile_tokens[row->profile]++;
    return result_ok();
}

struct result token_to_table(struct core *core, const struct token_row *row)
{
    _Alignas(8) uint8_t midstates[KERNEL_SHA512_MIDSTATES] = {0};
    uint8_t seed[1][OTP_SEED_SIZE_MAX];
    struct table_hit hit;
    enum kernel_algorithm algorithm = table_algorithm(row->ordinal);
    if (algorithm >= KERNEL_ALGORITHM_COUNT || row->profile >= CORE_PROFILES_MAX) return result_of(STORE_DAMAGED);
    if (table_line(core->table, row->ordinal, &hit)) return result_ok();
    if (row->state != TOKEN_REMOVED) {
        TRY(row_seeds_open(core, &row, 1, seed));
        kernel_midstates(algorithm, seed[0], row_seed_size(row), midstates);
        secret_wipe(seed, sizeof(seed));
    }
    struct result entered = token_enter(core, row, midstates);
    secret_wipe(midstates, sizeof(midstates));
    return entered;
}

static struct result table_add(struct core *core, const uint8_t *payload, size_t size)
{
    struct act_token_add add;
    TRY(act_token_add_decode(payload, size, &add));
    TRY(token_to_table(core, &add.row));
    return gates_set(core->gates, add.row.name, GATE_NONE);
}

static void table_drop(struct core *core, const struct slot_act *act, const struct table_hit *hit)
{
    if (atomic_load(&hit->tail->flags) & TABLE_REMOVED) return;
    uint16_t profile = atomic_load(&hit->tail->profile);
    atomic_fetch_or(&hit->tail->flags, TABLE_SUSPENDED);
    word_raise(&hit->tail->token, act->token);
    table_remove(core->table, act->ordinal);
    if (profile < CORE_PROFILES_MAX && core->state->profile_tokens[profile] > 0) core->state->profile_tokens[profile]--;
}

static struct result table_change(struct core *core, const struct slot_act *act, const uint8_t *payload)
{
    struct table_hit hit;
    struct act_resync resync;
    if (!table_line(core->table, act->ordinal, &hit)) return result_ok(); /* removed since: not loaded */
    word_raise(&hit.tail->token, act->token);
    switch (act->act) {
    case ACT_TOKEN_REMOVE:
        table_drop(core, act, &hit);
        break;
    case ACT_TOKEN_SUSPEND:
        atomic_fetch_or(&hit.tail->flags, TABLE_SUSPENDED);
        break;
    case ACT_TOKEN_RESUME:
        atomic_fetch_and(&hit.tail->flags, (uint8_t)~TABLE_SUSPENDED);
        break;
    default:
        if (act->payload_size != sizeof(resync)) return result_of(JOURNAL_CORRUPT);
        memcpy(&resync, payload, sizeof(resync));
        if (resync.verdict == OTPRING_ACCEPTED) atomic_store(&hit.tail->drift, resync.drift);
        break;
    }
    return result_ok();
}

struct result act_apply_table(struct core *core, const struct slot_act *act, const uint8_t *payload)
{
    struct table_hit hit;
    switch (act->act) {
    case ACT_TOKEN_ADD:
        return table_add(core, payload, act->payload_size);
    case ACT_TOKEN_REMOVE:
    case ACT_TOKEN_SUSPEND:
    case ACT_TOKEN_RESUME:
    case ACT_TOKEN_RESYNC:
        return table_change(core, act, payload);
    case ACT_ACCOUNT_UNLOCK:
        if (table_line(core->table, act->ordinal, &hit)) word_raise(&hit.tail->budget, act->budget);
        return result_ok();
    case ACT_PROFILE_SET: {
        struct profile_row row;
        TRY(schema_profile_decode(bytes_of(payload, act->payload_size), &row));
        if (row.id >= CORE_PROFILES_MAX) return result_of(JOURNAL_CORRUPT);
        profile_publish(core, &row);
        return result_ok();
    }
    case ACT_CHANGE:
        return change_memory(core, act, payload);
    default:
        return result_ok();
    }
}
