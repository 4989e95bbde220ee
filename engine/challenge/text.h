/* Which texts may be shown to a user who is to decide by them. Pure functions, hostile input. Room-internal. */
#ifndef OTPRING_CHALLENGE_TEXT_H
#define OTPRING_CHALLENGE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* UTF-8 (RFC 3629), of which every character has its own visible place in the order of reading: no controls (C0, C1,
 * U+2028, U+2029), nothing without width (U+00AD, U+034F, U+061C, U+115F, U+1160, U+17B4, U+17B5, U+180B to U+180F,
 * U+200B to U+200F, U+2060 to U+206F, U+3164, U+FE00 to U+FE0F, U+FEFF, U+FFA0, U+FFF0 to U+FFFB, U+1BCA0 to U+1BCA3,
 * U+1D173 to U+1D17A, U+E0000 to U+E0FFF), no turning
 * of direction (U+202A to U+202E), no blank at either end. Not empty. */
bool text_may_be_shown(const char *text, size_t size);

/* Digits without leading zeros, perhaps a point and 1 to 4 digits: "0", "0.50", "1250.00". */
bool text_is_amount(const char *text, size_t size);

/* Three capital letters. */
bool text_is_currency(const char *text, size_t size);

#endif
