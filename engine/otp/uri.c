/* otpauth key URIs, both ways: otpauth://TYPE/[ISSUER:]ACCOUNT?secret=...&... */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "otp/otp.h"

enum { TEXT_MAX = 1024 };

/* ---- reading ---- */

struct parts {
    const char *label;
    size_t label_size;
    const char *query;
    size_t query_size;
};

static int hex_of(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Continuation bytes that a UTF-8 lead byte asks for; -1: not a lead byte. */
static int utf8_tail(uint8_t lead)
{
    return lead < 0x80                   ? 0
           : lead >= 0xc2 && lead < 0xe0 ? 1
           : lead >= 0xe0 && lead < 0xf0 ? 2
           : lead >= 0xf0 && lead < 0xf5 ? 3
                                         : -1;
}

static bool is_utf8_without_controls(const char *text)
{
    for (const uint8_t *c = (const uint8_t *)text; *c;) {
        int tail = utf8_tail(*c);
        if (tail < 0 || *c < 0x20 || *c == 0x7f) return false;
        if (*c == 0xe0 && c[1] < 0xa0) return false;  /* overlong */
        if (*c == 0xed && c[1] >= 0xa0) return false; /* surrogate */
        if (*c == 0xf0 && c[1] < 0x90) return false;
        if (*c == 0xf4 && c[1] >= 0x90) return false;
        if (*c == 0xc2 && c[1] < 0xa0) return false; /* C1 control */
        for (c++; tail > 0; tail--, c++)
            if ((*c & 0xc0) != 0x80) return false;
    }
    return true;
}

/* Percent-decoding into text with a NUL. '+' stays '+': it is no blank in a label, and writers of queries use %20. */
static bool decode(const char *from, size_t size, char *ret_text, size_t capacity)
{
    size_t written = 0;
    for (size_t i = 0; i < size; i++) {
        char c = from[i];
        if (c == '%') {
            if (size - i < 3 || hex_of(from[i + 1]) < 0 || hex_of(from[i + 2]) < 0) return false;
            c = (char)(hex_of(from[i + 1]) << 4 | hex_of(from[i + 2]));
            i += 2;
        }
        if (c == 0 || written + 1 >= capacity) return false;
        ret_text[written++] = c;
    }
    ret_text[written] = 0;
    return true;
}

static struct result split(const char *text, size_t size, struct otp_uri *uri, struct parts *ret_parts)
{
    static const char scheme[] = "otpauth://";
    const size_t scheme_size = sizeof scheme - 1;
    if (size < scheme_size + 5 || strncasecmp(text, scheme, scheme_size) != 0) return result_of(BAD_URI);
    const char *type = text + scheme_size;
    if (strncasecmp(type, "totp/", 5) == 0)
        uri->parameters.type = OTP_TOTP;
    else if (strncasecmp(type, "hotp/", 5) == 0)
        uri->parameters.type = OTP_HOTP;
    else
        return result_of(memchr(type, '/', (size_t)(text + size - type)) ? BAD_TYPE : BAD_URI);
    const char *end = text + size;
    ret_parts->label = type + 5;
    const char *mark = memchr(ret_parts->label, '?', (size_t)(end - ret_parts->label));
    if (!mark || memchr(text, '#', size)) return result_of(BAD_URI);
    ret_parts->label_size = (size_t)(mark - ret_parts->label);
    ret_parts->query = mark + 1;
    ret_parts->query_size = (size_t)(end - ret_parts->query);
    return result_ok();
}

/* "Issuer:account", where the colon may be encoded and blanks may follow it; without a colon all is the account. */
static struct result label_read(const struct parts *parts, struct otp_uri *uri)
{
    char label[2 * OTP_NAME_SIZE_MAX + 8];
    if (!decode(parts->label, parts->label_size, label, sizeof label)) return result_of(BAD_URI);
    char *account = label;
    char *colon = strchr(label, ':');
    if (colon) {
        *colon = 0;
        account = colon + 1;
    }
    account += strspn(account, " ");
    if (strchr(account, ':'))
        return result_of(BAD_NAME); /* The format forbids it: the reader could not tell issuer from account. */
    if (strlen(account) > OTP_NAME_SIZE_MAX || !*account || !is_utf8_without_controls(account))
        return result_of(BAD_NAME);
    if (colon && (strlen(label) > OTP_NAME_SIZE_MAX || !is_utf8_without_controls(label))) return result_of(BAD_NAME);
    strcpy(uri->account, account);
    strcpy(uri->issuer, colon ? label : "");
    return result_ok();
}

static bool number_read(const char *text, uint64_t max, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (!*text || strlen(text) > 20) return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9') return false;
        uint64_t digit = (uint64_t)(*text - '0');
        if (value > (max - digit) / 10) return false;
        value = value * 10 + digit;
    }
    *ret_value = value;
    return true;
}

static struct result algorithm_read(const char *text, struct otp_uri *uri)
{
    static const char *const names[][3] = {
        {"SHA1", "SHA-1", "HMACSHA1"}, {"SHA256", "SHA-256", "HMACSHA256"}, {"SHA512", "SHA-512", "HMACSHA512"}};
    for (int a = 0; a < KERNEL_ALGORITHM_COUNT; a++)
        for (int n = 0; n < 3; n++)
            if (strcasecmp(text, names[a][n]) == 0) {
                uri->parameters.algorithm = (enum kernel_algorithm)a;
                return result_ok();
            }
    return result_of(BAD_ALGORITHM);
}

static struct result secret_read(const char *text, struct otp_uri *uri)
{
    struct result result = otp_base32_decode(text, strlen(text), uri->seed, sizeof uri->seed, &uri->seed_size);
    if (result.code == FULL) return result_of(BAD_SECRET_SIZE);
    TRY(result);
    return uri->seed_size < OTP_SEED_SIZE_MIN ? result_of(BAD_SECRET_SIZE) : result_ok();
}

enum parameter { SECRET = 1, ISSUER = 2, ALGORITHM = 4, DIGITS = 8, PERIOD = 16, COUNTER = 32 };

static struct result issuer_read(const char *text, struct otp_uri *uri)
{
    if (strlen(text) > OTP_NAME_SIZE_MAX || strchr(text, ':') || !is_utf8_without_controls(text))
        return result_of(BAD_NAME);
    if (uri->issuer[0] && *text && strcmp(uri->issuer, text) != 0) return result_of(URI_TWO_ISSUERS);
    if (*text) strcpy(uri->issuer, text);
    return result_ok();
}

static struct result value_read(enum parameter parameter, const char *text, struct otp_uri *uri)
{
    uint64_t value;
    switch (parameter) {
    case SECRET:
        return secret_read(text, uri);
    case ISSUER:
        return issuer_read(text, uri);
    case ALGORITHM:
        return algorithm_read(text, uri);
    case DIGITS:
        if (!number_read(text, 255, &value) || value < OTP_DIGITS_MIN || value > OTP_DIGITS_MAX)
            return result_of(BAD_DIGITS);
        uri->parameters.digits = (uint8_t)value;
        return result_ok();
    case PERIOD:
        if (!number_read(text, OTP_PERIOD_S_MAX, &value) || value < OTP_PERIOD_S_MIN) return result_of(BAD_PERIOD);
        uri->parameters.period_s = (uint32_t)value;
        return result_ok();
    default:
        return number_read(text, UINT64_MAX, &uri->counter) ? result_ok() : result_of(BAD_COUNTER);
    }
}

static unsigned parameter_of(const char *name, size_t size)
{
    static const char *const names[] = {"secret", "issuer", "algorithm", "digits", "period", "counter"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i]) == size && strncasecmp(names[i], name, size) == 0) return 1u << i;
    return 0;
}

static struct result query_read(const struct parts *parts, struct otp_uri *uri, unsigned *ret_seen)
{
    const char *at = parts->query;
    const char *end = at + parts->query_size;
    char text[TEXT_MAX];
    struct result result = result_ok();
    while (at < end && !result_failed(result)) {
        const char *stop = memchr(at, '&', (size_t)(end - at));
        if (!stop) stop = end;
        const char *equals = memchr(at, '=', (size_t)(stop - at));
        unsigned parameter = equals ? parameter_of(at, (size_t)(equals - at)) : 0;
        bool repeated = parameter & *ret_seen;
        *ret_seen |= parameter;
        if (repeated)
            result = result_of(URI_REPEATED);
        else if (parameter && !decode(equals + 1, (size_t)(stop - equals - 1), text, sizeof text))
            result = result_of(BAD_URI);
        else if (parameter)
            result = value_read((enum parameter)parameter, text, uri);
        at = stop + 1;
    }
    explicit_bzero(text, sizeof text);
    return result;
}

static struct result parse(const char *text, size_t size, struct otp_uri *uri)
{
    struct parts parts;
    unsigned seen = 0;
    uri->parameters.algorithm = KERNEL_SHA1;
    uri->parameters.digits = 6;
    TRY(split(text, size, uri, &parts));
    uri->parameters.period_s = uri->parameters.type == OTP_TOTP ? 30 : 0;
    TRY(label_read(&parts, uri));
    TRY(query_read(&parts, uri, &seen));
    if (!(seen & SECRET)) return result_of(URI_NO_SECRET);
    if (uri->parameters.type == OTP_HOTP && !(seen & COUNTER)) return result_of(URI_NO_COUNTER);
    if (uri->parameters.type == OTP_HOTP) uri->parameters.period_s = 0;
    if (uri->parameters.type == OTP_TOTP) uri->counter = 0;
    return result_ok();
}

struct result otp_uri_parse(const char *text, size_t size, struct otp_uri *ret_uri)
{
    struct otp_uri uri = {0};
    struct result result = parse(text, size, &uri);
    if (!result_failed(result)) *ret_uri = uri;
    otp_uri_wipe(&uri);
    return result;
}

/* ---- writing ---- */

struct writer {
    char *at;
    size_t left; /* without the NUL */
    bool full;
};

static void put(struct writer *writer, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct writer *writer, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int size = vsnprintf(writer->at, writer->left + 1, format, list);
    va_end(list);
    if (size < 0 || (size_t)size > writer->left) {
        writer->full = true;
        return;
    }
    writer->at += size;
    writer->left -= (size_t)size;
}

/* Everything but RFC 3986's unreserved characters is encoded. */
static void put_encoded(struct writer *writer, const char *text)
{
    for (const uint8_t *c = (const uint8_t *)text; *c; c++) {
        bool plain =
            (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || strchr("-._~", *c);
        if (plain)
            put(writer, "%c", *c);
        else
            put(writer, "%%%02X", *c);
    }
}

struct result otp_uri_format(const struct otp_uri *uri, char *ret_text, size_t capacity)
{
    static const char *const algorithms[] = {"SHA1", "SHA256", "SHA512"};
    char secret[OTP_SEED_SIZE_MAX * 8 / 5 + 2];
    if (capacity == 0) return result_of(FULL);
    TRY(otp_base32_encode(uri->seed, uri->seed_size, secret, sizeof secret));
    struct writer writer = {.at = ret_text, .left = capacity - 1};
    put(&writer, "otpauth://%s/", uri->parameters.type == OTP_TOTP ? "totp" : "hotp");
    if (uri->issuer[0]) {
        put_encoded(&writer, uri->issuer);
        put(&writer, ":");
    }
    put_encoded(&writer, uri->account);
    put(&writer, "?secret=%s", secret);
    explicit_bzero(secret, sizeof secret);
    if (uri->issuer[0]) {
        put(&writer, "&issuer=");
        put_encoded(&writer, uri->issuer);
    }
    put(&writer, "&algorithm=%s&digits=%u", algorithms[uri->parameters.algorithm], uri->parameters.digits);
    if (uri->parameters.type == OTP_TOTP)
        put(&writer, "&period=%u", uri->parameters.period_s);
    else
        put(&writer, "&counter=%llu", (unsigned long long)uri->counter);
    return writer.full ? result_of(FULL) : result_ok();
}

void otp_uri_wipe(struct otp_uri *uri)
{
    explicit_bzero(uri, sizeof *uri);
}
