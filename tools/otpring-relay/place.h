/* Placeholders: {name} in a text stands for a value, {{ and }} for the braces themselves. One pass: what a value holds
 * is never looked into. Used for texts of messages, bodies, addresses and topics. Pure; any thread. */
#ifndef TOOLS_OTPRING_RELAY_PLACE_H
#define TOOLS_OTPRING_RELAY_PLACE_H

#include <stdbool.h>
#include <stddef.h>

enum { PLACE_NAME_MAX = 31, PLACE_ERROR_SIZE = 96 };

/* The value of a placeholder, which lives until the next call; NULL: there is none of that name. */
typedef const char *place_value(void *context, const char *name);

/* The whole text with its values, NUL-terminated, in `size` bytes. False: a brace has no partner, a name is unknown, or
 * it does not fit; ret_error says which. */
bool place_fill(const char *text, place_value *value, void *context, char *ret_text, size_t size,
                char ret_error[PLACE_ERROR_SIZE]);

#endif
