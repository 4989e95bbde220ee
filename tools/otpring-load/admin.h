/* A blocking client of admin.sock: one JSON act, one JSON answer. One thread. */
#ifndef OTPRING_LOAD_ADMIN_H
#define OTPRING_LOAD_ADMIN_H

#include <jansson.h>
#include <stddef.h>

struct admin {
    int fd;
    char error[512]; /* why the last call failed */
};

/* Connects to STORE/admin.sock and says hello. 0, or -1 with error. */
int admin_open(struct admin *admin, const char *store);
void admin_close(struct admin *admin);
/* Takes `request` over. The answer, to be json_decref'ed, or NULL with error: no answer, or one with ok false. */
json_t *admin_ask(struct admin *admin, json_t *request);
/* The two halves of it, for asking again before the last answer has come: 0, or -1 with error; and the answer. */
int admin_say(struct admin *admin, const char *text, size_t size);
json_t *admin_hear(struct admin *admin);

#endif
