/* What is told once, such as a fresh seed, as a QR code on the screen or in a file of its owner's alone. */
#ifndef TOOLS_OTPRING_SHOW_QR_H
#define TOOLS_OTPRING_SHOW_QR_H

#include "command.h"

/* On standard output; with colours where that is a terminal and NO_COLOR is not set. Prints nothing where the text is
 * beyond a QR code. */
void qr_show(const char *text);

/* Asks, prints the answer, and writes its field `key` as a QR code to invocation->qr_path: a new file (mode 0600), a
 * PNG or an SVG by its name's end. The file is made before what it will hold is: a secret that is shown once must not
 * be lost over a path. Where nothing is answered it is removed again. The exit status. */
int ask_and_draw(struct invocation *invocation, void (*print)(const struct invocation *invocation, json_t *answer),
                 const char *key);

#endif
