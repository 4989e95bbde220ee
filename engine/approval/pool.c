#include "approval/pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "os/machine.h"

enum { THREADS_MAX = 64 };

struct pool {
    pthread_mutex_t mutex; /* over all that follows */
    pthread_cond_t work, done;
    pool_part *part; /* NULL: nothing to do */
    void *context;
    size_t count, taken, done_count;
    bool stop;
    uint32_t thread_count;
    pthread_t threads[THREADS_MAX];
};

/* Takes parts until there are none; the mutex is held around. */
static void parts_take(struct pool *pool)
{
    while (pool->part && pool->taken < pool->count) {
        size_t from = pool->taken, size = pool->count - from < POOL_PART ? pool->count - from : POOL_PART;
        pool_part *part = pool->part;
        void *context = pool->context;
        pool->taken += size;
        pthread_mutex_unlock(&pool->mutex);
        part(context, from, size);
        pthread_mutex_lock(&pool->mutex);
        pool->done_count += size;
        if (pool->done_count == pool->count) pthread_cond_signal(&pool->done);
    }
}

static void *thread_main(void *argument)
{
    struct pool *pool = argument;
    machine_thread_yields();
    pthread_mutex_lock(&pool->mutex);
    while (!pool->stop) {
        parts_take(pool);
        if (!pool->stop) pthread_cond_wait(&pool->work, &pool->mutex);
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

struct result pool_create(uint32_t threads, struct pool **ret_pool)
{
    struct pool *pool = calloc(1, sizeof *pool);
    if (!pool) return result_of(NO_MEMORY);
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->done, NULL);
    if (threads > THREADS_MAX) threads = THREADS_MAX;
    /* With fewer than were wished it is slower and nothing else. */
    while (pool->thread_count < threads &&
           pthread_create(&pool->threads[pool->thread_count], NULL, thread_main, pool) == 0) {
        pthread_setname_np(pool->threads[pool->thread_count], "signatures");
        pool->thread_count++;
    }
    *ret_pool = pool;
    return result_ok();
}

void pool_destroy(struct pool *pool)
{
    if (!pool) return;
    pthread_mutex_lock(&pool->mutex);
    pool->stop = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
    for (uint32_t i = 0; i < pool->thread_count; i++) pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->work);
    pthread_cond_destroy(&pool->done);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}

void pool_run(struct pool *pool, pool_part *part, void *context, size_t count)
{
    if (count == 0) return;
    pthread_mutex_lock(&pool->mutex);
    pool->part = part;
    pool->context = context;
    pool->count = count;
    pool->taken = pool->done_count = 0;
    /* One part is not worth waking anybody. */
    if (count > POOL_PART) pthread_cond_broadcast(&pool->work);
    parts_take(pool);
    while (pool->done_count < pool->count) pthread_cond_wait(&pool->done, &pool->mutex);
    pool->part = NULL;
    pthread_mutex_unlock(&pool->mutex);
}
