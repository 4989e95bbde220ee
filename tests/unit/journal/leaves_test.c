/* Leaf hashes of what no seal covers yet: the root over any range is the root that is made page by page, however much
 * there is, on one thread or on two. */
#include <stdlib.h>
#include <string.h>

#include "helpers.h"
#include "journal/leaves.h"
#include "journal/merkle.h"
#include "vault/vault.h"

enum { PAGE = 4096, BLOCK_PAGES = 256, BLOCKS = 60, HUGE_PAGES = 10000 };

static uint8_t *block_bytes(uint32_t number, uint32_t page_count)
{
    uint8_t *bytes = malloc((size_t)page_count * PAGE);
    for (size_t i = 0; i < (size_t)page_count * PAGE; i++) bytes[i] = (uint8_t)(number * 31 + i * 7 + i / PAGE);
    return bytes;
}

static void root_page_by_page(uint32_t first, uint32_t last, uint8_t ret_root[32])
{
    struct merkle merkle;
    merkle_start(&merkle);
    for (uint32_t number = first; number <= last; number++) {
        uint32_t pages = 1 + (number * 97) % BLOCK_PAGES;
        uint8_t *bytes = block_bytes(number, pages);
        for (uint32_t page = 0; page < pages; page++) {
            uint8_t leaf[32];
            vault_merkle_leaf(bytes + (size_t)page * PAGE, PAGE, leaf);
            merkle_add(&merkle, leaf);
        }
        free(bytes);
    }
    merkle_root(&merkle, ret_root);
}

static void every_range_has_the_root_that_is_made_page_by_page(void **state)
{
    (void)state;
    for (int thread = 0; thread < 2; thread++) {
        struct leaves *leaves;
        uint8_t root[32], expected[32];
        assert_ok(leaves_create(thread, &leaves));
        for (uint32_t number = 1; number <= BLOCKS; number++) {
            uint32_t pages = 1 + (number * 97) % BLOCK_PAGES;
            uint8_t *bytes = block_bytes(number, pages);
            assert_ok(leaves_add(leaves, number, bytes, pages));
            free(bytes);
        }
        leaves_root(leaves, 1, BLOCKS, root);
        root_page_by_page(1, BLOCKS, expected);
        assert_memory_equal(root, expected, sizeof root);
        leaves_root(leaves, 5, 11, root);
        root_page_by_page(5, 11, expected);
        assert_memory_equal(root, expected, sizeof root);
        leaves_drop(leaves, 7);
        leaves_root(leaves, 8, BLOCKS, root);
        root_page_by_page(8, BLOCKS, expected);
        assert_memory_equal(root, expected, sizeof root);
        leaves_drop(leaves, BLOCKS);
        leaves_destroy(leaves);
    }
}

static void more_than_there_was_room_for_is_taken_at_once(void **state)
{
    (void)state;
    struct leaves *leaves;
    struct merkle merkle;
    uint8_t root[32], expected[32], leaf[32];
    uint8_t *bytes = block_bytes(1, HUGE_PAGES);
    assert_ok(leaves_create(false, &leaves));
    assert_ok(leaves_add(leaves, 1, bytes, HUGE_PAGES));
    leaves_root(leaves, 1, 1, root);
    merkle_start(&merkle);
    for (uint32_t page = 0; page < HUGE_PAGES; page++) {
        vault_merkle_leaf(bytes + (size_t)page * PAGE, PAGE, leaf);
        merkle_add(&merkle, leaf);
    }
    merkle_root(&merkle, expected);
    assert_memory_equal(root, expected, sizeof root);
    leaves_destroy(leaves);
    leaves_destroy(NULL);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_range_has_the_root_that_is_made_page_by_page),
        cmocka_unit_test(more_than_there_was_room_for_is_taken_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
