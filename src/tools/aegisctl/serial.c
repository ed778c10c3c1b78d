#include "serial.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int serial_open(struct serial *serial, int fd, const struct instance *instance, bool echo,
                struct why *why)
{
    char path[INSTANCE_PATH_MAX];

    memset(serial, 0, sizeof *serial);
    serial->fd = fd;
    serial->echo = echo;
    instance_path(instance, "serial.log", path);
    serial->log = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (serial->log < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        return why_set(why, "cannot open %s: %s", path, strerror(errno));
    }
    return 0;
}

static bool begins(const char *line, const char *with)
{
    return strncmp(line, with, strlen(with)) == 0;
}

/* Keep a line of a panic. */
static void keep(struct serial *serial)
{
    size_t length = strlen(serial->line);

    if (length + 2 <= sizeof serial->panic_text - serial->used) {
        memcpy(serial->panic_text + serial->used, serial->line, length);
        serial->used += length;
        serial->panic_text[serial->used++] = '\n';
        serial->panic_text[serial->used] = 0;
    }
}

static void end_line(struct serial *serial)
{
    serial->line[serial->fill] = 0;
    serial->fill = 0;
    if (begins(serial->line, "Aegis-V")) {
        serial->banner = true;
    }
    if (begins(serial->line, "aegis: ") && !serial->panic) {
        memcpy(serial->reason, serial->line, sizeof serial->reason);
    }
    if (begins(serial->line, "aegis: panic:")) {
        serial->panic = true;
        keep(serial);
    }
}

static void watch(struct serial *serial, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == '\n') {
            end_line(serial);
        } else if (bytes[i] >= ' ' && bytes[i] < 0x7f && serial->fill < sizeof serial->line - 1) {
            serial->line[serial->fill++] = bytes[i];
        }
    }
}

/* Write all of it; a log that can't be written must not stop the machine. */
static void copy(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return;
        }
        bytes += n;
        size -= (size_t)n;
    }
}

int serial_read(struct serial *serial)
{
    char bytes[4096];
    ssize_t n = read(serial->fd, bytes, sizeof bytes);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return 0;
    }
    if (n <= 0) {
        close(serial->fd);
        serial->fd = -1;
        return -1;
    }
    copy(serial->log, bytes, (size_t)n);
    if (serial->echo) {
        copy(STDOUT_FILENO, bytes, (size_t)n);
    }
    watch(serial, bytes, (size_t)n);
    return 0;
}

void serial_close(struct serial *serial)
{
    if (serial->fd >= 0) {
        close(serial->fd);
    }
    if (serial->log >= 0) {
        close(serial->log);
    }
    serial->fd = serial->log = -1;
}
