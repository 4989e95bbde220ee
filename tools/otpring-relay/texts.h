/* The texts of messages: FOLDER/LANGUAGE/KIND.txt, UTF-8, with placeholders. Read once at start and checked there:
 * every language that has a folder has every kind, every text uses the fields that its kind must show, and no others.
 *
 * Besides the fields of the kind (engine/admin/message_kinds.h) a text may use {bank}, {support} (the bank's name and
 * support line, of the configuration) and {id}. A time is written as readers of the language write it, in the time zone
 * of the process. Read-only after loading. */
#ifndef TOOLS_OTPRING_RELAY_TEXTS_H
#define TOOLS_OTPRING_RELAY_TEXTS_H

#include "otpring-relay/message.h"

enum { TEXTS_SIZE_MAX = 2048, TEXTS_ERROR_SIZE = 512 };

struct texts;

struct texts_options {
    const char *folder;
    const char *bank;
    const char *support;
    const char *language; /* for readers of a language that has no folder */
};

/* False: ret_error says which file, and why. */
bool texts_load(const struct texts_options *options, struct texts **ret_texts, char ret_error[TEXTS_ERROR_SIZE]);
void texts_free(struct texts *texts);

/* False: there is no text for this kind, or a field is missing; ret_error names no value. */
bool texts_render(const struct texts *texts, const struct message *message, char ret_text[TEXTS_SIZE_MAX],
                  char ret_error[TEXTS_ERROR_SIZE]);
const char *texts_bank(const struct texts *texts);
const char *texts_support(const struct texts *texts);

#endif
