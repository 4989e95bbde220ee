/* A message as the daemon hands it over (engine/admin/ACTS.md, outbox.next), and what became of it. The daemon is
 * trusted, its answer is checked all the same. */
#ifndef TOOLS_OTPRING_RELAY_MESSAGE_H
#define TOOLS_OTPRING_RELAY_MESSAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "admin/message_kinds.h"

enum { MESSAGE_NAME_MAX = 31, MESSAGE_ACCOUNT_SIZE = 32 };

struct message_field {
    char name[MESSAGE_FIELD_NAME_MAX + 1];
    char value[MESSAGE_FIELD_VALUE_MAX + 1];
};

struct message {
    uint64_t number;
    uint32_t handed; /* this is so manieth hand-over: above 1 the receiver may have it already */
    uint32_t failed; /* times so far */
    char id[MESSAGE_ID_MAX + 1];
    char kind[MESSAGE_NAME_MAX + 1];
    char channel[MESSAGE_NAME_MAX + 1];
    char account[MESSAGE_ACCOUNT_SIZE + 1]; /* hexadecimal: names nobody to who does not know the names */
    char to[MESSAGE_TO_MAX + 1];
    char language[3];
    unsigned field_count;
    struct message_field fields[MESSAGE_FIELDS_MAX];
};

/* False: it is not a message; whatever was taken is wiped. */
bool message_take(const json_t *json, struct message *ret_message);
/* NULL: there is none of that name. */
const char *message_field(const struct message *message, const char *name);

enum outcome_kind { OUTCOME_NONE, OUTCOME_DELIVERED, OUTCOME_LATER, OUTCOME_NEVER };

/* What became of a delivery. The reason goes into the log of the engine and to operators: it never holds what the
 * message says or whom it goes to. */
struct outcome {
    enum outcome_kind kind;
    uint32_t retry_s; /* LATER: when the other side says so; 0: the channel's back-off */
    char reason[96];
};

#endif
