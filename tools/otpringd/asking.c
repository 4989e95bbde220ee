/* The thread of ask.sock: questions to devices, a turn's at a time. It and those that check signatures for it give way
 * to the verify workers. */
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "approval/approval.h"
#include "os/machine.h"
#include "os/os_uring.h"
#include "otpringd/threads.h"
#include "server/limits.h"

enum { RING_ENTRIES = 512, BUFFERS = 128, CONNECTIONS = 128, OUTPUT_MAX = 8 << 20 };

struct asking {
    struct daemon *daemon;
    struct approvals *approvals;
    struct server_worker *server;
    struct admin_inbox inbox;
};

static bool question(void *context, const struct server_question *question)
{
    struct asking *asking = context;
    struct approval_asker asker = {
        .client = question->client, .owner = question->owner, .tag = question->tag, .count = question->count};
    return approvals_take(asking->approvals, &asker, question->json, question->size);
}

static void answered(void *context, const struct approval_asker *asker, const char *json, size_t size)
{
    struct asking *asking = context;
    static const char too_long[] = "{\"ok\":false,\"code\":\"FULL\",\"error\":\"the answer is too long\"}";
    struct server_question question = {.owner = asker->owner, .tag = asker->tag, .count = asker->count};
    bool fits = size <= approvals_answer_max(asker->count);
    server_question_answer(asking->server, &question, fits ? json : too_long,
                           (uint32_t)(fits ? size : sizeof too_long - 1));
}

static enum approval_told event(void *context, uint64_t owner, uint64_t tag, const char *json, size_t size)
{
    struct asking *asking = context;
    return server_question_event(asking->server, owner, tag, json, (uint32_t)size) ? APPROVAL_TOLD : APPROVAL_LATER;
}

/* A client that is not configured any more asks nobody. */
static bool client_sees(void *context, uint16_t id, const uint8_t company[8])
{
    struct asking *asking = context;
    struct daemon *daemon = asking->daemon;
    bool sees = false;
    pthread_mutex_lock(&daemon->mutex);
    for (uint32_t i = 0; i < daemon->config.client_count; i++) {
        const struct core_client *client = &daemon->config.clients[i];
        if (client->id != id) continue;
        sees = client->company_count == 0;
        for (uint32_t j = 0; j < client->company_count && !sees; j++)
            sees = memcmp(client->companies[j], company, 8) == 0;
    }
    pthread_mutex_unlock(&daemon->mutex);
    return sees;
}

static void turn(void *context)
{
    struct asking *asking = context;
    approvals_turn(asking->approvals);
}

/* ---- for the administrator's thread ---- */

static void publish(struct daemon *daemon, struct approvals *approvals)
{
    pthread_mutex_lock(&daemon->mutex);
    daemon->approvals = approvals;
    pthread_mutex_unlock(&daemon->mutex);
}

void asking_touched(void *context, const uint8_t account[16])
{
    struct daemon *daemon = context;
    pthread_mutex_lock(&daemon->mutex);
    if (daemon->approvals) approvals_touched(daemon->approvals, account);
    pthread_mutex_unlock(&daemon->mutex);
}

void asking_tell_status(void *context, struct json_t *answer)
{
    struct daemon *daemon = context;
    struct approvals_status status;
    pthread_mutex_lock(&daemon->mutex);
    bool there = daemon->approvals != NULL;
    if (there) approvals_status(daemon->approvals, &status);
    pthread_mutex_unlock(&daemon->mutex);
    if (!there) return;
    json_object_set_new(answer, "questions",
                        json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "kept", (json_int_t)status.kept, "capacity",
                                  (json_int_t)status.capacity, "memory_size", (json_int_t)status.memory_size, "asked",
                                  (json_int_t)status.asked, "approved", (json_int_t)status.approved, "refused",
                                  (json_int_t)status.refused, "withdrawn", (json_int_t)status.withdrawn, "turns",
                                  (json_int_t)status.turns));
}

/* ---- the thread ---- */

static struct result serve_with(struct daemon_thread *thread, struct os *os, struct asking *asking)
{
    struct daemon *daemon = thread->daemon;
    struct server_worker_options options = {.os = os,
                                            .listen_file = daemon->ask_file,
                                            .kinds = server_ask_kinds,
                                            .kind_count = server_ask_kind_count,
                                            .clients = daemon->clients,
                                            .connections_max = CONNECTIONS,
                                            .receive_buffer_count = BUFFERS,
                                            .receive_buffer_size = SERVER_RECEIVE_BUFFER_SIZE,
                                            .frame_size_max = OTPRING_WIRE_ASK_SIZE_MAX,
                                            .output_max = OUTPUT_MAX,
                                            .question = question,
                                            .question_answer_max = approvals_answer_max,
                                            .question_context = asking,
                                            .tick = turn,
                                            .tick_context = asking};
    TRY(server_worker_create(&options, &asking->server));
    publish(daemon, asking->approvals);
    thread_serving(thread, os, asking->server);
    struct result result = server_worker_run(asking->server);
    publish(daemon, NULL);
    thread_leaving(thread);
    if (!result_failed(result)) server_worker_destroy(asking->server);
    return result;
}

static uint32_t signature_threads(void)
{
    unsigned cores = machine_cpu_count();
    return cores > APPROVAL_THREADS_MAX ? APPROVAL_THREADS_MAX : cores - 1;
}

static struct result serve(struct daemon_thread *thread, struct os *os)
{
    struct daemon *daemon = thread->daemon;
    struct asking asking = {.daemon = daemon};
    struct core_worker *worker;
    uint32_t capacity = (uint32_t)daemon->config.challenges_max;
    TRY(plain_worker_create(daemon->engine->core, os, &asking.inbox, &worker));
    struct approvals_options options = {.engine = daemon->engine,
                                        .worker = worker,
                                        .os = os,
                                        .inbox = &asking.inbox,
                                        .limits = {.capacity = capacity ? capacity : APPROVAL_CAPACITY_DEFAULT,
                                                   .life_max_s = APPROVAL_LIFE_MAX_S,
                                                   .cool_down_s = APPROVAL_COOL_DOWN_S,
                                                   .window_s = APPROVAL_WINDOW_S,
                                                   .prompts_max = APPROVAL_PROMPTS_MAX},
                                        .threads = signature_threads(),
                                        .outbox_max = daemon->config.outbox_max,
                                        .client_sees = client_sees,
                                        .answered = answered,
                                        .event = event,
                                        .context = &asking};
    struct result result = approvals_create(&options, &asking.approvals);
    if (!result_failed(result)) {
        result = serve_with(thread, os, &asking);
        approvals_destroy(asking.approvals);
    }
    if (!result_failed(result)) core_worker_destroy(worker);
    return result;
}

void *asking_main(void *argument)
{
    struct daemon_thread *thread = argument;
    struct os_uring_options options = {
        .entries = RING_ENTRIES, .buffer_count = BUFFERS, .buffer_size = SERVER_RECEIVE_BUFFER_SIZE};
    struct os *os;
    machine_thread_yields();
    struct result result = os_uring_create(&options, &os);
    if (result_failed(result)) return thread_ended(thread, result);
    result = serve(thread, os);
    if (!result_failed(result)) os_destroy(os);
    return thread_ended(thread, result);
}
