/* A real store in a folder of its own, and its administration. Static: each test is a program. */
#ifndef TESTS_ADMIN_FIXTURE_H
#define TESTS_ADMIN_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <ftw.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "admin/admin.h"
#include "core/internal.h"
#include "os/arena.h"

#define admin_ok(expression) assert_string_equal(result_name(expression), "OK")
#define admin_is(expression, code) assert_string_equal(result_name(expression), #code)
#define MAYBE_UNUSED __attribute__((unused))

struct fixture {
    char root[256];
    char folder[300];
    struct engine_options options;
    struct engine *engine;
    struct core_worker *worker;
    struct admin_inbox inbox;
    struct admin *admin;
};

static struct result fixture_open(struct fixture *fixture)
{
    TRY(engine_open(&fixture->options, &fixture->engine));
    struct core_worker_options worker = {.os = fixture->engine->os,
                                         .turn_count = 1,
                                         .answered = admin_answered,
                                         .hello_answered = admin_hello_answered,
                                         .context = &fixture->inbox};
    admin_ok(core_worker_create(fixture->engine->core, &worker, &fixture->worker));
    struct admin_options admin = {.engine = fixture->engine,
                                  .worker = fixture->worker,
                                  .os = fixture->engine->os,
                                  .inbox = &fixture->inbox,
                                  .alone = true};
    admin_ok(admin_create(&admin, &fixture->admin));
    return result_ok();
}

static void fixture_close(struct fixture *fixture, bool finish)
{
    admin_destroy(fixture->admin);
    if (finish) admin_ok(core_finish(fixture->worker));
    /* A seal may still be on its way. */
    while (journal_in_flight(fixture->worker->writer) > 0) {
        admin_ok(os_step(fixture->engine->os, 1000000, NULL));
        core_poll(fixture->worker);
    }
    core_worker_destroy(fixture->worker);
    engine_close(fixture->engine);
    fixture->engine = NULL;
}

static void fixture_make(struct fixture *fixture, uint64_t tokens_max)
{
    const char *base = getenv("OTPRING_TEST_FOLDER");
    arena_allow_unlocked(true);
    memset(fixture, 0, sizeof(*fixture));
    snprintf(fixture->root, sizeof(fixture->root), "%s/otpring-admin-XXXXXX", base ? base : "/var/tmp");
    assert_non_null(mkdtemp(fixture->root));
    snprintf(fixture->folder, sizeof(fixture->folder), "%s/store", fixture->root);
    admin_ok(engine_init(fixture->folder, NULL));
    fixture->options = (struct engine_options){.folder = fixture->folder,
                                               .core = {.journal = {.segment_size = 8 << 20, .spare_count = 2},
                                                        .tokens_max = tokens_max,
                                                        .unknown_entries = 8192,
                                                        .kept_size = 1 << 20}};
    admin_ok(fixture_open(fixture));
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static void fixture_remove(struct fixture *fixture)
{
    if (fixture->engine) fixture_close(fixture, false);
    nftw(fixture->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The answer to a request given as text, with single quotes for double ones. */
static json_t *ask_text(struct fixture *fixture, const char *text)
{
    char *answer = NULL;
    struct result result = admin_request(fixture->admin, 0, text, strlen(text), &answer);
    assert_non_null(answer);
    json_t *json = json_loads(answer, 0, NULL);
    admin_text_free(answer);
    assert_non_null(json);
    assert_int_equal(json_is_true(json_object_get(json, "ok")), !result_failed(result));
    return json;
}

static MAYBE_UNUSED json_t *ask(struct fixture *fixture, const char *format, ...) __attribute__((format(printf, 2, 3)));
static MAYBE_UNUSED json_t *ask(struct fixture *fixture, const char *format, ...)
{
    static char text[65536];
    va_list arguments;
    va_start(arguments, format);
    assert_true(vsnprintf(text, sizeof(text), format, arguments) < (int)sizeof(text));
    va_end(arguments);
    for (char *at = text; *at; at++) {
        if (*at == '\'') *at = '"';
    }
    return ask_text(fixture, text);
}

static MAYBE_UNUSED json_int_t number_in(const json_t *json, const char *key)
{
    const json_t *value = json_object_get(json, key);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static MAYBE_UNUSED const char *text_in(const json_t *json, const char *key)
{
    const json_t *value = json_object_get(json, key);
    assert_true(json_is_string(value));
    return json_string_value(value);
}

/* Asks, and wants this code ("OK" for none). */
#define assert_answer(fixture, code, ...)                                                                              \
    do {                                                                                                               \
        json_t *answer_ = ask(fixture, __VA_ARGS__);                                                                   \
        assert_string_equal(json_is_true(json_object_get(answer_, "ok")) ? "OK" : text_in(answer_, "code"), code);     \
        json_decref(answer_);                                                                                          \
    } while (0)

#endif
