/* Names, from the store of the folder, where it has one, and from records that name them. Names are foreign texts:
 * escape them (text.h). A folder without a store is no failure: ids and hashes are shown then. */
#ifndef TOOLS_OTPRING_LOG_NAMES_H
#define TOOLS_OTPRING_LOG_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/schema.h"

/* One store a program. Before any other thread asks. */
void names_load(const char *folder);
void names_free(void);
/* Whether there was one. */
bool names_from_store(void);

/* ---- clients; any thread ---- */

/* A name as it stands in a row or a record; kept with everything escaped that is not plain, so of no blanks or quotes.
 */
void client_name_set(uint16_t id, const char *name, size_t size);
/* NULL: not known. */
const char *client_name(uint16_t id);
/* By its escaped or plain name, where it is known; else what the daemon makes of such a name. */
uint16_t client_id_of_name(const char *name);

/* ---- accounts and tokens; one look a thread ---- */

struct names_look;
/* NULL: there is no store, or no memory. All functions take that and know nothing. */
struct names_look *names_look_new(void);
void names_look_free(struct names_look *look);

struct account_name {
    char company[SCHEMA_NAME_MAX + 1]; /* empty: not known */
    char user[SCHEMA_NAME_MAX + 1];    /* empty: not known, or a company's record */
};
/* Valid until the next call. NULL: nothing is known of it. */
const struct account_name *names_account(struct names_look *look, const uint8_t name[16]);
/* False: not known. */
bool names_token(struct names_look *look, uint32_t ordinal, struct token_row *ret_row);
bool names_profile(struct names_look *look, uint16_t id, struct profile_row *ret_row);

#endif
