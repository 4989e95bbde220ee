/* show: every record that the filters let through, oldest first. */
#include <stdio.h>

#include "print.h"

struct show {
    uint64_t left; /* records that may still be printed */
};

static bool put(void *context, struct work_thread *thread)
{
    struct show *show = context;
    work_cut(thread, show->left);
    show->left -= thread->count;
    return print_out(&thread->text) && show->left > 0;
}

int run_show(const struct log_options *options, const char *folder)
{
    struct show show = {.left = options->count ? options->count : UINT64_MAX};
    struct work_task task = {.filter = &options->filter, .each = print_event, .end = put, .context = &show};
    struct work work;
    struct text heading = {0};
    int code = work_open(&work, options, folder);
    event_heading(&heading, options->form);
    if (code == EXIT_DONE && print_out(&heading)) code = work_scan(&work, &task);
    code = print_code(&work, code);
    text_free(&heading);
    work_close(&work);
    return code;
}
