/* Reading QR codes back with programs that are not ours: zbar reads pictures, libpng the files. */
#ifndef TESTS_UNIT_QR_HELPERS_H
#define TESTS_UNIT_QR_HELPERS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "qr/qr.h"

/* A grey picture, 255 light; the caller frees pixels. */
struct picture {
    size_t width, height;
    uint8_t *pixels;
};

/* What zbar reads in it, as text; "" when it finds nothing or more than one symbol. The caller frees. */
char *picture_read(const struct picture *picture);

struct picture png_picture(FILE *file);
/* Terminal output as pixels, each half block 4 by 4; escape sequences that set colours are followed. */
struct picture terminal_picture(FILE *file);
/* Our own SVG: rectangles of one path, 4 pixels a unit. */
struct picture svg_picture(FILE *file);

#endif
