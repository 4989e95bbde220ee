/* Where the journal of a backup begins and ends, and that an engine goes on from it. The housekeeper is stepped where a
 * test says so and nowhere else, so what is sealed is known. */
#include "state_fixture.h"

#include "journal/file.h"

enum { HOTP = 1, SEGMENT_SIZE = 64 << 10, SPARES = 8 };

/* What core_backup asked for; one at a time. */
static struct {
    struct state *state;
    struct store *store;
    bool seal; /* while the store is copied, as the housekeeper's own thread may */
    uint64_t from, to;
} copied;

static struct journal_status status_of(struct state *state)
{
    return journal_status(state->core->journal);
}

/* A seal of the segment that is being written is due once a second. */
static void seal_all(struct state *state)
{
    uint64_t through = status_of(state).durable_through;
    for (int i = 0; i < 1000 && status_of(state).sealed_through < through; i++) {
        bool more;
        os_sim_advance_ms(state->world, 1000);
        state_ok(core_keep_journal(state->worker, &more));
        if (!more) state_ok(os_step(state->worker_os, 1000000, NULL));
        core_poll(state->worker);
    }
    assert_true(status_of(state).sealed_through >= through);
}

static struct result store_copy(struct store *store, const char *folder)
{
    assert_string_equal(folder, "backup");
    if (copied.seal) seal_all(copied.state);
    return store_memory_copy(store, &copied.store);
}

static struct result segments_copy(void *context, uint64_t from_position, uint64_t to_position)
{
    assert_ptr_equal(context, &copied);
    copied.from = from_position;
    copied.to = to_position;
    return result_ok();
}

static void backup(struct state *state, bool seal)
{
    struct store_functions with_copy = *state->store->functions;
    const struct store_functions *before = state->store->functions;
    copied.state = state;
    copied.seal = seal;
    with_copy.backup = store_copy;
    state->store->functions = &with_copy;
    state_ok(core_backup(state->worker, &state_actor, "backup", segments_copy, &copied));
    state->store->functions = before;
    copied.store->functions = before;
}

static uint64_t checkpoint_of(struct state *state)
{
    return atomic_load(&state->core->checkpoint_position);
}

static struct state *small_segments(uint64_t seed)
{
    struct state *state = state_create(seed);
    state_stop(state);
    state->options.journal.segment_size = SEGMENT_SIZE;
    state->options.journal.spare_count = SPARES;
    state_ok(state_open(state));
    state_keep(state);
    return state;
}

static void use(struct state *state, uint64_t counter)
{
    assert_int_equal(state_verify(state, "acme", "ann", state_code(1, counter)), OTPRING_ACCEPTED);
}

static void a_backup_reaches_back_to_where_the_seals_end(void **unused)
{
    (void)unused;
    struct state *state = state_create(91);
    uint32_t ordinal;
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &ordinal));
    use(state, 0);
    seal_all(state);
    for (uint64_t i = 1; i < 20; i++) use(state, i);
    uint64_t sealed = status_of(state).sealed_through;
    backup(state, false);
    assert_int_equal(status_of(state).sealed_through, sealed);
    assert_int_equal(copied.from, sealed + 1);
    assert_true(copied.from + 19 <= checkpoint_of(state));
    assert_int_equal(copied.to, status_of(state).durable_through);
    store_close(copied.store);
    state_destroy(state);
}

static void seals_made_meanwhile_take_nothing_behind_the_checkpoint_from_it(void **unused)
{
    (void)unused;
    struct state *state = state_create(92);
    uint32_t ordinal;
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &ordinal));
    backup(state, true);
    assert_true(status_of(state).sealed_through >= checkpoint_of(state));
    assert_int_equal(copied.from, checkpoint_of(state));
    assert_int_equal(copied.to, status_of(state).durable_through);
    store_close(copied.store);
    state_destroy(state);
}

/* ---- the copy ---- */

static uint64_t segment_at(struct state *state, uint64_t position)
{
    const struct journal_reader_options options = {.from_position = position};
    struct journal_reader *reader;
    struct journal_block_view view;
    state_ok(journal_reader_open(state->os, "journal", &options, &reader));
    state_ok(journal_reader_next(reader, &view));
    assert_int_equal(view.header->position, position);
    uint64_t segment = view.segment;
    journal_reader_close(reader);
    return segment;
}

/* The machine's disk without the segments that a backup leaves out, and the copy of the store. */
static void copy_open(struct state *state, struct state *ret_copy)
{
    char name[FILE_NAME_SIZE];
    /* As it is copied: the two before may not be closed yet. */
    uint64_t first = segment_at(state, copied.from) - 2;
    *ret_copy = *state;
    state_ok(os_sim_world_fork(state->world, 1, true, &ret_copy->world));
    struct os *os = os_sim_create(ret_copy->world);
    for (uint64_t number = status_of(state).segment_oldest; number < first; number++) {
        file_segment_name(number, name);
        state_ok(file_unlink(os, "journal", name));
    }
    os_destroy(os);
    ret_copy->store = copied.store;
    ret_copy->session = 0;
    state_ok(state_open(ret_copy));
}

static void the_copys_engine_seals_what_was_not_sealed(void **unused)
{
    (void)unused;
    struct state *state = small_segments(93);
    uint32_t ordinal;
    uint64_t counter = 0;
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &ordinal));
    /* Closed segments, which are left out, then more that are not sealed than are copied in any case. */
    for (uint64_t from = status_of(state).segment; status_of(state).segment < from + 4;) use(state, counter++);
    seal_all(state);
    state_keep(state);
    for (uint64_t from = status_of(state).segment; status_of(state).segment < from + 4;) use(state, counter++);
    uint64_t unsealed = segment_at(state, status_of(state).sealed_through + 1);
    assert_true(unsealed >= status_of(state).segment_oldest + 3);
    backup(state, false);
    assert_true(segment_at(state, checkpoint_of(state)) > unsealed + 2);

    struct state copy;
    copy_open(state, &copy);
    seal_all(&copy);
    assert_true(status_of(&copy).sealed_through >= copied.to);
    use(&copy, counter);
    state_drop(&copy);
    store_close(copy.store);
    os_sim_world_destroy(copy.world);
    state_destroy(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_backup_reaches_back_to_where_the_seals_end),
        cmocka_unit_test(seals_made_meanwhile_take_nothing_behind_the_checkpoint_from_it),
        cmocka_unit_test(the_copys_engine_seals_what_was_not_sealed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
