/* What the random acts are drawn with, asked with and judged by. */
#include "random_acts.h"

const char *const actor_names[ACTORS] = {"", "olga", "otto", "few", "a0", "a1", "a2"};

uint32_t world_roll(struct world *world, uint32_t sides)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return (uint32_t)((world->random >> 11) % sides);
}

int64_t world_now_ms(const struct world *world)
{
    return os_time(world->state->worker_os).wall_ms;
}

void world_names(int person, char ret_company[16], char ret_user[16])
{
    snprintf(ret_company, 16, "c%d", model_company_of(person));
    snprintf(ret_user, 16, "u%d", person);
}

json_t *world_ask(struct world *world, int actor, const char *format, ...)
{
    static char text[4096];
    char *answer = NULL;
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (actor == OWNER)
        snprintf(text + size, sizeof(text) - (size_t)size, "}");
    else
        snprintf(text + size, sizeof(text) - (size_t)size, ",'operator':'%s','key':'%s'}", actor_names[actor],
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

json_t *world_judged(struct world *world, json_t *answer, bool passes, const char *what, int actor)
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
