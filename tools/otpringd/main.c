/* otpringd: opens the store, makes the sockets, serves until told to stop. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "os/arena.h"
#include "os/os_uring.h"
#include "os/sockets.h"
#include "otpringd/daemon.h"
#include "otpringd/log.h"
#include "otpringd/options.h"
#include "otpringd/progress.h"
#include "otpringd/sandbox.h"

enum { EXIT_FAILED = 1, EXIT_BAD_USE = 2, LOOK_S = 1 };
/* A client of 256 connections that starts again finds places while its old sessions are still young; one client alone
 * cannot take every place. */
enum { SESSIONS_MAX = 1024, SESSIONS_PER_CLIENT = 768 };

static struct daemon daemon_state;

/* ---- start ---- */

static void limit_raise(int resource)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(resource, &limit);
    }
}

static int print_version(const struct config *config)
{
    const struct kernel *kernel;
    const struct kernel *const *kernels;
    size_t count = kernel_list(&kernels);
    if (result_failed(kernel_choose(config->kernel[0] ? config->kernel : NULL, &kernel))) {
        fprintf(stderr, "otpringd: there is no kernel \"%s\" for this CPU\n", config->kernel);
        return EXIT_BAD_USE;
    }
    printf("otpringd %s\n", OTPRING_VERSION);
    printf("kernel: %s (of", kernel->name);
    for (size_t i = 0; i < count; i++) printf(" %s", kernels[i]->name);
    printf(")\n");
    struct os_uring_options options = {.entries = 8};
    struct os *os;
    struct result result = os_uring_create(&options, &os);
    const char *mask = getenv("OTPRING_RING_FEATURES");
    if (result_failed(result))
        printf("ring: %s\n", result_text(result));
    else
        printf("ring: io_uring%s%s\n", mask ? ", features masked to those of Linux " : "", mask ? mask : "");
    if (!result_failed(result)) os_destroy(os);
    return 0;
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct progress start_progress;

/* A start with many tokens or a long journal must not look like a hanging one. */
static void tell_progress(void *context, const char *what, uint64_t done, uint64_t of)
{
    struct progress *progress = context;
    char text[PROGRESS_TEXT_SIZE];
    if (!progress_due(progress, what, done, of, seconds_now(), text)) return;
    sd_notifyf(0, "EXTEND_TIMEOUT_USEC=60000000\nSTATUS=Starting: %s", text);
    if (progress->terminal)
        fprintf(stderr, "\r%s\033[K", text);
    else
        log_line(LOG_LEVEL_INFO, "%s", text);
    progress->drawn = progress->terminal;
}

/* What is said next begins where the bar stood. */
static void progress_end(struct progress *progress)
{
    if (progress->drawn) fputs("\r\033[K", stderr);
    progress->drawn = false;
}

/* A name that is not one is bad use, as a bad value of any other setting. */
static bool kernel_known(const struct config *config)
{
    const struct kernel *kernel;
    const char *name = config->kernel[0] ? config->kernel : NULL;
    if (!result_failed(kernel_choose(name, &kernel))) return true;
    log_line(LOG_LEVEL_ERROR, "there is no kernel \"%s\" for this CPU; otpringd --version lists them",
             name ? name : getenv("OTPRING_KERNEL"));
    return false;
}

/* Places for the turns of all workers, and some that acts, seals and checkpoints find free beside them. */
static uint32_t journal_depth(const struct daemon *daemon)
{
    enum { OTHERS = 8 };
    uint32_t depth = daemon->worker_count * CORE_TURNS_DEFAULT + OTHERS;
    return depth < JOURNAL_DEPTH_LIMIT ? depth : JOURNAL_DEPTH_LIMIT;
}

static bool engine_start(struct daemon *daemon)
{
    const struct config *config = &daemon->config;
    const struct kernel *kernel;
    if (result_failed(kernel_choose(config->kernel[0] ? config->kernel : NULL, &kernel))) return false;
    struct engine_options options = {
        .folder = config->store,
        .key_path = config->key,
        .core = {.journal = {.segment_size = config->segment_size,
                             .depth_max = journal_depth(daemon),
                             .keep_size = config->journal_keep,
                             .keep_age_ms = (int64_t)config->journal_keep_days * 24 * 60 * 60 * 1000,
                             .index = true},
                 .checkpoint_bytes = config->checkpoint_bytes,
                 .tokens_max = config->tokens_max,
                 .marks_max = config->marks_max,
                 .session_idle_s = config->session_idle_s,
                 .sessions_max = SESSIONS_MAX,
                 .sessions_per_client = SESSIONS_PER_CLIENT,
                 .workers_max = daemon->worker_count + DAEMON_OTHER_THREADS,
                 .kernel = kernel,
                 .take_over = config->take_over,
                 .restore_now_ms = config->restore_now_ms,
                 .progress = tell_progress,
                 .progress_context = &start_progress}};
    arena_allow_unlocked(config->insecure_memory);
    start_progress.terminal = isatty(STDERR_FILENO) && !getenv("JOURNAL_STREAM");
    double begun_s = seconds_now();
    struct result result = engine_open(&options, &daemon->engine);
    daemon->opened_s = seconds_now() - begun_s;
    progress_end(&start_progress);
    if (!result_failed(result)) return true;
    log_line(LOG_LEVEL_ERROR, "%s: %s", config->store, result_text(result));
    return false;
}

static bool names_socket(const char *name, const char *path, const char *wanted)
{
    size_t size = strlen(path), wanted_size = strlen(wanted);
    return (name && !strcmp(name, wanted)) ||
           (size > wanted_size + 6 && !strncmp(path + size - wanted_size - 5, wanted, wanted_size));
}

/* Sockets that systemd passed in, by the name "verify", "ask" or "admin" or a path ending in that and .sock. */
static bool sockets_adopt(struct daemon *daemon)
{
    char **names = NULL;
    int count = sd_listen_fds_with_names(1, &names);
    bool well = true;
    for (int i = 0; i < count && well; i++) {
        char path[128];
        int file = SD_LISTEN_FDS_START + i;
        well = !result_failed(socket_adopt(file, path, sizeof path));
        if (well && names_socket(names[i], path, "verify"))
            daemon->verify_file = file;
        else if (well && names_socket(names[i], path, "admin"))
            daemon->admin_file = file;
        else if (well && names_socket(names[i], path, "ask"))
            daemon->ask_file = file;
        else
            well = false;
        if (!well)
            log_line(LOG_LEVEL_ERROR,
                     "the inherited socket %d (%s) is not a listening Unix socket named verify, ask or admin", file,
                     names[i]);
    }
    for (int i = 0; i < count; i++) free(names[i]);
    free(names);
    return well;
}

static bool socket_make(const char *path, unsigned mode, int *file, bool *ret_ours)
{
    if (*file >= 0) return true;
    struct result result = socket_listen(path, mode, file);
    if (result_failed(result)) {
        log_line(LOG_LEVEL_ERROR, "%s: %s", path, result_text(result));
        return false;
    }
    *ret_ours = true;
    return true;
}

static bool sockets_make(struct daemon *daemon)
{
    const struct config *config = &daemon->config;
    snprintf(daemon->verify_path, sizeof daemon->verify_path, "%s/verify.sock", config->store);
    snprintf(daemon->admin_path, sizeof daemon->admin_path, "%s/admin.sock", config->store);
    snprintf(daemon->ask_path, sizeof daemon->ask_path, "%s/ask.sock", config->store);
    return sockets_adopt(daemon) &&
           socket_make(daemon->verify_path, config->verify_mode, &daemon->verify_file, &daemon->verify_ours) &&
           socket_make(daemon->ask_path, config->ask_mode, &daemon->ask_file, &daemon->ask_ours) &&
           socket_make(daemon->admin_path, config->admin_mode, &daemon->admin_file, &daemon->admin_ours);
}

static void sockets_remove(struct daemon *daemon)
{
    if (daemon->verify_ours) unlink(daemon->verify_path);
    if (daemon->admin_ours) unlink(daemon->admin_path);
    if (daemon->ask_ours) unlink(daemon->ask_path);
    socket_close(daemon->verify_file);
    socket_close(daemon->admin_file);
    socket_close(daemon->ask_file);
}

static bool clients_make(struct daemon *daemon)
{
    static struct core_client administrators[DAEMON_ADMINISTRATORS_MAX];
    uint32_t count = daemon_administrators(&daemon->config, administrators);
    struct result result = server_clients_create(daemon->config.clients, daemon->config.client_count, &daemon->clients);
    if (!result_failed(result)) result = server_clients_create(administrators, count, &daemon->administrators);
    if (!result_failed(result)) return true;
    log_line(LOG_LEVEL_ERROR, "%s", result_text(result));
    return false;
}

/* Asked of the kernel by doing it: processors that were taken from everyone else are not among those that a process
 * begins with, and may be had all the same. */
static bool cpus_known(struct daemon *daemon)
{
    const char *text = daemon->config.verify_cpus;
    cpu_set_t before, now;
    if (!text[0]) return true;
    bool known = cpus_parse(text, &daemon->verify_cpus) && sched_getaffinity(0, sizeof before, &before) == 0;
    if (known && sched_setaffinity(0, sizeof daemon->verify_cpus, &daemon->verify_cpus) == 0) {
        known = sched_getaffinity(0, sizeof now, &now) == 0 && CPU_EQUAL(&now, &daemon->verify_cpus);
        (void)sched_setaffinity(0, sizeof before, &before);
    } else {
        known = false;
    }
    if (!known) log_line(LOG_LEVEL_ERROR, "verify-cpus: otpringd may not run on every processor of %s", text);
    return known;
}

/* Verify threads on their own processors, all else on the others, where there are others: when the store is open, since
 * that takes every core there is. */
static void cpus_divide(const struct daemon *daemon)
{
    cpu_set_t rest;
    if (CPU_COUNT(&daemon->verify_cpus) == 0 || sched_getaffinity(0, sizeof rest, &rest) != 0) return;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &daemon->verify_cpus)) CPU_CLR(cpu, &rest);
    if (CPU_COUNT(&rest) > 0 && sched_setaffinity(0, sizeof rest, &rest) != 0)
        log_line(LOG_LEVEL_WARNING, "verify-cpus: the other threads run there too: %s", strerror(errno));
}

static uint32_t workers_by_cores(const struct config *config)
{
    cpu_set_t set;
    if (cpus_parse(config->verify_cpus, &set))
        return CPU_COUNT(&set) > DAEMON_VERIFY_WORKERS_MAX ? DAEMON_VERIFY_WORKERS_MAX : (uint32_t)CPU_COUNT(&set);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores <= 2 ? 1 : cores > DAEMON_VERIFY_WORKERS_MAX ? DAEMON_VERIFY_WORKERS_MAX : (uint32_t)cores - 1;
}

static bool sandbox_start(const struct config *config)
{
    if (config->no_sandbox) return true;
    if (!sandbox_possible()) {
        log_line(LOG_LEVEL_WARNING, "this build has no system call filter");
        return true;
    }
    int error = sandbox_enter();
    if (error)
        log_line(LOG_LEVEL_ERROR, "the system call filter cannot be set (%s); --no-sandbox goes without it",
                 strerror(-error));
    return error == 0;
}

/* ---- serving ---- */

static const char *reason_text(enum otpring_reason reason)
{
    switch (reason) {
    case OTPRING_REASON_CLOCK:
        return "the clock is unsure; otpring status says more";
    case OTPRING_REASON_NO_ROOM:
        return "the journal has no room; free disk space";
    case OTPRING_REASON_POISONED:
        return "a journal write failed; restart when the disk is sound";
    case OTPRING_REASON_STOPPING:
        return "stopping";
    default:
        return "an internal limit";
    }
}

/* Says when verification becomes unavailable, why, and when it is over. */
static void look(struct daemon *daemon, enum otpring_reason *said)
{
    struct core_status status;
    core_status(daemon->engine->core, &status);
    if (status.unavailable == *said) return;
    *said = status.unavailable;
    if (status.unavailable == OTPRING_REASON_NONE) {
        log_line(LOG_LEVEL_NOTICE, "verifying again");
        sd_notify(0, "STATUS=Serving");
    } else {
        log_line(LOG_LEVEL_ERROR, "UNAVAILABLE: %s", reason_text(status.unavailable));
        sd_notifyf(0, "STATUS=UNAVAILABLE: %s", reason_text(status.unavailable));
    }
}

static void reload(struct daemon *daemon, const struct options *options)
{
    static struct config wanted;
    char text[512];
    sd_notify(0, "RELOADING=1");
    if (!options_apply(options, &wanted, text, sizeof text)) {
        log_line(LOG_LEVEL_ERROR, "not reloaded, nothing changed: %s", text);
    } else {
        struct result result = daemon_reload_clients(daemon, &wanted);
        if (result_failed(result))
            log_line(LOG_LEVEL_ERROR, "not reloaded, nothing changed: %s", result_text(result));
        else
            log_line(LOG_LEVEL_NOTICE, "reloaded: %u clients", wanted.client_count);
        config_restart_needed(&daemon->config, &wanted, text, sizeof text);
        if (text[0]) log_line(LOG_LEVEL_WARNING, "changed, but only a restart makes it so: %s", text);
    }
    sd_notify(0, "READY=1");
}

static void announce(const struct daemon *daemon)
{
    struct core_status status;
    core_status(daemon->engine->core, &status);
    log_line(LOG_LEVEL_NOTICE, "serving %s: %llu tokens (opened in %.2f s), %u verify %s, kernel %s",
             daemon->config.store, (unsigned long long)status.tokens, daemon->opened_s, daemon->worker_count,
             daemon->worker_count == 1 ? "thread" : "threads", status.kernel);
    sd_notify(0, "READY=1\nSTATUS=Serving");
}

/* Until a signal says stop, or a thread is lost; true when it was a signal. */
static bool serve(struct daemon *daemon, const struct options *options, const sigset_t *signals)
{
    enum otpring_reason said = OTPRING_REASON_NONE;
    for (;;) {
        int number = sigtimedwait(signals, NULL, &(struct timespec){.tv_sec = LOOK_S});
        if (number == SIGTERM || number == SIGINT) return true;
        if (number == SIGHUP) reload(daemon, options);
        if (number < 0) core_second(daemon->engine->core);
        if (daemon_casualty(daemon)) {
            log_line(LOG_LEVEL_ERROR, "the %s thread has ended", daemon_casualty(daemon)->name);
            return false;
        }
        look(daemon, &said);
    }
}

static int run(struct daemon *daemon, const struct options *options, const sigset_t *signals)
{
    bool well = daemon_start(daemon);
    if (!well) return EXIT_FAILED;
    well = sandbox_start(&daemon->config);
    if (well) {
        announce(daemon);
        well = serve(daemon, options, signals);
        log_line(LOG_LEVEL_NOTICE, "stopping: answering what is in flight");
        sd_notify(0, "STOPPING=1\nSTATUS=Stopping");
    }
    return daemon_stop(daemon) && well ? 0 : EXIT_FAILED;
}

static int serve_store(struct daemon *daemon, const struct options *options, const sigset_t *signals)
{
    int status = EXIT_FAILED;
    if (!cpus_known(daemon)) return EXIT_BAD_USE;
    if (!engine_start(daemon)) return status;
    cpus_divide(daemon);
    if (clients_make(daemon) && sockets_make(daemon)) status = run(daemon, options, signals);
    sockets_remove(daemon);
    server_clients_destroy(daemon->clients);
    server_clients_destroy(daemon->administrators);
    /* A thread that failed has left its part of the engine behind; only a sound one is taken apart. */
    if (status == 0) {
        engine_close(daemon->engine);
        log_line(LOG_LEVEL_NOTICE, "stopped");
    }
    return status;
}

int main(int argc, char **argv)
{
    struct options options;
    char error[512];
    sigset_t signals;
    options_parse(argc, argv, &options);
    struct daemon *daemon = &daemon_state;
    daemon->verify_file = daemon->admin_file = daemon->ask_file = -1;
    log_start("otpringd");
    bool applied = options_apply(&options, &daemon->config, error, sizeof error);
    if (options.version) return print_version(&daemon->config);
    if (!applied) {
        log_line(LOG_LEVEL_ERROR, "%s", error);
        return EXIT_BAD_USE;
    }
    if (!kernel_known(&daemon->config)) return EXIT_BAD_USE;
    process_no_dumps();
    limit_raise(RLIMIT_MEMLOCK);
    limit_raise(RLIMIT_NOFILE);
    /* Blocked before any thread is made, so that main alone gets them. */
    sigemptyset(&signals);
    for (size_t i = 0; i < 4; i++) sigaddset(&signals, (const int[]){SIGTERM, SIGINT, SIGHUP, SIGUSR1}[i]);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    daemon->worker_count = daemon->config.workers ? daemon->config.workers : workers_by_cores(&daemon->config);
    return serve_store(daemon, &options, &signals);
}
