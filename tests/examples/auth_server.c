/* How an auth server asks otpring, in C: one code, then a batch.
 *
 *   cc -o auth_server auth_server.c $(pkg-config --cflags --libs otpring)
 *   auth_server STORE/verify.sock COMPANY USER CODE [USER CODE]...
 *
 * The first user is verified alone, all of them then as one batch (so the first code, once ACCEPTED, is REPLAYED
 * there). Exit: 0 the first code was accepted, 1 it was not, 2 usage, 3 ask again. */
#include <stdio.h>
#include <string.h>

#include <otpring/client.h>

enum { USERS_MAX = 1024 };

static int ask(struct otpring_client *client, const struct otpring_query *queries, size_t count,
               struct otpring_answer *answers)
{
    int error = otpring_verify(client, queries, count, answers);
    if (error) fprintf(stderr, "auth_server: not decided, ask again: %s\n", otpring_last_error(client));
    return error;
}

static int run(struct otpring_client *client, const struct otpring_query *queries, size_t count)
{
    static struct otpring_answer answers[USERS_MAX];
    if (ask(client, queries, 1, answers)) return 3;
    enum otpring_verdict first = answers[0].verdict;
    printf("%s\t%s\n", queries[0].user, otpring_verdict_name(first));
    if (ask(client, queries, count, answers)) return 3;
    for (size_t i = 0; i < count; i++) {
        printf("batch\t%s\t%s\n", queries[i].user, otpring_verdict_name(answers[i].verdict));
    }
    return first == OTPRING_ACCEPTED ? 0 : first == OTPRING_UNAVAILABLE ? 3 : 1;
}

int main(int argc, char **argv)
{
    static struct otpring_query queries[USERS_MAX];
    if (argc < 5 || argc % 2 == 0 || (argc - 3) / 2 > USERS_MAX) {
        fprintf(stderr, "usage: auth_server STORE/verify.sock COMPANY USER CODE [USER CODE]...\n");
        return 2;
    }
    size_t count = 0;
    for (int i = 3; i < argc; i += 2) {
        queries[count++] = (struct otpring_query){
            .company = argv[2],
            .user = argv[i],
            .code = argv[i + 1],
            .source = otpring_source("192.0.2.1"), /* the address that the user came from */
        };
    }
    struct otpring_client *client;
    int error = otpring_open(&(struct otpring_options){.socket_path = argv[1]}, &client);
    if (error) {
        fprintf(stderr, "auth_server: %s\n", otpring_error_text(error));
        return 2;
    }
    int status = run(client, queries, count);
    otpring_close(client);
    return status;
}
