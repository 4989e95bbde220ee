/* What a journal block is made of, on disk, little-endian. FORMAT.md is the page to read; this is its C side.
 *
 * A block: one 64-byte header, then slot_count slots of 64 bytes, zero-padded to a multiple of 4096 bytes. It is valid
 * when its magic, version, both checksums (XXH3-64), position, incarnation and predecessor are what the place expects.
 * The last byte of every slot that begins a record is its kind. */
#ifndef OTPRING_JOURNAL_SLOTS_H
#define OTPRING_JOURNAL_SLOTS_H

#include <stdint.h>

enum {
    JOURNAL_FORMAT_VERSION = 2,
    JOURNAL_SLOT_SIZE = 64,
    JOURNAL_BLOCK_ALIGNMENT = 4096,
    JOURNAL_BLOCK_MAGIC = 0x4252544f, /* "OTRB" */
    JOURNAL_SLOTS_MAX = 16383,        /* of a block: header and slots make 1 MiB */
    JOURNAL_DEPTH_LIMIT = 64,         /* blocks begun or in flight in all */
    JOURNAL_BLOCK_SIZE_MAX = 1 << 20,
};

struct journal_block_header {
    uint32_t magic;
    uint16_t version;
    uint16_t slot_count;
    uint64_t position;          /* 1, 2, 3 ... without a gap through all segments */
    uint64_t incarnation;       /* of the writing run; rises with every start */
    uint64_t committed_through; /* every position up to here was durable when this block got its own */
    int64_t time_ms;            /* journal time of the turn; never falls */
    uint64_t predecessor;       /* header_checksum of position - 1; 0 for position 1 */
    uint64_t body_checksum;     /* of all slots */
    uint64_t header_checksum;   /* of the 56 bytes before it */
};
_Static_assert(sizeof(struct journal_block_header) == 64, "a block header is one slot");

enum journal_slot_kind {
    SLOT_FRAME = 1,      /* struct slot_frame; item_count verification slots follow */
    SLOT_VERIFY = 2,     /* struct slot_verify */
    SLOT_ACT = 3,        /* struct slot_act; its payload fills the slots after it */
    SLOT_SEAL = 4,       /* written by the journal itself; see FORMAT.md */
    SLOT_CHECKPOINT = 5, /* the same: signed checkpoint */
    SLOT_REMOVAL = 6,    /* the same: a segment is about to be recycled or removed */
};

/* One frame of queries; (position, index of the first item's slot) names its records. */
struct slot_frame {
    uint64_t session;
    uint64_t tag;
    uint8_t mac[16]; /* of the frame (core/frame_mac.c) under a key from the store's retry key */
    uint32_t sequence;
    uint16_t slot;
    uint16_t item_count;
    uint16_t client;
    uint16_t frame_kind; /* enum wire_kind */
    uint8_t retry;       /* 1: items answered before stand in an earlier record, only the unavailable were judged */
    uint8_t reserved[18];
    uint8_t kind;
};
_Static_assert(sizeof(struct slot_frame) == 64, "a slot is 64 bytes");

/* One verification. Words are as they stand after it; zero when it neither changed a word nor rests on one: REPLAYED
 * carries the token word and THROTTLED the budget word that it was judged by. */
struct slot_verify {
    uint8_t name[16];
    uint64_t token;  /* token word after; of METHOD_OCRA_MARKED the mark of the response (core/marks.h) */
    uint64_t budget; /* budget word after: of the account's first line, or of an unknown name */
    uint64_t source;
    uint32_t ordinal;       /* of the token that matched, else 0xffffffff */
    uint32_t first_ordinal; /* of the account's first line, else 0xffffffff: unknown name */
    uint16_t item;          /* index in its frame */
    uint16_t client;
    int16_t step_distance; /* matched step minus expected step, cut to 16 bits; THROTTLED: upper bits of the seconds */
    uint16_t policy;       /* policy version */
    uint8_t verdict;       /* enum otpring_verdict */
    uint8_t reason;        /* enum otpring_reason */
    uint8_t method;        /* query kind, or METHOD_OCRA_MARKED */
    uint8_t source_class;
    int8_t drift;          /* after */
    uint8_t retry_after_s; /* THROTTLED: lowest 8 bits of the seconds to wait; see slot_verify_retry_after_s */
    uint8_t told;          /* the reason that the client was told */
    uint8_t kind;
};
_Static_assert(sizeof(struct slot_verify) == 64, "a slot is 64 bytes");

/* A query of kind OTPRING_QUERY_OCRA that fits a token whose suite has neither counter nor time: no word tells that the
 * response was used, so its mark stands there. */
enum { METHOD_OCRA_MARKED = 4 };

/* A throttled query matched no step, so the distance holds what the byte has no room for: 24 bits in all. */
#define SLOT_RETRY_AFTER_MAX_S 0xffffffu

static inline void slot_verify_set_retry_after_s(struct slot_verify *slot, uint32_t seconds)
{
    if (seconds > SLOT_RETRY_AFTER_MAX_S) seconds = SLOT_RETRY_AFTER_MAX_S;
    slot->step_distance = (int16_t)(uint16_t)(seconds >> 8);
    slot->retry_after_s = (uint8_t)seconds;
}

/* Only of a THROTTLED record. */
static inline uint32_t slot_verify_retry_after_s(const struct slot_verify *slot)
{
    return (uint32_t)(uint16_t)slot->step_distance << 8 | slot->retry_after_s;
}

/* An administrative act: kind and size; the payload (sealed where secret) follows in whole slots, zero-padded. */
struct slot_act {
    uint8_t name[16]; /* of the account it is about, or zero */
    uint64_t token;   /* token word after, or 0 */
    uint64_t budget;
    uint32_t ordinal;
    uint32_t payload_size; /* bytes */
    uint32_t uid;          /* of whoever asked */
    uint16_t act;          /* enum core_act */
    uint16_t slot_count;   /* of the payload */
    uint32_t operator_id;  /* the named operator who asked; 0: none */
    uint8_t reserved[11];
    uint8_t kind;
};
_Static_assert(sizeof(struct slot_act) == 64, "a slot is 64 bytes");

/* The journal's own records. Each stands alone in its block, from slot 0. */

/* Three slots: a Merkle tree (RFC 6962, leaves are whole blocks with their padding) over blocks first to last. */
struct slot_seal {
    uint64_t number; /* 1, 2, 3 ... through the whole journal */
    uint64_t first;  /* the position after the last one of the seal before */
    uint64_t last;
    uint64_t segment;     /* whose blocks these are, and whose MAC key was used */
    uint64_t mac_segment; /* that key's number */
    uint8_t reserved[23];
    uint8_t kind;
    uint8_t root[32];
    uint8_t previous[32]; /* SHA-256 of the 192 bytes of the seal before; zero for the first */
    uint8_t mac[32];      /* HMAC-SHA256 over the 128 bytes before it */
    uint8_t reserved2[32];
};
_Static_assert(sizeof(struct slot_seal) == 192, "a seal is three slots");

/* Three slots: the end of a segment, signed. */
struct slot_checkpoint {
    uint8_t store_id[16];
    uint64_t segment;
    uint64_t first; /* the segment's first position */
    uint64_t last;  /* through which it is sealed */
    int64_t time_ms;
    uint64_t seal_number; /* of its last seal */
    uint32_t seal_count;
    uint8_t reserved[3];
    uint8_t kind;
    uint8_t seals_root[32]; /* RFC 6962 tree over the seals of the segment: leaves are their 192 bytes */
    uint8_t previous[32];   /* SHA-256 of the 192 bytes of the checkpoint before; zero for the first */
    uint8_t signature[64];  /* Ed25519 over "otpring checkpoint 1\n" and the 128 bytes before it */
};
_Static_assert(sizeof(struct slot_checkpoint) == 192, "a checkpoint is three slots");

struct slot_removal {
    uint64_t segment;
    uint64_t first;
    uint64_t last;
    uint64_t release_position; /* everything up to here was in the store */
    uint8_t reserved[31];
    uint8_t kind;
};
_Static_assert(sizeof(struct slot_removal) == 64, "a slot is 64 bytes");

#endif
