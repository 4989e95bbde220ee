/* QR codes in pictures: PNG by libpng, the code by zbar. A picture of the whole screen does as well: the code may stand
 * anywhere in it. The file is hostile. */
#include <errno.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zbar.h>

#include "token.h"

enum { SIDE_MAX = 16384, PIXELS_MAX = 1 << 26 };

/* One byte of grey a pixel; NULL: complained, ret_status says how. */
static uint8_t *picture_read(const char *path, unsigned *ret_width, unsigned *ret_height, int *ret_status)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "rbe");
    png_image picture = {.version = PNG_IMAGE_VERSION};
    png_color white = {255, 255, 255};
    uint8_t *pixels = NULL;
    if (!file) {
        *ret_status = complain(EXIT_USAGE, "%s: %s", path, strerror(errno));
        return NULL;
    }
    if (png_image_begin_read_from_stdio(&picture, file)) {
        uint64_t size = (uint64_t)picture.width * picture.height;
        picture.format = PNG_FORMAT_GRAY;
        if (picture.width <= SIDE_MAX && picture.height <= SIDE_MAX && size <= PIXELS_MAX) pixels = malloc(size);
        if (pixels && !png_image_finish_read(&picture, &white, pixels, 0, NULL)) {
            free(pixels);
            pixels = NULL;
        }
    }
    if (!pixels)
        *ret_status =
            complain(EXIT_REFUSED, "%s: %s", path, picture.message[0] ? picture.message : "too large a picture");
    *ret_width = picture.width;
    *ret_height = picture.height;
    png_image_free(&picture);
    if (!standard) fclose(file);
    return pixels;
}

/* What stands in the only code that is there; "several" and NULL otherwise. */
static char *code_take(const zbar_image_t *image, unsigned *ret_count)
{
    char *text = NULL;
    for (const zbar_symbol_t *symbol = zbar_image_first_symbol(image); symbol; symbol = zbar_symbol_next(symbol)) {
        if (zbar_symbol_get_type(symbol) != ZBAR_QRCODE) continue;
        if (++*ret_count == 1) text = strdup(zbar_symbol_get_data(symbol));
    }
    return text;
}

static char *code_find(const uint8_t *pixels, unsigned width, unsigned height, unsigned *ret_count)
{
    zbar_image_scanner_t *scanner = zbar_image_scanner_create();
    zbar_image_t *image = zbar_image_create();
    char *text = NULL;
    if (scanner && image) {
        zbar_image_scanner_set_config(scanner, ZBAR_NONE, ZBAR_CFG_ENABLE, 0);
        zbar_image_scanner_set_config(scanner, ZBAR_QRCODE, ZBAR_CFG_ENABLE, 1);
        zbar_image_set_format(image, zbar_fourcc('Y', '8', '0', '0'));
        zbar_image_set_size(image, width, height);
        zbar_image_set_data(image, pixels, (unsigned long)width * height, NULL);
        if (zbar_scan_image(scanner, image) > 0) text = code_take(image, ret_count);
    }
    if (image) zbar_image_destroy(image);
    if (scanner) zbar_image_scanner_destroy(scanner);
    return text;
}

int image_read(const char *path, char **ret_text)
{
    unsigned width, height, count = 0;
    int status = EXIT_DONE;
    uint8_t *pixels = picture_read(path, &width, &height, &status);
    if (!pixels) return status;
    char *text = code_find(pixels, width, height, &count);
    free(pixels);
    if (count == 1 && text) {
        /* Who made the code with echo has a line's end in it. */
        for (size_t size = strlen(text); size > 0 && strchr("\r\n", text[size - 1]); size--) text[size - 1] = 0;
        *ret_text = text;
        return EXIT_DONE;
    }
    free(text);
    return complain(EXIT_REFUSED, count ? "%s: there are several QR codes: cut one out" : "%s: no QR code in it", path);
}
