/* explain: an account, a moment, or one record, in plain words. Reads the account's records from the oldest kept on, by
 * the indexes a small part of the log, and keeps what tell.h needs of them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "print.h"
#include "tell.h"

enum { EXPLAIN_DEFAULT = 20, MOMENT_MS = 60000, MOMENT_ACCOUNTS = 5 };

/* Events as they wait in a thread's text for their turn. */
struct packed {
    struct event event;
    uint64_t size; /* of the record's slots behind this */
};

struct explain {
    const struct log_options *options;
    struct work *work;
    struct story story;
    struct telling telling;
    struct text *told; /* a ring of `wanted` */
    uint64_t wanted;
    uint64_t told_count;
    uint64_t records;
    bool one; /* the record at position and slot alone */
    uint64_t position;
    uint32_t slot;
    int64_t since_ms;
    int64_t until_ms;
    /* what came next, of one record */
    bool has_next;
    struct event next;
};

/* ---- out of the threads, in order ---- */

static bool pack(void *context, const struct event *event)
{
    struct work_thread *thread = context;
    struct packed packed = {.event = *event, .size = JOURNAL_SLOT_SIZE};
    if (event->kind == EVENT_ACT) packed.size += (uint64_t)event->act.slot_count * JOURNAL_SLOT_SIZE;
    text_bytes(&thread->text, &packed, sizeof packed);
    text_bytes(&thread->text, event->bytes, packed.size);
    return true;
}

static bool unpack(const struct text *text, size_t *at, struct event *ret_event)
{
    struct packed packed;
    if (*at >= text->size) return false;
    memcpy(&packed, text->bytes + *at, sizeof packed);
    *ret_event = packed.event;
    ret_event->bytes = (const uint8_t *)text->bytes + *at + sizeof packed;
    *at += sizeof packed + packed.size;
    return true;
}

/* ---- writing down ---- */

static void write_plain(struct text *text, const struct telling *telling, const struct event_style *style,
                        const struct event *event)
{
    struct event_style line = *style;
    line.form = FORM_LINE;
    event_write(text, &line, event);
    for (size_t at = 0; at < telling->sentences.size;) {
        const char *sentence = telling->sentences.bytes + at;
        text_string(text, "    ");
        text_string(text, sentence);
        text_char(text, '\n');
        at += strlen(sentence) + 1;
    }
}

static void write_json(struct text *text, const struct telling *telling, const struct event_style *style,
                       const struct event *event)
{
    bool any = false;
    event_json(text, style, event);
    text->size -= 2; /* more follows before the brace and the line feed */
    text_string(text, ",\"explanation\":[");
    for (size_t at = 0; at < telling->sentences.size;) {
        const char *sentence = telling->sentences.bytes + at;
        if (any) text_char(text, ',');
        any = true;
        text_json(text, sentence, strlen(sentence));
        at += strlen(sentence) + 1;
    }
    text_string(text, "],\"related\":[");
    for (unsigned i = 0; i < telling->related_count; i++) {
        const struct tell_related *related = &telling->related[i];
        text_format(text, "%s{\"role\":\"%s\",\"position\":%" PRIu64 ",\"index\":%u}", i ? "," : "", related->role,
                    related->position, related->slot);
    }
    text_string(text, "]}\n");
}

static void tell(struct explain *explain, const struct event_style *style, const struct event *event)
{
    struct text *text = &explain->told[explain->told_count++ % explain->wanted];
    tell_event(&explain->telling, &explain->story, event);
    text_clear(text);
    if (explain->options->json)
        write_json(text, &explain->telling, style, event);
    else
        write_plain(text, &explain->telling, style, event);
}

static bool wanted(const struct explain *explain, const struct event *event)
{
    if (explain->one) return event->position == explain->position && event->slot == explain->slot;
    return event->time_ms >= explain->since_ms && event->time_ms < explain->until_ms;
}

static bool behind(const struct explain *explain, const struct event *event)
{
    return event->position > explain->position || (event->position == explain->position && event->slot > explain->slot);
}

static bool take(void *context, struct work_thread *thread)
{
    struct explain *explain = context;
    struct event event;
    for (size_t at = 0; unpack(&thread->text, &at, &event);) {
        explain->records++;
        if (explain->one && behind(explain, &event)) {
            explain->has_next = true;
            explain->next = event;
            return false;
        }
        if (wanted(explain, &event)) tell(explain, &thread->style, &event);
        story_add(&explain->story, &event);
    }
    return true;
}

static void put_told(struct explain *explain)
{
    uint64_t first = explain->told_count > explain->wanted ? explain->told_count - explain->wanted : 0;
    for (uint64_t i = first; i < explain->told_count; i++) {
        if (i > first && !explain->options->json) fputc('\n', stdout);
        (void)print_out(&explain->told[i % explain->wanted]);
    }
}

static void put_next(struct explain *explain)
{
    struct text text = {0};
    if (!explain->has_next || explain->options->json) return;
    text_format(&text, "    The account's next record: %" PRIu64 ".%u ", explain->next.position, explain->next.slot);
    if (explain->next.kind == EVENT_VERIFY)
        text_verdict(&text, explain->next.verify.verdict);
    else
        text_act(&text, explain->next.act.act);
    text_string(&text, " at ");
    text_time(&text, explain->next.time_ms);
    text_string(&text, ".\n");
    (void)print_out(&text);
    text_free(&text);
}

/* ---- one account ---- */

static int explain_name(struct explain *explain, const uint8_t name[16], unsigned size)
{
    struct record_filter filter;
    filter_init(&filter);
    memcpy(filter.name.name, name, 16);
    filter.name.size = size;
    /* What comes behind the moment says nothing about it. */
    if (!explain->one && explain->until_ms != INT64_MAX) filter.until_ms = explain->until_ms;
    struct work_task task = {.filter = &filter, .each = pack, .end = take, .context = explain};
    story_start(&explain->story, name, explain->work->threads[0].style.look);
    return work_scan(explain->work, &task);
}

static int explain_account(struct explain *explain)
{
    const struct record_filter *filter = &explain->options->filter;
    if (filter->name.size != 16)
        return complain(EXIT_USAGE,
                        "explain: name an account (--company and --user, or --account), a record, or a moment (--at)");
    int code = explain_name(explain, filter->name.name, 16);
    if (code != EXIT_DONE) return code;
    if (explain->records == 0) {
        if (!explain->options->json) puts("The log has no record of this account.");
        return EXIT_DONE;
    }
    put_told(explain);
    if (explain->told_count == 0 && !explain->options->json)
        printf("The log has %" PRIu64 " records of this account up to then, none in this time.\n", explain->records);
    return EXIT_DONE;
}

/* ---- one record ---- */

/* POSITION.INDEX, or the number that an answer on the wire bears: position << 14 | index. */
static bool parse_record(const char *text, uint64_t *ret_position, uint32_t *ret_slot)
{
    uint64_t position, slot;
    const char *dot = strchr(text, '.');
    char digits[32];
    if (!dot) {
        if (!filter_number(text, &position)) return false;
        *ret_position = position >> 14;
        *ret_slot = (uint32_t)(position & 0x3fff);
        return *ret_position > 0;
    }
    if ((size_t)(dot - text) >= sizeof digits) return false;
    memcpy(digits, text, (size_t)(dot - text));
    digits[dot - text] = 0;
    if (!filter_number(digits, &position) || !filter_number(dot + 1, &slot) || slot > 0x3fff || position == 0)
        return false;
    *ret_position = position;
    *ret_slot = (uint32_t)slot;
    return true;
}

struct finding {
    uint64_t position;
    uint32_t slot;
    bool found;
    struct text packed;
};

static bool find(void *context, struct work_thread *thread)
{
    struct finding *finding = context;
    struct event event;
    for (size_t at = 0, from = 0; unpack(&thread->text, &at, &event); from = at) {
        if (event.position != finding->position || event.slot != finding->slot) continue;
        finding->found = true;
        text_bytes(&finding->packed, thread->text.bytes + from, at - from);
        return false;
    }
    return true;
}

static bool has_account(const struct event *event)
{
    static const uint8_t nobody[16];
    if (event->kind == EVENT_OWN) return false;
    return event->kind == EVENT_VERIFY || memcmp(event->act.name, nobody, sizeof nobody) != 0;
}

static int explain_record(struct explain *explain)
{
    struct finding finding = {0};
    struct event event;
    size_t at = 0;
    if (!parse_record(explain->options->subject, &finding.position, &finding.slot))
        return complain(EXIT_USAGE, "explain: not a record (POSITION.INDEX): %s", explain->options->subject);
    struct record_filter filter;
    filter_init(&filter);
    filter.own = true;
    filter.from_position = filter.to_position = finding.position;
    struct work_task task = {.filter = &filter, .each = pack, .end = find, .context = &finding};
    int code = work_scan(explain->work, &task);
    if (code == EXIT_DONE && !finding.found)
        code = complain(EXIT_USAGE, "explain: the log has no record %" PRIu64 ".%u; a frame's head is none",
                        finding.position, finding.slot);
    if (code == EXIT_DONE && unpack(&finding.packed, &at, &event)) {
        explain->one = true;
        explain->position = finding.position;
        explain->slot = finding.slot;
        if (has_account(&event))
            code = explain_name(explain, event.kind == EVENT_VERIFY ? event.verify.name : event.act.name, 16);
        else
            tell(explain, &explain->work->threads[0].style, &event);
    }
    if (code == EXIT_DONE) {
        put_told(explain);
        put_next(explain);
    }
    text_free(&finding.packed);
    return code;
}

/* ---- a moment ---- */

/* Accounts that were refused something round it, the first ones. */
struct moment {
    uint64_t verdicts[16];
    uint64_t acts;
    uint8_t names[MOMENT_ACCOUNTS][16];
    unsigned name_count;
    bool more;
};

static void note_account(struct moment *moment, const uint8_t name[16])
{
    for (unsigned i = 0; i < moment->name_count; i++)
        if (memcmp(moment->names[i], name, 16) == 0) return;
    moment->more |= moment->name_count == MOMENT_ACCOUNTS;
    if (moment->name_count < MOMENT_ACCOUNTS) memcpy(moment->names[moment->name_count++], name, 16);
}

static bool look(void *context, struct work_thread *thread)
{
    struct moment *moment = context;
    struct event event;
    for (size_t at = 0; unpack(&thread->text, &at, &event);) {
        if (event.kind == EVENT_VERIFY) {
            moment->verdicts[event.verify.verdict & 15]++;
            if (event.verify.verdict != 1) note_account(moment, event.verify.name);
        } else if (event.kind == EVENT_ACT) {
            moment->acts++;
            if (has_account(&event)) note_account(moment, event.act.name);
        }
    }
    return true;
}

static void put_summary(const struct moment *moment, int64_t since_ms, int64_t until_ms)
{
    struct text text = {0};
    bool any = false;
    text_string(&text, "From ");
    text_time(&text, since_ms);
    text_string(&text, " to ");
    text_time(&text, until_ms);
    text_char(&text, ':');
    for (unsigned v = 0; v < 16; v++) {
        if (!moment->verdicts[v]) continue;
        text_format(&text, "%s %" PRIu64 " ", any ? "," : "", moment->verdicts[v]);
        text_verdict(&text, v);
        any = true;
    }
    if (moment->acts)
        text_format(&text, "%s %" PRIu64 " act%s", any ? "," : "", moment->acts, moment->acts == 1 ? "" : "s");
    text_string(&text, any || moment->acts ? ".\n" : " nothing.\n");
    if (moment->name_count)
        text_format(&text, "%s%u account%s:\n", moment->more ? "The first " : "What was refused or done, of ",
                    moment->name_count, moment->name_count == 1 ? "" : "s");
    (void)print_out(&text);
    text_free(&text);
}

static int explain_moment(struct explain *explain)
{
    struct moment moment = {0};
    struct record_filter filter = explain->options->filter;
    filter.since_ms = explain->since_ms;
    filter.until_ms = explain->until_ms;
    struct work_task task = {.filter = &filter, .each = pack, .end = look, .context = &moment};
    int code = work_scan(explain->work, &task);
    if (code != EXIT_DONE) return code;
    if (!explain->options->json) put_summary(&moment, explain->since_ms, explain->until_ms);
    for (unsigned i = 0; i < moment.name_count && code == EXIT_DONE; i++) {
        explain->told_count = explain->records = 0;
        code = explain_name(explain, moment.names[i], 16);
        if (!explain->options->json) fputc('\n', stdout);
        if (code == EXIT_DONE) put_told(explain);
    }
    return code;
}

/* ---- the command ---- */

static int run(struct explain *explain)
{
    const struct log_options *options = explain->options;
    explain->since_ms = options->filter.since_ms;
    explain->until_ms = options->filter.until_ms;
    if (options->at_ms) {
        explain->since_ms = options->at_ms - MOMENT_MS;
        explain->until_ms = options->at_ms + MOMENT_MS;
    }
    if (options->subject) return explain_record(explain);
    return options->at_ms && options->filter.name.size != 16 ? explain_moment(explain) : explain_account(explain);
}

int run_explain(const struct log_options *options, const char *folder)
{
    struct work work;
    struct explain *explain = calloc(1, sizeof *explain);
    int code = work_open(&work, options, folder);
    if (code == EXIT_DONE && explain) {
        explain->options = options;
        explain->work = &work;
        explain->wanted = options->count ? options->count : EXPLAIN_DEFAULT;
        if (explain->wanted > 10000) explain->wanted = 10000;
        explain->told = calloc(explain->wanted, sizeof *explain->told);
    }
    if (code == EXIT_DONE && (!explain || !explain->told))
        code = complain(EXIT_UNAVAILABLE, "%s", result_text(result_of(NO_MEMORY)));
    if (code == EXIT_DONE) code = run(explain);
    code = print_code(&work, code);
    for (uint64_t i = 0; explain && explain->told && i < explain->wanted; i++) text_free(&explain->told[i]);
    if (explain) {
        telling_free(&explain->telling);
        free(explain->told);
    }
    free(explain);
    work_close(&work);
    return code;
}
