#include "helpers.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "os/arena.h"

uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void name_make(uint64_t number, uint8_t ret_name[TABLE_NAME_SIZE])
{
    uint64_t state = number;
    store_le64(ret_name, number % 7); /* few companies, as in life */
    store_le64(ret_name + 8, random_next(&state));
}

void midstates_make(uint64_t number, uint8_t ret_midstates[KERNEL_SHA512_MIDSTATES])
{
    uint64_t state = ~number;
    for (int i = 0; i < KERNEL_SHA512_MIDSTATES; i += 8) store_le64(ret_midstates + i, random_next(&state) | 1);
}

bool midstates_are(const struct table_hit *hit, uint64_t number)
{
    uint8_t expected[KERNEL_SHA512_MIDSTATES];
    midstates_make(number, expected);
    return memcmp(hit->midstates, expected, kernel_midstates_size(table_algorithm(hit->ordinal))) == 0;
}

unsigned find_in_stages(const struct table *table, const struct kernel_stages *stages,
                        const uint8_t name[TABLE_NAME_SIZE], struct table_hit ret_hits[TABLE_ACCOUNT_TOKENS_MAX],
                        enum probed *ret_probed)
{
    /* Eight of the same, for stages that have vectors of so many. */
    enum { SAME = 8 };
    const void *names[SAME], *addresses[SAME];
    uint64_t hashes[SAME];
    struct table_probes probes;
    for (int i = 0; i < SAME; i++) names[i] = name;
    table_hash_batch(table, stages, names, SAME, hashes, addresses);
    table_probe_batch(table, stages, hashes, SAME, &probes);
    bool one = probes.one >> (SAME - 1) & 1, many = probes.many >> (SAME - 1) & 1;
    struct table_hit hit = table_probe_hit(&probes, SAME - 1);
    if ((probes.one | probes.many) >> SAME || (one && many)) abort();
    *ret_probed = many ? PROBED_MANY : one ? PROBED_ONE : PROBED_NONE;
    if (!one && !many) return 0;
    if (many || !table_hit_is(&hit, hashes[0])) return table_find_hash(table, hashes[0], ret_hits);
    ret_hits[0] = hit;
    return 1;
}

struct table *table_make(uint32_t lines_max, uint64_t names_expected)
{
    struct table *table;
    struct table_options options = {.lines_max = {lines_max, lines_max, lines_max}, .names_expected = names_expected};
    memset(options.secret, 0x5a, sizeof(options.secret));
    arena_allow_unlocked(true);
    if (result_failed(table_create(&options, &table))) abort();
    return table;
}

struct result token_insert(struct table *table, uint64_t account, enum kernel_algorithm algorithm, uint32_t line,
                           uint8_t flags)
{
    uint8_t midstates[KERNEL_SHA512_MIDSTATES];
    struct table_token token = {.ordinal = table_ordinal(algorithm, line),
                                .midstates = midstates,
                                .token = token_word(line + 1, 7),
                                .budget = budget_word(line + 2, 3, 4, 5),
                                .profile = (uint16_t)(line % 1000),
                                .drift = -3,
                                .flags = flags};
    struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX];
    name_make(account, token.name);
    if (table_find(table, token.name, hits) == 0) token.flags |= TABLE_FIRST;
    midstates_make(token.ordinal, midstates);
    return table_insert(table, &token);
}
