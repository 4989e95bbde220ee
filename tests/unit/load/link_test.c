/* Links that are slow to come about, or do not. */
#include "helpers.h"

#include <endian.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "otpring-load/link.h"
#include "otpring-load/replay.h"

enum { HEADER_SIZE = sizeof(struct otpring_wire_header), SLOW_US = 100000, ALARM_US = 3000 };

struct slow_daemon {
    char folder[64];
    char path[96];
    int listener;
    pthread_t thread;
};

/* Greets one connection, after a while. */
static void *slow_main(void *argument)
{
    struct slow_daemon *daemon = argument;
    struct {
        struct otpring_wire_header header;
        struct otpring_wire_hello hello;
    } asked;
    struct {
        struct otpring_wire_header header;
        struct otpring_wire_hello_answer hello;
    } answer = {.header = {.size = htole32(sizeof answer), .kind = htole16(OTPRING_WIRE_HELLO_ANSWER)}};
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    int file = accept(daemon->listener, NULL, NULL);
    if (file < 0 || recv(file, &asked, sizeof asked, MSG_WAITALL) != sizeof asked) return NULL;
    answer.hello = (struct otpring_wire_hello_answer){.version = htole16(OTPRING_WIRE_VERSION),
                                                      .slots = asked.hello.slots,
                                                      .items_max = asked.hello.items_max,
                                                      .session = htole64(7)};
    usleep(SLOW_US);
    /* In two pieces, so that the second is waited for too. */
    bool sent = send(file, &answer, HEADER_SIZE + 3, MSG_NOSIGNAL) == HEADER_SIZE + 3;
    usleep(SLOW_US);
    const char *rest = (const char *)&answer + HEADER_SIZE + 3;
    sent = sent && send(file, rest, sizeof answer - HEADER_SIZE - 3, MSG_NOSIGNAL) > 0;
    close(file);
    return sent ? daemon : NULL;
}

static void slow_start(struct slow_daemon *daemon)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    *daemon = (struct slow_daemon){.folder = "/tmp/otpring-link-XXXXXX"};
    assert_non_null(mkdtemp(daemon->folder));
    snprintf(daemon->path, sizeof daemon->path, "%s/verify.sock", daemon->folder);
    memcpy(address.sun_path, daemon->path, strlen(daemon->path) + 1);
    daemon->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(daemon->listener, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(daemon->listener, 1), 0);
    assert_int_equal(pthread_create(&daemon->thread, NULL, slow_main, daemon), 0);
}

static void slow_stop(struct slow_daemon *daemon)
{
    void *greeted;
    assert_int_equal(pthread_join(daemon->thread, &greeted), 0);
    assert_ptr_equal(greeted, daemon);
    close(daemon->listener);
    unlink(daemon->path);
    rmdir(daemon->folder);
}

static volatile sig_atomic_t alarms;

static void on_alarm(int number)
{
    (void)number;
    alarms++;
}

static void alarm_every(long every_us)
{
    struct itimerval timer = {.it_interval.tv_usec = every_us, .it_value.tv_usec = every_us};
    assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

/* A call on a socket with a time limit ends at any signal, and where a ring of the same thread has work to do:
 * SA_RESTART makes no difference. */
static void a_link_comes_about_however_often_its_calls_are_ended_early(void **state)
{
    (void)state;
    struct slow_daemon daemon;
    struct link link;
    struct room room = {0};
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    slow_start(&daemon);
    alarms = 0;
    alarm_every(ALARM_US);
    int opened = link_open(&link, daemon.path, 3, 5, &(struct link_kept){0}, &room);
    alarm_every(0);
    if (opened) fail_msg("%s", link.error);
    assert_true(alarms > 2);
    assert_int_equal(link.session, 7);
    link_close(&link, NULL);
    room_free(&room);
    slow_stop(&daemon);
}

static void a_replay_whose_link_cannot_be_opened_says_so(void **state)
{
    (void)state;
    struct load_options options;
    load_options_default(&options);
    options.connections = 2;
    options.in_flight = 3;
    struct traffic_frame frame = {.count = 1};
    struct traffic_item item = {.kind = TRAFFIC_NOBODY};
    struct traffic traffic = {.items = &item, .item_count = 1, .frames = &frame, .frame_count = 1, .greatest_frame = 1};
    struct accounts accounts = {.company = "otpring-load-test", .count = 1};
    const volatile sig_atomic_t stop = 0;
    struct replay replay = {.options = &options,
                            .accounts = &accounts,
                            .traffic = &traffic,
                            .path = "/nonexistent/verify.sock",
                            .stop = &stop};
    struct replay_result *result = calloc(1, sizeof *result);
    assert_non_null(result);
    replay_run(&replay, result);
    assert_non_null(strstr(result->error, "/nonexistent/verify.sock"));
    assert_non_null(strstr(result->error, "No such file"));
    assert_int_equal(result->sent + result->unanswered, 0);
    free(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_comes_about_however_often_its_calls_are_ended_early),
        cmocka_unit_test(a_replay_whose_link_cannot_be_opened_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
