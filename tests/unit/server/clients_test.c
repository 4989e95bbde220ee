/* Who may connect, and lists that are replaced under readers. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/clients.h"

static void clients_are_found_by_uid_and_nobody_else_is(void **state)
{
    (void)state;
    const struct core_client array[] = {{.id = 3, .uid = 300}, {.id = 1, .uid = 0}, {.id = 2, .uid = 1000}};
    struct server_clients *clients;
    uint32_t reader;
    assert_int_equal(server_clients_create(array, 3, &clients).code, OK);
    assert_int_equal(server_clients_reader(clients, &reader).code, OK);
    const struct client_list *list = server_clients_read(clients, reader);
    assert_int_equal(client_of(list, 0)->id, 1);
    assert_int_equal(client_of(list, 1000)->id, 2);
    assert_int_equal(client_of(list, 300)->id, 3);
    assert_null(client_of(list, 299));
    assert_null(client_of(list, UINT32_MAX));
    server_clients_destroy(clients);
}

static void one_entry_may_stand_for_whoever_is_not_named(void **state)
{
    (void)state;
    const struct core_client array[] = {{.id = 3, .uid = SERVER_UID_ANY}, {.id = 1, .uid = 0}};
    struct server_clients *clients;
    uint32_t reader;
    assert_int_equal(server_clients_create(array, 2, &clients).code, OK);
    assert_int_equal(server_clients_reader(clients, &reader).code, OK);
    const struct client_list *list = server_clients_read(clients, reader);
    assert_int_equal(client_of(list, 0)->id, 1);
    assert_int_equal(client_of(list, 1234)->id, 3);
    server_clients_destroy(clients);
}

static void an_empty_list_admits_nobody(void **state)
{
    (void)state;
    struct server_clients *clients;
    uint32_t reader;
    assert_int_equal(server_clients_create(NULL, 0, &clients).code, OK);
    assert_int_equal(server_clients_reader(clients, &reader).code, OK);
    assert_null(client_of(server_clients_read(clients, reader), 0));
    server_clients_destroy(clients);
}

static void two_clients_of_one_uid_are_refused(void **state)
{
    (void)state;
    const struct core_client array[] = {{.id = 3, .uid = 300}, {.id = 1, .uid = 7}, {.id = 2, .uid = 300}};
    struct server_clients *clients;
    assert_int_equal(server_clients_create(array, 3, &clients).code, BAD_ARGUMENT);
}

struct reading {
    struct server_clients *clients;
    _Atomic bool stop;
};

static void *read_on(void *argument)
{
    struct reading *reading = argument;
    uint32_t reader;
    assert_int_equal(server_clients_reader(reading->clients, &reader).code, OK);
    const struct client_list *list = server_clients_read(reading->clients, reader);
    while (!reading->stop) {
        assert_int_equal(client_of(list, 5)->uid, 5);
        if (server_clients_changed(reading->clients, list)) list = server_clients_read(reading->clients, reader);
    }
    return NULL;
}

static void a_list_lives_as_long_as_its_reader_holds_it(void **state)
{
    (void)state;
    struct reading reading = {0};
    struct core_client array[] = {{.id = 1, .uid = 5}, {.id = 2, .uid = 6}};
    assert_int_equal(server_clients_create(array, 2, &reading.clients).code, OK);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) assert_int_equal(pthread_create(&threads[i], NULL, read_on, &reading), 0);
    for (int i = 0; i < 2000; i++) assert_int_equal(server_clients_replace(reading.clients, array, 1 + i % 2).code, OK);
    reading.stop = true;
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    server_clients_destroy(reading.clients);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_are_found_by_uid_and_nobody_else_is),
        cmocka_unit_test(one_entry_may_stand_for_whoever_is_not_named),
        cmocka_unit_test(an_empty_list_admits_nobody),
        cmocka_unit_test(two_clients_of_one_uid_are_refused),
        cmocka_unit_test(a_list_lives_as_long_as_its_reader_holds_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
