/* Programs by name: those of the folders of PATH, which is "/" on a machine of ExOS. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shell.h"

#define NAMES_MAX 256
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

/* The list is read anew at each index 0. */
const char *program_name(size_t index)
{
    static char *names[NAMES_MAX];
    static size_t count;
    char folder[PATH_SIZE];

    if (index > 0)
        return index < count ? names[index] : NULL;
    while (count)
        free(names[--count]);
    for (const char *path = first_folder(); path;) {
        path = next_folder(path, folder);
        DIR *directory = opendir(folder);
        for (struct dirent *entry; directory && (entry = readdir(directory));)
            if (entry->d_name[0] != '.' && count < NAMES_MAX &&
                (names[count] = strdup(entry->d_name)))
                count++;
        if (directory)
            closedir(directory);
    }
    return count ? names[0] : NULL;
}
