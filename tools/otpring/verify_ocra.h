/* Responses to challenges, as they are given on the command line and in the lines of a batch. */
#ifndef TOOLS_OTPRING_VERIFY_OCRA_H
#define TOOLS_OTPRING_VERIFY_OCRA_H

#include "command.h"
#include "otpring/client.h"

enum { OCRA_PIN_HASH_MAX = 64, OCRA_RESPONSE_TYPED = 160 /* room for a line */ };

/* A query and what it points at beside the texts of its source, which must stay. Holds a PIN's hash: wipe it. */
struct ocra_given {
    struct otpring_ocra_query query;
    uint8_t pin_hash[OCRA_PIN_HASH_MAX];
};

bool ocra_is_given(const struct invocation *invocation);
/* EXIT_DONE, or EXIT_USAGE after complaining. */
int ocra_given(const struct invocation *invocation, const char *code, struct ocra_given *ret_given);
/* Of a line of a batch; false: something lacks, or is of the wrong form. */
bool ocra_of_json(const json_t *line, struct ocra_given *ret_given);

#endif
