#include "show_qr.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/private_file.h"
#include "qr/qr.h"

enum { PNG_MODULE_PX = 8 };

void qr_show(const char *text)
{
    struct qr *qr;
    const char *no_colour = getenv("NO_COLOR");
    if (result_failed(qr_make(text, QR_LOW, &qr))) return;
    qr_write_terminal(qr, isatty(STDOUT_FILENO) && !(no_colour && *no_colour), stdout);
    qr_free(qr);
}

static bool ends_in(const char *path, const char *end)
{
    size_t size = strlen(path), end_size = strlen(end);
    return size > end_size && strcmp(path + size - end_size, end) == 0;
}

static int complain_about(const char *path, struct result result)
{
    return complain(result.code == OS_NO_SPACE ? EXIT_UNAVAILABLE : EXIT_USAGE, "%s: %s", path, result_text(result));
}

/* NULL: complained, ret_status says how. */
static FILE *qr_file_open(const char *path, int *ret_status)
{
    int descriptor;
    if (!ends_in(path, ".png") && !ends_in(path, ".svg")) {
        *ret_status = complain(EXIT_USAGE, "%s: a QR code is written to a file that ends in .png or .svg", path);
        return NULL;
    }
    struct result opened = private_file_open_new(path, &descriptor);
    if (result_failed(opened)) {
        *ret_status = complain_about(path, opened);
        return NULL;
    }
    FILE *file = fdopen(descriptor, "w");
    if (!file) {
        close(descriptor);
        unlink(path);
        *ret_status = complain_about(path, result_of(NO_MEMORY));
    }
    return file;
}

static void qr_file_give_up(FILE *file, const char *path)
{
    fclose(file);
    unlink(path);
}

static struct result draw(FILE *file, const char *path, const char *text)
{
    struct qr *qr;
    TRY(qr_make(text, QR_MEDIUM, &qr));
    struct result drawn = result_ok();
    if (ends_in(path, ".png"))
        drawn = qr_write_png(qr, PNG_MODULE_PX, file);
    else
        qr_write_svg(qr, file);
    qr_free(qr);
    if (!result_failed(drawn) && (fflush(file) != 0 || fsync(fileno(file)) != 0)) drawn = result_of(OS_FAILED);
    return drawn;
}

/* Writes, syncs and closes. 0, or complained. */
static int qr_file_finish(FILE *file, const char *path, const char *text)
{
    struct result drawn = draw(file, path, text);
    if (result_failed(drawn)) {
        qr_file_give_up(file, path);
        return complain(EXIT_UNAVAILABLE, "%s: the QR code could not be written: %s", path, result_text(drawn));
    }
    fclose(file);
    return EXIT_DONE;
}

int ask_and_draw(struct invocation *invocation, void (*print)(const struct invocation *invocation, json_t *answer),
                 const char *key)
{
    int status = EXIT_DONE;
    FILE *file = qr_file_open(invocation->qr_path, &status);
    if (!file) return status;
    json_t *answer = admin_ask(invocation, invocation->request, &status);
    if (!answer) {
        qr_file_give_up(file, invocation->qr_path);
        return status;
    }
    if (invocation->json)
        print_json(answer);
    else
        print(invocation, answer);
    const char *text = json_string_value(json_object_get(answer, key));
    status = qr_file_finish(file, invocation->qr_path, text ? text : "");
    json_decref(answer);
    return status;
}
