/* import: sends the lines in portions, shows a bar, collects the report of refused lines. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "os/arena.h"

enum { LINES_PER_REQUEST = 4096, PORTION_SIZE_MAX = 1 << 20, IMPORT_SIZE_MAX = 1 << 30 };

struct import {
    struct invocation *invocation;
    json_t *refused;    /* of all portions */
    const char *header; /* CSV: the line of column names, or NULL for otpauth URIs */
    unsigned long long added;
    unsigned long long line_first; /* of the present portion, from 1 */
    unsigned long long line_total;
};

/* One portion: whole lines, `size` bytes, the first of them line_first. */
static int portion_send(struct import *import, const char *text, size_t size)
{
    json_t *request = json_copy(import->invocation->request);
    json_object_set_new(request, "text", json_stringn(text, size));
    json_object_set_new(request, "first_line", json_integer((json_int_t)import->line_first));
    if (import->header) json_object_set_new(request, "header", json_string(import->header));
    int status = EXIT_DONE;
    json_t *answer = admin_ask(import->invocation, request, &status);
    json_decref(request);
    if (!answer) return status;
    import->added += (unsigned long long)json_integer_value(json_object_get(answer, "added"));
    json_array_extend(import->refused, json_object_get(answer, "refused"));
    json_decref(answer);
    return EXIT_DONE;
}

/* A line that is not UTF-8 cannot travel in JSON; it is made one that is refused as a line, so that the others go on.
 */
static void line_clean(char *line, size_t size)
{
    json_t *value = json_stringn(line, size);
    if (!value) memset(line, '?', size);
    json_decref(value);
}

static int lines_send(struct import *import, char *text)
{
    int status = EXIT_DONE;
    /* A header without lines is sent too, to be judged. */
    bool more = *text || import->header;
    while (more && status == EXIT_DONE) {
        unsigned long long count = 0;
        char *at = text;
        for (; *at && count < LINES_PER_REQUEST && at - text < PORTION_SIZE_MAX; count++) {
            size_t size = strcspn(at, "\n");
            line_clean(at, size);
            at += size + (at[size] == '\n');
        }
        status = portion_send(import, text, (size_t)(at - text));
        import->line_first += count;
        text = at;
        more = *text;
        bar_show("Importing", import->line_first - 1, import->line_total);
    }
    bar_end();
    return status;
}

static void report_print(const struct import *import)
{
    size_t i;
    json_t *refused;
    json_array_foreach(import->refused, i, refused)
    {
        printf("line %" JSON_INTEGER_FORMAT ": ", json_integer_value(json_object_get(refused, "line")));
        const char *reason = json_string_value(json_object_get(refused, "error"));
        print_escaped(reason ? reason : "refused");
        putchar('\n');
    }
    printf("%llu enrolled, %zu refused\n", import->added, json_array_size(import->refused));
}

int run_import(struct invocation *invocation)
{
    size_t size;
    char *text = read_whole(invocation->arguments[0], IMPORT_SIZE_MAX, &size);
    if (!text) return EXIT_USAGE;
    if (strlen(text) != size) {
        secret_wipe(text, size);
        free(text);
        return complain(EXIT_USAGE, "%s holds a zero byte: not a text file", invocation->arguments[0]);
    }
    struct import import = {.invocation = invocation, .refused = json_array(), .line_first = 1, .line_total = 1};
    for (size_t i = 0; i < size; i++) import.line_total += text[i] == '\n';
    /* What spreadsheets put before UTF-8. */
    char *body = text + (strncmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0);
    /* Empty lines and comments may come before the first line that says what the file is. */
    while (*body && (*body == '#' || strspn(body, " \t\r") == strcspn(body, "\n"))) {
        body += strcspn(body, "\n");
        body += *body == '\n';
        import.line_first++;
    }
    if (*body && strncmp(body, "otpauth:", 8) != 0) {
        import.header = body;
        size_t length = strcspn(body, "\n");
        bool last = body[length] == 0;
        body[length] = 0;
        body[strcspn(body, "\r")] = 0;
        body += last ? length : length + 1;
        import.line_first++;
    }
    int status = lines_send(&import, body);
    if (status == EXIT_DONE || import.added > 0 || json_array_size(import.refused) > 0) {
        if (invocation->json)
            print_json(json_pack("{s:b, s:I, s:O}", "ok", status == EXIT_DONE, "added", (json_int_t)import.added,
                                 "refused", import.refused));
        else
            report_print(&import);
    }
    if (status == EXIT_DONE && json_array_size(import.refused) > 0) status = EXIT_REFUSED;
    json_decref(import.refused);
    secret_wipe(text, size);
    free(text);
    return status;
}
