#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "helpers.h"
#include "store/schema.h"

/* Every kind of row behind one face. */
struct kind {
    const char *name;
    size_t row_size;
    void (*random)(void *row, uint64_t *random);
    size_t (*encode)(const void *row, uint8_t *ret);
    struct result (*decode)(struct store_bytes value, void *ret_row);
};

static void text_random(char *text, size_t size_max, uint64_t *random)
{
    size_t size = random_next(random) % (size_max + 1);
    if (random_next(random) % 8 == 0) size = size_max;
    memset(text, 0, size_max + 1);
    for (size_t i = 0; i < size; i++) text[i] = (char)(1 + random_next(random) % 255);
}

static void checkpoint_random(void *any, uint64_t *random)
{
    *(struct checkpoint_row *)any = (struct checkpoint_row){.position = random_next(random),
                                                            .incarnation = random_next(random),
                                                            .wall_ms = (int64_t)random_next(random),
                                                            .session_next = random_next(random)};
}

static void profile_random(void *any, uint64_t *random)
{
    struct profile_row *row = any;
    memset(row, 0, sizeof(*row));
    row->id = (uint16_t)random_next(random);
    text_random(row->name, SCHEMA_LABEL_MAX, random);
    row->type = random_next(random) % 2;
    row->algorithm = random_next(random) % 3;
    row->digits = (uint8_t)(6 + random_next(random) % 3);
    row->period_s = (uint32_t)(row->type ? 1 + random_next(random) % 3600 : 0);
    row->t0_s = (int64_t)random_next(random);
    row->window_behind = (uint8_t)random_next(random);
    row->window_ahead = (uint8_t)random_next(random);
    row->look_ahead = (uint8_t)random_next(random);
    row->look_behind = (uint8_t)random_next(random);
    row->resync_window = (uint16_t)random_next(random);
    row->throttle_free = (uint8_t)random_next(random);
    row->throttle_base_s = (uint32_t)random_next(random);
    row->throttle_max_s = (uint32_t)random_next(random);
    row->drift_max = (int8_t)random_next(random);
}

static void token_random(void *any, uint64_t *random)
{
    struct token_row *row = any;
    memset(row, 0, sizeof(*row));
    row->ordinal = (uint32_t)(random_next(random) % 3 << 30 | (random_next(random) & 0x3fffffff));
    for (size_t i = 0; i < 16; i++) row->name[i] = (uint8_t)random_next(random);
    for (size_t i = 0; i < 16; i++) row->fingerprint[i] = (uint8_t)random_next(random);
    row->profile = (uint16_t)random_next(random);
    row->state = (uint8_t)(1 + random_next(random) % 3);
    row->change = (uint32_t)random_next(random);
    row->start_floor = (uint32_t)random_next(random);
    row->drift = (int8_t)random_next(random);
    row->created_ms = (int64_t)random_next(random);
    text_random(row->label, SCHEMA_LABEL_MAX, random);
    if (row->state == TOKEN_REMOVED) return;
    row->sealed_size = (uint16_t)(1 + random_next(random) % SCHEMA_SEALED_SEED_MAX);
    for (size_t i = 0; i < row->sealed_size; i++) row->sealed_seed[i] = (uint8_t)random_next(random);
}

static void account_random(void *any, uint64_t *random)
{
    struct account_row *row = any;
    memset(row, 0, sizeof(*row));
    text_random(row->company, SCHEMA_NAME_MAX, random);
    text_random(row->user, SCHEMA_NAME_MAX, random);
    row->token_count = (uint16_t)(random_next(random) % (SCHEMA_ACCOUNT_TOKENS_MAX + 1));
    for (unsigned i = 0; i < row->token_count; i++) row->tokens[i] = (uint32_t)(random_next(random) % 0xc0000000u);
}

static void fingerprint_random(void *any, uint64_t *random)
{
    struct fingerprint_row *row = any;
    memset(row, 0, sizeof(*row));
    row->ordinal = (uint32_t)(random_next(random) % 0xc0000000u);
    row->live = random_next(random) % 2;
    row->floor = random_next(random);
}

#define KIND(kind)                                                                                                     \
    static size_t kind##_encode(const void *row, uint8_t *ret)                                                         \
    {                                                                                                                  \
        return schema_##kind##_encode(row, ret);                                                                       \
    }                                                                                                                  \
    static struct result kind##_decode(struct store_bytes value, void *ret_row)                                        \
    {                                                                                                                  \
        return schema_##kind##_decode(value, ret_row);                                                                 \
    }
KIND(checkpoint)
KIND(profile)
KIND(token)
KIND(account)
KIND(fingerprint)

#define ENTRY(kind)                                                                                                    \
    {                                                                                                                  \
#kind, sizeof(struct kind##_row), kind##_random, kind##_encode, kind##_decode                                  \
    }
static const struct kind kinds[] = {ENTRY(checkpoint), ENTRY(profile), ENTRY(token), ENTRY(account),
                                    ENTRY(fingerprint)};
enum { KIND_COUNT = sizeof(kinds) / sizeof(kinds[0]), ROW_SIZE_MAX = 1024 };

/* Decodes bytes that end where their allocation does, so that a read past the end is found by the sanitizer. */
static struct result decode_exact(const struct kind *kind, const uint8_t *bytes, size_t size, void *ret_row)
{
    uint8_t *exact = malloc(size ? size : 1);
    memcpy(exact, bytes, size);
    struct result result = kind->decode(bytes_of(exact, size), ret_row);
    free(exact);
    return result;
}

static void every_row_comes_back_as_it_was(void **state)
{
    (void)state;
    uint64_t random = 9;
    for (int i = 0; i < KIND_COUNT; i++) {
        for (int round = 0; round < 2000; round++) {
            _Alignas(16) uint8_t row[ROW_SIZE_MAX], again[ROW_SIZE_MAX];
            uint8_t bytes[SCHEMA_ROW_MAX], bytes_again[SCHEMA_ROW_MAX];
            memset(row, 0, sizeof(row));
            kinds[i].random(row, &random);
            size_t size = kinds[i].encode(row, bytes);
            assert_int_equal(bytes[0], SCHEMA_VERSION);
            memset(again, 0xcc, sizeof(again));
            assert_code(decode_exact(&kinds[i], bytes, size, again), OK);
            assert_int_equal(kinds[i].encode(again, bytes_again), size);
            assert_memory_equal(bytes_again, bytes, size);
            for (size_t k = kinds[i].row_size; k < sizeof(again); k++) assert_int_equal(again[k], 0xcc);
        }
    }
}

/* Damage is refused, or it is another row that is valid: then it encodes to the very bytes that were read. */
static void damaged_check(const struct kind *kind, const uint8_t *bytes, size_t size)
{
    _Alignas(16) uint8_t row[ROW_SIZE_MAX], untouched[ROW_SIZE_MAX];
    uint8_t again[SCHEMA_ROW_MAX];
    memset(row, 0xa5, sizeof(row));
    memset(untouched, 0xa5, sizeof(untouched));
    struct result result = decode_exact(kind, bytes, size, row);
    if (result_failed(result)) {
        assert_code(result, STORE_DAMAGED);
        assert_memory_equal(row, untouched, sizeof(row));
        return;
    }
    assert_int_equal(kind->encode(row, again), size);
    assert_memory_equal(again, bytes, size);
}

static void damaged_rows_are_refused_or_read_for_what_they_say_and_never_crash(void **state)
{
    (void)state;
    uint64_t random = 77;
    for (int i = 0; i < KIND_COUNT; i++) {
        for (int round = 0; round < 4000; round++) {
            _Alignas(16) uint8_t row[ROW_SIZE_MAX] = {0};
            uint8_t bytes[SCHEMA_ROW_MAX];
            kinds[i].random(row, &random);
            size_t size = kinds[i].encode(row, bytes);
            for (uint64_t flips = 1 + random_next(&random) % 3; flips > 0; flips--) {
                bytes[random_next(&random) % size] ^= (uint8_t)(1 << random_next(&random) % 8);
            }
            damaged_check(&kinds[i], bytes, size);
            for (size_t k = 1; k < 40; k++) bytes[random_next(&random) % size] = (uint8_t)random_next(&random);
            damaged_check(&kinds[i], bytes, size);
        }
    }
}

static void a_row_that_is_cut_or_has_bytes_behind_it_is_damaged(void **state)
{
    (void)state;
    uint64_t random = 4;
    for (int i = 0; i < KIND_COUNT; i++) {
        for (int round = 0; round < 20; round++) {
            _Alignas(16) uint8_t row[ROW_SIZE_MAX] = {0};
            uint8_t bytes[SCHEMA_ROW_MAX + 1] = {0};
            kinds[i].random(row, &random);
            size_t size = kinds[i].encode(row, bytes);
            for (size_t cut = 0; cut < size; cut++)
                assert_code(decode_exact(&kinds[i], bytes, cut, row), STORE_DAMAGED);
            bytes[size] = 0;
            assert_code(decode_exact(&kinds[i], bytes, size + 1, row), STORE_DAMAGED);
            bytes[0]++;
            assert_code(decode_exact(&kinds[i], bytes, size, row), STORE_DAMAGED);
        }
    }
}

static void values_that_would_mislead_a_reader_are_damaged(void **state)
{
    (void)state;
    uint64_t random = 1;
    uint8_t bytes[SCHEMA_ROW_MAX];
    struct profile_row profile, profile_again;
    struct token_row token, token_again;
    profile_random(&profile, &random);
    profile.type = 1;
    profile.period_s = 0; /* would be divided by */
    size_t size = schema_profile_encode(&profile, bytes);
    assert_code(schema_profile_decode(bytes_of(bytes, size), &profile_again), STORE_DAMAGED);
    profile.period_s = 30;
    profile.digits = 9;
    size = schema_profile_encode(&profile, bytes);
    assert_code(schema_profile_decode(bytes_of(bytes, size), &profile_again), STORE_DAMAGED);
    do token_random(&token, &random);
    while (token.state == TOKEN_REMOVED);
    token.state = TOKEN_REMOVED; /* with a seed still there */
    size = schema_token_encode(&token, bytes);
    assert_code(schema_token_decode(bytes_of(bytes, size), &token_again), STORE_DAMAGED);
    token.state = TOKEN_ACTIVE;
    token.ordinal = 0xc0000000u; /* a fourth algorithm */
    size = schema_token_encode(&token, bytes);
    assert_code(schema_token_decode(bytes_of(bytes, size), &token_again), STORE_DAMAGED);
}

/* The format is what stores out there are written in: it may not change under the same version. */
static void the_bytes_of_a_fingerprint_row_are_as_they_always_were(void **state)
{
    (void)state;
    static const uint8_t expected[] = {1, 0x44, 0x33, 0x22, 0x11, 1, 8, 7, 6, 5, 4, 3, 2, 1};
    struct fingerprint_row row = {.ordinal = 0x11223344, .live = true, .floor = 0x0102030405060708};
    uint8_t bytes[SCHEMA_ROW_MAX];
    assert_int_equal(schema_fingerprint_encode(&row, bytes), sizeof(expected));
    assert_memory_equal(bytes, expected, sizeof(expected));
}

/* Rows of before there were exchanges end with the suite; a byte behind it says "mutual" and nothing else. */
static void a_profile_s_mode_is_a_byte_that_is_there_or_not(void **state)
{
    (void)state;
    uint8_t bytes[SCHEMA_ROW_MAX];
    struct profile_row again, row = {.type = 2, .digits = 6, .suite = "OCRA-1:HOTP-SHA1-6:QN08", .name = "p"};
    size_t plain = schema_profile_encode(&row, bytes);
    assert_code(schema_profile_decode(bytes_of(bytes, plain), &again), OK);
    assert_false(again.mutual);
    row.mutual = true;
    size_t mutual = schema_profile_encode(&row, bytes);
    assert_int_equal(mutual, plain + 1);
    assert_code(schema_profile_decode(bytes_of(bytes, mutual), &again), OK);
    assert_true(again.mutual);
    bytes[mutual] = 0;
    assert_code(schema_profile_decode(bytes_of(bytes, mutual + 1), &again), STORE_DAMAGED);
    for (unsigned other = 0; other < 4; other++) {
        if (other == 1) continue;
        bytes[plain] = (uint8_t)other;
        assert_code(schema_profile_decode(bytes_of(bytes, mutual), &again), STORE_DAMAGED);
    }
    /* Of codes it says nothing. */
    row.type = 0, row.suite[0] = 0;
    size_t codes = schema_profile_encode(&row, bytes);
    assert_code(schema_profile_decode(bytes_of(bytes, codes), &again), OK);
    assert_false(again.mutual);
    bytes[codes] = 1;
    assert_code(schema_profile_decode(bytes_of(bytes, codes + 1), &again), STORE_DAMAGED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_profile_s_mode_is_a_byte_that_is_there_or_not),
        cmocka_unit_test(every_row_comes_back_as_it_was),
        cmocka_unit_test(damaged_rows_are_refused_or_read_for_what_they_say_and_never_crash),
        cmocka_unit_test(a_row_that_is_cut_or_has_bytes_behind_it_is_damaged),
        cmocka_unit_test(values_that_would_mislead_a_reader_are_damaged),
        cmocka_unit_test(the_bytes_of_a_fingerprint_row_are_as_they_always_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
