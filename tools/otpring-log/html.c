#include "html.h"

#include <inttypes.h>
#include <string.h>

static const char style[] =
    ":root{color-scheme:light dark;--ok:#1a7f37;--bad:#b3261e;--line:#8886}"
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}"
    "h1{font-size:1.5rem}h2{font-size:1.15rem;border-bottom:1px solid var(--line)}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.2rem .6rem .2rem 0;"
    "border-bottom:1px solid var(--line);overflow-wrap:anywhere}td.n,th.n{text-align:right;"
    "font-variant-numeric:tabular-nums}caption{text-align:left;font-weight:600}"
    "svg{width:100%;height:auto;display:block}.ok{fill:var(--ok)}.bad{fill:var(--bad)}"
    ".status{padding:.6rem;border-left:.4rem solid var(--ok)}.status.found{border-color:var(--bad)}"
    "nav{display:flex;flex-wrap:wrap;gap:.3rem "
    "1rem}summary{cursor:pointer}a:focus-visible,summary:focus-visible{outline:3px solid}"
    "@media print{nav{display:none}body{max-width:none}section{break-inside:avoid}}";

void html_text(struct text *text, const char *foreign, size_t size)
{
    struct text plain = {0};
    text_plain(&plain, foreign, size);
    for (size_t i = 0; i < plain.size; i++) switch (plain.bytes[i]) {
        case '&':
            text_string(text, "&amp;");
            break;
        case '<':
            text_string(text, "&lt;");
            break;
        case '>':
            text_string(text, "&gt;");
            break;
        case '"':
            text_string(text, "&quot;");
            break;
        case '\'':
            text_string(text, "&#39;");
            break;
        default:
            text_char(text, plain.bytes[i]);
        }
    text_free(&plain);
}

void html_string(struct text *text, const char *string)
{
    html_text(text, string, strlen(string));
}

void html_begin(struct text *text, const char *title)
{
    text_string(text,
                "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
                "'unsafe-inline'\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>");
    html_string(text, title);
    text_string(text, "</title><style>");
    text_string(text, style);
    text_string(text, "</style></head><body><header><h1>");
    html_string(text, title);
    text_string(text, "</h1></header><main>\n");
}

void html_end(struct text *text)
{
    text_string(text, "</main></body></html>\n");
}

void html_section(struct text *text, const char *id, const char *heading)
{
    text_format(text, "<section aria-labelledby=\"%s-h\" id=\"%s\"><h2 id=\"%s-h\">", id, id, id);
    html_string(text, heading);
    text_string(text, "</h2>\n");
}

void html_section_end(struct text *text)
{
    text_string(text, "</section>\n");
}

void html_table_begin(struct text *text, const char *caption, const char *const headings[], size_t count)
{
    text_string(text, "<table><caption>");
    html_string(text, caption);
    text_string(text, "</caption><thead><tr>");
    for (size_t i = 0; i < count; i++) {
        text_format(text, "<th scope=\"col\"%s>", i > 0 ? " class=\"n\"" : "");
        html_string(text, headings[i]);
        text_string(text, "</th>");
    }
    text_string(text, "</tr></thead><tbody>\n");
}

void html_table_end(struct text *text)
{
    text_string(text, "</tbody></table>\n");
}

enum { CHART_WIDTH = 960, CHART_HEIGHT = 200 };

static void draw(struct text *text, const char *const names[2], const struct html_bar *bars, size_t count,
                 uint64_t greatest)
{
    double width = (double)CHART_WIDTH / (double)count;
    for (size_t i = 0; i < count; i++) {
        double ok = (double)bars[i].parts[0] * CHART_HEIGHT / (double)greatest;
        double bad = (double)bars[i].parts[1] * CHART_HEIGHT / (double)greatest;
        if (bars[i].parts[0] + bars[i].parts[1] == 0) continue;
        text_string(text, "<g><title>");
        html_string(text, bars[i].label);
        text_format(text, ": %" PRIu64 " %s", bars[i].parts[0], names[0]);
        if (names[1]) text_format(text, ", %" PRIu64 " %s", bars[i].parts[1], names[1]);
        text_format(text, "</title><rect class=\"ok\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
                    width * (double)i, CHART_HEIGHT - ok, width * 0.9, ok);
        text_format(text, "<rect class=\"bad\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/></g>",
                    width * (double)i, CHART_HEIGHT - ok - bad, width * 0.9, bad);
    }
}

void html_bars(struct text *text, const char *title, const char *const names[2], const struct html_bar *bars,
               size_t count)
{
    uint64_t greatest = 1;
    for (size_t i = 0; i < count; i++)
        if (bars[i].parts[0] + bars[i].parts[1] > greatest) greatest = bars[i].parts[0] + bars[i].parts[1];
    if (count == 0) {
        text_string(text, "<p>Nothing to show.</p>\n");
        return;
    }
    text_format(text, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", CHART_WIDTH, CHART_HEIGHT);
    html_string(text, title);
    text_format(text, "; the highest bar is %" PRIu64 "; the numbers are in the table below\">", greatest);
    draw(text, names, bars, count, greatest);
    text_format(text,
                "</svg>\n<p>From %s to %s; the highest bar is %" PRIu64 ".</p><details><summary>Numbers</summary>",
                bars[0].label, bars[count - 1].label, greatest);
    const char *headings[] = {"", names[0], names[1]};
    html_table_begin(text, title, headings, names[1] ? 3 : 2);
    for (size_t i = 0; i < count; i++) {
        if (bars[i].parts[0] + bars[i].parts[1] == 0) continue;
        text_format(text, "<tr><th scope=\"row\">%s</th><td class=\"n\">%" PRIu64 "</td>", bars[i].label,
                    bars[i].parts[0]);
        if (names[1]) text_format(text, "<td class=\"n\">%" PRIu64 "</td>", bars[i].parts[1]);
        text_string(text, "</tr>\n");
    }
    html_table_end(text);
    text_string(text, "</details>\n");
}
