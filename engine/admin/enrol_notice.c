/* What an enrolment tells the user, through the outbox. */
#include "admin/enrol.h"
#include "admin/outbox.h"

#include <stdio.h>
#include <string.h>

#include "os/arena.h"

enum { NUMBER_TEXT_MAX = 24 };

static void seconds_text(int64_t ms, char ret_text[NUMBER_TEXT_MAX])
{
    snprintf(ret_text, NUMBER_TEXT_MAX, "%lld", (long long)(ms / 1000));
}

static struct result put(struct enrolling *enrolling, struct outbox_draft *draft)
{
    uint64_t number;
    memcpy(draft->name, enrolling->name, sizeof(draft->name));
    draft->language = enrolling->user.language;
    return outbox_put(enrolling->people, draft, &number);
}

static struct result to_phone(struct enrolling *enrolling, struct outbox_draft *draft)
{
    struct person person;
    TRY(person_open(enrolling->people, enrolling->name, &enrolling->user, &person));
    draft->channel = CHANNEL_SMS;
    draft->to = person.phone;
    struct result result = put(enrolling, draft);
    draft->to = NULL;
    secret_wipe(&person, sizeof(person));
    return result;
}

void enrol_link_text(const char *link, const char *code, char *ret_text, size_t size)
{
    /* Behind the #, so that no web server on the way gets to see it. */
    snprintf(ret_text, size, "%s#%s", link, code);
}

struct result enrol_notice_invited(struct enrolling *enrolling, const char *link, const char *activation)
{
    char code[ACTIVATION_TEXT_SIZE], until[NUMBER_TEXT_MAX], whole[MESSAGE_FIELD_VALUE_MAX];
    activation_text(activation, code);
    seconds_text(enrolling->row.due_ms, until);
    enrol_link_text(link, code, whole, sizeof(whole));
    const struct outbox_field fields[] = {{"link", whole}, {"code", code}, {"valid_until", until}};
    struct outbox_draft draft = {
        .kind = MESSAGE_INVITATION, .expires_ms = enrolling->row.due_ms, .fields = fields, .field_count = 3};
    struct result result = to_phone(enrolling, &draft);
    secret_wipe(code, sizeof(code));
    secret_wipe(whole, sizeof(whole));
    return result;
}

/* What a device finds out by asking, and an alert after the fact, hold nothing up where the outbox is full. */
static struct result unless_full(struct result result)
{
    return result.code == OUTBOX_FULL || result.code == OUTBOX_USER_FULL ? result_ok() : result;
}

/* To the device itself, where a push reaches it; one that is not reached so asks (the step "status"). */
struct result enrol_notice_bound(struct enrolling *enrolling)
{
    struct enrol_about about;
    char when[NUMBER_TEXT_MAX];
    TRY(enrol_about_open(enrolling->people, enrolling->name, &enrolling->row.device, &about));
    if (!about.push[0]) return result_ok();
    seconds_text(enrolling->people->now_ms, when);
    const struct outbox_field fields[] = {{"device", about.name}, {"when", when}};
    struct outbox_draft draft = {.kind = MESSAGE_ACTIVATED,
                                 .channel = CHANNEL_PUSH,
                                 .to = about.push,
                                 .expires_ms = enrolling->row.due_ms,
                                 .fields = fields,
                                 .field_count = 2};
    return unless_full(put(enrolling, &draft));
}

/* To the phone number, so that whoever did not do this learns of it. */
struct result enrol_notice_active(struct enrolling *enrolling)
{
    struct enrol_about about;
    char when[NUMBER_TEXT_MAX];
    if (!enrolling->user.phone_known) return result_ok();
    TRY(enrol_about_open(enrolling->people, enrolling->name, &enrolling->row.device, &about));
    seconds_text(enrolling->people->now_ms, when);
    const struct outbox_field fields[] = {{"device", about.name}, {"when", when}};
    struct outbox_draft draft = {.kind = MESSAGE_ACTIVATED, .fields = fields, .field_count = 2};
    return unless_full(to_phone(enrolling, &draft));
}
