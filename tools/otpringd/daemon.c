#include "otpringd/daemon.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/admin.h"
#include "os/os_uring.h"
#include "otpringd/log.h"
#include "otpringd/threads.h"
#include "server/limits.h"

enum {
    KEEP_WAIT_MS = 100,
    KEEP_REST_MS = 1000,
    KEEP_HURRY_MS = 5,
    KEEP_STRETCH_NS = 150000,
    KEEP_PAUSE_NS = 20000,
    SPARES_LOW = 2,
    WORKER_SPIN_NS = 0
};

/* ---- what all threads do ---- */

void thread_serving(struct daemon_thread *thread, struct os *os, struct server_worker *server)
{
    struct daemon *daemon = thread->daemon;
    pthread_mutex_lock(&daemon->mutex);
    thread->os = os;
    thread->server = server;
    thread->state = THREAD_SERVING;
    pthread_cond_broadcast(&daemon->changed);
    pthread_mutex_unlock(&daemon->mutex);
}

void thread_leaving(struct daemon_thread *thread)
{
    pthread_mutex_lock(&thread->daemon->mutex);
    thread->os = NULL;
    thread->server = NULL;
    pthread_mutex_unlock(&thread->daemon->mutex);
}

void *thread_ended(struct daemon_thread *thread, struct result result)
{
    struct daemon *daemon = thread->daemon;
    pthread_mutex_lock(&daemon->mutex);
    thread->result = result;
    thread->state = THREAD_ENDED;
    pthread_cond_broadcast(&daemon->changed);
    pthread_mutex_unlock(&daemon->mutex);
    pthread_kill(daemon->main, SIGUSR1);
    return NULL;
}

/* One that was not started yet has no daemon. */
static void thread_wake(struct daemon *daemon, struct daemon_thread *thread)
{
    pthread_mutex_lock(&daemon->mutex);
    if (thread->os) os_wake(thread->os);
    pthread_mutex_unlock(&daemon->mutex);
}

/* ---- verify workers ---- */

static struct result verify_serve(struct daemon_thread *thread, struct os *os)
{
    struct daemon *daemon = thread->daemon;
    struct server_worker_options options = {.os = os,
                                            .core = daemon->engine->core,
                                            .listen_file = daemon->verify_file,
                                            .kinds = server_verify_kinds,
                                            .kind_count = server_verify_kind_count,
                                            .clients = daemon->clients,
                                            .connections_max = daemon->config.connections_max,
                                            .receive_buffer_count = SERVER_RECEIVE_BUFFER_COUNT,
                                            .receive_buffer_size = SERVER_RECEIVE_BUFFER_SIZE,
                                            .kept_count = SERVER_KEPT_BLOCKS / daemon->worker_count};
    struct server_worker *server;
    TRY(server_worker_create(&options, &server));
    thread_serving(thread, os, server);
    struct result result = server_worker_run(server);
    thread_leaving(thread);
    /* After a failed ring nothing comes back from it: what is in flight cannot be taken apart in order. */
    if (!result_failed(result)) server_worker_destroy(server);
    return result;
}

static void *verify_main(void *argument)
{
    struct daemon_thread *thread = argument;
    struct os_uring_options options = {.entries = 2048,
                                       .buffer_count = SERVER_RECEIVE_BUFFER_COUNT,
                                       .buffer_size = SERVER_RECEIVE_BUFFER_SIZE,
                                       .spin_ns = WORKER_SPIN_NS};
    struct os *os;
    struct result result = os_uring_create(&options, &os);
    if (result_failed(result)) return thread_ended(thread, result);
    result = verify_serve(thread, os);
    if (!result_failed(result)) os_destroy(os);
    return thread_ended(thread, result);
}

/* ---- the administrator ---- */

static void nobody_answered(void *context, const struct core_answer *answer)
{
    (void)context;
    (void)answer;
}

static void nobody_greeted(void *context, const struct core_hello_answer *answer)
{
    (void)context;
    (void)answer;
}

struct result plain_worker_create(struct core *core, struct os *os, struct admin_inbox *inbox,
                                  struct core_worker **ret_worker)
{
    struct core_worker_options options = {.os = os,
                                          .turn_count = 1,
                                          .items_max = OTPRING_WIRE_ITEMS_MAX,
                                          .answered = inbox ? admin_answered : nobody_answered,
                                          .hello_answered = inbox ? admin_hello_answered : nobody_greeted,
                                          .context = inbox};
    return core_worker_create(core, &options, ret_worker);
}

struct administration {
    struct daemon *daemon;
    struct admin *admin;
};

/* An auth server that asks for devices; false: an administrator does. */
static bool client_copy(struct daemon *daemon, uint32_t uid, struct core_client *ret_client)
{
    if (uid == 0 || uid == geteuid()) return false;
    bool found = false;
    pthread_mutex_lock(&daemon->mutex);
    for (uint32_t i = 0; !found && i < daemon->config.client_count; i++) {
        found = daemon->config.clients[i].uid == uid;
        if (found) *ret_client = daemon->config.clients[i];
    }
    pthread_mutex_unlock(&daemon->mutex);
    return found;
}

static void tend(void *context)
{
    struct administration *administration = context;
    admin_tend(administration->admin);
}

static uint32_t administer(void *context, const struct socket_peer *peer, const uint8_t *json, uint32_t json_size,
                           uint8_t *ret_answer, uint32_t answer_size_max)
{
    struct administration *administration = context;
    struct core_client client;
    struct admin_peer asker = {.uid = peer->uid};
    if (client_copy(administration->daemon, peer->uid, &client)) asker.client = &client;
    static const char too_long[] =
        "{\"ok\":false,\"code\":\"FULL\",\"class\":\"refuse\",\"error\":\"the answer is longer than a frame; "
        "ask for a part of it\"}";
    char *text = NULL;
    /* The answer says what went wrong; there is none when memory is short, and then the connection closes. */
    struct result result = admin_request_by(administration->admin, &asker, (const char *)json, json_size, &text);
    if (!text) {
        log_line(LOG_LEVEL_ERROR, "an administrator's request was not answered: %s", result_text(result));
        return 0;
    }
    size_t size = strlen(text);
    const char *answer = size <= answer_size_max ? text : too_long;
    if (answer == too_long) size = sizeof too_long - 1;
    memcpy(ret_answer, answer, size);
    admin_text_free(text);
    return (uint32_t)size;
}

static struct result admin_serve_with(struct daemon_thread *thread, struct os *os, struct admin *admin)
{
    struct daemon *daemon = thread->daemon;
    struct administration administration = {daemon, admin};
    struct server_worker_options options = {.os = os,
                                            .listen_file = daemon->admin_file,
                                            .kinds = server_admin_kinds,
                                            .kind_count = server_admin_kind_count,
                                            .clients = daemon->administrators,
                                            .connections_max = DAEMON_ADMIN_CONNECTIONS,
                                            .receive_buffer_count = DAEMON_ADMIN_BUFFERS,
                                            .receive_buffer_size = SERVER_RECEIVE_BUFFER_SIZE,
                                            .frame_size_max = OTPRING_WIRE_ADMIN_SIZE_MAX,
                                            .output_max = SERVER_ADMIN_OUTPUT_MAX,
                                            .admin = administer,
                                            .admin_context = &administration,
                                            .tick = tend,
                                            .tick_context = &administration};
    struct server_worker *server;
    TRY(server_worker_create(&options, &server));
    thread_serving(thread, os, server);
    struct result result = server_worker_run(server);
    thread_leaving(thread);
    if (!result_failed(result)) server_worker_destroy(server);
    return result;
}

static struct result admin_serve(struct daemon_thread *thread, struct os *os)
{
    struct daemon *daemon = thread->daemon;
    struct core_worker *worker;
    struct admin *admin;
    TRY(plain_worker_create(daemon->engine->core, os, &daemon->inbox, &worker));
    struct admin_options options = {.engine = daemon->engine,
                                    .worker = worker,
                                    .os = os,
                                    .inbox = &daemon->inbox,
                                    .touched = asking_touched,
                                    .tell_status = asking_tell_status,
                                    .context = daemon,
                                    .owner_uid = geteuid(),
                                    .outbox_max = daemon->config.outbox_max};
    struct result result = admin_create(&options, &admin);
    if (!result_failed(result)) {
        result = admin_serve_with(thread, os, admin);
        admin_destroy(admin);
    }
    if (!result_failed(result)) core_worker_destroy(worker);
    return result;
}

static void *admin_main(void *argument)
{
    struct daemon_thread *thread = argument;
    struct os_uring_options options = {
        .entries = 256, .buffer_count = DAEMON_ADMIN_BUFFERS, .buffer_size = SERVER_RECEIVE_BUFFER_SIZE};
    struct os *os;
    struct result result = os_uring_create(&options, &os);
    if (result_failed(result)) return thread_ended(thread, result);
    result = admin_serve(thread, os);
    if (!result_failed(result)) os_destroy(os);
    return thread_ended(thread, result);
}

/* ---- the housekeeper ---- */

/* Once nothing more is written both threads that keep rest, until something is: the log wakes the housekeeper, which
 * wakes the checkpointer. */
static void keep_resting(struct daemon *daemon, bool rests)
{
    if (atomic_exchange(&daemon->resting, rests) && !rests) thread_wake(daemon, &daemon->checkpointer);
}

static uint64_t keep_wait_ns(struct daemon *daemon)
{
    struct core_status status;
    core_status(daemon->engine->core, &status);
    bool hurry = status.journal.held_back || (status.journal.spares < SPARES_LOW && !status.journal.no_room);
    unsigned wait_ms = hurry ? KEEP_HURRY_MS : atomic_load(&daemon->resting) ? KEEP_REST_MS : KEEP_WAIT_MS;
    return wait_ms * 1000000ULL;
}

/* A thread that never sleeps is switched away from only at the scheduler's tick, 4 ms on many systems, whatever slice
 * it asked for; a verify worker that had to share its CPU would stand still for so long. So what there is much of is
 * done in stretches with a pause between them. */
static uint64_t stretch_wait_ns(struct core *core, struct os *os, uint64_t *begun_ns)
{
    uint64_t now_ns = os_monotonic_ns(os);
    if (*begun_ns == 0) *begun_ns = now_ns;
    if (now_ns - *begun_ns < KEEP_STRETCH_NS) return 0;
    *begun_ns = 0;
    struct core_status status;
    core_status(core, &status);
    return status.journal.spares == 0 || status.journal.held_back ? 0 : KEEP_PAUSE_NS;
}

/* Says a failure once, and that it is over. */
static void keep_report(const struct daemon_thread *thread, struct result result, struct result *said)
{
    if (result.code == said->code) return;
    *said = result;
    if (result_failed(result))
        log_line(LOG_LEVEL_ERROR, "the %s: %s", thread->name, result_text(result));
    else
        log_line(LOG_LEVEL_NOTICE, "the %s goes on", thread->name);
}

static void *keeping_main(struct daemon_thread *thread, unsigned entries,
                          struct result (*serve)(struct daemon_thread *thread, struct os *os))
{
    struct os_uring_options options = {.entries = entries};
    struct os *os;
    struct result result = os_uring_create(&options, &os);
    if (result_failed(result)) return thread_ended(thread, result);
    result = serve(thread, os);
    if (result_class(result) != RESULT_FENCE) os_destroy(os);
    return thread_ended(thread, result);
}

static struct result keep(struct daemon_thread *thread, struct os *os)
{
    struct daemon *daemon = thread->daemon;
    struct core *core = daemon->engine->core;
    struct core_worker *worker;
    struct result said = result_ok();
    uint64_t stretch_ns = 0;
    TRY(plain_worker_create(core, os, NULL, &worker));
    thread_serving(thread, os, NULL);
    while (!atomic_load(&thread->finish)) {
        bool more = false;
        struct result result = core_keep_journal(worker, &more);
        keep_report(thread, result, &said);
        bool failed = result_failed(result);
        more = more && !failed;
        keep_resting(daemon, !more && !failed && core_keep_rest(worker));
        uint64_t wait_ns = more ? stretch_wait_ns(core, os, &stretch_ns) : keep_wait_ns(daemon);
        TRY(os_step(os, atomic_load(&thread->finish) ? 0 : wait_ns, NULL)); /* its wake may have come within a step */
        if (!more) stretch_ns = 0;
        core_poll(worker);
    }
    thread_leaving(thread);
    struct result result = core_finish(worker);
    core_worker_destroy(worker);
    return result;
}

static void *housekeeper_main(void *argument)
{
    return keeping_main(argument, 256, keep);
}

/* ---- the checkpointer ---- */

/* Who reads the log later finds names there, not numbers. What stands in the way (a full disk) is tried again at the
 * next turn: verification does not wait for a name. */
static void clients_name(struct daemon *daemon, struct core_worker *worker)
{
    static struct core_client clients[CONFIG_CLIENTS_MAX];
    if (!atomic_exchange(&daemon->names_due, false)) return;
    pthread_mutex_lock(&daemon->mutex);
    uint32_t count = daemon->config.client_count;
    memcpy(clients, daemon->config.clients, count * sizeof *clients);
    pthread_mutex_unlock(&daemon->mutex);
    if (result_failed(core_clients_name(worker, clients, count))) atomic_store(&daemon->names_due, true);
}

static struct result checkpoint(struct daemon_thread *thread, struct os *os)
{
    struct daemon *daemon = thread->daemon;
    struct core_worker *worker;
    struct result said = result_ok();
    TRY(plain_worker_create(daemon->engine->core, os, NULL, &worker));
    atomic_store(&daemon->names_due, true);
    clients_name(daemon, worker);
    thread_serving(thread, os, NULL);
    while (!atomic_load(&thread->finish)) {
        bool more = false;
        clients_name(daemon, worker);
        keep_report(thread, core_keep_store(worker, &more), &said);
        uint64_t wait_ms = atomic_load(&daemon->resting) ? KEEP_REST_MS : KEEP_WAIT_MS;
        if (more) wait_ms = CORE_CHECKPOINT_PAUSE_MS;
        TRY(os_step(os, atomic_load(&thread->finish) ? 0 : wait_ms * 1000000, NULL));
    }
    thread_leaving(thread);
    core_worker_destroy(worker);
    return result_ok();
}

static void *checkpointer_main(void *argument)
{
    return keeping_main(argument, 64, checkpoint);
}

/* ---- starting and stopping ---- */

/* cpus: where it runs; NULL: where the thread does that makes it. */
static int thread_make(struct daemon_thread *thread, void *(*main)(void *), const cpu_set_t *cpus)
{
    pthread_attr_t how;
    int error = pthread_attr_init(&how);
    if (error) return error;
    if (cpus) error = pthread_attr_setaffinity_np(&how, sizeof *cpus, cpus);
    if (!error) error = pthread_create(&thread->thread, &how, main, thread);
    pthread_attr_destroy(&how);
    return error;
}

static bool thread_start(struct daemon *daemon, struct daemon_thread *thread, const char *name, void *(*main)(void *),
                         const cpu_set_t *cpus)
{
    pthread_mutex_lock(&daemon->mutex);
    *thread = (struct daemon_thread){.daemon = daemon, .name = name, .state = THREAD_STARTING};
    pthread_mutex_unlock(&daemon->mutex);
    int error = thread_make(thread, main, cpus);
    if (error) {
        thread->state = THREAD_NONE;
        log_line(LOG_LEVEL_ERROR, "the %s thread does not start: %s", name, strerror(error));
        return false;
    }
    pthread_setname_np(thread->thread, name);
    pthread_mutex_lock(&daemon->mutex);
    while (thread->state == THREAD_STARTING) pthread_cond_wait(&daemon->changed, &daemon->mutex);
    bool serving = thread->state == THREAD_SERVING;
    pthread_mutex_unlock(&daemon->mutex);
    if (!serving) log_line(LOG_LEVEL_ERROR, "the %s thread: %s", name, result_text(thread->result));
    return serving;
}

static bool verify_start(struct daemon *daemon, uint32_t index)
{
    cpu_set_t one;
    bool own = CPU_COUNT(&daemon->verify_cpus) > 0;
    if (own) one = cpus_nth(&daemon->verify_cpus, index);
    return thread_start(daemon, &daemon->verify[index], "verify", verify_main, own ? &one : NULL);
}

/* A thread may end by itself at any time, and says so in its state. */
static bool thread_made(struct daemon_thread *thread)
{
    if (!thread->daemon) return false;
    pthread_mutex_lock(&thread->daemon->mutex);
    bool made = thread->state != THREAD_NONE;
    pthread_mutex_unlock(&thread->daemon->mutex);
    return made;
}

/* Waits for a thread that was told to stop; false when it failed. */
static bool thread_join(struct daemon_thread *thread)
{
    if (!thread_made(thread)) return true;
    pthread_join(thread->thread, NULL);
    thread->state = THREAD_NONE;
    if (!result_failed(thread->result)) return true;
    log_line(LOG_LEVEL_ERROR, "the %s thread: %s", thread->name, result_text(thread->result));
    return false;
}

static void thread_tell(struct daemon_thread *thread, void (*tell)(struct server_worker *server))
{
    pthread_mutex_lock(&thread->daemon->mutex);
    if (thread->server) tell(thread->server);
    pthread_mutex_unlock(&thread->daemon->mutex);
}

static bool keeping_end(struct daemon_thread *thread)
{
    if (!thread_made(thread)) return true;
    atomic_store(&thread->finish, true);
    thread_wake(thread->daemon, thread);
    return thread_join(thread);
}

bool daemon_start(struct daemon *daemon)
{
    pthread_mutex_init(&daemon->mutex, NULL);
    pthread_cond_init(&daemon->changed, NULL);
    daemon->main = pthread_self();
    bool started = thread_start(daemon, &daemon->housekeeper, "housekeeper", housekeeper_main, NULL);
    if (started) started = thread_start(daemon, &daemon->checkpointer, "checkpointer", checkpointer_main, NULL);
    for (uint32_t i = 0; started && i < daemon->worker_count; i++) started = verify_start(daemon, i);
    if (started) started = thread_start(daemon, &daemon->asking, "asking", asking_main, NULL);
    if (started) started = thread_start(daemon, &daemon->admin, "admin", admin_main, NULL);
    if (!started) daemon_stop(daemon);
    return started;
}

bool daemon_stop(struct daemon *daemon)
{
    bool well = true;
    for (uint32_t i = 0; i < daemon->worker_count; i++)
        if (thread_made(&daemon->verify[i])) thread_tell(&daemon->verify[i], server_worker_stop);
    if (thread_made(&daemon->asking)) thread_tell(&daemon->asking, server_worker_stop);
    if (thread_made(&daemon->admin)) thread_tell(&daemon->admin, server_worker_stop);
    for (uint32_t i = 0; i < daemon->worker_count; i++) well &= thread_join(&daemon->verify[i]);
    well &= thread_join(&daemon->asking);
    well &= thread_join(&daemon->admin);
    well &= keeping_end(&daemon->checkpointer);
    return well & keeping_end(&daemon->housekeeper);
}

const struct daemon_thread *daemon_casualty(struct daemon *daemon)
{
    const struct daemon_thread *found = NULL;
    pthread_mutex_lock(&daemon->mutex);
    for (uint32_t i = 0; i < daemon->worker_count; i++)
        if (daemon->verify[i].state == THREAD_ENDED) found = &daemon->verify[i];
    if (daemon->asking.state == THREAD_ENDED) found = &daemon->asking;
    if (daemon->admin.state == THREAD_ENDED) found = &daemon->admin;
    if (daemon->checkpointer.state == THREAD_ENDED) found = &daemon->checkpointer;
    if (daemon->housekeeper.state == THREAD_ENDED) found = &daemon->housekeeper;
    pthread_mutex_unlock(&daemon->mutex);
    return found;
}

static void administrator_add(struct core_client *clients, uint32_t *count, uint16_t id, const char *name, uint32_t uid)
{
    for (uint32_t i = 0; i < *count; i++)
        if (clients[i].uid == uid) return;
    struct core_client *client = &clients[(*count)++];
    *client = (struct core_client){.id = id, .uid = uid};
    snprintf(client->name, sizeof client->name, "%s", name);
}

/* Auth servers that enrol devices, the owner, root; with --operators whoever else the socket's mode lets in, and then
 * the operator's key decides what is done. */
uint32_t daemon_administrators(const struct config *config, struct core_client ret_clients[DAEMON_ADMINISTRATORS_MAX])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < config->client_count; i++) {
        const struct core_client *client = &config->clients[i];
        bool owner = client->uid == 0 || client->uid == geteuid();
        if (owner || client->rights & CORE_RIGHT_ENROL) ret_clients[count++] = *client;
    }
    administrator_add(ret_clients, &count, 1, "owner", geteuid());
    administrator_add(ret_clients, &count, 2, "root", 0);
    if (config->operators) administrator_add(ret_clients, &count, 3, "operator", SERVER_UID_ANY);
    return count;
}

struct result daemon_reload_clients(struct daemon *daemon, const struct config *config)
{
    static struct core_client asking[DAEMON_ADMINISTRATORS_MAX];
    TRY(server_clients_replace(daemon->clients, config->clients, config->client_count));
    TRY(server_clients_replace(daemon->administrators, asking, daemon_administrators(config, asking)));
    pthread_mutex_lock(&daemon->mutex);
    memcpy(daemon->config.clients, config->clients, sizeof config->clients);
    daemon->config.client_count = config->client_count;
    pthread_mutex_unlock(&daemon->mutex);
    atomic_store(&daemon->names_due, true);
    thread_wake(daemon, &daemon->checkpointer);
    for (uint32_t i = 0; i < daemon->worker_count; i++) thread_tell(&daemon->verify[i], server_worker_reload);
    thread_tell(&daemon->asking, server_worker_reload);
    thread_tell(&daemon->admin, server_worker_reload);
    return result_ok();
}
