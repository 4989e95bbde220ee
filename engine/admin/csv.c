#include "admin/csv.h"

#include <string.h>
#include <strings.h>

#include "os/arena.h"

static const char *const column_names[CSV_COLUMN_COUNT] = {"company", "user",       "secret", "label",
                                                           "type",    "algorithm",  "digits", "period",
                                                           "counter", "look_ahead", "t0",     "profile"};

/* A quoted field: from behind the opening quote to behind the closing one. NULL: it does not end on this line. */
static const char *quoted_take(const char *at, const char *end, char **to)
{
    while (at < end) {
        if (*at != '"') {
            *(*to)++ = *at++;
        } else if (at + 1 < end && at[1] == '"') {
            *(*to)++ = '"';
            at += 2;
        } else {
            return at + 1;
        }
    }
    return NULL;
}

struct result csv_fields(const char *line, size_t size, char *buffer, struct csv_field ret_fields[CSV_FIELDS_MAX],
                         unsigned *ret_count)
{
    if (size > CSV_LINE_SIZE_MAX) return result_of(BAD_CSV);
    const char *at = line, *end = line + size;
    char *to = buffer;
    unsigned count = 0;
    for (;;) {
        if (count == CSV_FIELDS_MAX) return result_of(CSV_FIELDS);
        char *from = to;
        if (at < end && *at == '"') {
            at = quoted_take(at + 1, end, &to);
            if (!at || (at < end && *at != ',')) return result_of(BAD_CSV);
        } else {
            while (at < end && *at != ',') {
                if (*at == '"') return result_of(BAD_CSV);
                *to++ = *at++;
            }
        }
        ret_fields[count++] = (struct csv_field){.text = from, .size = (size_t)(to - from)};
        if (at == end) break;
        at++;
    }
    *ret_count = count;
    return result_ok();
}

struct result csv_header_parse(const char *line, size_t size, struct csv_header *ret_header)
{
    char buffer[CSV_LINE_SIZE_MAX];
    struct csv_field fields[CSV_FIELDS_MAX];
    struct csv_header header = {0};
    bool seen[CSV_COLUMN_COUNT] = {false};
    TRY(csv_fields(line, size, buffer, fields, &header.count));
    for (unsigned i = 0; i < header.count; i++) {
        int column = 0;
        while (column < CSV_COLUMN_COUNT && (strlen(column_names[column]) != fields[i].size ||
                                             strncasecmp(column_names[column], fields[i].text, fields[i].size) != 0)) {
            column++;
        }
        if (column == CSV_COLUMN_COUNT || seen[column]) return result_of(CSV_HEADER);
        seen[column] = true;
        header.columns[i] = (int8_t)column;
    }
    if (!seen[CSV_COMPANY] || !seen[CSV_USER] || !seen[CSV_SECRET]) return result_of(CSV_HEADER);
    *ret_header = header;
    return result_ok();
}

bool csv_type_parse(const char *text, size_t size, enum otp_type *ret_type)
{
    if (size != 4) return false;
    if (strncasecmp(text, "totp", 4) == 0) {
        *ret_type = OTP_TOTP;
    } else if (strncasecmp(text, "hotp", 4) == 0) {
        *ret_type = OTP_HOTP;
    } else {
        return false;
    }
    return true;
}

bool csv_algorithm_parse(const char *text, size_t size, enum kernel_algorithm *ret_algorithm)
{
    static const char *const names[KERNEL_ALGORITHM_COUNT] = {"sha1", "sha256", "sha512"};
    for (int i = 0; i < KERNEL_ALGORITHM_COUNT; i++) {
        if (strlen(names[i]) == size && strncasecmp(names[i], text, size) == 0) {
            *ret_algorithm = (enum kernel_algorithm)i;
            return true;
        }
    }
    return false;
}

/* Plain decimal digits, at most `most`: BAD_COUNTER. */
static struct result number_parse(struct csv_field field, uint64_t most, uint64_t *ret_number)
{
    uint64_t number = 0;
    if (field.size == 0 || field.size > 18) return result_of(BAD_COUNTER);
    for (size_t i = 0; i < field.size; i++) {
        if (field.text[i] < '0' || field.text[i] > '9') return result_of(BAD_COUNTER);
        number = number * 10 + (uint64_t)(field.text[i] - '0');
    }
    if (number > most) return result_of(BAD_COUNTER);
    *ret_number = number;
    return result_ok();
}

static struct result text_take(struct csv_field field, char *ret_text, size_t size_max)
{
    if (field.size > size_max || memchr(field.text, 0, field.size)) return result_of(BAD_NAME);
    memcpy(ret_text, field.text, field.size);
    ret_text[field.size] = 0;
    return result_ok();
}

static struct result field_take(struct csv_token *token, enum csv_column column, struct csv_field field)
{
    uint64_t number = 0;
    switch (column) {
    case CSV_COMPANY:
        return text_take(field, token->company, OTP_NAME_SIZE_MAX);
    case CSV_USER:
        return text_take(field, token->user, OTP_NAME_SIZE_MAX);
    case CSV_LABEL:
        return text_take(field, token->label, CSV_LABEL_MAX);
    case CSV_SECRET:
        if (field.size > 2 * OTP_SEED_SIZE_MAX) return result_of(BAD_SECRET_SIZE);
        return otp_base32_decode(field.text, field.size, token->seed, sizeof(token->seed), &token->seed_size);
    case CSV_TYPE:
        return csv_type_parse(field.text, field.size, &token->parameters.type) ? result_ok() : result_of(BAD_TYPE);
    case CSV_ALGORITHM:
        return csv_algorithm_parse(field.text, field.size, &token->parameters.algorithm) ? result_ok()
                                                                                         : result_of(BAD_ALGORITHM);
    case CSV_DIGITS:
        if (result_failed(number_parse(field, OTP_DIGITS_MAX, &number)) || number < OTP_DIGITS_MIN)
            return result_of(BAD_DIGITS);
        token->parameters.digits = (uint8_t)number;
        return result_ok();
    case CSV_PERIOD:
        if (result_failed(number_parse(field, OTP_PERIOD_S_MAX, &number)) || number == 0) return result_of(BAD_PERIOD);
        token->parameters.period_s = (uint32_t)number;
        return result_ok();
    case CSV_COUNTER:
        return number_parse(field, UINT64_MAX, &token->counter);
    case CSV_T0:
        if (result_failed(number_parse(field, INT64_MAX / 2, &number))) return result_of(BAD_T0);
        token->parameters.t0_s = (int64_t)number;
        return result_ok();
    case CSV_PROFILE:
        if (result_failed(number_parse(field, UINT16_MAX - 1, &number))) return result_of(BAD_PROFILE);
        token->profile = (int32_t)number;
        return result_ok();
    default:
        TRY(number_parse(field, 255, &number));
        token->look_ahead = (int)number;
        return result_ok();
    }
}

/* What a profile says, and nothing else may say beside it. */
static bool of_profile(int8_t column)
{
    return column == CSV_TYPE || column == CSV_ALGORITHM || column == CSV_DIGITS || column == CSV_PERIOD ||
           column == CSV_LOOK_AHEAD || column == CSV_T0;
}

static struct result parameters_settle(const struct csv_header *header, const struct csv_field *fields,
                                       struct csv_token *token)
{
    if (token->profile >= 0) {
        for (unsigned i = 0; i < header->count; i++)
            if (fields[i].size > 0 && of_profile(header->columns[i])) return result_of(BAD_PROFILE);
        return result_ok();
    }
    if (token->parameters.type == OTP_HOTP) {
        if (token->parameters.period_s != 0) return result_of(BAD_PERIOD);
        return token->parameters.t0_s != 0 ? result_of(BAD_T0) : result_ok();
    }
    if (token->counter != 0 || token->look_ahead >= 0) return result_of(BAD_COUNTER);
    if (token->parameters.period_s == 0) token->parameters.period_s = 30;
    return result_ok();
}

static struct result token_take(const struct csv_header *header, const struct csv_field *fields,
                                struct csv_token *token)
{
    for (unsigned i = 0; i < header->count; i++) {
        bool needed = header->columns[i] <= CSV_SECRET;
        if (fields[i].size == 0 && needed)
            return result_of(header->columns[i] == CSV_SECRET ? BAD_SECRET_SIZE : BAD_NAME);
        if (fields[i].size > 0) TRY(field_take(token, (enum csv_column)header->columns[i], fields[i]));
    }
    if (token->seed_size < OTP_SEED_SIZE_MIN) return result_of(BAD_SECRET_SIZE);
    return parameters_settle(header, fields, token);
}

struct result csv_token_parse(const struct csv_header *header, const char *line, size_t size,
                              struct csv_token *ret_token)
{
    char buffer[CSV_LINE_SIZE_MAX];
    struct csv_field fields[CSV_FIELDS_MAX];
    struct csv_token token = {
        .parameters = {.type = OTP_TOTP, .algorithm = KERNEL_SHA1, .digits = 6}, .look_ahead = -1, .profile = -1};
    unsigned count = 0;
    struct result result = csv_fields(line, size, buffer, fields, &count);
    if (!result_failed(result) && count != header->count) result = result_of(CSV_FIELDS);
    if (!result_failed(result)) result = token_take(header, fields, &token);
    if (!result_failed(result)) *ret_token = token;
    secret_wipe(&token, sizeof(token));
    secret_wipe(buffer, size < sizeof(buffer) ? size : sizeof(buffer));
    return result;
}
