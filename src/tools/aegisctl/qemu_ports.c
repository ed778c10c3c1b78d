/* What only QEMU itself can tell: the ports that it picked, and why it ended. */
#include "qemu.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

#define PROMPT "(qemu) "

/* Read from the monitor until its prompt, or until text is full; by the deadline, limit_ms after
 * QEMU's start. */
static int read_prompt(int fd, char *text, size_t size, int64_t deadline, long limit_ms,
                       struct why *why)
{
    size_t fill = 0;

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n;

        text[fill] = 0;
        if (strstr(text, PROMPT) != NULL || fill == size - 1) {
            return 0;
        }
        if (poll(&p, 1, clock_left(deadline)) == 0) {
            return why_set(why, "QEMU's monitor did not answer within %ld s", limit_ms / 1000);
        }
        n = read(fd, text + fill, size - 1 - fill);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return why_set(why, "QEMU ended at its start");
        }
        fill += n > 0 ? (size_t)n : 0;
    }
}

/* The number behind the next `count` words; text moves behind it. */
static unsigned long number_after(const char **text, int count)
{
    char *end;
    unsigned long number;

    for (int i = 0; i < count; i++) {
        *text += strspn(*text, " ");
        *text += strcspn(*text, " \r\n");
    }
    number = strtoul(*text, &end, 10);
    *text = end;
    return number;
}

/* Of one protocol. Lines such as "  UDP[HOST_FORWARD]   3   127.0.0.1 33632   10.0.2.15     7     0
 * 0". */
static void parse(const char *text, bool tcp, struct machine *machine)
{
    const char *mark = tcp ? "TCP[HOST_FORWARD]" : "UDP[HOST_FORWARD]";

    while ((text = strstr(text, mark)) != NULL) {
        unsigned long host, guest;

        text += strlen(mark);
        host = number_after(&text, 2);
        guest = number_after(&text, 1);
        for (int i = 0; i < machine->forward_count && host >= 1 && host <= 65535; i++) {
            struct forward *f = &machine->forwards[i];

            if (f->tcp == tcp && f->guest == guest && (f->host == 0 || f->host == host)) {
                f->host = (uint16_t)host;
                break;
            }
        }
    }
}

int qemu_ports(const struct qemu *qemu, struct machine *machine, long limit_ms, struct why *why)
{
    static const char question[] = "info usernet\n";
    int64_t deadline = clock_ms() + limit_ms;
    char text[16384];

    if (read_prompt(qemu->monitor, text, sizeof text, deadline, limit_ms, why) != 0) {
        return -1;
    }
    if (strcmp(machine->net, "user") != 0) {
        return 0;
    }
    if (send(qemu->monitor, question, strlen(question), MSG_NOSIGNAL) < 0) {
        return why_set(why, "QEMU ended at its start");
    }
    if (read_prompt(qemu->monitor, text, sizeof text, deadline, limit_ms, why) != 0) {
        return -1;
    }
    parse(text, false, machine);
    parse(text, true, machine);
    for (int i = 0; i < machine->forward_count; i++) {
        if (machine->forwards[i].host == 0) {
            return why_set(
                why,
                "QEMU's \"info usernet\" does not tell the port that leads to guest port "
                "%u; name one with --port",
                machine->forwards[i].guest);
        }
    }
    return 0;
}

/* What would mend a complaint of QEMU's, by a part of its text. */
static const struct {
    const char *part, *remedy;
} remedies[] = {
    {"Could not set up host forwarding",
     "that port of 127.0.0.1 is taken; choose another with --port, "
     "or 0 for a free one"},
    {"opensbi", "install Debian's package opensbi"},
    {"firmware", "install Debian's package opensbi"},
    {"cannot set up guest memory", "choose less with --memory"},
    {"another process using the image",
     "stop that machine, or give the disk to both with \",readonly\" behind it"},
    {"Cannot allocate memory", "choose less with --memory"},
    {"user networking", "this QEMU was built without it; use Debian's package qemu-system-misc"},
    {"could not load kernel", "build it, or name another with --kernel"},
};

bool qemu_complaint(const struct instance *instance, struct why *why)
{
    char path[INSTANCE_PATH_MAX], line[700], last[700] = "";
    FILE *file;

    instance_path(instance, "qemu.log", path);
    file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = 0;
        if (line[0] != 0) {
            memcpy(last, line, sizeof last);
        }
    }
    fclose(file);
    if (last[0] == 0) {
        return false;
    }
    why_set(why, "%s", last);
    for (size_t i = 0; i < sizeof remedies / sizeof remedies[0]; i++) {
        if (strstr(last, remedies[i].part) != NULL) {
            why_set(why, "%s: %s", last, remedies[i].remedy);
            break;
        }
    }
    return true;
}
