/* A QR code in terminal blocks. */
#ifndef TOOLS_OTPRING_QR_H
#define TOOLS_OTPRING_QR_H

/* Dark on light whatever the terminal's colours are, two modules a character; on a failure prints nothing. */
void qr_print(const char *text);

#endif
