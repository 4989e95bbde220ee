/* Pushes: waits at an MQTT broker for what the relay sends to this device (DEVICE.md, What a push says), and shows what
 * is asked. A push only says that something is asked; the question itself is fetched. A broker that goes away is waited
 * for; what was asked meanwhile is found by asking once at each connection. */
#include <errno.h>
#include <mosquitto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/arena.h"
#include "question.h"

enum { KEEPALIVE_S = 30, LOOP_MS = 1000, RETRY_S = 1, PASSWORD_MAX = 255, HOST_MAX = 255 };

struct listening {
    const struct settings *settings;
    struct accounts *accounts;
    struct mosquitto *mqtt;
    bool look;   /* something may be asked */
    bool failed; /* the broker refuses this client */
    unsigned shown;
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

static void on_connect(struct mosquitto *mqtt, void *context, int code)
{
    struct listening *listening = context;
    if (code != 0) {
        complain(EXIT_REFUSED, "the broker refuses: %s", mosquitto_connack_string(code));
        listening->failed = true;
        return;
    }
    if (mosquitto_subscribe(mqtt, NULL, listening->settings->topic, 1) != MOSQ_ERR_SUCCESS) listening->failed = true;
    listening->look = true;
}

static void on_message(struct mosquitto *mqtt, void *context, const struct mosquitto_message *message)
{
    struct listening *listening = context;
    (void)mqtt;
    json_t *json = json_loadb(message->payload, (size_t)message->payloadlen, JSON_REJECT_DUPLICATES, NULL);
    const char *kind = json_string_value(json_object_get(json, "kind"));
    const char *text = json_string_value(json_object_get(json, "text"));
    listening->look |= kind && strcmp(kind, "question") == 0;
    if (kind && text && listening->settings->json) {
        json_t *line = json_pack("{s:s,s:s}", "message", kind, "text", text);
        json_dumpf(line, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(line);
    } else if (kind && text) {
        text_print(text);
        putchar('\n');
    }
    fflush(stdout);
    json_decref(json);
}

static void look(struct listening *listening)
{
    static struct question questions[QUESTIONS_MAX];
    listening->look = false;
    for (unsigned i = 0; i < listening->accounts->count; i++) {
        unsigned count = 0;
        struct account *account = &listening->accounts->items[i];
        if (!account_is_enrolled(account)) continue;
        (void)questions_fetch(listening->settings, listening->accounts, account, questions, &count);
        for (unsigned q = 0; q < count; q++) {
            if (listening->settings->json) {
                json_t *json = question_json(&questions[q]);
                json_dumpf(json, stdout, JSON_COMPACT);
                putchar('\n');
                json_decref(json);
            } else {
                question_print(&questions[q]);
            }
            listening->shown++;
        }
    }
    fflush(stdout);
}

/* HOST or HOST:PORT; without a CA the broker is on this machine, or nobody is. */
static int broker_parse(const struct settings *settings, char ret_host[HOST_MAX + 1], int *ret_port)
{
    const char *colon = strrchr(settings->mqtt, ':');
    size_t size = colon ? (size_t)(colon - settings->mqtt) : strlen(settings->mqtt);
    char *end = NULL;
    *ret_port = settings->ca_file ? 8883 : 1883;
    if (colon) *ret_port = (int)strtol(colon + 1, &end, 10);
    if (size == 0 || size > HOST_MAX || (colon && (*end || *ret_port < 1 || *ret_port > 65535)))
        return complain(EXIT_USAGE, "--mqtt takes HOST or HOST:PORT");
    snprintf(ret_host, HOST_MAX + 1, "%.*s", (int)size, settings->mqtt);
    bool here = strcmp(ret_host, "localhost") == 0 || strcmp(ret_host, "127.0.0.1") == 0;
    return here || settings->ca_file
               ? EXIT_DONE
               : complain(EXIT_USAGE, "a broker elsewhere is only spoken to by TLS: --ca-file FILE");
}

static int prepare(struct listening *listening)
{
    const struct settings *settings = listening->settings;
    char password[PASSWORD_MAX + 1] = "";
    int status = EXIT_DONE;
    listening->mqtt = mosquitto_new(NULL, true, listening);
    if (!listening->mqtt) return complain(EXIT_UNAVAILABLE, "not enough memory");
    mosquitto_connect_callback_set(listening->mqtt, on_connect);
    mosquitto_message_callback_set(listening->mqtt, on_message);
    if (settings->mqtt_password_file)
        status = first_line(settings->mqtt_password_file, "password", password, sizeof(password));
    if (status == EXIT_DONE && settings->username &&
        mosquitto_username_pw_set(listening->mqtt, settings->username, password) != MOSQ_ERR_SUCCESS)
        status = complain(EXIT_USAGE, "--username: not UTF-8");
    secret_wipe(password, sizeof(password));
    if (status != EXIT_DONE || !settings->ca_file) return status;
    int code = mosquitto_tls_set(listening->mqtt, settings->ca_file, NULL, NULL, NULL, NULL);
    return code == MOSQ_ERR_SUCCESS ? EXIT_DONE
                                    : complain(EXIT_USAGE, "%s: %s", settings->ca_file, mosquitto_strerror(code));
}

static int go_on(struct listening *listening, const char *host, int port)
{
    bool connected = false, told = false;
    while (!stopped && !listening->failed) {
        int code = connected ? mosquitto_loop(listening->mqtt, LOOP_MS, 1)
                             : mosquitto_connect(listening->mqtt, host, port, KEEPALIVE_S);
        if (code != MOSQ_ERR_SUCCESS && connected == false && !told) {
            complain(EXIT_UNAVAILABLE, "%s:%d: %s; trying again", host, port,
                     code == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(code));
            told = true;
        }
        connected = code == MOSQ_ERR_SUCCESS;
        told &= !connected;
        if (!connected && !stopped) sleep(RETRY_S);
        if (listening->look) look(listening);
        if (listening->settings->once && listening->shown > 0) return EXIT_DONE;
        if (ferror(stdout)) return EXIT_UNAVAILABLE;
    }
    return listening->failed ? EXIT_REFUSED : EXIT_DONE;
}

int run_listen(const struct settings *settings)
{
    static struct accounts accounts;
    struct listening listening = {.settings = settings, .accounts = &accounts};
    struct sigaction action = {.sa_handler = on_signal};
    char host[HOST_MAX + 1];
    int port;
    if (!settings->mqtt || !settings->topic || !settings->socket)
        return complain(EXIT_USAGE, "listen needs --mqtt HOST[:PORT], --topic TOPIC and --socket PATH");
    int status = broker_parse(settings, host, &port);
    if (status == EXIT_DONE) status = keep_open(settings, &accounts);
    if (status != EXIT_DONE) return status;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    mosquitto_lib_init();
    status = prepare(&listening);
    if (status == EXIT_DONE) status = go_on(&listening, host, port);
    if (listening.mqtt) mosquitto_destroy(listening.mqtt);
    mosquitto_lib_cleanup();
    secret_wipe(&accounts, sizeof(accounts));
    return status;
}
