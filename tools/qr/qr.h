/* QR codes for screens and paper: one symbol, written as terminal blocks, SVG or PNG.
 * A symbol owns its modules, and may hold a seed: what it holds is wiped by qr_free (libqrencode's own working memory
 * is not). One thread at a time. Source: ISO/IEC 18004 by way of libqrencode; PNG by way of libpng. */
#ifndef TOOLS_QR_QR_H
#define TOOLS_QR_QR_H

#include <stdbool.h>
#include <stdio.h>

#include "base/result.h"

/* How much of a symbol may be lost: about 7, 15, 25 and 30 percent of its codewords. */
enum qr_level { QR_LOW, QR_MEDIUM, QR_QUARTILE, QR_HIGH, QR_LEVEL_COUNT };

enum {
    QR_QUIET_MODULES = 4, /* light modules round a symbol, as the standard asks */
    QR_PIXELS_MAX = 64,   /* of one module in a PNG */
};

struct qr;

/* The smallest symbol that holds the text, UTF-8. Capital letters, digits and " $%*+-./:" take 5.5 bits each, other
 * bytes 8. FULL: more than any symbol holds at this level (at most 2,953 bytes, or 4,296 of those characters),
 * BAD_ARGUMENT: no text, NO_MEMORY. */
struct result qr_make(const char *text, enum qr_level level, struct qr **ret_qr) MUST_USE;
void qr_free(struct qr *qr); /* NULL is fine */

/* Modules along one side, 21 to 177 in steps of 4. */
int qr_width(const struct qr *qr);
/* Whether a module is dark; those outside the symbol are light. */
bool qr_dark(const struct qr *qr, int x, int y);

/* Half blocks, two modules a character, with two modules of quiet zone, which suffice on a screen and fit 80 columns up
 * to a width of 74. Light modules are the foreground: right as it is where letters are light on dark; with `colours`
 * both are set by escape sequences, and it is right on any terminal. Whether it could be written is the stream's to say
 * (ferror). */
void qr_write_terminal(const struct qr *qr, bool colours, FILE *to);

/* One drawing of `width + 8` units square, to be shown at any size. */
void qr_write_svg(const struct qr *qr, FILE *to);

/* Grey, module_px pixels a module (1 to QR_PIXELS_MAX, else BAD_ARGUMENT). NO_MEMORY; OS_FAILED where it
 * could not be written. */
struct result qr_write_png(const struct qr *qr, int module_px, FILE *to) MUST_USE;

#endif
