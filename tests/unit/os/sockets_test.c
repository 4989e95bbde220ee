/* Listening Unix sockets: their file modes, stale files, and who a peer is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/sockets.h"

static char folder[64];
static char path[96];

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/otpring-sockets-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/a.sock", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void the_file_has_the_mode_asked_for_whatever_the_umask(void **state)
{
    (void)state;
    static const unsigned modes[] = {0600, 0660, 0666, 0};
    static const mode_t masks[] = {0, 022, 077, 0777};
    for (int m = 0; m < 4; m++) {
        for (int u = 0; u < 4; u++) {
            int file;
            struct stat found;
            mode_t before = umask(masks[u]);
            assert_int_equal(socket_listen(path, modes[m], &file).code, OK);
            umask(before);
            assert_int_equal(stat(path, &found), 0);
            assert_int_equal(found.st_mode & 07777, modes[m]);
            socket_close(file);
            unlink(path);
        }
    }
}

static void a_stale_socket_file_is_replaced(void **state)
{
    (void)state;
    int file;
    assert_int_equal(socket_listen(path, 0600, &file).code, OK);
    socket_close(file);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(socket_listen(path, 0600, &file).code, OK);
    int peer;
    assert_int_equal(socket_connect(path, &peer).code, OK);
    socket_close(peer);
    socket_close(file);
}

static void a_socket_that_somebody_listens_on_is_left_alone(void **state)
{
    (void)state;
    int file, second = -7, peer;
    assert_int_equal(socket_listen(path, 0600, &file).code, OK);
    assert_int_equal(socket_listen(path, 0600, &second).code, SOCKET_IN_USE);
    assert_int_equal(second, -7);
    assert_int_equal(socket_connect(path, &peer).code, OK);
    socket_close(peer);
    socket_close(file);
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
    (void)state;
    int file;
    FILE *other = fopen(path, "w");
    fputs("mine", other);
    fclose(other);
    assert_int_equal(socket_listen(path, 0600, &file).code, SOCKET_BAD_PATH);
    struct stat found;
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_size, 4);
}

static void paths_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    char name[200];
    int file;
    memset(name, 'a', sizeof name);
    name[108] = 0;
    assert_int_equal(socket_listen(name, 0600, &file).code, SOCKET_BAD_PATH);
    assert_int_equal(socket_connect(name, &file).code, SOCKET_BAD_PATH);
    assert_int_equal(socket_listen("", 0600, &file).code, SOCKET_BAD_PATH);
    assert_int_equal(socket_listen("/nonexistent-folder/a.sock", 0600, &file).code, OS_NOT_FOUND);
}

static void a_peer_is_known_by_its_credentials(void **state)
{
    (void)state;
    int file, peer;
    struct socket_peer who;
    assert_int_equal(socket_listen(path, 0600, &file).code, OK);
    assert_int_equal(socket_connect(path, &peer).code, OK);
    int accepted = accept(file, NULL, NULL);
    assert_int_equal(socket_peer_of(accepted, &who).code, OK);
    assert_int_equal(who.uid, geteuid());
    assert_int_equal(who.gid, getegid());
    assert_int_equal(who.pid, getpid());
    assert_true(result_failed(socket_peer_of(-1, &who)));
    socket_close(accepted);
    socket_close(peer);
    socket_close(file);
}

static void only_listening_unix_sockets_are_adopted(void **state)
{
    (void)state;
    char found[16];
    int file, pair[2], internet = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(socket_listen(path, 0600, &file).code, OK);
    assert_int_equal(socket_adopt(pair[0], found, sizeof found).code, BAD_ARGUMENT);
    assert_int_equal(socket_adopt(internet, found, sizeof found).code, BAD_ARGUMENT);
    assert_int_equal(socket_adopt(0x7fff, found, sizeof found).code, BAD_ARGUMENT);
    assert_int_equal(socket_adopt(file, found, sizeof found).code, OK);
    assert_int_equal(strlen(found), 15);
    assert_memory_equal(found, path, 15);
    close(internet);
    close(pair[0]);
    close(pair[1]);
    socket_close(file);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_file_has_the_mode_asked_for_whatever_the_umask),
        TEST(a_stale_socket_file_is_replaced),
        TEST(a_socket_that_somebody_listens_on_is_left_alone),
        TEST(a_file_that_is_no_socket_is_left_alone),
        TEST(paths_that_do_not_fit_are_refused),
        TEST(a_peer_is_known_by_its_credentials),
        TEST(only_listening_unix_sockets_are_adopted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
