#include "otpring-relay/place.h"

#include <stdio.h>
#include <string.h>

static const char name_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";

/* Behind the opening brace: the name up to the closing one; 0: there is no such name. */
static size_t name_take(const char *at, char ret_name[PLACE_NAME_MAX + 1])
{
    size_t size = strspn(at, name_letters);
    if (size == 0 || size > PLACE_NAME_MAX || at[size] != '}') return 0;
    memcpy(ret_name, at, size);
    ret_name[size] = 0;
    return size;
}

struct filling {
    char *to;
    size_t left; /* the NUL's byte not counted */
};

static bool add(struct filling *filling, const char *bytes, size_t size)
{
    if (size > filling->left) return false;
    memcpy(filling->to, bytes, size);
    filling->to += size;
    filling->left -= size;
    return true;
}

bool place_fill(const char *text, place_value *value, void *context, char *ret_text, size_t size,
                char ret_error[PLACE_ERROR_SIZE])
{
    struct filling filling = {.to = ret_text, .left = size - 1};
    char name[PLACE_NAME_MAX + 1];
    for (const char *at = text; *at;) {
        size_t plain = strcspn(at, "{}");
        const char *what = at;
        size_t what_size = plain;
        if (plain > 0) {
            at += plain;
        } else if (at[0] == at[1]) {
            what_size = 1;
            at += 2;
        } else {
            size_t name_size = at[0] == '{' ? name_take(at + 1, name) : 0;
            if (name_size == 0) {
                snprintf(ret_error, PLACE_ERROR_SIZE, "a brace stands alone at \"%.20s\"", at);
                return false;
            }
            what = value(context, name);
            if (!what) {
                snprintf(ret_error, PLACE_ERROR_SIZE, "unknown placeholder {%s}", name);
                return false;
            }
            what_size = strlen(what);
            at += name_size + 2;
        }
        if (!add(&filling, what, what_size)) {
            snprintf(ret_error, PLACE_ERROR_SIZE, "longer than %zu bytes", size - 1);
            return false;
        }
    }
    *filling.to = 0;
    return true;
}
