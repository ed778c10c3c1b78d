/*
 * The broker goes through its phases in one direction:
 *
 *   BANNER   QEMU runs; the serial log has to show the banner
 *   HELLO    the agent has to answer
 *   UP       clients are served
 *   HALT     the agent was asked to stop the machine
 *   (ended)  QEMU's end was seen; its status goes to whoever waits for it
 *
 * Each phase but UP has a deadline, at which QEMU is killed.
 */
#include "broker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker_state.h"
#include "clock.h"

void broker_say(struct broker *b, char kind, const char *text)
{
    if (b->report >= 0) {
        dprintf(b->report, "%c%s\n", kind, text);
        if (kind == 'F') {
            return; /* closed by our end, after which the instance's name is free */
        }
        close(b->report);
        b->report = -1;
    } else {
        fprintf(stderr, "aegisctl: run: %s\n", text);
    }
}

void broker_kill(struct broker *b)
{
    if (b->qemu.pid > 0) {
        kill(b->qemu.pid, SIGKILL);
    }
    b->deadline = INT64_MAX;
}

void broker_enter(struct broker *b, enum phase phase, int64_t limit_ms)
{
    b->phase = phase;
    b->deadline = limit_ms != 0 ? clock_ms() + limit_ms : INT64_MAX;
}

/* The phase's deadline has passed. */
static void give_up(struct broker *b)
{
    static const char *const what[] = {
        [BANNER] = "the serial log shows no banner (a line that begins with \"Aegis-V\")",
        [HELLO] = "the agent in the guest did not answer on the console",
        [HALT] = "the agent did not stop the machine",
    };
    long limit = b->phase == HALT ? HALT_MS : b->boot_ms;

    why_set(&b->failure, "%s within %ld s; QEMU was killed; see %s/serial.log", what[b->phase],
            limit / 1000, b->instance->folder);
    broker_kill(b);
}

static void come_up(struct broker *b)
{
    char text[1024], ports[QEMU_FORWARDS_MAX * sizeof "; UDP 127.0.0.1:65535 -> guest 65535"] = "";
    size_t used = 0;
    struct why why;

    if (b->agent.version != 0) {
        why_set(&b->failure,
                "the agent speaks version %u of the control protocol, aegisctl version %u: "
                "build both from the same sources",
                b->agent.version, CONTROL_VERSION);
        broker_kill(b);
        return;
    }
    if (clients_open(&b->clients, b->instance, &why) != 0) {
        b->failure = why;
        broker_kill(b);
        return;
    }
    broker_enter(b, UP, 0);
    for (int i = 0; strcmp(b->machine->net, "user") == 0 && i < b->machine->forward_count; i++) {
        used += (size_t)snprintf(ports + used, sizeof ports - used, "; %s 127.0.0.1:%u -> guest %u",
                                 b->machine->forwards[i].tcp ? "TCP" : "UDP",
                                 b->machine->forwards[i].host, b->machine->forwards[i].guest);
    }
    snprintf(text, sizeof text, "instance %s is up%s; log %s/serial.log", b->instance->name, ports,
             b->instance->folder);
    broker_say(b, 'R', text);
}

/* What the serial log and the agent have brought may end a phase. */
static void advance(struct broker *b)
{
    if (b->phase == BANNER && b->serial.banner) {
        agent_greet(&b->agent);
        broker_enter(b, HELLO, b->boot_ms);
    }
    if (b->phase == HELLO && b->agent.peer != 0 && b->failure.text[0] == 0) {
        come_up(b);
    }
}

/* A signal: a child ended, or somebody wants us to stop: the first time by way of the agent. */
static void take_signal(struct broker *b)
{
    struct signalfd_siginfo info;

    if (read(b->signals, &info, sizeof info) != sizeof info) {
        return;
    }
    if (info.ssi_signo == SIGCHLD) {
        if (b->qemu.pid > 0 && waitpid(b->qemu.pid, &b->status, WNOHANG) == b->qemu.pid) {
            b->qemu.pid = 0;
        }
    } else if (b->phase == UP) {
        broker_halt(b, 0);
    } else {
        why_set(&b->failure, "stopped by signal %u", info.ssi_signo);
        broker_kill(b);
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* One turn of the loop: wait for anything, act on all that came. */
static void turn(struct broker *b)
{
    struct pollfd fds[3 + CLIENTS_FDS] = {
        {.fd = b->signals, .events = POLLIN},
        {.fd = b->serial.fd, .events = POLLIN},
        {.fd = b->agent.link.fd,
         .events = (short)(POLLIN | (link_wants_write(&b->agent.link) ? POLLOUT : 0))},
    };
    int count = clients_poll(&b->clients, fds + 3);
    int64_t next = earlier(b->deadline, agent_next(&b->agent));

    if (poll(fds, (nfds_t)count + 3, clock_left(next)) < 0) {
        return;
    }
    if (fds[1].revents != 0) {
        serial_read(&b->serial);
    }
    if (fds[2].revents != 0 && (agent_read(&b->agent) != 0 || link_write(&b->agent.link) != 0)) {
        link_close(&b->agent.link); /* QEMU is ending; the signal tells */
    }
    clients_serve(&b->clients, fds + 3, count);
    agent_tick(&b->agent);
    broker_end_captures(b);
    if (fds[0].revents != 0) {
        take_signal(b);
    }
    advance(b);
    if (clock_ms() >= b->deadline) {
        give_up(b);
    }
}

static int catch_signals(struct broker *b, struct why *why)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    b->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return b->signals < 0 ? why_set(why, "no signalfd: %s", strerror(errno)) : 0;
}

/* Start QEMU and take its descriptors over. */
static int start(struct broker *b, struct why *why)
{
    if (catch_signals(b, why) != 0 || qemu_start(&b->qemu, b->machine, b->instance, why) != 0 ||
        serial_open(&b->serial, b->qemu.serial, b->instance, b->report < 0, why) != 0 ||
        agent_open(&b->agent, b->qemu.console, broker_take_reply, b, why) != 0) {
        return -1;
    }
    broker_ram_open(b);
    return qemu_ports(&b->qemu, b->machine, b->boot_ms < MONITOR_MS ? MONITOR_MS : b->boot_ms, why);
}

/* QEMU was started, but something is wrong: its own end explains itself better than what we saw of
 * it. */
static void refuse_start(struct broker *b, const struct why *why)
{
    for (int i = 0; i < 100; i++) { /* 5 s */
        if (waitpid(b->qemu.pid, &b->status, WNOHANG) == b->qemu.pid) {
            b->qemu.pid = 0;
            return;
        }
        usleep(50000);
    }
    b->failure = *why;
    broker_kill(b);
}

int broker_run(const struct instance *instance, struct machine *machine, long boot_ms, int report)
{
    static struct broker b;
    struct why why;

    b = (struct broker){
        .instance = instance, .machine = machine, .boot_ms = boot_ms, .report = report};
    b.serial.fd = b.serial.log = b.agent.link.fd = -1;
    b.agent.next_hello = INT64_MAX;
    clients_init(&b.clients, broker_take_request, &b);
    broker_enter(&b, BANNER, boot_ms);
    if (start(&b, &why) != 0) {
        if (b.qemu.pid == 0) {
            broker_say(&b, 'F', why.text);
            return 1;
        }
        refuse_start(&b, &why);
    }
    while (b.qemu.pid != 0) {
        turn(&b);
    }
    return broker_finish(&b);
}
