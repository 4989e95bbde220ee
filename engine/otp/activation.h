/* Activation codes of enrolments: 16 letters of Crockford's base 32, so that what is read aloud or copied by hand comes
 * through. The first six say which invitation, the other ten are secret (50 bits). Pure functions, any thread; the text
 * may be anything. */
#ifndef OTPRING_OTP_ACTIVATION_H
#define OTPRING_OTP_ACTIVATION_H

#include <stdbool.h>
#include <stdint.h>

enum {
    ACTIVATION_SIZE = 16,
    ACTIVATION_ID_SIZE = 6,
    ACTIVATION_TEXT_SIZE = ACTIVATION_SIZE + 4, /* in groups of four, and a NUL */
};

/* Of random bytes, one a letter. */
void activation_make(const uint8_t random[ACTIVATION_SIZE], char ret_activation[ACTIVATION_SIZE + 1]);
/* XXXX-XXXX-XXXX-XXXX. */
void activation_text(const char *activation, char ret_text[ACTIVATION_TEXT_SIZE]);
/* Blanks and hyphens fall away, small letters are large ones, O is 0, I and L are 1. False: no activation code. */
bool activation_parse(const char *text, char ret_activation[ACTIVATION_SIZE + 1]);

#endif
