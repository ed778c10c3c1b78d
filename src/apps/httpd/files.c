#include "httpd/files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "image/cpio.h"
#include "libos/start/start.h"

#define INDEX    "index.html"
#define ROW_ROOM 128 /* bytes of a list's row beside two times the name, each byte at most six */

struct entry {
    const char *name; /* behind the folder and its slash */
    struct http_file file;
};

static struct entry *entries; /* by name */
static size_t count;
static struct http_file list;

static const char *type_of(const char *name)
{
    static const struct {
        const char *end, *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"},
        {".txt", "text/plain; charset=utf-8"},
        {".md", "text/plain; charset=utf-8"},
        {".c", "text/plain; charset=utf-8"},
        {".h", "text/plain; charset=utf-8"},
        {".css", "text/css"},
        {".js", "text/javascript"},
        {".json", "application/json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".gif", "image/gif"},
        {".ico", "image/x-icon"},
        {".wasm", "application/wasm"},
    };
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot && i < sizeof types / sizeof *types; i++)
        if (!strcmp(dot, types[i].end))
            return types[i].type;
    return "application/octet-stream";
}

/* Other contents, another tag: FNV's mixing, eight bytes at a time. */
static void make_tag(struct http_file *file)
{
    uint64_t hash = 14695981039346656037UL ^ file->size;
    const uint8_t *at = file->bytes;
    size_t left = file->size;

    for (; left; at += 8) {
        uint64_t word = 0;
        size_t part = left < sizeof word ? left : sizeof word;
        memcpy(&word, at, part);
        hash = (hash ^ word) * 1099511628211UL;
        hash ^= hash >> 32;
        left -= part;
    }
    snprintf(file->etag, sizeof file->etag, "\"%016llx\"", (unsigned long long)hash);
}

static struct http_file make_file(const char *name, const void *bytes, size_t size)
{
    struct http_file file = {
        .type = type_of(name), .bytes = bytes, .size = size, .modified = time(NULL)};
    make_tag(&file);
    return file;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

/* The name behind the folder, or NULL if it isn't in it. */
static const char *in_folder(const char *name, const char *folder)
{
    size_t size = strlen(folder);

    if (!strncmp(name, "./", 2))
        name += 2;
    if (size && (strncmp(name, folder, size) != 0 || name[size] != '/'))
        return NULL;
    return name + size + (size != 0);
}

/* Takes the regular files of the archive, or only counts them if there is no room yet. */
static size_t scan(const char *folder, struct entry *into)
{
    const void *archive = (const void *)aegis_info()->initrd;
    struct cpio_entry found;
    size_t offset = 0, n = 0;

    while (cpio_next(archive, aegis_info()->initrd_size, &offset, &found) == 1) {
        const char *name = in_folder(found.name, folder);
        if (!name || !*name || (found.mode & CPIO_MODE_TYPE) != CPIO_MODE_REGULAR)
            continue;
        if (into)
            into[n] = (struct entry){name, make_file(name, found.data, found.size)};
        n++;
    }
    return n;
}

/* A name as HTML's text, or, percent-encoded, as a link. Returns where it ends. */
static char *put_name(char *to, const char *name, bool is_link)
{
    for (; *name; name++) {
        unsigned char c = (unsigned char)*name;
        bool is_plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                        (c >= 'a' && c <= 'z') || strchr("-._~/", c);
        if (is_plain)
            *to++ = (char)c;
        else
            to += sprintf(to, is_link ? "%%%02X" : "&#%u;", c);
    }
    return to;
}

static bool make_list(void)
{
    size_t room = 256;

    for (size_t i = 0; i < count; i++)
        room += ROW_ROOM + 12 * strlen(entries[i].name);
    char *text = malloc(room), *at = text;
    if (!text)
        return false;
    at += sprintf(at, "<!DOCTYPE html>\n<title>Aegis-V</title>\n<h1>Aegis-V</h1>\n<table>\n");
    for (size_t i = 0; i < count; i++) {
        at += sprintf(at, "<tr><td><a href=\"/");
        at = put_name(at, entries[i].name, true);
        at += sprintf(at, "\">");
        at = put_name(at, entries[i].name, false);
        at += sprintf(at, "</a><td align=right>%zu\n", entries[i].file.size);
    }
    at += sprintf(at, "</table>\n");
    list = make_file(INDEX, text, (size_t)(at - text));
    return true;
}

int files_begin(const char *folder)
{
    count = scan(folder, NULL);
    entries = malloc((count + 1) * sizeof *entries);
    if (!entries) {
        errno = ENOMEM;
        return -1;
    }
    scan(folder, entries);
    qsort(entries, count, sizeof *entries, compare);
    return make_list() ? (int)count : -1;
}

const struct http_file *files_find(const char *path)
{
    const struct entry key = {.name = path[1] ? path + 1 : INDEX};
    const struct entry *found = bsearch(&key, entries, count, sizeof *entries, compare);

    if (found)
        return &found->file;
    return path[1] ? NULL : &list;
}
