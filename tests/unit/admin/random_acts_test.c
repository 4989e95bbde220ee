/* Random administrative acts by random roles, with codes and crashes between them, against a model.
 *
 * The model below is plain reference code: it knows what was asked and what should come of it, and shares nothing with
 * the engine (no table of rules, no row). After every act: it passed if and only if the model lets it pass. All along:
 * no code is accepted that the model would not accept, a floor never falls, and REQUIRED never becomes NOT_REQUIRED
 * but by a release.
 *
 * OTPRING_ACTS: how many acts (default 2,500). OTPRING_SEED: where to begin. */
#include "../core/state_fixture.h"
#include "admin/acts.h"
#include "otpring-token/token.h"

#define DAY_MS ((int64_t)86400000)

enum {
    COMPANIES = 3,
    USERS = 5,
    PEOPLE = COMPANIES * USERS,
    TOKENS = 24,                  /* physical ones */
    TOKENS_ALL = TOKENS + PEOPLE, /* and behind them each person's virtual one */
    ARMED_MAX = 4,
    REQUESTS = 4096,
    HOTP = 1,
    INVITED_MS = 24 * 3600 * 1000, /* how long an invitation lasts */
    PRESENTED_MS = 1800 * 1000,    /* and one that a device has presented */
    ROLLBACK_MS = 3600 * 1000,     /* what these invitations ask for */
};

/* ---- the model ---- */

enum life { NOBODY, ALIVE, AWAY, ERASED };
enum place { NOWHERE, ORDERED, STOCKED, HANDED, PROVEN, HELD_BACK, GONE, SWAPPED, SCRAPPED };

/* An enrolment is open until a time, and begun when a device has come; or bound, and can be rolled back until then. */
enum way { NO_WAY, OPEN, BEGUN, BOUND };

struct m_user {
    enum life life;
    bool phone;
    enum way way;
    int64_t until_ms;
    int device;      /* its number */
    char serial[44]; /* of the virtual token */
    bool administrator;
    bool ever;   /* had a token once */
    bool waived; /* passes without a code */
    int last;    /* what an auth server was last answered */
    bool released_since;
};

struct m_token {
    enum place place;
    int company; /* -1 */
    int holder;  /* -1, else a person */
    uint64_t floor;
};

struct m_request {
    bool open;
    bool unlocks;
    int person;
    int asker;
};

struct model {
    bool known[COMPANIES], active[COMPANIES], suspended[COMPANIES];
    struct m_user people[PEOPLE];
    struct m_token tokens[TOKENS_ALL];
    struct m_request requests[REQUESTS];
    int request_count;
};

/* Who acts: 0 the owner, 1 and 2 of the bank with every grant, 3 of the bank with few, then an administrator each. */
enum { OWNER, OLGA, OTTO, FEW, ADMINISTRATOR, ACTORS = ADMINISTRATOR + COMPANIES };

struct world {
    struct state *state;
    struct engine engine;
    struct admin *admin;
    struct model model;
    char keys[ACTORS][40];
    struct account phones[PEOPLE];
    uint64_t random;
    uint64_t acts, passed, accepted, crashes, enrolled, virtual_accepted;
};

static uint32_t roll(struct world *world, uint32_t sides)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return (uint32_t)((world->random >> 11) % sides);
}

static bool of_bank(int actor)
{
    return actor < ADMINISTRATOR;
}

static int company_of(int person)
{
    return person / USERS;
}

static bool live(enum place place)
{
    return place == HANDED || place == PROVEN || place == HELD_BACK;
}

static int armed(const struct model *model, int person)
{
    int count = 0;
    for (int i = 0; i < TOKENS_ALL; i++) count += model->tokens[i].holder == person && live(model->tokens[i].place);
    return count;
}

/* An administrator of a company acts while the person is one; the first person of each company is meant to be. */
static bool can_speak(const struct model *model, int actor)
{
    if (of_bank(actor)) return true;
    const struct m_user *self = &model->people[(actor - ADMINISTRATOR) * USERS];
    return self->life == ALIVE && self->administrator;
}

/* Over a person of the company, whose company may be suspended for its own people. */
static bool over(const struct model *model, int actor, int company)
{
    if (!can_speak(model, actor) || !model->known[company]) return false;
    return of_bank(actor) || (actor - ADMINISTRATOR == company && !model->suspended[company]);
}

static bool self(int actor, int person)
{
    return !of_bank(actor) && (actor - ADMINISTRATOR) * USERS == person;
}

/* ---- asking ---- */

static void admin_make(struct world *world)
{
    world->engine = (struct engine){.os = world->state->worker_os,
                                    .store = world->state->store,
                                    .vault = world->state->vault,
                                    .core = world->state->core};
    struct admin_options options = {
        .engine = &world->engine, .worker = world->state->worker, .os = world->state->worker_os, .alone = true};
    state_ok(admin_create(&options, &world->admin));
}

/* The answer to an act of `actor`; single quotes for double ones. */
static json_t *ask(struct world *world, int actor, const char *format, ...) __attribute__((format(printf, 3, 4)));
static json_t *ask(struct world *world, int actor, const char *format, ...)
{
    static const char *const names[] = {"", "olga", "otto", "few", "a0", "a1", "a2"};
    static char text[4096];
    char *answer = NULL;
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (actor == OWNER)
        snprintf(text + size, sizeof(text) - (size_t)size, "}");
    else
        snprintf(text + size, sizeof(text) - (size_t)size, ",'operator':'%s','key':'%s'}", names[actor],
                 world->keys[actor]);
    for (char *at = text; *at; at++) {
        if (*at == '\'') *at = '"';
    }
    (void)admin_request(world->admin, 0, text, strlen(text), &answer).code;
    json_t *json = json_loads(answer, 0, NULL);
    admin_text_free(answer);
    assert_non_null(json);
    world->acts++;
    return json;
}

/* It passed if and only if the model says so. */
static json_t *judged(struct world *world, json_t *answer, bool passes, const char *what, int actor)
{
    bool passed = json_is_true(json_object_get(answer, "ok"));
    if (passed != passes) {
        char *text = json_dumps(answer, 0);
        fail_msg("act %llu: %s by %d: %s, and the model says %s", (unsigned long long)world->acts, what, actor, text,
                 passes ? "yes" : "no");
    }
    world->passed += passed;
    return answer;
}

#define ACT(actor, passes, what, ...)                                                                                  \
    json_decref(judged(world, ask(world, actor, "{'act':'" what "'" __VA_ARGS__), passes, what, actor))

/* ---- acts on companies and users ---- */

static void act_on_company(struct world *world, int actor)
{
    struct model *model = &world->model;
    int company = (int)roll(world, COMPANIES);
    bool bank = of_bank(actor) && actor != FEW, trained = roll(world, 3) > 0;
    bool passes;
    switch (roll(world, 4)) {
    case 0:
        ACT(actor, bank && !model->known[company], "company.add", ",'company':'c%d'", company);
        if (bank) model->known[company] = true;
        break;
    case 1:
        passes = bank && model->known[company] && !(model->active[company] && !model->suspended[company]) &&
                 (trained || model->suspended[company]);
        ACT(actor, passes, "company.activate", ",'company':'c%d'%s", company, trained ? ",'trained':'2020-01-01'" : "");
        if (passes) {
            model->active[company] = true;
            model->suspended[company] = false;
        }
        break;
    default:
        if (roll(world, 4) > 0) return; /* seldom */
        passes = bank && model->active[company] && !model->suspended[company];
        ACT(actor, passes, "company.suspend", ",'company':'c%d'", company);
        if (passes) model->suspended[company] = true;
        break;
    }
}

static void leave(struct model *model, int person)
{
    for (int i = 0; i < TOKENS_ALL; i++) {
        struct m_token *token = &model->tokens[i];
        if (token->holder == person && (token->place == HANDED || token->place == PROVEN)) token->place = HELD_BACK;
    }
    if (model->people[person].way != BOUND) model->people[person].way = NO_WAY;
    model->people[person].life = AWAY;
    model->people[person].waived = false;
}

#define ABOUT ",'company':'c%d','user':'u%d'", company, person

static void act_on_user(struct world *world, int actor)
{
    struct model *model = &world->model;
    int person = (int)roll(world, PEOPLE), company = company_of(person);
    struct m_user *user = &model->people[person];
    bool may = over(model, actor, company), present = user->life == ALIVE || user->life == AWAY;
    bool passes, yes = roll(world, 2);
    switch (roll(world, 9)) {
    case 0:
    case 1:
        passes = may && !model->suspended[company] && !present;
        ACT(actor, passes, "user.add", ABOUT);
        if (!passes) break;
        user->life = ALIVE;
        user->waived = user->waived || !user->ever;
        break;
    case 2:
        ACT(actor, may && present, "user.set", ",'company':'c%d','user':'u%d','phone':'+34600%06d'", company, person,
            person);
        user->phone = user->phone || (may && present);
        break;
    case 3:
        passes = may && present && of_bank(actor) && actor != FEW;
        if (person % USERS == 0 && !yes && roll(world, 4)) yes = true;
        ACT(actor, passes, "user.set", ",'company':'c%d','user':'u%d','administrator':%s", company, person,
            yes ? "true" : "false");
        if (passes) user->administrator = yes;
        break;
    case 4:
        if (person % USERS == 0 && roll(world, 4)) break; /* administrators stay longer */
        passes = may && user->life == ALIVE && !self(actor, person);
        ACT(actor, passes, "user.deactivate", ABOUT);
        if (passes) leave(model, person);
        break;
    case 5:
    case 6:
        passes = may && user->life == AWAY && !self(actor, person);
        ACT(actor, passes, "user.reactivate", ABOUT);
        if (!passes) break;
        user->life = ALIVE;
        user->waived = !user->ever;
        break;
    case 7:
        passes = may && user->life == ALIVE && of_bank(actor) && actor != FEW;
        ACT(actor, passes, "user.release", ",'company':'c%d','user':'u%d','reason':'r'", company, person);
        if (!passes) break;
        user->waived = user->released_since = true;
        break;
    default:
        if (person % USERS == 0) break;
        passes = may && user->life == AWAY && of_bank(actor) && actor != FEW && armed(model, person) == 0;
        ACT(actor, passes, "user.erase", ABOUT);
        if (!passes) break;
        user->life = ERASED;
        user->administrator = user->phone = false;
        user->way = NO_WAY;
        break;
    }
}

/* ---- acts that may take two persons ---- */

/* The phone is no token any more. */
static void unbind(struct model *model, int person)
{
    model->tokens[TOKENS + person].place = SCRAPPED;
    model->tokens[TOKENS + person].holder = -1;
    model->people[person].way = NO_WAY;
}

static void reset_model(struct model *model, int person)
{
    if (model->people[person].way == BOUND) unbind(model, person);
    model->people[person].way = NO_WAY;
    for (int i = 0; i < TOKENS; i++) {
        struct m_token *token = &model->tokens[i];
        if (token->holder == person && live(token->place)) token->place = GONE;
    }
}

static void act_by_two(struct world *world, int actor)
{
    struct model *model = &world->model;
    int person = (int)roll(world, PEOPLE), company = company_of(person);
    const struct m_user *user = &model->people[person];
    bool unlocks = roll(world, 2), present = user->life == ALIVE || (!unlocks && user->life == AWAY);
    bool passes = over(model, actor, company) && present && !self(actor, person);
    /* Only an account that is in the table has failures to forget. */
    if (unlocks) passes = passes && user->ever;
    json_t *answer =
        unlocks ? ask(world, actor, "{'act':'user.unlock'" ABOUT) : ask(world, actor, "{'act':'user.reset'" ABOUT);
    judged(world, answer, passes, unlocks ? "user.unlock" : "user.reset", actor);
    bool waits = json_is_true(json_object_get(answer, "waits"));
    if (passes && !unlocks) assert_int_equal(waits, actor != OWNER);
    if (passes && waits && model->request_count + 1 < REQUESTS) {
        assert_int_equal(json_integer_value(json_object_get(answer, "request")), model->request_count + 1);
        model->requests[++model->request_count] =
            (struct m_request){.open = true, .unlocks = unlocks, .person = person, .asker = actor};
    } else if (passes && !unlocks) {
        reset_model(model, person);
    }
    json_decref(answer);
}

static void act_on_request(struct world *world, int actor)
{
    struct model *model = &world->model;
    if (model->request_count == 0) return;
    int number = 1 + (int)roll(world, (uint32_t)model->request_count);
    struct m_request *request = &model->requests[number];
    int company = company_of(request->person);
    const struct m_user *user = &model->people[request->person];
    bool sees = can_speak(model, actor) && (of_bank(actor) || actor - ADMINISTRATOR == company);
    bool decides = sees && request->open && actor != FEW;
    if (roll(world, 3) == 0) {
        ACT(actor, decides, "request.refuse", ",'request':%d", number);
        if (decides) request->open = false;
        return;
    }
    bool present = user->life == ALIVE || (!request->unlocks && user->life == AWAY);
    bool passes = decides && request->asker != actor && over(model, actor, company) && present &&
                  !self(actor, request->person) && (!request->unlocks || user->ever);
    ACT(actor, passes, "request.confirm", ",'request':%d", number);
    if (!passes) return;
    request->open = false;
    if (!request->unlocks) reset_model(model, request->person);
}

/* ---- acts on tokens ---- */

/* 32 letters of base32 that no other token has. */
static void secret_of(int token, char ret[33])
{
    uint8_t seed[20];
    state_seed((uint32_t)token, seed);
    state_ok(otp_base32_encode(seed, sizeof(seed), ret, 33));
}

static bool token_seen(int actor, const struct m_token *token)
{
    return token->place != NOWHERE && (of_bank(actor) || actor - ADMINISTRATOR == token->company);
}

static bool token_over(const struct model *model, int actor, const struct m_token *token)
{
    if (!can_speak(model, actor) || actor == FEW || !token_seen(actor, token)) return false;
    return of_bank(actor) || !model->suspended[token->company];
}

static bool first_administrator(const struct model *model, int person)
{
    if (!model->people[person].administrator) return false;
    for (int other = company_of(person) * USERS; other < (company_of(person) + 1) * USERS; other++) {
        if (other != person && model->people[other].administrator && armed(model, other)) return false;
    }
    return true;
}

static void hand(struct model *model, struct m_token *token, int person)
{
    token->place = HANDED;
    token->holder = person;
    model->people[person].ever = true;
    model->people[person].waived = false;
}

static void token_supply(struct world *world, int actor, int at, struct m_token *token)
{
    bool bank = of_bank(actor) && actor != FEW;
    int company = (int)roll(world, COMPANIES);
    char secret[33];
    if (roll(world, 2)) {
        secret_of(at, secret);
        bool passes = bank && token->place == NOWHERE;
        ACT(actor, passes, "stock.add", ",'serial':'t%d','secret':'%s','type':'hotp'", at, secret);
        if (passes) *token = (struct m_token){.place = ORDERED, .company = -1, .holder = -1};
        return;
    }
    bool passes = bank && token->place == ORDERED && world->model.known[company] && !world->model.suspended[company];
    ACT(actor, passes, "stock.give", ",'company':'c%d','serial':'t%d'", company, at);
    if (!passes) return;
    token->place = STOCKED;
    token->company = company;
}

static void token_assign(struct world *world, int actor, int at, struct m_token *token)
{
    struct model *model = &world->model;
    int person = (int)roll(world, PEOPLE);
    /* Mostly what makes sense: the own people of whoever has the token, by their administrator. */
    if (token->company >= 0 && roll(world, 4)) person = token->company * USERS + (int)roll(world, USERS);
    if (token->company >= 0 && roll(world, 2)) actor = ADMINISTRATOR + token->company;
    int company = company_of(person);
    if (armed(model, person) >= ARMED_MAX) return;
    bool passes = token_over(model, actor, token) && over(model, actor, company) && token->place == STOCKED &&
                  token->company == company && !model->suspended[company] && model->people[person].life == ALIVE &&
                  (!of_bank(actor) || first_administrator(model, person));
    ACT(actor, passes, "stock.assign", ",'company':'c%d','user':'u%d','serial':'t%d'", company, person, at);
    if (passes) hand(model, token, person);
}

static void token_replace(struct world *world, int actor, int at, struct m_token *token)
{
    struct model *model = &world->model;
    int by = (int)roll(world, TOKENS);
    struct m_token *next = &model->tokens[by];
    bool old = live(token->place) || (token->place == GONE && token->holder >= 0);
    bool passes = token_over(model, actor, token) && token_over(model, actor, next) && old && next->place == STOCKED &&
                  next->company == token->company && !model->suspended[token->company] &&
                  model->people[token->holder].life == ALIVE;
    if (token->holder >= 0 && armed(model, token->holder) >= ARMED_MAX) return;
    ACT(actor, passes, "stock.replace", ",'serial':'t%d','by':'t%d'", at, by);
    if (!passes) return;
    token->place = SWAPPED;
    hand(model, next, token->holder);
}

#define SERIAL ",'serial':'t%d'", at

static void act_on_token(struct world *world, int actor)
{
    struct model *model = &world->model;
    int at = (int)roll(world, TOKENS);
    struct m_token *token = &model->tokens[at];
    bool may = token_over(model, actor, token), holder_alive, passes;
    uint32_t act = roll(world, 12);
    if (roll(world, 2)) act = token->place < STOCKED ? 0 : token->place == STOCKED ? 2 : act;
    switch (act) {
    case 0:
    case 1:
        token_supply(world, actor, at, token);
        break;
    case 2:
    case 3:
    case 4:
        token_assign(world, actor, at, token);
        break;
    case 5:
        token_replace(world, actor, at, token);
        break;
    case 6:
    case 7:
        passes = may && (live(token->place) || token->place == SWAPPED);
        ACT(actor, passes, "stock.take", SERIAL);
        if (!passes) break;
        token->place = STOCKED;
        token->holder = -1;
        break;
    case 8:
        passes = may && (token->place == HANDED || token->place == PROVEN);
        ACT(actor, passes, "stock.suspend", SERIAL);
        if (passes) token->place = HELD_BACK;
        break;
    case 9:
        holder_alive = token->holder >= 0 && model->people[token->holder].life == ALIVE;
        passes = may && token->place == HELD_BACK && holder_alive && !self(actor, token->holder);
        ACT(actor, passes, "stock.resume", SERIAL);
        if (passes) token->place = PROVEN;
        break;
    case 10:
        if (roll(world, 6)) break; /* what is lost is lost */
        passes = may && (token->place == STOCKED || live(token->place));
        ACT(actor, passes, "stock.lost", SERIAL);
        if (passes) token->place = GONE;
        break;
    default:
        if (roll(world, 12)) break;
        passes =
            may && of_bank(actor) &&
            (token->place == ORDERED || token->place == STOCKED || token->place == GONE || token->place == SWAPPED);
        ACT(actor, passes, "stock.retire", SERIAL);
        if (passes) token->place = SCRAPPED;
        break;
    }
}

/* ---- phones ---- */

static void names_of(int person, char company[16], char user[16])
{
    snprintf(company, 16, "c%d", company_of(person));
    snprintf(user, 16, "u%d", person);
}

static int64_t now_ms(const struct world *world)
{
    return os_time(world->state->worker_os).wall_ms;
}

/* What has ended by itself: an open enrolment. One that is bound only has no way back any more. */
static void way_settle(const struct world *world, struct m_user *user)
{
    if (user->way != BOUND && now_ms(world) >= user->until_ms) user->way = NO_WAY;
}

static json_t *send(struct world *world, json_t *document)
{
    char *text = json_dumps(document, JSON_COMPACT);
    json_t *answer = ask(world, OWNER, "{'act':'enrol.device','document':%s", text);
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
    int company = company_of(person);
    *phone = (struct account){.algorithm = DEVICE_ED25519, .name = "Phone", .platform = "Test"};
    state_ok(device_pair_make(phone->algorithm, phone->sign_private, &key));
    state_ok(hpke_pair_make(HPKE_X25519, phone->seal_private, seal_key));
    assert_true(activation_parse(json_string_value(json_object_get(invited, "activation")), phone->activation));
    json_t *answer = send(world, document_present(phone));
    assert_true(document_bytes(answer, "enrolment", phone->handle, sizeof(phone->handle)));
    sent(world, answer);
    answer = ask(world, OWNER, "{'act':'enrol.vouch'" ABOUT);
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
    user->until_ms = now_ms(world) + ROLLBACK_MS;
    world->model.tokens[TOKENS + person].company = company_of(person);
    world->model.tokens[TOKENS + person].floor = 0;
    hand(&world->model, &world->model.tokens[TOKENS + person], person);
    world->enrolled++;
}

static void serial_learn(struct world *world, int person)
{
    int company = company_of(person);
    size_t i;
    json_t *answer = ask(world, OWNER, "{'act':'user.show'" ABOUT), *token;
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
    int company = company_of(person);
    char statement[64];
    bool proves = false;
    if (user->way == BOUND && now_ms(world) >= user->until_ms) return; /* a second phone: not in this model */
    bool passes = over(model, actor, company) && actor != FEW && model->active[company] && !model->suspended[company] &&
                  user->life == ALIVE && user->phone && (user->way == NO_WAY || user->way == OPEN);
    json_t *answer = ask(world, actor, "{'act':'enrol.invite','deliver':'desk','rollback_hours':1" ABOUT);
    judged(world, answer, passes, "enrol.invite", actor);
    if (passes) user->way = OPEN;
    if (passes) user->until_ms = now_ms(world) + INVITED_MS;
    if (passes && roll(world, 2) && armed(model, person) < ARMED_MAX) {
        phone_present(world, person, answer, statement);
        user->way = BEGUN;
        user->until_ms = now_ms(world) + PRESENTED_MS;
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

static void act_on_phone(struct world *world, int actor)
{
    struct model *model = &world->model;
    int person = (int)roll(world, PEOPLE), company = company_of(person);
    struct m_user *user = &model->people[person];
    way_settle(world, user);
    bool may = over(model, actor, company) && actor != FEW, passes;
    switch (roll(world, 6)) {
    case 0:
        passes = may && (user->way == OPEN || user->way == BEGUN);
        ACT(actor, passes, "enrol.cancel", ABOUT);
        if (passes) user->way = NO_WAY;
        break;
    case 1:
        passes = may && user->way == BOUND && now_ms(world) < user->until_ms && user->life == ALIVE;
        ACT(actor, passes, "enrol.rollback", ABOUT);
        if (passes) unbind(model, person);
        break;
    case 2:
        if (user->device == 0) break;
        passes = may && user->way == BOUND;
        ACT(actor, passes, "device.unbind", ",'device':%d", user->device);
        if (passes) unbind(model, person);
        break;
    default:
        phone_invite(world, actor, person);
        break;
    }
}

/* The phone's code of now, or of a step ago. */
static void present_phone_code(struct world *world)
{
    struct otp_parameters totp = {.type = OTP_TOTP, .algorithm = KERNEL_SHA1, .digits = 6, .period_s = 30};
    int person = (int)roll(world, PEOPLE);
    struct m_user *user = &world->model.people[person];
    struct m_token *token = &world->model.tokens[TOKENS + person];
    const struct account *phone = &world->phones[person];
    if (user->device == 0) return;
    char company[16], name[16];
    uint64_t step = (uint64_t)otp_step(&totp, now_ms(world) / 1000) - roll(world, 2);
    names_of(person, company, name);
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

/* ---- codes, and who needs one ---- */

/* A code of any token for any user, most of the time of the one who has it, near its floor or far from it. */
static void present_code(struct world *world)
{
    struct model *model = &world->model;
    int at = (int)roll(world, TOKENS), person = (int)roll(world, PEOPLE);
    struct m_token *token = &model->tokens[at];
    if (token->holder >= 0 && roll(world, 4)) person = token->holder;
    /* Mostly right ones, since who guesses is soon not listened to. */
    uint64_t counter = token->floor + roll(world, 3);
    if (roll(world, 6) == 0) counter = counter > 3 ? counter - 3 : 0;
    os_sim_advance_ms(world->state->world, roll(world, 200000));
    char company[16], user[16];
    names_of(person, company, user);
    enum otpring_verdict verdict = state_verify(world->state, company, user, state_code((uint32_t)at, counter));
    assert_int_not_equal(verdict, OTPRING_UNAVAILABLE);
    if (verdict != OTPRING_ACCEPTED) return;
    bool accepts =
        (token->place == HANDED || token->place == PROVEN) && token->holder == person && counter >= token->floor;
    if (!accepts) fail_msg("act %llu: a code of t%d was accepted for u%d", (unsigned long long)world->acts, at, person);
    token->floor = counter + 1;
    token->place = PROVEN;
    world->accepted++;
}

static enum otpring_verdict required_model(const struct model *model, int person)
{
    const struct m_user *user = &model->people[person];
    int company = company_of(person);
    if (model->known[company] && !model->active[company]) return OTPRING_NOT_REQUIRED;
    if (user->waived) return OTPRING_NOT_REQUIRED;
    return user->ever ? OTPRING_REQUIRED : OTPRING_UNAVAILABLE;
}

static void required_check(struct world *world, int person)
{
    struct m_user *user = &world->model.people[person];
    struct otpring_wire_query query = {.kind = OTPRING_QUERY_REQUIRED};
    struct otpring_wire_header header = {
        .size = sizeof(header) + sizeof(query), .kind = OTPRING_WIRE_VERIFY, .count = 1};
    struct core_frame frame = {.header = &header, .items = &query, .client = &state_client, .owner = 2};
    enum otpring_wire_error_code error = 0;
    char company[16], name_text[16];
    uint8_t name[16];
    names_of(person, company, name_text);
    core_name(company, strlen(company), name_text, strlen(name_text), name);
    memcpy(query.company, name, 8);
    memcpy(query.account, name + 8, 8);
    assert_true(state_session(world->state));
    header.session = world->state->session;
    header.sequence = ++world->state->sequences[0];
    assert_int_equal(core_frame(world->state->worker, &frame, &error), CORE_TAKEN);
    core_turn(world->state->worker);
    assert_true(state_drain(world->state));
    int verdict = world->state->answer.verdict;
    if (verdict != (int)required_model(&world->model, person)) {
        fail_msg("act %llu: u%d is %s", (unsigned long long)world->acts, person,
                 otpring_verdict_name((unsigned)verdict));
    }
    if (user->last == OTPRING_REQUIRED && verdict == OTPRING_NOT_REQUIRED) assert_true(user->released_since);
    user->last = verdict;
    user->released_since = false;
}

/* Where the model has the virtual token of this serial; -1: it is gone. */
static int phone_of(const struct world *world, const char *serial)
{
    for (int person = 0; person < PEOPLE; person++) {
        if (strcmp(world->model.people[person].serial, serial) == 0) return TOKENS + person;
    }
    return -1;
}

/* The floor of every token that has a line is the model's, so it never fell. */
static void floors_check(struct world *world)
{
    /* Under a clock that was set back: what was done by then is listed all the same. */
    os_sim_step_wall_ms(world->state->world, -DAY_MS);
    json_t *list = ask(world, OWNER, "{'act':'stock.list','limit':1000"), *token;
    os_sim_step_wall_ms(world->state->world, DAY_MS);
    static const char *const places[] = {"",          "ordered", "custody",  "assigned", "active",
                                         "suspended", "lost",    "replaced", "retired"};
    size_t i, count = 0, known = 0;
    for (int at = 0; at < TOKENS; at++) known += world->model.tokens[at].place != NOWHERE;
    json_array_foreach(json_object_get(list, "tokens"), i, token)
    {
        const char *serial = json_string_value(json_object_get(token, "serial"));
        int at = serial[0] == 'v' ? phone_of(world, serial) : atoi(serial + 1);
        if (at < 0) continue; /* of a phone that was one before */
        const struct m_token *wanted = &world->model.tokens[at];
        const json_t *ordinal = json_object_get(token, "ordinal");
        assert_string_equal(json_string_value(json_object_get(token, "state")), places[wanted->place]);
        assert_int_equal(json_is_integer(ordinal), live(wanted->place));
        if (live(wanted->place) && at < TOKENS) {
            assert_int_equal(state_floor(world->state, (uint32_t)json_integer_value(ordinal)), wanted->floor);
        }
        count += at < TOKENS;
    }
    assert_int_equal(count, known);
    json_decref(list);
}

/* ---- the run ---- */

static void key_keep(struct world *world, int actor, const char *fields)
{
    static const char *const names[] = {"", "olga", "otto", "few", "a0", "a1", "a2"};
    json_t *answer = ask(world, OWNER, "{'act':'operator.add','name':'%s'%s", names[actor], fields);
    assert_true(json_is_true(json_object_get(answer, "ok")));
    snprintf(world->keys[actor], sizeof(world->keys[actor]), "%s", json_string_value(json_object_get(answer, "key")));
    json_decref(answer);
}

static void world_begin(struct world *world)
{
    struct model *model = &world->model;
    admin_make(world);
    key_keep(world, OLGA, ",'may':'all'");
    key_keep(world, OTTO, ",'may':'all'");
    key_keep(world, FEW, ",'may':'users,read'");
    for (int i = 0; i < TOKENS_ALL; i++) model->tokens[i] = (struct m_token){.company = -1, .holder = -1};
    for (int company = 0; company < COMPANIES; company++) {
        int person = company * USERS;
        char fields[64];
        ACT(OWNER, true, "company.add", ",'company':'c%d'", company);
        ACT(OWNER, true, "user.add", ABOUT);
        ACT(OWNER, true, "user.set", ",'company':'c%d','user':'u%d','administrator':true", company, person);
        model->known[company] = true;
        model->people[person] = (struct m_user){.life = ALIVE, .administrator = true, .waived = true};
        snprintf(fields, sizeof(fields), ",'company':'c%d','user':'u%d'", company, person);
        key_keep(world, ADMINISTRATOR + company, fields);
    }
}

/* The power fails; what the journal has must be there again. */
static void crash(struct world *world)
{
    admin_destroy(world->admin);
    state_crash(world->state);
    state_ok(state_open(world->state));
    admin_make(world);
    for (int person = 0; person < PEOPLE; person++) required_check(world, person);
    floors_check(world);
    world->crashes++;
}

static void step(struct world *world)
{
    int actor = roll(world, 2) ? (int)roll(world, ACTORS) : (int)roll(world, FEW);
    for (int person = 0; person < PEOPLE; person++) way_settle(world, &world->model.people[person]);
    switch (roll(world, 11)) {
    case 0:
        act_on_company(world, actor);
        break;
    case 1:
    case 2:
    case 3:
        act_on_user(world, actor);
        break;
    case 4:
        act_by_two(world, actor);
        break;
    case 5:
        act_on_request(world, actor);
        break;
    case 6:
        act_on_phone(world, actor);
        break;
    default:
        act_on_token(world, actor);
        break;
    }
    if (roll(world, 2)) present_code(world);
    if (roll(world, 4) == 0) present_phone_code(world);
    required_check(world, (int)roll(world, PEOPLE));
    if (roll(world, 32) == 0) floors_check(world);
    if (roll(world, 400) == 0) crash(world);
}

static void random_acts_do_what_the_model_does_and_nothing_else(void **unused)
{
    (void)unused;
    const char *count = getenv("OTPRING_ACTS"), *seed = getenv("OTPRING_SEED");
    uint64_t acts = count ? strtoull(count, NULL, 10) : 2500, from = seed ? strtoull(seed, NULL, 10) : 1;
    uint64_t total = 0, passed = 0, accepted = 0, crashes = 0, enrolled = 0, by_phone = 0;
    /* A token that is lost is never found again, so worlds end. */
    for (uint64_t number = from; total < acts; number++) {
        struct world *world = calloc(1, sizeof(*world));
        world->random = number * 0x9e3779b97f4a7c15u | 1;
        world->state = state_create(number);
        world_begin(world);
        while (world->acts < 2500 && total + world->acts < acts + 100) step(world);
        crash(world);
        total += world->acts;
        passed += world->passed;
        accepted += world->accepted;
        crashes += world->crashes;
        enrolled += world->enrolled;
        by_phone += world->virtual_accepted;
        admin_destroy(world->admin);
        state_destroy(world->state);
        free(world);
    }
    print_message("counted: %llu acts, %llu passed, %llu codes accepted, %llu crashes, %llu phones enrolled, %llu of "
                  "their codes accepted\n",
                  (unsigned long long)total, (unsigned long long)passed, (unsigned long long)accepted,
                  (unsigned long long)crashes, (unsigned long long)enrolled, (unsigned long long)by_phone);
    assert_true(passed > total / 10 && accepted > 0);
    /* Few acts, as under a sanitizer, may not come as far as a phone. */
    if (total >= 2000) assert_true(enrolled > 0 && by_phone > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_acts_do_what_the_model_does_and_nothing_else)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
