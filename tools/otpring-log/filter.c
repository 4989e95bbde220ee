#include "filter.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acts.h"
#include "core/core.h"
#include "journal/index.h"
#include "names.h"

enum { WORD_MAX = 64 };

struct name_filter name_filter_of(const char *company, const char *user)
{
    struct name_filter filter = {.size = 0};
    uint8_t hash[32];
    if (!company) return filter;
    vault_sha256(company, strlen(company), hash);
    memcpy(filter.name, hash, 8);
    filter.size = 8;
    if (!user) return filter;
    char both[1024];
    int size = snprintf(both, sizeof both, "%s%c%s", company, 0, user);
    /* Longer names than the engine takes fit no record. */
    if (size < 0 || size >= (int)sizeof both) size = 0;
    vault_sha256(both, (size_t)size, hash);
    memcpy(filter.name + 8, hash, 8);
    filter.size = 16;
    return filter;
}

void filter_init(struct record_filter *filter)
{
    *filter = (struct record_filter){.since_ms = INT64_MIN, .until_ms = INT64_MAX};
}

/* ---- values as typed ---- */

bool filter_number(const char *text, uint64_t *ret_number)
{
    char *end;
    if (!isdigit((unsigned char)*text)) return false;
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    if (errno != 0 || *end) return false;
    *ret_number = number;
    return true;
}

/* The next word of a list; NULL when one is too long or empty, and at the end (*at is NULL then). */
static const char *next_word(const char **at, char word[WORD_MAX])
{
    size_t size = strcspn(*at, ",");
    if (size == 0 || size >= WORD_MAX) return NULL;
    memcpy(word, *at, size);
    word[size] = 0;
    *at = (*at)[size] ? *at + size + 1 : NULL;
    return word;
}

static uint32_t verdict_bits(const char *word)
{
    if (strcasecmp(word, "refused") == 0) return ((2u << OTPRING_MALFORMED) - 1) & ~3u;
    for (unsigned verdict = OTPRING_ACCEPTED; verdict < OTPRING_VERDICT_COUNT; verdict++)
        if (strcasecmp(word, otpring_verdict_name(verdict)) == 0) return 1u << verdict;
    return 0;
}

bool filter_verdicts(struct record_filter *filter, const char *text)
{
    char word[WORD_MAX];
    while (text) {
        if (!next_word(&text, word) || verdict_bits(word) == 0) return false;
        filter->verdicts |= verdict_bits(word);
    }
    return true;
}

bool filter_acts(struct record_filter *filter, const char *text)
{
    char word[WORD_MAX];
    while (text) {
        unsigned act;
        if (!next_word(&text, word)) return false;
        if (strcasecmp(word, "all") == 0) {
            filter->acts = UINT64_MAX;
            filter->all_acts = true;
        } else if (act_number(word, &act) && act < FILTER_ACTS) {
            filter->acts |= 1ULL << act;
        } else {
            return false;
        }
    }
    return true;
}

bool filter_client(struct record_filter *filter, const char *text)
{
    if (filter->client_count == FILTER_LIST_MAX || !*text) return false;
    filter->clients[filter->client_count++] = text;
    return true;
}

static bool hex_number(const char *text, size_t digits, uint64_t *ret_number)
{
    uint64_t number = 0;
    if (strlen(text) != digits) return false;
    for (; *text; text++) {
        if (!isxdigit((unsigned char)*text)) return false;
        number = number << 4 | (uint64_t)(isdigit((unsigned char)*text) ? *text - '0' : (*text | 32) - 'a' + 10);
    }
    *ret_number = number;
    return true;
}

bool filter_source(struct record_filter *filter, const char *text)
{
    if (filter->source_count == FILTER_LIST_MAX) return false;
    return hex_number(text, 16, &filter->sources[filter->source_count++]);
}

bool filter_token(struct record_filter *filter, const char *text)
{
    uint64_t number;
    if (!filter_number(text, &number) || number >= UINT32_MAX) return false;
    filter->token = (uint32_t)number;
    filter->token_given = true;
    return true;
}

bool filter_account(struct record_filter *filter, const char *text)
{
    size_t size = strlen(text) / 2;
    if (strlen(text) % 2 || (size != 8 && size != 16)) return false;
    for (size_t i = 0; i < size; i++) {
        char digits[3] = {text[2 * i], text[2 * i + 1], 0};
        uint64_t byte;
        if (!hex_number(digits, 2, &byte)) return false;
        filter->name.name[i] = (uint8_t)byte;
    }
    filter->name.size = (unsigned)size;
    return true;
}

void filter_finish(struct record_filter *filter)
{
    if (filter->company) filter->name = name_filter_of(filter->company, filter->user);
    for (unsigned i = 0; i < filter->client_count; i++) {
        uint64_t id;
        filter->client_ids[i] = client_id_of_name(filter->clients[i]);
        if (hex_number(filter->clients[i], 4, &id) && client_name((uint16_t)id)) filter->client_ids[i] = (uint16_t)id;
        if (hex_number(filter->clients[i], 4, &id) && !client_name(filter->client_ids[i]))
            filter->client_ids[i] = (uint16_t)id;
    }
}

/* ---- records ---- */

bool filter_block(const struct record_filter *filter, const struct journal_block_header *header)
{
    if (header->position < filter->from_position) return false;
    if (filter->to_position && header->position > filter->to_position) return false;
    return header->time_ms >= filter->since_ms && header->time_ms < filter->until_ms;
}

static bool client_fits(const struct record_filter *filter, uint16_t client)
{
    for (unsigned i = 0; i < filter->client_count; i++)
        if (filter->client_ids[i] == client) return true;
    return filter->client_count == 0;
}

static bool source_fits(const struct record_filter *filter, uint64_t source)
{
    for (unsigned i = 0; i < filter->source_count; i++)
        if (filter->sources[i] == source) return true;
    return filter->source_count == 0;
}

bool filter_verify(const struct record_filter *filter, const struct slot_verify *verify)
{
    if (filter->verdicts ? !(filter->verdicts >> (verify->verdict & 31) & 1) : filter->acts != 0) return false;
    if (memcmp(filter->name.name, verify->name, filter->name.size) != 0) return false;
    if (filter->token_given && verify->ordinal != filter->token) return false;
    return client_fits(filter, verify->client) && source_fits(filter, verify->source);
}

bool filter_act(const struct record_filter *filter, const struct slot_act *act)
{
    if (filter->acts) {
        if (act->act >= FILTER_ACTS ? !filter->all_acts : !(filter->acts >> act->act & 1)) return false;
    } else if (filter->verdicts || filter->client_count || filter->source_count) {
        return false;
    }
    if (memcmp(filter->name.name, act->name, filter->name.size) != 0) return false;
    return !filter->token_given || (act_about_token(act) && act->ordinal == filter->token);
}

bool filter_own(const struct record_filter *filter)
{
    bool narrowed = filter->name.size || filter->token_given || filter->verdicts || filter->acts ||
                    filter->client_count || filter->source_count;
    return filter->own && !narrowed;
}

void filter_to_scan(const struct record_filter *filter, struct scan_options *scan)
{
    scan->from_position = filter->from_position;
    scan->to_position = filter->to_position;
    scan->since_ms = filter->since_ms;
    scan->until_ms = filter->until_ms;
    scan->key_count = filter->name.size ? 1 : 0;
    if (filter->name.size) scan->keys[0] = index_key(filter->name.name, filter->name.size);
    scan->kinds = 0;
    if (filter->verdicts || filter->acts)
        scan->kinds = (filter->verdicts & 0xffff) | (filter->acts ? (uint32_t)INDEX_KIND_ACT : 0);
}
