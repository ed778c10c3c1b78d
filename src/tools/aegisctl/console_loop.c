/*
 * At most one request for output and one with input is under way. The next output is asked for when
 * standard output has taken all of the last, so that a slow reader slows the machine's programs
 * down, and nothing is lost.
 */
#include "console_loop.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "clock.h"

#define ALIVE_MS  1000
#define LEAVE_MS  2000
#define PIECE_MAX 512 /* what a pipe that can be written takes at once (PIPE_BUF, POSIX) */

void console_fail(struct console *c)
{
    c->state = CONSOLE_FAILED;
}

void console_request(struct console *c, uint16_t type, enum control_record record, const void *from,
                     uint32_t *id)
{
    *id = c->session.next_id++;
    c->heard_by = clock_ms() + CLIENT_LIMIT_MS;
    if (link_send_record(&c->session.link, type, *id, record, from) != 0 ||
        link_write(&c->session.link) != 0) {
        why_set(&c->why, "the broker takes no more requests");
        console_fail(c);
    }
}

void console_leave(struct console *c)
{
    struct control_console_detach request = {.console = c->number};

    if (c->state == CONSOLE_RUNS) {
        c->state = CONSOLE_DETACHING;
        console_request(c, CONTROL_CONSOLE_DETACH, CONTROL_RECORD_console_detach, &request,
                        &c->leaving);
        c->heard_by = clock_ms() + LEAVE_MS;
    }
}

static void ask_for_output(struct console *c)
{
    struct control_console_read request = {.console = c->number, .position = c->position};

    if (c->reading == 0 && c->state == CONSOLE_RUNS && c->out_begin == c->out_end && !c->last) {
        console_request(c, CONTROL_CONSOLE_READ, CONTROL_RECORD_console_read, &request,
                        &c->reading);
    }
}

/* Standard output takes nothing, and so nothing is asked for: an empty input says that we live. */
static void say_alive(struct console *c)
{
    struct control_console_write nothing = {.console = c->number};

    if (c->out_begin != c->out_end && c->writing == 0 && clock_ms() >= c->alive_at &&
        c->state == CONSOLE_RUNS) {
        c->in_sent = 0;
        console_request(c, CONTROL_CONSOLE_WRITE, CONTROL_RECORD_console_write, &nothing,
                        &c->writing);
        c->alive_at = clock_ms() + ALIVE_MS;
    }
}

/* Write what standard output takes without making us wait. */
static void put_out(struct console *c)
{
    while (c->out_begin != c->out_end) {
        struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
        size_t size = c->out_end - c->out_begin;
        ssize_t n;

        if (poll(&p, 1, 0) <= 0) {
            return;
        }
        n = write(STDOUT_FILENO, c->out + c->out_begin, size < PIECE_MAX ? size : PIECE_MAX);
        if (n < 0 && errno != EINTR && errno != EAGAIN) {
            why_set(&c->why, "standard output: %s", strerror(errno));
            console_leave(c);
            console_fail(c);
            return;
        }
        c->out_begin += n > 0 ? (size_t)n : 0;
    }
    if (c->last) {
        c->status = c->last_status;
        c->state = CONSOLE_ENDED;
    }
}

static void take_output(struct console *c, const struct control_message *message)
{
    struct control_console_output output;

    c->reading = 0;
    if (message->body == NULL ||
        control_decode(CONTROL_RECORD_console_output, message->body, message->size, &output) != 0) {
        why_set(&c->why, "the agent's answer is malformed");
        console_fail(c);
        return;
    }
    if (output.position > c->position) {
        fprintf(stderr, "aegisctl: console: %" PRIu64 " bytes of older output are lost%s\n",
                output.position - c->position, c->terminal.raw ? "\r" : "");
    }
    if (output.bytes.size != 0) {
        memcpy(c->out, output.bytes.data, output.bytes.size);
    }
    c->out_begin = 0;
    c->out_end = output.bytes.size;
    c->position = output.position + output.bytes.size;
    c->last = output.ended != 0;
    c->last_status = output.status;
    c->alive_at = clock_ms() + ALIVE_MS;
    put_out(c);
}

static bool take_message(void *context, const struct control_message *message)
{
    struct console *c = context;
    bool reading = message->id == c->reading, writing = message->id == c->writing;

    if (message->id == 0 || (!reading && !writing && message->id != c->leaving)) {
        return true;
    }
    if (message->id == c->leaving) {
        c->state = c->state == CONSOLE_DETACHING ? CONSOLE_DETACHED : c->state;
    } else if (message->type == CONTROL_ERROR) {
        client_error(message, &c->why);
        console_fail(c);
    } else if (reading) {
        take_output(c, message);
    } else {
        console_take_written(c, message);
    }
    return c->state <= CONSOLE_DETACHING;
}

static void take_signal(struct console *c)
{
    struct control_console_size size = {.console = c->number};
    struct signalfd_siginfo info;
    uint32_t ignored;

    if (read(c->signals, &info, sizeof info) != sizeof info) {
        return;
    }
    if (info.ssi_signo != SIGWINCH) {
        console_leave(c);
        return;
    }
    console_terminal_size(&size.columns, &size.rows);
    console_request(c, CONTROL_CONSOLE_SIZE, CONTROL_RECORD_console_size, &size, &ignored);
}

static int64_t next_event(const struct console *c)
{
    int64_t next = c->heard_by;

    if (c->out_begin != c->out_end && c->alive_at < next) {
        next = c->alive_at;
    }
    if (c->again_at != 0 && c->writing == 0 && c->again_at < next) {
        next = c->again_at;
    }
    return next;
}

/* Wait for anything, and act on it. */
static void turn(struct console *c)
{
    struct link *link = &c->session.link;
    bool takes = !c->in_ended && c->in_fill < sizeof c->in && c->state == CONSOLE_RUNS;
    struct pollfd fds[] = {
        {.fd = link->fd, .events = (short)(POLLIN | (link_wants_write(link) ? POLLOUT : 0))},
        {.fd = c->signals, .events = POLLIN},
        {.fd = takes ? STDIN_FILENO : -1, .events = POLLIN},
        {.fd = c->out_begin != c->out_end ? STDOUT_FILENO : -1, .events = POLLOUT},
    };

    if (poll(fds, 4, clock_left(next_event(c))) < 0) {
        return;
    }
    if (clock_ms() >= c->heard_by && (c->reading != 0 || c->writing != 0 || c->leaving != 0)) {
        why_set(&c->why, "the broker of instance %s did not answer in time",
                c->session.instance.name);
        console_fail(c);
        return;
    }
    if (((fds[0].revents & (POLLIN | POLLHUP)) != 0 && link_read(link, take_message, c) != 0) ||
        link_write(link) != 0) {
        client_hung_up(&c->session, &c->why);
        console_fail(c);
        return;
    }
    if (fds[1].revents != 0) {
        take_signal(c);
    }
    if (fds[2].revents != 0 && c->state == CONSOLE_RUNS) {
        console_take_input(c);
    }
    if (c->state == CONSOLE_RUNS) {
        put_out(c);
    }
    ask_for_output(c);
    console_offer(c);
    say_alive(c);
}

void console_run(struct console *c, const struct control_console *request)
{
    struct control_attached attached;

    if (client_call(&c->session, CONTROL_CONSOLE, CONTROL_RECORD_console, request, CLIENT_LIMIT_MS,
                    CONTROL_RECORD_attached, &attached, &c->why) != 0) {
        console_fail(c);
        return;
    }
    c->number = attached.console;
    c->position = attached.position;
    if (c->terminal.in && request->command.size == 0) {
        fprintf(stderr, "aegisctl: console: attached to %s of instance %s, process %" PRIu32,
                request->own != 0 ? "a shell" : "the shell", c->session.instance.name,
                attached.process);
        if (attached.others != 0) {
            fprintf(stderr, ", with %" PRIu32 " more", attached.others);
        }
        fprintf(stderr, "; ^] detaches\n");
    }
    if (console_terminal_raw(&c->terminal, &c->why) != 0) {
        console_leave(c);
        console_fail(c);
        return;
    }
    ask_for_output(c);
    while (c->state <= CONSOLE_DETACHING) {
        turn(c);
    }
    console_terminal_restore(&c->terminal);
}
