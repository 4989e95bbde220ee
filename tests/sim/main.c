/* sim: runs seeds, each a simulated machine with clients and crash schedules, until one breaks a promise.
 *
 *   sim [--seed N] [--seeds COUNT] [--minutes M] [--schedules COUNT] [--fault NAME] [--share N] [--jobs J] [--twice]
 * [--people|--no-people]
 *
 * Prints what it counted, and for a broken promise the seed and the command that replays it. Exit 1 then. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "genesis.h"
#include "run.h"

struct arguments {
    uint64_t seed;
    uint64_t seeds; /* 0: no end */
    double minutes; /* 0: no end */
    uint64_t schedules;
    int fault;
    int crowd;
    unsigned share;
    unsigned jobs;
    bool twice;
    bool thorough;
};

/* What one job counted, in the order that it is added up and printed in. */
struct totals {
    uint64_t seeds, points, frames, schedules, deaths, in_recovery, refused, logs, stops, crowds;
    uint64_t verdicts[10];
    uint64_t acts[PERSON_ACTS];
    uint64_t broken;
};

static double now_s(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void broken(const struct arguments *arguments, uint64_t seed, const struct run_report *report)
{
    printf("broken: seed %llu (%s): %s\n", (unsigned long long)seed, run_fault_name(report->fault), report->broken);
    static const char *const crowds[] = {"", " --no-people", " --people"};
    printf("replay: sim --seed %llu --seeds 1 --share %u%s%s%s\n", (unsigned long long)seed, arguments->share,
           arguments->fault >= 0 ? " --fault " : "",
           arguments->fault >= 0 ? run_fault_name((enum run_fault)arguments->fault) : "", crowds[arguments->crowd + 1]);
    fflush(stdout);
}

static uint64_t seed_now;
static const struct arguments *arguments_now;

/* A failed CHECK, or worse: the seed is still what is needed to see it again. */
static void died(int signal_number)
{
    const struct run_report report = {.broken = "the engine's own check failed"};
    broken(arguments_now, seed_now, &report);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static bool one_seed(const struct arguments *arguments, uint64_t seed, struct totals *totals)
{
    const struct run_options options = {
        .seed = seed, .fault = arguments->fault, .crowd = arguments->crowd, .crash_share = arguments->share};
    struct run_report report, again;
    seed_now = seed;
    run_seed(&options, &report);
    totals->seeds++;
    totals->points += report.points;
    totals->frames += report.frames;
    for (int i = 0; i < 10; i++) totals->verdicts[i] += report.counts[i];
    if (!report.broken[0] && arguments->twice) {
        run_seed(&options, &again);
        if (again.trace != report.trace || again.points != report.points)
            snprintf(report.broken, sizeof report.broken, "the same seed ran another way: %016llx, then %016llx",
                     (unsigned long long)report.trace, (unsigned long long)again.trace);
    }
    if (!report.broken[0]) return true;
    broken(arguments, seed, &report);
    totals->broken++;
    return false;
}

static void job(const struct arguments *arguments, unsigned index, struct totals *totals)
{
    double end_s = now_s() + arguments->minutes * 60;
    arguments_now = arguments;
    signal(SIGABRT, died);
    signal(SIGSEGV, died);
    genesis_make();
    check_thorough(arguments->thorough);
    for (uint64_t i = index; arguments->seeds == 0 || i < arguments->seeds; i += arguments->jobs) {
        if (!one_seed(arguments, arguments->seed + i, totals)) break;
        if (arguments->minutes > 0 && now_s() >= end_s) break;
        if (arguments->schedules && check_counts()->schedules * arguments->jobs >= arguments->schedules) break;
    }
    const struct check_counts *counts = check_counts();
    totals->schedules = counts->schedules;
    totals->deaths = counts->process_deaths;
    totals->in_recovery = counts->in_recovery;
    totals->refused = counts->refused;
    totals->logs = counts->logs_read;
    totals->stops = counts->stops;
    totals->crowds = counts->crowds;
    memcpy(totals->acts, people_counts(), sizeof totals->acts);
}

/* Each job is a process, since the simulated world is one thread's; its totals come back through a pipe. */
static int job_start(const struct arguments *arguments, unsigned index)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child > 0) {
        close(ends[1]);
        return ends[0];
    }
    struct totals totals = {0};
    job(arguments, index, &totals);
    CHECK(write(ends[1], &totals, sizeof totals) == sizeof totals);
    exit(0);
}

static void add_up(struct totals *all, const struct totals *one)
{
    const uint64_t *from = (const uint64_t *)(const void *)one;
    uint64_t *to = (uint64_t *)(void *)all;
    for (size_t i = 0; i < sizeof *all / sizeof(uint64_t); i++) to[i] += from[i];
}

static void print_rate(const struct totals *all, double seconds)
{
    struct rusage own, children;
    getrusage(RUSAGE_SELF, &own);
    getrusage(RUSAGE_CHILDREN, &children);
    double used =
        (double)(own.ru_utime.tv_sec + children.ru_utime.tv_sec + own.ru_stime.tv_sec + children.ru_stime.tv_sec);
    used +=
        (double)(own.ru_utime.tv_usec + children.ru_utime.tv_usec + own.ru_stime.tv_usec + children.ru_stime.tv_usec) *
        1e-6;
    printf("measured: %.0f crash schedules a minute; %.0f a minute of one core's time\n",
           (double)all->schedules / seconds * 60, used > 0 ? (double)all->schedules / used * 60 : 0.0);
}

static void print_totals(const struct totals *all)
{
    printf(
        "counted: %llu crash schedules (%llu of them in a recovery, %llu of the process alone) at %llu points of %llu "
        "seeds, %llu frames; %llu logs read, %llu stops, %llu starts refused, people judged %llu times\n",
        (unsigned long long)all->schedules, (unsigned long long)all->in_recovery, (unsigned long long)all->deaths,
        (unsigned long long)all->points, (unsigned long long)all->seeds, (unsigned long long)all->frames,
        (unsigned long long)all->logs, (unsigned long long)all->stops, (unsigned long long)all->refused,
        (unsigned long long)all->crowds);
    printf("counted: ACCEPTED %llu REJECTED %llu REPLAYED %llu THROTTLED %llu RESYNC %llu INACTIVE %llu UNKNOWN %llu "
           "UNAVAILABLE %llu\n",
           (unsigned long long)all->verdicts[1], (unsigned long long)all->verdicts[2],
           (unsigned long long)all->verdicts[3], (unsigned long long)all->verdicts[4],
           (unsigned long long)all->verdicts[5], (unsigned long long)all->verdicts[6],
           (unsigned long long)all->verdicts[7], (unsigned long long)all->verdicts[9]);
    printf("counted: acts of people:");
    for (int act = 0; act < PERSON_ACTS; act++)
        printf(" %s %llu%s", person_act_name((enum person_act)act), (unsigned long long)all->acts[act],
               act + 1 < PERSON_ACTS ? "," : "\n");
}

static int fault_of(const char *name)
{
    for (int i = 0; i < RUN_FAULT_COUNT; i++)
        if (strcmp(name, run_fault_name((enum run_fault)i)) == 0) return i;
    fprintf(stderr, "sim: no fault is called %s\n", name);
    exit(2);
}

static struct arguments arguments_read(int count, char **texts)
{
    static const struct option options[] = {
        {"seed", 1, NULL, 's'},     {"seeds", 1, NULL, 'n'},  {"minutes", 1, NULL, 'm'},   {"schedules", 1, NULL, 'c'},
        {"fault", 1, NULL, 'f'},    {"share", 1, NULL, 'p'},  {"jobs", 1, NULL, 'j'},      {"twice", 0, NULL, 't'},
        {"thorough", 0, NULL, 'T'}, {"people", 0, NULL, 'P'}, {"no-people", 0, NULL, 'N'}, {NULL, 0, NULL, 0}};
    struct arguments arguments = {.seed = 1, .fault = -1, .crowd = -1, .share = 64, .jobs = 1};
    for (int option; (option = getopt_long(count, texts, "", options, NULL)) != -1;) {
        switch (option) {
        case 's':
            arguments.seed = strtoull(optarg, NULL, 0);
            break;
        case 'n':
            arguments.seeds = strtoull(optarg, NULL, 0);
            break;
        case 'm':
            arguments.minutes = strtod(optarg, NULL);
            break;
        case 'c':
            arguments.schedules = strtoull(optarg, NULL, 0);
            break;
        case 'f':
            arguments.fault = fault_of(optarg);
            break;
        case 'p':
            arguments.share = (unsigned)strtoul(optarg, NULL, 0);
            break;
        case 'j':
            arguments.jobs = (unsigned)strtoul(optarg, NULL, 0);
            break;
        case 't':
            arguments.twice = true;
            break;
        case 'P':
        case 'N':
            arguments.crowd = option == 'P';
            break;
        case 'T':
            arguments.thorough = true;
            break;
        default:
            exit(2);
        }
    }
    if (!arguments.seeds && arguments.minutes <= 0 && !arguments.schedules) arguments.seeds = 100;
    return arguments;
}

int main(int count, char **texts)
{
    enum { JOBS_MAX = 64 };
    struct arguments arguments = arguments_read(count, texts);
    struct totals all = {0};
    double started_s = now_s();
    if (arguments.jobs < 1 || arguments.jobs > JOBS_MAX) return 2;
    if (arguments.jobs == 1) {
        job(&arguments, 0, &all);
    } else {
        int ends[JOBS_MAX];
        for (unsigned i = 0; i < arguments.jobs; i++) ends[i] = job_start(&arguments, i);
        for (unsigned i = 0; i < arguments.jobs; i++) {
            struct totals one = {0};
            if (read(ends[i], &one, sizeof one) != sizeof one) one.broken = 1; /* it died: a failed CHECK */
            add_up(&all, &one);
            close(ends[i]);
        }
        while (wait(NULL) > 0) continue;
    }
    print_totals(&all);
    print_rate(&all, now_s() - started_s);
    return all.broken ? 1 : 0;
}
