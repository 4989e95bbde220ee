/* Phones: invited, enrolled by otpring-token's half of it, cancelled, rolled back, unbound; and their codes. */
#include "random_acts.h"

enum {
    INVITED_MS = 24 * 3600 * 1000, /* how long an invitation lasts */
    PRESENTED_MS = 1800 * 1000,    /* and one that a device has presented */
    ROLLBACK_MS = 3600 * 1000,     /* what these invitations ask for */
};

void way_settle(const struct world *world, struct m_user *user)
{
    if (user->way != BOUND && world_now_ms(world) >= user->until_ms) user->way = NO_WAY;
}

static json_t *send(struct world *world, json_t *document)
{
    char *text = json_dumps(document, JSON_COMPACT);
    json_t *answer = world_ask(world, OWNER, "{'act':'enrol.device','document':%s", text);
    free(text);
    json_decref(document);
    return answer;
}

static void sent(struct world *world, json_t *answer)
{
    if (!json_is_true(json_object_get(answer, "ok"))) fail_msg("a device was refused: %s", json_dumps(answer, 0));
    world->passed++;
    json_decref(answer);
}

/* The device with a fresh pair of keys shows the code of the invitation; ret_statement: what the auth server says then.
 */
static void phone_present(struct world *world, int person, json_t *invited, char ret_statement[64])
{
    struct account *phone = &world->phones[person];
    struct device_key key;
    uint8_t seal_key[HPKE_PUBLIC_MAX];
    int company = model_company_of(person);
    *phone = (struct account){.algorithm = DEVICE_ED25519, .name = "Phone", .platform = "Test"};
    state_ok(device_pair_make(phone->algorithm, phone->sign_private, &key));
    state_ok(hpke_pair_make(HPKE_X25519, phone->seal_private, seal_key));
    assert_true(activation_parse(json_string_value(json_object_get(invited, "activation")), phone->activation));
    json_t *answer = send(world, document_present(phone));
    assert_true(document_bytes(answer, "enrolment", phone->handle, sizeof(phone->handle)));
    sent(world, answer);
    answer = world_ask(world, OWNER, "{'act':'enrol.vouch'" ABOUT);
    snprintf(ret_statement, 64, "%s", json_string_value(json_object_get(answer, "statement")));
    sent(world, answer);
}

/* The rest of the way, to a token that counts. */
static void phone_bind(struct world *world, int person, const char *statement)
{
    struct account *phone = &world->phones[person];
    struct m_user *user = &world->model.people[person];
    sent(world, send(world, document_prove(phone, statement, "")));
    json_t *answer = send(world, document_bind(phone));
    assert_true(document_open(phone, answer));
    sent(world, answer);
    sent(world, send(world, document_stored(phone)));
    answer = send(world, document_status(phone));
    assert_true(document_bytes(answer, "nonce", phone->nonce, sizeof(phone->nonce)));
    sent(world, answer);
    answer = send(world, document_confirm(phone));
    user->device = (int)json_integer_value(json_object_get(answer, "device"));
    sent(world, answer);
    user->way = BOUND;
    user->until_ms = world_now_ms(world) + ROLLBACK_MS;
    world->model.tokens[TOKENS + person].company = model_company_of(person);
    world->model.tokens[TOKENS + person].floor = 0;
    model_hand(&world->model, &world->model.tokens[TOKENS + person], person);
    world->enrolled++;
}

static void serial_learn(struct world *world, int person)
{
    int company = model_company_of(person);
    size_t i;
    json_t *answer = world_ask(world, OWNER, "{'act':'user.show'" ABOUT), *token;
    json_array_foreach(json_object_get(json_object_get(answer, "user"), "tokens"), i, token)
    {
        const char *serial = json_string_value(json_object_get(token, "serial"));
        if (serial[0] == 'v')
            snprintf(world->model.people[person].serial, sizeof(world->model.people[person].serial), "%s", serial);
    }
    json_decref(answer);
}

/* An invitation; then, half of the time, the phone comes. It goes the whole way where no token is to be proven; else it
 * is refused without a code, and the enrolment is left to end by itself. */
static void phone_invite(struct world *world, int actor, int person)
{
    struct model *model = &world->model;
    struct m_user *user = &model->people[person];
    int company = model_company_of(person);
    char statement[64];
    bool proves = false;
    if (user->way == BOUND && world_now_ms(world) >= user->until_ms) return; /* a second phone: not in this model */
    bool passes = model_over(model, actor, company) && actor != FEW && model->active[company] &&
                  !model->suspended[company] && user->life == ALIVE && user->phone &&
                  (user->way == NO_WAY || user->way == OPEN);
    json_t *answer = world_ask(world, actor, "{'act':'enrol.invite','deliver':'desk','rollback_hours':1" ABOUT);
    world_judged(world, answer, passes, "enrol.invite", actor);
    if (passes) user->way = OPEN;
    if (passes) user->until_ms = world_now_ms(world) + INVITED_MS;
    if (passes && world_roll(world, 2) && model_armed(model, person) < ARMED_MAX) {
        phone_present(world, person, answer, statement);
        user->way = BEGUN;
        user->until_ms = world_now_ms(world) + PRESENTED_MS;
        for (int i = 0; i < TOKENS_ALL; i++) {
            const struct m_token *token = &model->tokens[i];
            proves |= token->holder == person && (token->place == HANDED || token->place == PROVEN);
        }
        if (proves) {
            json_t *refused = send(world, document_prove(&world->phones[person], statement, ""));
            assert_string_equal(json_string_value(json_object_get(refused, "code")), "ENROL_TOKEN_CODE");
            json_decref(refused);
        } else {
            phone_bind(world, person, statement);
            serial_learn(world, person);
        }
    }
    json_decref(answer);
}

void act_on_phone(struct world *world, int actor)
{
    struct model *model = &world->model;
    int person = (int)world_roll(world, PEOPLE), company = model_company_of(person);
    struct m_user *user = &model->people[person];
    way_settle(world, user);
    bool may = model_over(model, actor, company) && actor != FEW, passes;
    switch (world_roll(world, 6)) {
    case 0:
        passes = may && (user->way == OPEN || user->way == BEGUN);
        ACT(actor, passes, "enrol.cancel", ABOUT);
        if (passes) user->way = NO_WAY;
        break;
    case 1:
        passes = may && user->way == BOUND && world_now_ms(world) < user->until_ms && user->life == ALIVE;
        ACT(actor, passes, "enrol.rollback", ABOUT);
        if (passes) model_unbind(model, person);
        break;
    case 2:
        if (user->device == 0) break;
        passes = may && user->way == BOUND;
        ACT(actor, passes, "device.unbind", ",'device':%d", user->device);
        if (passes) model_unbind(model, person);
        break;
    default:
        phone_invite(world, actor, person);
        break;
    }
}

void present_phone_code(struct world *world)
{
    struct otp_parameters totp = {.type = OTP_TOTP, .algorithm = KERNEL_SHA1, .digits = 6, .period_s = 30};
    int person = (int)world_roll(world, PEOPLE);
    struct m_user *user = &world->model.people[person];
    struct m_token *token = &world->model.tokens[TOKENS + person];
    const struct account *phone = &world->phones[person];
    if (user->device == 0) return;
    char company[16], name[16];
    uint64_t step = (uint64_t)otp_step(&totp, world_now_ms(world) / 1000) - world_roll(world, 2);
    world_names(person, company, name);
    enum otpring_verdict verdict =
        state_verify(world->state, company, name, otp_code(&totp, phone->seed, phone->seed_size, step));
    if (verdict != OTPRING_ACCEPTED) return;
    bool accepts =
        (token->place == HANDED || token->place == PROVEN) && token->holder == person && step >= token->floor;
    if (!accepts)
        fail_msg("act %llu: a code of the phone of u%d was accepted", (unsigned long long)world->acts, person);
    token->floor = step + 1;
    token->place = PROVEN;
    world->virtual_accepted++;
}
