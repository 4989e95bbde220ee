#include "qr.h"

#include <qrencode.h>
#include <stdbool.h>
#include <stdio.h>

enum { QUIET = 2 }; /* modules of quiet zone; four are the standard, two suffice on a screen and fit 80 columns */

static bool dark(const QRcode *code, int x, int y)
{
    if (x < 0 || y < 0 || x >= code->width || y >= code->width) return false;
    return code->data[y * code->width + x] & 1;
}

void qr_print(const char *text)
{
    QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);
    if (!code) return;
    /* Half blocks: the foreground is a light module, so that a dark terminal needs no colours. */
    static const char *const blocks[2][2] = {{"\u2588", "\u2580"}, {"\u2584", " "}};
    for (int y = -QUIET; y < code->width + QUIET; y += 2) {
        fputs("  ", stdout);
        for (int x = -QUIET; x < code->width + QUIET; x++)
            fputs(blocks[dark(code, x, y)][dark(code, x, y + 1)], stdout);
        putchar('\n');
    }
    QRcode_free(code);
}
