#include "schedule.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "base/check.h"

enum sim_access { SIM_LOAD, SIM_CHANGE, SIM_SWAP };

enum { STACK_SIZE = 4 << 20, WAIT_NS_MAX = 40000, LOCKS_MAX = 8 };

struct actor {
    ucontext_t context;
    void *stack;
    void (*run)(void *context);
    bool ended;
};

static struct {
    struct actor actors[SCHEDULE_ACTORS_MAX];
    unsigned count;
    unsigned current;
    void *context;
    ucontext_t home;
    uint64_t random;
    uint64_t switches;
    uint64_t switches_all;
    uint64_t switches_max;
    unsigned off;
    bool running;
    unsigned shares[3]; /* by enum sim_access */
    const pthread_mutex_t *locks[LOCKS_MAX];
    unsigned lock_count;
} schedule;

static uint64_t draw(void)
{
    uint64_t z = schedule.random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* ---- switching ---- */

void schedule_yield(void)
{
    if (!schedule.running || schedule.off || schedule.lock_count) return;
    unsigned from = schedule.current, to = (unsigned)(draw() % schedule.count);
    while (schedule.actors[to].ended) to = (to + 1) % schedule.count;
    if (++schedule.switches > schedule.switches_max) {
        swapcontext(&schedule.actors[from].context, &schedule.home);
        return;
    }
    if (to == from) return;
    schedule.current = to;
    swapcontext(&schedule.actors[from].context, &schedule.actors[to].context);
}

void sim_switch(enum sim_access access);
int sim_mutex_lock(pthread_mutex_t *mutex);
int sim_mutex_unlock(pthread_mutex_t *mutex);

void sim_switch(enum sim_access access)
{
    if (!schedule.running || schedule.off || schedule.lock_count) return;
    if ((draw() & 0xff) < schedule.shares[access]) schedule_yield();
}

int sim_mutex_lock(pthread_mutex_t *mutex)
{
    CHECK(schedule.lock_count < LOCKS_MAX);
    schedule.locks[schedule.lock_count++] = mutex;
    return pthread_mutex_lock(mutex);
}

int sim_mutex_unlock(pthread_mutex_t *mutex)
{
    for (unsigned i = schedule.lock_count; i-- > 0;) {
        if (schedule.locks[i] != mutex) continue;
        schedule.locks[i] = schedule.locks[--schedule.lock_count];
        break;
    }
    return pthread_mutex_unlock(mutex);
}

void schedule_shares(unsigned loads, unsigned swaps)
{
    schedule.shares[SIM_LOAD] = loads;
    schedule.shares[SIM_CHANGE] = schedule.shares[SIM_SWAP] = swaps;
}

void schedule_off(void)
{
    schedule.off++;
}

void schedule_on(void)
{
    CHECK(schedule.off > 0);
    schedule.off--;
}

uint64_t schedule_switches(void)
{
    return schedule.switches_all + schedule.switches;
}

/* ---- actors ---- */

static void actor_main(unsigned index)
{
    struct actor *actor = &schedule.actors[index];
    actor->run(schedule.context);
    actor->ended = true;
    for (unsigned i = 0; i < schedule.count; i++) {
        if (schedule.actors[i].ended) continue;
        schedule.current = i;
        swapcontext(&actor->context, &schedule.actors[i].context);
    }
    swapcontext(&actor->context, &schedule.home);
}

bool schedule_run(void (*const *actors)(void *context), unsigned count, void *context, uint64_t seed,
                  uint64_t switches_max)
{
    CHECK(!schedule.running && count <= SCHEDULE_ACTORS_MAX);
    schedule.count = count;
    schedule.context = context;
    schedule.random = seed;
    schedule.switches_all += schedule.switches;
    schedule.switches = 0;
    schedule.switches_max = switches_max;
    schedule.current = 0;
    for (unsigned i = 0; i < count; i++) {
        struct actor *actor = &schedule.actors[i];
        if (!actor->stack)
            actor->stack =
                mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        CHECK(actor->stack != MAP_FAILED && getcontext(&actor->context) == 0);
        actor->context.uc_stack.ss_sp = actor->stack;
        actor->context.uc_stack.ss_size = STACK_SIZE;
        actor->context.uc_link = NULL;
        actor->run = actors[i];
        actor->ended = false;
        makecontext(&actor->context, (void (*)(void))(void *)actor_main, 1, i);
    }
    schedule.running = true;
    CHECK(swapcontext(&schedule.home, &schedule.actors[0].context) == 0);
    schedule.running = false;
    for (unsigned i = 0; i < count; i++)
        if (!schedule.actors[i].ended) return false;
    return true;
}

/* ---- stepping ---- */

static const struct os_functions *original;
static struct os_functions scheduled;

static struct result step(struct os *os, uint64_t wait_ns, unsigned *ret_completed)
{
    schedule_yield();
    uint64_t most = wait_ns < WAIT_NS_MAX ? wait_ns : WAIT_NS_MAX;
    uint64_t wait = draw() % 4 == 0 || most == 0 ? 0 : draw() % most;
    return original->step(os, wait, ret_completed);
}

void schedule_os(struct os *os)
{
    if (!original) {
        original = os->functions;
        scheduled = *original;
        scheduled.step = step;
    }
    os->functions = &scheduled;
}
