/* The editor's history, and the search in it. */
#include <string.h>

#include "edit_internal.h"

/* Line number `number` of all that were kept; NULL if it is gone or not there yet. */
const char *edit_past(const struct edit *e, size_t number)
{
    if (number >= e->history_count || e->history_count - number > EDIT_HISTORY)
        return NULL;
    return e->history[number % EDIT_HISTORY];
}

const char *edit_history(const struct edit *e, size_t index)
{
    size_t first = e->history_count > EDIT_HISTORY ? e->history_count - EDIT_HISTORY : 0;
    return edit_past(e, first + index);
}

void edit_remember(struct edit *e, const char *line)
{
    const char *last = e->history_count ? edit_past(e, e->history_count - 1) : NULL;
    size_t length = strnlen(line, EDIT_MAX);

    if (!length || length == EDIT_MAX || (last && !strcmp(last, line)))
        return;
    memcpy(e->history[e->history_count % EDIT_HISTORY], line, length + 1);
    e->history_count++;
}

void edit_recall(struct edit *e, int step)
{
    size_t to = e->shown + (size_t)step;
    const char *line = to == e->history_count ? e->unfinished : edit_past(e, to);

    if ((step < 0 && !e->shown) || !line) {
        edit_bell(e);
        return;
    }
    if (e->shown == e->history_count)
        memcpy(e->unfinished, e->line, e->length + 1);
    e->shown = to;
    edit_set_line(e, line);
}

/* Look for the pattern in line number `from` and the ones before it; *at is where it stands there.
 */
static bool look(struct edit *e, size_t from)
{
    for (size_t number = from + 1; number-- > 0;) {
        const char *line = edit_past(e, number);
        const char *place = line ? strstr(line, e->pattern) : NULL;
        if (!line)
            break;
        if (!place)
            continue;
        e->match = number;
        e->found = true;
        edit_set_line(e, line);
        e->cursor = (size_t)(place - line);
        return true;
    }
    e->found = false;
    edit_bell(e);
    return false;
}

void edit_search_begin(struct edit *e)
{
    if (e->shown == e->history_count)
        memcpy(e->unfinished, e->line, e->length + 1);
    e->searching = true;
    e->found = true;
    e->pattern_length = 0;
    e->pattern[0] = 0;
    e->match = e->history_count;
}

bool edit_search_key(struct edit *e, uint8_t byte)
{
    size_t last = e->history_count ? e->history_count - 1 : 0;

    if (byte == CTRL('R')) {
        if (e->match > 0) {
            look(e, e->match < e->history_count ? e->match - 1 : last);
        } else {
            e->found = false;
            edit_bell(e);
        }
    } else if (byte == CTRL('H') || byte == RUBOUT) {
        while (e->pattern_length && edit_continues(e->pattern[e->pattern_length - 1]))
            e->pattern_length--;
        e->pattern_length -= e->pattern_length > 0;
        e->pattern[e->pattern_length] = 0;
        look(e, last);
    } else if (byte >= 0x20) {
        if (e->pattern_length + 1 < sizeof e->pattern) {
            e->pattern[e->pattern_length++] = (char)byte;
            e->pattern[e->pattern_length] = 0;
        }
        look(e, e->match < e->history_count ? e->match : last);
    } else { /* the line that was found stays, and the key acts on it */
        e->searching = false;
        if (e->match < e->history_count)
            e->shown = e->match;
        if (byte == CTRL('G')) {
            e->shown = e->history_count;
            edit_set_line(e, e->unfinished);
        }
        edit_show(e);
        return byte == CTRL('G');
    }
    edit_show(e);
    return true;
}
