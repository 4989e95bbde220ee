/* The relay: takes what is due from the daemon, sends each message on its way, and tells the daemon what became of it.
 * It keeps nothing: whatever it knows when it dies, the outbox knows too, and offers again when the lease is over. */
#ifndef TOOLS_OTPRING_RELAY_RELAY_H
#define TOOLS_OTPRING_RELAY_RELAY_H

#include "otpring-relay/link.h"
#include "otpring-relay/way.h"

enum { RELAY_DELIVERIES = 64, RELAY_KEY_MAX = 256 };

/* One way with what makes it go; one of webhook and mqtt is there. */
struct way {
    const struct way_config *config;
    struct webhook *webhook;
    struct mqtt *mqtt;
};

struct relay {
    const struct config *config;
    struct texts *texts;
    CURLM *multi;
    struct link link;
    char operator_key[RELAY_KEY_MAX];
    uint32_t lease_s;
    struct way ways[CONFIG_WAYS_MAX];
    struct delivery deliveries[RELAY_DELIVERIES];
    int64_t ask_ms;             /* when to ask for more */
    int64_t tell_ms;            /* when to tell what became of them */
    char said[LINK_ERROR_SIZE]; /* the daemon's last trouble that was logged */
    uint64_t delivered, later, never;
};

/* Everything that the configuration names is loaded and checked; nothing is connected yet. False: ret_error says why.
 */
bool relay_create(const struct config *config, struct relay **ret_relay, char ret_error[WAY_ERROR_SIZE]);
/* Works until `signals` (a signalfd) can be read, then brings to an end what is under way. False: it could not start.
 */
bool relay_run(struct relay *relay, int signals, char ret_error[WAY_ERROR_SIZE]);
void relay_destroy(struct relay *relay);

#endif
