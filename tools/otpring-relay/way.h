/* Ways out: what webhook.c and mqtt.c have in common. A delivery belongs to the relay; while it is OUT its way alone
 * touches it, and hands it back as DONE with an outcome. Ways never wait: they start, and are asked what has ended. */
#ifndef TOOLS_OTPRING_RELAY_WAY_H
#define TOOLS_OTPRING_RELAY_WAY_H

#include <curl/curl.h>

#include "otpring-relay/body.h"
#include "otpring-relay/config.h"
#include "otpring-relay/message.h"
#include "otpring-relay/texts.h"

enum { WAY_ERROR_SIZE = 512 };

enum delivery_state { DELIVERY_FREE, DELIVERY_WAITING, DELIVERY_OUT, DELIVERY_DONE };

struct delivery {
    enum delivery_state state;
    struct message message;
    int64_t begin_by_ms; /* begun later it might outlive its lease, and meet itself */
    struct outcome outcome;
};

/* What every way is given at its making. */
struct way_tools {
    const struct texts *texts;
    CURLM *multi; /* waits for all of them; others wake it */
};

/* DONE, with this outcome. */
void delivery_done(struct delivery *delivery, enum outcome_kind kind, uint32_t retry_s, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The message's text and the body that carries it, which the caller wipes and frees. NULL: the delivery is done, since
 * no later try would go better. */
char *delivery_body(struct delivery *delivery, const struct way_tools *tools, const json_t *body, size_t *ret_size);

/* Milliseconds that only go forward. */
int64_t now_ms(void);

struct webhook;
struct mqtt;

/* False: ret_error says what is wrong with its files. */
bool webhook_create(const struct way_config *config, const struct way_tools *tools, struct webhook **ret_webhook,
                    char ret_error[WAY_ERROR_SIZE]);
void webhook_start(struct webhook *webhook, struct delivery *delivery);
/* Moves what is under way, of all webhooks of this multi. */
void webhooks_move(CURLM *multi);
/* Nothing is under way any more. */
void webhook_destroy(struct webhook *webhook);

bool mqtt_create(const struct way_config *config, const struct way_tools *tools, struct mqtt **ret_mqtt,
                 char ret_error[WAY_ERROR_SIZE]);
/* Begins to connect, in a thread of its own. */
bool mqtt_connect(struct mqtt *mqtt, char ret_error[WAY_ERROR_SIZE]);
void mqtt_start(struct mqtt *mqtt, struct delivery *delivery);
void mqtt_move(struct mqtt *mqtt);
void mqtt_destroy(struct mqtt *mqtt);

#endif
