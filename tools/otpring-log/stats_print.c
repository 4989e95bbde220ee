/* Counts for people: columns, and bars of eighths where the terminal can show them. */
#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "acts.h"
#include "otpring/verdict.h"
#include "stats.h"

enum { LIST_DEFAULT = 10, BAR_CELLS = 32 };

struct printing {
    struct text *text;
    const struct stats *stats;
    const struct log_options *options;
    struct names_look *look;
    bool bars;
    bool colour;
};

static bool bars_wanted(const struct log_options *options)
{
    setlocale(LC_CTYPE, "");
    bool can = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    return options->colour == COLOUR_ALWAYS || (can && isatty(STDOUT_FILENO));
}

static void bar(const struct printing *printing, uint64_t value, uint64_t greatest, const char *colour)
{
    static const char *const eighths[] = {"", "\u258f", "\u258e", "\u258d", "\u258c", "\u258b", "\u258a", "\u2589"};
    if (!printing->bars || greatest == 0 || value == 0) return;
    uint64_t parts = (uint64_t)((double)value / (double)greatest * BAR_CELLS * 8);
    if (parts == 0) parts = 1;
    text_string(printing->text, "  ");
    if (printing->colour && colour) text_string(printing->text, colour);
    for (uint64_t i = 0; i < parts / 8; i++) text_string(printing->text, "\u2588");
    text_string(printing->text, eighths[parts % 8]);
    if (printing->colour && colour) text_string(printing->text, COLOUR_OFF);
}

static void heading(const struct printing *printing, const char *name)
{
    text_format(printing->text, "\n%s\n", name);
}

static double percent(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void print_verdicts(const struct printing *printing)
{
    const struct stats *stats = printing->stats;
    uint64_t greatest = 0;
    for (unsigned v = 0; v < TIMELINE_VERDICTS; v++)
        if (stats->verdicts[v] > greatest) greatest = stats->verdicts[v];
    heading(printing, "Verdicts");
    for (unsigned v = 0; v < TIMELINE_VERDICTS; v++) {
        const char *name = event_verdict_name(v);
        if (!stats->verdicts[v]) continue;
        text_format(printing->text, "  %-12s %12" PRIu64 " %6.2f %%", name ? name : "?", stats->verdicts[v],
                    percent(stats->verdicts[v], stats->records));
        bar(printing, stats->verdicts[v], greatest, colour_of_verdict(v));
        text_char(printing->text, '\n');
    }
}

static void print_reasons(const struct printing *printing)
{
    uint64_t refused = stats_refused(printing->stats->verdicts);
    if (refused == 0) return;
    heading(printing, "Refusals by reason");
    for (unsigned reason = 0; reason < 16; reason++) {
        if (!printing->stats->reasons[reason]) continue;
        struct text name = {0};
        text_reason(&name, reason, "by verdict alone");
        text_format(printing->text, "  %-20.*s %12" PRIu64 " %6.2f %%\n", (int)name.size, name.bytes,
                    printing->stats->reasons[reason], percent(printing->stats->reasons[reason], refused));
        text_free(&name);
    }
}

static void print_time(const struct printing *printing)
{
    const struct timeline *timeline = &printing->stats->timeline;
    const char *unit = timeline->unit_s == 60      ? "minute"
                       : timeline->unit_s == 3600  ? "hour"
                       : timeline->unit_s == 86400 ? "day"
                                                   : "week";
    uint64_t greatest = 0;
    bool gap = false;
    if (timeline->count == 0) return;
    for (uint32_t i = 0; i < timeline->count; i++) {
        uint64_t all = timeline->rows[i][OTPRING_ACCEPTED] + stats_refused(timeline->rows[i]);
        if (all > greatest) greatest = all;
    }
    text_format(printing->text, "\nBy %s (UTC)           accepted      refused        other\n", unit);
    for (uint32_t i = 0; i < timeline->count; i++) {
        const uint64_t *row = timeline->rows[i];
        uint64_t refused = stats_refused(row), all = stats_all(row);
        char time[32];
        time_t seconds = (time_t)((timeline->first + i) * timeline->unit_s);
        struct tm utc;
        if (all == 0) {
            if (!gap) text_string(printing->text, "  ...\n");
            gap = true;
            continue;
        }
        gap = false;
        if (!gmtime_r(&seconds, &utc) || !strftime(time, sizeof time, "%Y-%m-%d %H:%M", &utc)) continue;
        text_format(printing->text, "  %s %12" PRIu64 " %12" PRIu64 " %12" PRIu64, time, row[OTPRING_ACCEPTED], refused,
                    all - row[OTPRING_ACCEPTED] - refused);
        bar(printing, row[OTPRING_ACCEPTED], greatest, colour_of_verdict(OTPRING_ACCEPTED));
        text_char(printing->text, '\n');
    }
}

static size_t list_size(const struct printing *printing)
{
    uint64_t wanted = printing->options->count ? printing->options->count : LIST_DEFAULT;
    return wanted < TOP_KEYS_MAX ? (size_t)wanted : TOP_KEYS_MAX;
}

static void exactness(const struct printing *printing, const struct top *top)
{
    if (top->error) text_format(printing->text, "  (counts are at most %" PRIu64 " too low)\n", top->error);
}

static void company_name(const struct printing *printing, const uint8_t *key)
{
    uint8_t name[16] = {0};
    memcpy(name, key, 8);
    const struct account_name *known = names_account(printing->look, name);
    if (known)
        text_plain(printing->text, known->company, strlen(known->company));
    else
        text_hex(printing->text, key, 8);
}

static void print_companies(const struct printing *printing)
{
    const struct top_entry **entries =
        calloc(list_size(printing), sizeof entries[0]); // NOLINT(bugprone-sizeof-expression)
    size_t count = entries ? top_list(&printing->stats->companies, false, list_size(printing), entries) : 0;
    if (count > 0) text_string(printing->text, "\nCompanies      verifications      refused\n");
    for (size_t i = 0; i < count; i++) {
        text_format(printing->text, "              %14" PRIu64 " %12" PRIu64 "  ", entries[i]->count,
                    entries[i]->other);
        company_name(printing, entries[i]->key);
        text_char(printing->text, '\n');
    }
    if (count > 0) exactness(printing, &printing->stats->companies);
    free(entries);
}

static void print_clients(const struct printing *printing)
{
    bool any = false;
    for (unsigned id = 0; id < STATS_CLIENTS; id++) {
        const uint64_t *row = printing->stats->clients[id];
        uint64_t refused = stats_refused(row), all = stats_all(row);
        if (all == 0) continue;
        if (!any) text_string(printing->text, "\nClients        verifications      refused\n");
        any = true;
        text_format(printing->text, "              %14" PRIu64 " %12" PRIu64 "  ", all, refused);
        text_client(printing->text, (uint16_t)id);
        text_char(printing->text, '\n');
    }
}

/* Accounts or sources, by refusals, or by what else was seen with them. */
static void print_top(const struct printing *printing, const char *name, const struct top *top, bool sources,
                      bool suspects)
{
    const struct top_entry **entries =
        calloc(list_size(printing), sizeof entries[0]); // NOLINT(bugprone-sizeof-expression)
    size_t count = entries ? top_list(top, suspects, list_size(printing), entries) : 0;
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        uint64_t distinct = top_distinct(entries[i]);
        if (suspects && distinct < STATS_SUSPECT_MIN) continue;
        if (!any) heading(printing, name);
        any = true;
        text_format(printing->text, "  %12" PRIu64 "  ", entries[i]->count);
        uint64_t source;
        memcpy(&source, entries[i]->key, sizeof source);
        if (sources)
            text_hex64(printing->text, source);
        else
            text_account(printing->text, printing->look, entries[i]->key);
        if (suspects) text_format(printing->text, "  about %" PRIu64 " %s", distinct, sources ? "accounts" : "sources");
        text_char(printing->text, '\n');
    }
    if (any) exactness(printing, top);
    free(entries);
}

static void print_drift(const struct printing *printing)
{
    const uint64_t *drifts = printing->stats->drifts;
    uint64_t greatest = 0;
    for (unsigned i = 0; i < STATS_DRIFTS; i++)
        if (drifts[i] > greatest) greatest = drifts[i];
    if (greatest == 0) return;
    heading(printing, "Clock drift of TOTP tokens, steps, by acceptances");
    for (unsigned i = 0; i < STATS_DRIFTS; i++) {
        if (!drifts[i]) continue;
        text_format(printing->text, "  %+4d %12" PRIu64, (int)i - 128, drifts[i]);
        bar(printing, drifts[i], greatest, NULL);
        text_char(printing->text, '\n');
    }
}

static void print_acts(const struct printing *printing)
{
    bool any = false;
    for (unsigned act = 0; act < STATS_ACTS; act++) {
        if (!printing->stats->acts[act]) continue;
        if (!any) heading(printing, "Acts");
        any = true;
        struct text name = {0};
        text_act(&name, act);
        text_format(printing->text, "  %-20.*s %12" PRIu64 "\n", (int)name.size, name.bytes,
                    printing->stats->acts[act]);
        text_free(&name);
    }
}

void stats_print(struct text *text, const struct stats *stats, const struct log_options *options,
                 struct names_look *look)
{
    struct printing printing = {.text = text,
                                .stats = stats,
                                .options = options,
                                .look = look,
                                .bars = bars_wanted(options),
                                .colour = colour_wanted(options->colour)};
    if (stats->last_position == 0) {
        text_string(text, "no records\n");
        return;
    }
    text_format(text, "%" PRIu64 " verifications, positions %" PRIu64 " to %" PRIu64 ", ", stats->records,
                stats->first_position, stats->last_position);
    text_time(text, stats->first_ms);
    text_string(text, " to ");
    text_time(text, stats->last_ms);
    text_char(text, '\n');
    print_verdicts(&printing);
    print_reasons(&printing);
    print_time(&printing);
    print_companies(&printing);
    print_clients(&printing);
    print_top(&printing, "Accounts by refusals", &stats->accounts, false, false);
    print_top(&printing, "Sources by refusals", &stats->sources, true, false);
    print_top(&printing, "Suspects: one source, many accounts (refusals)", &stats->sources, true, true);
    print_top(&printing, "Suspects: one account, many sources (refusals)", &stats->accounts, false, true);
    print_drift(&printing);
    print_acts(&printing);
}
