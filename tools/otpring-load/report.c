#include "report.h"

#include <jansson.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static const char *const kind_names[] = {"right", "near", "wrong", "replayed"};

static void machine_text(char *ret_text, size_t capacity)
{
    char line[256], model[128] = "unknown processor";
    struct utsname system;
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "model name : %127[^\n]", model) == 1) break;
    }
    if (file) fclose(file);
    if (uname(&system) != 0) strcpy(system.release, "?");
    snprintf(ret_text, capacity, "%s, %ld processors, Linux %s", model, sysconf(_SC_NPROCESSORS_ONLN), system.release);
}

static double microseconds(const struct report *report, double part)
{
    return (double)histogram_at(&report->result->latency, part) / 1000;
}

static double rate_of(const struct report *report)
{
    return report->seconds > 0 ? (double)report->result->expected / report->seconds : 0;
}

void report_print(const struct report *report, FILE *out)
{
    const struct load_options *options = report->options;
    const struct run_result *result = report->result;
    const uint64_t *verdicts = result->verdicts;
    char machine[384];
    machine_text(machine, sizeof machine);
    fprintf(out, "machine         %s\n", machine);
    fprintf(out, "kernel          %s (the load's own: %s)\n", report->kernel, report->own_kernel);
    fprintf(out, "load            %s %s, %u accounts, batch %u, %u connections, %u in flight, %u threads, %.1f s",
            options->totp ? "totp1" : "hotp", options->algorithm, options->accounts, options->batch,
            options->connections, options->in_flight, options->threads, report->seconds);
    if (options->own_profile)
        fprintf(out, ", look-ahead %u, resync window %u", options->look_ahead, options->resync_window);
    if (options->rate > 0) fprintf(out, ", open loop at %.0f/s", options->rate);
    fprintf(out, "\nverifications/s %.0f\n", rate_of(report));
    fprintf(out, "latency         p50 %.1f us, p99 %.1f us, p99.9 %.1f us, max %.1f us, of %llu frames\n",
            microseconds(report, 0.5), microseconds(report, 0.99), microseconds(report, 0.999),
            (double)result->latency.max / 1000, (unsigned long long)result->latency.values);
    fprintf(out, "verdicts        ");
    for (int i = OTPRING_ACCEPTED; i <= OTPRING_UNAVAILABLE; i++) {
        bool always = i <= OTPRING_REPLAYED || i == OTPRING_UNAVAILABLE;
        if (always || verdicts[i]) {
            fprintf(out, "%s%llu %s", i > 1 ? ", " : "", (unsigned long long)verdicts[i],
                    otpring_verdict_name((unsigned)i));
        }
    }
    if (result->expected) {
        fprintf(out, "\nload's own cost %.1f ns of processor time a verification",
                result->cpu_s * 1e9 / (double)result->expected);
    }
    fprintf(out, "\nunexpected      %llu\n", (unsigned long long)result->unexpected);
    if (result->limited) fprintf(out, "limited by the accounts: one code an account and second\n");
    if (result->unsent)
        fprintf(out, "not sent        %llu due%s\n", (unsigned long long)result->unsent,
                result->limited ? "" : ", but the daemon was behind");
    if (result->unanswered) fprintf(out, "not answered    %llu\n", (unsigned long long)result->unanswered);
}

int report_print_json(const struct report *report, FILE *out)
{
    const struct load_options *options = report->options;
    const struct run_result *result = report->result;
    const uint64_t *verdicts = result->verdicts;
    char machine[384];
    machine_text(machine, sizeof machine);
    json_t *latency =
        json_pack("{s:f, s:f, s:f, s:f}", "p50", microseconds(report, 0.5), "p99", microseconds(report, 0.99), "p999",
                  microseconds(report, 0.999), "max", (double)result->latency.max / 1000);
    json_t *verdict_part = json_pack(
        "{s:f, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "verifications_per_s", rate_of(report), "latency_us", latency,
        "accepted", (json_int_t)verdicts[OTPRING_ACCEPTED], "rejected", (json_int_t)verdicts[OTPRING_REJECTED],
        "replayed", (json_int_t)verdicts[OTPRING_REPLAYED], "throttled", (json_int_t)verdicts[OTPRING_THROTTLED],
        "resync", (json_int_t)verdicts[OTPRING_RESYNC], "unavailable", (json_int_t)verdicts[OTPRING_UNAVAILABLE],
        "unexpected", (json_int_t)result->unexpected);
    double expected = (double)result->expected;
    json_t *cost_part =
        json_pack("{s:f, s:I, s:I, s:b, s:s?}", "load_cpu_ns", expected > 0 ? result->cpu_s * 1e9 / expected : 0,
                  "answered_in_all", (json_int_t)result->answered, "frames", (json_int_t)result->latency.values,
                  "limited_by_accounts", (int)result->limited, "error", result->error[0] ? result->error : NULL);
    json_t *load_part =
        json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:I, s:I, s:s, s:s, s:s, s:s}", "kernel",
                  report->kernel, "own_kernel", report->own_kernel, "accounts", (json_int_t)options->accounts, "batch",
                  (json_int_t)options->batch, "connections", (json_int_t)options->connections, "in_flight",
                  (json_int_t)options->in_flight, "threads", (json_int_t)options->threads, "seconds", report->seconds,
                  "rate", options->rate, "unsent", (json_int_t)result->unsent, "unanswered",
                  (json_int_t)result->unanswered, "type", options->totp ? "totp1" : "hotp", "algorithm",
                  options->algorithm, "company", report->company, "machine", machine);
    if (load_part && !options->totp && !options->from_log) {
        json_object_set_new(load_part, "look_ahead", json_integer(options->look_ahead));
        json_object_set_new(load_part, "resync_window", json_integer(options->resync_window));
    }
    int error = !verdict_part || !load_part || !cost_part || json_object_update(verdict_part, load_part) ||
                json_object_update(verdict_part, cost_part) || json_dumpf(verdict_part, out, JSON_REAL_PRECISION(9));
    fputc('\n', out);
    json_decref(verdict_part);
    json_decref(load_part);
    json_decref(cost_part);
    return error ? -1 : 0;
}

void report_print_refused(const char *error, FILE *out)
{
    char text[LOAD_ERROR_SIZE];
    snprintf(text, sizeof text, "%s", error);
    /* Whatever bytes the line had. */
    for (char *at = text; *at; at++)
        if (*at < ' ' || *at > '~') *at = '?';
    json_t *refused = json_pack("{s:s, s:i, s:i}", "error", text, "unexpected", 0, "unanswered", 0);
    json_dumpf(refused, out, 0);
    fputc('\n', out);
    json_decref(refused);
}

void report_print_unexpected(const struct run_result *result, FILE *out)
{
    for (uint32_t i = 0; i < result->shown_count; i++) {
        const struct unexpected *item = &result->shown[i];
        const char *expected = otpring_verdict_name(item->expected), *verdict = otpring_verdict_name(item->verdict);
        fprintf(out, "unexpected: user u%u, step %u, a %s code: %s (reason %u, record %llu) instead of %s\n",
                item->account, item->step, kind_names[item->kind], verdict ? verdict : "?", item->reason,
                (unsigned long long)item->record, expected ? expected : "anything but THROTTLED");
    }
    if (result->unexpected > result->shown_count) {
        fprintf(out, "unexpected: and %llu more\n", (unsigned long long)(result->unexpected - result->shown_count));
    }
}
