/* Hostile OCRA suites and inputs: nothing breaks the reader or the making of a message, a suite that is taken keeps its
 * spelling, and a response computed is always one that would be taken. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "otp/ocra.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void response_round_trip(const struct ocra_suite *suite, const struct ocra_message *message)
{
    _Alignas(8) uint8_t midstates[KERNEL_SHA512_MIDSTATES];
    char text[OCRA_RESPONSE_SIZE_MAX + 1];
    kernel_midstates(suite->algorithm, (const uint8_t *)"12345678901234567890", 20, midstates);
    ocra_respond(suite, midstates, message, text);
    CHECK(!result_failed(ocra_response_check(suite, text, strlen(text))));
    CHECK(ocra_fits(suite, midstates, message, text, strlen(text)));
}

/* The bytes behind the suite, cut into pieces by length bytes. */
static void inputs_try(const struct ocra_suite *suite, struct cursor cursor)
{
    struct ocra_message message;
    struct ocra_input input = {.counter = suite->counter ? cursor_u64(&cursor) : 0,
                               .step = suite->step_s ? cursor_u64(&cursor) : 0};
    for (int q = 0; q < 2; q++) {
        size_t size = cursor_u8(&cursor);
        const uint8_t *bytes = cursor_take(&cursor, size);
        if (bytes && size) input.questions[q] = (struct ocra_question){.text = (const char *)bytes, .size = size};
    }
    input.pin_hash_size = cursor_u8(&cursor);
    input.pin_hash = cursor_take(&cursor, input.pin_hash_size);
    input.session_size = cursor_u16(&cursor);
    input.session = cursor_take(&cursor, input.session_size);
    if (cursor.failed) return;
    if (result_failed(ocra_message_make(suite, &input, &message))) return;
    CHECK(message.size <= OCRA_MESSAGE_SIZE_MAX);
    response_round_trip(suite, &message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    size_t text_size = end ? (size_t)(end - data) : size;
    struct ocra_suite suite;
    /* A copy of the exact size, so that a read past the end is seen. */
    char *text = malloc(text_size ? text_size : 1);
    if (!text) return 0;
    if (text_size) memcpy(text, data, text_size);
    if (!result_failed(ocra_suite_parse(text, text_size, &suite))) {
        CHECK(suite.text_size == text_size && memcmp(suite.text, text, text_size) == 0);
        if (end) inputs_try(&suite, cursor_over(end + 1, size - text_size - 1));
    }
    free(text);
    return 0;
}
