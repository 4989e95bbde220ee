/* Memory of one thread's load, in huge pages where the system gives them: what hundreds of connections keep in small
 * pieces lies on thousands of small pages, and to find a page anew takes longer than what is done on it. Pieces are not
 * given back one by one. One thread. */
#ifndef OTPRING_LOAD_ROOM_H
#define OTPRING_LOAD_ROOM_H

#include <stddef.h>

enum { ROOM_ALIGNMENT = 128 }; /* of every piece: two cache lines, which processors like to fetch together */

/* All zeros: empty. */
struct room {
    struct room_block *newest;
};

/* `count` zeroed things of `size` bytes; NULL: not enough memory. They stay until room_free. */
void *room_take(struct room *room, size_t count, size_t size);
void room_free(struct room *room);

#endif
