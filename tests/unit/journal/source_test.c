/* Reading through a window, with and without reading ahead: whatever is asked for in whatever order, the bytes are the
 * file's, and where it ends nothing is made up. */
#include <stdlib.h>
#include <string.h>

#include "helpers.h"
#include "journal/file.h"

enum { BLOCK = 4096, WINDOW = 64 << 10, FILE_BLOCKS = 700, TAIL = 1234, FILE_SIZE = FILE_BLOCKS * BLOCK + TAIL };

struct reading {
    struct os_sim_world *world;
    struct os *os;
    struct source source;
    uint8_t *bytes; /* the file's */
    int file;
};

enum ways { PLAIN, AHEAD, AHEAD_IN_SMALL_READS, WAYS };

/* A file whose last block is cut short; sizes of files are multiples of blocks only for those who write directly. */
static struct reading *create(enum ways way)
{
    struct reading *reading = calloc(1, sizeof *reading);
    assert_ok(os_sim_world_create(&(struct os_sim_options){.seed = 5}, &reading->world));
    reading->os = os_sim_create(reading->world);
    reading->bytes = aligned_alloc(BLOCK, FILE_SIZE / BLOCK * BLOCK + BLOCK);
    for (size_t i = 0; i < FILE_SIZE; i++) reading->bytes[i] = (uint8_t)(i * 31 + i / BLOCK);
    assert_ok(file_open(reading->os, "/j", "file", OS_OPEN_WRITE | OS_OPEN_CREATE, &reading->file));
    assert_ok(file_write(reading->os, reading->file, reading->bytes, FILE_SIZE, 0, OS_WRITE));
    assert_ok(source_create(reading->os, WINDOW, WINDOW, &reading->source));
    if (way != PLAIN) assert_ok(source_read_ahead(&reading->source, 2 * WINDOW, way == AHEAD ? 2 * WINDOW : 3 * BLOCK));
    source_set(&reading->source, reading->file, FILE_SIZE);
    return reading;
}

static void destroy(struct reading *reading)
{
    source_destroy(&reading->source);
    file_close(reading->os, reading->file);
    os_destroy(reading->os);
    os_sim_world_destroy(reading->world);
    free(reading->bytes);
    free(reading);
}

static struct result get(struct reading *reading, uint64_t offset, uint32_t size)
{
    const uint8_t *bytes;
    struct result result = source_get(&reading->source, offset, size, &bytes);
    if (result_failed(result)) return result;
    bool within = offset + size <= FILE_BLOCKS * BLOCK;
    if (within) assert_non_null(bytes);
    if (offset + size > FILE_SIZE) assert_null(bytes);
    if (bytes) assert_memory_equal(bytes, reading->bytes + offset, size);
    return result;
}

static uint64_t draw(struct reading *reading, uint64_t below)
{
    return os_sim_draw(reading->world) % below;
}

static void whatever_is_asked_for_the_bytes_are_the_files(void **state)
{
    (void)state;
    for (enum ways way = PLAIN; way < WAYS; way++) {
        struct reading *reading = create(way);
        uint64_t at = 0;
        for (int i = 0; i < 6000; i++) {
            uint32_t size = (uint32_t)(1 + draw(reading, WINDOW / 4));
            uint64_t jump = draw(reading, 40);
            if (jump == 0) at = draw(reading, FILE_BLOCKS + 2) * BLOCK; /* anywhere */
            if (jump == 1 && at >= 2 * WINDOW) at -= 2 * WINDOW;        /* back */
            if (jump == 2) at += 3 * (uint64_t)WINDOW;                  /* past what was read ahead */
            if (jump == 3) source_refresh(&reading->source);
            if (jump == 4) source_set(&reading->source, reading->file, FILE_SIZE);
            assert_ok(get(reading, at, size));
            at += (uint64_t)(size + BLOCK - 1) / BLOCK * BLOCK;
            if (at > FILE_SIZE) at = 0;
        }
        destroy(reading);
    }
}

static void a_read_that_fails_is_an_error_and_never_a_short_file(void **state)
{
    (void)state;
    for (enum ways way = PLAIN; way < WAYS; way++) {
        for (uint64_t nth = 1; nth < 40; nth++) {
            struct reading *reading = create(way);
            struct result result = result_ok();
            os_sim_faults_set(reading->world, &(struct os_sim_faults){.fail_read_at = nth});
            for (uint64_t at = 0; at < FILE_BLOCKS * BLOCK && !result_failed(result); at += WINDOW / 2)
                result = get(reading, at, WINDOW / 4);
            if (result_failed(result)) assert_string_equal(result_name(result), "OS_FAILED");
            os_sim_faults_set(reading->world, &(struct os_sim_faults){0});
            assert_ok(get(reading, 0, WINDOW));
            destroy(reading);
        }
    }
}

/* Windows of more than the headroom, and looks that reach far back in one: there it is read anew. */
static void far_back_in_a_large_window_is_read_anew(void **state)
{
    (void)state;
    struct reading *reading = create(PLAIN);
    assert_ok(source_read_ahead(&reading->source, 2 * SOURCE_HEADROOM, 2 * SOURCE_HEADROOM));
    source_set(&reading->source, reading->file, FILE_SIZE);
    assert_ok(get(reading, 0, BLOCK));
    assert_ok(get(reading, BLOCK, 2 * SOURCE_HEADROOM));
    assert_ok(get(reading, 2 * SOURCE_HEADROOM, WINDOW));
    assert_ok(get(reading, 0, WINDOW));
    destroy(reading);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_is_asked_for_the_bytes_are_the_files),
        cmocka_unit_test(a_read_that_fails_is_an_error_and_never_a_short_file),
        cmocka_unit_test(far_back_in_a_large_window_is_read_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
