/* A symbol as a PNG, by libpng's simplified interface, which never jumps out of a call. */
#include <png.h>
#include <stdlib.h>
#include <string.h>

#include "qr/qr.h"

static void pixels_draw(const struct qr *qr, int module_px, uint8_t *pixels)
{
    int modules = qr_width(qr) + 2 * QR_QUIET_MODULES;
    size_t side = (size_t)modules * (size_t)module_px;
    for (size_t y = 0; y < side; y++)
        for (size_t x = 0; x < side; x++)
            pixels[y * side + x] = qr_dark(qr, (int)(x / (size_t)module_px) - QR_QUIET_MODULES,
                                           (int)(y / (size_t)module_px) - QR_QUIET_MODULES)
                                       ? 0
                                       : 255;
}

struct result qr_write_png(const struct qr *qr, int module_px, FILE *to)
{
    if (module_px < 1 || module_px > QR_PIXELS_MAX) return result_of(BAD_ARGUMENT);
    size_t side = (size_t)(qr_width(qr) + 2 * QR_QUIET_MODULES) * (size_t)module_px;
    uint8_t *pixels = malloc(side * side);
    if (!pixels) return result_of(NO_MEMORY);
    pixels_draw(qr, module_px, pixels);
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)side,
                       .height = (png_uint_32)side,
                       .format = PNG_FORMAT_GRAY};
    bool written = png_image_write_to_stdio(&image, to, 0, pixels, 0, NULL) && fflush(to) == 0;
    explicit_bzero(pixels, side * side);
    free(pixels);
    return result_of(written ? OK : OS_FAILED);
}
