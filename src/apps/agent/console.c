/*
 * Clients of terminals: who attaches gets what is printed from some position on, by asking for it
 * again and again, and sends what was typed. All clients of the machine's terminal see the same,
 * and each may type. The slowest holds the programs up; one that has asked for nothing for
 * CONTROL_LEASE_MS is taken for gone, and with it a terminal of its own.
 */
#include <stdlib.h>
#include <string.h>

#include "libos/console/console.h"
#include "libos/proc/session.h"
#include "libos/time/time.h"
#include "terminal.h"

#define CLIENTS_MAX 16
#define PATIENCE    (CONTROL_FRAMES_MS * 1000000UL)
#define LEASE       (CONTROL_LEASE_MS * 1000000UL)

struct client {
    uint32_t number; /* 0: free */
    struct terminal *terminal;
    uint64_t position; /* it has all output before it */
    uint64_t lease;    /* ticks: gone, if it is not heard of by then */
    bool asked;        /* request waits for output, until answer_by (ticks) */
    uint32_t request;
    uint64_t answer_by;
};

static struct client clients[CLIENTS_MAX];
static uint64_t bell; /* the doorbell, before the last look at the terminals */

static struct client *find(uint32_t number)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (clients[i].number == number)
            return &clients[i];
    return NULL;
}

/* The client that a request names, which has been heard of so; or NULL with *refusal. */
static struct client *named(uint32_t number, struct refusal *refusal)
{
    struct client *c = number ? find(number) : NULL;
    if (!c)
        refuse(
            refusal, CONTROL_E_NO_CONSOLE,
            "no client of the console has the number %u: it was quiet for too long, or the agent "
            "restarted",
            (unsigned)number);
    else
        c->lease = time_after(LEASE);
    return c;
}

/* Note for each terminal what its clients have not got yet. */
static void note_needed(void)
{
    for (size_t i = 0; i < TERMINALS_MAX; i++)
        terminals[i].needed = NOBODY;
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &clients[i];
        if (c->number && c->position < c->terminal->needed)
            c->terminal->needed = c->position;
    }
}

static void forget(struct client *c)
{
    struct terminal *t = c->terminal;
    *c = (struct client){0};
    if (t->own)
        terminal_close(t);
    note_needed();
}

static uint32_t count_on(const struct terminal *t)
{
    uint32_t count = 0;
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        count += clients[i].number && clients[i].terminal == t;
    return count;
}

/* Where a client begins: what nobody has seen, and the line that the cursor is in. */
static uint64_t beginning(const struct terminal *t)
{
    uint64_t first = t->end > KEPT_SIZE ? t->end - KEPT_SIZE : 0, at = t->seen;
    if (at < first)
        return first;
    while (at > first && t->kept[(at - 1) % KEPT_SIZE] != '\n')
        at--;
    return at;
}

static struct terminal *open_terminal(const struct control_console *asked, struct refusal *refusal)
{
    char command[CONTROL_ARGUMENTS_MAX + 1];

    if (!asked->own)
        return terminal_machine(refusal);
    if (memchr(asked->command.data ? (const char *)asked->command.data : "", 0,
               asked->command.size)) {
        refuse(refusal, CONTROL_E_MALFORMED, "a command with a zero byte");
        return NULL;
    }
    if (asked->command.size)
        memcpy(command, asked->command.data, asked->command.size);
    command[asked->command.size] = 0;
    return terminal_own(asked->plain, asked->command.size ? command : NULL, refusal);
}

bool console_attach(const struct control_message *message, struct refusal *refusal)
{
    static uint32_t last;
    struct control_console asked;
    struct client *c = find(0);

    if (!request_decode(message, CONTROL_RECORD_console, &asked, refusal))
        return false;
    if (!asked.own && (asked.plain || asked.command.size))
        return refuse(refusal, CONTROL_E_MALFORMED, "only a shell of one's own runs commands");
    if (!c)
        return refuse(refusal, CONTROL_E_FULL, "%d clients are attached to consoles", CLIENTS_MAX);
    struct terminal *t = open_terminal(&asked, refusal);
    if (!t)
        return false;
    struct control_attached attached = {
        .process = (uint32_t)t->shell, .position = beginning(t), .others = count_on(t)};
    do
        last++;
    while (!last || find(last));
    *c = (struct client){
        .number = last, .terminal = t, .position = attached.position, .lease = time_after(LEASE)};
    note_needed();
    if (asked.columns && asked.columns <= UINT16_MAX && asked.rows <= UINT16_MAX)
        tty_resize(&t->tty, (uint16_t)asked.columns, (uint16_t)asked.rows);
    attached.console = c->number;
    request_reply(message, CONTROL_RECORD_attached, &attached);
    return true;
}

bool console_output(const struct control_message *message, struct refusal *refusal)
{
    struct control_console_read asked;
    if (!request_decode(message, CONTROL_RECORD_console_read, &asked, refusal))
        return false;
    struct client *c = named(asked.console, refusal);
    if (!c)
        return false;
    if (c->asked)
        return refuse(refusal, CONTROL_E_BUSY, "a request for this console's output waits already");
    c->position = asked.position < c->terminal->end ? asked.position : c->terminal->end;
    c->asked = true;
    c->request = message->id;
    c->answer_by = time_after(PATIENCE);
    note_needed();
    return true; /* consoles_serve answers it */
}

bool console_input(const struct control_message *message, struct refusal *refusal)
{
    struct control_console_write asked;
    if (!request_decode(message, CONTROL_RECORD_console_write, &asked, refusal))
        return false;
    struct client *c = named(asked.console, refusal);
    if (!c)
        return false;
    struct tty *tty = &c->terminal->tty;
    size_t taken = asked.bytes.size ? tty_input(tty, asked.bytes.data, asked.bytes.size) : 0;
    if (asked.end && taken == asked.bytes.size)
        tty_input_end(tty);
    tty_wake(tty);
    request_reply(message, CONTROL_RECORD_console_written,
                  &(struct control_console_written){.taken = (uint32_t)taken});
    return true;
}

bool console_resize(const struct control_message *message, struct refusal *refusal)
{
    struct control_console_size asked;
    if (!request_decode(message, CONTROL_RECORD_console_size, &asked, refusal))
        return false;
    struct client *c = named(asked.console, refusal);
    if (!c)
        return false;
    if (asked.columns > UINT16_MAX || asked.rows > UINT16_MAX)
        return refuse(refusal, CONTROL_E_MALFORMED, "a terminal of %u columns and %u rows",
                      (unsigned)asked.columns, (unsigned)asked.rows);
    tty_resize(&c->terminal->tty, (uint16_t)asked.columns, (uint16_t)asked.rows);
    request_reply(message, CONTROL_RECORD_console_sized, &(struct control_console_sized){0});
    return true;
}

bool console_detach(const struct control_message *message, struct refusal *refusal)
{
    struct control_console_detach asked;
    if (!request_decode(message, CONTROL_RECORD_console_detach, &asked, refusal))
        return false;
    struct client *c = named(asked.console, refusal);
    if (!c)
        return false;
    forget(c);
    request_reply(message, CONTROL_RECORD_console_detached, &(struct control_console_detached){0});
    return true;
}

/* Answer a request for output, if there is something to tell. Returns whether it was the last
 * answer. */
static bool answer(struct client *c)
{
    static uint8_t bytes[CONTROL_OUTPUT_MAX];
    struct terminal *t = c->terminal;
    struct control_console_output output = {.position = c->position};
    size_t room = reply_room() - 128 < sizeof bytes ? reply_room() - 128 : sizeof bytes;
    size_t size = terminal_kept(t, &output.position, bytes, room);

    output.bytes = (struct control_bytes){bytes, (uint32_t)size};
    output.ended = terminal_is_over(t) && output.position + size == t->end;
    output.status = output.ended ? (uint32_t)t->status : 0;
    if (!size && !output.ended && time_now() < c->answer_by)
        return false;
    if (output.position + size > t->seen)
        t->seen = output.position + size;
    c->asked = false;
    c->lease = time_after(LEASE);
    int length = control_encode(CONTROL_RECORD_console_output, &output, reply_body, REPLY_SIZE);
    session_send(CONTROL_CONSOLE_READ | CONTROL_REPLY, c->request, reply_body,
                 length < 0 ? 0 : (uint32_t)length);
    return output.ended;
}

void consoles_serve(void)
{
    const volatile uint64_t *word = proc_doorbell();
    bell = word ? *word : 0; /* before the look: what is printed after it rings again */
    terminals_serve();
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &clients[i];
        if (c->number && ((c->asked && answer(c)) || time_now() >= c->lease))
            forget(c);
    }
}

bool consoles_wait(struct aegis_predicate *when, uint64_t *deadline)
{
    const volatile uint64_t *word = proc_doorbell();
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        const struct client *c = &clients[i];
        uint64_t next = c->asked && c->answer_by < c->lease ? c->answer_by : c->lease;
        if (c->number && next < *deadline)
            *deadline = next;
    }
    if (!word)
        return false;
    *when = AEGIS_WHEN(*word, NE, bell);
    return true;
}

void consoles_end_all(void)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (clients[i].number)
            forget(&clients[i]);
}
