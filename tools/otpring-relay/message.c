#include "otpring-relay/message.h"

#include <string.h>

#include "os/arena.h"

static bool text_take(const json_t *json, const char *key, char *ret_text, size_t size_max)
{
    const json_t *value = json_object_get(json, key);
    size_t size = json_string_length(value);
    if (!json_is_string(value) || size == 0 || size > size_max || strlen(json_string_value(value)) != size)
        return false;
    memcpy(ret_text, json_string_value(value), size + 1);
    return true;
}

static bool number_take(const json_t *json, const char *key, json_int_t least, json_int_t most, json_int_t *ret_number)
{
    const json_t *value = json_object_get(json, key);
    if (!json_is_integer(value) || json_integer_value(value) < least || json_integer_value(value) > most) return false;
    *ret_number = json_integer_value(value);
    return true;
}

static bool fields_take(const json_t *json, struct message *message)
{
    const char *name;
    json_t *value, *fields = json_object_get(json, "fields");
    if (!json_is_object(fields) || json_object_size(fields) > MESSAGE_FIELDS_MAX) return false;
    json_object_foreach(fields, name, value)
    {
        struct message_field *field = &message->fields[message->field_count];
        if (strlen(name) > MESSAGE_FIELD_NAME_MAX) return false;
        strcpy(field->name, name);
        if (!text_take(fields, name, field->value, MESSAGE_FIELD_VALUE_MAX)) return false;
        message->field_count++;
    }
    return true;
}

/* What stands in header lines, topics and logs is plain. */
static bool plain(const char *text)
{
    return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(text);
}

bool message_take(const json_t *json, struct message *ret_message)
{
    json_int_t number = 0, handed = 0, failed = 0;
    memset(ret_message, 0, sizeof(*ret_message));
    bool taken =
        number_take(json, "number", 1, INT64_MAX, &number) && number_take(json, "handed", 1, UINT32_MAX, &handed) &&
        number_take(json, "failed", 0, UINT32_MAX, &failed) && text_take(json, "id", ret_message->id, MESSAGE_ID_MAX) &&
        plain(ret_message->id) && text_take(json, "kind", ret_message->kind, MESSAGE_NAME_MAX) &&
        plain(ret_message->kind) && text_take(json, "channel", ret_message->channel, MESSAGE_NAME_MAX) &&
        plain(ret_message->channel) && text_take(json, "account", ret_message->account, MESSAGE_ACCOUNT_SIZE) &&
        plain(ret_message->account) && text_take(json, "to", ret_message->to, MESSAGE_TO_MAX) &&
        text_take(json, "language", ret_message->language, sizeof(ret_message->language) - 1) &&
        plain(ret_message->language) && fields_take(json, ret_message);
    ret_message->number = (uint64_t)number;
    ret_message->handed = (uint32_t)handed;
    ret_message->failed = (uint32_t)failed;
    if (!taken) secret_wipe(ret_message, sizeof(*ret_message));
    return taken;
}

const char *message_field(const struct message *message, const char *name)
{
    for (unsigned i = 0; i < message->field_count; i++) {
        if (strcmp(message->fields[i].name, name) == 0) return message->fields[i].value;
    }
    return NULL;
}
