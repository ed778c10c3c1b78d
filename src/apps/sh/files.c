/* Patterns to the names of files: those of one folder, which the pattern names before its last /.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expand_internal.h"
#include "pattern.h"

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The last / of a pattern that has none of its signs before it; -1: there is such a sign. */
static ptrdiff_t folder_length(const char *pattern)
{
    const char *slash = strrchr(pattern, '/');
    ptrdiff_t length = slash ? slash - pattern + 1 : 0;
    for (ptrdiff_t i = 0; i < length; i++) {
        if (strchr("*?[", pattern[i]))
            return -1;
        i += pattern[i] == '\\';
    }
    return length;
}

static bool add(struct sh_fields *fields, const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 1;
    char *full = malloc(size);
    if (!full) {
        fields->error = "no memory is left";
        return false;
    }
    snprintf(full, size, "%s%s", folder, name);
    bool good = expansion_add(fields, full);
    free(full);
    return good;
}

int expansion_files(struct expansion *e)
{
    const struct sh_values *v = e->values;
    size_t before = e->fields->count;
    ptrdiff_t length = v->file ? folder_length(e->text) : -1;
    const char *name, *pattern = e->text + length;
    bool good = true;

    if (length < 0)
        return 0;
    char *folder = strndup(e->text, (size_t)length);
    if (!folder) {
        expansion_fail(e, "no memory is left");
        return -1;
    }
    sh_unescape(folder);
    for (size_t i = 0; good && (name = v->file(v->context, *folder ? folder : ".", i)); i++)
        if ((*name != '.' || *pattern == '.') && sh_match(pattern, name, strlen(name)))
            good = add(e->fields, folder, name);
    free(folder);
    size_t found = e->fields->count - before;
    if (found)
        qsort(e->fields->list + before, found, sizeof *e->fields->list, compare);
    return good ? found > 0 : -1;
}
