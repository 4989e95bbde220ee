/* Frames as bytes: what otpring/wire.h says, checked and encoded. Pure functions; the input is hostile.
 * Items of VERIFY and RESYNC are not looked into, of OCRA only their sizes: a bad query is one MALFORMED verdict,
 * judged by core, not a bad frame. */
#ifndef OTPRING_SERVER_WIRE_H
#define OTPRING_SERVER_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "otpring/wire.h"

enum { WIRE_HEADER_SIZE = 32, WIRE_ERROR_FRAME_SIZE = 48, WIRE_HELLO_ANSWER_SIZE = 64 };

/* What is wrong with a frame, as the error frame tells it. code 0: nothing. */
struct wire_fault {
    uint16_t code; /* enum otpring_wire_error_code */
    uint16_t kind;
    uint32_t offset;
};

/* A whole frame; `bytes` are the caller's and begin at an address divisible by 8. */
struct wire_frame {
    struct otpring_wire_header header;
    const uint8_t *bytes;
    uint32_t body_size; /* after the header */
};

static inline const uint8_t *wire_body(const struct wire_frame *frame)
{
    return frame->bytes + WIRE_HEADER_SIZE;
}

/* Decodes and checks the 32 bytes of a header that came from a client: kind, reserved fields, count, and that the size
 * is the one that kind and count ask for (of OCRA: may be) and at most size_max. False: ret_fault says why, and
 * ret_header is untouched.
 */
bool wire_check_header(const uint8_t bytes[WIRE_HEADER_SIZE], uint32_t size_max, struct otpring_wire_header *ret_header,
                       struct wire_fault *ret_fault);

/* Decodes and checks the body of a HELLO (32 bytes). */
bool wire_check_hello(const uint8_t body[32], struct otpring_wire_hello *ret_hello, struct wire_fault *ret_fault);

/* Checks that the items of an OCRA frame fill its body, each as its own sizes say, with zeros behind its last field.
 * What stands in the fields is judged by core. */
bool wire_check_ocra(const uint8_t *body, uint32_t body_size, uint16_t count, struct wire_fault *ret_fault);

/* Each gives the number of bytes written. Answers carry the asked header's tag, session, sequence and slot. */
size_t wire_put_header(uint8_t *to, const struct otpring_wire_header *header);
size_t wire_put_hello_answer(uint8_t to[WIRE_HELLO_ANSWER_SIZE], uint64_t tag,
                             const struct otpring_wire_hello_answer *answer);
size_t wire_put_error(uint8_t to[WIRE_ERROR_FRAME_SIZE], uint64_t tag, const struct wire_fault *fault);
/* The header of the answer to `asked` with `count` answers and a body of body_size bytes. */
size_t wire_put_answer_header(uint8_t *to, const struct otpring_wire_header *asked, uint16_t count, uint32_t body_size);

#endif
