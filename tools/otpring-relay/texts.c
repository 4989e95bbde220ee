#include "otpring-relay/texts.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "otpring-relay/place.h"

enum { LANGUAGES_MAX = 16, KIND_COUNT = MESSAGE_KIND_END - 1, NAME_SIZE = 128 };

static const struct {
    const char *name;
    const char *fields;
} kinds[KIND_COUNT] = {
#define KIND(name, text, fields) {text, fields},
    MESSAGE_KINDS(KIND)
#undef KIND
};

struct language {
    char name[3];
    char *texts[KIND_COUNT];
};

struct texts {
    char bank[NAME_SIZE];
    char support[NAME_SIZE];
    char fallback[3];
    unsigned count;
    struct language languages[LANGUAGES_MAX];
};

/* ---- values ---- */

struct rendering {
    const struct texts *texts;
    const struct message *message;
    const char *language;
    const char *fields; /* of the kind */
    char time[64];
};

/* Whether the kind has the field, and whether it is a time. */
static bool field_known(const char *fields, const char *name, bool *ret_time)
{
    char wanted[PLACE_NAME_MAX + 3];
    snprintf(wanted, sizeof wanted, " %s ", name);
    if (strstr(fields, wanted)) return true;
    snprintf(wanted, sizeof wanted, "@%s ", name);
    *ret_time = strstr(fields, wanted) != NULL;
    return *ret_time;
}

static const char *time_text(struct rendering *rendering, const char *seconds)
{
    time_t time = (time_t)strtoll(seconds, NULL, 10);
    struct tm parts;
    if (!localtime_r(&time, &parts)) return NULL;
    /* Day before month, and a clock of 24 hours, as in Spain and Latin America; in English the month is a word, so that
     * nobody takes one for the other. */
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    if (strcmp(rendering->language, "en") == 0) {
        snprintf(rendering->time, sizeof rendering->time, "%d %s %d %02d:%02d", parts.tm_mday, months[parts.tm_mon],
                 parts.tm_year + 1900, parts.tm_hour, parts.tm_min);
    } else {
        snprintf(rendering->time, sizeof rendering->time, "%02d/%02d/%d %02d:%02d", parts.tm_mday, parts.tm_mon + 1,
                 parts.tm_year + 1900, parts.tm_hour, parts.tm_min);
    }
    return rendering->time;
}

static const char *value_of(void *context, const char *name)
{
    struct rendering *rendering = context;
    bool is_time = false;
    if (strcmp(name, "bank") == 0) return rendering->texts->bank;
    if (strcmp(name, "support") == 0) return rendering->texts->support;
    if (strcmp(name, "id") == 0) return rendering->message ? rendering->message->id : "";
    if (!field_known(rendering->fields, name, &is_time)) return NULL;
    /* While a text is checked there is no message yet. */
    const char *value = rendering->message ? message_field(rendering->message, name) : "0";
    return value && is_time ? time_text(rendering, value) : value;
}

/* ---- files ---- */

static bool refuse(char ret_error[TEXTS_ERROR_SIZE], const char *path, const char *why)
{
    snprintf(ret_error, TEXTS_ERROR_SIZE, "%.300s: %.150s", path, why);
    return false;
}

static bool text_read(const char *path, char **ret_text, char ret_error[TEXTS_ERROR_SIZE])
{
    FILE *file = fopen(path, "re");
    if (!file) return refuse(ret_error, path, strerror(errno));
    char *text = calloc(1, TEXTS_SIZE_MAX + 1);
    size_t size = text ? fread(text, 1, TEXTS_SIZE_MAX, file) : 0;
    bool read = text && !ferror(file) && size < TEXTS_SIZE_MAX && !memchr(text, 0, size);
    fclose(file);
    while (read && size > 0 && strchr("\r\n ", text[size - 1])) text[--size] = 0;
    json_t *utf8 = read ? json_string(text) : NULL;
    if (!utf8 || size == 0) {
        json_decref(utf8);
        free(text);
        return refuse(ret_error, path, "not a text in UTF-8 of 1 to 2047 bytes");
    }
    json_decref(utf8);
    *ret_text = text;
    return true;
}

/* Every field must be shown, but for the app's own: a link without its code is of no use to anybody. */
static bool fields_shown(const char *text, const char *fields, char ret_name[PLACE_NAME_MAX + 3])
{
    for (const char *at = fields + 1; *at;) {
        bool shown = *at != '#';
        const char *name = *at == '@' || !shown ? at + 1 : at;
        size_t size = strcspn(name, " ");
        snprintf(ret_name, PLACE_NAME_MAX + 3, "{%.*s}", (int)size, name);
        if (shown && !strstr(text, ret_name)) return false;
        at = name + size + 1;
    }
    return true;
}

static bool text_check(const struct texts *texts, const char *text, unsigned kind, const char *path,
                       char ret_error[TEXTS_ERROR_SIZE])
{
    static char filled[TEXTS_SIZE_MAX];
    char why[PLACE_ERROR_SIZE], name[PLACE_NAME_MAX + 3], missing[PLACE_NAME_MAX + 32];
    struct rendering rendering = {.texts = texts, .language = "", .fields = kinds[kind].fields};
    if (!place_fill(text, value_of, &rendering, filled, sizeof filled, why)) return refuse(ret_error, path, why);
    if (fields_shown(text, kinds[kind].fields, name)) return true;
    snprintf(missing, sizeof missing, "%s does not stand in it", name);
    return refuse(ret_error, path, missing);
}

static bool language_load(struct texts *texts, const char *folder, const char *name, char ret_error[TEXTS_ERROR_SIZE])
{
    char path[512];
    struct language *language = &texts->languages[texts->count++];
    strcpy(language->name, name);
    for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
        snprintf(path, sizeof path, "%.400s/%s/%s.txt", folder, name, kinds[kind].name);
        if (!text_read(path, &language->texts[kind], ret_error) ||
            !text_check(texts, language->texts[kind], kind, path, ret_error))
            return false;
    }
    return true;
}

static bool language_named(const char *name)
{
    return strlen(name) == 2 && strspn(name, "abcdefghijklmnopqrstuvwxyz") == 2;
}

static bool folder_load(struct texts *texts, const char *path, char ret_error[TEXTS_ERROR_SIZE])
{
    DIR *folder = opendir(path);
    if (!folder) return refuse(ret_error, path, strerror(errno));
    bool loaded = true;
    for (struct dirent *entry; loaded && (entry = readdir(folder));) {
        if (!language_named(entry->d_name)) continue;
        loaded = texts->count < LANGUAGES_MAX ? language_load(texts, path, entry->d_name, ret_error)
                                              : refuse(ret_error, path, "more than 16 languages");
    }
    closedir(folder);
    return loaded;
}

static const struct language *language_find(const struct texts *texts, const char *name)
{
    for (unsigned i = 0; i < texts->count; i++)
        if (strcmp(texts->languages[i].name, name) == 0) return &texts->languages[i];
    return NULL;
}

bool texts_load(const struct texts_options *options, struct texts **ret_texts, char ret_error[TEXTS_ERROR_SIZE])
{
    struct texts *texts = calloc(1, sizeof *texts);
    if (!texts) return refuse(ret_error, options->folder, "not enough memory");
    snprintf(texts->bank, sizeof texts->bank, "%s", options->bank);
    snprintf(texts->support, sizeof texts->support, "%s", options->support);
    snprintf(texts->fallback, sizeof texts->fallback, "%s", options->language);
    bool loaded = folder_load(texts, options->folder, ret_error);
    if (loaded && !language_find(texts, texts->fallback))
        loaded = refuse(ret_error, options->folder, "there is no folder for the language of the configuration");
    if (!loaded) {
        texts_free(texts);
        return false;
    }
    *ret_texts = texts;
    return true;
}

void texts_free(struct texts *texts)
{
    if (!texts) return;
    for (unsigned i = 0; i < texts->count; i++)
        for (unsigned kind = 0; kind < KIND_COUNT; kind++) free(texts->languages[i].texts[kind]);
    free(texts);
}

bool texts_render(const struct texts *texts, const struct message *message, char ret_text[TEXTS_SIZE_MAX],
                  char ret_error[TEXTS_ERROR_SIZE])
{
    char why[PLACE_ERROR_SIZE];
    const struct language *language = language_find(texts, message->language);
    if (!language) language = language_find(texts, texts->fallback);
    for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
        if (strcmp(kinds[kind].name, message->kind) != 0) continue;
        struct rendering rendering = {
            .texts = texts, .message = message, .language = language->name, .fields = kinds[kind].fields};
        return place_fill(language->texts[kind], value_of, &rendering, ret_text, TEXTS_SIZE_MAX, why) ||
               refuse(ret_error, message->kind, why);
    }
    return refuse(ret_error, message->kind, "no text for this kind");
}

const char *texts_bank(const struct texts *texts)
{
    return texts->bank;
}

const char *texts_support(const struct texts *texts)
{
    return texts->support;
}
