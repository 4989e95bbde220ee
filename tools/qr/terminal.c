/* A symbol in the half blocks of Unicode. */
#include "qr/qr.h"

enum { QUIET = 2 };

void qr_write_terminal(const struct qr *qr, bool colours, FILE *to)
{
    static const char *const blocks[2][2] = {{"\u2588", "\u2580"},
                                             {"\u2584", " "}}; /* [upper is dark][lower is dark] */
    int end = qr_width(qr) + QUIET;
    for (int y = -QUIET; y < end; y += 2) {
        fputs(colours ? "  \033[97;40m" : "  ", to);
        for (int x = -QUIET; x < end; x++) fputs(blocks[qr_dark(qr, x, y)][qr_dark(qr, x, y + 1)], to);
        fputs(colours ? "\033[0m\n" : "\n", to);
    }
}
