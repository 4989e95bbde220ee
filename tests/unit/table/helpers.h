/* Tokens with bytes that a test can recognise. */
#ifndef TESTS_UNIT_TABLE_HELPERS_H
#define TESTS_UNIT_TABLE_HELPERS_H

#include "table/table.h"

/* A name that depends on the number alone, and another for every number. */
void name_make(uint64_t number, uint8_t ret_name[TABLE_NAME_SIZE]);
/* The midstates of a number: every 8 bytes are different, none is zero. */
void midstates_make(uint64_t number, uint8_t ret_midstates[KERNEL_SHA512_MIDSTATES]);
/* True when these are the midstates of that number; false too when they are wiped. */
bool midstates_are(const struct table_hit *hit, uint64_t number);

enum probed { PROBED_NONE, PROBED_ONE, PROBED_MANY };

/* table_find by hash, probe and line, as a pipeline does it; what the probe said is in *ret_probed. */
unsigned find_in_stages(const struct table *table, const struct kernel_stages *stages,
                        const uint8_t name[TABLE_NAME_SIZE], struct table_hit ret_hits[TABLE_ACCOUNT_TOKENS_MAX],
                        enum probed *ret_probed);

struct table *table_make(uint32_t lines_max, uint64_t names_expected);

/* Inserts line `line` under the name of `account`, with the midstates and words of its ordinal. */
struct result token_insert(struct table *table, uint64_t account, enum kernel_algorithm algorithm, uint32_t line,
                           uint8_t flags);

/* A small generator, the same in every run. */
uint64_t random_next(uint64_t *state);

#endif
