/* Where the installed texts are: beside the program's own place, wherever it was moved to, else where the build was
 * told that they would be. */
#ifndef TOOLS_OTPRING_RELAY_FOLDER_H
#define TOOLS_OTPRING_RELAY_FOLDER_H

#include <stddef.h>

/* PREFIX/share/otpring/texts of a program at PREFIX/bin/otpring-relay, if there is such a folder. */
void folder_texts(char *ret_path, size_t size);

#endif
