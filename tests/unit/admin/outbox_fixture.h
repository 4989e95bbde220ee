/* An outbox on a real store, in a time that the test moves. Static, as admin_fixture.h is. */
#ifndef TESTS_OUTBOX_FIXTURE_H
#define TESTS_OUTBOX_FIXTURE_H

#include "admin/outbox.h"
#include "admin_fixture.h"
#include "base/bytes.h"

#define assert_fine(fixture, ...) assert_answer(fixture, "OK", __VA_ARGS__)

/* One change, in which the test is at `now_ms`. */
struct step {
    struct act act;
    struct people people;
};

static MAYBE_UNUSED int64_t now_ms = 1700000000000;

static MAYBE_UNUSED void step_begin(struct fixture *fixture, struct step *step)
{
    *step = (struct step){.act = {.admin = fixture->admin}};
    step->people = (struct people){.act = &step->act, .store = core_store(fixture->engine->core)};
    admin_ok(core_change_begin(fixture->worker, &step->act.actor, &step->people.change));
    step->people.txn = core_change_txn(step->people.change);
    step->people.now_ms = now_ms;
}

static MAYBE_UNUSED void step_end(struct fixture *fixture, struct step *step)
{
    bool more = true;
    admin_ok(core_change_commit(step->people.change));
    for (int i = 0; more && i < 64; i++) admin_ok(core_keep(fixture->worker, &more));
}

static MAYBE_UNUSED const struct outbox_field activated[] = {{"device", "Ann's phone"}, {"when", "1700000000"}};

static MAYBE_UNUSED struct outbox_draft draft_to(const char *user)
{
    struct outbox_draft draft = {.kind = MESSAGE_ACTIVATED,
                                 .channel = CHANNEL_PUSH,
                                 .to = "device-1",
                                 .language = "es",
                                 .fields = activated,
                                 .field_count = 2};
    core_name("Acme", 4, user, strlen(user), draft.name);
    return draft;
}

static MAYBE_UNUSED struct result try_put(struct fixture *fixture, const struct outbox_draft *draft,
                                          uint64_t *ret_number)
{
    struct step step;
    step_begin(fixture, &step);
    struct result result = outbox_put(&step.people, draft, ret_number);
    if (result_failed(result)) {
        core_change_abandon(step.people.change);
    } else {
        step_end(fixture, &step);
    }
    return result;
}

static MAYBE_UNUSED uint64_t put(struct fixture *fixture, const char *user)
{
    uint64_t number = 0;
    struct outbox_draft draft = draft_to(user);
    admin_ok(try_put(fixture, &draft, &number));
    return number;
}

/* What was handed over last. */
static MAYBE_UNUSED struct {
    size_t count;
    struct outbox_row rows[OUTBOX_HAND_MAX];
    struct outbox_content contents[OUTBOX_HAND_MAX];
} given;

static MAYBE_UNUSED struct result take(struct people *people, const struct outbox_row *row,
                                       const struct outbox_content *content, void *context)
{
    (void)people;
    (void)context;
    given.rows[given.count] = *row;
    given.contents[given.count++] = *content;
    return result_ok();
}

static MAYBE_UNUSED size_t hand(struct fixture *fixture, size_t limit, uint32_t lease_s)
{
    struct step step;
    given.count = 0;
    step_begin(fixture, &step);
    admin_ok(outbox_hand(&step.people, limit, lease_s, take, NULL));
    step_end(fixture, &step);
    return given.count;
}

static MAYBE_UNUSED struct result serve_one(struct fixture *fixture, struct result (*serve)(struct people *, uint64_t),
                                            uint64_t number)
{
    struct step step;
    step_begin(fixture, &step);
    struct result result = serve(&step.people, number);
    step_end(fixture, &step);
    return result;
}

static MAYBE_UNUSED void ack(struct fixture *fixture, uint64_t number)
{
    admin_ok(serve_one(fixture, outbox_ack, number));
}

static MAYBE_UNUSED void refuse(struct fixture *fixture, uint64_t number, struct outbox_failure failure)
{
    struct step step;
    step_begin(fixture, &step);
    admin_ok(outbox_fail(&step.people, number, &failure));
    step_end(fixture, &step);
}

static MAYBE_UNUSED struct outbox_row row_of(struct fixture *fixture, uint64_t number)
{
    struct step step;
    struct outbox_row row;
    step_begin(fixture, &step);
    admin_ok(outbox_get(&step.people, number, &row));
    core_change_abandon(step.people.change);
    return row;
}

static MAYBE_UNUSED struct outbox_counts counts_of(struct fixture *fixture)
{
    struct step step;
    struct outbox_counts counts;
    step_begin(fixture, &step);
    admin_ok(outbox_counts(&step.people, &counts));
    core_change_abandon(step.people.change);
    return counts;
}

static MAYBE_UNUSED void restart(struct fixture *fixture, bool finish)
{
    fixture_close(fixture, finish);
    admin_ok(fixture_open(fixture));
}

static MAYBE_UNUSED const struct outbox_failure later = {.handed = 1, .reason = "HTTP 503"};

#endif
