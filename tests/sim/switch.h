/* Included before everything else in the engine files that the simulator compiles for itself (-include): the same
 * sources, with a place where the scheduler may switch to another worker before each atomic access, and with
 * allocations that can be told to fail. No engine file knows of it.
 *
 * All workers are one thread here, so a switch may not come while one of them holds a mutex that another would wait
 * for: locks are counted. A mutex taken by pthread_mutex_trylock (the act mutex alone) is not: its holders step their
 * os meanwhile. */
#ifndef TESTS_SIM_SWITCH_H
#define TESTS_SIM_SWITCH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum sim_access { SIM_LOAD, SIM_CHANGE, SIM_SWAP };
void sim_switch(enum sim_access access);
int sim_mutex_lock(pthread_mutex_t *mutex);
int sim_mutex_unlock(pthread_mutex_t *mutex);

#undef atomic_compare_exchange_strong
#undef atomic_compare_exchange_weak
#undef atomic_compare_exchange_strong_explicit
#undef atomic_compare_exchange_weak_explicit
#define SIM_COMPARE_EXCHANGE(object, expected, desired)                                                                \
    __extension__({                                                                                                    \
        sim_switch(SIM_SWAP);                                                                                          \
        __auto_type sim_object_ = (object);                                                                            \
        __typeof__((void)0, *sim_object_) sim_desired_ = (desired);                                                    \
        __atomic_compare_exchange(sim_object_, (expected), &sim_desired_, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);      \
    })
#define atomic_compare_exchange_strong(object, expected, desired) SIM_COMPARE_EXCHANGE(object, expected, desired)
#define atomic_compare_exchange_weak(object, expected, desired) SIM_COMPARE_EXCHANGE(object, expected, desired)
#define atomic_compare_exchange_strong_explicit(object, expected, desired, success, failure)                           \
    SIM_COMPARE_EXCHANGE(object, expected, desired)
#define atomic_compare_exchange_weak_explicit(object, expected, desired, success, failure)                             \
    SIM_COMPARE_EXCHANGE(object, expected, desired)

#undef atomic_load
#undef atomic_load_explicit
#define atomic_load(object)                                                                                            \
    (sim_switch(SIM_LOAD), __extension__({                                                                             \
         __auto_type sim_from_ = (object);                                                                             \
         __typeof__((void)0, *sim_from_) sim_value_;                                                                   \
         __atomic_load(sim_from_, &sim_value_, __ATOMIC_SEQ_CST);                                                      \
         sim_value_;                                                                                                   \
     }))
#define atomic_load_explicit(object, order) atomic_load(object)

#undef atomic_fetch_or
#undef atomic_fetch_and
#define atomic_fetch_or(object, value) (sim_switch(SIM_CHANGE), __atomic_fetch_or((object), (value), __ATOMIC_SEQ_CST))
#define atomic_fetch_and(object, value)                                                                                \
    (sim_switch(SIM_CHANGE), __atomic_fetch_and((object), (value), __ATOMIC_SEQ_CST))

#define pthread_mutex_lock(mutex) sim_mutex_lock(mutex)
#define pthread_mutex_unlock(mutex) sim_mutex_unlock(mutex)

#ifndef SIM_ALLOCATES_ALWAYS
void *sim_malloc(size_t size);
void *sim_calloc(size_t count, size_t size);
void *sim_realloc(void *memory, size_t size);
void *sim_aligned_alloc(size_t alignment, size_t size);
char *sim_strdup(const char *text);
#define malloc(size) sim_malloc(size)
#define calloc(count, size) sim_calloc(count, size)
#define realloc(memory, size) sim_realloc(memory, size)
#define aligned_alloc(alignment, size) sim_aligned_alloc(alignment, size)
#undef strdup
#define strdup(text) sim_strdup(text)
#endif

#endif
