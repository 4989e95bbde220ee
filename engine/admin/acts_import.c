/* Import: lines of otpauth URIs or CSV, each taken or refused on its own, refused ones told by number. */
#include <stdlib.h>
#include <string.h>

#include "admin/acts.h"
#include "os/arena.h"

struct importing {
    struct act *act;
    const char *company; /* of URIs without an issuer, or instead of it; NULL: the issuer */
    struct csv_header header;
    bool header_known;
    bool uris; /* a file of URIs, not CSV: set by the first of them */
    uint64_t line;
    uint64_t added;
    json_t *refused;
    /* The profile of the line before: lines of one file mostly share theirs. */
    struct otp_parameters parameters;
    int look_ahead;
    uint16_t profile;
    bool profile_known;
};

static void line_refuse(struct importing *importing, uint64_t line, struct result result)
{
    json_array_append_new(importing->refused, json_pack("{s:I,s:s,s:s}", "line", (json_int_t)line, "code",
                                                        result_name(result), "error", result_text(result)));
}

static struct result flush(struct importing *importing)
{
    struct admin_batch *batch = &importing->act->admin->batch;
    if (batch->count == 0) return result_ok();
    struct result result = batch_add(importing->act);
    for (size_t i = 0; i < batch->count; i++) {
        if (result_failed(batch->results[i])) {
            line_refuse(importing, batch->lines[i], batch->results[i]);
        } else {
            importing->added++;
        }
    }
    batch_clear(batch);
    return result;
}

static struct result uri_take(struct importing *importing, const char *line, size_t size, struct csv_token *token)
{
    struct otp_uri uri;
    TRY(otp_uri_parse(line, size, &uri));
    const char *company = importing->company ? importing->company : uri.issuer;
    struct result result = result_ok();
    if (company[0] == 0) {
        result = result_of(URI_NO_ISSUER);
    } else if (strlen(company) > OTP_NAME_SIZE_MAX) {
        result = result_of(BAD_NAME);
    } else {
        strcpy(token->company, company);
        strcpy(token->user, uri.account);
        token->label[0] = 0;
        token->parameters = uri.parameters;
        token->counter = uri.counter;
        token->look_ahead = -1;
        token->profile = -1;
        memcpy(token->seed, uri.seed, uri.seed_size);
        token->seed_size = uri.seed_size;
    }
    otp_uri_wipe(&uri);
    return result;
}

static bool same_profile(const struct importing *importing, const struct csv_token *token)
{
    const struct otp_parameters *a = &importing->parameters, *b = &token->parameters;
    return importing->profile_known && a->type == b->type && a->algorithm == b->algorithm && a->digits == b->digits &&
           a->period_s == b->period_s && a->t0_s == b->t0_s && importing->look_ahead == token->look_ahead;
}

static struct result profile_named(struct importing *importing, const struct csv_token *token)
{
    struct profile_row row;
    importing->profile_known = false;
    if (!core_profile_get(importing->act->admin->core, (uint16_t)token->profile, &row)) return result_of(BAD_PROFILE);
    if (token->counter != 0 && row.type != OTP_HOTP) return result_of(BAD_COUNTER);
    importing->profile = (uint16_t)token->profile;
    return result_ok();
}

/* A new profile waits for journal room here: lines before this one may be done, and are not to be taken again. */
static struct result profile_take(struct importing *importing, const struct csv_token *token)
{
    struct result result;
    if (token->profile >= 0) return profile_named(importing, token);
    if (same_profile(importing, token)) return result_ok();
    importing->profile_known = false;
    do {
        result = admin_profile_for(importing->act, &token->parameters, token->look_ahead, &importing->profile);
    } while (act_again(importing->act, result));
    TRY(result);
    importing->parameters = token->parameters;
    importing->look_ahead = token->look_ahead;
    importing->profile_known = true;
    return result_ok();
}

static struct result line_take(struct importing *importing, const char *line, size_t size, struct csv_token *token)
{
    static const char scheme[] = "otpauth://";
    if (size >= sizeof(scheme) - 1 && memcmp(line, scheme, sizeof(scheme) - 1) == 0) {
        TRY(uri_take(importing, line, size, token));
    } else {
        if (!importing->header_known) return result_of(CSV_HEADER);
        TRY(csv_token_parse(&importing->header, line, size, token));
    }
    TRY(profile_take(importing, token));
    batch_put(&importing->act->admin->batch, token, importing->profile, importing->line);
    return result_ok();
}

/* Only a failure that stops the whole import is handed on; the line's own go into the report. */
static struct result line_import(struct importing *importing, const char *line, size_t size)
{
    struct csv_token token;
    if (size > 0 && line[size - 1] == '\r') size--;
    if (size == 0 || line[0] == '#') return result_ok();
    bool uri = size >= 8 && memcmp(line, "otpauth:", 8) == 0;
    importing->uris = importing->uris || uri;
    if (!uri && !importing->header_known && importing->uris) {
        line_refuse(importing, importing->line, result_of(BAD_URI));
        return result_ok();
    }
    if (!uri && !importing->header_known) {
        struct result result = csv_header_parse(line, size, &importing->header);
        if (result_failed(result)) return result;
        importing->header_known = true;
        return result_ok();
    }
    struct result result = line_take(importing, line, size, &token);
    secret_wipe(&token, sizeof(token));
    if (result_failed(result)) {
        if (result_class(result) != RESULT_REFUSE) return result;
        line_refuse(importing, importing->line, result);
    }
    return importing->act->admin->batch.count == ADMIN_BATCH_MAX ? flush(importing) : result_ok();
}

static struct result lines_import(struct importing *importing, const char *text, size_t size)
{
    const char *end = text + size;
    while (text < end) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        if (!line_end) line_end = end;
        TRY(line_import(importing, text, (size_t)(line_end - text)));
        importing->line++;
        text = line_end + 1;
    }
    return flush(importing);
}

static int by_line(const void *a, const void *b)
{
    json_int_t first = json_integer_value(json_object_get(*(json_t *const *)a, "line"));
    json_int_t second = json_integer_value(json_object_get(*(json_t *const *)b, "line"));
    return (first > second) - (first < second);
}

/* What core refuses is known later than what cannot be read; people look for lines in order. */
static void refused_sort(json_t *refused)
{
    size_t count = json_array_size(refused);
    json_t **lines = calloc(count + 1, sizeof(json_t *));
    if (!lines) return;
    for (size_t i = 0; i < count; i++) lines[i] = json_incref(json_array_get(refused, i));
    qsort(lines, count, sizeof(json_t *), by_line);
    for (size_t i = 0; i < count; i++) json_array_set_new(refused, i, lines[i]);
    free(lines);
}

struct result act_import(struct act *act)
{
    const char *text = NULL, *header = NULL;
    struct importing importing = {.act = act, .line = 1};
    TRY(act_text(act, "text", true, &text));
    TRY(act_text(act, "company", false, &importing.company));
    TRY(act_text(act, "header", false, &header));
    TRY(act_number(act, "first_line", false, 1, INT64_MAX / 2, &importing.line));
    /* Only the first portion of a CSV file may name the columns in its text. */
    importing.uris = !header && importing.line > 1;
    if (header) {
        TRY(csv_header_parse(header, strlen(header), &importing.header));
        importing.header_known = true;
    }
    importing.refused = json_array();
    struct result result = lines_import(&importing, text, strlen(text));
    json_object_set_new(act->answer, "added", json_integer((json_int_t)importing.added));
    json_object_set_new(act->answer, "next_line", json_integer((json_int_t)importing.line));
    refused_sort(importing.refused);
    json_object_set_new(act->answer, "refused", importing.refused);
    return result;
}
