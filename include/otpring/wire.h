/* The wire: frames over verify.sock, ask.sock and admin.sock (Unix stream sockets), version 1. PROTOCOL.md is the page
 * to read.
 *
 * All integers little-endian; reserved bytes and bits zero (else WIRE_RESERVED_SET). Every frame begins with a 32-byte
 * header. */
#ifndef OTPRING_WIRE_H
#define OTPRING_WIRE_H

#include <stdint.h>

enum {
    OTPRING_WIRE_VERSION = 1,
    OTPRING_WIRE_ITEMS_MAX = 4096,                /* items of one frame */
    OTPRING_WIRE_FRAME_SIZE_MAX = 32 + 4096 * 40, /* bytes of one frame on verify.sock */
    OTPRING_WIRE_ADMIN_SIZE_MAX = 4 << 20,        /* bytes of one frame on admin.sock */
    OTPRING_WIRE_SLOTS_MAX = 1024,                /* slots of one session */
    OTPRING_WIRE_QUESTIONS_MAX = 256,             /* items of one frame on ask.sock */
    OTPRING_WIRE_ASK_SIZE_MAX = 1 << 20,          /* bytes of one frame to the daemon on ask.sock */
    OTPRING_WIRE_ASK_ANSWER_SIZE_MAX = 4 << 20,   /* bytes of one frame from it */
};

enum otpring_wire_kind {
    OTPRING_WIRE_HELLO = 1,            /* struct otpring_wire_hello; first frame of a connection; count 0 */
    OTPRING_WIRE_HELLO_ANSWER = 2,     /* struct otpring_wire_hello_answer */
    OTPRING_WIRE_VERIFY = 3,           /* count x struct otpring_wire_query */
    OTPRING_WIRE_VERIFY_ANSWER = 4,    /* count x struct otpring_wire_answer, in the order of the queries */
    OTPRING_WIRE_RESYNC = 5,           /* count x struct otpring_wire_pair */
    OTPRING_WIRE_RESYNC_ANSWER = 6,    /* count x struct otpring_wire_answer */
    OTPRING_WIRE_ERROR = 7,            /* struct otpring_wire_error; the connection closes after it */
    OTPRING_WIRE_ADMIN = 8,            /* admin.sock: JSON text (UTF-8) after the header; count 0 */
    OTPRING_WIRE_ADMIN_ANSWER = 9,     /* admin.sock: JSON text */
    OTPRING_WIRE_PING = 10,            /* header alone */
    OTPRING_WIRE_PONG = 11,            /* header alone */
    OTPRING_WIRE_QUESTION = 12,        /* ask.sock: JSON text; count: its items */
    OTPRING_WIRE_QUESTION_ANSWER = 13, /* ask.sock: JSON text */
    OTPRING_WIRE_QUESTION_EVENT = 14,  /* ask.sock: JSON text, unasked: a challenge was closed; count 0 */
    OTPRING_WIRE_OCRA = 20,            /* count x struct otpring_wire_ocra with what follows each */
    OTPRING_WIRE_OCRA_ANSWER = 21,     /* count x struct otpring_wire_answer */
};

struct otpring_wire_header {
    uint32_t size;    /* of the whole frame, header included */
    uint16_t kind;    /* enum otpring_wire_kind */
    uint16_t count;   /* items */
    uint64_t tag;     /* the caller's; comes back in the answer */
    uint64_t session; /* from the hello answer; 0 in HELLO, ADMIN, PING */
    uint32_t
        sequence; /* VERIFY, RESYNC, OCRA: of the slot; first is 1, then +1 for each new frame, unchanged for a retry */
    uint16_t slot; /* VERIFY, RESYNC, OCRA: 0 to slots - 1 */
    uint16_t reserved;
};
_Static_assert(sizeof(struct otpring_wire_header) == 32, "a frame header is 32 bytes");

struct otpring_wire_hello {
    uint16_t version_min;
    uint16_t version_max;
    uint16_t slots;     /* wished, 1 to 1024; 0: 16 */
    uint16_t items_max; /* wished items a frame, 1 to 4096; 0: 1024 */
    uint64_t session;   /* one to go on with, or 0 for a new one */
    uint8_t reserved[16];
};
_Static_assert(sizeof(struct otpring_wire_hello) == 32, "hello is 32 bytes");

struct otpring_wire_hello_answer {
    uint16_t version;
    uint16_t slots;     /* granted */
    uint16_t items_max; /* granted */
    uint16_t resumed;   /* 1: the session asked for goes on; 0: a new one */
    uint64_t session;
    uint32_t idle_timeout_s; /* the session is forgotten after this long without a frame */
    uint32_t kinds;          /* bit n: frame kind n may be sent by this client */
    uint64_t server_time_ms;
};
_Static_assert(sizeof(struct otpring_wire_hello_answer) == 32, "the hello answer is 32 bytes");

enum otpring_query_kind {
    OTPRING_QUERY_CODE = 1,
    OTPRING_QUERY_REQUIRED = 2, /* in VERIFY: may this user pass without a code? code and digits are 0 */
    OTPRING_QUERY_OCRA = 3,     /* in OCRA: a response to a challenge (RFC 6287); code and digits are 0 */
};

struct otpring_wire_query {
    uint8_t company[8]; /* first 8 bytes of SHA-256(company) */
    uint8_t account[8]; /* first 8 bytes of SHA-256(company, 0x00, user) */
    uint64_t source; /* hash of where the user came from (address, device), for the log and for finding guessers; 0: not
                        known */
    uint32_t code;   /* the digits read as a decimal number */
    uint8_t digits;  /* how many were typed: 6, 7, 8 */
    uint8_t kind;    /* enum otpring_query_kind */
    uint8_t
        source_class; /* 0: unknown source; 1: a source this account succeeded from before: has a throttle of its own */
    uint8_t flags;    /* 0 */
};
_Static_assert(sizeof(struct otpring_wire_query) == 32, "a query is 32 bytes");

/* Resynchronisation: two adjacent codes, the first in query.code. */
struct otpring_wire_pair {
    struct otpring_wire_query query;
    uint32_t code_next;
    uint32_t reserved;
};
_Static_assert(sizeof(struct otpring_wire_pair) == 40, "a pair is 40 bytes");

/* A response to a challenge. Behind it, without gaps: the response as it was typed, the first challenge, the second
 * one, the PIN's hash, the session information; then zeros up to `size`. */
struct otpring_wire_ocra {
    struct otpring_wire_query query;
    uint16_t size;             /* of the item, all that follows included: a multiple of 8 */
    uint8_t response_size;     /* 4 to 128 characters */
    uint8_t question_sizes[2]; /* 4 to 64 characters; the second one 0 but in mutual mode */
    uint8_t pin_hash_size;     /* 0, 20, 32 or 64 bytes */
    uint16_t session_size;     /* 0 to 999 bytes */
};
_Static_assert(sizeof(struct otpring_wire_ocra) == 40, "the head of an OCRA item is 40 bytes");

enum { OTPRING_WIRE_OCRA_SIZE_MAX = 1360 /* of one item */ };

struct otpring_wire_answer {
    uint8_t verdict; /* enum otpring_verdict */
    uint8_t reason;  /* enum otpring_reason */
    uint16_t reserved;
    uint32_t retry_after_s; /* THROTTLED: seconds; else 0 */
    uint64_t record;        /* where it stands in the replay log: block position << 14 | slot index; 0: UNAVAILABLE */
};
_Static_assert(sizeof(struct otpring_wire_answer) == 16, "an answer is 16 bytes");

struct otpring_wire_error {
    uint16_t code;   /* enum otpring_wire_error_code */
    uint16_t kind;   /* of the frame at fault */
    uint32_t offset; /* byte of the frame at fault */
    uint64_t reserved;
};
_Static_assert(sizeof(struct otpring_wire_error) == 16, "an error is 16 bytes");

enum otpring_wire_error_code {
    OTPRING_ERROR_SIZE = 1, /* size does not fit kind and count, or is past the limit */
    OTPRING_ERROR_KIND = 2, /* unknown, or not from clients */
    OTPRING_ERROR_VERSION = 3,
    OTPRING_ERROR_RESERVED = 4,
    OTPRING_ERROR_NO_HELLO = 5,
    OTPRING_ERROR_TOO_MANY = 6, /* more items than granted, or none */
    OTPRING_ERROR_NO_RIGHT = 7,
    OTPRING_ERROR_SESSION =
        8, /* expired, or not of this client: begin a new one; frames without answer are undecided for ever */
    OTPRING_ERROR_SLOT = 9,
    OTPRING_ERROR_SEQUENCE = 10,
    OTPRING_ERROR_CHANGED_CONTENT = 11,
    OTPRING_ERROR_LIMIT = 12,   /* connections or sessions exhausted */
    OTPRING_ERROR_TIMEOUT = 13, /* half a frame for too long */
};

#endif
