/* otpring-relay: delivers the messages of the outbox. Holds no seeds and opens no store: it asks the daemon. */
#include <argp.h>
#include <malloc.h>
#include <mosquitto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "os/arena.h"
#include "otpring-relay/files.h"
#include "otpring-relay/folder.h"
#include "otpring-relay/relay.h"
#include "otpringd/log.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, CONFIG_FILE_SIZE_MAX = 1 << 20 };

static const char doc[] =
    "Delivers the messages of an otpring store to people: takes them from otpringd's admin.sock, and sends them by the "
    "ways "
    "of the configuration, webhooks (HTTPS) and MQTT brokers, until SIGTERM.\v"
    "Each message is delivered at least once, and those of one user in their order. Its id (Idempotency-Key in a "
    "webhook, "
    "id in the sample bodies) is the same every time; what may have come before is marked (Otpring-Redelivery, "
    "redelivered). "
    "A webhook's body is signed: Otpring-Signature: t=SECONDS,v1=HEX, where HEX is HMAC-SHA256 under the secret over "
    "the "
    "seconds, a dot and the body.\n\n"
    "Configuration, with the defaults where there are some:\n\n"
    "  [relay]\n"
    "  socket = /var/lib/otpring/store/admin.sock\n"
    "  bank = NAME            as it stands in the texts\n"
    "  support = LINE         telephone or address of the bank's help\n"
    "  language = es          for readers of a language without texts\n"
    "  texts = FOLDER         LANGUAGE/KIND.txt; default: those installed\n"
    "                         with this program, wherever that is\n"
    "  poll = 500             milliseconds between looks when nothing is due\n"
    "  operator = NAME, operator-key-file = FILE   where the store has operators:\n"
    "                         one with the grant relay\n\n"
    "  [webhook NAME]\n"
    "  channels = sms,push    which messages go this way\n"
    "  url = https://HOST/PATH   placeholders in the path are escaped\n"
    "  body = FILE            JSON with placeholders\n"
    "  secret-file = FILE     of 16 to 256 bytes, mode 0400\n"
    "  header-NAME = VALUE, header-file-NAME = FILE   read for each request\n"
    "  ca-file, cert-file, key-file, pinned-key = sha256//BASE64\n"
    "  timeout = 20           seconds for a delivery\n"
    "  retry = 2, retry-max = 300   seconds: the pause doubles\n"
    "  concurrency = 8        deliveries under way at once\n\n"
    "  [mqtt NAME]\n"
    "  channels, body, ca-file, cert-file, key-file, timeout, retry, retry-max\n"
    "  and concurrency as above\n"
    "  host = HOST, port = 8883 (1883 without ca-file, to this machine alone)\n"
    "  topic = TOPIC          with placeholders, such as otpring/{account}\n"
    "  client-id, username, password-file, keepalive = 30\n\n"
    "Exit status: 0 stopped, or the configuration is good; 1 it failed; 2 usage or configuration.";

static const struct argp_option flags[] = {
    {"config", 'c', "FILE", 0, "The configuration; default /etc/otpring/otpring-relay.conf", 0},
    {"check", 'n', NULL, 0, "Check the configuration and all files that it names, and end", 0},
    {"version", 'V', NULL, 0, "Version of this program and of its libraries", -1},
    {0},
};

struct options {
    const char *config;
    bool check;
    bool version;
};

static error_t parse_flag(int key, char *argument, struct argp_state *state)
{
    struct options *options = state->input;
    if (key == 'c')
        options->config = argument;
    else if (key == 'n')
        options->check = true;
    else if (key == 'V')
        options->version = true;
    else if (key == ARGP_KEY_ARG)
        argp_error(state, "otpring-relay takes no argument: %s", argument);
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

static int print_version(void)
{
    int major, minor, revision;
    mosquitto_lib_version(&major, &minor, &revision);
    printf("otpring-relay %s\nlibcurl: %s\nlibmosquitto: %d.%d.%d\n", OTPRING_VERSION,
           curl_version_info(CURLVERSION_NOW)->version, major, minor, revision);
    return 0;
}

static bool config_load(const char *path, struct config *config)
{
    static char text[CONFIG_FILE_SIZE_MAX];
    char error[CONFIG_ERROR_SIZE];
    if (!file_text(path, text, sizeof text, error)) {
        log_line(LOG_LEVEL_ERROR, "%s", error);
        return false;
    }
    if (result_failed(config_parse(text, strlen(text), config, error))) {
        log_line(LOG_LEVEL_ERROR, "%s: %s", path, error);
        return false;
    }
    if (!*config->texts) folder_texts(config->texts, sizeof config->texts);
    return true;
}

/* A bank may well send no SMS; but then it should know what becomes of those that the engine writes all the same. */
static void channels_warn(const struct config *config)
{
#define CHANNEL(id, text) text,
    static const char *const channels[] = {MESSAGE_CHANNELS(CHANNEL)};
#undef CHANNEL
    for (size_t i = 0; i < sizeof channels / sizeof channels[0]; i++)
        if (!config_way(config, channels[i]))
            log_line(LOG_LEVEL_WARNING, "no way has the channel %s: messages by it are not delivered, and end as dead",
                     channels[i]);
}

/* Blocked before any thread is made, and read as a file. */
static int signals_open(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &signals, SFD_CLOEXEC);
}

/* What passes through jansson are activation codes and whom they go to. */
static void wiping_free(void *memory)
{
    if (memory) secret_wipe(memory, malloc_usable_size(memory));
    free(memory);
}

static int serve(const struct options *options, const struct config *config)
{
    char error[WAY_ERROR_SIZE];
    struct relay *relay;
    int signals = signals_open();
    if (signals < 0 || !relay_create(config, &relay, error)) {
        log_line(LOG_LEVEL_ERROR, "%s", signals < 0 ? "no signalfd" : error);
        return EXIT_USAGE;
    }
    channels_warn(config);
    bool well = options->check || relay_run(relay, signals, error);
    if (!well) log_line(LOG_LEVEL_ERROR, "%s", error);
    if (options->check) puts("good");
    relay_destroy(relay);
    close(signals);
    return well ? 0 : EXIT_FAILED;
}

int main(int argc, char **argv)
{
    static const struct argp argp = {.options = flags, .parser = parse_flag, .doc = doc};
    static struct config config;
    struct options options = {.config = "/etc/otpring/otpring-relay.conf"};
    argp_err_exit_status = EXIT_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &options);
    log_start("otpring-relay");
    if (options.version) return print_version();
    process_no_dumps();
    json_set_alloc_funcs(malloc, wiping_free);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || mosquitto_lib_init() != MOSQ_ERR_SUCCESS) {
        log_line(LOG_LEVEL_ERROR, "libcurl or libmosquitto does not start");
        return EXIT_FAILED;
    }
    if (!config_load(options.config, &config)) return EXIT_USAGE;
    return serve(&options, &config);
}
