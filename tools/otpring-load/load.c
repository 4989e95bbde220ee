#include "load.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "accounts.h"
#include "replay.h"
#include "report.h"
#include "run.h"
#include "scratch.h"

struct load {
    const struct load_options *options;
    const volatile sig_atomic_t *stop;
    const char *store;
    const struct kernel *kernel;
    struct accounts accounts;
    char daemon_kernel[64];
    struct link_kept *kept; /* sessions from run to run, by number of connection */
    uint32_t kept_count;
    struct run_result *results; /* a thread; [0] takes the sum */
    double seconds;
    FILE *messages;
    struct traffic traffic; /* of a log */
};

static int complain(struct load *load, int status, const char *text)
{
    fprintf(load->messages, "otpring-load: %s\n", text);
    return status;
}

static void *thread_main(void *context)
{
    run_thread(context);
    return NULL;
}

static void merge(struct run_result *into, const struct run_result *from)
{
    histogram_merge(&into->latency, &from->latency);
    for (int i = 0; i <= OTPRING_UNAVAILABLE; i++) into->verdicts[i] += from->verdicts[i];
    into->expected += from->expected;
    into->unexpected += from->unexpected;
    into->answered += from->answered;
    into->cpu_s += from->cpu_s;
    into->unsent += from->unsent;
    into->unanswered += from->unanswered;
    into->limited |= from->limited;
    for (uint32_t i = 0; i < from->shown_count && into->shown_count < UNEXPECTED_SHOWN; i++) {
        into->shown[into->shown_count++] = from->shown[i];
    }
    if (!into->error[0]) memcpy(into->error, from->error, sizeof into->error);
}

/* Interrupted runs measured less than was asked for. */
static double measured_seconds(const struct load *load, uint64_t start_ns, uint64_t end_ns)
{
    double passed = (double)(end_ns - start_ns) / 1e9 - load->options->warmup_s;
    if (passed < 0) passed = 0;
    return passed < load->options->seconds ? passed : load->options->seconds;
}

/* Room for the sessions of all connections of this run; those of earlier runs stay. */
static int make_kept(struct load *load)
{
    uint32_t count = load->options->connections;
    if (count <= load->kept_count) return 0;
    struct link_kept *kept = realloc(load->kept, count * sizeof *kept);
    if (!kept) return -1;
    memset(kept + load->kept_count, 0, (count - load->kept_count) * sizeof *kept);
    load->kept = kept;
    load->kept_count = count;
    return 0;
}

static int run_threads(struct load *load)
{
    uint32_t count = load->options->threads, started;
    struct run *runs = calloc(count, sizeof *runs);
    pthread_t *threads = calloc(count, sizeof *threads);
    load->results = calloc(count, sizeof *load->results);
    if (!runs || !threads || !load->results || make_kept(load)) {
        free(runs);
        free(threads);
        return complain(load, LOAD_UNAVAILABLE, "not enough memory");
    }
    pthread_barrier_t ready;
    uint64_t start_ns = 0;
    char path[256];
    snprintf(path, sizeof path, "%s/verify.sock", load->store);
    pthread_barrier_init(&ready, NULL, count);
    for (uint32_t i = 0; i < count; i++) {
        runs[i] = (struct run){.options = load->options,
                               .accounts = &load->accounts,
                               .kernel = load->kernel,
                               .path = path,
                               .kept = load->kept,
                               .stop = load->stop,
                               .thread = i,
                               .ready = &ready,
                               .start_ns = &start_ns,
                               .result = &load->results[i]};
    }
    for (started = 1; started < count; started++) {
        if (pthread_create(&threads[started], NULL, thread_main, &runs[started])) {
            /* Those that did start wait for the rest for ever. */
            complain(load, LOAD_UNAVAILABLE, "threads cannot be started");
            exit(LOAD_UNAVAILABLE);
        }
    }
    run_thread(&runs[0]);
    load->seconds = measured_seconds(load, start_ns, run_now_ns());
    for (uint32_t i = 1; i < count; i++) pthread_join(threads[i], NULL);
    for (uint32_t i = 1; i < count; i++) merge(&load->results[0], &load->results[i]);
    pthread_barrier_destroy(&ready);
    free(runs);
    free(threads);
    return LOAD_DONE;
}

static int write_histogram(struct load *load, const struct histogram *latency)
{
    const char *path = load->options->hdr_path;
    if (!path) return 0;
    FILE *file = fopen(path, "w");
    if (file) histogram_write(latency, file);
    if (file && fclose(file) == 0) return 0;
    fprintf(load->messages, "otpring-load: %s: %s\n", path, strerror(errno));
    return -1;
}

static int report(struct load *load, FILE *out)
{
    const struct run_result *result = &load->results[0];
    struct report whole = {.options = load->options,
                           .result = result,
                           .seconds = load->seconds,
                           .kernel = load->daemon_kernel,
                           .own_kernel = load->kernel->name,
                           .company = load->accounts.company};
    if (load->options->json) {
        report_print_json(&whole, out);
    } else {
        report_print(&whole, out);
    }
    report_print_unexpected(result, load->messages);
    if (write_histogram(load, &result->latency)) return LOAD_USAGE;
    if (result->unexpected) return LOAD_UNEXPECTED;
    if (result->error[0]) return complain(load, LOAD_UNAVAILABLE, result->error);
    return result->unanswered ? LOAD_UNAVAILABLE : LOAD_DONE;
}

static int ask_status(struct load *load, struct admin *admin)
{
    json_t *answer = admin_ask(admin, json_pack("{s:s}", "act", "status"));
    if (!answer) return -1;
    const char *kernel = json_string_value(json_object_get(answer, "kernel"));
    snprintf(load->daemon_kernel, sizeof load->daemon_kernel, "%s", kernel ? kernel : "unknown");
    json_decref(answer);
    return 0;
}

static int run_once(struct load *load, FILE *out)
{
    int status = run_threads(load);
    if (status == LOAD_DONE) status = report(load, out);
    free(load->results);
    load->results = NULL;
    return status;
}

/* Found out before the load, not after it. */
static bool hdr_writable(const struct load_options *options, char ret_error[LOAD_ERROR_SIZE])
{
    const char *path = options->hdr_path;
    FILE *file = path ? fopen(path, "w") : NULL;
    if (path && !file) snprintf(ret_error, LOAD_ERROR_SIZE, "%s: %s", path, strerror(errno));
    if (file) fclose(file);
    return !path || file;
}

static int run_line(struct load *load, char *line, uint32_t number, FILE *out)
{
    const struct load_options *whole = load->options;
    struct load_options options = *whole;
    char error[LOAD_ERROR_SIZE], message[LOAD_ERROR_SIZE + 40];
    options.json = true;
    if (!load_options_line(line, &options, error) || !hdr_writable(&options, error)) {
        report_print_refused(error, out);
        snprintf(message, sizeof message, "line %u of the series: %s", number, error);
        return complain(load, LOAD_USAGE, message);
    }
    load->options = &options;
    int status = run_once(load, out);
    load->options = whole;
    return status;
}

/* Each line's answer is out before the next line is read, so a program can look at the daemon in between. */
static int run_series(struct load *load, double enrol_s, FILE *out)
{
    const struct load_options *whole = load->options;
    FILE *lines = strcmp(whole->series_path, "-") == 0 ? stdin : fopen(whole->series_path, "r");
    char line[LOAD_LINE_SIZE];
    int status = LOAD_DONE;
    if (!lines) {
        fprintf(load->messages, "otpring-load: %s: %s\n", whole->series_path, strerror(errno));
        return LOAD_USAGE;
    }
    fprintf(out, "{\"enrolled\": %u, \"seconds\": %.3f, \"company\": \"%s\"}\n", load->accounts.count, enrol_s,
            load->accounts.company);
    fflush(out);
    for (uint32_t number = 1; status == LOAD_DONE && !*load->stop && fgets(line, sizeof line, lines); number++) {
        status = run_line(load, line, number, out);
        fflush(out);
    }
    if (lines != stdin) fclose(lines);
    return status;
}

static int purge(struct load *load)
{
    /* The whole store is about to go. */
    if (load->options->scratch) return 0;
    /* A connection of its own: the first may have gone with the failure that ends the run. */
    struct admin admin;
    if (load->options->keep) {
        fprintf(load->messages, "otpring-load: the accounts stay, under the company %s\n", load->accounts.company);
        return 0;
    }
    int error = admin_open(&admin, load->store);
    if (!error) error = accounts_purge(&load->accounts, &admin);
    if (error) {
        fprintf(load->messages, "otpring-load: the accounts of the company %s could not be removed: %s\n",
                load->accounts.company, admin.error);
    }
    admin_close(&admin);
    return error;
}

/* ---- recorded traffic ---- */

/* Those behind the accounts that codes are right for. */
static int suspend_some(struct load *load, struct admin *admin)
{
    for (uint32_t i = load->traffic.account_count; i < load->traffic.account_count + load->traffic.suspended_count;
         i++) {
        char user[16];
        snprintf(user, sizeof user, "u%u", i);
        json_t *answer = admin_ask(admin, json_pack("{s:s, s:s, s:s}", "act", "token.suspend", "company",
                                                    load->accounts.company, "user", user));
        if (!answer) return -1;
        json_decref(answer);
    }
    return 0;
}

static int run_log(struct load *load, struct admin *admin, FILE *out)
{
    char path[256];
    snprintf(path, sizeof path, "%s/verify.sock", load->store);
    if (suspend_some(load, admin)) return complain(load, LOAD_UNAVAILABLE, admin->error);
    struct replay_result *result = calloc(1, sizeof *result);
    if (!result) return complain(load, LOAD_UNAVAILABLE, "not enough memory");
    struct replay replay = {.options = load->options,
                            .accounts = &load->accounts,
                            .traffic = &load->traffic,
                            .kernel = load->kernel,
                            .path = path,
                            .stop = load->stop};
    replay_run(&replay, result);
    if (load->options->json)
        replay_print_json(&replay, result, out);
    else
        replay_print(&replay, result, out);
    replay_print_unexpected(result, load->messages);
    int status = result->unexpected ? LOAD_UNEXPECTED : result->unanswered ? LOAD_UNAVAILABLE : LOAD_DONE;
    if (result->error[0]) status = complain(load, LOAD_UNAVAILABLE, result->error);
    if (write_histogram(load, &result->latency)) status = LOAD_USAGE;
    free(result);
    return status;
}

static int enrol_and_run(struct load *load, struct admin *admin, FILE *out)
{
    uint64_t start_ns = run_now_ns();
    int status = LOAD_DONE, error = accounts_enrol(&load->accounts, load->options, admin, load->stop);
    double seconds = (double)(run_now_ns() - start_ns) / 1e9;
    if (error) {
        status = complain(load, LOAD_UNAVAILABLE, admin->error);
    } else if (*load->stop) {
        status = complain(load, LOAD_UNAVAILABLE, "interrupted while enrolling");
    } else {
        if (!load->options->json) {
            fprintf(load->messages, "otpring-load: %u accounts enrolled in %.1f s under the company %s\n",
                    load->accounts.count, seconds, load->accounts.company);
        }
        status = load->options->from_log      ? run_log(load, admin, out)
                 : load->options->series_path ? run_series(load, seconds, out)
                                              : run_once(load, out);
    }
    int purge_error = purge(load);
    return purge_error && status == LOAD_DONE ? LOAD_UNAVAILABLE : status;
}

static int run_on_store(struct load *load, FILE *out)
{
    struct admin admin;
    int status;
    if (result_failed(kernel_choose(NULL, &load->kernel)))
        return complain(load, LOAD_USAGE, "OTPRING_KERNEL is unknown");
    if (accounts_create(load->options, &load->accounts)) {
        status = complain(load, LOAD_UNAVAILABLE, "not enough memory");
    } else if (admin_open(&admin, load->store)) {
        status = complain(load, LOAD_UNAVAILABLE, admin.error);
    } else {
        status =
            ask_status(load, &admin) ? complain(load, LOAD_UNAVAILABLE, admin.error) : enrol_and_run(load, &admin, out);
        admin_close(&admin);
    }
    for (uint32_t i = 0; i < load->kept_count; i++) link_forget(&load->kept[i]);
    free(load->kept);
    accounts_destroy(&load->accounts);
    return status;
}

static int remove_only(struct load *load)
{
    struct admin admin;
    snprintf(load->accounts.company, sizeof load->accounts.company, "%s", load->options->remove);
    int status = LOAD_DONE;
    if (admin_open(&admin, load->store) || accounts_purge(&load->accounts, &admin))
        status = complain(load, LOAD_UNAVAILABLE, admin.error);
    admin_close(&admin);
    return status;
}

static int run_anywhere(struct load *load, FILE *out)
{
    struct scratch scratch;
    int status;
    if (!load->options->scratch) return run_on_store(load, out);
    if (scratch_begin(&scratch, load->options, load->stop)) {
        status = complain(load, LOAD_UNAVAILABLE, scratch.error);
    } else {
        load->store = scratch.store;
        status = run_on_store(load, out);
    }
    if (scratch_end(&scratch)) status = complain(load, status ? status : LOAD_UNAVAILABLE, scratch.error);
    return status;
}

/* As many accounts as the log has. */
static int run_from_log(struct load *load, FILE *out)
{
    struct load_options options = *load->options;
    int status = LOAD_USAGE;
    if (traffic_read(options.from_log, &load->traffic)) {
        complain(load, status, load->traffic.error);
    } else {
        uint32_t count = load->traffic.account_count + load->traffic.suspended_count;
        options.accounts = count ? count : 1;
        load->options = &options;
        status = run_anywhere(load, out);
    }
    traffic_free(&load->traffic);
    return status;
}

int load_run(const struct load_options *options, const volatile sig_atomic_t *stop, FILE *out, FILE *messages)
{
    struct load load = {.options = options, .stop = stop, .store = options->store, .messages = messages};
    if (options->remove) return remove_only(&load);
    char error[LOAD_ERROR_SIZE];
    if (!hdr_writable(options, error)) return complain(&load, LOAD_USAGE, error);
    return options->from_log ? run_from_log(&load, out) : run_anywhere(&load, out);
}
