/* What is hashed: RFC 6287 section 5.1, DataInput = {OCRASuite | 00 | C | Q | P | S | T}. */
#include <string.h>

#include "base/bytes.h"
#include "otp/ocra.h"

static int hex_of(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static bool character_fits(enum ocra_format format, char c)
{
    switch (format) {
    case OCRA_NUMERIC:
        return c >= '0' && c <= '9';
    case OCRA_HEXADECIMAL:
        return hex_of(c) >= 0;
    default:
        return c > ' ' && c <= '~';
    }
}

/* Challenges are joined as text and then encoded as one (section 5.1: "concatenated challenge question(s)"). */
static struct result questions_join(const struct ocra_suite *suite, const struct ocra_input *input,
                                    char ret_text[OCRA_QUESTION_FIELD], size_t *ret_size)
{
    size_t size = 0;
    if (!input->questions[0].text) return result_of(BAD_CHALLENGE);
    for (int q = 0; q < 2; q++) {
        const struct ocra_question *question = &input->questions[q];
        if (!question->text) continue;
        if (question->size == 0 || question->size > suite->question_max) return result_of(BAD_CHALLENGE);
        for (size_t i = 0; i < question->size; i++) {
            if (!character_fits(suite->format, question->text[i])) return result_of(BAD_CHALLENGE);
            ret_text[size++] = question->text[i];
        }
    }
    *ret_size = size;
    return result_ok();
}

/* Hexadecimal digits from the left; an odd one at the end is the high half of its byte, as where the reference code
 * pads the digits with zeros on the right. */
static void nibble_put(uint8_t *field, size_t index, unsigned value)
{
    field[index / 2] |= (uint8_t)(index % 2 ? value : value << 4);
}

static void hexadecimal_put(const char *text, size_t size, uint8_t *field)
{
    for (size_t i = 0; i < size; i++) nibble_put(field, i, (unsigned)hex_of(text[i]));
}

/* 128 decimal digits are below 2^426. */
enum { LIMBS = 14 };

/* A decimal number as hexadecimal digits without leading zeros (zero is one digit), put from the left. */
static void numeric_put(const char *text, size_t size, uint8_t *field)
{
    uint32_t limbs[LIMBS] = {0}; /* least first */
    for (size_t i = 0; i < size; i++) {
        uint64_t carry = (uint64_t)(text[i] - '0');
        for (int l = 0; l < LIMBS; l++) {
            carry += (uint64_t)limbs[l] * 10;
            limbs[l] = (uint32_t)carry;
            carry >>= 32;
        }
    }
    size_t written = 0;
    for (int n = LIMBS * 8 - 1; n >= 0; n--) {
        unsigned value = limbs[n / 8] >> (n % 8 * 4) & 15;
        if (value || written || n == 0) nibble_put(field, written++, value);
    }
}

static void question_put(enum ocra_format format, const char *text, size_t size, uint8_t *field)
{
    memset(field, 0, OCRA_QUESTION_FIELD);
    if (format == OCRA_NUMERIC)
        numeric_put(text, size, field);
    else if (format == OCRA_HEXADECIMAL)
        hexadecimal_put(text, size, field);
    else
        memcpy(field, text, size);
}

static struct result input_check(const struct ocra_suite *suite, const struct ocra_input *input)
{
    if ((!suite->counter && input->counter) || (!suite->step_s && input->step)) return result_of(BAD_ARGUMENT);
    if (input->pin_hash_size != suite->pin_hash_size) return result_of(BAD_PIN_HASH);
    if (input->session_size > suite->session_size || (suite->session_size && input->session_size == 0))
        return result_of(BAD_SESSION_INFORMATION);
    return result_ok();
}

static void bytes_put(struct ocra_message *message, const void *bytes, size_t size)
{
    if (size > 0) memcpy(message->bytes + message->size, bytes, size);
    message->size = (uint16_t)(message->size + size);
}

static uint16_t number_put(struct ocra_message *message, uint64_t value)
{
    uint16_t at = message->size;
    store_be64(message->bytes + at, value);
    message->size += 8;
    return at;
}

struct result ocra_message_make(const struct ocra_suite *suite, const struct ocra_input *input,
                                struct ocra_message *ret_message)
{
    char text[OCRA_QUESTION_FIELD];
    size_t text_size;
    TRY(input_check(suite, input));
    TRY(questions_join(suite, input, text, &text_size));
    struct ocra_message *message = ret_message;
    message->size = message->counter_at = message->step_at = 0;
    bytes_put(message, suite->text, suite->text_size + (size_t)1); /* and the zero byte behind it */
    if (suite->counter) message->counter_at = number_put(message, input->counter);
    question_put(suite->format, text, text_size, message->bytes + message->size);
    message->size += OCRA_QUESTION_FIELD;
    bytes_put(message, input->pin_hash, input->pin_hash_size);
    size_t padding = suite->session_size - input->session_size;
    memset(message->bytes + message->size, 0, padding);
    message->size = (uint16_t)(message->size + padding);
    bytes_put(message, input->session, input->session_size);
    if (suite->step_s) message->step_at = number_put(message, input->step);
    return result_ok();
}

void ocra_message_move(struct ocra_message *message, uint64_t counter, uint64_t step)
{
    if (message->counter_at) store_be64(message->bytes + message->counter_at, counter);
    if (message->step_at) store_be64(message->bytes + message->step_at, step);
}

bool ocra_challenge_draw(const struct ocra_suite *suite, const uint8_t *random, size_t random_size,
                         char ret_text[OCRA_QUESTION_SIZE_MAX + 1])
{
    static const char characters[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    unsigned count = suite->format == OCRA_NUMERIC ? 10 : suite->format == OCRA_HEXADECIMAL ? 16 : 62;
    unsigned fair = 256 - 256 % count; /* bytes from here on would make the first characters likelier */
    char text[OCRA_QUESTION_SIZE_MAX + 1] = "";
    size_t size = 0;
    for (size_t i = 0; i < random_size && size < suite->question_max; i++)
        if (random[i] < fair) text[size++] = characters[random[i] % count];
    if (size < suite->question_max) return false;
    memcpy(ret_text, text, sizeof text);
    return true;
}
