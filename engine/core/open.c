/* The engine's life: a new store, opening one, closing. */
#include "core/state.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"

static struct result init_rows(struct store *store, struct store_txn *txn, const char *key_path)
{
    struct store_bytes old;
    uint8_t store_id[VAULT_STORE_ID_SIZE], keys[VAULT_KEYS_ROW_SIZE_MAX], value[SCHEMA_ROW_MAX] = {0};
    size_t keys_size;
    struct checkpoint_row checkpoint = {0};
    struct result got = store_get(store, txn, STORE_META, bytes_of(META_STORE_ID, strlen(META_STORE_ID)), &old);
    if (got.code != STORE_NOT_FOUND) return result_failed(got) ? got : result_of(STORE_EXISTS);
    TRY(vault_create(key_path, store_id, keys, &keys_size));
#define PUT(key, bytes, size) TRY(store_put(store, txn, STORE_META, bytes_of(key, strlen(key)), bytes_of(bytes, size)))
    PUT(META_STORE_ID, store_id, sizeof(store_id));
    PUT(META_KEYS, keys, keys_size);
    PUT(META_LINES, value, 4 * KERNEL_ALGORITHM_COUNT);
    PUT(META_ADMIN_POSITION, value, 8);
    store_le16(value, 1);
    PUT(META_POLICY, value, 2);
    size_t size = schema_checkpoint_encode(&checkpoint, value);
    PUT(META_CHECKPOINT, value, size);
#undef PUT
    struct profile_row totp = profile_default(OTP_TOTP), hotp = profile_default(OTP_HOTP);
    strcpy(totp.name, "totp");
    strcpy(hotp.name, "hotp");
    hotp.id = 1;
    TRY(row_profile_put(store, txn, &totp));
    return row_profile_put(store, txn, &hotp);
}

struct result core_init(struct store *store, const char *key_path)
{
    struct store_txn *txn;
    TRY(store_begin(store, true, &txn));
    struct result result = init_rows(store, txn, key_path);
    if (result_failed(result)) {
        store_abort(store, txn);
        return result;
    }
    return store_commit(store, txn);
}

/* ---- opening ---- */

enum { NAMES_EXPECTED_MIN = 65536 };

static struct core_options options_filled(const struct core_options *given)
{
    struct core_options options = *given;
    if (options.tokens_max == 0) options.tokens_max = 4194304;
    if (options.tokens_max > 1u << 29) options.tokens_max = 1u << 29;
    if (options.workers_max == 0) options.workers_max = 16;
    if (options.workers_max > CORE_WORKERS_MAX) options.workers_max = CORE_WORKERS_MAX;
    if (options.sessions_max == 0) options.sessions_max = 1024;
    if (options.kept_size == 0) options.kept_size = 256u << 20;
    if (options.session_idle_s == 0) options.session_idle_s = 600;
    if (options.sessions_per_client == 0) options.sessions_per_client = 256;
    if (options.marks_max == 0) options.marks_max = 16777216;
    if (options.unknown_entries == 0) options.unknown_entries = 1048576;
    if (options.resync_candidates_per_turn == 0) options.resync_candidates_per_turn = 512;
    if (options.clock_step_limit_ms == 0) options.clock_step_limit_ms = 2000;
    if (options.checkpoint_blocks == 0) options.checkpoint_blocks = 32;
    return options;
}

static struct result state_create(struct core *core)
{
    struct core_state *state = calloc(1, sizeof(*state));
    if (!state) return result_of(NO_MEMORY);
    core->state = state;
    size_t block = STATE_WORDS_SIZE > STATE_UNKNOWN_HEAD + UNKNOWN_BLOCK_ENTRIES * 8
                       ? STATE_WORDS_SIZE
                       : STATE_UNKNOWN_HEAD + UNKNOWN_BLOCK_ENTRIES * 8;
    state->block = malloc(block);
    state->batch.slots = malloc((size_t)STATE_ACTS_MAX * STATE_RECORD_SLOTS_MAX * JOURNAL_SLOT_SIZE);
    core->profiles = calloc(CORE_PROFILES_MAX, sizeof(*core->profiles));
    return state->block && state->batch.slots && core->profiles ? result_ok() : result_of(NO_MEMORY);
}

/* Room in the index for the tokens that there are; it doubles while serving. Its size is a power of two, three eighths
 * of which may be full: for fifty million tokens that is 1 GiB, and were 2 GiB with room for half as many again. */
static uint64_t names_expected(const struct core *core)
{
    uint64_t lines = 0;
    for (int i = 0; i < KERNEL_ALGORITHM_COUNT; i++) lines += core->lines_next[i];
    if (lines < NAMES_EXPECTED_MIN) lines = NAMES_EXPECTED_MIN;
    return lines < core->options.tokens_max ? lines : core->options.tokens_max;
}

static struct result memory_create(struct core *core)
{
    struct table_options table = {.names_expected = names_expected(core)};
    for (int i = 0; i < KERNEL_ALGORITHM_COUNT; i++) table.lines_max[i] = (uint32_t)core->options.tokens_max;
    memcpy(table.secret, vault_table_secret(core->vault), sizeof(table.secret));
    core->kernel = core->options.kernel;
    if (!core->kernel) TRY(kernel_choose(NULL, &core->kernel));
    TRY(table_create(&table, &core->table));
    TRY(unknown_create(core->options.unknown_entries, vault_table_secret(core->vault), &core->unknown));
    TRY(marks_create(core->options.marks_max, vault_table_secret(core->vault), &core->marks));
    TRY(gates_create(vault_table_secret(core->vault), &core->gates));
    return sessions_create(&core->options, &core->sessions);
}

static struct result meta_load(struct core *core, struct store_txn *txn, struct checkpoint_row *ret_checkpoint)
{
    uint8_t value[8], lines[4 * KERNEL_ALGORITHM_COUNT];
    struct store_bytes row;
    TRY(store_get(core->store, txn, STORE_META, bytes_of(META_CHECKPOINT, strlen(META_CHECKPOINT)), &row));
    TRY(schema_checkpoint_decode(row, ret_checkpoint));
    TRY(row_meta_get(core, txn, META_ADMIN_POSITION, value, sizeof(value)));
    core->admin_position = load_le64(value);
    TRY(row_meta_get(core, txn, META_LINES, lines, sizeof(lines)));
    for (int i = 0; i < KERNEL_ALGORITHM_COUNT; i++) core->lines_next[i] = load_le32(lines + 4 * i);
    struct result got = row_meta_get(core, txn, META_RESTORE_FLOOR, value, sizeof(value));
    if (!result_failed(got)) core->state->restore_floor_ms = (int64_t)load_le64(value);
    if (result_failed(got) && got.code != STORE_NOT_FOUND) return got;
    atomic_store(&core->checkpoint_position, ret_checkpoint->position);
    atomic_store(&core->checkpoint_ms, ret_checkpoint->wall_ms);
    TRY(restore_marked(core, txn, &core->state->restoring));
    bool consented = core->options.take_over && core->options.restore_now_ms > 0;
    return core->state->restoring && !consented ? result_of(STORE_RESTORED) : result_ok();
}

static struct result store_load(struct core *core, struct store_txn *txn, struct checkpoint_row *ret_checkpoint)
{
    TRY(meta_load(core, txn, ret_checkpoint));
    TRY(memory_create(core));
    TRY(recover_profiles(core, txn));
    TRY(recover_tokens(core, txn));
    TRY(recover_words(core, txn));
    TRY(recover_unknown(core, txn));
    TRY(recover_gates(core, txn));
    return recover_sessions(core, txn);
}

static struct result open_all(struct core *core, struct os *os)
{
    struct checkpoint_row checkpoint;
    struct store_txn *txn;
    TRY(state_create(core));
    TRY(store_begin(core->store, false, &txn));
    struct result loaded = store_load(core, txn, &checkpoint);
    store_abort(core->store, txn);
    TRY(loaded.code == STORE_NOT_FOUND ? result_of(STORE_DAMAGED) : loaded);
    return recover_journal(core, os, &checkpoint);
}

struct result core_open(struct os *os, const struct core_options *options, struct store *store, struct vault *vault,
                        struct core **ret_core)
{
    size_t size = (sizeof(struct core) + 63) & ~(size_t)63;
    struct core *core = aligned_alloc(64, size);
    if (!core) return result_of(NO_MEMORY);
    memset(core, 0, size);
    core->options = options_filled(options);
    core->store = store;
    core->vault = vault;
    pthread_mutex_init(&core->act_mutex, NULL);
    struct result result = open_all(core, os);
    if (result_failed(result)) {
        core_close(core, os);
        return result;
    }
    *ret_core = core;
    return result_ok();
}

void core_close(struct core *core, struct os *os)
{
    if (core->journal && !core->state->stuck) journal_close(core->journal, os);
    if (core->sessions) sessions_destroy(core->sessions);
    if (core->unknown) unknown_destroy(core->unknown);
    marks_destroy(core->marks);
    gates_destroy(core->gates);
    if (core->table) table_destroy(core->table);
    if (core->state) {
        free(core->state->block);
        free(core->state->batch.slots);
        free(core->state);
    }
    free(core->profiles);
    pthread_mutex_destroy(&core->act_mutex);
    free(core);
}
