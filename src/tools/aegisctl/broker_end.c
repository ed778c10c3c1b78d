/* The end of a machine: why it ended, told to everybody who waits and to whoever comes later. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker_state.h"
#include "clock.h"

#define FLUSH_MS                                                                                   \
    2000 /* for the last bytes of QEMU's output, and for clients to read their replies */

/* The kernel names QEMU's options; here they are given by way of ours. */
static void say_reason(struct why *why, int status, const char *reason)
{
    static const char theirs[] = "start QEMU with -m ";
    const char *at = strstr(reason, theirs);

    if (at == NULL) {
        why_set(why, "the machine ended with status %d: %s", status, reason);
    } else {
        why_set(why, "the machine ended with status %d: %.*sgive it --memory %s", status,
                (int)(at - reason), reason, at + strlen(theirs));
    }
}

/* Say in one line how the machine ended. Returns the status for the outside. */
static int describe_end(struct broker *b, struct why *why)
{
    int status = WIFEXITED(b->status) ? WEXITSTATUS(b->status) : 128 + WTERMSIG(b->status);
    bool early = b->phase < UP; /* then the kernel's last word is why it refused */

    if (b->failure.text[0] != 0) {
        *why = b->failure;
        return 1;
    }
    if (b->serial.panic || (early && WIFEXITED(b->status) && b->serial.reason[0] != 0)) {
        say_reason(why, status, b->serial.reason);
    } else if (status != 0 && qemu_complaint(b->instance, why)) {
        why_in(why, "QEMU ended with status %d", status);
    } else {
        why_set(why, "the machine ended with status %d%s", status,
                early ? " before it was up" : "");
    }
    return early && status == 0 ? 1 : status;
}

/* Give everybody who waits his answer, and the next aegisctl the reason. */
static void tell_clients(struct broker *b, const struct why *why, int status)
{
    struct control_halted halted = {.status = (uint32_t)status};
    int64_t deadline = clock_ms() + FLUSH_MS;
    struct pollfd fds[CLIENTS_FDS];

    instance_end(b->instance, why->text);
    agent_fail_all(&b->agent, status == 0 ? CONTROL_E_ENDED : CONTROL_E_GONE, why->text);
    for (int i = 0; i < b->halter_count; i++) {
        if (b->failure.text[0] != 0) {
            broker_reply_error(b, &b->halters[i], CONTROL_E_TIMEOUT, why->text);
        } else {
            broker_reply(b, &b->halters[i], CONTROL_HALT | CONTROL_REPLY, CONTROL_RECORD_halted,
                         &halted);
        }
    }
    while (clients_busy(&b->clients) && clock_ms() < deadline) {
        int count = clients_poll(&b->clients, fds);

        if (poll(fds, (nfds_t)count, clock_left(deadline)) > 0) {
            clients_serve(&b->clients, fds, count);
        }
    }
}

/* QEMU is gone: read the rest of its output, tell, and leave nothing behind. */
int broker_finish(struct broker *b)
{
    char path[INSTANCE_PATH_MAX], text[sizeof b->serial.panic_text + 1200];
    struct why why;
    int status;

    while (b->serial.fd >= 0) {
        struct pollfd p = {.fd = b->serial.fd, .events = POLLIN};

        if (poll(&p, 1, FLUSH_MS) <= 0 || serial_read(&b->serial) != 0) {
            break;
        }
    }
    broker_ram_close(b, b->serial.panic || b->failure.text[0] != 0);
    status = describe_end(b, &why);
    tell_clients(b, &why, status);
    if (b->report >= 0) { /* it did not come up: what the kernel said is the reason */
        snprintf(text, sizeof text, "%s\n%s", why.text, b->serial.panic_text);
        broker_say(b, 'F', text);
    } else if (status != 0) {
        broker_say(b, 'F', why.text);
    }
    instance_path(b->instance, "control", path);
    unlink(path);
    clients_close(&b->clients);
    link_close(&b->agent.link);
    serial_close(&b->serial);
    return status;
}
