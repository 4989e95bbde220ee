/* The rows of the store: how each is laid out in bytes. Little-endian inside values; every row begins with its layout
 * version (1). Strings are a 2-byte size and UTF-8 bytes. A row is put together and taken apart here alone. Hostile
 * input: a row may be damaged (STORE_DAMAGED), never trusted. Any thread. */
#ifndef OTPRING_STORE_SCHEMA_H
#define OTPRING_STORE_SCHEMA_H

#include "store/store.h"

enum {
    SCHEMA_VERSION = 1,
    SCHEMA_NAME_MAX = 255, /* bytes of a company's or a user's full name */
    SCHEMA_LABEL_MAX = 63,
    SCHEMA_SUITE_MAX = 47, /* bytes of an OCRA suite */
    SCHEMA_SEALED_SEED_MAX = 128 + 28,
    SCHEMA_ROW_MAX = 2048,
    SCHEMA_WORDS_PER_BLOCK = 4096,  /* tokens a block of STORE_WORDS: 16 bytes each: token word, budget word */
    SCHEMA_ACCOUNT_TOKENS_MAX = 64, /* all lines an account ever had, removed ones too */
};

/* Keys of STORE_META (text, no NUL): */
#define META_STORE_ID "store-id"     /* 16 bytes */
#define META_KEYS "keys"             /* the vault's sealed key row */
#define META_PLACE "place"           /* 64 bytes: where the store was last served */
#define META_CHECKPOINT "checkpoint" /* struct checkpoint_row */
#define META_ADMIN_POSITION "admin"  /* u64 journal position through which administrative records are applied */
#define META_LINES "lines"           /* 3 x u32: lines ever given out, by algorithm */
#define META_POLICY "policy"         /* u16: policy version */
#define META_RESTORED "restored"     /* present: restored from a backup, not yet taken over */
#define META_CLIENT "client:%04x"    /* by the id in records: the name last configured for it */

struct checkpoint_row {
    uint64_t position;     /* P: every record at or below it is in the store */
    uint64_t incarnation;  /* of the writer that made it */
    int64_t wall_ms;       /* journal time then */
    uint64_t session_next; /* greatest session number given out + 1 */
};

struct profile_row {
    uint16_t id;
    char name[SCHEMA_LABEL_MAX + 1];
    uint8_t type;      /* enum otp_type */
    uint8_t algorithm; /* enum kernel_algorithm */
    uint8_t digits;    /* OCRA: of a response; 0: not truncated */
    uint32_t period_s; /* OCRA: length of a time step; 0: a suite without time */
    int64_t t0_s;
    uint8_t window_behind;            /* TOTP, OCRA with time: steps back that are accepted; default 1 */
    uint8_t window_ahead;             /* the same: steps ahead; default 1 */
    uint8_t look_ahead;               /* HOTP, OCRA with a counter: steps past the floor; default 10 */
    uint8_t look_behind;              /* the same: used steps that are still told REPLAYED; default 1 */
    uint16_t resync_window;           /* steps searched for a far code; default HOTP 100, TOTP 20; 0: never */
    uint8_t throttle_free;            /* failures without delay; default 5 */
    uint32_t throttle_base_s;         /* delay after the first failure beyond; doubles with each; default 2 */
    uint32_t throttle_max_s;          /* default 900 */
    int8_t drift_max;                 /* greatest learned drift, steps; default 3 for TOTP */
    char suite[SCHEMA_SUITE_MAX + 1]; /* OCRA alone: it says algorithm, digits and period, which stand above too */
    bool mutual; /* OCRA alone: its tokens answer exchanges of mutual mode, of which the engine computes the server's
                    response, and nothing else */
};

enum token_state {
    TOKEN_ACTIVE = 1,
    TOKEN_SUSPENDED = 2,
    TOKEN_REMOVED = 3,
    TOKEN_UNSYNCED = 4, /* suspended by a restore: its floor is not known; resynchronised before it can be resumed */
};

struct token_row {
    uint32_t ordinal;
    uint8_t name[16];
    uint16_t profile;
    uint8_t state;        /* enum token_state */
    bool first;           /* the account's first line, which holds its budget, for as long as the account exists */
    uint32_t change;      /* the token word's change count that this state belongs to */
    uint32_t start_floor; /* the floor at enrolment */
    int8_t drift;
    int64_t created_ms;
    uint8_t fingerprint[16];
    char label[SCHEMA_LABEL_MAX + 1];
    uint16_t sealed_size; /* 0 when removed */
    uint8_t sealed_seed[SCHEMA_SEALED_SEED_MAX];
};

struct account_row {
    char company[SCHEMA_NAME_MAX + 1];
    char user[SCHEMA_NAME_MAX + 1];
    uint16_t token_count;
    uint32_t tokens[SCHEMA_ACCOUNT_TOKENS_MAX]; /* ordinals, first line first */
};

struct fingerprint_row {
    uint32_t ordinal; /* the live or last token with this seed */
    bool live;
    uint64_t floor; /* after removal: where a new line must start */
};

/* Encoders write into ret (SCHEMA_ROW_MAX bytes) and give the size; decoders check everything. */
size_t schema_checkpoint_encode(const struct checkpoint_row *row, uint8_t *ret);
struct result schema_checkpoint_decode(struct store_bytes value, struct checkpoint_row *ret_row) MUST_USE;
size_t schema_profile_encode(const struct profile_row *row, uint8_t *ret);
struct result schema_profile_decode(struct store_bytes value, struct profile_row *ret_row) MUST_USE;
size_t schema_token_encode(const struct token_row *row, uint8_t *ret);
struct result schema_token_decode(struct store_bytes value, struct token_row *ret_row) MUST_USE;
size_t schema_account_encode(const struct account_row *row, uint8_t *ret);
struct result schema_account_decode(struct store_bytes value, struct account_row *ret_row) MUST_USE;
size_t schema_fingerprint_encode(const struct fingerprint_row *row, uint8_t *ret);
struct result schema_fingerprint_decode(struct store_bytes value, struct fingerprint_row *ret_row) MUST_USE;

#endif
