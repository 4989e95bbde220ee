/* The running daemon: its threads, each with a ring of its own, round one open engine.
 *
 *   N verify workers   verify.sock: frames into turns (server/worker.h)
 *   asking             ask.sock: questions to devices, a turn's at a time (approval/approval.h)
 *   administrator      admin.sock: one request after the other, each durable before its answer (admin/admin.h)
 *   checkpointer       the store's state: checkpoints, acts that were left (core_keep_store)
 *   housekeeper        the journal's: spares, seals, recycling (core_keep_journal); the last to end: core_finish
 *   main               signals, notices to systemd, reloads
 *
 * daemon_start and daemon_stop are called by main alone. */
#ifndef TOOLS_OTPRINGD_DAEMON_H
#define TOOLS_OTPRINGD_DAEMON_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "admin/admin.h"
#include "otpringd/config.h"
#include "server/worker.h"

/* Beside verify workers: administrator, asking, checkpointer, housekeeper. */
enum { DAEMON_OTHER_THREADS = 4, DAEMON_VERIFY_WORKERS_MAX = 64 - DAEMON_OTHER_THREADS };
enum { DAEMON_ADMIN_CONNECTIONS = 16, DAEMON_ADMIN_BUFFERS = 32 };
/* Clients that may speak on admin.sock: those configured, owner, root, and whoever says which operator asks. */
enum { DAEMON_ADMINISTRATORS_MAX = CONFIG_CLIENTS_MAX + 3 };

struct daemon;
struct approvals;

enum thread_state { THREAD_NONE, THREAD_STARTING, THREAD_SERVING, THREAD_ENDED };

struct daemon_thread {
    struct daemon *daemon;
    const char *name;
    pthread_t thread;
    enum thread_state state;      /* under the daemon's mutex */
    struct result result;         /* when it has ended */
    struct os *os;                /* while it serves */
    struct server_worker *server; /* NULL: those two that keep */
    _Atomic bool finish;          /* of those two: to end now */
};

struct daemon {
    struct config config; /* as it runs */
    struct engine *engine;
    struct server_clients *clients;
    struct server_clients *administrators;
    int verify_file, admin_file, ask_file;  /* listening */
    bool verify_ours, admin_ours, ask_ours; /* made by us, so removed by us */
    char verify_path[CONFIG_PATH_SIZE + 16], admin_path[CONFIG_PATH_SIZE + 16], ask_path[CONFIG_PATH_SIZE + 16];
    struct admin_inbox inbox; /* of the administrator's thread */
    uint32_t worker_count;
    cpu_set_t verify_cpus; /* none: wherever the scheduler wants */
    double opened_s;       /* what opening the store and replaying the journal took */
    struct daemon_thread verify[DAEMON_VERIFY_WORKERS_MAX];
    struct daemon_thread admin;
    struct daemon_thread asking;
    struct approvals *approvals; /* under the mutex; while ask.sock is served */
    struct daemon_thread checkpointer;
    struct daemon_thread housekeeper;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    pthread_t main;
    _Atomic bool resting;   /* nothing is written, and nothing is left to be kept */
    _Atomic bool names_due; /* clients whose names the journal may not have yet */
};

/* Everything that serves; false: said why, and nothing is left running. */
bool daemon_start(struct daemon *daemon);
/* Answers what is in flight, ends every thread, makes the last checkpoint. False: something failed on the way, and was
 * said. */
bool daemon_stop(struct daemon *daemon);
/* A thread that ended by itself, or NULL. It has sent SIGUSR1 to the main thread. */
const struct daemon_thread *daemon_casualty(struct daemon *daemon);
/* Who may connect to admin.sock: the owner, root, and auth servers that may enrol. Gives how many. */
uint32_t daemon_administrators(const struct config *config, struct core_client ret_clients[DAEMON_ADMINISTRATORS_MAX]);
/* New clients for connections old and new. */
struct result daemon_reload_clients(struct daemon *daemon, const struct config *config) MUST_USE;

#endif
