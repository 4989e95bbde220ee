/* The golden journals: is the format still the one that was promised? Files of version 2, read through the real os. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helpers.h"
#include "os/os_uring.h"

struct golden {
    const char *name;
    enum result_code expected;
    uint64_t bad_position;
    uint64_t last_position; /* where nothing is bad */
    uint64_t signed_through;
};

static const struct golden goldens[] = {
    {"good", OK, 0, 21, 19},
    {"torn", OK, 0, 14, 0},
    {"corrupt", JOURNAL_CORRUPT, 6, 0, 0},
    {"header", JOURNAL_CORRUPT, 16, 0, 0},
    {"forged", JOURNAL_BAD_SEAL, 1, 0, 0},
};

static void read_key(const char *store, uint8_t ret_key[VAULT_PUBLIC_KEY_SIZE])
{
    char path[512];
    snprintf(path, sizeof path, "%s/audit.pub", store);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    for (unsigned i = 0; i < VAULT_PUBLIC_KEY_SIZE; i++) {
        unsigned byte;
        assert_int_equal(fscanf(file, "%2x", &byte), 1);
        ret_key[i] = (uint8_t)byte;
    }
    fclose(file);
}

static void each_golden_journal_checks_as_it_did_when_it_was_made(void **state)
{
    (void)state;
    struct os *os;
    assert_ok(os_uring_create(&(struct os_uring_options){.entries = 16}, &os));
    for (unsigned i = 0; i < sizeof goldens / sizeof goldens[0]; i++) {
        char store[256];
        char folder[300];
        uint8_t key[VAULT_PUBLIC_KEY_SIZE];
        struct journal_check_report report;
        snprintf(store, sizeof store, TESTS_FOLDER "/golden/journal/%s", goldens[i].name);
        snprintf(folder, sizeof folder, "%s/journal", store);
        read_key(store, key);
        struct result result = journal_check(os, folder, &(struct journal_check_options){.public_key = key}, &report);
        print_message("%s: %s at %llu (%s)\n", goldens[i].name, result_name(result),
                      (unsigned long long)report.bad_position, report.finding);
        assert_code(result, goldens[i].expected);
        assert_int_equal(report.bad_position, goldens[i].bad_position);
        if (goldens[i].expected != OK) continue;
        assert_int_equal(report.last_position, goldens[i].last_position);
        assert_int_equal(report.signed_through, goldens[i].signed_through);
    }
    os_destroy(os);
}

static bool begins_at_16(const struct slot_act *act, const uint8_t *payload, uint64_t first_position)
{
    (void)act;
    (void)payload;
    return first_position == 16;
}

/* The second segment of the good journal, whose first nobody removed. */
static void a_journal_without_its_oldest_segment_is_found_out(void **state)
{
    (void)state;
    char folder[] = "/tmp/otpring-golden-XXXXXX", command[600];
    struct os *os;
    assert_non_null(mkdtemp(folder));
    snprintf(command, sizeof command, "cp %s/golden/journal/good/journal/0000000000000002.seg %s/", TESTS_FOLDER,
             folder);
    assert_int_equal(system(command), 0);
    assert_ok(os_uring_create(&(struct os_uring_options){.entries = 16}, &os));
    struct journal_check_report report;
    struct journal_check_options options = {0};
    assert_code(journal_check(os, folder, &options, &report), JOURNAL_MISSING);
    assert_int_equal(report.bad_position, 16);
    assert_int_equal(report.last_position, 21);
    print_message("%s\n", report.finding);
    options.part = true;
    assert_ok(journal_check(os, folder, &options, &report));
    options = (struct journal_check_options){.begins_at = begins_at_16};
    assert_ok(journal_check(os, folder, &options, &report));
    os_destroy(os);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

static void a_golden_block_has_its_fields_at_the_promised_offsets(void **state)
{
    (void)state;
    FILE *file = fopen(TESTS_FOLDER "/golden/journal/good/journal/0000000000000001.seg", "rb");
    assert_non_null(file);
    uint8_t bytes[8192];
    assert_int_equal(fread(bytes, 1, sizeof bytes, file), sizeof bytes);
    fclose(file);
    assert_memory_equal(bytes, "OTPRSEG1", 8);
    assert_memory_equal(bytes + 4096,
                        "OTRB\x02\x00\x02\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00", 24);
    assert_int_equal(bytes[4096 + 64 + 63], SLOT_ACT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_golden_journal_checks_as_it_did_when_it_was_made),
        cmocka_unit_test(a_journal_without_its_oldest_segment_is_found_out),
        cmocka_unit_test(a_golden_block_has_its_fields_at_the_promised_offsets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
