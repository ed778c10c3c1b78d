#include "instance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/control.h"

/* Whether path is a directory that nobody but us can write to. */
static bool ours_alone(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == getuid() &&
           (st.st_mode & 022) == 0;
}

/* The folder of all our instances. */
static void base_folder(char *path, size_t size)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");

    if (runtime != NULL && runtime[0] == '/' && ours_alone(runtime)) {
        snprintf(path, size, "%s/aegis-v", runtime);
    } else {
        snprintf(path, size, "/tmp/aegis-v-%u", (unsigned)getuid());
    }
}

int instance_find(struct instance *instance, const char *name, struct why *why)
{
    char base[4096];

    if (!control_is_name(name, 64) || name[0] == '.') {
        return why_set(why,
                       "\"%s\" is no name of an instance: at most 63 of A-Z a-z 0-9 . _ -, not "
                       "beginning with a dot",
                       name);
    }
    base_folder(base, sizeof base);
    *instance = (struct instance){.name = name, .lock = -1};
    if (snprintf(instance->folder, sizeof instance->folder, "%s/%s", base, name) >=
        INSTANCE_FOLDER_MAX) {
        return why_set(why,
                       "%s/%s is too long for a UNIX socket's address; choose a shorter --instance",
                       base, name);
    }
    return 0;
}

void instance_path(const struct instance *instance, const char *file, char path[INSTANCE_PATH_MAX])
{
    snprintf(path, INSTANCE_PATH_MAX, "%s/%.*s", instance->folder, INSTANCE_FILE_MAX, file);
}

/* Make a private folder, or check that the one that is there is private. */
static int make_private(const char *path, struct why *why)
{
    struct stat st;

    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return why_set(why, "cannot make %s: %s", path, strerror(errno));
    }
    if (lstat(path, &st) != 0) {
        return why_set(why, "%s: %s", path, strerror(errno));
    }
    if (!S_ISDIR(st.st_mode) || st.st_uid != getuid()) {
        return why_set(
            why,
            "%s is not a directory of ours: its owner is user %u; have it removed, or set "
            "XDG_RUNTIME_DIR",
            path, (unsigned)st.st_uid);
    }
    if ((st.st_mode & 077) != 0) {
        return why_set(why, "%s is open to others (mode %03o); chmod 700 it, or remove it", path,
                       (unsigned)st.st_mode & 0777);
    }
    return 0;
}

static int make_folders(const struct instance *instance, struct why *why)
{
    char base[INSTANCE_PATH_MAX];

    snprintf(base, sizeof base, "%s", instance->folder);
    *strrchr(base, '/') = 0;
    return make_private(base, why) != 0 ? -1 : make_private(instance->folder, why);
}

int instance_claim(struct instance *instance, struct why *why)
{
    static const char *const left[] = {"control", "serial.log", "qemu.log",  "broker.log",
                                       "ended",   "ram",        "kernel.elf"};
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char path[INSTANCE_PATH_MAX];
    int fd;

    if (make_folders(instance, why) != 0) {
        return -1;
    }
    instance_path(instance, "lock", path);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return why_set(why, "cannot open %s: %s", path, strerror(errno));
    }
    if (fcntl(fd, F_OFD_SETLK, &whole) != 0) {
        close(fd);
        return why_set(
            why,
            "instance %s runs already; stop it with aegisctl stop --instance %s, or choose "
            "another --instance",
            instance->name, instance->name);
    }
    for (size_t i = 0; i < sizeof left / sizeof left[0]; i++) {
        instance_path(instance, left[i], path);
        if (unlink(path) != 0 && errno != ENOENT) {
            close(fd);
            return why_set(why, "cannot remove %s: %s", path, strerror(errno));
        }
    }
    instance->lock = fd;
    return 0;
}

bool instance_runs(const struct instance *instance)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char path[INSTANCE_PATH_MAX];
    bool held;
    int fd;

    instance_path(instance, "lock", path);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return false;
    }
    held = fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
    close(fd);
    return held;
}

void instance_ended(const struct instance *instance, char *text, int size)
{
    char path[INSTANCE_PATH_MAX];
    FILE *file;

    text[0] = 0;
    instance_path(instance, "ended", path);
    file = fopen(path, "re");
    if (file == NULL) {
        return;
    }
    if (fgets(text, size, file) == NULL) {
        text[0] = 0;
    }
    text[strcspn(text, "\n")] = 0;
    fclose(file);
}

void instance_end(const struct instance *instance, const char *text)
{
    char path[INSTANCE_PATH_MAX];
    FILE *file;

    instance_path(instance, "ended", path);
    file = fopen(path, "we");
    if (file == NULL) {
        return;
    }
    fprintf(file, "%s\n", text);
    fclose(file);
}
