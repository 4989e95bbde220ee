#include "otpring-relay/body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpring-relay/files.h"
#include "otpring-relay/place.h"

enum { FILLED_MAX = 2 * TEXTS_SIZE_MAX };

const char *body_value(void *context, const char *name)
{
    struct body_values *values = context;
    const struct message *message = values->message;
    const struct {
        const char *name;
        const char *value;
    } known[] = {{"text", values->text},
                 {"to", message->to},
                 {"id", message->id},
                 {"kind", message->kind},
                 {"language", message->language},
                 {"account", message->account},
                 {"bank", values->texts ? texts_bank(values->texts) : ""},
                 {"support", values->texts ? texts_support(values->texts) : ""},
                 {"redelivered", message->handed > 1 ? "true" : "false"},
                 {"attempt", values->number}};
    snprintf(values->number, sizeof values->number, "%u", message->handed);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].name, name) == 0) return known[i].value;
    return NULL;
}

static json_t *fields_json(const struct message *message)
{
    json_t *fields = json_object();
    for (unsigned i = 0; i < message->field_count; i++)
        json_object_set_new(fields, message->fields[i].name, json_string(message->fields[i].value));
    return fields;
}

/* {=name} alone: a value that is no text. */
static json_t *typed_json(const char *text, const struct message *message)
{
    if (strcmp(text, "{=attempt}") == 0) return json_integer(message->handed);
    if (strcmp(text, "{=redelivered}") == 0) return json_boolean(message->handed > 1);
    return strcmp(text, "{=fields}") == 0 ? fields_json(message) : NULL;
}

static json_t *text_json(const char *text, struct body_values *values, char error[PLACE_ERROR_SIZE])
{
    char filled[FILLED_MAX];
    json_t *typed = typed_json(text, values->message);
    if (typed) return typed;
    return place_fill(text, body_value, values, filled, sizeof filled, error) ? json_string(filled) : NULL;
}

static json_t *filled_json(const json_t *body, struct body_values *values, char error[PLACE_ERROR_SIZE]);

static json_t *object_json(const json_t *body, struct body_values *values, char error[PLACE_ERROR_SIZE])
{
    const char *key;
    json_t *value, *object = json_object();
    json_object_foreach((json_t *)body, key, value)
    {
        json_t *filled = filled_json(value, values, error);
        if (filled && json_object_set_new(object, key, filled) == 0) continue;
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *array_json(const json_t *body, struct body_values *values, char error[PLACE_ERROR_SIZE])
{
    size_t i;
    json_t *value, *array = json_array();
    json_array_foreach(body, i, value)
    {
        json_t *filled = filled_json(value, values, error);
        if (filled && json_array_append_new(array, filled) == 0) continue;
        json_decref(array);
        return NULL;
    }
    return array;
}

/* jansson itself bounds how deep a body is. */
static json_t *filled_json(const json_t *body, struct body_values *values, char error[PLACE_ERROR_SIZE])
{
    if (json_is_string(body)) return text_json(json_string_value(body), values, error);
    if (json_is_object(body)) return object_json(body, values, error);
    if (json_is_array(body)) return array_json(body, values, error);
    return json_deep_copy(body);
}

/* Filled once with nothing, so that an unknown placeholder is found at start. */
static bool body_check(const json_t *body, char error[PLACE_ERROR_SIZE])
{
    static const struct message nobody;
    struct body_values values = {.message = &nobody, .text = "", .texts = NULL};
    json_t *filled = filled_json(body, &values, error);
    json_decref(filled);
    return filled != NULL;
}

bool body_load(const char *path, json_t **ret_body, char ret_error[BODY_ERROR_SIZE])
{
    json_error_t where;
    char why[PLACE_ERROR_SIZE] = "not enough memory";
    char *text = malloc(BODY_SIZE_MAX);
    if (!text || !file_text(path, text, BODY_SIZE_MAX, ret_error)) {
        free(text);
        return false;
    }
    json_t *body = json_loads(text, JSON_REJECT_DUPLICATES, &where);
    free(text);
    if (!body) {
        snprintf(ret_error, BODY_ERROR_SIZE, "%.300s: line %d, column %d: %s", path, where.line, where.column,
                 where.text);
        return false;
    }
    if (!body_check(body, why)) {
        snprintf(ret_error, BODY_ERROR_SIZE, "%.300s: %s", path, why);
        json_decref(body);
        return false;
    }
    *ret_body = body;
    return true;
}

char *body_fill(const json_t *body, struct body_values *values, size_t *ret_size)
{
    char error[PLACE_ERROR_SIZE];
    json_t *filled = filled_json(body, values, error);
    char *text = filled ? json_dumps(filled, JSON_COMPACT) : NULL;
    json_decref(filled);
    if (text) *ret_size = strlen(text);
    return text;
}
