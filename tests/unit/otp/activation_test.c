/* Activation codes: what is made is read back, however people write it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "otp/activation.h"

static void what_is_made_is_shown_in_groups_and_read_back(void **state)
{
    (void)state;
    uint8_t random[ACTIVATION_SIZE];
    char made[ACTIVATION_SIZE + 1], text[ACTIVATION_TEXT_SIZE], back[ACTIVATION_SIZE + 1];
    for (unsigned first = 0; first < 256; first += 16) {
        for (unsigned i = 0; i < sizeof(random); i++) random[i] = (uint8_t)(first + i);
        activation_make(random, made);
        activation_text(made, text);
        assert_int_equal(strlen(text), 19);
        for (int i = 4; i < 19; i += 5) assert_int_equal(text[i], '-');
        assert_true(activation_parse(text, back));
        assert_string_equal(back, made);
    }
}

static void letters_that_people_confuse_are_the_same(void **state)
{
    (void)state;
    char one[ACTIVATION_SIZE + 1], other[ACTIVATION_SIZE + 1];
    assert_true(activation_parse("0011-11AB-CDEF-GHJK", one));
    assert_true(activation_parse(" oOiI lLab cdefghjk ", other));
    assert_string_equal(one, other);
}

static void anything_else_is_no_activation_code(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "-",
                                        "0011-11AB-CDEF-GHJ",
                                        "0011-11AB-CDEF-GHJKM",
                                        "0011-11AB-CDEF-GHJU",
                                        "0011_11AB_CDEF_GHJK",
                                        "0011-11AB-CDEF-GH\xc3\xb1K"};
    char activation[ACTIVATION_SIZE + 1] = "kept";
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_false(activation_parse(texts[i], activation));
        assert_string_equal(activation, "kept");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_made_is_shown_in_groups_and_read_back),
        cmocka_unit_test(letters_that_people_confuse_are_the_same),
        cmocka_unit_test(anything_else_is_no_activation_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
