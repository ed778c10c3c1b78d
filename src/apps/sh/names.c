/* Programs by name: those of the folders of PATH, which is "/" on a machine of ExOS. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shell.h"

#define PATH_SIZE 1024

/* The next folder of PATH into folder; what follows it, or NULL. */
static const char *next_folder(const char *path, char folder[PATH_SIZE])
{
    size_t length = strcspn(path, ":");
    snprintf(folder, PATH_SIZE, "%.*s", (int)(length < PATH_SIZE - 1 ? length : PATH_SIZE - 1),
             path);
    return path[length] ? path + length + 1 : NULL;
}

static const char *first_folder(void)
{
    const char *path = vars_get("PATH", 4);
    return path && *path ? path : "/";
}

bool program_exists(const char *name)
{
    char folder[PATH_SIZE], full[2 * PATH_SIZE];

    if (strchr(name, '/'))
        return access(name, X_OK) == 0;
    for (const char *path = first_folder(); path;) {
        path = next_folder(path, folder);
        snprintf(full, sizeof full, "%s/%s", folder, name);
        if (access(full, X_OK) == 0)
            return true;
    }
    return false;
}

struct names {
    char **list;
    size_t count;
};

static void forget(struct names *names)
{
    while (names->count)
        free(names->list[--names->count]);
    free(names->list);
    names->list = NULL;
}

/* Add a folder's names; what there is no memory for is missing. */
static void read_folder(struct names *names, const char *folder, bool hidden)
{
    DIR *directory = opendir(folder);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        if (entry->d_name[0] == '.' && !hidden)
            continue;
        char *name = strdup(entry->d_name);
        char **more = realloc(names->list, (names->count + 1) * sizeof *more);
        if (more)
            names->list = more;
        if (name && more)
            names->list[names->count++] = name;
        else
            free(name);
    }
    if (directory)
        closedir(directory);
}

/* The list is read anew at each index 0. */
const char *program_name(size_t index)
{
    static struct names names;
    char folder[PATH_SIZE];

    if (index == 0) {
        forget(&names);
        for (const char *path = first_folder(); path;) {
            path = next_folder(path, folder);
            read_folder(&names, folder, false);
        }
    }
    return index < names.count ? names.list[index] : NULL;
}

const char *file_name(const char *folder, size_t index)
{
    static struct names names;
    if (index == 0) {
        forget(&names);
        read_folder(&names, folder, true);
    }
    return index < names.count ? names.list[index] : NULL;
}
