/* Recorded traffic, to be sent again from accounts of our own: which of them was asked when, together with whom, and
 * what became of it. Read from segments of a journal, or from JSON lines of `otpring-log export`. What is read is
 * handles, times and verdicts: neither a store nor a key is opened, so no seed of a real user comes near. Accounts and
 * sources are numbered in the order in which they come.
 *
 * Input may be hostile: what is no record is passed over and counted. Memory: 16 bytes an attempt, and 24 a frame. */
#ifndef OTPRING_LOAD_TRAFFIC_H
#define OTPRING_LOAD_TRAFFIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "otpring/verdict.h"

/* What must be sent for the same verdict. */
enum traffic_kind {
    TRAFFIC_RIGHT,     /* ACCEPTED */
    TRAFFIC_USED,      /* REPLAYED */
    TRAFFIC_FAR,       /* RESYNC */
    TRAFFIC_WRONG,     /* REJECTED; THROTTLED, as long as the account is locked here too */
    TRAFFIC_DIGITS,    /* REJECTED for another number of digits */
    TRAFFIC_NOBODY,    /* UNKNOWN, also where the client was told REJECTED */
    TRAFFIC_INACTIVE,  /* INACTIVE */
    TRAFFIC_MALFORMED, /* MALFORMED */
    TRAFFIC_REQUIRED,  /* REQUIRED: the question whether a code is needed */
    TRAFFIC_KIND_COUNT
};

struct traffic_item {
    uint32_t account; /* of its kind: with tokens, suspended (INACTIVE), none (NOBODY) */
    uint32_t source;  /* number + 1; 0: none was known */
    uint8_t kind;     /* enum traffic_kind */
    uint8_t verdict;  /* as recorded */
    uint8_t source_class;
    uint8_t reserved[5];
};
_Static_assert(sizeof(struct traffic_item) == 16, "a hundred million of them fit into memory");

/* What was asked in one request. */
struct traffic_frame {
    int64_t time_ms;
    uint64_t first; /* item */
    uint32_t count;
};

struct traffic {
    struct traffic_item *items;
    size_t item_count;
    struct traffic_frame *frames;
    size_t frame_count;
    uint32_t account_count; /* with tokens */
    uint32_t suspended_count;
    uint32_t nobody_count;
    uint32_t greatest_frame; /* items */
    uint64_t unavailable;    /* attempts that nobody judged: not sent */
    uint64_t unlike;         /* attempts of which accounts of our own can make no like: not sent */
    uint64_t damaged;        /* blocks or lines that could not be read */
    char error[320];
};

/* path: a folder of segments, a store (its folder `journal`), a file of JSON lines, or "-". 0, or -1 with error. */
int traffic_read(const char *path, struct traffic *ret_traffic);
void traffic_free(struct traffic *traffic);

/* For the two readers: one attempt more; `begins` a request. -1: no memory. */
struct traffic_making;
struct traffic_record {
    uint8_t name[16];
    uint64_t source;
    int64_t time_ms;
    uint8_t verdict;
    uint8_t reason;
    uint8_t method;
    uint8_t source_class;
    bool begins;
};
int traffic_add(struct traffic_making *making, const struct traffic_record *record);
void traffic_damaged(struct traffic_making *making);
int traffic_read_journal(struct traffic_making *making, const char *folder, char *ret_error, size_t capacity);
int traffic_read_lines(struct traffic_making *making, const char *path, char *ret_error, size_t capacity);

#endif
