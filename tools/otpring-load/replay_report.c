#include "replay.h"

#include <inttypes.h>
#include <jansson.h>

static double milliseconds(const struct replay_result *result, double part)
{
    return (double)histogram_at(&result->latency, part) / 1e6;
}

static uint64_t not_sent(const struct replay *replay, const struct replay_result *result)
{
    return replay->traffic->unlike + result->unlike;
}

static const char *name_of(unsigned verdict)
{
    const char *name = otpring_verdict_name(verdict);
    return name ? name : "?";
}

static void print_verdicts(const struct replay_result *result, FILE *out)
{
    for (unsigned recorded = 1; recorded < OTPRING_VERDICT_COUNT; recorded++) {
        uint64_t total = 0;
        for (unsigned now = 0; now < OTPRING_VERDICT_COUNT; now++) total += result->verdicts[recorded][now];
        if (!total) continue;
        fprintf(out, "%-15s %" PRIu64 ":", name_of(recorded), total);
        const char *between = " ";
        for (unsigned now = 0; now < OTPRING_VERDICT_COUNT; now++) {
            if (!result->verdicts[recorded][now]) continue;
            fprintf(out, "%s%" PRIu64 " %s", between, result->verdicts[recorded][now], name_of(now));
            between = ", ";
        }
        fputc('\n', out);
    }
}

void replay_print(const struct replay *replay, const struct replay_result *result, FILE *out)
{
    const struct traffic *traffic = replay->traffic;
    fprintf(out, "log             %zu attempts in %zu requests, of %u accounts", traffic->item_count,
            traffic->frame_count, traffic->account_count);
    if (traffic->suspended_count) fprintf(out, ", %u suspended ones", traffic->suspended_count);
    if (traffic->nobody_count) fprintf(out, ", %u names that nobody has", traffic->nobody_count);
    fprintf(out, "\nsent            %" PRIu64 ", %.1f s of the log in %.1f s", result->sent, result->log_s,
            result->seconds);
    if (replay->options->speed > 0)
        fprintf(out, ", at %g times its speed; at most %.1f ms late\n", replay->options->speed,
                (double)result->behind_ns / 1e6);
    else
        fprintf(out, ", as fast as the answers came\n");
    fprintf(out, "latency         p50 %.3f ms, p99 %.3f ms, p99.9 %.3f ms, max %.3f ms, of %" PRIu64 " frames\n",
            milliseconds(result, 0.5), milliseconds(result, 0.99), milliseconds(result, 0.999),
            (double)result->latency.max / 1e6, result->latency.values);
    print_verdicts(result, out);
    fprintf(out, "as recorded     %" PRIu64 "\n", result->same);
    if (result->by_lock)
        fprintf(out, "by a lock       %" PRIu64 " were THROTTLED then or now, and not both times\n", result->by_lock);
    if (result->not_searched)
        fprintf(out, "not searched    %" PRIu64 " far codes, for which a turn had no room\n", result->not_searched);
    if (result->unavailable) fprintf(out, "unavailable     %" PRIu64 "\n", result->unavailable);
    if (result->unanswered) fprintf(out, "not answered    %" PRIu64 "\n", result->unanswered);
    if (traffic->unavailable) fprintf(out, "not sent        %" PRIu64 " that were UNAVAILABLE\n", traffic->unavailable);
    if (not_sent(replay, result))
        fprintf(out, "not sent        %" PRIu64 " of which these accounts can send no like\n",
                not_sent(replay, result));
    if (traffic->damaged) fprintf(out, "not read        %" PRIu64 " damaged places of the log\n", traffic->damaged);
    fprintf(out, "unexpected      %" PRIu64 "\n", result->unexpected);
}

static json_t *verdicts_json(const struct replay_result *result)
{
    json_t *all = json_object();
    for (unsigned recorded = 1; recorded < OTPRING_VERDICT_COUNT; recorded++) {
        json_t *row = json_object();
        for (unsigned now = 1; now < OTPRING_VERDICT_COUNT; now++)
            if (result->verdicts[recorded][now])
                json_object_set_new(row, name_of(now), json_integer((json_int_t)result->verdicts[recorded][now]));
        if (json_object_size(row))
            json_object_set_new(all, name_of(recorded), row);
        else
            json_decref(row);
    }
    return all;
}

int replay_print_json(const struct replay *replay, const struct replay_result *result, FILE *out)
{
    const struct traffic *traffic = replay->traffic;
    json_t *latency = json_pack("{s:f, s:f, s:f, s:f}", "p50", milliseconds(result, 0.5) * 1000, "p99",
                                milliseconds(result, 0.99) * 1000, "p999", milliseconds(result, 0.999) * 1000, "max",
                                (double)result->latency.max / 1000);
    json_t *whole = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:o, s:o}", "attempts",
                              (json_int_t)traffic->item_count, "requests", (json_int_t)traffic->frame_count, "accounts",
                              (json_int_t)traffic->account_count, "suspended", (json_int_t)traffic->suspended_count,
                              "unknown_names", (json_int_t)traffic->nobody_count, "sent", (json_int_t)result->sent,
                              "same", (json_int_t)result->same, "speed", replay->options->speed, "seconds",
                              result->seconds, "log_s", result->log_s, "behind_ms", (double)result->behind_ns / 1e6,
                              "latency_us", latency, "verdicts", verdicts_json(result));
    json_t *rest = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s?}", "frames",
                             (json_int_t)result->latency.values, "by_lock", (json_int_t)result->by_lock, "not_searched",
                             (json_int_t)result->not_searched, "unexpected", (json_int_t)result->unexpected,
                             "unavailable", (json_int_t)result->unavailable, "unanswered",
                             (json_int_t)result->unanswered, "were_unavailable", (json_int_t)traffic->unavailable,
                             "unlike", (json_int_t)not_sent(replay, result), "damaged", (json_int_t)traffic->damaged,
                             "company", replay->accounts->company, "error", result->error[0] ? result->error : NULL);
    int error = !whole || !rest || json_object_update(whole, rest) || json_dumpf(whole, out, JSON_REAL_PRECISION(9));
    fputc('\n', out);
    json_decref(whole);
    json_decref(rest);
    return error ? -1 : 0;
}

void replay_print_unexpected(const struct replay_result *result, FILE *out)
{
    for (uint32_t i = 0; i < result->shown_count; i++) {
        const struct replay_unlike *unlike = &result->shown[i];
        fprintf(out, "unexpected: account %u: %s instead of %s (record %llu)\n", unlike->item.account,
                name_of(unlike->verdict), name_of(unlike->item.verdict), (unsigned long long)unlike->record);
    }
    if (result->unexpected > result->shown_count)
        fprintf(out, "unexpected: and %" PRIu64 " more\n", result->unexpected - result->shown_count);
}
