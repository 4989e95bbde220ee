/* What otpring-relay is told: an INI file of [relay], [webhook NAME] and [mqtt NAME]. The parser is pure; the file's
 * text may be anything. Unknown sections, keys and bad values are refused by name and line. */
#ifndef TOOLS_OTPRING_RELAY_CONFIG_H
#define TOOLS_OTPRING_RELAY_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admin/message_kinds.h"
#include "base/result.h"

enum {
    CONFIG_ERROR_SIZE = 512,
    CONFIG_LINE_SIZE_MAX = 198,
    CONFIG_WAYS_MAX = 8, /* sections webhook and mqtt */
    CONFIG_HEADERS_MAX = 16,
    CONFIG_VALUE_SIZE = 192,
    CONFIG_NAME_SIZE = 32,
};

struct config_header {
    char name[48];
    char value[CONFIG_VALUE_SIZE]; /* or the path of the file that holds it */
    bool from_file;
};

enum way_kind { WAY_WEBHOOK, WAY_MQTT };

/* One way out. Empty texts: not given. */
struct way_config {
    enum way_kind kind;
    char name[CONFIG_NAME_SIZE];
    int line;
    bool channels[CHANNEL_END];
    char body[CONFIG_VALUE_SIZE];
    uint32_t timeout_s;
    uint32_t retry_s; /* after the first failure; doubles with each */
    uint32_t retry_max_s;
    uint32_t concurrency; /* deliveries under way at once */
    char ca_file[CONFIG_VALUE_SIZE];
    char cert_file[CONFIG_VALUE_SIZE];
    char key_file[CONFIG_VALUE_SIZE];
    /* webhook */
    char url[CONFIG_VALUE_SIZE];
    char secret_file[CONFIG_VALUE_SIZE];
    char pinned_key[CONFIG_VALUE_SIZE];
    unsigned header_count;
    struct config_header headers[CONFIG_HEADERS_MAX];
    /* mqtt */
    char host[CONFIG_VALUE_SIZE];
    uint32_t port;
    char topic[CONFIG_VALUE_SIZE];
    char client_id[CONFIG_VALUE_SIZE];
    char username[CONFIG_VALUE_SIZE];
    char password_file[CONFIG_VALUE_SIZE];
    uint32_t keepalive_s;
};

struct config {
    char socket[CONFIG_VALUE_SIZE];
    char texts[CONFIG_VALUE_SIZE]; /* empty: those installed (folder.h) */
    char bank[CONFIG_VALUE_SIZE];
    char support[CONFIG_VALUE_SIZE];
    char language[CONFIG_VALUE_SIZE];
    char operator[CONFIG_VALUE_SIZE];
    char operator_key_file[CONFIG_VALUE_SIZE];
    uint32_t poll_ms;
    unsigned way_count;
    struct way_config ways[CONFIG_WAYS_MAX];
};

/* BAD_CONFIG: ret_error says "line N: why". */
struct result config_parse(const char *text, size_t size, struct config *ret_config,
                           char ret_error[CONFIG_ERROR_SIZE]) MUST_USE;

/* The way that takes a channel; NULL: none does. */
const struct way_config *config_way(const struct config *config, const char *channel);

/* Whether a host is this machine: what may go without TLS. */
bool config_is_loopback(const char *host, size_t size);

#endif
