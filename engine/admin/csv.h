/* Lines of a CSV import (RFC 4180, one record a line): pure functions over hostile text, any thread.
 *
 * The header line names the columns, in any order: company, user, secret must be there; label, type (totp, hotp),
 * algorithm (sha1, sha256, sha512), digits, period, counter, look_ahead, t0, profile may be. An empty field is the
 * default; profile (a number) stands instead of type, algorithm, digits, period, t0 and look_ahead. */
#ifndef OTPRING_ADMIN_CSV_H
#define OTPRING_ADMIN_CSV_H

#include "otp/otp.h"

enum { CSV_FIELDS_MAX = 16, CSV_LINE_SIZE_MAX = 4096, CSV_LABEL_MAX = 63 };

enum csv_column {
    CSV_COMPANY,
    CSV_USER,
    CSV_SECRET,
    CSV_LABEL,
    CSV_TYPE,
    CSV_ALGORITHM,
    CSV_DIGITS,
    CSV_PERIOD,
    CSV_COUNTER,
    CSV_LOOK_AHEAD,
    CSV_T0,
    CSV_PROFILE,
    CSV_COLUMN_COUNT
};

struct csv_header {
    int8_t columns[CSV_FIELDS_MAX]; /* enum csv_column of each field */
    unsigned count;
};

struct csv_field {
    const char *text; /* in the caller's buffer, not ended by a NUL */
    size_t size;
};

/* One line, without its line end, into fields; quotes are taken off into buffer (CSV_LINE_SIZE_MAX bytes). BAD_CSV,
 * CSV_FIELDS. */
struct result csv_fields(const char *line, size_t size, char *buffer, struct csv_field ret_fields[CSV_FIELDS_MAX],
                         unsigned *ret_count) MUST_USE;
/* CSV_HEADER: a column unknown, twice, or missing. */
struct result csv_header_parse(const char *line, size_t size, struct csv_header *ret_header) MUST_USE;

/* One token to be. Holds a seed: wipe after use. */
struct csv_token {
    char company[OTP_NAME_SIZE_MAX + 1];
    char user[OTP_NAME_SIZE_MAX + 1];
    char label[CSV_LABEL_MAX + 1];
    struct otp_parameters parameters;
    uint64_t counter;
    int look_ahead;  /* -1: the default */
    int32_t profile; /* -1: the one with these parameters; else the parameters mean nothing */
    uint8_t seed[OTP_SEED_SIZE_MAX];
    size_t seed_size;
};
/* BAD_CSV, CSV_FIELDS, BAD_TYPE, BAD_ALGORITHM, BAD_COUNTER, BAD_NAME, BAD_BASE32, BAD_SECRET_SIZE, BAD_DIGITS,
 * BAD_PERIOD, BAD_T0, BAD_PROFILE. Names are checked again by core. */
struct result csv_token_parse(const struct csv_header *header, const char *line, size_t size,
                              struct csv_token *ret_token) MUST_USE;

/* Words of the JSON acts too; false when it is none. */
bool csv_type_parse(const char *text, size_t size, enum otp_type *ret_type);
bool csv_algorithm_parse(const char *text, size_t size, enum kernel_algorithm *ret_algorithm);

#endif
