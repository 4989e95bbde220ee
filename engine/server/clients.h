/* Who may connect: the configured clients by user id, replaced whole at a reload.
 *
 * Any thread may replace; each worker reads through its own reader number. A list that was replaced is freed at a later
 * replacement, once every reader has passed it. */
#ifndef OTPRING_SERVER_CLIENTS_H
#define OTPRING_SERVER_CLIENTS_H

#include <stdint.h>

#include "base/result.h"
#include "core/core.h"

struct server_clients;

/* A client of this user id stands for whoever is not named: on admin.sock, where operators say who they are. No process
 * has this user id. */
#define SERVER_UID_ANY UINT32_MAX

/* One immutable list, sorted by uid. */
struct client_list {
    uint64_t generation;
    struct client_list *older; /* retired ones */
    uint32_t count;
    struct core_client clients[];
};

/* Copies the array. NO_MEMORY; BAD_ARGUMENT when two have the same uid. */
struct result server_clients_create(const struct core_client *clients, uint32_t count,
                                    struct server_clients **ret_clients) MUST_USE;
struct result server_clients_replace(struct server_clients *clients, const struct core_client *array,
                                     uint32_t count) MUST_USE;
/* No reader may be left. */
void server_clients_destroy(struct server_clients *clients);

/* A worker's number, for good. FULL. */
struct result server_clients_reader(struct server_clients *clients, uint32_t *ret_reader) MUST_USE;
/* The present list. What the reader held before may be freed from the next replacement on, so a worker calls this when
 * none of its frames points into the old one any more. */
const struct client_list *server_clients_read(struct server_clients *clients, uint32_t reader);
/* True when `list` is no longer the present one. */
bool server_clients_changed(const struct server_clients *clients, const struct client_list *list);

/* NULL: not allowed. */
const struct core_client *client_of(const struct client_list *list, uint32_t uid);

#endif
