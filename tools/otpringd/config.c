#include "otpringd/config.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/moment.h"

static struct result refuse(char ret_error[CONFIG_ERROR_SIZE], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static struct result refuse(char ret_error[CONFIG_ERROR_SIZE], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(ret_error, CONFIG_ERROR_SIZE, format, arguments);
    va_end(arguments);
    /* What is quoted may hold bytes that a terminal would obey. */
    for (char *at = ret_error; *at; at++)
        if (iscntrl((unsigned char)*at)) *at = '?';
    return result_of(BAD_CONFIG);
}

/* ---- values ---- */

static bool parse_number(const char *text, uint64_t max, uint64_t *ret_value)
{
    if (!isdigit((unsigned char)*text)) return false;
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || *end || value > max) return false;
    *ret_value = value;
    return true;
}

/* Digits with an optional K, M, G or T (powers of 1024). */
static bool parse_size(const char *text, uint64_t *ret_value)
{
    char digits[24];
    size_t length = strlen(text);
    if (length == 0 || length >= sizeof digits) return false;
    memcpy(digits, text, length + 1);
    const char *units = "KMGT";
    const char *unit = strchr(units, digits[length - 1]);
    unsigned shift = 0;
    if (unit) {
        shift = 10 * (unsigned)(unit - units + 1);
        digits[length - 1] = 0;
    }
    uint64_t value;
    if (!parse_number(digits, UINT64_MAX >> shift, &value)) return false;
    *ret_value = value << shift;
    return true;
}

static bool parse_switch(const char *text, bool *ret_value)
{
    bool yes = !strcmp(text, "yes") || !strcmp(text, "true") || !strcmp(text, "on") || !strcmp(text, "1");
    bool no = !strcmp(text, "no") || !strcmp(text, "false") || !strcmp(text, "off") || !strcmp(text, "0");
    if (!yes && !no) return false;
    *ret_value = yes;
    return true;
}

/* Octal permission bits; execution means nothing on a socket, so only 6, 4, 2 and 0 stand. */
static bool parse_mode(const char *text, unsigned *ret_value)
{
    char *end;
    if (!isdigit((unsigned char)*text)) return false;
    unsigned long value = strtoul(text, &end, 8);
    if (*end || value & ~0666UL) return false;
    *ret_value = (unsigned)value;
    return true;
}

/* ---- settings ---- */

enum setting_type {
    SETTING_PATH,
    SETTING_NAME,
    SETTING_NUMBER,
    SETTING_SIZE,
    SETTING_SWITCH,
    SETTING_MODE,
    SETTING_TIME,
    SETTING_CPUS
};

struct setting {
    const char *name;
    enum setting_type type;
    size_t offset;
    uint64_t min, max; /* numbers and sizes */
    bool consent;      /* given for one start, never in a file */
};

#define FIELD(field) offsetof(struct config, field)

static const struct setting settings[] = {
    {.name = "store", .type = SETTING_PATH, .offset = FIELD(store)},
    {.name = "config", .type = SETTING_PATH, .offset = FIELD(config), .consent = true},
    {.name = "key", .type = SETTING_PATH, .offset = FIELD(key)},
    {.name = "kernel", .type = SETTING_NAME, .offset = FIELD(kernel)},
    {.name = "workers", .type = SETTING_NUMBER, .offset = FIELD(workers), .min = 1, .max = 60},
    {.name = "verify-cpus", .type = SETTING_CPUS, .offset = FIELD(verify_cpus)},
    {.name = "insecure-memory", .type = SETTING_SWITCH, .offset = FIELD(insecure_memory)},
    {.name = "take-over", .type = SETTING_SWITCH, .offset = FIELD(take_over), .consent = true},
    {.name = "restore-now", .type = SETTING_TIME, .offset = FIELD(restore_now_ms), .consent = true},
    {.name = "no-sandbox", .type = SETTING_SWITCH, .offset = FIELD(no_sandbox)},
    {.name = "journal-keep", .type = SETTING_SIZE, .offset = FIELD(journal_keep), .min = 4 << 20, .max = 1ULL << 50},
    {.name = "journal-keep-days", .type = SETTING_NUMBER, .offset = FIELD(journal_keep_days), .min = 1, .max = 36500},
    {.name = "segment-size", .type = SETTING_SIZE, .offset = FIELD(segment_size), .min = 2 << 20, .max = 4ULL << 30},
    {.name = "checkpoint-bytes",
     .type = SETTING_SIZE,
     .offset = FIELD(checkpoint_bytes),
     .min = 1 << 20,
     .max = 1ULL << 50},
    {.name = "tokens-max", .type = SETTING_SIZE, .offset = FIELD(tokens_max), .min = 1, .max = UINT32_MAX},
    {.name = "session-idle", .type = SETTING_NUMBER, .offset = FIELD(session_idle_s), .min = 1, .max = 604800},
    {.name = "connections-max", .type = SETTING_NUMBER, .offset = FIELD(connections_max), .min = 1, .max = 32768},
    {.name = "outbox-max", .type = SETTING_NUMBER, .offset = FIELD(outbox_max), .min = 1, .max = 100000000},
    {.name = "verify-mode", .type = SETTING_MODE, .offset = FIELD(verify_mode)},
    {.name = "admin-mode", .type = SETTING_MODE, .offset = FIELD(admin_mode)},
    {.name = "ask-mode", .type = SETTING_MODE, .offset = FIELD(ask_mode)},
    {.name = "challenges-max", .type = SETTING_SIZE, .offset = FIELD(challenges_max), .min = 1, .max = 1 << 26},
    {.name = "marks-max", .type = SETTING_SIZE, .offset = FIELD(marks_max), .min = 1, .max = 1ULL << 32},
    {.name = "operators", .type = SETTING_SWITCH, .offset = FIELD(operators)},
};

static const struct setting *setting_find(const char *name)
{
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        if (!strcmp(settings[i].name, name)) return &settings[i];
    return NULL;
}

static bool set_text(char *to, size_t size, const char *value)
{
    size_t length = strlen(value);
    if (length == 0 || length >= size) return false;
    memcpy(to, value, length + 1);
    return true;
}

static bool set_number(void *to, const struct setting *setting, const char *value)
{
    uint64_t number;
    bool read = setting->type == SETTING_SIZE ? parse_size(value, &number) : parse_number(value, setting->max, &number);
    if (!read || number < setting->min || number > setting->max) return false;
    if (setting->type == SETTING_SIZE)
        memcpy(to, &number, sizeof number);
    else
        memcpy(to, &(uint32_t){(uint32_t)number}, sizeof(uint32_t));
    return true;
}

static const char *wanted_of(const struct setting *setting, char ret_text[96])
{
    switch (setting->type) {
    case SETTING_PATH:
        return "a path";
    case SETTING_NAME:
        return "a name";
    case SETTING_SWITCH:
        return "yes or no";
    case SETTING_MODE:
        return "an octal mode such as 0660";
    case SETTING_CPUS:
        return "a list of processors such as 0,2-5";
    case SETTING_TIME:
        return "seconds since 1970, or a time such as 2026-01-31T12:00:00Z";
    default:
        break;
    }
    snprintf(ret_text, 96, "a number from %llu to %llu%s", (unsigned long long)setting->min,
             (unsigned long long)setting->max, setting->type == SETTING_SIZE ? ", K, M, G or T after it" : "");
    return ret_text;
}

struct result config_set(struct config *config, const char *name, const char *value, bool in_file,
                         char ret_error[CONFIG_ERROR_SIZE])
{
    const struct setting *setting = setting_find(name);
    if (!setting) return refuse(ret_error, "unknown key \"%s\"", name);
    if (in_file && setting->consent) return refuse(ret_error, "\"%s\" is for the command line alone", name);
    char *to = (char *)config + setting->offset;
    bool set = false;
    switch (setting->type) {
    case SETTING_PATH:
        set = set_text(to, CONFIG_PATH_SIZE, value);
        break;
    case SETTING_NAME:
        set = set_text(to, sizeof config->kernel, value);
        break;
    case SETTING_NUMBER:
    case SETTING_SIZE:
        set = set_number(to, setting, value);
        break;
    case SETTING_SWITCH:
        set = parse_switch(value, (bool *)to);
        break;
    case SETTING_MODE:
        set = parse_mode(value, (unsigned *)(void *)to);
        break;
    case SETTING_TIME:
        set = moment_parse(value, (int64_t *)(void *)to);
        break;
    case SETTING_CPUS:
        set = cpus_parse(value, &(cpu_set_t){0}) && set_text(to, sizeof config->verify_cpus, value);
        break;
    }
    char text[96];
    return set ? result_ok() : refuse(ret_error, "%s: \"%.80s\" is not %s", name, value, wanted_of(setting, text));
}

void config_defaults(struct config *ret_config)
{
    *ret_config = (struct config){.verify_mode = 0600, .admin_mode = 0600, .ask_mode = 0600};
}

/* ---- clients ---- */

/* FNV-1a, folded: the same name gives the same id on every machine and in every version, since ids stand in records. */
static uint16_t client_id(const char *name)
{
    uint32_t hash = 2166136261U;
    for (; *name; name++) hash = (hash ^ (uint8_t)*name) * 16777619U;
    uint16_t id = (uint16_t)(hash >> 16 ^ hash);
    return id ? id : 1;
}

/* Calls each with every part of `text` between separators, blanks around it cut off. */
static struct result each_part(char *text, const char *separators,
                               struct result (*each)(struct core_client *client, const char *part,
                                                     char ret_error[CONFIG_ERROR_SIZE]),
                               struct core_client *client, char ret_error[CONFIG_ERROR_SIZE])
{
    char *next = text;
    while (next) {
        char *part = strsep(&next, separators);
        while (isspace((unsigned char)*part)) part++;
        size_t length = strlen(part);
        while (length && isspace((unsigned char)part[length - 1])) part[--length] = 0;
        TRY(each(client, part, ret_error));
    }
    return result_ok();
}

static struct result add_right(struct core_client *client, const char *part, char ret_error[CONFIG_ERROR_SIZE])
{
    static const struct {
        const char *name;
        uint32_t right;
    } rights[] = {{"verify", CORE_RIGHT_VERIFY},
                  {"enrol", CORE_RIGHT_ENROL},
                  {"ask", CORE_RIGHT_ASK},
                  {"states", CORE_RIGHT_SEE_STATES}};
    for (size_t i = 0; i < sizeof rights / sizeof rights[0]; i++) {
        if (strcmp(part, rights[i].name)) continue;
        client->rights |= rights[i].right;
        return result_ok();
    }
    return refuse(ret_error, "rights: \"%.80s\" is not verify, enrol, ask or states", part);
}

static struct result add_company(struct core_client *client, const char *part, char ret_error[CONFIG_ERROR_SIZE])
{
    if (!*part) return refuse(ret_error, "companies: a name is empty");
    if (client->company_count == CORE_CLIENT_COMPANIES_MAX)
        return refuse(ret_error, "companies: more than %d; leave the key out for every company",
                      CORE_CLIENT_COMPANIES_MAX);
    uint8_t name[16];
    core_name(part, strlen(part), "", 0, name);
    memcpy(client->companies[client->company_count++], name, 8);
    return result_ok();
}

/* ---- the file ---- */

enum section { SECTION_NONE, SECTION_DAEMON, SECTION_CLIENT, SECTION_UNKNOWN };

struct parsing {
    struct config *config;
    config_user_lookup *lookup;
    char *error;
    const char *text;
    size_t left;
    int line;       /* being read */
    int error_line; /* 0: none */
    enum section section;
    char name[64]; /* of the present section */
    int section_line;
    struct core_client *client;
    bool has_uid, has_rights;
    uint32_t seen; /* bit i: settings[i] stood in the file */
};

static int fail_at(struct parsing *parsing, int line)
{
    if (!parsing->error_line) parsing->error_line = line;
    return 0;
}

/* inih's reader: one line a call; counts lines, which the handler is not told. A longer line than inih takes is
 * refused, not cut. */
static char *read_line(char *line, int size, void *context)
{
    struct parsing *parsing = context;
    if (parsing->error_line || !parsing->left) return NULL;
    const char *end = memchr(parsing->text, '\n', parsing->left);
    size_t length = end ? (size_t)(end - parsing->text) + 1 : parsing->left;
    parsing->line++;
    if (length >= (size_t)size || length > CONFIG_LINE_SIZE_MAX || memchr(parsing->text, 0, length)) {
        (void)refuse(parsing->error, memchr(parsing->text, 0, length) ? "a zero byte" : "longer than %d bytes",
                     CONFIG_LINE_SIZE_MAX);
        fail_at(parsing, parsing->line);
        return NULL;
    }
    memcpy(line, parsing->text, length);
    line[length] = 0;
    parsing->text += length;
    parsing->left -= length;
    return line;
}

static bool client_complete(struct parsing *parsing)
{
    if (!parsing->client || (parsing->has_uid && parsing->has_rights)) return true;
    (void)refuse(parsing->error, "[client %s] lacks %s", parsing->client->name, parsing->has_uid ? "rights=" : "uid=");
    fail_at(parsing, parsing->section_line);
    return false;
}

static struct result client_begin(struct parsing *parsing, const char *name)
{
    struct config *config = parsing->config;
    char *error = parsing->error;
    while (*name == ' ') name++;
    if (!*name) return refuse(error, "a [client NAME] section needs a name");
    if (config->client_count == CONFIG_CLIENTS_MAX - 2)
        return refuse(error, "more than %d clients", CONFIG_CLIENTS_MAX - 2);
    uint16_t id = client_id(name);
    for (uint32_t i = 0; i < config->client_count; i++) {
        const struct core_client *other = &config->clients[i];
        if (!strcmp(other->name, name)) return refuse(error, "[client %s] stands there twice", name);
        if (other->id == id)
            return refuse(error, "the names of clients %s and %s have the same number; rename one", other->name, name);
    }
    struct core_client *client = &config->clients[config->client_count++];
    *client = (struct core_client){.id = id};
    snprintf(client->name, sizeof client->name, "%s", name);
    parsing->client = client;
    parsing->has_uid = parsing->has_rights = false;
    return result_ok();
}

static struct result section_begin(struct parsing *parsing, const char *section)
{
    snprintf(parsing->name, sizeof parsing->name, "%s", section);
    parsing->client = NULL;
    parsing->section_line = parsing->line;
    parsing->section = SECTION_UNKNOWN;
    if (!strcmp(section, "otpringd")) {
        parsing->section = SECTION_DAEMON;
        return result_ok();
    }
    if (!strncmp(section, "client ", 7)) {
        parsing->section = SECTION_CLIENT;
        return client_begin(parsing, section + 7);
    }
    if (!*section) return refuse(parsing->error, "a key before any section; [otpringd] comes first");
    return refuse(parsing->error, "unknown section [%s]", section);
}

static struct result set_uid(struct parsing *parsing, const char *value)
{
    uint64_t number;
    uint32_t uid;
    if (parse_number(value, UINT32_MAX - 1, &number))
        uid = (uint32_t)number;
    else if (!parsing->lookup(value, &uid))
        return refuse(parsing->error, "uid: there is no user \"%.80s\"", value);
    for (uint32_t i = 0; i + 1 < parsing->config->client_count; i++)
        if (parsing->config->clients[i].uid == uid)
            return refuse(parsing->error, "uid %u belongs to client %s already", uid, parsing->config->clients[i].name);
    parsing->client->uid = uid;
    parsing->has_uid = true;
    return result_ok();
}

static struct result client_set(struct parsing *parsing, const char *name, const char *value)
{
    char copy[CONFIG_LINE_SIZE_MAX + 2];
    snprintf(copy, sizeof copy, "%s", value);
    if (!strcmp(name, "uid")) {
        if (parsing->has_uid) return refuse(parsing->error, "uid stands there twice");
        return set_uid(parsing, value);
    }
    if (!strcmp(name, "rights")) {
        parsing->has_rights = true;
        return each_part(copy, "|,", add_right, parsing->client, parsing->error);
    }
    if (!strcmp(name, "companies")) return each_part(copy, ",", add_company, parsing->client, parsing->error);
    if (!strcmp(name, "challenges")) {
        uint64_t number;
        if (!parse_size(value, &number) || number == 0 || number > UINT32_MAX)
            return refuse(parsing->error, "challenges: \"%.80s\" is not a number of questions", value);
        parsing->client->challenges_max = (uint32_t)number;
        return result_ok();
    }
    return refuse(parsing->error, "unknown key \"%s\" in [client %s]; it takes uid, companies, rights, challenges",
                  name, parsing->client->name);
}

static struct result daemon_set(struct parsing *parsing, const char *name, const char *value)
{
    const struct setting *setting = setting_find(name);
    uint32_t bit = setting ? 1U << (setting - settings) : 0;
    if (parsing->seen & bit) return refuse(parsing->error, "\"%s\" stands there twice", name);
    parsing->seen |= bit;
    return config_set(parsing->config, name, value, true, parsing->error);
}

static int handle(void *context, const char *section, const char *name, const char *value)
{
    struct parsing *parsing = context;
    if (parsing->error_line) return 0;
    if (parsing->section == SECTION_NONE || strcmp(section, parsing->name)) {
        if (!client_complete(parsing)) return 0;
        if (result_failed(section_begin(parsing, section))) return fail_at(parsing, parsing->line);
    }
    struct result result =
        parsing->section == SECTION_CLIENT ? client_set(parsing, name, value) : daemon_set(parsing, name, value);
    return result_failed(result) ? fail_at(parsing, parsing->line) : 1;
}

struct result config_parse(struct config *config, const char *text, size_t size, config_user_lookup *lookup,
                           char ret_error[CONFIG_ERROR_SIZE])
{
    char error[CONFIG_ERROR_SIZE] = "";
    struct parsing parsing = {.config = config, .lookup = lookup, .error = error, .text = text, .left = size};
    config->client_count = 0;
    int line = ini_parse_stream(read_line, &parsing, handle, &parsing);
    if (!parsing.error_line) (void)client_complete(&parsing);
    if (!parsing.error_line && line == 0) return result_ok();
    if (line < 0) return refuse(ret_error, "not enough memory");
    /* inih's own complaint (no "=", an open bracket) may stand before ours. */
    if (!parsing.error_line || (line > 0 && line < parsing.error_line))
        return refuse(ret_error, "line %d: neither [section] nor key = value", line);
    return refuse(ret_error, "line %d: %.200s", parsing.error_line, error);
}

static struct result add_builtin(struct config *config, const char *name, uint32_t uid,
                                 char ret_error[CONFIG_ERROR_SIZE])
{
    uint16_t id = client_id(name);
    for (uint32_t i = 0; i < config->client_count; i++) {
        if (config->clients[i].uid == uid) return result_ok();
        if (config->clients[i].id == id)
            return refuse(ret_error, "a client may not be named %s", config->clients[i].name);
    }
    if (config->client_count == CONFIG_CLIENTS_MAX) return refuse(ret_error, "too many clients");
    struct core_client *client = &config->clients[config->client_count++];
    *client = (struct core_client){
        .id = id, .uid = uid, .rights = CORE_RIGHT_VERIFY | CORE_RIGHT_ENROL | CORE_RIGHT_ASK | CORE_RIGHT_SEE_STATES};
    snprintf(client->name, sizeof client->name, "%s", name);
    return result_ok();
}

struct result config_add_owner(struct config *config, uint32_t owner_uid, char ret_error[CONFIG_ERROR_SIZE])
{
    TRY(add_builtin(config, "owner", owner_uid, ret_error));
    return owner_uid == 0 ? result_ok() : add_builtin(config, "root", 0, ret_error);
}

static size_t setting_size(const struct setting *setting)
{
    switch (setting->type) {
    case SETTING_SWITCH:
        return sizeof(bool);
    case SETTING_SIZE:
    case SETTING_TIME:
        return sizeof(uint64_t);
    case SETTING_NUMBER:
        return sizeof(uint32_t);
    default:
        return sizeof(unsigned);
    }
}

void config_restart_needed(const struct config *running, const struct config *wanted, char *ret_names, size_t size)
{
    size_t used = 0;
    ret_names[0] = 0;
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        const struct setting *setting = &settings[i];
        const char *a = (const char *)running + setting->offset, *b = (const char *)wanted + setting->offset;
        bool text = setting->type == SETTING_PATH || setting->type == SETTING_NAME || setting->type == SETTING_CPUS;
        if (text ? !strcmp(a, b) : !memcmp(a, b, setting_size(setting))) continue;
        int wrote = snprintf(ret_names + used, size - used, "%s%s", used ? ", " : "", setting->name);
        if (wrote < 0 || (size_t)wrote >= size - used) return;
        used += (size_t)wrote;
    }
}
