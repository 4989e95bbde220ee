/* Where an export goes: standard output, or a syslog collector (RFC 5424 messages by UDP, TCP with octet counting of
 * RFC 6587, or a datagram socket such as /dev/log). One thread. */
#ifndef TOOLS_OTPRING_LOG_SINK_H
#define TOOLS_OTPRING_LOG_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sink;

/* address: udp:HOST:PORT, tcp:HOST:PORT, unix:PATH; NULL: standard output. A complaint's code where it is none, or
 * cannot be reached. */
int sink_open(const char *address, struct sink **ret_sink);
void sink_close(struct sink *sink);
/* Lines, each ended by a line feed: all of them handed over, or false. A message of more than 8192 bytes is cut. */
bool sink_put(struct sink *sink, const char *lines, size_t size);
/* Everything put so far has left this program. */
bool sink_flush(struct sink *sink);
/* After a failure: tries again; false as long as it cannot be reached. Standard output never comes back. */
bool sink_again(struct sink *sink);

#endif
