/* Records that stand whole in the journal and say what no engine of ours writes: a start refuses them, and names the
 * position; or they say something that may be, and it holds. */
#include "state_fixture.h"

enum { TOTP = 0, HOTP = 1, SLOTS = 8 };

struct forged {
    uint8_t slots[SLOTS * JOURNAL_SLOT_SIZE];
    uint32_t count;
};

static void settled(struct journal_block *block, struct result result)
{
    *(struct result *)block->owner = result;
}

/* One more run of the journal, by a writer that knows the format and no rules. The engine is stopped. */
static void forge(struct state *state, const struct forged *record)
{
    uint8_t id[64];
    size_t id_size;
    uint64_t bad_position;
    struct journal *journal;
    struct journal_writer *writer;
    struct journal_block *block;
    struct result written = result_of(FULL);
    state_ok(state_meta(state->store, META_STORE_ID, id, &id_size));
    struct journal_options options = state->options.journal;
    options.folder = "journal";
    memcpy(options.store_id, id, sizeof options.store_id);
    struct os *os = os_sim_create(state->world);
    state_ok(journal_open(os, &options, NULL, 0, NULL, NULL, &journal, &bad_position));
    const struct journal_writer_options of = {.slots_per_block = SLOTS, .settled = settled};
    state_ok(journal_writer_create(journal, os, &of, &writer));
    state_ok(journal_begin(writer, &block));
    memcpy(block->slots, record->slots, sizeof record->slots);
    block->owner = &written;
    journal_append(block, record->count, (int64_t)STATE_WALL_S * 1000);
    while (journal_in_flight(writer) > 0) {
        state_ok(os_step(os, 1000000, NULL));
        journal_poll(writer);
    }
    state_ok(written);
    journal_writer_destroy(writer);
    journal_close(journal, os);
    os_destroy(os);
}

/* A store with one HOTP token of ordinal *ret_ordinal, stopped. */
static struct state *stopped(uint64_t seed, uint32_t *ret_ordinal)
{
    struct state *state = state_create(seed);
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, ret_ordinal));
    state_stop(state);
    return state;
}

static struct forged act_of(enum core_act act, uint32_t ordinal, const void *payload, uint32_t size)
{
    struct forged record = {.count = 1 + (size + JOURNAL_SLOT_SIZE - 1) / JOURNAL_SLOT_SIZE};
    const struct slot_act slot = {.act = (uint8_t)act,
                                  .ordinal = ordinal,
                                  .slot_count = (uint8_t)(record.count - 1),
                                  .payload_size = size,
                                  .kind = SLOT_ACT};
    memcpy(record.slots, &slot, sizeof slot);
    memcpy(record.slots + JOURNAL_SLOT_SIZE, payload, size);
    return record;
}

/* Of a store that does not open. */
static void gone(struct state *state)
{
    store_close(state->store);
    os_sim_world_destroy(state->world);
    unlink(state->key_path);
    rmdir(state->key_folder);
    free(state);
}

static void refused(const struct forged *record, const char *code)
{
    uint32_t ordinal;
    uint64_t bad_position = 0;
    struct state *state = stopped(61, &ordinal);
    state->options.ret_bad_position = &bad_position;
    forge(state, record);
    assert_string_equal(result_name(state_open(state)), code);
    gone(state);
}

static void a_record_that_passes_the_end_of_its_block_stops_the_start(void **unused)
{
    (void)unused;
    struct forged record = {.count = 3};
    const struct slot_frame frame = {.item_count = 3, .kind = SLOT_FRAME};
    memcpy(record.slots, &frame, sizeof frame);
    refused(&record, "JOURNAL_CORRUPT");
    record = act_of(ACT_TOKEN_SET, 0, "", 0);
    record.slots[offsetof(struct slot_act, slot_count)] = 1;
    refused(&record, "JOURNAL_CORRUPT");
    uint32_t size = 65;
    record = act_of(ACT_TOKEN_SET, 0, "label", 6);
    memcpy(record.slots + offsetof(struct slot_act, payload_size), &size, sizeof size);
    refused(&record, "JOURNAL_CORRUPT");
}

static void an_act_whose_payload_is_not_its_own_stops_the_start(void **unused)
{
    (void)unused;
    static const uint8_t zeros[7 * JOURNAL_SLOT_SIZE];
    uint32_t ordinal;
    state_destroy(stopped(62, &ordinal));
    static const enum core_act sized[] = {ACT_SESSION_OPEN, ACT_BURN, ACT_TOKEN_RESYNC, ACT_CLIENT};
    for (size_t i = 0; i < sizeof sized / sizeof sized[0]; i++) {
        struct forged record = act_of(sized[i], ordinal, zeros, 3);
        refused(&record, "JOURNAL_CORRUPT");
    }
    struct forged record = act_of(ACT_TOKEN_SET, ordinal, zeros, SCHEMA_LABEL_MAX + 1);
    refused(&record, "JOURNAL_CORRUPT");
    struct act_client client = {.id = 1};
    record = act_of(ACT_CLIENT, UINT32_MAX, &client, sizeof client);
    refused(&record, "JOURNAL_CORRUPT"); /* a client without a name */
    memset(client.name, 'x', sizeof client.name);
    record = act_of(ACT_CLIENT, UINT32_MAX, &client, sizeof client);
    refused(&record, "JOURNAL_CORRUPT"); /* one whose name has no end */
    static const uint8_t cut[] = {200, 0, 1, 2};
    record = act_of(ACT_TOKEN_ADD, UINT32_MAX, cut, sizeof cut);
    refused(&record, "JOURNAL_CORRUPT"); /* a row longer than the payload */
    static const uint8_t nameless[] = {0, 0, 0, 0};
    record = act_of(ACT_TOKEN_ADD, UINT32_MAX, nameless, sizeof nameless);
    refused(&record, "JOURNAL_CORRUPT");
    static const uint8_t half[] = {0, 0, 4, 'a', 'c', 'm', 'e', 9};
    record = act_of(ACT_TOKEN_ADD, UINT32_MAX, half, sizeof half);
    refused(&record, "JOURNAL_CORRUPT");
    static const uint8_t no_user[] = {0, 0, 4, 'a', 'c', 'm', 'e', 0};
    record = act_of(ACT_TOKEN_ADD, UINT32_MAX, no_user, sizeof no_user);
    refused(&record, "JOURNAL_CORRUPT");
    uint8_t bytes[SCHEMA_ROW_MAX];
    struct profile_row row = profile_default(OTP_HOTP);
    strcpy(row.name, "beyond");
    row.id = CORE_PROFILES_MAX;
    record = act_of(ACT_PROFILE_SET, UINT32_MAX, bytes, (uint32_t)schema_profile_encode(&row, bytes));
    refused(&record, "JOURNAL_CORRUPT");
}

static void a_verification_without_its_frame_still_burns_its_code(void **unused)
{
    (void)unused;
    uint32_t ordinal;
    struct state *state = stopped(63, &ordinal);
    struct forged record = {.count = 2};
    struct slot_verify slot = {.token = token_word(7, 5),
                               .ordinal = ordinal,
                               .first_ordinal = ordinal,
                               .verdict = OTPRING_ACCEPTED,
                               .kind = SLOT_VERIFY};
    core_name("acme", 4, "ann", 3, slot.name);
    memcpy(record.slots, &slot, sizeof slot);
    record.slots[2 * JOURNAL_SLOT_SIZE - 1] = 99; /* and behind it a kind that nobody knows */
    forge(state, &record);
    state_ok(state_open(state));
    assert_int_equal(state_floor(state, ordinal), 7);
    assert_int_equal(state_verify(state, "acme", "ann", state_code(1, 6)), OTPRING_REPLAYED);
    assert_int_equal(state_verify(state, "acme", "ann", state_code(1, 7)), OTPRING_ACCEPTED);
    state_destroy(state);
}

/* What the store has already is not put there again; what a record says of it must be as it is all the same. */
static void a_record_that_the_store_has_is_read_as_strictly(void **unused)
{
    (void)unused;
    static const uint8_t zeros[JOURNAL_SLOT_SIZE];
    uint32_t ordinal;
    for (uint32_t size = 0; size <= sizeof(struct act_resync); size += (uint32_t)sizeof(struct act_resync)) {
        uint8_t position[8];
        struct store_txn *txn;
        struct state *state = stopped(65, &ordinal);
        struct forged record = act_of(ACT_TOKEN_RESYNC, ordinal, zeros, size);
        forge(state, &record);
        store_le64(position, 1000000);
        state_ok(store_begin(state->store, true, &txn));
        state_ok(store_put(state->store, txn, STORE_META, bytes_of(META_ADMIN_POSITION, strlen(META_ADMIN_POSITION)),
                           bytes_of(position, sizeof position)));
        state_ok(store_commit(state->store, txn));
        if (size > 0) {
            state_ok(state_open(state));
            state_destroy(state);
        } else {
            state_is(state_open(state), JOURNAL_CORRUPT);
            gone(state);
        }
    }
}

/* Verifications of names whose lines are not there: they change nothing. */
static void verifications_about_what_is_not_there_change_nothing(void **unused)
{
    (void)unused;
    uint32_t ordinal;
    struct state *state = stopped(66, &ordinal);
    struct forged record = {.count = 2};
    struct slot_verify slot = {.token = token_word(7, 5),
                               .budget = 1,
                               .ordinal = UINT32_MAX,
                               .first_ordinal = 4711,
                               .verdict = OTPRING_REJECTED,
                               .kind = SLOT_VERIFY};
    memcpy(record.slots, &slot, sizeof slot);
    memcpy(record.slots + JOURNAL_SLOT_SIZE, &slot, sizeof slot);
    forge(state, &record);
    state_ok(state_open(state));
    assert_int_equal(state_floor(state, ordinal), 0);
    state_destroy(state);
}

static void acts_about_what_is_not_there_change_nothing(void **unused)
{
    (void)unused;
    uint32_t ordinal;
    struct state *state = state_create(64);
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &ordinal));
    state_ok(core_token_change(state->worker, &state_actor, ACT_TOKEN_REMOVE, &ordinal, 1));
    state_stop(state);
    static const enum core_act acts[] = {ACT_TOKEN_SUSPEND, ACT_TOKEN_RESUME, ACT_TOKEN_REMOVE};
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        struct forged record = act_of(acts[i], ordinal, "", 0);
        forge(state, &record);
    }
    struct forged record = act_of(ACT_ACCOUNT_UNLOCK, 4711, "", 0);
    forge(state, &record);
    state_ok(state_open(state));
    assert_int_equal(state_verify(state, "acme", "ann", state_code(1, 0)), OTPRING_UNKNOWN);
    state_destroy(state);
}

/* ---- rows of the store ---- */

/* A stopped store in which this row stands; what the start says of it. */
static struct state *with_row(enum store_map map, struct store_bytes key, struct store_bytes value, const char *code)
{
    uint32_t ordinal;
    struct store_txn *txn;
    struct state *state = stopped(65, &ordinal);
    state_ok(store_begin(state->store, true, &txn));
    state_ok(store_put(state->store, txn, map, key, value));
    state_ok(store_commit(state->store, txn));
    assert_string_equal(result_name(state_open(state)), code);
    return state;
}

static void damaged(enum store_map map, struct store_bytes key, struct store_bytes value)
{
    gone(with_row(map, key, value, "STORE_DAMAGED"));
}

static void a_row_that_no_engine_wrote_is_damage(void **unused)
{
    (void)unused;
    uint8_t key[8] = {0}, bytes[SCHEMA_ROW_MAX];
    uint8_t block[STATE_WORDS_HEAD + 17 + 1] = {1};
    /* Words: too short, of another version, fewer than they say, of no algorithm or another one, more than fit. */
    damaged(STORE_WORDS, bytes_of(key, 4), bytes_of(block, 3));
    damaged(STORE_WORDS, bytes_of(key, 3), bytes_of(block, STATE_WORDS_HEAD));
    block[0] = 2;
    damaged(STORE_WORDS, bytes_of(key, 4), bytes_of(block, STATE_WORDS_HEAD));
    block[0] = 1;
    store_le32(block + 4, 2);
    damaged(STORE_WORDS, bytes_of(key, 4), bytes_of(block, STATE_WORDS_HEAD + 17));
    store_le32(block + 4, SCHEMA_WORDS_PER_BLOCK + 1);
    damaged(STORE_WORDS, bytes_of(key, 4), bytes_of(block, STATE_WORDS_HEAD + 17));
    store_le32(block + 4, 1);
    block[1] = KERNEL_SHA256;
    damaged(STORE_WORDS, bytes_of(key, 4), bytes_of(block, STATE_WORDS_HEAD + 17));
    block[1] = 3;
    const uint8_t none[4] = {0xc0}; /* the ordinal of a fourth algorithm */
    damaged(STORE_WORDS, bytes_of(none, 4), bytes_of(block, STATE_WORDS_HEAD + 17));
    /* Names without account: too short, of another version. */
    static uint8_t unknown[STATE_UNKNOWN_HEAD + UNKNOWN_BLOCK_ENTRIES * 8];
    damaged(STORE_UNKNOWN, bytes_of(key, 4), bytes_of(unknown, sizeof unknown - 1));
    damaged(STORE_UNKNOWN, bytes_of(key, 4), bytes_of(unknown, sizeof unknown));
    /* Profiles: under another number, beyond those there can be. */
    struct profile_row row = profile_default(OTP_HOTP);
    strcpy(row.name, "other");
    row.id = 7;
    size_t size = schema_profile_encode(&row, bytes);
    damaged(STORE_PROFILES, bytes_of((const uint8_t[]){0, 8}, 2), bytes_of(bytes, size));
    row.id = CORE_PROFILES_MAX;
    size = schema_profile_encode(&row, bytes);
    damaged(STORE_PROFILES, bytes_of((const uint8_t[]){CORE_PROFILES_MAX >> 8, CORE_PROFILES_MAX & 0xff}, 2),
            bytes_of(bytes, size));
}

static void charges_of_a_table_of_another_size_are_passed_over(void **unused)
{
    (void)unused;
    uint8_t key[4];
    static uint8_t unknown[STATE_UNKNOWN_HEAD + UNKNOWN_BLOCK_ENTRIES * 8];
    store_le32(unknown, 1);
    store_le32(unknown + 4, 64 * UNKNOWN_BLOCK_ENTRIES);
    store_be32(key, 0);
    state_destroy(with_row(STORE_UNKNOWN, bytes_of(key, 4), bytes_of(unknown, sizeof unknown), "OK"));
    struct state *state = state_create(66);
    store_le32(unknown + 4, unknown_block_count(state->core->unknown) * UNKNOWN_BLOCK_ENTRIES);
    store_be32(key, unknown_block_count(state->core->unknown)); /* a block behind the last */
    state_destroy(state);
    state_destroy(with_row(STORE_UNKNOWN, bytes_of(key, 4), bytes_of(unknown, sizeof unknown), "OK"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_that_passes_the_end_of_its_block_stops_the_start),
        cmocka_unit_test(an_act_whose_payload_is_not_its_own_stops_the_start),
        cmocka_unit_test(a_verification_without_its_frame_still_burns_its_code),
        cmocka_unit_test(a_record_that_the_store_has_is_read_as_strictly),
        cmocka_unit_test(verifications_about_what_is_not_there_change_nothing),
        cmocka_unit_test(acts_about_what_is_not_there_change_nothing),
        cmocka_unit_test(a_row_that_no_engine_wrote_is_damage),
        cmocka_unit_test(charges_of_a_table_of_another_size_are_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
