/* What holds all along: who needs a code, and where the floors are. */
#include "random_acts.h"

#define DAY_MS ((int64_t)86400000)

void required_check(struct world *world, int person)
{
    struct m_user *user = &world->model.people[person];
    struct otpring_wire_query query = {.kind = OTPRING_QUERY_REQUIRED};
    struct otpring_wire_header header = {
        .size = sizeof(header) + sizeof(query), .kind = OTPRING_WIRE_VERIFY, .count = 1};
    struct core_frame frame = {.header = &header, .items = &query, .client = &state_client, .owner = 2};
    enum otpring_wire_error_code error = 0;
    char company[16], name_text[16];
    uint8_t name[16];
    world_names(person, company, name_text);
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
    if (verdict != (int)model_required(&world->model, person)) {
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

void floors_check(struct world *world)
{
    /* Under a clock that was set back: what was done by then is listed all the same. */
    os_sim_step_wall_ms(world->state->world, -DAY_MS);
    json_t *list = world_ask(world, OWNER, "{'act':'stock.list','limit':1000"), *token;
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
        assert_int_equal(json_is_integer(ordinal), place_live(wanted->place));
        if (place_live(wanted->place) && at < TOKENS) {
            assert_int_equal(state_floor(world->state, (uint32_t)json_integer_value(ordinal)), wanted->floor);
        }
        count += at < TOKENS;
    }
    assert_int_equal(count, known);
    json_decref(list);
}
