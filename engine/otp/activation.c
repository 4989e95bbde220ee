#include "otp/activation.h"

#include <stddef.h>
#include <string.h>

static const char crockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void activation_make(const uint8_t random[ACTIVATION_SIZE], char ret_activation[ACTIVATION_SIZE + 1])
{
    for (size_t i = 0; i < ACTIVATION_SIZE; i++) ret_activation[i] = crockford[random[i] & 31];
    ret_activation[ACTIVATION_SIZE] = 0;
}

void activation_text(const char *activation, char ret_text[ACTIVATION_TEXT_SIZE])
{
    for (size_t i = 0; i < ACTIVATION_SIZE; i++) {
        if (i > 0 && i % 4 == 0) *ret_text++ = '-';
        *ret_text++ = activation[i];
    }
    *ret_text = 0;
}

static char letter_of(char typed)
{
    char letter = typed >= 'a' && typed <= 'z' ? (char)(typed - 'a' + 'A') : typed;
    if (letter == 'O') return '0';
    if (letter == 'I' || letter == 'L') return '1';
    return letter && strchr(crockford, letter) ? letter : 0;
}

bool activation_parse(const char *text, char ret_activation[ACTIVATION_SIZE + 1])
{
    char activation[ACTIVATION_SIZE + 1];
    size_t size = 0;
    for (; *text; text++) {
        if (*text == ' ' || *text == '-') continue;
        char letter = letter_of(*text);
        if (!letter || size == ACTIVATION_SIZE) return false;
        activation[size++] = letter;
    }
    if (size != ACTIVATION_SIZE) return false;
    activation[size] = 0;
    memcpy(ret_activation, activation, sizeof(activation));
    return true;
}
