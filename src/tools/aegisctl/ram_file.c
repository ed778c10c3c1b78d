/* A machine's memory as a file. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ram.h"

int ram_open(struct ram *ram, const char *path, struct why *why)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *bytes = MAP_FAILED;

    *ram = (struct ram){0};
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0) {
        bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    } else if (fd >= 0) {
        errno = EINVAL;
    }
    if (bytes == MAP_FAILED) {
        why_set(why, "cannot read the machine's memory, %s: %s", path, strerror(errno));
    } else {
        ram->bytes = bytes;
        ram->size = (uint64_t)st.st_size;
    }
    if (fd >= 0) {
        close(fd);
    }
    return bytes == MAP_FAILED ? -1 : 0;
}

void ram_close(struct ram *ram)
{
    if (ram->bytes != NULL) {
        munmap((void *)(uintptr_t)ram->bytes, ram->size);
    }
    ram->bytes = NULL;
}

/* Copy [from, to) of a file to the same place in another. */
static int copy_range(int fd, int out, off_t from, off_t to)
{
    static char bytes[65536];

    while (from < to) {
        size_t most = (size_t)(to - from) < sizeof bytes ? (size_t)(to - from) : sizeof bytes;
        ssize_t n = pread(fd, bytes, most, from);

        if (n <= 0 || pwrite(out, bytes, (size_t)n, from) != n) {
            return -1;
        }
        from += n;
    }
    return 0;
}

int ram_save(int fd, const char *path)
{
    struct stat st;
    int out, status = fstat(fd, &st);

    unlink(path);
    out = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (out < 0) {
        return -1;
    }
    if (status == 0) {
        status = ftruncate(out, st.st_size);
    }
    for (off_t at = 0, end; status == 0 && (at = lseek(fd, at, SEEK_DATA)) >= 0; at = end) {
        end = lseek(fd, at, SEEK_HOLE);
        status = end > at ? copy_range(fd, out, at, end) : -1;
    }
    close(out);
    if (status != 0) {
        unlink(path);
    }
    return status;
}
