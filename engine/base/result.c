#include "base/result.h"

struct text {
    enum result_class class;
    const char *name;
    const char *text;
};

static const struct text texts[RESULT_CODE_COUNT] = {
#define X(code, class, text) [code] = {class, #code, text},
#include "base/result_list.h"
#undef X
};

static const struct text *text_of(struct result result)
{
    return &texts[result.code < RESULT_CODE_COUNT ? result.code : OS_FAILED];
}

enum result_class result_class(struct result result)
{
    return text_of(result)->class;
}

const char *result_text(struct result result)
{
    return text_of(result)->text;
}

const char *result_name(struct result result)
{
    return text_of(result)->name;
}
