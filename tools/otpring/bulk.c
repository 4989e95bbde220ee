#include "bulk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/arena.h"

enum { ITEMS_A_REQUEST = 500, FILE_SIZE_MAX = 64 << 20 };

struct bulk {
    struct invocation *invocation;
    const struct bulk_kind *kind;
    json_t *items;
    size_t lines[ITEMS_A_REQUEST]; /* of the file, of each item */
    json_int_t done;
    json_int_t refused;
    json_t *all_refused;
    int exit;
};

/* One field, unquoted where it stands; `at` goes behind it, ret_more: to another one. NULL: quotes are amiss. */
static char *field_take(char **at, bool *ret_more)
{
    char *from = *at, *to = from, *next = from;
    bool quoted = *next == '"';
    for (next += quoted; *next && (quoted || *next != ','); next++) {
        if (quoted && *next == '"' && next[1] != '"') break;
        if (quoted && *next == '"') next++;
        *to++ = *next;
    }
    if (quoted && *next++ != '"') return NULL;
    if (*next != 0 && *next != ',') return NULL;
    *ret_more = *next == ',';
    *at = next + *ret_more;
    *to = 0;
    return from;
}

/* The line's fields as a list of texts; NULL where they are too few, too many, or no UTF-8. */
static json_t *line_parse(char *line, const struct bulk_kind *kind)
{
    json_t *item = json_array();
    bool more = true, good = true;
    int count = 0;
    for (char *at = line; more && good; count++) {
        char *field = field_take(&at, &more);
        good = field && count < kind->fields_max && json_array_append_new(item, json_string(field)) == 0;
    }
    if (good && count >= kind->fields_min) return item;
    json_decref(item);
    return NULL;
}

/* One column alone may as well be an item. */
static bool names_columns(const char *line, const char *header)
{
    size_t size = strlen(line);
    return strchr(line, ',') && strncmp(line, header, size) == 0 && (header[size] == 0 || header[size] == ',');
}

static void line_refused(struct bulk *bulk, size_t line, const char *error)
{
    bulk->refused++;
    bulk->exit = EXIT_REFUSED;
    json_array_append_new(bulk->all_refused, json_pack("{s:I,s:s}", "line", (json_int_t)line, "error", error));
    if (!bulk->invocation->json) complain(EXIT_REFUSED, "line %zu: %s", line, error);
}

static void item_refused(struct bulk *bulk, json_t *told, size_t count)
{
    size_t index = (size_t)json_integer_value(json_object_get(told, "index"));
    const char *error = json_string_value(json_object_get(told, "error"));
    line_refused(bulk, bulk->lines[index < count ? index : 0], error ? error : "");
}

/* What became of the items of one request: each is judged, or the request is refused whole. False: no more is sent. */
static bool request_send(struct bulk *bulk)
{
    size_t count = json_array_size(bulk->items), i;
    int status = EXIT_DONE;
    json_t *item;
    if (count == 0) return true;
    json_object_set(bulk->invocation->request, "items", bulk->items);
    json_t *answer = admin_answer(bulk->invocation, bulk->invocation->request, &status);
    json_array_clear(bulk->items);
    if (!answer) {
        bulk->exit = status;
        return false;
    }
    json_t *refused = json_object_get(answer, "refused");
    bulk->done += json_integer_value(json_object_get(answer, bulk->kind->count_key));
    json_array_foreach(refused, i, item)
    {
        item_refused(bulk, item, count);
    }
    bool whole = !json_is_true(json_object_get(answer, "ok")) && json_array_size(refused) == 0;
    if (whole) item_refused(bulk, answer, count);
    json_decref(answer);
    return !whole;
}

static bool line_take(struct bulk *bulk, char *line, size_t line_number)
{
    size_t length = strlen(line);
    if (length > 0 && line[length - 1] == '\r') line[--length] = 0;
    if (length == 0 || line[0] == '#' || (line_number == 1 && names_columns(line, bulk->kind->header))) return true;
    json_t *item = line_parse(line, bulk->kind);
    if (!item) {
        char error[96];
        snprintf(error, sizeof error, "not the fields %s in UTF-8", bulk->kind->header);
        line_refused(bulk, line_number, error);
        return true;
    }
    bulk->lines[json_array_size(bulk->items)] = line_number;
    json_array_append_new(bulk->items, item);
    return json_array_size(bulk->items) < ITEMS_A_REQUEST || request_send(bulk);
}

static int file_send(struct bulk *bulk)
{
    size_t size, line_number = 0;
    char *text = read_whole(bulk->invocation->batch_path, FILE_SIZE_MAX, &size);
    if (!text) return EXIT_USAGE;
    bool going = true;
    for (char *line = text, *next; going && line; line = next) {
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        going = line_take(bulk, line, ++line_number);
    }
    if (going) (void)request_send(bulk);
    secret_wipe(text, size);
    free(text);
    return EXIT_DONE;
}

int bulk_run(struct invocation *invocation, const struct bulk_kind *kind)
{
    struct bulk bulk = {.invocation = invocation, .kind = kind, .items = json_array(), .all_refused = json_array()};
    json_object_set_new(invocation->request, "act", json_string(kind->act));
    int status = file_send(&bulk);
    if (!status && invocation->json) {
        json_t *summary = json_pack("{s:I,s:O}", kind->count_key, bulk.done, "refused", bulk.all_refused);
        print_json(summary);
        json_decref(summary);
    } else if (!status) {
        printf("%s: %" JSON_INTEGER_FORMAT ", refused: %" JSON_INTEGER_FORMAT "\n", kind->done, bulk.done,
               bulk.refused);
    }
    json_decref(bulk.items);
    json_decref(bulk.all_refused);
    return status ? status : bulk.exit;
}
