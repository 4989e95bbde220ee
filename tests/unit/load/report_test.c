/* What a run came to, in words and as JSON: what a reader judges it by. */
#include "helpers.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "otpring-load/report.h"

struct world {
    struct load_options options;
    struct run_result *result;
    struct report report;
};

static void begin(struct world *world)
{
    *world = (struct world){.result = calloc(1, sizeof *world->result)};
    load_options_default(&world->options);
    world->report = (struct report){.options = &world->options,
                                    .result = world->result,
                                    .seconds = 2,
                                    .kernel = "fake",
                                    .own_kernel = "fake",
                                    .company = "otpring-load-x"};
    /* Three frames of sixteen. */
    histogram_add(&world->result->latency, 1000, 16);
    histogram_add_spaced(&world->result->latency, 2000, 10, 2, 16);
}

static char *printed(const struct world *world)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    report_print(&world->report, out);
    fclose(out);
    return text;
}

static json_t *json(const struct world *world)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_int_equal(report_print_json(&world->report, out), 0);
    fclose(out);
    json_t *whole = json_loads(text, 0, NULL);
    assert_non_null(whole);
    free(text);
    return whole;
}

static void it_says_of_how_many_frames_the_percentiles_are(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    char *text = printed(&world);
    json_t *whole = json(&world);
    assert_non_null(strstr(text, ", of 3 frames\n"));
    assert_int_equal(json_integer_value(json_object_get(whole, "frames")), 3);
    json_decref(whole);
    free(text);
    free(world.result);
}

static void the_daemon_is_blamed_only_where_there_were_accounts(void **state)
{
    (void)state;
    static const char limit[] = "\nlimited by the accounts: one code an account and second\n";
    struct world world;
    begin(&world);
    for (int limited = 0; limited < 2; limited++) {
        world.result->unsent = 48;
        world.result->limited = limited;
        char *text = printed(&world);
        json_t *whole = json(&world);
        assert_non_null(strstr(text, limited ? "not sent        48 due\n" : "48 due, but the daemon was behind\n"));
        assert_true(!strstr(text, limit) == !limited);
        assert_true(json_is_boolean(json_object_get(whole, "limited_by_accounts")));
        assert_true(json_is_true(json_object_get(whole, "limited_by_accounts")) == limited);
        json_decref(whole);
        free(text);
    }
    free(world.result);
}

/* Whatever the line held, its answer can be read. */
static void a_refused_line_is_one_line_of_json(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    report_print_refused("--batch: \"\xff\x01\" is not", out);
    fclose(out);
    json_t *whole = json_loads(text, 0, NULL);
    assert_non_null(whole);
    assert_string_equal(json_string_value(json_object_get(whole, "error")), "--batch: \"?\?\" is not");
    assert_int_equal(json_integer_value(json_object_get(whole, "unexpected")), 0);
    assert_true(json_is_integer(json_object_get(whole, "unanswered")));
    assert_true(strchr(text, '\n') == text + size - 1);
    json_decref(whole);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_of_how_many_frames_the_percentiles_are),
        cmocka_unit_test(the_daemon_is_blamed_only_where_there_were_accounts),
        cmocka_unit_test(a_refused_line_is_one_line_of_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
