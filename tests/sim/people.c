#include "people.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "admin/acts.h"
#include "core/gate.h"
#include "core/state.h"
#include "otp/otp.h"

static uint64_t counts[PERSON_ACTS];

enum { TEXT_MAX = 4096, LOOK_AHEAD = 8, LIST_MAX = 100, AGAIN_MAX = 50 };

/* The act "backup" is of real folders; simulated stores are copied by backup.c. */
struct result engine_backup(struct engine *engine, struct os *os, struct core_worker *worker,
                            const struct core_actor *actor, const char *folder)
{
    (void)engine;
    (void)os;
    (void)worker;
    (void)actor;
    (void)folder;
    return result_of(BAD_ARGUMENT);
}

const uint64_t *people_counts(void)
{
    return counts;
}

/* ---- asking ---- */

void people_desk_open(struct people_desk *desk, struct machine *machine)
{
    json_object_seed(1); /* else drawn from the time */
    *desk = (struct people_desk){
        .engine = {.os = machine->keeper_os, .store = machine->store, .vault = machine->vault, .core = machine->core}};
    struct admin_options options = {.engine = &desk->engine,
                                    .worker = machine->keeper,
                                    .os = machine->keeper_os,
                                    .inbox = &desk->inbox,
                                    .alone = true};
    CHECK(admin_create(&options, &desk->admin).code == OK);
}

void people_desk_close(struct people_desk *desk)
{
    if (desk->admin) admin_destroy(desk->admin);
    desk->admin = NULL;
}

/* The answer is the caller's, a refusal's too. */
static struct result ask_whatever(struct people_desk *desk, const char *text, json_t **ret_answer)
{
    char *answer = NULL;
    struct result result = admin_request(desk->admin, 0, text, strlen(text), &answer);
    *ret_answer = answer ? json_loads(answer, 0, NULL) : NULL;
    if (answer) admin_text_free(answer);
    return result;
}

/* The answer is the caller's where there is no failure, and else NULL. */
static struct result ask(struct people_desk *desk, const char *text, json_t **ret_answer)
{
    struct result result = ask_whatever(desk, text, ret_answer);
    if (!result_failed(result)) return result;
    json_decref(*ret_answer);
    *ret_answer = NULL;
    return result;
}

/* Single quotes for double ones. */
static void text_make(char text[TEXT_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));
static void text_make(char text[TEXT_MAX], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    CHECK(vsnprintf(text, TEXT_MAX, format, arguments) < TEXT_MAX);
    va_end(arguments);
    for (char *at = text; *at; at++)
        if (*at == '\'') *at = '"';
}

static const char *text_in(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text ? text : "";
}

/* ---- the world that they begin with ---- */

static void seed_of(int user, uint8_t ret_seed[20])
{
    memset(ret_seed, 0x70, 20);
    ret_seed[0] = (uint8_t)(user + 1);
}

static struct result begin_one(struct people_desk *desk, int user)
{
    static const char *const requests[] = {
        "{'act':'company.add','company':'bank-%d'}",
        "{'act':'company.activate','company':'bank-%d','trained':'2020-01-15'}",
        "{'act':'user.add','company':'bank-%d','user':'ana','phone':'+573001234567','name':'Ana'}",
        "{'act':'user.set','company':'bank-%d','user':'ana','administrator':true}",
    };
    char text[TEXT_MAX], secret[64];
    uint8_t seed[20];
    json_t *answer;
    for (unsigned i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        char request[256];
        snprintf(request, sizeof request, requests[i], user);
        text_make(text, "%s", request);
        TRY(ask(desk, text, &answer));
        json_decref(answer);
    }
    seed_of(user, seed);
    TRY(otp_base32_encode(seed, sizeof seed, secret, sizeof secret));
    text_make(text, "{'act':'stock.add','serial':'t%d','secret':'%s','type':'hotp'}", user, secret);
    TRY(ask(desk, text, &answer));
    json_decref(answer);
    text_make(text, "{'act':'stock.give','company':'bank-%d','serial':'t%d'}", user, user);
    TRY(ask(desk, text, &answer));
    json_decref(answer);
    return result_ok();
}

static struct result phone_make(struct phone *phone, int user)
{
    struct account *account = &phone->account;
    struct device_key key;
    uint8_t seal_key[HPKE_PUBLIC_MAX];
    *phone = (struct phone){.sent = PERSON_ACTS};
    account->algorithm = user % 2 ? DEVICE_ES256 : DEVICE_ED25519;
    snprintf(account->name, sizeof account->name, "Phone %d", user);
    snprintf(account->platform, sizeof account->platform, "Sim");
    snprintf(account->push, sizeof account->push, "phone-%d", user);
    TRY(device_pair_make(account->algorithm, account->sign_private, &key));
    return hpke_pair_make(device_kem(account->algorithm), account->seal_private, seal_key);
}

struct result people_begin(struct people_desk *desk, struct people *ret_people)
{
    *ret_people = (struct people){.busy = -1};
    for (int user = 0; user < PEOPLE_COUNT; user++) {
        ret_people->known[user] = person_new();
        TRY(begin_one(desk, user));
        TRY(phone_make(&ret_people->phones[user], user));
    }
    return result_ok();
}

/* ---- looking ---- */

/* A user's state as administrators are shown it; what is not shown stays as in `like`. */
struct seen {
    struct person person;
    int64_t ordinal; /* of the physical token's line; -1: it has none */
    enum otpring_verdict required;
};

static void name_of(int user, uint8_t ret_name[16])
{
    char company[16];
    snprintf(company, sizeof company, "bank-%d", user);
    core_name(company, strlen(company), "ana", 3, ret_name);
}

static uint8_t token_state(const char *state)
{
    if (strcmp(state, "assigned") == 0 || strcmp(state, "active") == 0) return TOKEN_HANDED;
    if (strcmp(state, "suspended") == 0) return TOKEN_HELD_BACK;
    return strcmp(state, "custody") == 0 ? TOKEN_IN_CUSTODY : TOKEN_GONE;
}

static struct result see_tokens(struct people_desk *desk, int user, struct seen *seen)
{
    char text[TEXT_MAX], serial[8];
    json_t *answer;
    snprintf(serial, sizeof serial, "t%d", user);
    text_make(text, "{'act':'stock.list','company':'bank-%d','limit':%d}", user, LIST_MAX);
    TRY(ask(desk, text, &answer));
    const json_t *tokens = json_object_get(answer, "tokens");
    seen->person.phone = TOKEN_IN_CUSTODY;
    for (size_t i = 0; i < json_array_size(tokens); i++) {
        const json_t *token = json_array_get(tokens, i);
        uint8_t state = token_state(text_in(token, "state"));
        if (strcmp(text_in(token, "serial"), serial) != 0) {
            if (state == TOKEN_HANDED || state == TOKEN_HELD_BACK) seen->person.phone = state;
            continue;
        }
        const json_t *ordinal = json_object_get(token, "ordinal");
        seen->person.token = state;
        seen->ordinal = json_is_integer(ordinal) ? json_integer_value(ordinal) : -1;
    }
    json_decref(answer);
    return result_ok();
}

static struct result see_enrolment(struct people_desk *desk, int user, struct person *seen)
{
    char text[TEXT_MAX];
    json_t *answer;
    seen->enrolment = ENROL_NONE;
    text_make(text, "{'act':'enrol.status','company':'bank-%d','user':'ana'}", user);
    struct result result = ask(desk, text, &answer);
    if (result.code == STORE_NOT_FOUND) return result_ok();
    TRY(result);
    for (unsigned state = ENROL_NONE; state <= ENROL_UNBOUND; state++)
        if (strcmp(text_in(answer, "state"), person_enrolment_name(state)) == 0) seen->enrolment = (uint8_t)state;
    seen->needs_code = json_is_true(json_object_get(answer, "needs_code"));
    if (seen->enrolment == ENROL_INVITED) seen->tries = (uint8_t)json_integer_value(json_object_get(answer, "tries"));
    json_decref(answer);
    return result_ok();
}

static struct result see_messages(struct people_desk *desk, int user, struct person *seen)
{
    char text[TEXT_MAX];
    json_t *answer;
    text_make(text, "{'act':'outbox.list','company':'bank-%d','user':'ana','limit':%d}", user, LIST_MAX);
    TRY(ask(desk, text, &answer));
    seen->messages = (uint8_t)json_array_size(json_object_get(answer, "messages"));
    json_decref(answer);
    return result_ok();
}

static struct result see(struct people_desk *desk, int user, const struct person *like, struct seen *ret_seen)
{
    char text[TEXT_MAX];
    uint8_t name[16];
    json_t *answer;
    enum otpring_reason reason;
    struct seen seen = {.person = *like, .ordinal = -1};
    name_of(user, name);
    text_make(text, "{'act':'user.show','company':'bank-%d','user':'ana'}", user);
    TRY(ask(desk, text, &answer));
    seen.person.active = strcmp(text_in(json_object_get(answer, "user"), "state"), "active") == 0;
    json_decref(answer);
    TRY(see_tokens(desk, user, &seen));
    TRY(see_enrolment(desk, user, &seen.person));
    TRY(see_messages(desk, user, &seen.person));
    core_act_lock(desk->engine.core);
    seen.required = core_required(desk->engine.core, name, &reason);
    core_act_unlock(desk->engine.core);
    *ret_seen = seen;
    return result_ok();
}

static bool looks_like(const struct seen *seen, const struct person *person)
{
    const struct person *is = &seen->person;
    return is->active == person->active && is->token == person->token && is->phone == person->phone &&
           is->enrolment == person->enrolment && is->messages == person->messages &&
           (person->enrolment != ENROL_INVITED || is->tries == person->tries) &&
           (person->enrolment != ENROL_INVITED || is->needs_code == person->needs_code) &&
           seen->required == person_required(person);
}

static void told(const char *when, int user, const struct seen *seen, const struct person *person, struct model *model)
{
    const struct person *is = &seen->person;
    model_break(model,
                "%s, user %d is%s active, token %u, phone %u, %s, tries %u, %u messages, %s; known is%s active, token "
                "%u, phone %u, %s, tries %u, %u messages, %s",
                when, user, is->active ? "" : " not", is->token, is->phone, person_enrolment_name(is->enrolment),
                is->tries, is->messages, otpring_verdict_name(seen->required), person->active ? "" : " not",
                person->token, person->phone, person_enrolment_name(person->enrolment), person->tries, person->messages,
                otpring_verdict_name(person_required(person)));
}

/* ---- time ---- */

enum due { DUE_NOT, DUE_PERHAPS, DUE_SURELY };

static int64_t now_ms(struct people_desk *desk)
{
    return core_time_ms(desk->engine.core, desk->engine.os);
}

/* Whether a period that began at `since` was over when something came about that was asked for at `asked`. */
static enum due due_of(struct moment since, int64_t period_s, struct moment asked)
{
    if (period_s == 0 || asked.most_ms < since.least_ms + period_s * 1000) return DUE_NOT;
    return asked.least_ms >= since.most_ms + period_s * 1000 ? DUE_SURELY : DUE_PERHAPS;
}

/* ---- where somebody may stand ---- */

struct candidate {
    struct person person;
    struct moment since; /* of the enrolment's state */
    bool happened;       /* the act under way did */
};

struct candidates {
    struct candidate items[2 + 2 * OUTCOMES_MAX + 2 * PEOPLE_PAST_MAX];
    unsigned count;
};

/* And where that leads when time runs out by now. */
static void may_be(struct candidates *all, const struct person *person, struct moment since, bool happened, int64_t now)
{
    struct person over;
    const struct moment by_now = {.least_ms = since.least_ms, .most_ms = now};
    all->items[all->count++] = (struct candidate){*person, since, happened};
    if (due_of(since, person_period_s(person), by_now) != DUE_NOT && person_runs_out(person, &over))
        all->items[all->count++] = (struct candidate){over, by_now, happened};
}

static void may_have_happened(struct candidates *all, const struct people *people, int user,
                              const struct outcome *outcome, int64_t now)
{
    bool moved = outcome->after.enrolment != people->known[user].enrolment;
    const struct moment moment = {.least_ms = people->asked_ms, .most_ms = now};
    may_be(all, &outcome->after, moved ? moment : people->phones[user].stepped, true, now);
}

static void candidates_all(struct candidates *all, const struct people *people, int user, int64_t now)
{
    all->count = 0;
    may_be(all, &people->known[user], people->phones[user].stepped, false, now);
    for (unsigned i = 0; people->busy == user && i < people->outcome_count; i++)
        may_have_happened(all, people, user, &people->outcomes[i], now);
}

/* Where the user stands, of what they may be; the act under way happened (true) or did not, and is none any more. */
static bool settle(struct people_desk *desk, struct people *people, int user, const char *when,
                   const struct candidates *all, struct model *model)
{
    struct person *known = &people->known[user];
    const struct candidate *found = NULL;
    struct seen seen;
    struct result result = see(desk, user, known, &seen);
    if (result_failed(result)) {
        model_break(model, "%s, user %d cannot be looked at: %s", when, user, result_name(result));
        return false;
    }
    for (unsigned i = 0; i < all->count && !found; i++)
        if (looks_like(&seen, &all->items[i].person)) found = &all->items[i];
    if (!found) told(when, user, &seen, &all->items[0].person, model);
    if (found) {
        *known = found->person;
        people->phones[user].stepped = found->since;
    }
    known->needs_code = seen.person.needs_code; /* a proof that was begun may have found a token that came since */
    if (people->busy == user) people->busy = -1;
    return found && found->happened;
}

/* ---- acts ---- */

static const char *const requests[PERSON_ACTS] = {
    [PERSON_DEACTIVATE] = "{'act':'user.deactivate','company':'bank-%d','user':'ana'}",
    [PERSON_REACTIVATE] = "{'act':'user.reactivate','company':'bank-%d','user':'ana'}",
    [PERSON_RELEASE] = "{'act':'user.release','company':'bank-%d','user':'ana','reason':'asked'}",
    [PERSON_ASSIGN] = "{'act':'stock.assign','company':'bank-%1$d','user':'ana','serial':'t%1$d'}",
    [PERSON_TAKE] = "{'act':'stock.take','serial':'t%d'}",
    [PERSON_SUSPEND] = "{'act':'stock.suspend','serial':'t%d'}",
    [PERSON_RESUME] = "{'act':'stock.resume','serial':'t%d'}",
    [PERSON_INVITE] = "{'act':'enrol.invite','company':'bank-%d','user':'ana','deliver':'desk'}",
    [PERSON_CANCEL] = "{'act':'enrol.cancel','company':'bank-%d','user':'ana'}",
    [PERSON_ROLLBACK] = "{'act':'enrol.rollback','company':'bank-%d','user':'ana'}",
    [PERSON_UNBIND] = "{'act':'device.unbind','device':%d}",
    [PERSON_VOUCH] = "{'act':'enrol.vouch','company':'bank-%d','user':'ana'}",
};

static void code_make(int user, uint32_t counter, char ret_text[8])
{
    struct otp_parameters parameters = {.type = OTP_HOTP, .algorithm = KERNEL_SHA1, .digits = 6};
    uint8_t seed[20];
    seed_of(user, seed);
    snprintf(ret_text, 8, "%06u", otp_code(&parameters, seed, sizeof seed, counter));
}

/* NULL: this phone has nothing to say it with. */
static json_t *document_make(struct people *people, int user, enum person_act act)
{
    struct phone *phone = &people->phones[user];
    struct account other = phone->account;
    char code[8] = "";
    switch (act) {
    case PERSON_PRESENT:
        return phone->account.activation[0] ? document_present(&phone->account) : NULL;
    case PERSON_WRONG_CODE:
        if (!other.activation[0]) return NULL;
        other.activation[ACTIVATION_SIZE - 1] = other.activation[ACTIVATION_SIZE - 1] == '7' ? '8' : '7';
        return document_present(&other);
    case PERSON_PROVE:
        if (!phone->statement[0]) return NULL;
        if (person_needs_code(&people->known[user])) code_make(user, phone->counter++, code);
        return document_prove(&phone->account, phone->statement, code);
    case PERSON_BIND:
        return document_bind(&phone->account);
    case PERSON_STORED:
        return phone->account.seed_size ? document_stored(&phone->account) : NULL;
    default:
        return document_confirm(&phone->account);
    }
}

static struct result status_ask(struct people_desk *desk, struct account *account)
{
    json_t *request = json_pack("{s:s,s:o}", "act", "enrol.device", "document", document_status(account)), *answer;
    char *text = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    struct result result = ask(desk, text, &answer);
    admin_text_free(text);
    TRY(result);
    (void)document_bytes(answer, "nonce", account->nonce, sizeof account->nonce);
    json_decref(answer);
    return result_ok();
}

/* What the asker has learned. */
static void learn(struct people *people, int user, enum person_act act, const json_t *answer, struct model *model)
{
    struct phone *phone = &people->phones[user];
    struct account *account = &phone->account;
    switch (act) {
    case PERSON_INVITE:
        CHECK(activation_parse(text_in(answer, "activation"), account->activation));
        phone->statement[0] = 0;
        account->seed_size = 0;
        break;
    case PERSON_PRESENT:
        CHECK(document_bytes(answer, "enrolment", account->handle, sizeof account->handle));
        break;
    case PERSON_VOUCH:
        snprintf(phone->statement, sizeof phone->statement, "%s", text_in(answer, "statement"));
        break;
    case PERSON_PROVE:
        phone->used = phone->counter;
        break;
    case PERSON_BIND:
        if (!document_open(account, answer)) model_break(model, "user %d: the sealed seed does not open", user);
        break;
    case PERSON_CONFIRM:
        account->device = (uint64_t)json_integer_value(json_object_get(answer, "device"));
        break;
    default:
        break;
    }
}

static bool of_device(enum person_act act)
{
    return act >= PERSON_PRESENT || act == PERSON_WRONG_CODE;
}

/* A statement that is too old proves nothing. */
static enum due statement_due(const struct people *people, int user, enum person_act act, struct moment asked)
{
    bool matters = act == PERSON_PROVE && people->known[user].enrolment == ENROL_PRESENTED;
    return matters ? due_of(people->phones[user].vouched, PERSON_STATEMENT_S, asked) : DUE_NOT;
}

/* What may come of it. Where the time is over for sure a step of the device, and the way back, must find it so; an
 * administrator's act may come before the engine has looked round. */
static void outcomes_make(struct people *people, int user, enum person_act act, struct moment asked)
{
    const struct person *known = &people->known[user];
    struct person over, after;
    enum due due = due_of(people->phones[user].stepped, person_period_s(known), asked);
    enum due stale = statement_due(people, user, act, asked);
    unsigned count = 0;
    bool passes = person_act(known, act, &after);
    if (due != DUE_SURELY || !(of_device(act) || act == PERSON_ROLLBACK)) {
        if (stale != DUE_SURELY) people->outcomes[count++] = (struct outcome){passes, after};
        if (stale != DUE_NOT) people->outcomes[count++] = (struct outcome){false, *known};
    }
    if (due != DUE_NOT && person_runs_out(known, &over)) {
        passes = person_act(&over, act, &after);
        people->outcomes[count++] = (struct outcome){passes, after};
        /* Refused by a look alone; it is put down as over a little later. */
        if (!passes) people->outcomes[count++] = (struct outcome){false, *known};
    }
    people->outcome_count = count;
}

static void past_note(struct people *people, int user, const struct person *before)
{
    if (memcmp(before, &people->known[user], sizeof *before) == 0) return;
    CHECK(people->past_count[user] < PEOPLE_PAST_MAX);
    people->past[user][people->past_count[user]++] = *before;
}

/* The answer to what was asked, against what the model says. */
static struct result judge(struct people_desk *desk, struct people *people, int user, enum person_act act,
                           struct result result, struct model *model)
{
    struct candidates all;
    struct person before = people->known[user];
    const struct moment asked = {people->asked_ms, now_ms(desk)};
    bool unanswered = result_failed(result) && result_class(result) != RESULT_REFUSE;
    people->phones[user].sent = unanswered && of_device(act) ? act : PERSON_ACTS;
    outcomes_make(people, user, act, asked);
    if (unanswered) {
        /* Where the journal is poisoned nothing can be looked at: the next start will tell. */
        if (journal_status(desk->engine.core->journal).poisoned) return result;
        candidates_all(&all, people, user, asked.most_ms);
        if (settle(desk, people, user, "after an act without answer", &all, model))
            model_break(model, "user %d: \"%s\" was done, and answered %s", user, person_act_name(act),
                        result_name(result));
        return result;
    }
    if (people->phones[user].burned && result.code == ENROL_TOKEN_CODE) {
        people->busy = -1;
        return result;
    }
    all.count = 0;
    for (unsigned i = 0; i < people->outcome_count; i++)
        if (people->outcomes[i].passes != result_failed(result))
            may_have_happened(&all, people, user, &people->outcomes[i], asked.most_ms);
    if (all.count == 0) {
        model_break(model, "user %d: \"%s\" is %s", user, person_act_name(act), result_name(result));
        return result_ok();
    }
    if (result_failed(result) && statement_due(people, user, act, asked) != DUE_NOT)
        people->phones[user].statement[0] = 0;
    if (act == PERSON_VOUCH) people->phones[user].vouched = asked;
    counts[act]++;
    (void)settle(desk, people, user, "after an answered act", &all, model);
    past_note(people, user, &before);
    if (person_lets_off(&before, &people->known[user]))
        model_break(model, "user %d was let off without a release", user);
    return result_ok();
}

static struct result send(struct people_desk *desk, struct people *people, int user, enum person_act act,
                          const char *text, struct model *model)
{
    json_t *answer;
    people->asked_ms = now_ms(desk);
    /* A crash may come in the middle: how much later that is nobody knows yet. */
    outcomes_make(people, user, act, (struct moment){people->asked_ms, INT64_MAX / 2});
    people->busy = user;
    struct result result = ask_whatever(desk, text, &answer);
    if (!result_failed(result)) learn(people, user, act, answer, model);
    people->phones[user].burned &= strcmp(text_in(answer, "verdict"), "REPLAYED") == 0;
    json_decref(answer);
    return judge(desk, people, user, act, result, model);
}

static struct result device_act(struct people_desk *desk, struct people *people, int user, enum person_act act,
                                struct model *model)
{
    struct phone *phone = &people->phones[user];
    if (act == PERSON_CONFIRM && people->known[user].enrolment == ENROL_BOUND) TRY(status_ask(desk, &phone->account));
    json_t *document = document_make(people, user, act);
    if (!document) return result_ok();
    json_t *request = json_pack("{s:s,s:o}", "act", "enrol.device", "document", document);
    char *text = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    CHECK(text && strlen(text) < PEOPLE_DOCUMENT_MAX);
    strcpy(phone->document, text);
    admin_text_free(text);
    phone->sent = act;
    return send(desk, people, user, act, phone->document, model);
}

static struct result desk_act(struct people_desk *desk, struct people *people, int user, enum person_act act,
                              struct model *model)
{
    char request[256], text[TEXT_MAX];
    /* Another statement, or another invitation, makes the one before it worthless, whether it is answered or not. */
    if (act == PERSON_VOUCH) people->phones[user].statement[0] = 0;
    if (act == PERSON_INVITE) people->phones[user].account.activation[0] = 0;
    snprintf(request, sizeof request, requests[act],
             act == PERSON_UNBIND ? (int)people->phones[user].account.device : user);
    text_make(text, "%s", request);
    return send(desk, people, user, act, text, model);
}

/* Mostly what brings an enrolment on. */
static enum person_act next_act(const struct people *people, int user, uint64_t drawn)
{
    const struct person *person = &people->known[user];
    const struct phone *phone = &people->phones[user];
    /* Half of the time a user who has left goes on all the same, and must be refused. */
    if (!person->active && drawn >> 8 & 1) return drawn >> 9 & 7 ? PERSON_REACTIVATE : PERSON_CANCEL;
    switch (person->enrolment) {
    case ENROL_INVITED:
        return phone->account.activation[0] ? PERSON_PRESENT : PERSON_INVITE;
    case ENROL_PRESENTED:
        if (person->needs_code && person->token != TOKEN_HANDED) return PERSON_CANCEL;
        return phone->statement[0] ? PERSON_PROVE : PERSON_VOUCH;
    case ENROL_PROVEN:
        return PERSON_BIND;
    case ENROL_BINDING:
        return phone->account.seed_size ? PERSON_STORED : PERSON_BIND;
    case ENROL_BOUND:
        return PERSON_CONFIRM;
    case ENROL_ACTIVE:
        return drawn % 8 == 0 ? PERSON_UNBIND : PERSON_ROLLBACK;
    case ENROL_FINAL:
        return drawn % 2 ? PERSON_CONFIRM : PERSON_ROLLBACK;
    default:
        return drawn % 2 && person->token == TOKEN_IN_CUSTODY ? PERSON_ASSIGN : PERSON_INVITE;
    }
}

/* A code that the token was not asked for costs the account a failure, and a phone that was never presented has no
 * handle: such steps are not drawn. */
static bool senseless(const struct people *people, int user, enum person_act act)
{
    const struct person *person = &people->known[user];
    if (act == PERSON_PROVE)
        return person->enrolment != ENROL_PRESENTED || (person->needs_code && person->token != TOKEN_HANDED);
    if (act == PERSON_STORED || act == PERSON_CONFIRM) return person->enrolment < ENROL_BINDING;
    /* What comes after a final phone is a story of two phones. */
    if (act == PERSON_INVITE && person->enrolment == ENROL_FINAL) return true;
    return act == PERSON_UNBIND && person->enrolment != ENROL_ACTIVE;
}

struct result people_step(struct people_desk *desk, struct people *people, struct model *model,
                          uint64_t (*draw)(void *context), void *context)
{
    int user = (int)(draw(context) % PEOPLE_COUNT);
    struct phone *phone = &people->phones[user];
    /* Who got no answer asks again, the same to the byte. */
    if (phone->sent != PERSON_ACTS) return send(desk, people, user, phone->sent, phone->document, model);
    uint64_t drawn = draw(context);
    enum person_act act = next_act(people, user, drawn >> 8);
    if (drawn % 4 == 0) {
        enum person_act other = (enum person_act)((drawn >> 16) % PERSON_ACTS);
        if (!senseless(people, user, other)) act = other;
    }
    return of_device(act) ? device_act(desk, people, user, act, model) : desk_act(desk, people, user, act, model);
}

/* ---- after a start ---- */

static struct result activate_elsewhere(struct people_desk *desk, struct people *people, int user)
{
    struct account thief = people->phones[(user + 1) % PEOPLE_COUNT].account;
    json_t *answer;
    memcpy(thief.activation, people->phones[user].account.activation, sizeof thief.activation);
    json_t *request = json_pack("{s:s,s:o}", "act", "enrol.device", "document", document_present(&thief));
    char *text = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    struct result result = ask(desk, text, &answer);
    admin_text_free(text);
    json_decref(answer);
    return result;
}

/* An activation code is of one phone, and a code of the physical token is used up. */
static void try_again(struct people_desk *desk, struct people *people, int user, struct model *model)
{
    const struct person *known = &people->known[user];
    const struct phone *phone = &people->phones[user];
    struct table_hit hit;
    struct seen seen;
    if (phone->account.activation[0] && known->enrolment >= ENROL_PRESENTED && known->enrolment <= ENROL_ACTIVE) {
        struct result result = activate_elsewhere(desk, people, user);
        if (result.code != ENROL_CODE)
            model_break(model, "user %d: another phone with the used activation code is told %s", user,
                        result_name(result));
    }
    if (result_failed(see(desk, user, known, &seen)) || seen.ordinal < 0) return;
    if (!table_line(desk->engine.core->table, (uint32_t)seen.ordinal, &hit)) return;
    uint32_t floor = token_floor(atomic_load(&hit.tail->token));
    if (floor < phone->used)
        model_break(model, "user %d: the token's floor is %u after a start, a code below %u was accepted", user, floor,
                    phone->used);
}

/* Whoever got no answer asks again, the same to the byte, until there is one: it must come, since no fault is left. A
 * code whose record lay behind a torn one is used up without having been answered: then the next one passes. */
static void go_on(struct people_desk *desk, struct people *people, int user, struct model *model)
{
    struct phone *phone = &people->phones[user];
    phone->burned = phone->sent == PERSON_PROVE && person_needs_code(&people->known[user]);
    for (unsigned i = 0; phone->sent != PERSON_ACTS && !model->broken[0]; i++) {
        enum person_act act = phone->sent;
        struct result result = send(desk, people, user, act, phone->document, model);
        if (result.code == ENROL_TOKEN_CODE && phone->burned) {
            phone->burned = false;
            result = device_act(desk, people, user, act, model);
        }
        if (result_failed(result) && (i == AGAIN_MAX || result_class(result) != RESULT_RETRY))
            model_break(model, "user %d: after a start \"%s\" is %s", user, person_act_name(act), result_name(result));
        if (result_failed(admin_wait(desk->admin))) return;
    }
    phone->burned = false;
}

void people_check(struct people_desk *desk, struct people *people, struct model *model)
{
    for (int user = 0; user < PEOPLE_COUNT; user++) {
        struct candidates all;
        candidates_all(&all, people, user, now_ms(desk));
        (void)settle(desk, people, user, "after a start", &all, model);
    }
    for (int user = 0; user < PEOPLE_COUNT && !model->broken[0]; user++) {
        go_on(desk, people, user, model);
        if (!model->broken[0]) try_again(desk, people, user, model);
    }
}

/* A backup does not tell how far a counter was used after it: the token that the user has opens nothing, and neither
 * suspending nor resuming it changes that. */
static void token_shut(struct people_desk *desk, struct people *people, int user, struct model *model)
{
    char request[256], text[TEXT_MAX];
    struct table_hit hit;
    struct seen seen;
    json_t *answer;
    const struct person *known = &people->known[user];
    if (result_failed(see(desk, user, known, &seen)) || seen.ordinal < 0) return;
    if (!table_line(desk->engine.core->table, (uint32_t)seen.ordinal, &hit)) return;
    if (!(atomic_load(&hit.tail->flags) & (TABLE_SUSPENDED | TABLE_REMOVED)))
        model_break(model, "user %d: the token counts after a restore, and who knows how far it was used", user);
    if (known->token == TOKEN_HANDED && result_failed(desk_act(desk, people, user, PERSON_SUSPEND, model))) return;
    if (known->token != TOKEN_HELD_BACK || !known->active) return;
    snprintf(request, sizeof request, requests[PERSON_RESUME], user);
    text_make(text, "%s", request);
    struct result result = ask(desk, text, &answer);
    json_decref(answer);
    if (result.code != FLOOR_UNKNOWN && result_class(result) != RESULT_RETRY)
        model_break(model, "user %d: resuming the token after a restore is %s", user, result_name(result));
}

void people_check_restored(struct people_desk *desk, struct people *people, struct model *model)
{
    for (int user = 0; user < PEOPLE_COUNT && !model->broken[0]; user++) {
        struct candidates all;
        candidates_all(&all, people, user, now_ms(desk));
        (void)settle(desk, people, user, "after a restore", &all, model);
        if (!model->broken[0]) try_again(desk, people, user, model);
        if (!model->broken[0]) token_shut(desk, people, user, model);
    }
}

void people_check_damaged(struct people_desk *desk, struct people *people, struct model *model)
{
    for (int user = 0; user < PEOPLE_COUNT && !model->broken[0]; user++) {
        struct candidates all;
        const struct moment ever = {.most_ms = now_ms(desk)};
        candidates_all(&all, people, user, ever.most_ms);
        for (unsigned i = people->past_count[user]; i-- > 0;)
            may_be(&all, &people->past[user][i], ever, false, ever.most_ms);
        (void)settle(desk, people, user, "after a start with damage", &all, model);
    }
}
