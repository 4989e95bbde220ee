/* Administrative acts, for people: names, what they are about, and what their payloads say. Payloads are not trusted.
 */
#ifndef TOOLS_OTPRING_LOG_ACTS_H
#define TOOLS_OTPRING_LOG_ACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base64url.h"
#include "challenge/body.h"
#include "core/change.h"
#include "text.h"

/* NULL: none of ours. */
const char *act_name(unsigned act);
bool act_number(const char *name, unsigned *ret_act);
/* Whether the ordinal of such an act names a token. */
bool act_about_token(const struct slot_act *act);

/* What can be learnt from a payload. Texts are as they stand there: escape them. */
struct act_detail {
    bool has_client;
    struct act_client client;
    bool has_change;
    struct core_change_view change;
    char challenge[BASE64URL_SIZE(CHALLENGE_ID_SIZE)]; /* the question that the change is about; "": none */
    bool has_token;                                    /* ACT_TOKEN_ADD */
    struct token_row token;
    char company[SCHEMA_NAME_MAX + 1];
    char user[SCHEMA_NAME_MAX + 1];
    bool has_restore;
    struct act_restore restore;
    char label[SCHEMA_LABEL_MAX + 1]; /* ACT_TOKEN_SET */
};
void act_detail_read(const struct slot_act *act, const uint8_t *payload, struct act_detail *ret_detail);

#endif
