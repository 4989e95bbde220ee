#include "server/wire.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"

/* Core reads headers and items in place. */
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the wire is little-endian, and so must the machine be");
static_assert(offsetof(struct otpring_wire_header, session) == 16 && offsetof(struct otpring_wire_header, slot) == 28 &&
                  sizeof(struct otpring_wire_header) == WIRE_HEADER_SIZE,
              "the wire's layout");

/* Byte offsets of the header's fields, as faults name them. */
enum { AT_SIZE = 0, AT_KIND = 4, AT_COUNT = 6, AT_SESSION = 16, AT_SEQUENCE = 24, AT_SLOT = 28, AT_RESERVED = 30 };
enum { AT_VERSION = 32, AT_SLOTS = 36, AT_ITEMS_MAX = 38, AT_HELLO_RESERVED = 48 };

/* The shape of the kinds that clients may send. */
struct shape {
    bool known;
    bool counted;    /* count items of item_size; else count is 0 */
    bool longer;     /* of at least item_size, each as long as it says: wire_check_ocra */
    bool in_session; /* session, sequence and slot are meant; else they are 0 */
    bool listed;     /* count says how many items the text has */
    uint32_t item_size;
    uint32_t body_min, body_max; /* when not counted */
};

static const struct shape shapes[] = {
    [OTPRING_WIRE_HELLO] = {.known = true, .body_min = 32, .body_max = 32},
    [OTPRING_WIRE_VERIFY] = {.known = true, .counted = true, .in_session = true, .item_size = 32},
    [OTPRING_WIRE_RESYNC] = {.known = true, .counted = true, .in_session = true, .item_size = 40},
    [OTPRING_WIRE_ADMIN] = {.known = true, .body_min = 1, .body_max = OTPRING_WIRE_ADMIN_SIZE_MAX - WIRE_HEADER_SIZE},
    [OTPRING_WIRE_PING] = {.known = true},
    [OTPRING_WIRE_OCRA] = {.known = true,
                           .counted = true,
                           .longer = true,
                           .in_session = true,
                           .item_size = sizeof(struct otpring_wire_ocra)},
    [OTPRING_WIRE_QUESTION] = {.known = true,
                               .listed = true,
                               .body_min = 1,
                               .body_max = OTPRING_WIRE_ASK_SIZE_MAX - WIRE_HEADER_SIZE},
};

static bool fault_at(struct wire_fault *ret_fault, uint16_t code, uint16_t kind, uint32_t offset)
{
    *ret_fault = (struct wire_fault){.code = code, .kind = kind, .offset = offset};
    return false;
}

static bool check_count_and_size(const struct shape *shape, const struct otpring_wire_header *header, uint32_t size_max,
                                 struct wire_fault *ret_fault)
{
    uint16_t kind = header->kind;
    uint32_t body_min = shape->body_min, body_max = shape->body_max;
    if (shape->counted) {
        if (header->count == 0 || header->count > OTPRING_WIRE_ITEMS_MAX)
            return fault_at(ret_fault, OTPRING_ERROR_TOO_MANY, kind, AT_COUNT);
        body_min = body_max = header->count * shape->item_size;
        if (shape->longer) body_max = size_max - WIRE_HEADER_SIZE;
    } else if (shape->listed) {
        if (header->count == 0 || header->count > OTPRING_WIRE_QUESTIONS_MAX)
            return fault_at(ret_fault, OTPRING_ERROR_TOO_MANY, kind, AT_COUNT);
    } else if (header->count != 0) {
        return fault_at(ret_fault, OTPRING_ERROR_SIZE, kind, AT_COUNT);
    }
    if (header->size < WIRE_HEADER_SIZE + body_min || header->size > WIRE_HEADER_SIZE + body_max ||
        header->size > size_max)
        return fault_at(ret_fault, OTPRING_ERROR_SIZE, kind, AT_SIZE);
    return true;
}

bool wire_check_header(const uint8_t bytes[WIRE_HEADER_SIZE], uint32_t size_max, struct otpring_wire_header *ret_header,
                       struct wire_fault *ret_fault)
{
    struct otpring_wire_header header;
    memcpy(&header, bytes, sizeof header);
    if (header.kind >= sizeof shapes / sizeof shapes[0] || !shapes[header.kind].known)
        return fault_at(ret_fault, OTPRING_ERROR_KIND, header.kind, AT_KIND);
    const struct shape *shape = &shapes[header.kind];
    if (header.reserved) return fault_at(ret_fault, OTPRING_ERROR_RESERVED, header.kind, AT_RESERVED);
    if (!shape->in_session) {
        if (header.session) return fault_at(ret_fault, OTPRING_ERROR_RESERVED, header.kind, AT_SESSION);
        if (header.sequence) return fault_at(ret_fault, OTPRING_ERROR_RESERVED, header.kind, AT_SEQUENCE);
        if (header.slot) return fault_at(ret_fault, OTPRING_ERROR_RESERVED, header.kind, AT_SLOT);
    }
    if (!check_count_and_size(shape, &header, size_max, ret_fault)) return false;
    *ret_header = header;
    return true;
}

/* One item, `left` bytes before the end of the body. */
static bool check_ocra_item(const uint8_t *item, uint32_t left, uint32_t offset, uint32_t *ret_size,
                            struct wire_fault *ret_fault)
{
    enum { HEAD = sizeof(struct otpring_wire_ocra), AT_ITEM_SIZE = 32, AT_RESPONSE = 34, AT_SESSION_INFORMATION = 38 };
    if (left < HEAD) return fault_at(ret_fault, OTPRING_ERROR_SIZE, OTPRING_WIRE_OCRA, AT_SIZE);
    uint32_t size = load_le16(item + AT_ITEM_SIZE), filled = HEAD + load_le16(item + AT_SESSION_INFORMATION);
    for (int i = 0; i < 4; i++) filled += item[AT_RESPONSE + i]; /* response, two challenges, PIN's hash */
    if (size % 8 || size > left || size > OTPRING_WIRE_OCRA_SIZE_MAX || size < filled || size - filled >= 8)
        return fault_at(ret_fault, OTPRING_ERROR_SIZE, OTPRING_WIRE_OCRA, offset + AT_ITEM_SIZE);
    for (uint32_t i = filled; i < size; i++) {
        if (item[i]) return fault_at(ret_fault, OTPRING_ERROR_RESERVED, OTPRING_WIRE_OCRA, offset + i);
    }
    *ret_size = size;
    return true;
}

bool wire_check_ocra(const uint8_t *body, uint32_t body_size, uint16_t count, struct wire_fault *ret_fault)
{
    uint32_t at = 0;
    for (uint16_t i = 0; i < count; i++) {
        uint32_t size;
        if (!check_ocra_item(body + at, body_size - at, WIRE_HEADER_SIZE + at, &size, ret_fault)) return false;
        at += size;
    }
    return at == body_size || fault_at(ret_fault, OTPRING_ERROR_SIZE, OTPRING_WIRE_OCRA, AT_SIZE);
}

bool wire_check_hello(const uint8_t body[32], struct otpring_wire_hello *ret_hello, struct wire_fault *ret_fault)
{
    struct cursor cursor = cursor_over(body, 32);
    struct otpring_wire_hello hello = {0};
    hello.version_min = cursor_u16(&cursor);
    hello.version_max = cursor_u16(&cursor);
    hello.slots = cursor_u16(&cursor);
    hello.items_max = cursor_u16(&cursor);
    hello.session = cursor_u64(&cursor);
    for (uint32_t i = 0; i < sizeof hello.reserved; i++)
        if (cursor_u8(&cursor))
            return fault_at(ret_fault, OTPRING_ERROR_RESERVED, OTPRING_WIRE_HELLO, AT_HELLO_RESERVED + i);
    if (hello.version_min > OTPRING_WIRE_VERSION || hello.version_max < OTPRING_WIRE_VERSION)
        return fault_at(ret_fault, OTPRING_ERROR_VERSION, OTPRING_WIRE_HELLO, AT_VERSION);
    if (hello.slots > OTPRING_WIRE_SLOTS_MAX)
        return fault_at(ret_fault, OTPRING_ERROR_SLOT, OTPRING_WIRE_HELLO, AT_SLOTS);
    if (hello.items_max > OTPRING_WIRE_ITEMS_MAX)
        return fault_at(ret_fault, OTPRING_ERROR_TOO_MANY, OTPRING_WIRE_HELLO, AT_ITEMS_MAX);
    *ret_hello = hello;
    return true;
}

size_t wire_put_header(uint8_t *to, const struct otpring_wire_header *header)
{
    store_le32(to, header->size);
    store_le16(to + 4, header->kind);
    store_le16(to + 6, header->count);
    store_le64(to + 8, header->tag);
    store_le64(to + 16, header->session);
    store_le32(to + 24, header->sequence);
    store_le16(to + 28, header->slot);
    store_le16(to + 30, header->reserved);
    return WIRE_HEADER_SIZE;
}

size_t wire_put_hello_answer(uint8_t to[WIRE_HELLO_ANSWER_SIZE], uint64_t tag,
                             const struct otpring_wire_hello_answer *answer)
{
    struct otpring_wire_header header = {
        .size = WIRE_HELLO_ANSWER_SIZE, .kind = OTPRING_WIRE_HELLO_ANSWER, .tag = tag, .session = answer->session};
    uint8_t *body = to + wire_put_header(to, &header);
    store_le16(body, answer->version);
    store_le16(body + 2, answer->slots);
    store_le16(body + 4, answer->items_max);
    store_le16(body + 6, answer->resumed);
    store_le64(body + 8, answer->session);
    store_le32(body + 16, answer->idle_timeout_s);
    store_le32(body + 20, answer->kinds);
    store_le64(body + 24, answer->server_time_ms);
    return WIRE_HELLO_ANSWER_SIZE;
}

size_t wire_put_error(uint8_t to[WIRE_ERROR_FRAME_SIZE], uint64_t tag, const struct wire_fault *fault)
{
    struct otpring_wire_header header = {.size = WIRE_ERROR_FRAME_SIZE, .kind = OTPRING_WIRE_ERROR, .tag = tag};
    uint8_t *body = to + wire_put_header(to, &header);
    store_le16(body, fault->code);
    store_le16(body + 2, fault->kind);
    store_le32(body + 4, fault->offset);
    store_le64(body + 8, 0);
    return WIRE_ERROR_FRAME_SIZE;
}

size_t wire_put_answer_header(uint8_t *to, const struct otpring_wire_header *asked, uint16_t count, uint32_t body_size)
{
    struct otpring_wire_header header = *asked;
    header.size = WIRE_HEADER_SIZE + body_size;
    /* Each answer's kind is the number after its question's. */
    header.kind = (uint16_t)(asked->kind + 1);
    header.count = count;
    header.reserved = 0;
    return wire_put_header(to, &header);
}
