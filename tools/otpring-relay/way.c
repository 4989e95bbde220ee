#include "otpring-relay/way.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "os/arena.h"

int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void delivery_done(struct delivery *delivery, enum outcome_kind kind, uint32_t retry_s, const char *format, ...)
{
    struct outcome *outcome = &delivery->outcome;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(outcome->reason, sizeof outcome->reason, format, arguments);
    va_end(arguments);
    for (char *at = outcome->reason; *at; at++)
        if (!isprint((unsigned char)*at)) *at = '?';
    outcome->kind = kind;
    outcome->retry_s = retry_s;
    delivery->state = DELIVERY_DONE;
}

char *delivery_body(struct delivery *delivery, const struct way_tools *tools, const json_t *body, size_t *ret_size)
{
    char text[TEXTS_SIZE_MAX], error[TEXTS_ERROR_SIZE];
    if (!texts_render(tools->texts, &delivery->message, text, error)) {
        delivery_done(delivery, OUTCOME_NEVER, 0, "no text: %s", error);
        return NULL;
    }
    struct body_values values = {.texts = tools->texts, .message = &delivery->message, .text = text};
    char *filled = body_fill(body, &values, ret_size);
    secret_wipe(text, sizeof text);
    if (!filled) delivery_done(delivery, OUTCOME_NEVER, 0, "the body cannot be made");
    return filled;
}
