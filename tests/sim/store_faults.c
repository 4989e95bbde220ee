#include "store_faults.h"

static struct store_functions failing;
static const struct store_functions *sound; /* NULL: off */
static struct store *faulty;
static uint64_t fails_at;
static bool fails_on;
static enum result_code fails_with;
static uint64_t calls;

static bool fails(void)
{
    calls++;
    return calls == fails_at || (fails_on && calls > fails_at);
}

static struct result begin(struct store *store, bool write, struct store_txn **ret_txn)
{
    return fails() ? result_of(fails_with) : sound->begin(store, write, ret_txn);
}

/* Ended either way. */
static struct result commit(struct store_txn *txn)
{
    if (!fails()) return sound->commit(txn);
    sound->abort(txn);
    return result_of(fails_with);
}

static struct result get(struct store_txn *txn, enum store_map map, struct store_bytes key,
                         struct store_bytes *ret_value)
{
    return fails() ? result_of(fails_with) : sound->get(txn, map, key, ret_value);
}

static struct result put(struct store_txn *txn, enum store_map map, struct store_bytes key, struct store_bytes value)
{
    return fails() ? result_of(fails_with) : sound->put(txn, map, key, value);
}

static struct result erase(struct store_txn *txn, enum store_map map, struct store_bytes key)
{
    return fails() ? result_of(fails_with) : sound->erase(txn, map, key);
}

static struct result next(struct store_txn *txn, enum store_map map, struct store_bytes after, bool inclusive,
                          struct store_bytes *ret_key, struct store_bytes *ret_value)
{
    return fails() ? result_of(fails_with) : sound->next(txn, map, after, inclusive, ret_key, ret_value);
}

void store_faults_on(struct store *store, uint64_t number, bool sticky, enum result_code code)
{
    sound = store->functions;
    failing = *sound;
    failing.begin = begin;
    failing.commit = commit;
    failing.get = get;
    failing.put = put;
    failing.erase = erase;
    failing.next = next;
    faulty = store;
    store->functions = &failing;
    fails_at = number;
    fails_on = sticky;
    fails_with = code;
    calls = 0;
}

void store_faults_off(void)
{
    if (faulty) faulty->functions = sound;
    faulty = NULL;
}

uint64_t store_faults_count(void)
{
    return calls;
}
