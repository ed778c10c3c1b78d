/* What is typed, or piped in: from standard input to the machine. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "console_loop.h"

#define AGAIN_MS  30
#define INTERRUPT 0x03 /* ^C */

/*
 * A person who types ^C while the machine takes nothing means what was typed before, too. That the
 * key is another in the machine's terminal only costs what waited here.
 */
static void forget_stuck(struct console *c, const uint8_t *bytes, size_t size)
{
    if (c->terminal.in && c->again_at != 0 && memchr(bytes, INTERRUPT, size) != NULL) {
        memmove(c->in, bytes, size);
        c->in_fill = size;
    }
}

void console_take_input(struct console *c)
{
    uint8_t *at = c->in + c->in_fill;
    ssize_t n = read(STDIN_FILENO, at, sizeof c->in - c->in_fill);
    uint8_t *key;

    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return;
    }
    if (n <= 0) {
        c->in_ended = true;
        if (c->terminal.in) { /* nobody is there any more */
            console_leave(c);
        }
        return;
    }
    key = c->terminal.in ? memchr(at, CONSOLE_DETACH_KEY, (size_t)n) : NULL;
    if (key != NULL) { /* what was typed before it still goes */
        n = key - at;
    }
    c->in_fill += (size_t)n;
    if (c->writing == 0) {
        forget_stuck(c, at, (size_t)n);
    }
    if (key != NULL) {
        console_offer(c);
        console_leave(c);
    }
}

void console_offer(struct console *c)
{
    struct control_console_write request = {.console = c->number};
    bool end;

    if (c->writing != 0 || c->state != CONSOLE_RUNS || clock_ms() < c->again_at) {
        return;
    }
    c->in_sent = c->in_fill < CONTROL_INPUT_MAX ? c->in_fill : CONTROL_INPUT_MAX;
    end = c->in_ended && c->in_sent == c->in_fill && !c->end_sent;
    if (c->in_sent == 0 && !end) {
        return;
    }
    request.bytes = (struct control_bytes){c->in, (uint32_t)c->in_sent};
    request.end = end;
    c->end_sent = end;
    console_request(c, CONTROL_CONSOLE_WRITE, CONTROL_RECORD_console_write, &request, &c->writing);
}

void console_take_written(struct console *c, const struct control_message *message)
{
    struct control_console_written written;

    c->writing = 0;
    if (message->body == NULL ||
        control_decode(CONTROL_RECORD_console_written, message->body, message->size, &written) !=
            0 ||
        written.taken > c->in_sent) {
        why_set(&c->why, "the agent's answer is malformed");
        console_fail(c);
        return;
    }
    c->again_at = written.taken < c->in_sent ? clock_ms() + AGAIN_MS : 0;
    c->end_sent = c->end_sent && written.taken == c->in_sent;
    memmove(c->in, c->in + written.taken, c->in_fill - written.taken);
    c->in_fill -= written.taken;
    c->in_sent = 0;
}
