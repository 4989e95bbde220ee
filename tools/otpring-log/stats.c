/* Counting: each thread for itself, all together at the end. */
#include "stats.h"

#include <stdlib.h>
#include <string.h>

#include "journal/index.h"
#include "otpring/verdict.h"
#include "print.h"
#include "table/table.h"

enum { PERIOD_MAX_S = 3600, ROWS_WANTED = 120 };

bool stats_create(struct stats *stats)
{
    memset(stats, 0, sizeof *stats);
    stats->first_position = UINT64_MAX;
    stats->first_ms = INT64_MAX;
    stats->last_ms = INT64_MIN;
    stats->clients = calloc(STATS_CLIENTS, sizeof *stats->clients);
    bool made = timeline_create(&stats->timeline) && top_create(&stats->companies) && top_create(&stats->accounts) &&
                top_create(&stats->sources);
    return made && stats->clients;
}

void stats_destroy(struct stats *stats)
{
    free(stats->clients);
    timeline_destroy(&stats->timeline);
    top_destroy(&stats->companies);
    top_destroy(&stats->accounts);
    top_destroy(&stats->sources);
}

uint64_t stats_refused(const uint64_t verdicts[TIMELINE_VERDICTS])
{
    uint64_t sum = 0;
    for (unsigned v = OTPRING_REJECTED; v <= OTPRING_MALFORMED; v++) sum += verdicts[v];
    return sum;
}

uint64_t stats_all(const uint64_t verdicts[TIMELINE_VERDICTS])
{
    uint64_t sum = 0;
    for (unsigned v = 0; v < TIMELINE_VERDICTS; v++) sum += verdicts[v];
    return sum;
}

static bool is_refusal(unsigned verdict)
{
    return verdict >= OTPRING_REJECTED && verdict <= OTPRING_MALFORMED;
}

/* Counters of HOTP stay far below the step that any TOTP token of our periods has reached; a record says no more. */
static bool looks_like_totp(const struct slot_verify *verify, int64_t time_ms)
{
    if (verify->method == METHOD_OCRA_MARKED) return false;
    return (int64_t)token_floor(verify->token) * PERIOD_MAX_S >= time_ms / 1000;
}

static void add_refusal(struct stats *stats, const struct slot_verify *verify)
{
    uint8_t source[TOP_KEY_SIZE] = {0};
    stats->reasons[verify->reason & 15]++;
    memcpy(source, &verify->source, sizeof verify->source);
    bool known = verify->source != 0;
    top_add(&stats->accounts, verify->name, 1, 0, known ? index_key(source, TOP_KEY_SIZE) : 0);
    if (known) top_add(&stats->sources, source, 1, 0, index_key(verify->name, TOP_KEY_SIZE));
}

static void add_verify(struct stats *stats, const struct slot_verify *verify, int64_t time_ms)
{
    unsigned verdict = verify->verdict < TIMELINE_VERDICTS ? verify->verdict : 0;
    uint8_t company[TOP_KEY_SIZE] = {0};
    bool refused = is_refusal(verdict);
    stats->records++;
    stats->verdicts[verdict]++;
    stats->clients[verify->client][verdict]++;
    timeline_row(&stats->timeline, time_ms)[verdict]++;
    memcpy(company, verify->name, 8);
    top_add(&stats->companies, company, 1, refused, 0);
    if (refused) add_refusal(stats, verify);
    if (verdict == OTPRING_ACCEPTED && looks_like_totp(verify, time_ms)) stats->drifts[verify->drift + 128]++;
}

void stats_add(struct stats *stats, const struct event *event)
{
    if (event->position < stats->first_position) stats->first_position = event->position;
    if (event->position > stats->last_position) stats->last_position = event->position;
    if (event->time_ms < stats->first_ms) stats->first_ms = event->time_ms;
    if (event->time_ms > stats->last_ms) stats->last_ms = event->time_ms;
    if (event->kind == EVENT_VERIFY) add_verify(stats, &event->verify, event->time_ms);
    if (event->kind == EVENT_ACT) stats->acts[event->act.act < STATS_ACTS ? event->act.act : 0]++;
}

void stats_merge(struct stats *into, const struct stats *from)
{
    for (unsigned i = 0; i < TIMELINE_VERDICTS; i++) into->verdicts[i] += from->verdicts[i];
    for (unsigned i = 0; i < STATS_ACTS; i++) into->acts[i] += from->acts[i];
    for (unsigned i = 0; i < 16; i++) into->reasons[i] += from->reasons[i];
    for (unsigned i = 0; i < STATS_DRIFTS; i++) into->drifts[i] += from->drifts[i];
    for (unsigned i = 0; i < STATS_CLIENTS; i++)
        for (unsigned v = 0; v < TIMELINE_VERDICTS; v++) into->clients[i][v] += from->clients[i][v];
    into->records += from->records;
    if (from->first_position < into->first_position) into->first_position = from->first_position;
    if (from->last_position > into->last_position) into->last_position = from->last_position;
    if (from->first_ms < into->first_ms) into->first_ms = from->first_ms;
    if (from->last_ms > into->last_ms) into->last_ms = from->last_ms;
    timeline_merge(&into->timeline, &from->timeline);
    top_merge(&into->companies, &from->companies);
    top_merge(&into->accounts, &from->accounts);
    top_merge(&into->sources, &from->sources);
}

int64_t stats_unit_s(const struct stats *stats, const char *by)
{
    int64_t span_s = stats->last_ms > stats->first_ms ? (stats->last_ms - stats->first_ms) / 1000 : 0;
    int64_t wanted = span_s <= ROWS_WANTED * 60 ? 60 : span_s <= ROWS_WANTED * 3600 ? 3600 : 86400;
    if (by) wanted = strcmp(by, "minute") == 0 ? 60 : strcmp(by, "hour") == 0 ? 3600 : 86400;
    return wanted > stats->timeline.unit_s ? wanted : stats->timeline.unit_s;
}

static bool count(void *context, const struct event *event)
{
    const struct work_thread *thread = context;
    stats_add(thread->own, event);
    return true;
}

int stats_count(struct work *work, const struct log_options *options, struct stats *each)
{
    struct work_task task = {.filter = &options->filter, .each = count};
    bool made = true;
    for (unsigned i = 0; i < work->thread_count; i++) {
        made &= stats_create(&each[i]);
        work->threads[i].own = &each[i];
    }
    if (!made) return complain(EXIT_UNAVAILABLE, "%s", result_text(result_of(NO_MEMORY)));
    int code = work_scan(work, &task);
    if (code != EXIT_DONE) return code;
    for (unsigned i = 1; i < work->thread_count; i++) stats_merge(&each[0], &each[i]);
    timeline_coarsen(&each[0].timeline, stats_unit_s(&each[0], options->by));
    return EXIT_DONE;
}

int run_stats(const struct log_options *options, const char *folder)
{
    struct work work;
    struct text text = {0};
    int code = work_open(&work, options, folder);
    struct stats *each = calloc(WORK_THREADS_MAX, sizeof *each);
    if (code == EXIT_DONE && !each) code = complain(EXIT_UNAVAILABLE, "%s", result_text(result_of(NO_MEMORY)));
    if (code == EXIT_DONE) code = stats_count(&work, options, each);
    if (code == EXIT_DONE) {
        if (options->json)
            stats_json(&text, &each[0], options, work.threads[0].style.look);
        else
            stats_print(&text, &each[0], options, work.threads[0].style.look);
        (void)print_out(&text);
    }
    code = print_code(&work, code);
    for (unsigned i = 0; each && i < WORK_THREADS_MAX; i++) stats_destroy(&each[i]);
    free(each);
    text_free(&text);
    work_close(&work);
    return code;
}
