#include "capture_loop.h"

#include <poll.h>
#include <stdio.h>

#include "clock.h"

#define EXCHANGES 4    /* to set the clock by */
#define END_MS    3000 /* for the agent to undo the tap; else the broker sees to it */

static void fail(struct capture *c)
{
    c->state = CAPTURE_FAILED;
}

static int64_t wall_offset(void)
{
    struct timespec wall;

    clock_gettime(CLOCK_REALTIME, &wall);
    return (int64_t)wall.tv_sec * 1000000000 + wall.tv_nsec - clock_ns();
}

/* Learn what the machine's clock shows. */
static int set_clock(struct capture *c)
{
    struct control_status request = {0};
    struct control_state state;

    for (int i = 0; i < EXCHANGES; i++) {
        int64_t sent = clock_ns();

        if (client_call(&c->session, CONTROL_STATUS, CONTROL_RECORD_status, &request,
                        CLIENT_LIMIT_MS, CONTROL_RECORD_state, &state, &c->why) != 0) {
            return -1;
        }
        if (state.timebase == 0) {
            return why_set(&c->why, "the machine's clock stands still");
        }
        if (i == 0) {
            capture_clock_init(&c->clock, state.timebase);
        }
        capture_clock_note(&c->clock, sent, clock_ns(), state.uptime, wall_offset());
    }
    return 0;
}

static void send_request(struct capture *c, uint16_t type, enum control_record record,
                         const void *from, uint32_t *id)
{
    *id = c->session.next_id++;
    if (link_send_record(&c->session.link, type, *id, record, from) != 0 ||
        link_write(&c->session.link) != 0) {
        why_set(&c->why, "the broker takes no more requests");
        fail(c);
    }
}

static void ask_for_frames(struct capture *c)
{
    struct control_frames request = {.capture = c->number};

    c->asked_at = clock_ns();
    send_request(c, CONTROL_FRAMES, CONTROL_RECORD_frames, &request, &c->asked);
}

/* Have the tap undone; what is asked for already still comes before the answer. */
static void begin_end(struct capture *c)
{
    struct control_capture_end request = {.capture = c->number};

    if (c->state == CAPTURE_RUNS) {
        c->state = CAPTURE_ENDING;
        c->asked_at = clock_ns();
        send_request(c, CONTROL_CAPTURE_END, CONTROL_RECORD_capture_end, &request, &c->end);
    }
}

static void take_error(struct capture *c, const struct control_message *message)
{
    bool ended = client_error(message, &c->why) == CONTROL_E_ENDED;

    c->state = ended ? CAPTURE_MACHINE_ENDED : CAPTURE_FAILED;
}

/* Whether frames are still wanted: after a signal those that came before it are. */
static bool wanted(const struct capture *c)
{
    return (c->state == CAPTURE_RUNS || (c->state == CAPTURE_ENDING && c->signalled)) &&
           !c->stuck && (c->most == 0 || c->captured < c->most);
}

static void write_frame(struct capture *c, const struct control_frame_row *row)
{
    int64_t stamp = capture_clock_stamp(&c->clock, row->time);

    switch (capture_output_frame(&c->output, c->signals, row, stamp, &c->why)) {
    case CAPTURE_WRITTEN:
        c->captured++;
        break;
    case CAPTURE_STOPPED:
        c->signalled = c->stuck = true;
        c->unwritten++;
        begin_end(c);
        break;
    case CAPTURE_NO_READER:
        begin_end(c);
        break;
    case CAPTURE_NOT_WRITTEN:
        fail(c);
        break;
    }
    if (c->most != 0 && c->captured == c->most) {
        begin_end(c);
    }
}

static void take_frames(struct capture *c, const struct control_message *message, int64_t received)
{
    struct control_framed framed;
    struct control_frame_row row;
    size_t position = 0;
    int status;

    c->asked = 0;
    if (message->body == NULL ||
        control_decode(CONTROL_RECORD_framed, message->body, message->size, &framed) != 0) {
        why_set(&c->why, "the agent's answer is malformed");
        fail(c);
        return;
    }
    capture_clock_note(&c->clock, c->asked_at, received, framed.now, wall_offset());
    c->dropped = framed.dropped;
    if (c->state == CAPTURE_RUNS) {
        ask_for_frames(c); /* the next ones come while these are written */
    }
    while ((status = control_next_row(CONTROL_RECORD_frame_row, message->body, message->size,
                                      &position, &row)) > 0) {
        if (row.bytes.size > row.length) {
            status = -1;
            break;
        }
        if (wanted(c)) {
            write_frame(c, &row);
        } else {
            c->unwritten += c->stuck;
        }
    }
    if (status < 0 && c->state != CAPTURE_FAILED) {
        why_set(&c->why, "the agent's answer is malformed");
        fail(c);
    }
    if (wanted(c) && capture_output_flush(&c->output, &c->why) == CAPTURE_NOT_WRITTEN) {
        fail(c);
    }
}

static void take_end(struct capture *c, const struct control_message *message)
{
    struct control_capture_ended ended;

    if (message->body == NULL ||
        control_decode(CONTROL_RECORD_capture_ended, message->body, message->size, &ended) != 0) {
        why_set(&c->why, "the agent's answer is malformed");
        fail(c);
        return;
    }
    if (c->signalled) { /* else nobody wants what came since */
        c->dropped = ended.dropped;
        c->unwritten += ended.left;
    }
    c->state = CAPTURE_ENDED;
}

static bool take_message(void *context, const struct control_message *message)
{
    struct capture *c = context;
    int64_t received = clock_ns();

    if (message->id != c->asked && message->id != c->end) {
        return true;
    }
    if (message->type == CONTROL_ERROR) {
        take_error(c, message);
    } else if (message->id == c->asked) {
        take_frames(c, message, received);
    } else {
        take_end(c, message);
    }
    return c->state <= CAPTURE_ENDING;
}

/* Wait for anything, and act on it. */
static void turn(struct capture *c)
{
    struct link *link = &c->session.link;
    struct pollfd fds[] = {
        {.fd = link->fd, .events = (short)(POLLIN | (link_wants_write(link) ? POLLOUT : 0))},
        {.fd = c->state == CAPTURE_RUNS ? c->signals : -1, .events = POLLIN},
        {.fd = c->state == CAPTURE_RUNS ? capture_output_fd(&c->output) : -1},
    };
    int64_t limit = c->state == CAPTURE_RUNS ? CLIENT_LIMIT_MS : END_MS;
    int64_t deadline = c->asked_at / 1000000 + limit;

    if (poll(fds, 3, clock_left(deadline)) <= 0) {
        if (clock_ms() >= deadline) {
            why_set(&c->why, "the broker of instance %s did not answer in time",
                    c->session.instance.name);
            fail(c);
        }
        return;
    }
    if (fds[1].revents != 0) {
        c->signalled = true;
        begin_end(c);
    } else if ((fds[2].revents & (POLLERR | POLLHUP)) != 0) {
        begin_end(c);
    }
    if (((fds[0].revents & (POLLIN | POLLHUP)) != 0 && link_read(link, take_message, c) != 0) ||
        link_write(link) != 0) {
        c->state = client_hung_up(&c->session, &c->why) ? CAPTURE_MACHINE_ENDED : CAPTURE_FAILED;
    }
}

void capture_run(struct capture *c, const struct control_capture *request)
{
    struct control_capturing capturing;

    if (set_clock(c) != 0 ||
        client_call(&c->session, CONTROL_CAPTURE, CONTROL_RECORD_capture, request, CLIENT_LIMIT_MS,
                    CONTROL_RECORD_capturing, &capturing, &c->why) != 0) {
        fail(c);
        return;
    }
    c->number = capturing.capture;
    fprintf(stderr, "aegisctl: capture: listening on interface %u of instance %s\n", request->netif,
            c->session.instance.name);
    ask_for_frames(c);
    while (c->state <= CAPTURE_ENDING) {
        turn(c);
    }
}
