#define OPENSSL_SUPPRESS_DEPRECATED
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "base/check.h"
#include "core/state.h"
#include "model.h"
#include "schedule.h"

enum { TOKENS_MAX = 64 };

const struct core_client machine_client = {
    .id = 1, .name = "sim", .rights = CORE_RIGHT_VERIFY | CORE_RIGHT_ENROL | CORE_RIGHT_SEE_STATES};
const struct core_actor machine_actor = {.uid = 7};

static char key_folder[] = "/tmp/otpring-sim-XXXXXX";
static char key_path[sizeof key_folder + 8];
static pid_t key_owner;
static uint64_t random_state;

/* ---- keys ---- */

static int random_bytes(unsigned char *bytes, int size)
{
    for (int i = 0; i < size; i++) {
        random_state = random_state * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (unsigned char)(random_state >> 56);
    }
    return 1;
}

static int random_status(void)
{
    return 1;
}

static void keys_remove(void)
{
    if (getpid() != key_owner) return;
    unlink(key_path);
    rmdir(key_folder);
}

void machine_random_seed(uint64_t seed)
{
    random_state = seed;
}

void machine_keys(void)
{
    static const RAND_METHOD method = {.bytes = random_bytes, .pseudorand = random_bytes, .status = random_status};
    CHECK(RAND_set_rand_method(&method) == 1);
    machine_random_seed(4711);
    CHECK(mkdtemp(key_folder));
    snprintf(key_path, sizeof key_path, "%s/key", key_folder);
    key_owner = getpid();
    atexit(keys_remove);
    CHECK(vault_key_file_create(key_path).code == OK);
}

struct result machine_init(struct store *store)
{
    return core_init(store, key_path);
}

/* ---- life ---- */

static struct result meta_get(struct store *store, const char *key, uint8_t *ret, size_t *ret_size)
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

static struct result open_parts(struct machine *machine, const struct machine_shape *shape, int64_t restore_now_ms)
{
    uint8_t id[64], keys[VAULT_KEYS_ROW_SIZE_MAX];
    size_t id_size, keys_size;
    struct core_options options = {
        .journal_folder = "journal",
        .journal = {.segment_size = shape->segment_size,
                    .keep_size = shape->keep_size,
                    .spare_count = 3,
                    .depth_max = shape->depth_max,
                    .busy_bytes = shape->busy_bytes,
                    .index = shape->index},
        .tokens_max = TOKENS_MAX,
        .workers_max = MACHINE_WORKERS + 1,
        .sessions_max = 8,
        .session_idle_s = UINT32_MAX, /* clocks jump by years here */
        .kept_size = 256 << 10,
        .marks_max = 512, /* responses to challenges alone leave marks, and none is sent: little to zero */
        .unknown_entries = 512,
        .checkpoint_bytes = shape->checkpoint_bytes,
        .checkpoint_blocks = shape->checkpoint_blocks,
        .take_over = restore_now_ms != 0,
        .restore_now_ms = restore_now_ms,
        .ret_bad_position = &machine->bad_position,
    };
    TRY(meta_get(machine->store, META_STORE_ID, id, &id_size));
    TRY(meta_get(machine->store, META_KEYS, keys, &keys_size));
    TRY(vault_open(key_path, id, keys, keys_size, &machine->vault));
    return core_open(machine->os, &options, machine->store, machine->vault, &machine->core);
}

struct result machine_open(struct machine *machine, struct os_sim_world *world, struct store *store,
                           const struct machine_shape *shape, int64_t restore_now_ms)
{
    *machine = (struct machine){.world = world, .store = store, .os = os_sim_create(world)};
    struct result result = open_parts(machine, shape, restore_now_ms);
    if (!result_failed(result)) return result;
    if (machine->vault) vault_close(machine->vault);
    os_destroy(machine->os);
    machine->os = NULL;
    machine->vault = NULL;
    return result;
}

static struct result worker_make(struct machine *machine, struct os **ret_os, const struct machine_callbacks *callbacks,
                                 struct core_worker **ret_worker)
{
    *ret_os = os_sim_create(machine->world);
    struct core_worker_options options = {.os = *ret_os,
                                          .turn_count = 6,
                                          .items_max = MACHINE_ITEMS_MAX,
                                          .kept_count = MACHINE_KEPT_BLOCKS,
                                          .answered = callbacks->answered,
                                          .hello_answered = callbacks->hello_answered,
                                          .context = callbacks->context};
    return core_worker_create(machine->core, &options, ret_worker);
}

struct result machine_workers(struct machine *machine, unsigned count, const struct machine_callbacks *callbacks)
{
    TRY(worker_make(machine, &machine->keeper_os, callbacks, &machine->keeper));
    for (unsigned i = 0; i < count; i++)
        TRY(worker_make(machine, &machine->worker_os[i], callbacks, &machine->workers[i]));
    return result_ok();
}

static bool in_flight(const struct machine *machine)
{
    bool any = machine->keeper && journal_in_flight(machine->keeper->writer) > 0;
    for (unsigned i = 0; i < MACHINE_WORKERS; i++)
        any = any || (machine->workers[i] && journal_in_flight(machine->workers[i]->writer) > 0);
    return any;
}

void machine_close(struct machine *machine)
{
    /* A seal may be on its way still. */
    while (in_flight(machine) && machine_step(machine)) continue;
    for (unsigned i = 0; i < MACHINE_WORKERS; i++) core_worker_destroy(machine->workers[i]);
    core_worker_destroy(machine->keeper);
    core_close(machine->core, machine->os);
    vault_close(machine->vault);
    for (unsigned i = 0; i < MACHINE_WORKERS; i++)
        if (machine->worker_os[i]) os_destroy(machine->worker_os[i]);
    if (machine->keeper_os) os_destroy(machine->keeper_os);
    os_destroy(machine->os);
    *machine = (struct machine){0};
}

bool machine_step(struct machine *machine)
{
    enum { WAIT_NS = 200000 };
    for (unsigned i = 0; i <= MACHINE_WORKERS; i++) {
        struct os *os = i < MACHINE_WORKERS ? machine->worker_os[i] : machine->keeper_os;
        if (!os) continue;
        if (result_failed(os_step(os, WAIT_NS, NULL))) return false;
        core_poll(i < MACHINE_WORKERS ? machine->workers[i] : machine->keeper);
    }
    return true;
}

int64_t machine_journal_ms(struct machine *machine)
{
    struct core_status status;
    /* Whoever asks is in the middle of something that no other actor may see half done. */
    schedule_off();
    core_status(machine->core, &status);
    schedule_on();
    return status.journal_ms;
}
