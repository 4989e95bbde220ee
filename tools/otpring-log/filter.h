/* Which records are wanted: by account, token, verdict, client, source, act, position and time. One thread makes it,
 * any may ask it. */
#ifndef TOOLS_OTPRING_LOG_FILTER_H
#define TOOLS_OTPRING_LOG_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "journal/journal.h"
#include "journal/scan.h"

/* What an account's records are named by: 8 bytes of SHA-256(company), 8 of SHA-256(company 00 user). */
struct name_filter {
    uint8_t name[16];
    unsigned size; /* bytes of it that must fit: 0, 8 or 16 */
};
struct name_filter name_filter_of(const char *company, const char *user);

enum { FILTER_LIST_MAX = 16, FILTER_ACTS = 64 };

struct record_filter {
    const char *company; /* as typed */
    const char *user;
    struct name_filter name;
    bool token_given;
    uint32_t token;                       /* ordinal */
    uint32_t verdicts;                    /* a bit each; 0: not given */
    uint64_t acts;                        /* a bit for each kind below FILTER_ACTS; 0: not given */
    bool all_acts;                        /* those with greater numbers too */
    const char *clients[FILTER_LIST_MAX]; /* as typed: names, or ids of four hex digits */
    uint16_t client_ids[FILTER_LIST_MAX];
    unsigned client_count;
    uint64_t sources[FILTER_LIST_MAX];
    unsigned source_count;
    bool own; /* the journal's own records too */
    uint64_t from_position;
    uint64_t to_position; /* 0: no end */
    int64_t since_ms;
    int64_t until_ms; /* this moment not included */
};

void filter_init(struct record_filter *filter);

/* Values as typed; lists are separated by commas. False: not a valid one. */
bool filter_verdicts(struct record_filter *filter, const char *text);
bool filter_acts(struct record_filter *filter, const char *text);
bool filter_client(struct record_filter *filter, const char *text);
bool filter_source(struct record_filter *filter, const char *text);
bool filter_token(struct record_filter *filter, const char *text);
bool filter_number(const char *text, uint64_t *ret_number);
/* An account as records show it: 32 hex digits, or the company's 16. */
bool filter_account(struct record_filter *filter, const char *text);
/* Once everything was given: names to hashes, clients to ids (names.h is loaded). */
void filter_finish(struct record_filter *filter);

bool filter_block(const struct record_filter *filter, const struct journal_block_header *header);
bool filter_verify(const struct record_filter *filter, const struct slot_verify *verify);
bool filter_act(const struct record_filter *filter, const struct slot_act *act);
bool filter_own(const struct record_filter *filter);

/* What the scanner may pass over for it. */
void filter_to_scan(const struct record_filter *filter, struct scan_options *scan);

#endif
