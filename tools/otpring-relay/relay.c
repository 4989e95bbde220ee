#include "otpring-relay/relay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "os/arena.h"
#include "otpring-relay/files.h"
#include "otpringd/log.h"

enum { LEASE_EXTRA_S = 10, TROUBLE_MS = 1000, STOP_MS = 15000, TURN_MS_MAX = 1000, RETRY_DOUBLINGS_MAX = 12 };

/* ---- making ---- */

static bool ways_create(struct relay *relay, char ret_error[WAY_ERROR_SIZE])
{
    struct way_tools tools = {.texts = relay->texts, .multi = relay->multi};
    for (unsigned i = 0; i < relay->config->way_count; i++) {
        struct way *way = &relay->ways[i];
        way->config = &relay->config->ways[i];
        bool made = way->config->kind == WAY_MQTT ? mqtt_create(way->config, &tools, &way->mqtt, ret_error)
                                                  : webhook_create(way->config, &tools, &way->webhook, ret_error);
        if (!made) return false;
        /* A message may wait for its turn as long as it then may take. */
        uint32_t lease_s = 2 * way->config->timeout_s + LEASE_EXTRA_S;
        if (lease_s > relay->lease_s) relay->lease_s = lease_s;
    }
    return true;
}

bool relay_create(const struct config *config, struct relay **ret_relay, char ret_error[WAY_ERROR_SIZE])
{
    struct relay *relay = calloc(1, sizeof *relay);
    snprintf(ret_error, WAY_ERROR_SIZE, "not enough memory");
    if (!relay) return false;
    struct texts_options texts = {
        .folder = config->texts, .bank = config->bank, .support = config->support, .language = config->language};
    relay->config = config;
    relay->link = (struct link){.path = config->socket, .file = -1};
    relay->multi = curl_multi_init();
    bool made = relay->multi && texts_load(&texts, &relay->texts, ret_error) && ways_create(relay, ret_error) &&
                (!*config->operator_key_file ||
                 file_secret(config->operator_key_file, relay->operator_key, sizeof relay->operator_key, ret_error));
    if (!made) {
        relay_destroy(relay);
        return false;
    }
    *ret_relay = relay;
    return true;
}

void relay_destroy(struct relay *relay)
{
    for (unsigned i = 0; i < relay->config->way_count; i++) {
        webhook_destroy(relay->ways[i].webhook);
        mqtt_destroy(relay->ways[i].mqtt);
    }
    curl_multi_cleanup(relay->multi);
    texts_free(relay->texts);
    link_close(&relay->link);
    secret_wipe(relay, sizeof *relay);
    free(relay);
}

/* ---- the daemon ---- */

static json_t *request_make(struct relay *relay, const char *act)
{
    json_t *request = json_pack("{s:s}", "act", act);
    if (!*relay->config->operator) return request;
    json_object_set_new(request, "operator", json_string(relay->config->operator));
    json_object_set_new(request, "key", json_string(relay->operator_key));
    return request;
}

/* Trouble is said once, and so is its end. */
static void say(struct relay *relay, const char *trouble)
{
    if (strcmp(relay->said, trouble) == 0) return;
    snprintf(relay->said, sizeof relay->said, "%s", trouble);
    if (*trouble)
        log_line(LOG_LEVEL_WARNING, "the daemon: %s", trouble);
    else
        log_line(LOG_LEVEL_NOTICE, "the daemon answers");
    sd_notifyf(0, "STATUS=%s%s", *trouble ? "No messages: " : "Delivering", trouble);
}

/* Takes the request. NULL: no answer, or a refusal, which is logged. */
static json_t *ask(struct relay *relay, json_t *request)
{
    char error[LINK_ERROR_SIZE];
    json_t *answer = request ? link_ask(&relay->link, request, error) : NULL;
    json_decref(request);
    if (answer && json_is_true(json_object_get(answer, "ok"))) {
        say(relay, "");
        return answer;
    }
    if (answer) {
        const char *text = json_string_value(json_object_get(answer, "error"));
        snprintf(error, sizeof error, "%s", text ? text : "refused");
    }
    say(relay, error);
    json_decref(answer);
    return NULL;
}

/* ---- taking ---- */

static struct way *way_of(struct relay *relay, const struct message *message)
{
    const struct way_config *config = config_way(relay->config, message->channel);
    for (unsigned i = 0; config && i < relay->config->way_count; i++)
        if (relay->ways[i].config == config) return &relay->ways[i];
    return NULL;
}

static unsigned count_in(const struct relay *relay, enum delivery_state state)
{
    unsigned count = 0;
    for (unsigned i = 0; i < RELAY_DELIVERIES; i++) count += relay->deliveries[i].state == state;
    return count;
}

static struct delivery *delivery_free(struct relay *relay)
{
    for (unsigned i = 0; i < RELAY_DELIVERIES; i++)
        if (relay->deliveries[i].state == DELIVERY_FREE) return &relay->deliveries[i];
    return NULL;
}

static void take_one(struct relay *relay, const json_t *json, int64_t asked_ms)
{
    struct delivery *delivery = delivery_free(relay);
    if (!delivery) return;
    if (!message_take(json, &delivery->message)) {
        log_line(LOG_LEVEL_ERROR, "the daemon handed over what is no message; is it of another version?");
        return;
    }
    const struct way *way = way_of(relay, &delivery->message);
    delivery->state = DELIVERY_WAITING;
    if (!way)
        delivery_done(delivery, OUTCOME_NEVER, 0, "no way is configured for the channel %s", delivery->message.channel);
    else
        delivery->begin_by_ms =
            asked_ms + ((int64_t)relay->lease_s - way->config->timeout_s - LEASE_EXTRA_S / 2) * 1000;
}

/* When the daemon says that something is due later, or when it is to be looked at again. */
static int64_t next_ms(const struct relay *relay, const json_t *answer, size_t count)
{
    const json_t *wait = json_object_get(answer, "wait_ms");
    json_int_t wait_ms = json_is_integer(wait) ? json_integer_value(wait) : relay->config->poll_ms;
    if (count > 0 || wait_ms < 0) return now_ms();
    return now_ms() + (wait_ms < relay->config->poll_ms ? wait_ms : relay->config->poll_ms);
}

static void take(struct relay *relay)
{
    unsigned room = count_in(relay, DELIVERY_FREE);
    if (room == 0 || now_ms() < relay->ask_ms) return;
    json_t *request = request_make(relay, "outbox.next");
    json_object_set_new(request, "limit", json_integer(room));
    json_object_set_new(request, "lease_s", json_integer(relay->lease_s));
    int64_t asked_ms = now_ms();
    json_t *answer = ask(relay, request);
    if (!answer) {
        relay->ask_ms = now_ms() + TROUBLE_MS;
        return;
    }
    size_t i;
    json_t *json, *messages = json_object_get(answer, "messages");
    json_array_foreach(messages, i, json)
    {
        take_one(relay, json, asked_ms);
    }
    relay->ask_ms = next_ms(relay, answer, json_array_size(messages));
    json_decref(answer);
}

/* ---- telling ---- */

/* The way's own back-off: doubling, so that a receiver that is down is not hammered. */
static uint32_t retry_s(struct relay *relay, const struct delivery *delivery)
{
    const struct way *way = way_of(relay, &delivery->message);
    if (delivery->outcome.retry_s || !way) return delivery->outcome.retry_s;
    unsigned doublings = delivery->message.failed;
    uint64_t wait_s = (uint64_t)way->config->retry_s
                      << (doublings < RETRY_DOUBLINGS_MAX ? doublings : RETRY_DOUBLINGS_MAX);
    return wait_s < way->config->retry_max_s ? (uint32_t)wait_s : way->config->retry_max_s;
}

static json_t *failure_json(struct relay *relay, const struct delivery *delivery)
{
    return json_pack("{s:I,s:I,s:s,s:b,s:I}", "number", (json_int_t)delivery->message.number, "handed",
                     (json_int_t)delivery->message.handed, "reason", delivery->outcome.reason, "for_good",
                     delivery->outcome.kind == OUTCOME_NEVER, "retry_s", (json_int_t)retry_s(relay, delivery));
}

static void log_outcome(struct relay *relay, const struct delivery *delivery)
{
    const struct message *message = &delivery->message;
    const struct outcome *outcome = &delivery->outcome;
    if (outcome->kind == OUTCOME_DELIVERED) relay->delivered++;
    if (outcome->kind == OUTCOME_LATER) {
        relay->later++;
        log_line(LOG_LEVEL_INFO, "%s (%s by %s) to be tried again: %s", message->id, message->kind, message->channel,
                 outcome->reason);
    }
    if (outcome->kind == OUTCOME_NEVER) {
        relay->never++;
        log_line(LOG_LEVEL_WARNING, "%s (%s by %s) is dead: %s", message->id, message->kind, message->channel,
                 outcome->reason);
    }
}

/* Those with these outcomes have been told to the daemon. */
static void settle(struct relay *relay, bool delivered)
{
    for (unsigned i = 0; i < RELAY_DELIVERIES; i++) {
        struct delivery *delivery = &relay->deliveries[i];
        if (delivery->state != DELIVERY_DONE || (delivery->outcome.kind == OUTCOME_DELIVERED) != delivered) continue;
        log_outcome(relay, delivery);
        secret_wipe(delivery, sizeof *delivery);
    }
    /* Behind each of these the next of the same user may stand. */
    relay->ask_ms = 0;
}

static void tell_some(struct relay *relay, bool delivered)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < RELAY_DELIVERIES; i++) {
        const struct delivery *delivery = &relay->deliveries[i];
        if (delivery->state != DELIVERY_DONE || (delivery->outcome.kind == OUTCOME_DELIVERED) != delivered) continue;
        json_array_append_new(list, delivered ? json_integer((json_int_t)delivery->message.number)
                                              : failure_json(relay, delivery));
    }
    if (json_array_size(list) == 0) {
        json_decref(list);
        return;
    }
    json_t *request = request_make(relay, delivered ? "outbox.ack" : "outbox.fail");
    json_object_set_new(request, delivered ? "numbers" : "failures", list);
    json_t *answer = ask(relay, request);
    if (answer)
        settle(relay, delivered);
    else
        relay->tell_ms = now_ms() + TROUBLE_MS;
    json_decref(answer);
}

static void tell(struct relay *relay)
{
    if (now_ms() < relay->tell_ms) return;
    tell_some(relay, true);
    tell_some(relay, false);
}

/* ---- sending ---- */

static unsigned under_way(struct relay *relay, const struct way *way)
{
    unsigned count = 0;
    for (unsigned i = 0; i < RELAY_DELIVERIES; i++)
        count += relay->deliveries[i].state == DELIVERY_OUT && way_of(relay, &relay->deliveries[i].message) == way;
    return count;
}

static void start(struct relay *relay, struct delivery *delivery)
{
    struct way *way = way_of(relay, &delivery->message);
    if (now_ms() > delivery->begin_by_ms) {
        /* Too late to be sure that nobody else has it: the outbox offers it again. */
        delivery_done(delivery, OUTCOME_LATER, 1, "waited too long for its turn");
    } else if (under_way(relay, way) < way->config->concurrency) {
        if (way->mqtt)
            mqtt_start(way->mqtt, delivery);
        else
            webhook_start(way->webhook, delivery);
    }
}

static void move(struct relay *relay)
{
    for (unsigned i = 0; i < RELAY_DELIVERIES; i++)
        if (relay->deliveries[i].state == DELIVERY_WAITING) start(relay, &relay->deliveries[i]);
    webhooks_move(relay->multi);
    for (unsigned i = 0; i < relay->config->way_count; i++)
        if (relay->ways[i].mqtt) mqtt_move(relay->ways[i].mqtt);
}

/* ---- working ---- */

/* Until something arrives, or the next thing is due. */
static bool wait_for(struct relay *relay, int signals)
{
    struct curl_waitfd file = {.fd = signals, .events = CURL_WAIT_POLLIN};
    int64_t until = now_ms() + TURN_MS_MAX;
    if (count_in(relay, DELIVERY_FREE) > 0 && relay->ask_ms < until) until = relay->ask_ms;
    if (count_in(relay, DELIVERY_DONE) > 0 && relay->tell_ms < until) until = relay->tell_ms;
    int64_t wait_ms = until - now_ms();
    curl_multi_poll(relay->multi, &file, 1, wait_ms > 0 ? (int)wait_ms : 0, NULL);
    return file.revents == 0;
}

/* What has not begun goes back; what is under way is waited for, so that it need not be sent twice. */
static void finish(struct relay *relay)
{
    int64_t end_ms = now_ms() + STOP_MS;
    for (unsigned i = 0; i < RELAY_DELIVERIES; i++)
        if (relay->deliveries[i].state == DELIVERY_WAITING)
            delivery_done(&relay->deliveries[i], OUTCOME_LATER, 1, "the relay stops");
    while (now_ms() < end_ms && count_in(relay, DELIVERY_FREE) < RELAY_DELIVERIES) {
        move(relay);
        tell(relay);
        if (count_in(relay, DELIVERY_FREE) < RELAY_DELIVERIES) curl_multi_poll(relay->multi, NULL, 0, 50, NULL);
    }
    unsigned left = RELAY_DELIVERIES - count_in(relay, DELIVERY_FREE);
    if (left)
        log_line(LOG_LEVEL_WARNING, "%u messages have no end yet: they are offered again when their lease is over",
                 left);
}

bool relay_run(struct relay *relay, int signals, char ret_error[WAY_ERROR_SIZE])
{
    for (unsigned i = 0; i < relay->config->way_count; i++)
        if (relay->ways[i].mqtt && !mqtt_connect(relay->ways[i].mqtt, ret_error)) return false;
    log_line(LOG_LEVEL_NOTICE, "delivering for %s by %u %s", relay->config->socket, relay->config->way_count,
             relay->config->way_count == 1 ? "way" : "ways");
    sd_notify(0, "READY=1\nSTATUS=Delivering");
    do {
        tell(relay);
        take(relay);
        move(relay);
    } while (wait_for(relay, signals));
    sd_notify(0, "STOPPING=1\nSTATUS=Stopping");
    finish(relay);
    log_line(LOG_LEVEL_NOTICE, "stopped: %llu delivered, %llu put off, %llu dead", (unsigned long long)relay->delivered,
             (unsigned long long)relay->later, (unsigned long long)relay->never);
    return true;
}
