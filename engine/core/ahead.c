#include "core/ahead.h"

#include "base/bytes.h"

/* Not further ahead than memory is sure to keep; false when told to stop. */
static bool may_go_on(struct ahead *ahead, uint64_t ordinal)
{
    pthread_mutex_lock(&ahead->mutex);
    while (!ahead->stop && ordinal > ahead->read + AHEAD_MOST) pthread_cond_wait(&ahead->moved, &ahead->mutex);
    bool stop = ahead->stop;
    pthread_mutex_unlock(&ahead->mutex);
    return !stop;
}

static void touch(struct ahead *ahead, struct store_txn *txn)
{
    uint64_t waits = ahead->disk_waits(), ordinal = 0;
    for (unsigned touched = 1; ordinal <= UINT32_MAX; touched++) {
        uint8_t at[4];
        struct store_bytes key, value;
        store_be32(at, (uint32_t)ordinal);
        if (result_failed(
                store_next(ahead->store, txn, STORE_TOKENS, (struct store_bytes){at, sizeof at}, true, &key, &value)) ||
            key.size != sizeof at)
            return; /* the end; or damage, which whoever loads will meet */
        ordinal = (uint64_t)load_be32(key.bytes) + AHEAD_STEP;
        if (touched % AHEAD_LOOK == 0) {
            uint64_t now = ahead->disk_waits();
            if (now == waits) ordinal += AHEAD_JUMP;
            waits = now;
        }
        if (!may_go_on(ahead, ordinal)) return;
    }
}

static void *thread_main(void *argument)
{
    struct ahead *ahead = argument;
    struct store_txn *txn;
    if (result_failed(store_begin(ahead->store, false, &txn))) return NULL;
    touch(ahead, txn);
    store_abort(ahead->store, txn);
    return NULL;
}

void ahead_begin(struct ahead *ahead, struct store *store, uint64_t (*disk_waits)(void))
{
    *ahead = (struct ahead){.store = store,
                            .disk_waits = disk_waits,
                            .mutex = PTHREAD_MUTEX_INITIALIZER,
                            .moved = PTHREAD_COND_INITIALIZER};
    ahead->started = pthread_create(&ahead->thread, NULL, thread_main, ahead) == 0;
}

void ahead_follow(struct ahead *ahead, uint32_t ordinal)
{
    pthread_mutex_lock(&ahead->mutex);
    ahead->read = ordinal;
    pthread_cond_signal(&ahead->moved);
    pthread_mutex_unlock(&ahead->mutex);
}

void ahead_end(struct ahead *ahead)
{
    if (!ahead->started) return;
    pthread_mutex_lock(&ahead->mutex);
    ahead->stop = true;
    pthread_cond_signal(&ahead->moved);
    pthread_mutex_unlock(&ahead->mutex);
    pthread_join(ahead->thread, NULL);
}
