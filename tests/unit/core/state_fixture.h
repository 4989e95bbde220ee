/* A whole core on the simulated os with the model store: made, stopped, crashed and opened again. For the state_*
 * tests; static, since each test is a program of its own. */
#ifndef TESTS_CORE_STATE_FIXTURE_H
#define TESTS_CORE_STATE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/state.h"
#include "os/arena.h"
#include "os/os_sim.h"

#define state_ok(expression) assert_string_equal(result_name(expression), "OK")
#define state_is(expression, code) assert_string_equal(result_name(expression), #code)
#define MAYBE_UNUSED __attribute__((unused))

enum { STATE_WALL_S = 1700000000 };

struct state {
    struct os_sim_world *world;
    struct store *store;
    struct os *os;
    struct os *worker_os;
    struct vault *vault;
    struct core *core;
    struct core_worker *worker;
    struct core_options options;
    char key_folder[32];
    char key_path[48];
    uint64_t session;
    uint32_t sequences[2];
    uint32_t answers;
    struct otpring_wire_answer answer;
};

static const struct core_actor state_actor = {.uid = 7};

static void state_answered(void *context, const struct core_answer *answer)
{
    struct state *state = context;
    /* What is answered while the world dies is nobody's promise. */
    if (answer->answers[0].verdict != OTPRING_UNAVAILABLE) state->answers++;
    state->answer = answer->answers[0];
}

static void state_hello_answered(void *context, const struct core_hello_answer *answer)
{
    struct state *state = context;
    state->session = answer->hello.session;
}

static struct result state_meta(struct store *store, const char *key, uint8_t *ret, size_t *ret_size)
{
    struct store_txn *txn;
    struct store_bytes value;
    TRY(store_begin(store, false, &txn));
    struct result result = store_get(store, txn, STORE_META, bytes_of(key, strlen(key)), &value);
    if (!result_failed(result)) {
        memcpy(ret, value.bytes, value.size);
        *ret_size = value.size;
    }
    store_abort(store, txn);
    return result;
}

/* What a start does: the key row from the store, then core. */
static struct result state_open(struct state *state)
{
    uint8_t id[64], keys[VAULT_KEYS_ROW_SIZE_MAX];
    size_t id_size = 0, keys_size = 0;
    state->os = os_sim_create(state->world);
    state->worker_os = os_sim_create(state->world);
    state_ok(state_meta(state->store, META_STORE_ID, id, &id_size));
    state_ok(state_meta(state->store, META_KEYS, keys, &keys_size));
    state_ok(vault_open(state->key_path, id, keys, keys_size, &state->vault));
    struct result result = core_open(state->os, &state->options, state->store, state->vault, &state->core);
    if (result_failed(result)) {
        vault_close(state->vault);
        os_destroy(state->os);
        os_destroy(state->worker_os);
        state->vault = NULL;
        return result;
    }
    struct core_worker_options worker = {.os = state->worker_os,
                                         .items_max = 256,
                                         .answered = state_answered,
                                         .hello_answered = state_hello_answered,
                                         .context = state};
    state_ok(core_worker_create(state->core, &worker, &state->worker));
    return result_ok();
}

/* Everything in memory goes; disk and store stay. */
static void state_drop(struct state *state)
{
    core_worker_destroy(state->worker);
    core_close(state->core, state->os);
    vault_close(state->vault);
    os_destroy(state->worker_os);
    os_destroy(state->os);
    state->core = NULL;
    state->worker = NULL;
    state->session = 0;
}

static MAYBE_UNUSED void state_stop(struct state *state)
{
    state_ok(core_finish(state->worker));
    state_drop(state);
}

/* An engine whose machine died with writes under way cannot be taken apart: nobody will ever say what became of its
 * blocks. It stays where it is, as it would in the machine's lost memory. */
struct dead {
    struct state state;
    struct dead *next;
};
static struct dead *state_dead;

static MAYBE_UNUSED void state_crash(struct state *state)
{
    os_sim_crash(state->world);
    if (core_drained(state->worker) && journal_in_flight(state->worker->writer) == 0) {
        state_drop(state);
    } else {
        struct dead *dead = malloc(sizeof(*dead));
        *dead = (struct dead){.state = *state, .next = state_dead};
        state_dead = dead;
        state->core = NULL;
        state->session = 0;
    }
    store_memory_crash(state->store);
}

static struct state *state_create_at(uint64_t seed, int64_t wall_ms)
{
    struct state *state = calloc(1, sizeof(*state));
    struct os_sim_options world = {.seed = seed, .wall_ms = wall_ms, .disk_size = 512u << 20};
    arena_allow_unlocked(true);
    strcpy(state->key_folder, "/tmp/otpring-state-XXXXXX");
    assert_non_null(mkdtemp(state->key_folder));
    snprintf(state->key_path, sizeof(state->key_path), "%s/key", state->key_folder);
    state_ok(vault_key_file_create(state->key_path));
    state_ok(os_sim_world_create(&world, &state->world));
    state_ok(store_memory_create(&state->store));
    state_ok(core_init(state->store, state->key_path));
    state->options = (struct core_options){.journal_folder = "journal",
                                           .journal = {.segment_size = 2 << 20, .spare_count = 1},
                                           .tokens_max = 65536,
                                           .load_threads = 3,
                                           .workers_max = 2,
                                           .sessions_max = 16,
                                           .kept_size = 1 << 20,
                                           .unknown_entries = 8192};
    state_ok(state_open(state));
    return state;
}

static MAYBE_UNUSED struct state *state_create(uint64_t seed)
{
    return state_create_at(seed, (int64_t)STATE_WALL_S * 1000);
}

static MAYBE_UNUSED void state_destroy(struct state *state)
{
    if (state->core) state_drop(state);
    store_close(state->store);
    os_sim_world_destroy(state->world);
    unlink(state->key_path);
    rmdir(state->key_folder);
    free(state);
}

static MAYBE_UNUSED void state_keep(struct state *state)
{
    bool more = true;
    for (int i = 0; more && i < 1000; i++) state_ok(core_keep(state->worker, &more));
}

/* ---- tokens: the seed of number n is n repeated ---- */

static void state_seed(uint32_t number, uint8_t ret_seed[20])
{
    memset(ret_seed, 0x5a, 20);
    store_le32(ret_seed, number);
}

static MAYBE_UNUSED struct result state_add(struct state *state, const char *company, const char *user,
                                            uint16_t profile, uint32_t number, uint64_t counter, uint32_t *ret_ordinal)
{
    uint8_t seed[20];
    struct result result;
    state_seed(number, seed);
    struct core_token_spec spec = {.company = company,
                                   .user = user,
                                   .label = "",
                                   .profile = profile,
                                   .seed = seed,
                                   .seed_size = sizeof(seed),
                                   .counter = counter};
    TRY(core_token_add(state->worker, &state_actor, &spec, 1, &result, ret_ordinal));
    return result;
}

static MAYBE_UNUSED struct table_hit state_line(struct state *state, uint32_t ordinal)
{
    struct table_hit hit = {0};
    assert_true(table_line(core_table(state->core), ordinal, &hit));
    return hit;
}

static MAYBE_UNUSED uint32_t state_floor(struct state *state, uint32_t ordinal)
{
    return token_floor(atomic_load(&state_line(state, ordinal).tail->token));
}

static MAYBE_UNUSED struct token_row state_row(struct state *state, uint32_t ordinal)
{
    struct store_txn *txn;
    struct token_row row;
    state_ok(store_begin(state->store, false, &txn));
    state_ok(row_token_get(state->core, txn, ordinal, &row));
    store_abort(state->store, txn);
    return row;
}

static MAYBE_UNUSED uint32_t state_code(uint32_t number, uint64_t counter)
{
    uint8_t seed[20];
    struct otp_parameters parameters = {.type = OTP_HOTP, .algorithm = KERNEL_SHA1, .digits = 6};
    state_seed(number, seed);
    return otp_code(&parameters, seed, sizeof(seed), counter);
}

/* ---- verification ---- */

static const struct core_client state_client = {
    .id = 1, .name = "test", .rights = CORE_RIGHT_VERIFY | CORE_RIGHT_ENROL | CORE_RIGHT_SEE_STATES};

static bool state_drain(struct state *state)
{
    for (int i = 0; i < 100000; i++) {
        if (core_drained(state->worker)) return true;
        if (result_failed(os_step(state->worker_os, 1000000, NULL))) return false;
        core_poll(state->worker);
    }
    return false;
}

static bool state_session(struct state *state)
{
    if (state->session != 0) return true;
    struct otpring_wire_hello hello = {.version_min = 1, .version_max = 1, .slots = 2, .items_max = 16};
    if (core_hello(state->worker, &hello, &state_client, 1) == CORE_FULL) return false;
    core_turn(state->worker);
    if (!state_drain(state) || state->session == 0) return false;
    state->sequences[0] = state->sequences[1] = 0;
    return true;
}

/* One query in a turn of its own, not waited for. */
static bool state_send(struct state *state, uint16_t slot, const char *company, const char *user, uint32_t code)
{
    static struct otpring_wire_query queries[2];
    static struct otpring_wire_header headers[2];
    uint8_t name[16];
    enum otpring_wire_error_code error = 0;
    queries[slot] = (struct otpring_wire_query){.code = code, .digits = 6, .kind = OTPRING_QUERY_CODE};
    core_name(company, strlen(company), user, strlen(user), name);
    memcpy(queries[slot].company, name, 8);
    memcpy(queries[slot].account, name + 8, 8);
    headers[slot] = (struct otpring_wire_header){.size = sizeof(headers[0]) + sizeof(queries[0]),
                                                 .kind = OTPRING_WIRE_VERIFY,
                                                 .count = 1,
                                                 .session = state->session,
                                                 .sequence = ++state->sequences[slot],
                                                 .slot = slot};
    struct core_frame frame = {.header = &headers[slot], .items = &queries[slot], .client = &state_client, .owner = 2};
    enum core_admit admit = core_frame(state->worker, &frame, &error);
    if (admit == CORE_FULL) return false;
    assert_int_equal(admit, CORE_TAKEN);
    core_turn(state->worker);
    return true;
}

/* A verdict, or UNAVAILABLE when the world ended before one was given. */
static MAYBE_UNUSED enum otpring_verdict state_verify(struct state *state, const char *company, const char *user,
                                                      uint32_t code)
{
    uint32_t before = state->answers;
    if (!state_session(state) || !state_send(state, 0, company, user, code)) return OTPRING_UNAVAILABLE;
    if (!state_drain(state) || state->answers == before) return OTPRING_UNAVAILABLE;
    return state->answer.verdict;
}

#endif
