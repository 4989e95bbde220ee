#include "helpers.h"

#include <png.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <zbar.h>

enum { SCALE = 4 };

static struct picture picture_new(size_t width, size_t height)
{
    struct picture picture = {.width = width, .height = height, .pixels = malloc(width * height)};
    assert_non_null(picture.pixels);
    memset(picture.pixels, 255, width * height);
    return picture;
}

static void square_fill(struct picture *picture, size_t x, size_t y, uint8_t value)
{
    for (size_t row = 0; row < SCALE; row++)
        memset(picture->pixels + (y * SCALE + row) * picture->width + x * SCALE, value, SCALE);
}

char *picture_read(const struct picture *picture)
{
    zbar_image_scanner_t *scanner = zbar_image_scanner_create();
    zbar_image_scanner_set_config(scanner, ZBAR_NONE, ZBAR_CFG_ENABLE, 0);
    zbar_image_scanner_set_config(scanner, ZBAR_QRCODE, ZBAR_CFG_ENABLE, 1);
    zbar_image_t *image = zbar_image_create();
    zbar_image_set_format(image, zbar_fourcc('Y', '8', '0', '0'));
    zbar_image_set_size(image, (unsigned)picture->width, (unsigned)picture->height);
    zbar_image_set_data(image, picture->pixels, picture->width * picture->height, NULL);
    int found = zbar_scan_image(scanner, image);
    const zbar_symbol_t *symbol = found == 1 ? zbar_image_first_symbol(image) : NULL;
    char *text = strdup(symbol ? zbar_symbol_get_data(symbol) : "");
    zbar_image_destroy(image);
    zbar_image_scanner_destroy(scanner);
    return text;
}

struct picture png_picture(FILE *file)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    rewind(file);
    assert_true(png_image_begin_read_from_stdio(&image, file));
    image.format = PNG_FORMAT_GRAY;
    struct picture picture = picture_new(image.width, image.height);
    assert_true(png_image_finish_read(&image, NULL, picture.pixels, 0, NULL));
    return picture;
}

/* Upper and lower half of what stands at `at`: 1 foreground; how many bytes it takes. */
static size_t block_read(const char *at, int *ret_upper, int *ret_lower)
{
    static const char *const blocks[] = {" ", "\u2584", "\u2580", "\u2588"};
    for (int b = 0; b < 4; b++) {
        size_t size = strlen(blocks[b]);
        if (strncmp(at, blocks[b], size) != 0) continue;
        *ret_upper = b >> 1;
        *ret_lower = b & 1;
        return size;
    }
    fail_msg("no half block: %.8s", at);
    return 0;
}

struct picture terminal_picture(FILE *file)
{
    enum { COLUMNS = 220, ROWS = 120 };
    struct picture picture = picture_new(COLUMNS * SCALE, ROWS * 2 * SCALE);
    memset(picture.pixels, 0, picture.width * picture.height); /* a dark terminal */
    char line[4096];
    rewind(file);
    for (size_t row = 0; fgets(line, sizeof line, file); row++) {
        size_t column = 0;
        assert_true(row < ROWS);
        for (const char *at = line; *at != '\n'; column++) {
            int upper = 0, lower = 0;
            if (*at == '\033') at += strcspn(at, "m") + 1;
            if (*at == '\n') break;
            at += block_read(at, &upper, &lower);
            assert_true(column < COLUMNS);
            square_fill(&picture, column, 2 * row, upper ? 255 : 0);
            square_fill(&picture, column, 2 * row + 1, lower ? 255 : 0);
        }
    }
    return picture;
}

struct picture svg_picture(FILE *file)
{
    static char text[1 << 20];
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    int side;
    assert_int_equal(sscanf(strstr(text, "viewBox=\"0 0 "), "viewBox=\"0 0 %d", &side), 1);
    struct picture picture = picture_new((size_t)side * SCALE, (size_t)side * SCALE);
    const char *at = strstr(text, "fill=\"#000\" d=\"") + strlen("fill=\"#000\" d=\"");
    int x, y, run, back, size;
    for (; sscanf(at, "M%d %dh%dv1h-%dz%n", &x, &y, &run, &back, &size) == 4; at += size) {
        assert_int_equal(run, back);
        for (int i = 0; i < run; i++) square_fill(&picture, (size_t)(x + i), (size_t)y, 0);
    }
    assert_int_equal(*at, '"');
    return picture;
}
