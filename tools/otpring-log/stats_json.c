/* The same counts as one JSON object. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "otpring/verdict.h"
#include "stats.h"

enum { LIST_DEFAULT = 10 };

static void verdict_fields(struct text *text, const uint64_t verdicts[TIMELINE_VERDICTS])
{
    bool any = false;
    text_char(text, '{');
    for (unsigned v = 0; v < TIMELINE_VERDICTS; v++) {
        if (!verdicts[v]) continue;
        if (any) text_char(text, ',');
        any = true;
        text_char(text, '"');
        text_verdict(text, v);
        text_format(text, "\":%" PRIu64, verdicts[v]);
    }
    text_char(text, '}');
}

static void times(struct text *text, const struct timeline *timeline)
{
    bool any = false;
    text_format(text, ",\"unit_s\":%" PRId64 ",\"times\":[", timeline->unit_s);
    for (uint32_t i = 0; i < timeline->count; i++) {
        uint64_t sum = 0;
        for (unsigned v = 0; v < TIMELINE_VERDICTS; v++) sum += timeline->rows[i][v];
        if (sum == 0) continue;
        if (any) text_char(text, ',');
        any = true;
        text_string(text, "{\"time\":\"");
        text_time(text, (timeline->first + i) * timeline->unit_s * 1000);
        text_string(text, "\",\"verdicts\":");
        verdict_fields(text, timeline->rows[i]);
        text_char(text, '}');
    }
    text_char(text, ']');
}

static void clients(struct text *text, const struct stats *stats)
{
    bool any = false;
    text_string(text, ",\"clients\":[");
    for (unsigned id = 0; id < STATS_CLIENTS; id++) {
        uint64_t sum = 0;
        for (unsigned v = 0; v < TIMELINE_VERDICTS; v++) sum += stats->clients[id][v];
        if (sum == 0) continue;
        if (any) text_char(text, ',');
        any = true;
        const char *name = client_name((uint16_t)id);
        text_format(text, "{\"client\":\"%04x\",\"client_name\":", id);
        if (name)
            text_json(text, name, strlen(name));
        else
            text_string(text, "null");
        text_string(text, ",\"verdicts\":");
        verdict_fields(text, stats->clients[id]);
        text_char(text, '}');
    }
    text_char(text, ']');
}

static void name_or_null(struct text *text, const char *key, const char *name)
{
    text_format(text, ",\"%s\":", key);
    if (name && *name)
        text_json(text, name, strlen(name));
    else
        text_string(text, "null");
}

enum list_kind { LIST_COMPANIES, LIST_ACCOUNTS, LIST_SOURCES };

static void entry_json(struct text *text, enum list_kind kind, const struct top_entry *entry, struct names_look *look)
{
    uint8_t name[16] = {0};
    uint64_t source;
    memcpy(name, entry->key, kind == LIST_COMPANIES ? 8 : 16);
    memcpy(&source, entry->key, sizeof source);
    const struct account_name *known = kind == LIST_SOURCES ? NULL : names_account(look, name);
    switch (kind) {
    case LIST_COMPANIES:
        text_string(text, "{\"account\":\"");
        text_hex(text, entry->key, 8);
        text_char(text, '"');
        name_or_null(text, "company", known ? known->company : NULL);
        text_format(text, ",\"verifications\":%" PRIu64 ",\"refused\":%" PRIu64 "}", entry->count, entry->other);
        return;
    case LIST_ACCOUNTS:
        text_string(text, "{\"account\":\"");
        text_hex(text, entry->key, 16);
        text_char(text, '"');
        name_or_null(text, "company", known ? known->company : NULL);
        name_or_null(text, "user", known ? known->user : NULL);
        text_format(text, ",\"refused\":%" PRIu64 ",\"sources_about\":%" PRIu64 "}", entry->count, top_distinct(entry));
        return;
    case LIST_SOURCES:
        text_string(text, "{\"source\":\"");
        text_hex64(text, source);
        text_format(text, "\",\"refused\":%" PRIu64 ",\"accounts_about\":%" PRIu64 "}", entry->count,
                    top_distinct(entry));
        return;
    }
}

static void list(struct text *text, const char *name, const struct top *top, enum list_kind kind, bool suspects,
                 const struct log_options *options, struct names_look *look)
{
    uint64_t wanted = options->count ? options->count : LIST_DEFAULT;
    size_t most = wanted < TOP_KEYS_MAX ? (size_t)wanted : TOP_KEYS_MAX, shown = 0;
    const struct top_entry **entries = calloc(most, sizeof entries[0]); // NOLINT(bugprone-sizeof-expression)
    size_t count = entries ? top_list(top, suspects, most, entries) : 0;
    text_format(text, ",\"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        if (suspects && top_distinct(entries[i]) < STATS_SUSPECT_MIN) continue;
        if (shown++) text_char(text, ',');
        entry_json(text, kind, entries[i], look);
    }
    text_char(text, ']');
    if (!suspects) text_format(text, ",\"%s_error\":%" PRIu64, name, top->error);
    free(entries);
}

static void drifts(struct text *text, const struct stats *stats)
{
    bool any = false;
    text_string(text, ",\"drift_steps\":{");
    for (unsigned i = 0; i < STATS_DRIFTS; i++) {
        if (!stats->drifts[i]) continue;
        if (any) text_char(text, ',');
        any = true;
        text_format(text, "\"%d\":%" PRIu64, (int)i - 128, stats->drifts[i]);
    }
    text_char(text, '}');
}

static void reasons_and_acts(struct text *text, const struct stats *stats)
{
    bool any = false;
    text_string(text, ",\"reasons\":{");
    for (unsigned reason = 0; reason < 16; reason++) {
        if (!stats->reasons[reason]) continue;
        if (any) text_char(text, ',');
        any = true;
        text_char(text, '"');
        text_reason(text, reason, "NONE");
        text_format(text, "\":%" PRIu64, stats->reasons[reason]);
    }
    any = false;
    text_string(text, "},\"acts\":{");
    for (unsigned act = 0; act < STATS_ACTS; act++) {
        if (!stats->acts[act]) continue;
        if (any) text_char(text, ',');
        any = true;
        text_char(text, '"');
        text_act(text, act);
        text_format(text, "\":%" PRIu64, stats->acts[act]);
    }
    text_char(text, '}');
}

void stats_json(struct text *text, const struct stats *stats, const struct log_options *options,
                struct names_look *look)
{
    bool empty = stats->last_position == 0;
    text_format(text, "{\"verifications\":%" PRIu64 ",\"first_position\":%" PRIu64 ",\"last_position\":%" PRIu64,
                stats->records, empty ? 0 : stats->first_position, stats->last_position);
    if (!empty) {
        text_string(text, ",\"since\":\"");
        text_time(text, stats->first_ms);
        text_string(text, "\",\"until\":\"");
        text_time(text, stats->last_ms);
        text_char(text, '"');
    }
    text_string(text, ",\"verdicts\":");
    verdict_fields(text, stats->verdicts);
    reasons_and_acts(text, stats);
    times(text, &stats->timeline);
    clients(text, stats);
    list(text, "companies", &stats->companies, LIST_COMPANIES, false, options, look);
    list(text, "accounts", &stats->accounts, LIST_ACCOUNTS, false, options, look);
    list(text, "sources", &stats->sources, LIST_SOURCES, false, options, look);
    list(text, "suspect_sources", &stats->sources, LIST_SOURCES, true, options, look);
    list(text, "suspect_accounts", &stats->accounts, LIST_ACCOUNTS, true, options, look);
    drifts(text, stats);
    text_string(text, "}\n");
}
