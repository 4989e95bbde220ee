/* Acts of administrators and auth servers on enrolments and devices. */
#include "admin/enrol.h"

#include <stdio.h>
#include <string.h>

#include "base/base64url.h"
#include "os/arena.h"

enum { HOUR_S = 3600, LINK_MAX = 120, STATEMENT_SIZE = 16, ACTIVATION_ATTEMPTS = 16 };

/* What an invitation is to be, as far as it is known before the change begins. */
struct wish {
    uint16_t profile;
    uint8_t overlap;
    uint8_t days;
    uint32_t valid_s;
    uint32_t rollback_s;
    const char *link;
    bool desk; /* the code is shown to the operator, who hands it over in person */
};

static struct result overlap_get(struct act *act, struct wish *wish)
{
    static const char *const names[] = {"at-once", "first-use", "days"};
    const char *text = names[0];
    uint64_t days = 0;
    TRY(act_text(act, "overlap", false, &text));
    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) == 0) wish->overlap = (uint8_t)(OVERLAP_AT_ONCE + i);
    }
    if (wish->overlap == 0) return act_detail(act, BAD_ARGUMENT, "overlap is at-once, first-use or days");
    TRY(act_number(act, "overlap_days", wish->overlap == OVERLAP_DAYS, 1, ENROL_OVERLAP_DAYS_MAX, &days));
    if (days != 0 && wish->overlap != OVERLAP_DAYS) {
        return act_detail(act, BAD_ARGUMENT, "overlap_days is for the overlap \"days\"");
    }
    wish->days = (uint8_t)days;
    return result_ok();
}

static struct result wish_get(struct act *act, struct wish *wish)
{
    struct profile_row profile;
    uint64_t valid_h = ENROL_VALID_HOURS, rollback_h = ENROL_ROLLBACK_HOURS;
    const char *deliver = "sms";
    *wish = (struct wish){.link = "otpring://enrol"};
    TRY(overlap_get(act, wish));
    TRY(act_number(act, "valid_hours", false, 1, 168, &valid_h));
    TRY(act_number(act, "rollback_hours", false, 0, 720, &rollback_h));
    TRY(act_text(act, "link", false, &wish->link));
    if (!core_text_valid(wish->link, 1, LINK_MAX)) return act_detail(act, BAD_NAME, "link");
    TRY(act_text(act, "deliver", false, &deliver));
    wish->desk = strcmp(deliver, "desk") == 0;
    if (!wish->desk && strcmp(deliver, "sms") != 0) return act_detail(act, BAD_ARGUMENT, "deliver is sms or desk");
    wish->valid_s = (uint32_t)valid_h * HOUR_S;
    wish->rollback_s = (uint32_t)rollback_h * HOUR_S;
    TRY(act_profile_find(act, &wish->profile, &profile));
    return profile.type == OTP_TOTP ? result_ok() : act_detail(act, BAD_PROFILE, "a virtual token is a totp token");
}

/* ---- opening ---- */

static struct result opened(struct people *people, struct enrolling *ret_enrolling)
{
    const char *company, *user;
    uint8_t name[16];
    TRY(people_names(people, true, &company, &user, name));
    return enrolling_open(people, company, user, name, ret_enrolling);
}

static void state_answer(const struct enrolling *enrolling)
{
    json_object_set_new(enrolling->people->act->answer, "state",
                        json_string(rule_state_name(MACHINE_ENROLMENT, enrolling->row.state)));
}

static struct result admin_step(struct enrolling *enrolling, enum rule_act act, uint32_t held, uint64_t valid_s)
{
    struct act *asked = enrolling->people->act;
    TRY(enrolling_step(enrolling, (enum rule_role)asked->who.role, act, held, valid_s));
    return asked->who.role == ROLE_BANK ? people_granted(asked, rule_act_grant(act)) : result_ok();
}

/* ---- invite ---- */

/* Another number where this one is in use: one in a thousand of them is, with a million invitations open. */
static struct result code_make(struct enrolling *enrolling, char ret_activation[ACTIVATION_SIZE + 1])
{
    struct people *people = enrolling->people;
    struct enrolment_row *row = &enrolling->row;
    uint8_t other[16], random[ACTIVATION_SIZE];
    for (int i = 0; i < ACTIVATION_ATTEMPTS; i++) {
        os_random(people->act->admin->options.os, random, sizeof(random));
        activation_make(random, ret_activation);
        struct result got = enrol_find_activation(people, ret_activation, other);
        if (!result_failed(got)) continue;
        if (got.code != STORE_NOT_FOUND) return got;
        memcpy(row->activation_id, ret_activation, ACTIVATION_ID_SIZE);
        enrol_mac(people->act->admin, ENROL_SECRET_ACTIVATION, enrolling->name, ret_activation, ACTIVATION_SIZE,
                  row->activation_mac);
        return result_ok();
    }
    return result_of(ENROL_UNAVAILABLE);
}

static void row_begin(struct enrolling *enrolling, const struct wish *wish)
{
    uint8_t state = enrolling->row.state;
    enrolling->row = (struct enrolment_row){.state = state,
                                            .overlap = wish->overlap,
                                            .days = wish->days,
                                            .tries = ENROL_TRIES,
                                            .profile = wish->profile,
                                            .rollback_s = wish->rollback_s,
                                            .invited_ms = enrolling->people->now_ms};
}

/* At the desk the code is shown once, to be handed over. */
static void invite_answer(struct enrolling *enrolling, const struct wish *wish, const char *activation)
{
    json_t *answer = enrolling->people->act->answer;
    json_object_set_new(answer, "enrolment", json_integer((json_int_t)enrolling->row.number));
    json_object_set_new(answer, "expires_s", json_integer(wish->valid_s));
    json_object_set_new(answer, "tries", json_integer(ENROL_TRIES));
    json_object_set_new(answer, "needs_code", json_boolean(enrolling->row.needs_code));
    state_answer(enrolling);
    if (!wish->desk) return;
    char text[ACTIVATION_TEXT_SIZE], whole[LINK_MAX + ACTIVATION_TEXT_SIZE + 1];
    activation_text(activation, text);
    enrol_link_text(wish->link, text, whole, sizeof(whole));
    json_object_set_new(answer, "activation", json_string(text));
    json_object_set_new(answer, "link", json_string(whole));
    secret_wipe(text, sizeof(text));
    secret_wipe(whole, sizeof(whole));
}

static struct result invite_with(struct enrolling *enrolling, const struct wish *wish,
                                 char activation[ACTIVATION_SIZE + 1])
{
    struct people *people = enrolling->people;
    TRY(admin_step(enrolling, DO_ENROL_INVITE, 0, wish->valid_s));
    int64_t due_ms = enrolling->row.due_ms;
    row_begin(enrolling, wish);
    enrolling->row.due_ms = due_ms;
    enrolling->row.changed_ms = people->now_ms;
    TRY(enrol_armed(people, enrolling->name, &enrolling->row.needs_code));
    TRY(code_make(enrolling, activation));
    TRY(people_record(people, DO_ENROL_INVITE, enrolling->name, 0));
    TRY(people_number(people, "enrolment", &enrolling->row.number));
    TRY(enrolling_put(enrolling, DO_ENROL_INVITE));
    if (!wish->desk) TRY(enrol_notice_invited(enrolling, wish->link, activation));
    invite_answer(enrolling, wish, activation);
    return result_ok();
}

static struct result invite(struct people *people, struct result *ret_refusal)
{
    struct enrolling enrolling;
    char activation[ACTIVATION_SIZE + 1] = "";
    (void)ret_refusal;
    TRY(opened(people, &enrolling));
    struct result result = invite_with(&enrolling, people->act->context, activation);
    secret_wipe(activation, sizeof(activation));
    return result;
}

struct result act_enrol_invite(struct act *act)
{
    struct wish wish;
    TRY(wish_get(act, &wish));
    act->context = &wish;
    return enrol_change(act, invite);
}

/* ---- cancel, roll back, unbind ---- */

static struct result cancel(struct people *people, struct result *ret_refusal)
{
    struct enrolling enrolling;
    (void)ret_refusal;
    TRY(opened(people, &enrolling));
    TRY(admin_step(&enrolling, DO_ENROL_CANCEL, 0, 0));
    enrolling.row.seed_size = 0;
    TRY(enrolling_put(&enrolling, DO_ENROL_CANCEL));
    state_answer(&enrolling);
    return result_ok();
}

struct result act_enrol_cancel(struct act *act)
{
    return enrol_change(act, cancel);
}

static struct result rollback(struct people *people, struct result *ret_refusal)
{
    struct enrolling enrolling;
    (void)ret_refusal;
    TRY(opened(people, &enrolling));
    bool in_time = enrolling.row.rollback_until_ms > people->now_ms;
    TRY(admin_step(&enrolling, DO_ENROL_ROLLBACK, in_time ? 1u << RULE_ROLLBACK_OPEN : 0, 0));
    TRY(enrol_token_leave(&enrolling, DO_ENROL_ROLLBACK));
    TRY(enrol_old_resume(&enrolling, DO_ENROL_ROLLBACK));
    TRY(enrolling_put(&enrolling, DO_ENROL_ROLLBACK));
    state_answer(&enrolling);
    return result_ok();
}

struct result act_enrol_rollback(struct act *act)
{
    return enrol_change(act, rollback);
}

/* The user was invited anew since: that goes on, the phone of before goes. */
static struct result unbind_earlier(struct enrolling *enrolling, struct device_row *device)
{
    struct people *people = enrolling->people;
    unsigned next;
    TRY(people_judge(people, MACHINE_ENROLMENT, ENROLMENT_FINAL, DO_DEVICE_UNBIND, enrolling->name,
                     enrolling_held(enrolling), &next));
    TRY(enrol_device_leave(people, device, DO_DEVICE_UNBIND));
    state_answer(enrolling);
    return result_ok();
}

static struct result unbind(struct people *people, struct result *ret_refusal)
{
    struct enrolling enrolling;
    struct device_row device;
    uint64_t number;
    (void)ret_refusal;
    TRY(act_number(people->act, "device", true, 1, INT64_MAX, &number));
    struct result got = enrol_device_get(people, number, &device);
    if (!result_failed(got)) got = people_sees(people, device.name);
    if (got.code == STORE_NOT_FOUND) return act_detail(people->act, STORE_NOT_FOUND, "device");
    TRY(got);
    if (device.state == ENROL_DEVICE_UNBOUND) {
        return act_detail(people->act, STORE_NOT_FOUND, "the device is not bound any more");
    }
    TRY(enrolling_open(people, NULL, NULL, device.name, &enrolling));
    if (enrolling.row.device_number != number) return unbind_earlier(&enrolling, &device);
    TRY(admin_step(&enrolling, DO_DEVICE_UNBIND, 0, 0));
    TRY(enrol_token_leave(&enrolling, DO_DEVICE_UNBIND));
    /* What this enrolment suspended stays so: the device goes, not the change-over. */
    TRY(enrol_old_remove(&enrolling, DO_DEVICE_UNBIND));
    TRY(enrolling_put(&enrolling, DO_DEVICE_UNBIND));
    state_answer(&enrolling);
    return result_ok();
}

struct result act_device_unbind(struct act *act)
{
    return enrol_change(act, unbind);
}

/* ---- the auth server's statement ---- */

static struct result client_sees(struct act *act, const uint8_t name[16])
{
    const struct core_client *client = act->client;
    bool sees = !client || client->company_count == 0;
    for (uint32_t i = 0; !sees && i < client->company_count; i++) {
        sees = memcmp(client->companies[i], name, 8) == 0;
    }
    return sees ? result_ok() : result_of(ENROL_UNKNOWN);
}

static struct result vouch(struct people *people, struct result *ret_refusal)
{
    struct enrolling enrolling;
    const char *company, *user;
    uint8_t name[16], statement[STATEMENT_SIZE];
    char text[BASE64URL_SIZE(STATEMENT_SIZE)];
    (void)ret_refusal;
    TRY(people_names(people, true, &company, &user, name));
    TRY(client_sees(people->act, name));
    struct result got = enrolling_open(people, NULL, NULL, name, &enrolling);
    if (got.code == STORE_NOT_FOUND || enrolling.row.state == ENROLMENT_NONE) return result_of(ENROL_UNKNOWN);
    TRY(got);
    if (strcmp(enrolling.company.name, company) != 0 || strcmp(enrolling.user.user, user) != 0) {
        return result_of(ENROL_UNKNOWN);
    }
    TRY(enrolling_step(&enrolling, ROLE_CLIENT, DO_ENROL_VOUCH, 0, ENROL_KEEP));
    os_random(people->act->admin->options.os, statement, sizeof(statement));
    enrol_mac(people->act->admin, ENROL_SECRET_STATEMENT, name, statement, sizeof(statement),
              enrolling.row.statement_mac);
    enrolling.row.statement_until_ms = people->now_ms + ENROL_STATEMENT_S * 1000;
    TRY(enrolling_put(&enrolling, DO_ENROL_VOUCH));
    base64url_encode(statement, sizeof(statement), text);
    json_object_set_new(people->act->answer, "statement", json_string(text));
    json_object_set_new(people->act->answer, "expires_s", json_integer(ENROL_STATEMENT_S));
    secret_wipe(statement, sizeof(statement));
    secret_wipe(text, sizeof(text));
    return result_ok();
}

struct result act_enrol_vouch(struct act *act)
{
    return enrol_change(act, vouch);
}
