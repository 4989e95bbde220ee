#include "os/sockets.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/os.h"

enum { BACKLOG = 1024 };

static struct result address_of(const char *path, struct sockaddr_un *ret_address)
{
    size_t size = strlen(path);
    if (size == 0 || size >= sizeof ret_address->sun_path) return result_of(SOCKET_BAD_PATH);
    memset(ret_address, 0, sizeof *ret_address);
    ret_address->sun_family = AF_UNIX;
    memcpy(ret_address->sun_path, path, size);
    return result_ok();
}

static struct result socket_new(int flags, int *ret_file)
{
    int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (file < 0) return os_result(-errno);
    *ret_file = file;
    return result_ok();
}

/* Removes the socket file of a process that is gone; leaves everything else alone. */
static struct result remove_stale(const char *path, const struct sockaddr_un *address)
{
    struct stat state;
    if (lstat(path, &state) != 0) return errno == ENOENT ? result_ok() : os_result(-errno);
    if (!S_ISSOCK(state.st_mode)) return result_of(SOCKET_BAD_PATH);
    int probe = -1;
    TRY(socket_new(SOCK_NONBLOCK, &probe));
    int error = connect(probe, (const struct sockaddr *)address, sizeof *address) == 0 ? 0 : errno;
    close(probe);
    /* EAGAIN is a full backlog, so somebody does listen. */
    if (error == ENOENT) return result_ok();
    if (error == EACCES || error == EPERM) return result_of(OS_PERMISSION);
    if (error != ECONNREFUSED) return result_of(SOCKET_IN_USE);
    return unlink(path) == 0 || errno == ENOENT ? result_ok() : os_result(-errno);
}

static struct result bind_and_listen(int file, const char *path, const struct sockaddr_un *address, unsigned mode)
{
    /* The mode of the unbound socket becomes that of the file, less the umask; chmod afterwards can only widen it to
     * what was asked. */
    if (fchmod(file, mode) != 0) return os_result(-errno);
    if (bind(file, (const struct sockaddr *)address, sizeof *address) != 0)
        return errno == EADDRINUSE ? result_of(SOCKET_IN_USE) : os_result(-errno);
    if (chmod(path, mode) != 0 || listen(file, BACKLOG) != 0) {
        int error = errno;
        unlink(path);
        return os_result(-error);
    }
    return result_ok();
}

struct result socket_listen(const char *path, unsigned mode, int *ret_file)
{
    struct sockaddr_un address;
    TRY(address_of(path, &address));
    TRY(remove_stale(path, &address));
    int file = -1;
    TRY(socket_new(0, &file));
    struct result result = bind_and_listen(file, path, &address, mode);
    if (result_failed(result)) {
        close(file);
        return result;
    }
    *ret_file = file;
    return result_ok();
}

static int option_of(int file, int option)
{
    int value = -1;
    socklen_t size = sizeof value;
    return getsockopt(file, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

struct result socket_adopt(int file, char *ret_path, size_t path_size)
{
    if (option_of(file, SO_DOMAIN) != AF_UNIX || option_of(file, SO_TYPE) != SOCK_STREAM ||
        option_of(file, SO_ACCEPTCONN) != 1)
        return result_of(BAD_ARGUMENT);
    struct sockaddr_un address = {0};
    socklen_t size = sizeof address;
    if (getsockname(file, (struct sockaddr *)&address, &size) != 0) return os_result(-errno);
    if (path_size) {
        size_t length = strnlen(address.sun_path, sizeof address.sun_path);
        if (length >= path_size) length = path_size - 1;
        memcpy(ret_path, address.sun_path, length);
        ret_path[length] = 0;
    }
    return result_ok();
}

struct result socket_peer_of(int file, struct socket_peer *ret_peer)
{
    struct ucred credentials;
    socklen_t size = sizeof credentials;
    if (getsockopt(file, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return os_result(-errno);
    *ret_peer = (struct socket_peer){.uid = credentials.uid, .gid = credentials.gid, .pid = credentials.pid};
    return result_ok();
}

struct result socket_connect(const char *path, int *ret_file)
{
    struct sockaddr_un address;
    TRY(address_of(path, &address));
    int file = -1;
    TRY(socket_new(0, &file));
    if (connect(file, (const struct sockaddr *)&address, sizeof address) != 0) {
        int error = errno;
        close(file);
        return os_result(-error);
    }
    *ret_file = file;
    return result_ok();
}

void socket_close(int file)
{
    if (file >= 0) close(file);
}
