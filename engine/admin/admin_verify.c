#include "admin/admin_verify.h"

#include <string.h>

#include "admin/acts.h"

enum { STEP_NS = 1000000, WAIT_MS = 10000 };

/* Who asks, as records name them. An id is the hash of its name that configured clients have too. */
static const struct core_client enrolment = {
    .id = 0x97a8, .name = "enrolment", .rights = CORE_RIGHT_VERIFY | CORE_RIGHT_SEE_STATES};
static const struct core_client exchange = {
    .id = 0x8f83, .name = "exchange", .rights = CORE_RIGHT_VERIFY | CORE_RIGHT_SEE_STATES | CORE_RIGHT_EXCHANGE};

/* One query: a frame of one item. */
struct asked {
    const struct core_client *client;
    enum otpring_wire_kind kind;
    const void *item;
    uint32_t size;
};

void admin_hello_answered(void *context, const struct core_hello_answer *answer)
{
    struct admin_inbox *inbox = context;
    if (answer->owner != inbox->wanted) return;
    inbox->greeted = true;
    inbox->hello = *answer;
}

void admin_answered(void *context, const struct core_answer *answer)
{
    struct admin_inbox *inbox = context;
    if (answer->owner != inbox->wanted) return;
    inbox->answered = true;
    if (answer->count > 0) inbox->answer = answer->answers[0];
}

/* One step of a wait that began then. Not for ever: whoever asks may ask again. */
static struct result wait_step(struct admin *admin, uint64_t begun_ms, const bool *flag)
{
    core_turn(admin->options.worker);
    core_poll(admin->options.worker);
    if (flag && *flag) return result_ok();
    TRY(os_step(admin->options.os, STEP_NS, NULL));
    core_poll(admin->options.worker);
    bool over = os_time(admin->options.os).boot_ms - begun_ms > WAIT_MS;
    return over ? result_of(ENROL_UNAVAILABLE) : result_ok();
}

static struct result run_until(struct admin *admin, const bool *flag)
{
    uint64_t begun_ms = os_time(admin->options.os).boot_ms;
    while (!*flag) TRY(wait_step(admin, begun_ms, flag));
    return result_ok();
}

/* ret_session: as asked for, or a new one, or 0. */
static struct result greet(struct admin *admin, const struct core_client *client, uint64_t session,
                           uint64_t *ret_session)
{
    struct admin_inbox *inbox = admin->options.inbox;
    struct otpring_wire_hello hello = {.version_min = OTPRING_WIRE_VERSION,
                                       .version_max = OTPRING_WIRE_VERSION,
                                       .slots = 1,
                                       .items_max = 1,
                                       .session = session};
    inbox->greeted = false;
    inbox->wanted++;
    uint64_t begun_ms = os_time(admin->options.os).boot_ms;
    while (core_hello(admin->options.worker, &hello, client, inbox->wanted) == CORE_FULL)
        TRY(wait_step(admin, begun_ms, NULL));
    TRY(run_until(admin, &inbox->greeted));
    *ret_session = inbox->hello.error ? 0 : inbox->hello.hello.session;
    return result_ok();
}

static struct result ready(struct admin *admin, const struct core_client *client)
{
    if (!admin->options.inbox) return result_of(ENROL_UNAVAILABLE);
    if (admin->verify.session != 0) return result_ok();
    TRY(core_clients_name(admin->options.worker, client, 1));
    TRY(greet(admin, client, 0, &admin->verify.session));
    return admin->verify.session != 0 ? result_ok() : result_of(ENROL_UNAVAILABLE);
}

struct result admin_verify_ready(struct admin *admin)
{
    return ready(admin, &enrolment);
}

static struct result ask(struct admin *admin, uint64_t session, uint32_t sequence, const struct asked *asked,
                         struct otpring_wire_answer *ret_answer, bool *ret_lost)
{
    struct admin_inbox *inbox = admin->options.inbox;
    struct otpring_wire_header header = {.size = (uint32_t)sizeof(header) + asked->size,
                                         .kind = (uint16_t)asked->kind,
                                         .count = 1,
                                         .session = session,
                                         .sequence = sequence};
    struct core_frame frame = {
        .header = &header, .items = asked->item, .client = asked->client, .owner = ++inbox->wanted};
    enum otpring_wire_error_code error;
    *ret_lost = false;
    inbox->answered = false;
    uint64_t begun_ms = os_time(admin->options.os).boot_ms;
    enum core_admit admit = core_frame(admin->options.worker, &frame, &error);
    while (admit == CORE_FULL || admit == CORE_JOIN_LATER) {
        TRY(wait_step(admin, begun_ms, NULL));
        admit = core_frame(admin->options.worker, &frame, &error);
    }
    *ret_lost = admit == CORE_ERROR;
    if (*ret_lost) return result_ok();
    TRY(run_until(admin, &inbox->answered));
    *ret_answer = inbox->answer;
    return result_ok();
}

static struct result verify(struct admin *admin, uint64_t session, uint32_t sequence, const struct asked *asked,
                            struct otpring_wire_answer *ret_answer)
{
    bool lost;
    TRY(ready(admin, asked->client));
    uint64_t given = session;
    if (session != admin->verify.session) TRY(greet(admin, asked->client, session, &given));
    if (given == session) {
        TRY(ask(admin, session, sequence, asked, ret_answer, &lost));
        if (!lost) return result_ok();
    }
    /* The session of then is gone: this run's own has expired, or an earlier run's has. */
    admin->verify.session = given != session ? given : 0;
    TRY(ready(admin, asked->client));
    admin->verify.sequence++;
    TRY(ask(admin, admin->verify.session, admin->verify.sequence, asked, ret_answer, &lost));
    return lost ? result_of(ENROL_UNAVAILABLE) : result_ok();
}

struct result admin_verify(struct admin *admin, uint64_t session, uint32_t sequence,
                           const struct otpring_wire_query *query, struct otpring_wire_answer *ret_answer)
{
    struct asked asked = {&enrolment, OTPRING_WIRE_VERIFY, query, sizeof *query};
    return verify(admin, session, sequence, &asked, ret_answer);
}

struct result admin_verify_exchange(struct admin *admin, const struct otpring_wire_ocra *response,
                                    struct otpring_wire_answer *ret_answer)
{
    struct asked asked = {&exchange, OTPRING_WIRE_OCRA, response, response->size};
    TRY(ready(admin, &exchange));
    return verify(admin, admin->verify.session, ++admin->verify.sequence, &asked, ret_answer);
}
