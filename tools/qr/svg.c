/* A symbol as an SVG: a light square, and on it one path of all dark runs. */
#include "qr/qr.h"

static void row_write(const struct qr *qr, int y, FILE *to)
{
    int width = qr_width(qr);
    for (int x = 0, run; x < width; x += run) {
        for (run = 1; x + run < width && qr_dark(qr, x + run, y) == qr_dark(qr, x, y);) run++;
        if (qr_dark(qr, x, y)) fprintf(to, "M%d %dh%dv1h-%dz", x + QR_QUIET_MODULES, y + QR_QUIET_MODULES, run, run);
    }
}

void qr_write_svg(const struct qr *qr, FILE *to)
{
    int side = qr_width(qr) + 2 * QR_QUIET_MODULES;
    fprintf(to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" shape-rendering=\"crispEdges\">\n"
            "<path fill=\"#fff\" d=\"M0 0h%dv%dH0z\"/>\n<path fill=\"#000\" d=\"",
            side, side, side, side);
    for (int y = 0; y < qr_width(qr); y++) row_write(qr, y, to);
    fputs("\"/>\n</svg>\n", to);
}
