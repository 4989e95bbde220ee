/* base64url against the vectors of RFC 4648, every size, and every text that is not the one way to write bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64url.h"

static void texts_are_those_of_rfc_4648_without_padding(void **state)
{
    (void)state;
    static const char *const vectors[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff", "-_8"}};
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        char text[16], bytes[16];
        size_t size = 0, expected = strlen(vectors[i][0]);
        base64url_encode(vectors[i][0], expected, text);
        assert_string_equal(text, vectors[i][1]);
        assert_int_equal(strlen(text) + 1, BASE64URL_SIZE(expected));
        assert_true(base64url_decode(text, bytes, sizeof(bytes), &size));
        assert_int_equal(size, expected);
        assert_memory_equal(bytes, vectors[i][0], size);
    }
}

static void every_size_comes_back(void **state)
{
    (void)state;
    uint8_t bytes[256], back[256];
    char text[BASE64URL_SIZE(256)];
    size_t size;
    for (size_t i = 0; i < sizeof(bytes); i++) bytes[i] = (uint8_t)(i * 37);
    for (size_t count = 0; count <= sizeof(bytes); count++) {
        base64url_encode(bytes, count, text);
        assert_true(base64url_decode(text, back, sizeof(back), &size));
        assert_int_equal(size, count);
        assert_memory_equal(back, bytes, count);
        if (count > 0) assert_false(base64url_decode(text, back, count - 1, &size));
    }
}

static void a_text_with_padding_other_letters_or_loose_bits_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"Z", "Zg==", "Zh", "Zm9", "Zm+v", "Zm/v", "Zm9v\n", " Zm9v", "Zm9vY"};
    uint8_t bytes[16];
    size_t size = 77;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_false(base64url_decode(texts[i], bytes, sizeof(bytes), &size));
        assert_int_equal(size, 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_those_of_rfc_4648_without_padding),
        cmocka_unit_test(every_size_comes_back),
        cmocka_unit_test(a_text_with_padding_other_letters_or_loose_bits_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
