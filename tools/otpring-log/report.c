/* report: one page about a day or a range, for people who were not there. The counts are those of stats. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "html.h"
#include "otpring/verdict.h"
#include "print.h"
#include "stats.h"

enum { ROWS_MAX = 12 };

struct page {
    struct text text;
    const struct stats *stats;
    struct names_look *look;
};

static void number(struct text *text, uint64_t count)
{
    text_format(text, "<td class=\"n\">%" PRIu64 "</td>", count);
}

static void volumes(struct page *page)
{
    static const char *const names[2] = {"accepted", "refused"};
    const struct timeline *timeline = &page->stats->timeline;
    struct html_bar *bars = calloc(timeline->count + 1u, sizeof *bars);
    if (!bars) exit(complain(EXIT_UNAVAILABLE, "%s", result_text(result_of(NO_MEMORY))));
    for (uint32_t i = 0; i < timeline->count; i++) {
        time_t seconds = (time_t)((timeline->first + i) * timeline->unit_s);
        struct tm utc;
        if (gmtime_r(&seconds, &utc)) strftime(bars[i].label, sizeof bars[i].label, "%Y-%m-%d %H:%M UTC", &utc);
        bars[i].parts[0] = timeline->rows[i][OTPRING_ACCEPTED];
        bars[i].parts[1] = stats_refused(timeline->rows[i]);
    }
    html_section(&page->text, "volumes", "Verifications over time");
    html_bars(&page->text, "Verifications, accepted and refused", names, bars, timeline->count);
    html_section_end(&page->text);
    free(bars);
}

static void verdicts(struct page *page)
{
    static const char *const headings[] = {"Verdict", "Verifications", "Share"};
    struct text *text = &page->text;
    html_section(text, "verdicts", "Verdicts");
    html_table_begin(text, "Verifications by verdict", headings, 3);
    for (unsigned v = 0; v < TIMELINE_VERDICTS; v++) {
        uint64_t count = page->stats->verdicts[v];
        if (count == 0) continue;
        text_string(text, "<tr><th scope=\"row\">");
        text_verdict(text, v);
        text_string(text, "</th>");
        number(text, count);
        text_format(text, "<td class=\"n\">%.2f %%</td></tr>\n", 100.0 * (double)count / (double)page->stats->records);
    }
    html_table_end(text);
    html_section_end(text);
}

static void reasons(struct page *page)
{
    static const char *const headings[] = {"Reason", "Refusals"};
    struct text *text = &page->text;
    html_section(text, "reasons", "Refusals by reason");
    html_table_begin(text, "Refusals by reason", headings, 2);
    for (unsigned reason = 0; reason < 16; reason++) {
        if (page->stats->reasons[reason] == 0) continue;
        text_string(text, "<tr><th scope=\"row\">");
        text_reason(text, reason, "by the verdict alone");
        text_string(text, "</th>");
        number(text, page->stats->reasons[reason]);
        text_string(text, "</tr>\n");
    }
    html_table_end(text);
    html_section_end(text);
}

static void account(struct page *page, const uint8_t name[16])
{
    const struct account_name *known = names_account(page->look, name);
    if (!known || !known->user[0]) {
        text_hex(&page->text, name, 16);
        return;
    }
    html_string(&page->text, known->company);
    text_string(&page->text, " / ");
    html_string(&page->text, known->user);
}

/* Those refused with most: of accounts by their sources, of sources by their accounts. */
static void suspects_of(struct page *page, const struct top *top, bool sources, const char *caption)
{
    const char *const headings[] = {sources ? "Source" : "Account", "Refusals",
                                    sources ? "Accounts, about" : "Sources, about"};
    const struct top_entry *entries[ROWS_MAX];
    struct text *text = &page->text;
    size_t count = top_list(top, true, ROWS_MAX, entries), shown = 0;
    for (size_t i = 0; i < count; i++) {
        if (top_distinct(entries[i]) < STATS_SUSPECT_MIN) continue;
        if (shown++ == 0) html_table_begin(text, caption, headings, 3);
        text_string(text, "<tr><th scope=\"row\">");
        uint64_t source;
        memcpy(&source, entries[i]->key, sizeof source);
        if (sources)
            text_hex64(text, source);
        else
            account(page, entries[i]->key);
        text_string(text, "</th>");
        number(text, entries[i]->count);
        number(text, top_distinct(entries[i]));
        text_string(text, "</tr>\n");
    }
    if (shown > 0)
        html_table_end(text);
    else
        text_format(text, "<p>%s: none.</p>\n", caption);
}

static void suspects(struct page *page)
{
    html_section(&page->text, "suspects", "Suspects of guessing");
    suspects_of(page, &page->stats->sources, true, "Sources that were refused for many accounts");
    suspects_of(page, &page->stats->accounts, false, "Accounts that were refused from many sources");
    html_section_end(&page->text);
}

static void drift(struct page *page)
{
    static const char *const names[2] = {"codes accepted", NULL};
    struct html_bar bars[STATS_DRIFTS] = {0};
    unsigned first = 0, last = STATS_DRIFTS;
    while (first < STATS_DRIFTS && page->stats->drifts[first] == 0) first++;
    while (last > first && page->stats->drifts[last - 1] == 0) last--;
    for (unsigned i = first; i < last; i++) {
        snprintf(bars[i].label, sizeof bars[i].label, "%+d steps", (int)i - STATS_DRIFTS / 2);
        bars[i].parts[0] = page->stats->drifts[i];
    }
    html_section(&page->text, "drift", "Clock drift of time-based tokens");
    html_bars(&page->text, "Accepted codes by the token's drift", names, bars + first, last - first);
    html_section_end(&page->text);
}

static void chain(struct page *page, const char *store, struct os *os, const char *folder)
{
    struct journal_check_report report;
    struct text *text = &page->text;
    html_section(text, "chain", "The log itself");
    if (!store || !check_quietly(store, os, folder, &report)) {
        text_string(text, "<p class=\"status found\" role=\"status\">Not checked: it could not be read, or there is no "
                          "public key beside it.</p>\n");
    } else if (report.finding[0]) {
        text_format(text,
                    "<p class=\"status found\" role=\"status\">FOUND (%s) at positions %" PRIu64 " to %" PRIu64 ": ",
                    journal_finding_name(report.kind), report.bad_position, report.bad_last);
        html_string(text, report.finding);
        text_string(text, "</p>\n");
    } else {
        text_format(text,
                    "<p class=\"status\" role=\"status\">Nothing found in %" PRIu64 " records, positions %" PRIu64
                    " to %" PRIu64 ". Sealed through %" PRIu64 ", signed through %" PRIu64 ".</p>\n",
                    report.records, report.first_position, report.last_position, report.sealed_through,
                    report.signed_through);
    }
    text_string(text, "<p>What is not sealed yet could be changed unseen, and what was cut off behind the last "
                      "checkpoint that somebody kept cannot be seen. Latencies are not recorded in the log.</p>\n");
    html_section_end(text);
}

static void head(struct page *page)
{
    const struct stats *stats = page->stats;
    struct text *text = &page->text;
    html_begin(text, "otpring: report from the replay log");
    text_string(text, "<p>");
    if (stats->last_position == 0) {
        text_string(text, "No records in this range.");
    } else {
        text_format(text, "%" PRIu64 " verifications, positions %" PRIu64 " to %" PRIu64 ", from ", stats->records,
                    stats->first_position, stats->last_position);
        text_time(text, stats->first_ms);
        text_string(text, " to ");
        text_time(text, stats->last_ms);
        text_char(text, '.');
    }
    text_string(text, "</p><nav aria-label=\"Sections\"><a href=\"#volumes\">Volumes</a><a href=\"#verdicts\">Verdicts"
                      "</a><a href=\"#reasons\">Reasons</a><a href=\"#suspects\">Suspects</a><a href=\"#drift\">Drift"
                      "</a><a href=\"#chain\">The log</a></nav>\n");
}

int run_report(const struct log_options *options, const char *folder)
{
    struct work work;
    struct page page = {.stats = NULL};
    int code = work_open(&work, options, folder);
    struct stats *each = calloc(WORK_THREADS_MAX, sizeof *each);
    if (code == EXIT_DONE && !each) code = complain(EXIT_UNAVAILABLE, "%s", result_text(result_of(NO_MEMORY)));
    if (code == EXIT_DONE) code = stats_count(&work, options, each);
    if (code == EXIT_DONE) {
        page.stats = &each[0];
        page.look = work.threads[0].style.look;
        head(&page);
        volumes(&page);
        verdicts(&page);
        reasons(&page);
        suspects(&page);
        drift(&page);
        chain(&page, options->store, work.os, folder);
        html_end(&page.text);
        (void)print_out(&page.text);
    }
    code = print_code(&work, code);
    for (unsigned i = 0; each && i < WORK_THREADS_MAX; i++) stats_destroy(&each[i]);
    free(each);
    text_free(&page.text);
    work_close(&work);
    return code;
}
