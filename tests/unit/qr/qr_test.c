/* What is drawn is what zbar reads, in every form, size and level. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "helpers.h"

static const char *const texts[] = {
    "1",
    "otpauth://totp/Demo%20Bank:ana?secret=JWFQRHQAZ5MYZET2TDEERVVUGHTW6QKI&issuer=Demo%20Bank&algorithm=SHA1&digits=6",
    "OTPRING:AEBAGBAFAYDQQCIKBMGA2DQPCAIREEYUCULBOGAZDINRYHI6D4QCCIRDEQSSMJZIFEVCWLBNFYXTAMJSGM2DKNRXHA4TUOZ4HU7D6QCB"
    "AEBAGBAFAYDQQCIKBMGA2DQPCAIREEYUCULBOGAZDINRYHI6D4QCCIRDEQSSMJZIFEVCWLBNFYXTAMJSGM2DKNRXHA4TUOZ4HU7D6QCB",
    "Transferir 1.250,00 EUR a Mar\xc3\xad"
    "a Pe\xc3\xb1"
    "a",
};
enum { TEXT_COUNT = sizeof texts / sizeof texts[0] };

static struct qr *make(const char *text, enum qr_level level)
{
    struct qr *qr;
    assert_int_equal(qr_make(text, level, &qr).code, OK);
    return qr;
}

static void expect_text(struct picture picture, const char *text)
{
    char *read = picture_read(&picture);
    assert_string_equal(read, text);
    free(read);
    free(picture.pixels);
}

static void zbar_reads_the_png_of_every_level_and_size(void **state)
{
    (void)state;
    static const int sizes[] = {3, 4, 8};
    for (int t = 0; t < TEXT_COUNT; t++)
        for (int level = 0; level < QR_LEVEL_COUNT; level++)
            for (int s = 0; s < 3; s++) {
                struct qr *qr = make(texts[t], (enum qr_level)level);
                FILE *file = tmpfile();
                assert_int_equal(qr_write_png(qr, sizes[s], file).code, OK);
                struct picture picture = png_picture(file);
                assert_int_equal(picture.width, (qr_width(qr) + 8) * sizes[s]);
                expect_text(picture, texts[t]);
                fclose(file);
                qr_free(qr);
            }
}

static void zbar_reads_the_svg(void **state)
{
    (void)state;
    for (int t = 0; t < TEXT_COUNT; t++)
        for (int level = 0; level < QR_LEVEL_COUNT; level++) {
            struct qr *qr = make(texts[t], (enum qr_level)level);
            FILE *file = tmpfile();
            qr_write_svg(qr, file);
            expect_text(svg_picture(file), texts[t]);
            fclose(file);
            qr_free(qr);
        }
}

static void zbar_reads_the_terminal_blocks_with_colours_and_without(void **state)
{
    (void)state;
    for (int t = 0; t < TEXT_COUNT; t++)
        for (int colours = 0; colours <= 1; colours++) {
            struct qr *qr = make(texts[t], QR_LOW);
            FILE *file = tmpfile();
            qr_write_terminal(qr, colours, file);
            expect_text(terminal_picture(file), texts[t]);
            fclose(file);
            qr_free(qr);
        }
}

static void without_colours_no_escape_is_written(void **state)
{
    (void)state;
    struct qr *qr = make("1", QR_LOW);
    FILE *file = tmpfile();
    qr_write_terminal(qr, false, file);
    rewind(file);
    for (int c; (c = fgetc(file)) != EOF;) assert_int_not_equal(c, '\033');
    fclose(file);
    qr_free(qr);
}

/* A thumb's worth of modules turned over in the middle, where no finder pattern stands. */
static void a_damaged_symbol_of_the_highest_level_is_still_read(void **state)
{
    (void)state;
    struct qr *qr = make(texts[1], QR_HIGH);
    FILE *file = tmpfile();
    assert_int_equal(qr_write_png(qr, 4, file).code, OK);
    struct picture picture = png_picture(file);
    size_t middle = picture.width / 2;
    for (size_t y = middle - 20; y < middle + 20; y++)
        for (size_t x = middle - 20; x < middle + 20; x++) picture.pixels[y * picture.width + x] ^= 255;
    expect_text(picture, texts[1]);
    fclose(file);
    qr_free(qr);
}

static void capital_letters_make_a_smaller_symbol_than_small_ones(void **state)
{
    (void)state;
    char upper[151] = {0}, lower[151] = {0};
    memset(upper, 'A', 150);
    memset(lower, 'a', 150);
    struct qr *small = make(upper, QR_MEDIUM), *large = make(lower, QR_MEDIUM);
    assert_true(qr_width(small) < qr_width(large));
    qr_free(small);
    qr_free(large);
}

static void text_beyond_the_largest_symbol_is_refused(void **state)
{
    (void)state;
    static const size_t bytes_max[QR_LEVEL_COUNT] = {2953, 2331, 1663, 1273}; /* of version 40 */
    static char text[3000];
    for (int level = 0; level < QR_LEVEL_COUNT; level++) {
        struct qr *qr;
        memset(text, 'a', sizeof text);
        text[bytes_max[level] + 1] = 0;
        assert_int_equal(qr_make(text, (enum qr_level)level, &qr).code, FULL);
        text[bytes_max[level]] = 0;
        assert_int_equal(qr_make(text, (enum qr_level)level, &qr).code, OK);
        assert_int_equal(qr_width(qr), 177);
        qr_free(qr);
    }
}

static void no_text_and_no_such_level_are_refused(void **state)
{
    (void)state;
    struct qr *qr = NULL;
    assert_int_equal(qr_make("", QR_LOW, &qr).code, BAD_ARGUMENT);
    assert_int_equal(qr_make("1", QR_LEVEL_COUNT, &qr).code, BAD_ARGUMENT);
    assert_null(qr);
    qr_free(qr);
}

static void a_png_that_cannot_be_made_says_so(void **state)
{
    (void)state;
    struct qr *qr = make("1", QR_LOW);
    FILE *file = tmpfile();
    assert_int_equal(qr_write_png(qr, 0, file).code, BAD_ARGUMENT);
    assert_int_equal(qr_write_png(qr, QR_PIXELS_MAX + 1, file).code, BAD_ARGUMENT);
    assert_int_equal(ftell(file), 0);
    fclose(file);
    file = fopen("/dev/full", "w");
    assert_int_equal(qr_write_png(qr, 8, file).code, OS_FAILED);
    fclose(file);
    qr_free(qr);
}

static void what_lies_outside_a_symbol_is_light(void **state)
{
    (void)state;
    struct qr *qr = make("1", QR_LOW);
    assert_int_equal(qr_width(qr), 21);
    assert_true(qr_dark(qr, 0, 0)); /* the corner of a finder pattern */
    assert_false(qr_dark(qr, -1, 0) || qr_dark(qr, 0, -1) || qr_dark(qr, 21, 0) || qr_dark(qr, 0, 21));
    qr_free(qr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zbar_reads_the_png_of_every_level_and_size),
        cmocka_unit_test(zbar_reads_the_svg),
        cmocka_unit_test(zbar_reads_the_terminal_blocks_with_colours_and_without),
        cmocka_unit_test(without_colours_no_escape_is_written),
        cmocka_unit_test(a_damaged_symbol_of_the_highest_level_is_still_read),
        cmocka_unit_test(capital_letters_make_a_smaller_symbol_than_small_ones),
        cmocka_unit_test(text_beyond_the_largest_symbol_is_refused),
        cmocka_unit_test(no_text_and_no_such_level_are_refused),
        cmocka_unit_test(a_png_that_cannot_be_made_says_so),
        cmocka_unit_test(what_lies_outside_a_symbol_is_light),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
