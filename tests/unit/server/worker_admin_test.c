/* A worker that serves the administrator's socket. */
#include "worker_fixture.h"

#include "server/limits.h"

/* Gives the request back in brackets. */
static uint32_t bracket(void *context, const struct socket_peer *peer, const uint8_t *json, uint32_t json_size,
                        uint8_t *ret_answer, uint32_t answer_size_max)
{
    assert_ptr_equal(context, &server);
    assert_int_equal(peer->uid, geteuid());
    if (json[0] == '!') return 0;
    uint32_t size = json_size + 2 <= answer_size_max ? json_size : answer_size_max - 2;
    ret_answer[0] = '[';
    memcpy(ret_answer + 1, json, size);
    ret_answer[size + 1] = ']';
    return size + 2;
}

static void begin_admin(void)
{
    server.options.kinds = server_admin_kinds;
    server.options.kind_count = server_admin_kind_count;
    server.options.connections_max = 8;
    server.options.frame_size_max = OTPRING_WIRE_ADMIN_SIZE_MAX;
    server.options.output_max = SERVER_ADMIN_OUTPUT_MAX;
    server.options.admin = bracket;
    server.options.admin_context = &server;
    begin();
}

static void admin_request(int file, const uint8_t *json, uint32_t size)
{
    struct otpring_wire_header header = {.size = 32 + size, .kind = OTPRING_WIRE_ADMIN, .tag = size};
    peer_send(file, &header, sizeof header);
    peer_send(file, json, size);
}

static void admin_requests_of_every_size_are_answered(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 2, 7, 1000, 16384, 16385, 1 << 20, (4 << 20) - 32};
    begin_admin();
    int file = peer_open();
    hello_send(file);
    hello_receive(file);
    uint8_t *json = malloc(4 << 20), *answer = malloc(4 << 20);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (uint32_t at = 0; at < sizes[i]; at++) json[at] = (uint8_t)('a' + (at + i) % 23);
        admin_request(file, json, sizes[i]);
        struct otpring_wire_header header;
        assert_true(peer_receive(file, &header, sizeof header));
        assert_int_equal(header.kind, OTPRING_WIRE_ADMIN_ANSWER);
        assert_int_equal(header.tag, sizes[i]);
        uint32_t expected = sizes[i] + 2 > (4 << 20) - 32 ? (4 << 20) - 32 : sizes[i] + 2;
        assert_int_equal(header.size, 32 + expected);
        assert_true(peer_receive(file, answer, expected));
        assert_int_equal(answer[0], '[');
        assert_memory_equal(answer + 1, json, expected - 2);
        assert_int_equal(answer[expected - 1], ']');
    }
    free(json);
    free(answer);
    close(file);
}

static void the_admin_socket_greets_and_refuses_what_is_not_its_own(void **state)
{
    (void)state;
    begin_admin();
    int file = peer_open();
    hello_send(file);
    struct otpring_wire_hello_answer answer = hello_receive(file);
    assert_int_equal(answer.version, 1);
    assert_int_equal(answer.kinds, 1U << OTPRING_WIRE_HELLO | 1U << OTPRING_WIRE_ADMIN | 1U << OTPRING_WIRE_PING);
    ask(file, 1, 0, 1);
    assert_error(file, OTPRING_ERROR_KIND, OTPRING_WIRE_VERIFY);
    file = peer_open();
    admin_request(file, (const uint8_t *)"{}", 2);
    assert_error(file, OTPRING_ERROR_NO_HELLO, OTPRING_WIRE_ADMIN);
    file = peer_open();
    hello_send(file);
    hello_receive(file);
    admin_request(file, (const uint8_t *)"!", 1);
    assert_closed(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(admin_requests_of_every_size_are_answered),
        TEST(the_admin_socket_greets_and_refuses_what_is_not_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
