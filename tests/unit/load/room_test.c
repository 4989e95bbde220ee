/* The room that connections take their memory from. */
#include "helpers.h"

#include <string.h>

#include "otpring-load/room.h"

static void pieces_are_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 127, 128, 129, 4096, 3 << 20, 65 << 20, 7};
    struct room room = {0};
    unsigned char *pieces[8];
    for (int i = 0; i < 8; i++) {
        pieces[i] = room_take(&room, 1, sizes[i]);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % ROOM_ALIGNMENT, 0);
        for (size_t k = 0; k < sizes[i]; k++)
            if (pieces[i][k]) fail_msg("byte %zu of piece %d is not zero", k, i);
        memset(pieces[i], i + 1, sizes[i]);
    }
    for (int i = 0; i < 8; i++)
        for (size_t k = 0; k < sizes[i]; k++)
            if (pieces[i][k] != i + 1) fail_msg("byte %zu of piece %d was written over", k, i);
    room_free(&room);
    assert_null(room.newest);
}

static void what_is_more_than_there_can_be_is_refused_and_the_room_stays_of_use(void **state)
{
    (void)state;
    struct room room = {0};
    assert_null(room_take(&room, SIZE_MAX / 2, 4));
    assert_null(room_take(&room, SIZE_MAX - 1, 1));
    assert_null(room_take(&room, SIZE_MAX / 4, 1));
    assert_non_null(room_take(&room, 10, 10));
    room_free(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_zeroed_aligned_and_apart),
        cmocka_unit_test(what_is_more_than_there_can_be_is_refused_and_the_room_stays_of_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
