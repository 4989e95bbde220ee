/* A store whose Nth call fails: begin, get, put, erase, next or commit alike. */
#ifndef TESTS_SIM_STORE_FAULTS_H
#define TESTS_SIM_STORE_FAULTS_H

#include <stdbool.h>

#include "store/store.h"

/* The Nth call from now on fails with this code, and with `sticky` each after it. One store at a time. */
void store_faults_on(struct store *store, uint64_t number, bool sticky, enum result_code code);
/* The store is as it was. */
void store_faults_off(void);
/* Calls since store_faults_on. */
uint64_t store_faults_count(void);

#endif
