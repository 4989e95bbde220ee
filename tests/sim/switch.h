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
#undef atomic_load
#undef atomic_load_explicit
#undef atomic_fetch_or
#undef atomic_fetch_and
#ifdef __clang__
#define SIM_SWAPPED(object, expected, desired)                                                                         \
    __c11_atomic_compare_exchange_strong(object, expected, desired, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
#define SIM_LOADED(object) __c11_atomic_load(object, __ATOMIC_SEQ_CST)
#define SIM_ORED(object, value) __c11_atomic_fetch_or(object, value, __ATOMIC_SEQ_CST)
#define SIM_ANDED(object, value) __c11_atomic_fetch_and(object, value, __ATOMIC_SEQ_CST)
#else
#define SIM_SWAPPED(object, expected, desired)                                                                         \
    __extension__({                                                                                                    \
        __auto_type sim_object_ = (object);                                                                            \
        __typeof__((void)0, *sim_object_) sim_desired_ = (desired);                                                    \
        __atomic_compare_exchange(sim_object_, (expected), &sim_desired_, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);      \
    })
#define SIM_LOADED(object)                                                                                             \
    __extension__({                                                                                                    \
        __auto_type sim_from_ = (object);                                                                              \
        __typeof__((void)0, *sim_from_) sim_value_;                                                                    \
        __atomic_load(sim_from_, &sim_value_, __ATOMIC_SEQ_CST);                                                       \
        sim_value_;                                                                                                    \
    })
#define SIM_ORED(object, value) __atomic_fetch_or(object, value, __ATOMIC_SEQ_CST)
#define SIM_ANDED(object, value) __atomic_fetch_and(object, value, __ATOMIC_SEQ_CST)
#endif

#define atomic_compare_exchange_strong(object, expected, desired)                                                      \
    (sim_switch(SIM_SWAP), SIM_SWAPPED(object, expected, desired))
#define atomic_compare_exchange_weak(object, expected, desired)                                                        \
    (sim_switch(SIM_SWAP), SIM_SWAPPED(object, expected, desired))
#define atomic_compare_exchange_strong_explicit(object, expected, desired, success, failure)                           \
    (sim_switch(SIM_SWAP), SIM_SWAPPED(object, expected, desired))
#define atomic_compare_exchange_weak_explicit(object, expected, desired, success, failure)                             \
    (sim_switch(SIM_SWAP), SIM_SWAPPED(object, expected, desired))
#define atomic_load(object) (sim_switch(SIM_LOAD), SIM_LOADED(object))
#define atomic_load_explicit(object, order) (sim_switch(SIM_LOAD), SIM_LOADED(object))
#define atomic_fetch_or(object, value) (sim_switch(SIM_CHANGE), SIM_ORED(object, value))
#define atomic_fetch_and(object, value) (sim_switch(SIM_CHANGE), SIM_ANDED(object, value))

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
