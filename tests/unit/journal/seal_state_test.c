/* Seals and checkpoints that recovery meets: the next one continues what there is in every field, or is refused. */
#include <string.h>

#include "helpers.h"
#include "journal/internal.h"

enum { SEAL_SLOTS = 3 };

struct record {
    struct journal_block_header header;
    uint8_t slots[SEAL_SLOTS * JOURNAL_SLOT_SIZE];
};

static struct result apply(struct seal_state *state, const void *record, uint8_t kind)
{
    struct record block = {.header = {.slot_count = SEAL_SLOTS, .position = 100}};
    memcpy(block.slots, record, sizeof block.slots);
    block.slots[JOURNAL_SLOT_SIZE - 1] = kind;
    const struct journal_block_view view = {.header = &block.header, .slots = block.slots};
    return seal_state_apply(state, &view);
}

/* After two seals, of 1 to 10 and of 11 to 20. */
static struct seal_state two_seals(void)
{
    struct seal_state state = {0};
    struct slot_seal seal = {.number = 1, .first = 1, .last = 10};
    assert_ok(apply(&state, &seal, SLOT_SEAL));
    seal = (struct slot_seal){.number = 2, .first = 11, .last = 20};
    memcpy(seal.previous, state.seal_hash, sizeof seal.previous);
    assert_ok(apply(&state, &seal, SLOT_SEAL));
    assert_int_equal(state.sealed_through, 20);
    assert_int_equal(state.seal_count, 2);
    return state;
}

static struct slot_seal third(const struct seal_state *state)
{
    struct slot_seal seal = {.number = 3, .first = 21, .last = 30};
    memcpy(seal.previous, state->seal_hash, sizeof seal.previous);
    return seal;
}

static void a_seal_continues_the_one_before_it_or_is_refused(void **unused)
{
    (void)unused;
    struct seal_state state = two_seals();
    struct slot_seal seal = third(&state);
    assert_ok(apply(&state, &seal, SLOT_SEAL));
    assert_int_equal(state.sealed_through, 30);
#define BROKEN(change)                                                                                                 \
    state = two_seals();                                                                                               \
    seal = third(&state);                                                                                              \
    change;                                                                                                            \
    assert_code(apply(&state, &seal, SLOT_SEAL), JOURNAL_BAD_SEAL);                                                    \
    assert_int_equal(state.sealed_through, 20)
    BROKEN(seal.number = 4);
    BROKEN(seal.first = 22);
    BROKEN(seal.last = 20);
    BROKEN(seal.previous[31] ^= 1);
#undef BROKEN
    /* One from before the header that was begun with says nothing new. */
    state = two_seals();
    seal = third(&state);
    seal.number = 2;
    assert_ok(apply(&state, &seal, SLOT_SEAL));
    assert_int_equal(state.sealed_through, 20);
}

static struct slot_checkpoint closing(const struct seal_state *state)
{
    struct slot_checkpoint checkpoint = {.segment = 1, .last = 20, .seal_number = 2, .seal_count = 2};
    memcpy(checkpoint.previous, state->checkpoint_hash, sizeof checkpoint.previous);
    return checkpoint;
}

static void a_checkpoint_closes_what_was_sealed_or_is_refused(void **unused)
{
    (void)unused;
    struct seal_state state = two_seals();
    struct slot_checkpoint checkpoint = closing(&state);
    assert_ok(apply(&state, &checkpoint, SLOT_CHECKPOINT));
    assert_int_equal(state.closed_segment, 1);
    assert_int_equal(state.seal_count, 0);
    assert_ok(apply(&state, &checkpoint, SLOT_CHECKPOINT)); /* again: closed already */
#define BROKEN(change)                                                                                                 \
    state = two_seals();                                                                                               \
    checkpoint = closing(&state);                                                                                      \
    change;                                                                                                            \
    assert_code(apply(&state, &checkpoint, SLOT_CHECKPOINT), JOURNAL_BAD_SEAL);                                        \
    assert_int_equal(state.closed_segment, 0)
    BROKEN(checkpoint.seal_number = 3);
    BROKEN(checkpoint.seal_count = 1);
    BROKEN(checkpoint.last = 19);
    BROKEN(checkpoint.previous[0] ^= 1);
#undef BROKEN
}

static void other_records_leave_the_seals_as_they_are(void **unused)
{
    (void)unused;
    struct seal_state state = two_seals();
    uint8_t slots[SEAL_SLOTS * JOURNAL_SLOT_SIZE] = {0};
    assert_ok(apply(&state, slots, SLOT_VERIFY));
    const struct journal_block_header header = {.slot_count = 1, .position = 100};
    const struct journal_block_view view = {.header = &header, .slots = slots};
    assert_ok(seal_state_apply(&state, &view));
    assert_int_equal(state.seal_number, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seal_continues_the_one_before_it_or_is_refused),
        cmocka_unit_test(a_checkpoint_closes_what_was_sealed_or_is_refused),
        cmocka_unit_test(other_records_leave_the_seals_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
