#include "scratch.h"

#include <errno.h>
#include <ftw.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "admin.h"

extern char **environ;

enum { READY_TIMEOUT_MS = 60000, STOP_TIMEOUT_MS = 60000, LOOK_MS = 20 };

static void pause_ms(long ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

/* The program beside this one, so that a build folder serves itself; else its bare name, for PATH. */
static void find_program(const char *name, char ret_path[512])
{
    char self[448];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    if (size > 0) {
        self[size] = 0;
        char *slash = strrchr(self, '/');
        if (slash) *slash = 0;
        snprintf(ret_path, 512, "%s/%s", self, name);
        if (access(ret_path, X_OK) == 0) return;
    }
    snprintf(ret_path, 512, "%s", name);
}

/* Its standard output goes to our standard error: ours is for the result. A daemon must not get our Ctrl-C: we stop it
 * after purging. */
static int spawn(struct scratch *scratch, const char *name, const char *const arguments[], pid_t *ret_pid)
{
    char path[512];
    const char *all[LOAD_DAEMON_OPTIONS_MAX + 8] = {name};
    for (size_t i = 0; arguments[i]; i++) all[i + 1] = arguments[i];
    find_program(name, path);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    int error = posix_spawnp(ret_pid, path, &actions, &attributes, (char *const *)all, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (error) snprintf(scratch->error, sizeof scratch->error, "%s: %s", path, strerror(error));
    return error ? -1 : 0;
}

static int make_store(struct scratch *scratch)
{
    const char *arguments[] = {"init", "--store", scratch->store, NULL};
    pid_t pid;
    int status;
    if (spawn(scratch, "otpring", arguments, &pid)) return -1;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    if (status == 0) return 0;
    snprintf(scratch->error, sizeof scratch->error, "otpring init failed; its message stands above");
    return -1;
}

static bool daemon_ended(struct scratch *scratch)
{
    if (waitpid(scratch->daemon, NULL, WNOHANG) != scratch->daemon) return false;
    scratch->daemon = 0;
    return true;
}

static int await_daemon(struct scratch *scratch, const volatile sig_atomic_t *stop)
{
    for (int waited_ms = 0; waited_ms < READY_TIMEOUT_MS && !*stop; waited_ms += LOOK_MS) {
        struct admin admin;
        if (daemon_ended(scratch)) {
            snprintf(scratch->error, sizeof scratch->error, "otpringd ended; its message stands above");
            return -1;
        }
        if (admin_open(&admin, scratch->store) == 0) {
            json_t *answer = admin_ask(&admin, json_pack("{s:s}", "act", "status"));
            admin_close(&admin);
            if (answer) {
                json_decref(answer);
                return 0;
            }
        }
        pause_ms(LOOK_MS);
    }
    snprintf(scratch->error, sizeof scratch->error, *stop ? "interrupted" : "otpringd did not get ready in %d s",
             READY_TIMEOUT_MS / 1000);
    return -1;
}

int scratch_begin(struct scratch *scratch, const struct load_options *options, const volatile sig_atomic_t *stop)
{
    const char *folder = options->scratch_folder ? options->scratch_folder : getenv("TMPDIR");
    /* Not /tmp: it is often in memory, where the journal cannot be written directly. */
    if (!folder || !*folder) folder = "/var/tmp";
    *scratch = (struct scratch){0};
    if (snprintf(scratch->folder, sizeof scratch->folder, "%s/otpring-load-XXXXXX", folder) >=
            (int)sizeof scratch->folder ||
        !mkdtemp(scratch->folder)) {
        snprintf(scratch->error, sizeof scratch->error, "%s: %s", folder, strerror(errno));
        scratch->folder[0] = 0;
        return -1;
    }
    snprintf(scratch->store, sizeof scratch->store, "%s/store", scratch->folder);
    if (make_store(scratch)) return -1;
    const char *arguments[LOAD_DAEMON_OPTIONS_MAX + 4] = {"--store", scratch->store};
    for (uint32_t i = 0; i < options->daemon_option_count; i++) arguments[2 + i] = options->daemon_options[i];
    if (spawn(scratch, "otpringd", arguments, &scratch->daemon)) return -1;
    return await_daemon(scratch, stop);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status, (void)kind, (void)where;
    return remove(path);
}

static void stop_daemon(struct scratch *scratch)
{
    if (!scratch->daemon) return;
    kill(scratch->daemon, SIGTERM);
    for (int waited_ms = 0; waited_ms < STOP_TIMEOUT_MS; waited_ms += LOOK_MS) {
        if (daemon_ended(scratch)) return;
        pause_ms(LOOK_MS);
    }
    snprintf(scratch->error, sizeof scratch->error, "otpringd did not stop in %d s and was killed",
             STOP_TIMEOUT_MS / 1000);
    kill(scratch->daemon, SIGKILL);
    waitpid(scratch->daemon, NULL, 0);
    scratch->daemon = 0;
}

int scratch_end(struct scratch *scratch)
{
    scratch->error[0] = 0;
    stop_daemon(scratch);
    if (scratch->folder[0] && nftw(scratch->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0) {
        snprintf(scratch->error, sizeof scratch->error, "%s could not be removed: %s", scratch->folder,
                 strerror(errno));
    }
    scratch->folder[0] = 0;
    return scratch->error[0] ? -1 : 0;
}
