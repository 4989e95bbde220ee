/* The stages of every kernel that this machine has against those in plain C, on random items of which most are as they
 * should be, and on each of the ways in which one may not be. And the hash of names against the xxHash library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "helpers.h"
#include "kernel/bucket.h"
#include "kernel/stages.h"

enum {
    ITEMS = STAGE_ITEMS_MAX,
    LINES = 64,
    LINE_SIZE_MAX = 192,
    PROFILES = 8,
    BUCKETS_LOG = 5,
    FLAGS = 3,
    ROUNDS = 4000
};

/* What the stages read. */
struct world {
    _Alignas(64) uint64_t buckets[(1 << BUCKETS_LOG) * BUCKET_ENTRIES];
    _Alignas(64) uint8_t lines[KERNEL_ALGORITHM_COUNT][LINES][LINE_SIZE_MAX];
    _Alignas(64) uint8_t nowhere[64];
    void *arrays[4];
    uint64_t profiles[PROFILES];
    uint64_t queries[ITEMS][4];
    const void *pointers[ITEMS];
    struct stage_index index;
    size_t count;
};

/* What they write; whole structs are compared, so everything begins as zeros. */
struct outcome {
    uint64_t hashes[ITEMS];
    const void *buckets[ITEMS];
    uint32_t ordinals[ITEMS];
    void *lines[ITEMS], *tails[ITEMS];
    uint64_t found, longer, none;
    uint64_t straight, states[ITEMS], expected[ITEMS], lasts[ITEMS];
    struct stage_tries tries[KERNEL_ALGORITHM_COUNT];
    uint64_t ready, next[ITEMS];
    _Atomic uint64_t *words[ITEMS];
    uint64_t answers[ITEMS][2];
    _Alignas(64) uint8_t slots[ITEMS + 2][64];
};

static uint64_t seed = 21;

static uint64_t draw(uint64_t below)
{
    return random_next(&seed) % below;
}

static bool rarely(void)
{
    return draw(24) == 0;
}

static void *tail_of(struct world *world, uint32_t ordinal)
{
    size_t size = 64 * ((size_t)(ordinal >> 30) + 1);
    return (uint8_t *)world->arrays[ordinal >> 30] + (ordinal & 0x3fffffff) * size + size - 8 * TAIL_WORDS;
}

/* A line and an index entry for the name, mostly, and a query that mostly fits its profile. */
static void item_make(struct world *world, struct stage_key key, size_t i)
{
    uint64_t *query = world->queries[i];
    for (int w = 0; w < 4; w++) query[w] = random_next(&seed);
    uint64_t hash = stage_name_hash(key, query);
    uint32_t id = (uint32_t)draw(PROFILES - 2), algorithm = world->profiles[id] >> STAGE_PROFILE_ALGORITHM & 3;
    uint64_t digits = world->profiles[id] >> STAGE_PROFILE_DIGITS & 0xff;
    if (rarely()) algorithm = (uint32_t)draw(KERNEL_ALGORITHM_COUNT);
    if (rarely()) digits = draw(16);
    uint64_t code = draw(rarely() ? UINT32_MAX : 1000000), class = draw(rarely() ? 4 : 2);
    query[3] = code | digits << 32 | (uint64_t)(rarely() ? draw(4) : 1) << 40 | class << 48 |
               (uint64_t)(rarely() ? draw(256) : 0) << 56;
    uint32_t ordinal = algorithm << 30 | (uint32_t)i;
    uint64_t check = rarely() ? random_next(&seed) & UINT32_MAX : hash & UINT32_MAX;
    if (rarely()) id = rarely() ? 0xffff : PROFILES + (uint32_t)draw(2);
    if (rarely()) id = PROFILES - 1;
    uint64_t flags = rarely() ? draw(16) : FLAGS, drift = rarely() ? draw(256) : draw(3);
    uint64_t tail[TAIL_WORDS] = {random_next(&seed), random_next(&seed) << (rarely() ? 8 : 16),
                                 check | (uint64_t)id << 32 | drift << 48 | flags << 56};
    if (rarely()) tail[TAIL_TOKEN] |= UINT64_MAX << 32;
    memcpy(tail_of(world, ordinal), tail, sizeof tail);
    unsigned entries = rarely() ? 2 : rarely() ? 0 : 1;
    uint64_t *bucket = world->buckets + (hash >> 32 >> world->index.shift) * BUCKET_ENTRIES;
    for (unsigned e = 0; e < BUCKET_ENTRIES && entries; e++) {
        if (bucket[e]) continue;
        bucket[e] = (hash >> 32 << 32) | (ordinal + 1);
        entries--;
    }
}

static struct stage_key world_make(struct world *world, size_t count)
{
    struct stage_key key = {{random_next(&seed), random_next(&seed)}};
    memset(world, 0, sizeof *world);
    world->count = count;
    world->index = (struct stage_index){world->buckets, 32 - BUCKETS_LOG};
    for (int a = 0; a < KERNEL_ALGORITHM_COUNT; a++) world->arrays[a] = world->lines[a];
    bool alike = draw(2); /* mostly a store has few profiles */
    for (uint32_t i = 0; i < PROFILES - 1; i++)
        world->profiles[i] = i && alike ? world->profiles[0]
                                        : stage_profile((enum kernel_algorithm)draw(3), (uint8_t)(6 + draw(3)), draw(2),
                                                        rarely() ? UINT32_MAX - (uint32_t)draw(3)
                                                                 : (uint32_t)draw(rarely() ? 3 : UINT32_MAX));
    for (size_t i = 0; i < ITEMS; i++) world->pointers[i] = world->queries[i];
    for (size_t i = 0; i < count; i++) item_make(world, key, i);
    return key;
}

/* The lines as they are read again: mostly as they were, and the words as somebody saw them. */
static void check_run(const struct kernel_stages *stages, struct world *world, struct outcome *ret)
{
    static _Atomic uint64_t nowhere;
    uint64_t seen[ITEMS], states[ITEMS];
    for (size_t i = 0; i < world->count; i++) {
        const uint64_t *tail = ret->tails[i];
        seen[i] = tail[TAIL_TOKEN] + (world->queries[i][0] % 16 == 0 ? (uint64_t)1 << 32 : 0);
        states[i] = ret->states[i] ^ (world->queries[i][1] % 16 == 0);
    }
    struct stage_check check = {.count = world->count,
                                .wanted = ret->straight & world->queries[0][2],
                                .tails = ret->tails,
                                .seen = seen,
                                .states = states,
                                .expected = ret->expected,
                                .nowhere = &nowhere,
                                .ret_words = ret->words,
                                .ret_next = ret->next};
    stages->check(&check);
    ret->ready = check.ret_ready;
    for (size_t i = 0; i < world->count; i++) assert_true(ret->ready >> i & 1 || ret->words[i] == &nowhere);
}

static void stages_run(const struct kernel_stages *stages, struct world *world, struct stage_key key, uint64_t wanted,
                       struct outcome *ret)
{
    memset(ret, 0, sizeof *ret);
    void *answers[ITEMS];
    uint64_t tokens[ITEMS], places[ITEMS];
    uint32_t records[ITEMS];
    for (uint32_t i = 0; i < ITEMS; i++) {
        answers[i] = ret->answers[i];
        tokens[i] = i * 77u;
        places[i] = i * 1000u;
        records[i] = i + (i > 20) + (i > 41); /* frames lie between them */
    }
    stages->hash_names(
        &(struct stage_names){world->count, world->pointers, key, world->index, ret->hashes, ret->buckets});
    struct stage_find find = {.count = world->count,
                              .hashes = ret->hashes,
                              .index = world->index,
                              .arrays = world->arrays,
                              .nowhere = world->nowhere,
                              .ret_ordinals = ret->ordinals,
                              .ret_lines = ret->lines,
                              .ret_tails = ret->tails};
    stages->find(&find);
    ret->found = find.ret_found;
    ret->longer = find.ret_long;
    ret->none = find.ret_none;
    struct stage_look look = {.count = world->count,
                              .wanted = wanted & find.ret_found,
                              .queries = world->pointers,
                              .hashes = ret->hashes,
                              .ordinals = ret->ordinals,
                              .lines = ret->lines,
                              .tails = ret->tails,
                              .profiles = world->profiles,
                              .profile_count = PROFILES,
                              .flags = FLAGS,
                              .record_last = 0x0200000000010001,
                              .ret_states = ret->states,
                              .ret_expected = ret->expected,
                              .ret_lasts = ret->lasts,
                              .tries = {&ret->tries[0], &ret->tries[1], &ret->tries[2]}};
    stages->look(&look);
    ret->straight = look.ret_straight;
    check_run(stages, world, ret);
    stages->record(&(struct stage_record){.count = world->count,
                                          .which = ret->straight,
                                          .queries = world->pointers,
                                          .ordinals = ret->ordinals,
                                          .tokens = tokens,
                                          .places = places,
                                          .lasts = ret->lasts,
                                          .records = records,
                                          .slots = ret->slots[0],
                                          .answers = answers,
                                          .answer = 0x1234});
}

/* What is written of items that do not go the straight way, and beyond the end of the lists, is nobody's. */
static void forget_what_is_nobodys(struct outcome *outcome)
{
    for (int i = 0; i < ITEMS; i++) {
        if (outcome->straight >> i & 1) continue;
        outcome->states[i] = outcome->expected[i] = outcome->lasts[i] = outcome->next[i] = 0;
    }
    for (int a = 0; a < KERNEL_ALGORITHM_COUNT; a++) {
        struct stage_tries *tries = &outcome->tries[a];
        for (uint32_t i = tries->count; i < ITEMS + STAGE_OVERRUN; i++) {
            tries->midstates[i] = NULL;
            tries->steps[i] = tries->codes[i] = tries->digits[i] = tries->items[i] = 0;
        }
    }
}

static void every_kernels_stages_do_what_plain_c_does(void **state)
{
    (void)state;
    static struct world world;
    static struct outcome plain, other;
    const struct kernel *const *kernels;
    size_t kernel_count = kernel_list(&kernels);
    uint64_t items = 0, straight = 0, found = 0, none = 0, ready = 0;
    for (size_t round = 0; round < ROUNDS; round++) {
        struct stage_key key = world_make(&world, round % (ITEMS + 1));
        uint64_t wanted = round % 3 ? UINT64_MAX : random_next(&seed);
        stages_run(&stages_portable, &world, key, wanted, &plain);
        forget_what_is_nobodys(&plain);
        for (size_t k = 0; k < kernel_count; k++) {
            if (kernels[k]->stages == &stages_portable) continue;
            stages_run(kernels[k]->stages, &world, key, wanted, &other);
            forget_what_is_nobodys(&other);
            /* The answers and slots are compared with all else. */
            assert_memory_equal(&other, &plain, sizeof plain);
        }
        items += world.count;
        straight += (unsigned)__builtin_popcountll(plain.straight);
        found += (unsigned)__builtin_popcountll(plain.found);
        none += (unsigned)__builtin_popcountll(plain.none);
        ready += (unsigned)__builtin_popcountll(plain.ready);
    }
    /* Otherwise it would be a comparison of nothing with nothing. */
    assert_true(straight > items / 3 && straight < found && found < items - none && none > 0);
    assert_true(ready > straight / 4 && ready < straight / 2);
}

static void what_goes_the_straight_way_is_recorded_word_by_word(void **state)
{
    (void)state;
    static struct world world;
    static struct outcome outcome;
    const struct kernel *const *kernels;
    size_t kernel_count = kernel_list(&kernels), seen = 0;
    for (size_t k = 0; k < kernel_count; k++) {
        struct stage_key key = world_make(&world, ITEMS);
        stages_run(kernels[k]->stages, &world, key, UINT64_MAX, &outcome);
        for (uint32_t i = 0; i < ITEMS; i++) {
            uint32_t slot = i + (i > 20) + (i > 41);
            uint64_t words[8];
            memcpy(words, outcome.slots[slot], sizeof words);
            if (!(outcome.straight >> i & 1)) {
                assert_true(words[7] == 0 && outcome.answers[i][0] == 0);
                continue;
            }
            const uint64_t *query = world.queries[i], ordinal = outcome.ordinals[i];
            uint64_t state_word = outcome.states[i];
            bool totp = world.profiles[state_word >> 32 & 0xffff] >> STAGE_PROFILE_TOTP & 1;
            assert_true(words[0] == query[0] && words[1] == query[1] && words[2] == i * 77u && words[3] == 0);
            assert_true(words[4] == query[2] && words[5] == (ordinal | ordinal << 32) && words[6] == i * 1000u);
            assert_int_equal(words[7], 0x0200000000010001 | (query[3] >> 48 & 0xff) << 24 |
                                           (totp ? state_word >> 48 & 0xff : 0) << 32);
            assert_true(outcome.answers[i][0] == 0x1234 && outcome.answers[i][1] == slot);
            seen++;
        }
    }
    assert_true(seen > kernel_count * ITEMS / 3);
}

static void a_names_hash_is_the_librarys(void **state)
{
    (void)state;
    uint8_t secret[192], name[16];
    for (int round = 0; round < 2000; round++) {
        random_bytes(&seed, secret, sizeof secret);
        random_bytes(&seed, name, sizeof name);
        assert_int_equal(stage_name_hash(stage_key_of(secret), name),
                         XXH3_64bits_withSecret(name, sizeof name, secret, sizeof secret));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kernels_stages_do_what_plain_c_does),
        cmocka_unit_test(what_goes_the_straight_way_is_recorded_word_by_word),
        cmocka_unit_test(a_names_hash_is_the_librarys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
