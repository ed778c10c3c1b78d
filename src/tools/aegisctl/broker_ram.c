/* What the broker leaves of a machine for post and symbols: its memory, and its kernel. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker_state.h"
#include "ram.h"

static void copy_file(const char *from, const char *to)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct stat st;

    if (in >= 0 && out >= 0 && fstat(in, &st) == 0) {
        for (ssize_t left = st.st_size, n = 1; left > 0 && n > 0; left -= n) {
            n = sendfile(out, in, NULL, (size_t)left);
        }
    }
    if (in >= 0) {
        close(in);
    }
    if (out >= 0) {
        close(out);
    }
}

void broker_ram_open(const struct broker *b)
{
    char path[INSTANCE_PATH_MAX], target[64];

    instance_path(b->instance, "kernel.elf", path);
    copy_file(b->machine->kernel, path);
    instance_path(b->instance, "ram", path);
    snprintf(target, sizeof target, "/proc/%d/fd/%d", (int)getpid(), b->qemu.ram);
    if (symlink(target, path) != 0) {
        perror("aegisctl: run: aegisctl post won't find the machine's memory: link");
    }
}

void broker_ram_close(const struct broker *b, bool keep)
{
    char path[INSTANCE_PATH_MAX];

    instance_path(b->instance, "ram", path);
    if (!keep) {
        unlink(path);
    } else if (ram_save(b->qemu.ram, path) != 0) {
        perror("aegisctl: run: the machine's memory can't be kept");
    }
    close(b->qemu.ram);
}
