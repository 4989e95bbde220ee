/* What is told once, such as a fresh seed, as a QR code on the screen or in a file of its owner's alone. */
#ifndef TOOLS_OTPRING_SHOW_QR_H
#define TOOLS_OTPRING_SHOW_QR_H

#include <stdio.h>

/* On standard output; with colours where that is a terminal and NO_COLOR is not set. Prints nothing where the text is
 * beyond a QR code. */
void qr_show(const char *text);

/* A new file (mode 0600) for a QR code, made before what it will hold is: a secret that is shown once must not be lost
 * over a path. By its name's end it becomes a PNG or an SVG. NULL: complained, ret_status says how. */
FILE *qr_file_open(const char *path, int *ret_status);
/* Writes, syncs and closes. 0, or complained. */
int qr_file_finish(FILE *file, const char *path, const char *text);
/* Nothing to be shown after all: the file is removed again. */
void qr_file_give_up(FILE *file, const char *path);

#endif
