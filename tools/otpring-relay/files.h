/* Small files as texts: bodies, secrets, header values. Blocks for as long as a disk takes. */
#ifndef TOOLS_OTPRING_RELAY_FILES_H
#define TOOLS_OTPRING_RELAY_FILES_H

#include <stdbool.h>
#include <stddef.h>

enum { FILES_ERROR_SIZE = 512 };

/* A whole file of at most size_max - 1 bytes; false: ret_error says why. */
bool file_text(const char *path, char *ret_text, size_t size_max, char ret_error[FILES_ERROR_SIZE]);

/* The one line of a file that only its owner (and group) can read, without the end of the line. The caller wipes it. */
bool file_secret(const char *path, char *ret_text, size_t size_max, char ret_error[FILES_ERROR_SIZE]);

#endif
