/* Pieces of a page that needs nothing but itself: no script, no network, charts as inline SVG with their numbers in a
 * table beside them. */
#ifndef TOOLS_OTPRING_LOG_HTML_H
#define TOOLS_OTPRING_LOG_HTML_H

#include "text.h"

/* Foreign text, in an element or a quoted attribute: controls as text_plain, then & < > " '. */
void html_text(struct text *text, const char *foreign, size_t size);
void html_string(struct text *text, const char *string);

/* The page up to its first section, and from behind the last one. */
void html_begin(struct text *text, const char *title);
void html_end(struct text *text);
void html_section(struct text *text, const char *id, const char *heading);
void html_section_end(struct text *text);

struct html_bar {
    char label[40];    /* ours */
    uint64_t parts[2]; /* accepted and refused, or one alone */
};
/* Stacked bars with a title that a screen reader speaks; the table of the same numbers is folded away below. */
void html_bars(struct text *text, const char *title, const char *const names[2], const struct html_bar *bars,
               size_t count);

void html_table_begin(struct text *text, const char *caption, const char *const headings[], size_t count);
void html_table_end(struct text *text);

#endif
