/* The configuration: what is taken, and how everything else is refused by name and line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "otpringd/config.h"

static bool lookup(const char *name, uint32_t *ret_uid)
{
    *ret_uid = 4242;
    return !strcmp(name, "radius");
}

static struct config config;

static void assert_taken(const char *text)
{
    char error[CONFIG_ERROR_SIZE] = "";
    config_defaults(&config);
    struct result result = config_parse(&config, text, strlen(text), lookup, error);
    if (result_failed(result)) print_error("%s\n", error);
    assert_int_equal(result.code, OK);
}

static void assert_refused(const char *text, const char *wanted)
{
    char error[CONFIG_ERROR_SIZE] = "";
    config_defaults(&config);
    assert_int_equal(config_parse(&config, text, strlen(text), lookup, error).code, BAD_CONFIG);
    assert_string_equal(error, wanted);
}

static void every_key_of_the_daemon_s_section_is_taken(void **state)
{
    (void)state;
    assert_taken("# all of them\n[otpringd]\nstore = /srv/otp\nkey=/etc/otp.key\nkernel = portable\nworkers = "
                 "3\nverify-cpus = 1,4-6\n"
                 "insecure-memory = yes\nno-sandbox = off\njournal-keep = 8G\njournal-keep-days = 30\nsegment-size = "
                 "16M\ntokens-max = 2M\n"
                 "session-idle = 60\nconnections-max = 99 ; few\noutbox-max = 7\nmarks-max = 32M\nverify-mode = "
                 "0660\nadmin-mode = 600\n");
    assert_string_equal(config.store, "/srv/otp");
    assert_string_equal(config.key, "/etc/otp.key");
    assert_string_equal(config.kernel, "portable");
    assert_int_equal(config.workers, 3);
    assert_string_equal(config.verify_cpus, "1,4-6");
    assert_true(config.insecure_memory);
    assert_false(config.no_sandbox);
    assert_int_equal(config.journal_keep, 8ULL << 30);
    assert_int_equal(config.journal_keep_days, 30);
    assert_int_equal(config.segment_size, 16 << 20);
    assert_int_equal(config.tokens_max, 2 << 20);
    assert_int_equal(config.session_idle_s, 60);
    assert_int_equal(config.connections_max, 99);
    assert_int_equal(config.outbox_max, 7);
    assert_int_equal(config.marks_max, 32 << 20);
    assert_int_equal(config.verify_mode, 0660);
    assert_int_equal(config.admin_mode, 0600);
}

static void clients_are_read_with_uid_companies_and_rights(void **state)
{
    (void)state;
    assert_taken("[client web]\nuid = 1001\ncompanies = Bank, Other Bank\n  Third\nrights = verify\n"
                 "[client radius one]\nrights = verify|states, ask\nuid = radius\n");
    assert_int_equal(config.client_count, 2);
    const struct core_client *web = &config.clients[0], *radius = &config.clients[1];
    assert_string_equal(web->name, "web");
    assert_int_equal(web->uid, 1001);
    assert_int_equal(web->rights, CORE_RIGHT_VERIFY);
    assert_int_equal(web->company_count, 3);
    /* The beginning of what sha256sum gives for "Bank". */
    static const uint8_t bank[8] = {0x67, 0x6c, 0x47, 0x1b, 0xc8, 0xdc, 0x3d, 0x13};
    assert_memory_equal(web->companies[0], bank, 8);
    assert_string_equal(radius->name, "radius one");
    assert_int_equal(radius->uid, 4242);
    assert_int_equal(radius->rights, CORE_RIGHT_VERIFY | CORE_RIGHT_SEE_STATES | CORE_RIGHT_ASK);
    assert_int_equal(radius->company_count, 0);
    assert_int_not_equal(web->id, 0);
    assert_int_not_equal(web->id, radius->id);
}

static void a_client_s_number_follows_from_its_name_alone(void **state)
{
    (void)state;
    assert_taken("[client web]\nuid=1\nrights=verify\n[client app]\nuid=2\nrights=verify\n");
    uint16_t web = config.clients[0].id, app = config.clients[1].id;
    assert_taken("[client app]\nuid=8\nrights=ask\n[client web]\nuid=9\nrights=ask\n");
    assert_int_equal(config.clients[0].id, app);
    assert_int_equal(config.clients[1].id, web);
}

static void unknown_keys_and_sections_are_refused_by_name_and_line(void **state)
{
    (void)state;
    assert_refused("[otpringd]\nworkers=1\n\nworkres = 2\n", "line 4: unknown key \"workres\"");
    assert_refused("[otpring]\nworkers=1\n", "line 2: unknown section [otpring]");
    assert_refused("workers=1\n", "line 1: a key before any section; [otpringd] comes first");
    assert_refused("[client web]\nuid=1\nright=verify\n",
                   "line 3: unknown key \"right\" in [client web]; it takes uid, companies, rights, challenges");
    assert_refused("[otpringd]\nworkers\n", "line 2: neither [section] nor key = value");
    assert_refused("[otpringd\nworkers=1\n", "line 1: neither [section] nor key = value");
}

static void lists_of_processors_name_each_of_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int count, first, last;
    } lists[] = {{"0", 1, 0, 0},       {"7", 1, 7, 7},     {"2-5", 4, 2, 5},       {"5-5", 1, 5, 5},
                 {"0,2-3,9", 4, 0, 9}, {"3,1,3", 2, 1, 3}, {"1023", 1, 1023, 1023}};
    static const char *const others[] = {"",     ",",      "1,", ",1", "-1", "1-",   "3-1", "1-2-3",
                                         "1024", "0-1024", "x",  "1 ", " 1", "1,,2", "+1",  "99999999999999999999"};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        cpu_set_t set;
        assert_true(cpus_parse(lists[i].text, &set));
        assert_int_equal(CPU_COUNT(&set), lists[i].count);
        assert_true(CPU_ISSET(lists[i].first, &set) && CPU_ISSET(lists[i].last, &set));
    }
    cpu_set_t set;
    assert_true(cpus_parse("2,5-6", &set));
    static const int in_turn[] = {2, 5, 6, 2, 5};
    for (unsigned i = 0; i < sizeof in_turn / sizeof in_turn[0]; i++) {
        cpu_set_t one = cpus_nth(&set, i);
        assert_true(CPU_COUNT(&one) == 1 && CPU_ISSET(in_turn[i], &one));
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) assert_false(cpus_parse(others[i], &(cpu_set_t){0}));
}

static void bad_values_are_refused_by_name_and_line(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"workers = 0", "workers: \"0\" is not a number from 1 to 60"},
        {"workers = 61", "workers: \"61\" is not a number from 1 to 60"},
        {"workers = -1", "workers: \"-1\" is not a number from 1 to 60"},
        {"workers = 2x", "workers: \"2x\" is not a number from 1 to 60"},
        {"workers =", "workers: \"\" is not a number from 1 to 60"},
        {"insecure-memory = maybe", "insecure-memory: \"maybe\" is not yes or no"},
        {"verify-mode = 0777", "verify-mode: \"0777\" is not an octal mode such as 0660"},
        {"verify-mode = 9", "verify-mode: \"9\" is not an octal mode such as 0660"},
        {"journal-keep = 1K",
         "journal-keep: \"1K\" is not a number from 4194304 to 1125899906842624, K, M, G or T after it"},
        {"journal-keep = 99999999999999999999", "journal-keep: \"99999999999999999999\" is not a number from 4194304 "
                                                "to 1125899906842624, K, M, G or T after it"},
        {"store =", "store: \"\" is not a path"},
        {"verify-cpus = 3-1", "verify-cpus: \"3-1\" is not a list of processors such as 0,2-5"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[256], wanted[CONFIG_ERROR_SIZE];
        snprintf(text, sizeof text, "[otpringd]\n%s\n", cases[i][0]);
        snprintf(wanted, sizeof wanted, "line 2: %s", cases[i][1]);
        assert_refused(text, wanted);
    }
}

static void consents_belong_on_the_command_line(void **state)
{
    (void)state;
    assert_refused("[otpringd]\ntake-over = yes\n", "line 2: \"take-over\" is for the command line alone");
    assert_refused("[otpringd]\nrestore-now = 1\n", "line 2: \"restore-now\" is for the command line alone");
}

static void what_stands_twice_is_refused(void **state)
{
    (void)state;
    assert_refused("[otpringd]\nworkers=1\nworkers=2\n", "line 3: \"workers\" stands there twice");
    assert_refused("[client a]\nuid=1\nrights=ask\n[otpringd]\nworkers=1\n[client a]\nuid=2\n",
                   "line 7: [client a] stands there twice");
    assert_refused("[client a]\nuid=1\nrights=verify\n[client b]\nuid=1\n",
                   "line 5: uid 1 belongs to client a already");
    assert_refused("[client a]\nuid=1\nuid=2\n", "line 3: uid stands there twice");
}

static void clients_lacking_something_are_refused_at_their_section(void **state)
{
    (void)state;
    assert_refused("[client a]\nrights=verify\n", "line 2: [client a] lacks uid=");
    assert_refused("[client a]\nuid=1\n[client b]\nuid=2\nrights=ask\n", "line 2: [client a] lacks rights=");
    assert_refused("[client a]\nuid=nobody-here\nrights=ask\n", "line 2: uid: there is no user \"nobody-here\"");
    assert_refused("[client a]\nuid=1\nrights=everything\n",
                   "line 3: rights: \"everything\" is not verify, enrol, ask or states");
    assert_refused("[client ]\nuid=1\n", "line 2: a [client NAME] section needs a name");
}

static void lines_that_the_parser_would_cut_are_refused(void **state)
{
    (void)state;
    char text[512] = "[otpringd]\nstore = /";
    memset(text + strlen(text), 'a', 250);
    assert_refused(text, "line 2: longer than 198 bytes");
    char error[CONFIG_ERROR_SIZE];
    static const char zero[] = "[otpringd]\nwork\0ers=1\n";
    assert_int_equal(config_parse(&config, zero, sizeof zero - 1, lookup, error).code, BAD_CONFIG);
    assert_string_equal(error, "line 2: a zero byte");
}

static void the_owner_and_root_are_added_unless_configured(void **state)
{
    (void)state;
    char error[CONFIG_ERROR_SIZE];
    assert_taken("[client web]\nuid=1001\nrights=verify\n");
    assert_int_equal(config_add_owner(&config, 1000, error).code, OK);
    assert_int_equal(config.client_count, 3);
    assert_int_equal(config.clients[1].uid, 1000);
    assert_int_equal(config.clients[2].uid, 0);
    assert_taken("[client web]\nuid=1001\nrights=verify\n");
    assert_int_equal(config_add_owner(&config, 1001, error).code, OK);
    assert_int_equal(config.client_count, 2);
    assert_int_equal(config.clients[0].rights, CORE_RIGHT_VERIFY);
}

static void what_a_reload_cannot_change_is_named(void **state)
{
    (void)state;
    static struct config wanted;
    char names[128];
    config_defaults(&config);
    config_defaults(&wanted);
    config_restart_needed(&config, &wanted, names, sizeof names);
    assert_string_equal(names, "");
    wanted.workers = 7;
    wanted.verify_mode = 0660;
    strcpy(wanted.kernel, "portable");
    config_restart_needed(&config, &wanted, names, sizeof names);
    assert_string_equal(names, "kernel, workers, verify-mode");
}

static void times_are_seconds_or_utc(void **state)
{
    (void)state;
    char error[CONFIG_ERROR_SIZE];
    config_defaults(&config);
    assert_int_equal(config_set(&config, "restore-now", "1767225600", false, error).code, OK);
    assert_true(config.restore_now_ms == 1767225600000);
    assert_int_equal(config_set(&config, "restore-now", "2026-01-01T00:00:00Z", false, error).code, OK);
    assert_true(config.restore_now_ms == 1767225600000);
    assert_int_equal(config_set(&config, "restore-now", "yesterday", false, error).code, BAD_CONFIG);
    assert_int_equal(config_set(&config, "restore-now", "0", false, error).code, BAD_CONFIG);
}

int main(void)
{
    setenv("TZ", "America/Lima", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_of_the_daemon_s_section_is_taken),
        cmocka_unit_test(clients_are_read_with_uid_companies_and_rights),
        cmocka_unit_test(a_client_s_number_follows_from_its_name_alone),
        cmocka_unit_test(unknown_keys_and_sections_are_refused_by_name_and_line),
        cmocka_unit_test(lists_of_processors_name_each_of_them),
        cmocka_unit_test(bad_values_are_refused_by_name_and_line),
        cmocka_unit_test(consents_belong_on_the_command_line),
        cmocka_unit_test(what_stands_twice_is_refused),
        cmocka_unit_test(clients_lacking_something_are_refused_at_their_section),
        cmocka_unit_test(lines_that_the_parser_would_cut_are_refused),
        cmocka_unit_test(the_owner_and_root_are_added_unless_configured),
        cmocka_unit_test(what_a_reload_cannot_change_is_named),
        cmocka_unit_test(times_are_seconds_or_utc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
