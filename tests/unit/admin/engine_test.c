/* A store folder: made, opened, moved, backed up, restored. */
#include "admin_fixture.h"

#include "os/files.h"

static void a_store_is_made_once_and_never_over_something_else(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    admin_is(engine_init(fixture.folder, NULL), OS_EXISTS);
    char other[400], key[400];
    struct stat status;
    snprintf(other, sizeof(other), "%s/other", fixture.root);
    snprintf(key, sizeof(key), "%s.key", fixture.folder);
    admin_is(engine_init(other, key), OS_EXISTS); /* the key file of another store */
    assert_false(files_exist(other));
    assert_int_equal(stat(key, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0400);
    assert_int_equal(stat(fixture.folder, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    fixture_remove(&fixture);
}

static void a_store_is_open_once(void **unused)
{
    (void)unused;
    struct fixture fixture;
    struct engine *second;
    fixture_make(&fixture, 4096);
    admin_is(engine_open(&fixture.options, &second), STORE_BUSY);
    fixture_remove(&fixture);
}

static void the_public_key_is_beside_the_journal(void **unused)
{
    (void)unused;
    struct fixture fixture;
    uint8_t key[VAULT_PUBLIC_KEY_SIZE], expected[VAULT_PUBLIC_KEY_SIZE];
    fixture_make(&fixture, 4096);
    admin_ok(engine_public_key(fixture.folder, key));
    vault_public_key(fixture.engine->vault, expected);
    assert_memory_equal(key, expected, sizeof(key));
    fixture_remove(&fixture);
}

static void a_copied_folder_is_refused_until_taken_over(void **unused)
{
    (void)unused;
    struct fixture fixture;
    char command[1200], copy[400], key[400];
    fixture_make(&fixture, 4096);
    assert_answer(&fixture, "OK", "{'act':'token.add','company':'c','user':'totp'}");
    assert_answer(&fixture, "OK", "{'act':'token.add','company':'c','user':'hotp','type':'hotp'}");
    fixture_close(&fixture, true);
    snprintf(copy, sizeof(copy), "%s/copy", fixture.root);
    snprintf(key, sizeof(key), "%s.key", fixture.folder);
    snprintf(command, sizeof(command), "cp -a '%s' '%s'", fixture.folder, copy);
    assert_int_equal(system(command), 0);
    fixture.options.folder = copy;
    fixture.options.key_path = key;
    admin_is(fixture_open(&fixture), STORE_FOREIGN);
    fixture.options.core.take_over = true;
    admin_is(fixture_open(&fixture), STORE_RESTORED);
    fixture.options.core.restore_now_ms = (int64_t)time(NULL) * 1000;
    admin_ok(fixture_open(&fixture));
    json_t *list = ask(&fixture, "{'act':'token.list','state':'unsynchronised'}");
    assert_int_equal(json_array_size(json_object_get(list, "tokens")), 1);
    json_decref(list);
    fixture_close(&fixture, true);
    fixture.options.core.take_over = false;
    fixture.options.core.restore_now_ms = 0;
    admin_ok(fixture_open(&fixture)); /* its place is here now */
    fixture_remove(&fixture);
}

static void a_backup_made_under_way_restores_into_a_new_folder(void **unused)
{
    (void)unused;
    struct fixture fixture;
    char backup[400], restored[400], key[400], path[500];
    fixture_make(&fixture, 4096);
    for (int i = 0; i < 50; i++) {
        assert_answer(&fixture, "OK", "{'act':'token.add','company':'c','user':'u%d','type':'hotp'}", i);
    }
    snprintf(backup, sizeof(backup), "%s/backup", fixture.root);
    snprintf(restored, sizeof(restored), "%s/restored", fixture.root);
    snprintf(key, sizeof(key), "%s.key", fixture.folder);
    assert_answer(&fixture, "OK", "{'act':'backup','folder':'%s'}", backup);
    assert_answer(&fixture, "OS_EXISTS", "{'act':'backup','folder':'%s'}", backup);
    snprintf(path, sizeof(path), "%s/store.key", backup);
    assert_false(files_exist(path));
    assert_answer(&fixture, "OK", "{'act':'token.add','company':'c','user':'later'}");
    fixture_close(&fixture, true);

    admin_ok(engine_restore(backup, NULL, restored, key));
    fixture.options.folder = restored;
    fixture.options.key_path = key;
    admin_is(fixture_open(&fixture), STORE_FOREIGN);
    fixture.options.core.take_over = true;
    fixture.options.core.restore_now_ms = (int64_t)time(NULL) * 1000;
    admin_ok(fixture_open(&fixture));
    json_t *status = ask(&fixture, "{'act':'status'}");
    assert_int_equal(number_in(status, "tokens"), 50);
    json_decref(status);
    assert_answer(&fixture, "FLOOR_UNKNOWN", "{'act':'token.resume','company':'c','user':'u7'}");
    assert_answer(&fixture, "OK", "{'act':'token.add','company':'c','user':'new'}");
    fixture_close(&fixture, true);
    fixture.options.core.take_over = false;
    admin_ok(fixture_open(&fixture));
    fixture_remove(&fixture);
}

static void a_restore_with_another_stores_key_is_refused(void **unused)
{
    (void)unused;
    struct fixture fixture;
    char backup[400], restored[400], key[400];
    fixture_make(&fixture, 4096);
    snprintf(backup, sizeof(backup), "%s/backup", fixture.root);
    snprintf(restored, sizeof(restored), "%s/restored", fixture.root);
    snprintf(key, sizeof(key), "%s/wrong.key", fixture.root);
    assert_answer(&fixture, "OK", "{'act':'backup','folder':'%s'}", backup);
    admin_ok(vault_key_file_create(key));
    admin_is(engine_restore(backup, NULL, restored, key), VAULT_WRONG_KEY);
    fixture_remove(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_is_made_once_and_never_over_something_else),
        cmocka_unit_test(a_store_is_open_once),
        cmocka_unit_test(the_public_key_is_beside_the_journal),
        cmocka_unit_test(a_copied_folder_is_refused_until_taken_over),
        cmocka_unit_test(a_backup_made_under_way_restores_into_a_new_folder),
        cmocka_unit_test(a_restore_with_another_stores_key_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
