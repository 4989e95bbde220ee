#include "otpring-relay/config.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct result refuse(char ret_error[CONFIG_ERROR_SIZE], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static struct result refuse(char ret_error[CONFIG_ERROR_SIZE], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(ret_error, CONFIG_ERROR_SIZE, format, arguments);
    va_end(arguments);
    for (char *at = ret_error; *at; at++)
        if (iscntrl((unsigned char)*at)) *at = '?';
    return result_of(BAD_CONFIG);
}

/* ---- settings ---- */

enum setting_type { SETTING_TEXT, SETTING_NUMBER, SETTING_CHANNELS };

struct setting {
    const char *name;
    enum setting_type type;
    size_t offset;
    uint32_t least, most;
};

#define TEXT(name, field, type)                                                                                        \
    {                                                                                                                  \
        name, SETTING_TEXT, offsetof(struct type, field), 0, 0                                                         \
    }
#define NUMBER(name, field, type, least, most)                                                                         \
    {                                                                                                                  \
        name, SETTING_NUMBER, offsetof(struct type, field), least, most                                                \
    }
#define CHANNELS                                                                                                       \
    {                                                                                                                  \
        "channels", SETTING_CHANNELS, offsetof(struct way_config, channels), 0, 0                                      \
    }
/* Of both kinds of ways. */
#define WAY_SETTINGS                                                                                                   \
    CHANNELS, TEXT("body", body, way_config), NUMBER("timeout", timeout_s, way_config, 1, 600),                        \
        NUMBER("retry", retry_s, way_config, 1, 3600), NUMBER("retry-max", retry_max_s, way_config, 1, 3600),          \
        NUMBER("concurrency", concurrency, way_config, 1, 64), TEXT("ca-file", ca_file, way_config),                   \
        TEXT("cert-file", cert_file, way_config), TEXT("key-file", key_file, way_config)

static const struct setting relay_settings[] = {
    TEXT("socket", socket, config),
    TEXT("texts", texts, config),
    TEXT("bank", bank, config),
    TEXT("support", support, config),
    TEXT("language", language, config),
    TEXT("operator", operator, config),
    TEXT("operator-key-file", operator_key_file, config),
    NUMBER("poll", poll_ms, config, 10, 60000),
    {0},
};
static const struct setting webhook_settings[] = {
    WAY_SETTINGS,
    TEXT("url", url, way_config),
    TEXT("secret-file", secret_file, way_config),
    TEXT("pinned-key", pinned_key, way_config),
    {0},
};
static const struct setting mqtt_settings[] = {
    WAY_SETTINGS,
    TEXT("host", host, way_config),
    NUMBER("port", port, way_config, 1, 65535),
    TEXT("topic", topic, way_config),
    TEXT("client-id", client_id, way_config),
    TEXT("username", username, way_config),
    TEXT("password-file", password_file, way_config),
    NUMBER("keepalive", keepalive_s, way_config, 5, 3600),
    {0},
};

/* ---- the file ---- */

enum section { SECTION_NONE, SECTION_RELAY, SECTION_WEBHOOK, SECTION_MQTT };

struct parsing {
    struct config *config;
    char *error;
    const char *text;
    size_t left;
    int line;
    int error_line; /* 0: none */
    enum section section;
    char name[64]; /* of the present section, as inih gives it */
    struct way_config *way;
    bool relay_seen;
    uint32_t seen; /* bit i: setting i of the section stood there */
};

static char *read_line(char *line, int size, void *context)
{
    struct parsing *parsing = context;
    if (parsing->error_line || !parsing->left) return NULL;
    const char *end = memchr(parsing->text, '\n', parsing->left);
    size_t length = end ? (size_t)(end - parsing->text) + 1 : parsing->left;
    parsing->line++;
    bool zero = memchr(parsing->text, 0, length) != NULL;
    if (length >= (size_t)size || length > CONFIG_LINE_SIZE_MAX || zero) {
        (void)refuse(parsing->error, zero ? "a zero byte" : "longer than %d bytes", CONFIG_LINE_SIZE_MAX);
        parsing->error_line = parsing->line;
        return NULL;
    }
    memcpy(line, parsing->text, length);
    line[length] = 0;
    parsing->text += length;
    parsing->left -= length;
    return line;
}

static struct result way_begin(struct parsing *parsing, enum way_kind kind, const char *name)
{
    struct config *config = parsing->config;
    size_t size = strlen(name);
    if (size == 0 || size >= CONFIG_NAME_SIZE ||
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") != size)
        return refuse(parsing->error, "a section needs a name of letters, digits and -_.");
    for (unsigned i = 0; i < config->way_count; i++)
        if (!strcmp(config->ways[i].name, name)) return refuse(parsing->error, "the name %s stands there twice", name);
    if (config->way_count == CONFIG_WAYS_MAX)
        return refuse(parsing->error, "more than %d sections webhook and mqtt", CONFIG_WAYS_MAX);
    parsing->way = &config->ways[config->way_count++];
    *parsing->way = (struct way_config){.kind = kind,
                                        .line = parsing->line,
                                        .timeout_s = 20,
                                        .retry_s = 2,
                                        .retry_max_s = 300,
                                        .concurrency = 8,
                                        .keepalive_s = 30};
    strcpy(parsing->way->name, name);
    return result_ok();
}

static struct result section_begin(struct parsing *parsing, const char *section)
{
    snprintf(parsing->name, sizeof parsing->name, "%s", section);
    parsing->seen = 0;
    parsing->way = NULL;
    if (!strcmp(section, "relay")) {
        if (parsing->relay_seen) return refuse(parsing->error, "[relay] stands there twice");
        parsing->relay_seen = true;
        parsing->section = SECTION_RELAY;
        return result_ok();
    }
    if (!strncmp(section, "webhook ", 8)) {
        parsing->section = SECTION_WEBHOOK;
        return way_begin(parsing, WAY_WEBHOOK, section + 8);
    }
    if (!strncmp(section, "mqtt ", 5)) {
        parsing->section = SECTION_MQTT;
        return way_begin(parsing, WAY_MQTT, section + 5);
    }
    return refuse(parsing->error, "unknown section [%s]; there are [relay], [webhook NAME] and [mqtt NAME]", section);
}

static unsigned channel_of(const char *name)
{
#define CHANNEL(id, text)                                                                                              \
    if (strcmp(name, text) == 0) return CHANNEL_##id;
    MESSAGE_CHANNELS(CHANNEL)
#undef CHANNEL
    return CHANNEL_NONE;
}

static struct result channels_set(struct parsing *parsing, const char *value)
{
    char copy[CONFIG_VALUE_SIZE], *next = copy;
    snprintf(copy, sizeof copy, "%s", value);
    while (next) {
        char *part = strsep(&next, ",");
        part += strspn(part, " ");
        part[strcspn(part, " ")] = 0;
        unsigned channel = channel_of(part);
        if (!channel) return refuse(parsing->error, "channels: \"%.40s\" is not sms or push", part);
        for (unsigned i = 0; i < parsing->config->way_count; i++)
            if (parsing->config->ways[i].channels[channel])
                return refuse(parsing->error, "channels: %s goes by %s already", part, parsing->config->ways[i].name);
        parsing->way->channels[channel] = true;
    }
    return result_ok();
}

static struct result number_set(const struct setting *setting, const char *value, uint32_t *number, char *error)
{
    char *end;
    errno = 0;
    unsigned long wanted = strtoul(value, &end, 10);
    if (!isdigit((unsigned char)*value) || *end || errno || wanted < setting->least || wanted > setting->most)
        return refuse(error, "%s: \"%.40s\" is not a whole number from %u to %u", setting->name, value, setting->least,
                      setting->most);
    *number = (uint32_t)wanted;
    return result_ok();
}

/* A header's name is a token (RFC 9110, section 5.6.2); what the relay itself sets is refused. */
static bool header_name_valid(const char *name)
{
    static const char *const own[] = {"content-type", "content-length",    "transfer-encoding", "host",
                                      "expect",       "otpring-signature", "idempotency-key",   "otpring-redelivery"};
    size_t size = strlen(name);
    if (size == 0 || size >= sizeof((struct config_header *)0)->name) return false;
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (!strcasecmp(name, own[i])) return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == size;
}

static struct result header_set(struct parsing *parsing, const char *name, const char *value)
{
    struct way_config *way = parsing->way;
    bool from_file = !strncmp(name, "header-file-", 12);
    const char *header = name + (from_file ? 12 : 7);
    if (!header_name_valid(header))
        return refuse(parsing->error, "%.60s: not a header's name, or one that otpring-relay sets itself", name);
    if (way->header_count == CONFIG_HEADERS_MAX)
        return refuse(parsing->error, "more than %d headers", CONFIG_HEADERS_MAX);
    for (unsigned i = 0; i < way->header_count; i++)
        if (!strcasecmp(way->headers[i].name, header)) return refuse(parsing->error, "%s stands there twice", name);
    struct config_header *to = &way->headers[way->header_count++];
    to->from_file = from_file;
    strcpy(to->name, header);
    strcpy(to->value, value);
    return result_ok();
}

static struct result value_set(struct parsing *parsing, const char *name, const char *value)
{
    const struct setting *settings = parsing->section == SECTION_RELAY     ? relay_settings
                                     : parsing->section == SECTION_WEBHOOK ? webhook_settings
                                                                           : mqtt_settings;
    char *to = parsing->section == SECTION_RELAY ? (char *)parsing->config : (char *)parsing->way;
    if (!*value) return refuse(parsing->error, "%s has no value", name);
    if (parsing->section == SECTION_WEBHOOK && !strncmp(name, "header-", 7)) return header_set(parsing, name, value);
    for (const struct setting *setting = settings; setting->name; setting++) {
        uint32_t bit = 1U << (setting - settings);
        if (strcmp(setting->name, name)) continue;
        if (parsing->seen & bit) return refuse(parsing->error, "%s stands there twice", name);
        parsing->seen |= bit;
        if (setting->type == SETTING_CHANNELS) return channels_set(parsing, value);
        if (setting->type == SETTING_NUMBER)
            return number_set(setting, value, (uint32_t *)(void *)(to + setting->offset), parsing->error);
        snprintf(to + setting->offset, CONFIG_VALUE_SIZE, "%s", value);
        return result_ok();
    }
    return refuse(parsing->error, "unknown key \"%.60s\" in [%s]", name, parsing->name);
}

static int handle(void *context, const char *section, const char *name, const char *value)
{
    struct parsing *parsing = context;
    if (parsing->error_line) return 0;
    struct result result = result_ok();
    if (parsing->section == SECTION_NONE || strcmp(section, parsing->name)) result = section_begin(parsing, section);
    if (!result_failed(result)) result = value_set(parsing, name, value);
    if (result_failed(result)) parsing->error_line = parsing->line;
    return !result_failed(result);
}

/* ---- what goes together ---- */

bool config_is_loopback(const char *host, size_t size)
{
    static const char *const names[] = {"localhost", "::1", "[::1]"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i]) == size && !memcmp(names[i], host, size)) return true;
    /* An address in digits alone: a name that begins so is somebody else's. */
    return size > 4 && !memcmp(host, "127.", 4) && strspn(host, "0123456789.") >= size;
}

static bool url_plain_elsewhere(const char *url)
{
    if (strncmp(url, "http://", 7)) return false;
    size_t size = url[7] == '[' ? strcspn(url + 7, "]") + 1 : strcspn(url + 7, ":/?#");
    /* "user@host" would make another host of it. */
    return strcspn(url + 7, "@") < strcspn(url + 7, "/") || !config_is_loopback(url + 7, size);
}

static struct result webhook_check(const struct way_config *way, char *error)
{
    if (!*way->url || !*way->secret_file || !*way->body)
        return refuse(error, "[webhook %s] lacks %s=", way->name,
                      !*way->url    ? "url"
                      : !*way->body ? "body"
                                    : "secret-file");
    if (strncmp(way->url, "https://", 8) && strncmp(way->url, "http://", 7))
        return refuse(error, "[webhook %s]: the url must begin with https://", way->name);
    if (url_plain_elsewhere(way->url))
        return refuse(error, "[webhook %s]: without TLS only to this machine (127.0.0.1, ::1, localhost)", way->name);
    const char *place = strchr(way->url, '{');
    const char *path = strchr(strstr(way->url, "//") + 2, '/');
    if (place && (!path || place < path))
        return refuse(error, "[webhook %s]: a placeholder may stand in the url's path alone", way->name);
    return result_ok();
}

static struct result mqtt_check(struct way_config *way, char *error)
{
    if (!*way->host || !*way->topic || !*way->body)
        return refuse(error, "[mqtt %s] lacks %s=", way->name, !*way->host ? "host" : !*way->topic ? "topic" : "body");
    if (!*way->ca_file && !config_is_loopback(way->host, strlen(way->host)))
        return refuse(error, "[mqtt %s] lacks ca-file=: without TLS only to this machine", way->name);
    if (!*way->username != !*way->password_file)
        return refuse(error, "[mqtt %s]: username and password-file go together", way->name);
    if (strpbrk(way->topic, "+#") || way->topic[0] == '/' || way->topic[0] == '$')
        return refuse(error, "[mqtt %s]: a topic to publish to has no + and #, and begins with neither / nor $",
                      way->name);
    if (!way->port) way->port = *way->ca_file ? 8883 : 1883;
    return result_ok();
}

static struct result way_check(struct way_config *way, char *error)
{
    bool any = false;
    for (unsigned i = 0; i < CHANNEL_END; i++) any |= way->channels[i];
    const char *kind = way->kind == WAY_MQTT ? "mqtt" : "webhook";
    if (!any) return refuse(error, "[%s %s] lacks channels=", kind, way->name);
    if (!*way->cert_file != !*way->key_file)
        return refuse(error, "[%s %s]: cert-file and key-file go together", kind, way->name);
    if (way->retry_max_s < way->retry_s) return refuse(error, "[%s %s]: retry-max is less than retry", kind, way->name);
    return way->kind == WAY_MQTT ? mqtt_check(way, error) : webhook_check(way, error);
}

static struct result config_check(struct config *config, char *error)
{
    if (!*config->socket || !*config->bank || !*config->support)
        return refuse(error, "[relay] lacks %s=", !*config->socket ? "socket" : !*config->bank ? "bank" : "support");
    if (!*config->operator!= !* config->operator_key_file)
        return refuse(error, "operator and operator-key-file go together");
    if (!config->way_count) return refuse(error, "there is no [webhook NAME] and no [mqtt NAME]: no way out");
    for (unsigned i = 0; i < config->way_count; i++) {
        char why[CONFIG_ERROR_SIZE];
        struct result result = way_check(&config->ways[i], why);
        if (result_failed(result)) return refuse(error, "line %d: %.400s", config->ways[i].line, why);
    }
    return result_ok();
}

struct result config_parse(const char *text, size_t size, struct config *ret_config, char ret_error[CONFIG_ERROR_SIZE])
{
    char error[CONFIG_ERROR_SIZE] = "";
    struct parsing parsing = {.config = ret_config, .error = error, .text = text, .left = size};
    memset(ret_config, 0, sizeof *ret_config);
    ret_config->poll_ms = 500;
    strcpy(ret_config->language, "es");
    int line = ini_parse_stream(read_line, &parsing, handle, &parsing);
    if (line < 0) return refuse(ret_error, "not enough memory");
    if (parsing.error_line && (line == 0 || parsing.error_line <= line))
        return refuse(ret_error, "line %d: %.400s", parsing.error_line, error);
    if (line > 0) return refuse(ret_error, "line %d: neither [section] nor key = value", line);
    return config_check(ret_config, ret_error);
}

const struct way_config *config_way(const struct config *config, const char *channel)
{
    unsigned wanted = channel_of(channel);
    for (unsigned i = 0; wanted && i < config->way_count; i++)
        if (config->ways[i].channels[wanted]) return &config->ways[i];
    return NULL;
}
