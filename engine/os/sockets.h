/* Unix stream sockets before the ring takes over: listening, adopting an activated socket, who a peer is. Blocks only
 * for moments; any thread. Files are plain numbers that os_submit takes. */
#ifndef OTPRING_OS_SOCKETS_H
#define OTPRING_OS_SOCKETS_H

#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

struct socket_peer {
    uint32_t uid;
    uint32_t gid;
    int32_t pid;
};

/* Listens on `path` with that file mode; the file never stands there with a wider one. A stale socket file is removed
 * only when nobody listens on it. SOCKET_IN_USE, SOCKET_BAD_PATH, OS_PERMISSION, OS_NOT_FOUND. */
struct result socket_listen(const char *path, unsigned mode, int *ret_file) MUST_USE;

/* An inherited socket: BAD_ARGUMENT unless it is a listening Unix stream socket. ret_path gets its path (cut to fit).
 */
struct result socket_adopt(int file, char *ret_path, size_t path_size) MUST_USE;

/* Who connected (SO_PEERCRED): as of the moment of connecting. */
struct result socket_peer_of(int file, struct socket_peer *ret_peer) MUST_USE;

struct result socket_connect(const char *path, int *ret_file) MUST_USE;

void socket_close(int file);

#endif
