/* The client's side of admin.sock, for the programs that ask the daemon: one blocking connection, frames out and in
 * (include/otpring/PROTOCOL.md), and what stands in them is the caller's (engine/admin/ACTS.md).
 *
 * A failure leaves errno: that of the system call; EAGAIN where the answer did not come in time; ECONNRESET where the
 * daemon closed the connection; EACCES where it refuses this user; EMSGSIZE for a request larger than a frame; EPROTO
 * for what is no answer. Whether a request was served is not known then, and the connection is of no more use: close
 * it. */
#ifndef TOOLS_ADMIN_SOCKET_H
#define TOOLS_ADMIN_SOCKET_H

#include <stdbool.h>
#include <stddef.h>

/* The file, or -1. wait_s: how long one send or receive may take; 0: for ever. */
int admin_socket_connect(const char *path, unsigned wait_s);
/* Comes first on a connection. */
bool admin_socket_hello(int file);
/* A request, JSON of `size` bytes; and its answer, a NUL behind it, to be freed, NULL on failure. Requests may be sent
 * before the answers of earlier ones have come. */
bool admin_socket_say(int file, const char *json, size_t size);
char *admin_socket_hear(int file, size_t *ret_size);
/* The same on ask.sock, of frames with one item; for who asks for no events, since one would be taken for a failure. */
bool ask_socket_say(int file, const char *json, size_t size);
char *ask_socket_hear(int file, size_t *ret_size);

#endif
