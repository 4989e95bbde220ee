#include "local.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/admin.h"
#include "os/arena.h"
#include "otp/otp.h"

enum { ITEMS_MAX = 1024, KEEP_STEPS_MAX = 256, LOCAL_SEGMENT_SIZE = 4 << 20 };

#define KEEP_SIZE (UINT64_C(4) << 30)

struct local {
    struct engine *engine;
    struct core_worker *worker;
    struct admin *admin;
    struct core_client client;
    uint64_t session;
    uint32_t sequence;
    struct admin_inbox inbox; /* while a request is served, what core answers is the administration's */
    bool asking;
    bool hello_done;
    bool answered;
    struct otpring_wire_answer answers[ITEMS_MAX];
};

static void on_hello(void *context, const struct core_hello_answer *answer)
{
    struct local *local = context;
    if (local->asking) {
        admin_hello_answered(&local->inbox, answer);
        return;
    }
    local->hello_done = true;
    local->session = answer->error ? 0 : answer->hello.session;
}

static void on_answered(void *context, const struct core_answer *answer)
{
    struct local *local = context;
    if (local->asking) {
        admin_answered(&local->inbox, answer);
        return;
    }
    local->answered = true;
    memcpy(local->answers, answer->answers, answer->count * sizeof *answer->answers);
}

static struct result keep(struct local *local)
{
    bool more = true;
    for (int i = 0; more && i < KEEP_STEPS_MAX; i++) TRY(core_keep(local->worker, &more));
    return result_ok();
}

/* How much of the log is kept is the daemon's to say, whose configuration is not known here. So as much as it kept
 * stays, whatever that is; only a log that is made by such commands alone is held to the engine's default. */
static uint64_t keep_size(const char *store)
{
    char path[ENGINE_PATH_SIZE];
    uint64_t size = 0;
    struct stat status;
    int length = snprintf(path, sizeof path, "%s/journal", store);
    DIR *folder = length < (int)sizeof path ? opendir(path) : NULL;
    if (!folder) return 0; /* opening the engine says why */
    for (struct dirent *entry; (entry = readdir(folder));)
        if (fstatat(dirfd(folder), entry->d_name, &status, 0) == 0 && S_ISREG(status.st_mode))
            size += (uint64_t)status.st_size;
    closedir(folder);
    return size > KEEP_SIZE ? size : KEEP_SIZE;
}

static struct result open_parts(struct local *local, const struct invocation *invocation)
{
    /* Each opening begins a segment: small ones, for the few records of one command. */
    struct engine_options options = {.folder = invocation->store,
                                     .key_path = invocation->key_path,
                                     .core = {.take_over = invocation->take_over,
                                              .journal = {.segment_size = LOCAL_SEGMENT_SIZE,
                                                          .keep_size = keep_size(invocation->store),
                                                          .spare_count = 1}}};
    TRY(engine_open(&options, &local->engine));
    struct core_worker_options worker = {
        .os = local->engine->os, .answered = on_answered, .hello_answered = on_hello, .context = local};
    TRY(core_worker_create(local->engine->core, &worker, &local->worker));
    struct admin_options admin = {.engine = local->engine,
                                  .worker = local->worker,
                                  .os = local->engine->os,
                                  .inbox = &local->inbox,
                                  .alone = true};
    TRY(admin_create(&admin, &local->admin));
    return keep(local);
}

static void close_parts(struct local *local, bool finish)
{
    if (local->admin) admin_destroy(local->admin);
    if (local->worker) {
        struct result result = finish ? core_finish(local->worker) : result_ok();
        if (result_failed(result)) complain(EXIT_UNAVAILABLE, "%s", result_text(result));
        core_worker_destroy(local->worker);
    }
    if (local->engine) engine_close(local->engine);
    free(local);
}

int local_open(const struct invocation *invocation, struct local **ret_local)
{
    struct local *local = calloc(1, sizeof *local);
    if (!local) return complain(EXIT_UNAVAILABLE, "not enough memory");
    arena_allow_unlocked(invocation->insecure_memory);
    local->client = (struct core_client){
        .id = 1, .name = "otpring", .uid = getuid(), .rights = CORE_RIGHT_VERIFY | CORE_RIGHT_SEE_STATES};
    struct result result = open_parts(local, invocation);
    if (result_failed(result)) {
        close_parts(local, false);
        bool later = result_class(result) != RESULT_REFUSE || result.code == STORE_BUSY;
        return complain(later ? EXIT_UNAVAILABLE : EXIT_REFUSED, "%s: %s", invocation->store, result_text(result));
    }
    *ret_local = local;
    return EXIT_DONE;
}

void local_close(struct local *local)
{
    close_parts(local, true);
}

json_t *local_ask(struct local *local, const char *text, size_t size)
{
    char *answer_text;
    local->asking = true;
    struct result result = admin_request(local->admin, getuid(), text, size, &answer_text);
    local->asking = false;
    if (result.code == NO_MEMORY) {
        complain(EXIT_UNAVAILABLE, "not enough memory");
        return NULL;
    }
    json_t *answer = json_loads(answer_text, 0, NULL);
    admin_text_free(answer_text);
    if (!answer) complain(EXIT_UNAVAILABLE, "the engine's answer is not JSON");
    return answer;
}

/* Runs turns until `flag` is set. */
static struct result run_until(struct local *local, const bool *flag)
{
    while (!*flag) {
        core_turn(local->worker);
        core_poll(local->worker);
        if (*flag) break;
        TRY(os_step(local->engine->os, 1000000, NULL));
        core_poll(local->worker);
    }
    return result_ok();
}

static struct result session_open(struct local *local)
{
    struct otpring_wire_hello hello = {.version_min = 1, .version_max = 1, .slots = 1, .items_max = ITEMS_MAX};
    if (local->session) return result_ok();
    TRY(core_clients_name(local->worker, &local->client, 1));
    enum core_admit admit = core_hello(local->worker, &hello, &local->client, 0);
    if (admit == CORE_FULL || admit == CORE_ERROR) return result_of(FULL);
    TRY(run_until(local, &local->hello_done));
    return local->session ? result_ok() : result_of(FULL);
}

/* A code that is no code never reaches the engine: MALFORMED, as the client library says. */
static bool query_make(const struct otpring_query *query, struct otpring_wire_query *ret_wire)
{
    uint8_t name[16];
    uint32_t code = 0;
    uint8_t digits = 0;
    if (!query->required && result_failed(otp_code_parse(query->code, strlen(query->code), &code, &digits)))
        return false;
    otpring_name(query->company, query->user, name);
    *ret_wire = (struct otpring_wire_query){.source = query->source,
                                            .code = code,
                                            .digits = digits,
                                            .kind = query->required ? OTPRING_QUERY_REQUIRED : OTPRING_QUERY_CODE};
    memcpy(ret_wire->company, name, 8);
    memcpy(ret_wire->account, name + 8, 8);
    return true;
}

static struct result ask(struct local *local, const struct otpring_wire_query *items, size_t count)
{
    struct otpring_wire_header header = {.size = (uint32_t)(sizeof header + count * sizeof *items),
                                         .kind = OTPRING_WIRE_VERIFY,
                                         .count = (uint16_t)count,
                                         .session = local->session,
                                         .sequence = ++local->sequence};
    struct core_frame frame = {.header = &header, .items = items, .client = &local->client};
    enum otpring_wire_error_code error;
    local->answered = false;
    for (;;) {
        enum core_admit admit = core_frame(local->worker, &frame, &error);
        if (admit == CORE_ERROR) return result_of(BAD_ARGUMENT);
        if (admit == CORE_TAKEN || admit == CORE_ANSWERED) break;
        core_turn(local->worker);
        TRY(os_step(local->engine->os, 1000000, NULL));
        core_poll(local->worker);
    }
    TRY(run_until(local, &local->answered));
    return keep(local);
}

int local_verify(struct local *local, const struct otpring_query *queries, size_t count,
                 struct otpring_answer *ret_answers)
{
    struct otpring_wire_query items[ITEMS_MAX];
    uint16_t places[ITEMS_MAX];
    size_t sent = 0;
    struct result result = session_open(local);
    for (size_t i = 0; i < count; i++) {
        ret_answers[i] = (struct otpring_answer){.verdict = OTPRING_MALFORMED, .reason = OTPRING_REASON_CODE_RANGE};
        if (query_make(&queries[i], &items[sent])) places[sent++] = (uint16_t)i;
    }
    if (!result_failed(result) && sent > 0) result = ask(local, items, sent);
    secret_wipe(items, sizeof items);
    if (result_failed(result)) return complain(EXIT_UNAVAILABLE, "%s", result_text(result));
    for (size_t i = 0; i < sent; i++) {
        const struct otpring_wire_answer *answer = &local->answers[i];
        ret_answers[places[i]] =
            (struct otpring_answer){answer->verdict, answer->reason, answer->retry_after_s, answer->record};
    }
    return EXIT_DONE;
}
