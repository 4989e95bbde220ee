/* An os whose segment folder has a second, packed half: files DIR/NAME.seg.zst of the archive folder look like NAME.seg
 * of the journal's, as long as there is none of that name there. So whatever reads a journal through an os reads
 * archived segments in place, with their indexes, DIR/NAME.idx. Only for reading, but for the making of such an index;
 * one thread, as any os. */
#ifndef TOOLS_OTPRING_LOG_ARCHIVE_OS_H
#define TOOLS_OTPRING_LOG_ARCHIVE_OS_H

#include "os/os.h"

#define ARCHIVE_SUFFIX ".zst"

/* `base` goes with it: os_destroy of the new one ends both. The folder names are copied. */
/* A real os to read the journal of this folder with: its archive, the folder named or else the folder `archive` beside
 * it, is read too where there is one. */
struct result archive_os_open(const char *journal, const char *archive, struct os **ret_os) MUST_USE;
/* The first archived file that did not unpack so far, or NULL; also of an os that is none of these. */
const char *archive_os_damaged(const struct os *os);
struct result archive_os_create(struct os *base, const char *journal, const char *archive, struct os **ret_os) MUST_USE;

#endif
