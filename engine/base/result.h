/* The one result type: what went wrong, and what the caller must do about it.
 * A result is a value; libraries never print it. Codes and texts come from result_list.h. Any thread. */
#ifndef OTPRING_BASE_RESULT_H
#define OTPRING_BASE_RESULT_H

#include <stdbool.h>
#include <stdint.h>

/* What the caller does about it. */
enum result_class {
    RESULT_DONE = 0, /* go on */
    RESULT_REFUSE,   /* the input is refused, nothing has changed; tell whoever sent it */
    RESULT_CLOSE,    /* the peer broke the protocol: answer, then close it alone */
    RESULT_RETRY,    /* not now (full, busy, no room): ask again later; outwards this is UNAVAILABLE */
    RESULT_FENCE,    /* the engine can no longer keep its promises: everything is UNAVAILABLE from now on */
};

enum result_code {
#define X(code, class, text) code,
#include "base/result_list.h"
#undef X
    RESULT_CODE_COUNT
};

struct result {
    uint16_t code; /* enum result_code */
};

#define MUST_USE __attribute__((warn_unused_result))

static inline struct result result_of(enum result_code code)
{
    return (struct result){.code = (uint16_t)code};
}

static inline struct result result_ok(void)
{
    return result_of(OK);
}

static inline bool result_failed(struct result result)
{
    return result.code != OK;
}

/* The class and the one text of a code; the text is static and never holds a secret. */
enum result_class result_class(struct result result);
const char *result_text(struct result result);
/* The code's name as it stands in result_list.h, for logs and JSON. */
const char *result_name(struct result result);

/* Hands a failure on to the caller. */
#define TRY(expression)                                                                                                \
    do {                                                                                                               \
        struct result try_result_ = (expression);                                                                      \
        if (result_failed(try_result_)) return try_result_;                                                            \
    } while (0)

#endif
