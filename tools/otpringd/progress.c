#include "otpringd/progress.h"

#include <stdio.h>
#include <string.h>

enum { BAR_WIDTH = 30 };

static void part_begins(struct progress *progress, const char *what, uint64_t done, double now_s)
{
    progress->what = what;
    progress->began_s = progress->said_s = now_s;
    progress->began_done = done;
}

/* "[###....]  42 %  ", or nothing where the whole is not known. */
static void bar_write(char *text, size_t size, uint64_t done, uint64_t of)
{
    text[0] = 0;
    if (of == 0) return;
    if (done > of) done = of;
    double part = (double)done / (double)of;
    int filled = (int)(part * BAR_WIDTH);
    char bar[BAR_WIDTH + 1] = "";
    memset(bar, '#', (size_t)filled);
    memset(bar + filled, '.', (size_t)(BAR_WIDTH - filled));
    snprintf(text, size, "[%s] %3d %%  ", bar, (int)(part * 100));
}

bool progress_due(struct progress *progress, const char *what, uint64_t done, uint64_t of, double now_s,
                  char ret_text[PROGRESS_TEXT_SIZE])
{
    if (!progress->what || strcmp(progress->what, what) != 0) part_begins(progress, what, done, now_s);
    if (now_s - progress->said_s < (progress->terminal ? 0.1 : 1)) return false;
    progress->said_s = now_s;
    char bar[BAR_WIDTH + 16] = "", whole[32] = "";
    if (progress->terminal) bar_write(bar, sizeof bar, done, of);
    if (of) snprintf(whole, sizeof whole, " of %llu", (unsigned long long)of);
    double rate = (double)(done - progress->began_done) / (now_s - progress->began_s);
    snprintf(ret_text, PROGRESS_TEXT_SIZE, "%s: %s%llu%s, %.0f a second", what, bar, (unsigned long long)done, whole,
             rate);
    return true;
}
