#include "initrd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/cpio.h"

#define FIRST "init" /* the program that the kernel starts */

static int check_archive(const char *path, const void *archive, size_t size, struct why *why)
{
    struct cpio_entry entry;
    int error = size != 0 ? cpio_find(archive, size, FIRST, &entry) : -CPIO_E_TRUNCATED;

    if (error == -CPIO_E_NOT_FOUND) {
        return why_set(why, "--initrd %s has no program " FIRST ", which a machine begins with",
                       path);
    }
    if (error != 0) {
        return why_set(why,
                       "--initrd %s is no archive of programs (%s): ci/build makes "
                       "guest/initrd.cpio, and cpio -o -H newc others",
                       path, cpio_strerror(error));
    }
    return 0;
}

int initrd_check(const char *path, struct why *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), status;
    struct stat file;
    void *archive = NULL;

    if (fd < 0 || fstat(fd, &file) != 0) {
        why_set(why, "--initrd %s: %s", path, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    if (!S_ISREG(file.st_mode)) {
        close(fd);
        return why_set(why, "--initrd %s is not a file", path);
    }
    if (file.st_size > 0) {
        archive = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    }
    close(fd);
    if (archive == MAP_FAILED) {
        return why_set(why, "--initrd %s: %s", path, strerror(errno));
    }
    status = check_archive(path, archive, (size_t)file.st_size, why);
    if (archive != NULL) {
        munmap(archive, (size_t)file.st_size);
    }
    return status;
}
