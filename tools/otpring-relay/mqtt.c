/* Messages to an MQTT broker, QoS 1. A thread a broker connects, reads and writes; the relay publishes from its own.
 *
 * Each publication is sent once a hand-over: when a connection is lost, its client is thrown away with all that it
 * would send again, and what was not confirmed goes back to the outbox. So whatever comes twice has been handed over
 * twice, and says so. A confirmation that does not come in time ends the connection for the same reason. */
#include <errno.h>
#include <mosquitto.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "os/arena.h"
#include "otpring-relay/files.h"
#include "otpring-relay/place.h"
#include "otpring-relay/way.h"
#include "otpringd/log.h"

enum { LOOP_MS = 200, PAUSE_MS = 500, STOP_WAIT_S = 2, PASSWORD_MAX = 256, TOPIC_MAX = 1024, QOS = 1 };

enum flight_state { FLIGHT_FREE, FLIGHT_OUT, FLIGHT_CONFIRMED, FLIGHT_LOST };

struct flight {
    enum flight_state state;
    int mid;
    int64_t end_ms;
    struct delivery *delivery;
};

struct mqtt {
    const struct way_config *config;
    struct way_tools tools;
    json_t *body;
    char password[PASSWORD_MAX];
    pthread_t thread;
    bool started;
    pthread_mutex_t mutex;    /* over all that follows */
    struct mosquitto *client; /* NULL while there is no connection */
    bool connected;           /* the broker has said that it takes messages */
    bool stop;
    bool drop; /* the connection, by the thread */
    int said;  /* the last trouble that was logged */
    struct flight flights[64];
};

/* ---- making ---- */

static bool topic_check(const struct way_config *config, char ret_error[WAY_ERROR_SIZE])
{
    static const struct message nobody;
    char topic[TOPIC_MAX], why[PLACE_ERROR_SIZE];
    struct body_values values = {.message = &nobody, .text = ""};
    if (place_fill(config->topic, body_value, &values, topic, sizeof topic, why)) return true;
    snprintf(ret_error, WAY_ERROR_SIZE, "[mqtt %s] topic: %s", config->name, why);
    return false;
}

bool mqtt_create(const struct way_config *config, const struct way_tools *tools, struct mqtt **ret_mqtt,
                 char ret_error[WAY_ERROR_SIZE])
{
    struct mqtt *mqtt = calloc(1, sizeof *mqtt);
    if (!mqtt) {
        snprintf(ret_error, WAY_ERROR_SIZE, "not enough memory");
        return false;
    }
    mqtt->config = config;
    mqtt->tools = *tools;
    mqtt->said = -1;
    pthread_mutex_init(&mqtt->mutex, NULL);
    bool made = body_load(config->body, &mqtt->body, ret_error) && topic_check(config, ret_error) &&
                (!*config->password_file ||
                 file_secret(config->password_file, mqtt->password, sizeof mqtt->password, ret_error));
    if (!made) {
        mqtt_destroy(mqtt);
        return false;
    }
    *ret_mqtt = mqtt;
    return true;
}

/* ---- the thread ---- */

static void say(struct mqtt *mqtt, int trouble, const char *text)
{
    if (mqtt->said == trouble) return;
    mqtt->said = trouble;
    if (trouble)
        log_line(LOG_LEVEL_WARNING, "[mqtt %s] %s: %s", mqtt->config->name, mqtt->config->host, text);
    else
        log_line(LOG_LEVEL_NOTICE, "[mqtt %s] connected to %s", mqtt->config->name, mqtt->config->host);
}

/* Under the mutex: once it is told to stop, a thread that comes back late finds nobody to wake. */
static void wake(struct mqtt *mqtt)
{
    if (!mqtt->stop) curl_multi_wakeup(mqtt->tools.multi);
}

static void on_connect(struct mosquitto *client, void *context, int code)
{
    struct mqtt *mqtt = context;
    (void)client;
    pthread_mutex_lock(&mqtt->mutex);
    mqtt->connected = code == 0;
    say(mqtt, code ? 1000 + code : 0, code ? mosquitto_connack_string(code) : "");
    wake(mqtt);
    pthread_mutex_unlock(&mqtt->mutex);
}

static void on_publish(struct mosquitto *client, void *context, int mid)
{
    struct mqtt *mqtt = context;
    (void)client;
    pthread_mutex_lock(&mqtt->mutex);
    for (size_t i = 0; i < sizeof mqtt->flights / sizeof mqtt->flights[0]; i++) {
        struct flight *flight = &mqtt->flights[i];
        if (flight->state == FLIGHT_OUT && flight->mid == mid) flight->state = FLIGHT_CONFIRMED;
    }
    wake(mqtt);
    pthread_mutex_unlock(&mqtt->mutex);
}

static struct mosquitto *client_make(struct mqtt *mqtt)
{
    const struct way_config *config = mqtt->config;
    struct mosquitto *client = mosquitto_new(*config->client_id ? config->client_id : NULL, true, mqtt);
    if (!client) return NULL;
    bool made = mosquitto_threaded_set(client, true) == MOSQ_ERR_SUCCESS;
    if (*config->ca_file)
        made = made && mosquitto_tls_set(client, config->ca_file, NULL, *config->cert_file ? config->cert_file : NULL,
                                         *config->key_file ? config->key_file : NULL, NULL) == MOSQ_ERR_SUCCESS;
    if (*config->username)
        made = made && mosquitto_username_pw_set(client, config->username, mqtt->password) == MOSQ_ERR_SUCCESS;
    mosquitto_connect_callback_set(client, on_connect);
    mosquitto_publish_callback_set(client, on_publish);
    if (made) return client;
    mosquitto_destroy(client);
    return NULL;
}

static bool goes_on(struct mqtt *mqtt)
{
    pthread_mutex_lock(&mqtt->mutex);
    bool on = !mqtt->stop && !mqtt->drop;
    pthread_mutex_unlock(&mqtt->mutex);
    return on;
}

static void client_offer(struct mqtt *mqtt, struct mosquitto *client)
{
    pthread_mutex_lock(&mqtt->mutex);
    mqtt->client = client;
    pthread_mutex_unlock(&mqtt->mutex);
}

/* From here on nobody publishes by this client, and nothing that it sent is confirmed. */
static void client_withdraw(struct mqtt *mqtt, int code)
{
    pthread_mutex_lock(&mqtt->mutex);
    mqtt->client = NULL;
    mqtt->connected = false;
    mqtt->drop = false;
    for (size_t i = 0; i < sizeof mqtt->flights / sizeof mqtt->flights[0]; i++)
        if (mqtt->flights[i].state == FLIGHT_OUT) mqtt->flights[i].state = FLIGHT_LOST;
    if (!mqtt->stop && mqtt->said < 1000) say(mqtt, code ? code : 1, code ? mosquitto_strerror(code) : "given up");
    wake(mqtt);
    pthread_mutex_unlock(&mqtt->mutex);
}

static void connection_live(struct mqtt *mqtt)
{
    struct mosquitto *client = client_make(mqtt);
    int code =
        client ? mosquitto_connect(client, mqtt->config->host, (int)mqtt->config->port, (int)mqtt->config->keepalive_s)
               : MOSQ_ERR_TLS;
    if (code == MOSQ_ERR_SUCCESS) {
        client_offer(mqtt, client);
        while (goes_on(mqtt) && (code = mosquitto_loop(client, LOOP_MS, 1)) == MOSQ_ERR_SUCCESS) {
        }
    }
    client_withdraw(mqtt, code);
    if (!client) return;
    if (code == MOSQ_ERR_SUCCESS) mosquitto_disconnect(client);
    mosquitto_destroy(client);
}

static void *thread_main(void *context)
{
    struct mqtt *mqtt = context;
    for (;;) {
        connection_live(mqtt);
        pthread_mutex_lock(&mqtt->mutex);
        bool stop = mqtt->stop;
        pthread_mutex_unlock(&mqtt->mutex);
        if (stop) return NULL;
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000L}, NULL);
    }
}

bool mqtt_connect(struct mqtt *mqtt, char ret_error[WAY_ERROR_SIZE])
{
    int error = pthread_create(&mqtt->thread, NULL, thread_main, mqtt);
    mqtt->started = error == 0;
    if (error) snprintf(ret_error, WAY_ERROR_SIZE, "a thread does not start: %s", strerror(error));
    return mqtt->started;
}

void mqtt_destroy(struct mqtt *mqtt)
{
    if (!mqtt) return;
    struct timespec end;
    pthread_mutex_lock(&mqtt->mutex);
    mqtt->stop = true;
    pthread_mutex_unlock(&mqtt->mutex);
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += STOP_WAIT_S;
    /* A thread that waits for a broker that does not answer ends with the process, and keeps what it uses until then.
     */
    if (mqtt->started && pthread_timedjoin_np(mqtt->thread, NULL, &end) != 0) return;
    json_decref(mqtt->body);
    secret_wipe(mqtt->password, sizeof mqtt->password);
    free(mqtt);
}

/* ---- publishing ---- */

/* What stands in a topic must not make another topic of it. */
static bool topic_make(struct mqtt *mqtt, struct delivery *delivery, char topic[TOPIC_MAX])
{
    char why[PLACE_ERROR_SIZE];
    struct body_values values = {.texts = mqtt->tools.texts, .message = &delivery->message, .text = ""};
    bool clean = !strpbrk(delivery->message.to, "+#/$") || !strstr(mqtt->config->topic, "{to}");
    if (clean && place_fill(mqtt->config->topic, body_value, &values, topic, TOPIC_MAX, why) &&
        mosquitto_pub_topic_check(topic) == MOSQ_ERR_SUCCESS)
        return true;
    delivery_done(delivery, OUTCOME_NEVER, 0, "the topic cannot be made");
    return false;
}

static struct flight *flight_free(struct mqtt *mqtt)
{
    for (size_t i = 0; i < sizeof mqtt->flights / sizeof mqtt->flights[0]; i++)
        if (mqtt->flights[i].state == FLIGHT_FREE) return &mqtt->flights[i];
    return NULL;
}

/* Under the mutex, so that a confirmation finds the number of what it confirms. */
static void publish(struct mqtt *mqtt, struct delivery *delivery, const char *topic, const char *body, size_t size)
{
    struct flight *flight = flight_free(mqtt);
    int mid = 0;
    int code = mqtt->connected && mqtt->client && flight
                   ? mosquitto_publish(mqtt->client, &mid, topic, (int)size, body, QOS, false)
                   : MOSQ_ERR_NO_CONN;
    if (code == MOSQ_ERR_SUCCESS) {
        *flight = (struct flight){.state = FLIGHT_OUT,
                                  .mid = mid,
                                  .end_ms = now_ms() + (int64_t)mqtt->config->timeout_s * 1000,
                                  .delivery = delivery};
    } else if (code == MOSQ_ERR_PAYLOAD_SIZE || code == MOSQ_ERR_OVERSIZE_PACKET) {
        delivery_done(delivery, OUTCOME_NEVER, 0, "larger than the broker takes");
    } else {
        delivery_done(delivery, OUTCOME_LATER, 0, "no connection to the broker");
    }
}

void mqtt_start(struct mqtt *mqtt, struct delivery *delivery)
{
    char topic[TOPIC_MAX];
    size_t size;
    delivery->state = DELIVERY_OUT;
    char *body = delivery_body(delivery, &mqtt->tools, mqtt->body, &size);
    if (!body) return;
    if (topic_make(mqtt, delivery, topic)) {
        pthread_mutex_lock(&mqtt->mutex);
        publish(mqtt, delivery, topic, body, size);
        pthread_mutex_unlock(&mqtt->mutex);
    }
    secret_wipe(body, size);
    free(body);
}

void mqtt_move(struct mqtt *mqtt)
{
    int64_t now = now_ms();
    pthread_mutex_lock(&mqtt->mutex);
    for (size_t i = 0; i < sizeof mqtt->flights / sizeof mqtt->flights[0]; i++) {
        struct flight *flight = &mqtt->flights[i];
        if (flight->state == FLIGHT_FREE) continue;
        if (flight->state == FLIGHT_OUT) {
            if (flight->end_ms <= now) mqtt->drop = true;
            continue;
        }
        if (flight->state == FLIGHT_CONFIRMED)
            delivery_done(flight->delivery, OUTCOME_DELIVERED, 0, "confirmed by the broker");
        else
            delivery_done(flight->delivery, OUTCOME_LATER, 0, "the connection to the broker was lost");
        flight->state = FLIGHT_FREE;
    }
    pthread_mutex_unlock(&mqtt->mutex);
}
