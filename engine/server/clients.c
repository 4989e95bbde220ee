#include "server/clients.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "server/limits.h"

struct server_clients {
    _Atomic(struct client_list *) current;
    _Atomic uint64_t seen[SERVER_WORKERS_MAX]; /* generation each reader holds; 0: none yet */
    _Atomic uint32_t reader_count;
    pthread_mutex_t replacing;
};

static int by_uid(const void *a, const void *b)
{
    const struct core_client *left = a, *right = b;
    return left->uid < right->uid ? -1 : left->uid > right->uid;
}

static struct result list_create(const struct core_client *array, uint32_t count, struct client_list **ret_list)
{
    struct client_list *list = calloc(1, sizeof *list + count * sizeof *array);
    if (!list) return result_of(NO_MEMORY);
    list->count = count;
    if (count) memcpy(list->clients, array, count * sizeof *array);
    qsort(list->clients, count, sizeof *array, by_uid);
    for (uint32_t i = 1; i < count; i++) {
        if (list->clients[i].uid == list->clients[i - 1].uid) {
            free(list);
            return result_of(BAD_ARGUMENT);
        }
    }
    *ret_list = list;
    return result_ok();
}

struct result server_clients_create(const struct core_client *array, uint32_t count,
                                    struct server_clients **ret_clients)
{
    struct client_list *list;
    TRY(list_create(array, count, &list));
    struct server_clients *clients = calloc(1, sizeof *clients);
    if (!clients) {
        free(list);
        return result_of(NO_MEMORY);
    }
    list->generation = 1;
    atomic_init(&clients->current, list);
    pthread_mutex_init(&clients->replacing, NULL);
    *ret_clients = clients;
    return result_ok();
}

static void free_from(struct client_list *list)
{
    while (list) {
        struct client_list *older = list->older;
        free(list);
        list = older;
    }
}

/* Frees the lists that no reader can hold: those before the one before the oldest generation that a reader has seen.
 * (One more is kept, since a frame in flight when its reader went on may still name a client of it.) */
static void free_passed(struct server_clients *clients, struct client_list *newest)
{
    uint64_t oldest = newest->generation;
    uint32_t readers = atomic_load(&clients->reader_count);
    for (uint32_t i = 0; i < readers; i++) {
        uint64_t seen = atomic_load(&clients->seen[i]);
        if (seen && seen < oldest) oldest = seen;
    }
    struct client_list *list = newest;
    while (list->older && list->generation + 1 > oldest) list = list->older;
    if (list->generation + 1 > oldest) return;
    free_from(list->older);
    list->older = NULL;
}

struct result server_clients_replace(struct server_clients *clients, const struct core_client *array, uint32_t count)
{
    struct client_list *list;
    TRY(list_create(array, count, &list));
    pthread_mutex_lock(&clients->replacing);
    struct client_list *old = atomic_load(&clients->current);
    free_passed(clients, old);
    list->older = old;
    list->generation = old->generation + 1;
    atomic_store(&clients->current, list);
    pthread_mutex_unlock(&clients->replacing);
    return result_ok();
}

void server_clients_destroy(struct server_clients *clients)
{
    if (!clients) return;
    free_from(atomic_load(&clients->current));
    pthread_mutex_destroy(&clients->replacing);
    free(clients);
}

struct result server_clients_reader(struct server_clients *clients, uint32_t *ret_reader)
{
    uint32_t reader = atomic_fetch_add(&clients->reader_count, 1);
    if (reader >= SERVER_WORKERS_MAX) {
        atomic_fetch_sub(&clients->reader_count, 1);
        return result_of(FULL);
    }
    *ret_reader = reader;
    return result_ok();
}

const struct client_list *server_clients_read(struct server_clients *clients, uint32_t reader)
{
    /* Under the mutex, so that a list cannot be freed between being read and being noted as held. Rare: at start and at
     * reloads. */
    pthread_mutex_lock(&clients->replacing);
    const struct client_list *list = atomic_load(&clients->current);
    atomic_store(&clients->seen[reader], list->generation);
    pthread_mutex_unlock(&clients->replacing);
    return list;
}

bool server_clients_changed(const struct server_clients *clients, const struct client_list *list)
{
    return atomic_load_explicit(&clients->current, memory_order_acquire) != list;
}

const struct core_client *client_of(const struct client_list *list, uint32_t uid)
{
    struct core_client key = {.uid = uid};
    const struct core_client *client = bsearch(&key, list->clients, list->count, sizeof key, by_uid);
    if (client) return client;
    key.uid = SERVER_UID_ANY;
    return bsearch(&key, list->clients, list->count, sizeof key, by_uid);
}
