/* Bodies: a JSON file whose texts hold placeholders. The file is parsed first and filled in afterwards, value by value,
 * so nothing that a message says can change what the body is; jansson does the escaping.
 *
 * In any text (not in keys): {text} {to} {id} {kind} {language} {account} {bank} {support} {attempt} {redelivered}. A
 * text that is just {=attempt}, {=redelivered} or {=fields} becomes a number, true or false, an object. */
#ifndef TOOLS_OTPRING_RELAY_BODY_H
#define TOOLS_OTPRING_RELAY_BODY_H

#include "otpring-relay/texts.h"

enum { BODY_SIZE_MAX = 65536, BODY_ERROR_SIZE = 512 };

/* Reads and checks a file: ret_body is jansson's, to be released. */
bool body_load(const char *path, json_t **ret_body, char ret_error[BODY_ERROR_SIZE]);

/* One message in the making: what stands for its placeholders. `text` as texts_render gave it. */
struct body_values {
    const struct texts *texts;
    const struct message *message;
    const char *text;
    char number[12];
};
/* For place_fill, also of addresses and topics. */
const char *body_value(void *values, const char *name);

/* The body as compact JSON, which the caller wipes and frees; NULL: no memory. */
char *body_fill(const json_t *body, struct body_values *values, size_t *ret_size);

#endif
