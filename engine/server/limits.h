/* Hard maxima of one server worker. Everything is taken once, at start, from these and from the configuration. */
#ifndef OTPRING_SERVER_LIMITS_H
#define OTPRING_SERVER_LIMITS_H

enum {
    SERVER_CONNECTIONS_DEFAULT = 1024, /* of one worker */
    SERVER_CONNECTIONS_MAX = 32768,
    SERVER_REFUSALS_MAX = 16, /* connections past the limit that are told so before they are closed */
    SERVER_WORKERS_MAX = 64,
    SERVER_KIND_MAX = 32, /* frame kinds are below this: the hello answer has 32 bits for them */

    SERVER_RECEIVE_BUFFER_SIZE = 65536,
    SERVER_RECEIVE_BUFFER_COUNT = 256,
    SERVER_HELD_BUFFERS_MAX = 4, /* of one connection, unread, before its receiving is paused */
    SERVER_PIECES_EXTRA = 32,    /* buffers for frames put together, beyond one a connection */

    SERVER_KEPT_BLOCKS = 120, /* of the log, in memory for the seals, all workers together: at most some 60 MiB */

    SERVER_OUTPUT_BLOCK_SIZE = 32768,
    SERVER_OUTPUT_BLOCKS_EXTRA = 512, /* beyond two a connection */
    SERVER_OUTPUT_MAX = 2 << 20,      /* answers of one connection, promised or not yet sent, bytes */
    SERVER_ADMIN_OUTPUT_MAX = (4 << 20) + 4096,

    SERVER_FRAME_TIMEOUT_MS = 10000, /* half a frame, or no hello, for so long: error and close */
    SERVER_WRITE_TIMEOUT_MS = 10000, /* nothing of an answer read for so long: close */
    SERVER_HOLD_TIMEOUT_MS = 1000,   /* the same while its unread frames hold buffers that others need */
    SERVER_DRAIN_TIMEOUT_MS = 5000,  /* at a stop: answers in flight leave within this */
    SERVER_SWEEP_MS = 100,           /* time-outs are looked at so often while one runs */
    SERVER_DEFERRED_WAIT_MS = 1,     /* longest wait while a frame waits to be offered again */
    SERVER_IDLE_WAIT_MS = 1000,
};

#endif
