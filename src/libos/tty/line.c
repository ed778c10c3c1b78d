/*
 * The server's side of a terminal: lines are edited and echoed here, between the person who types
 * and the program that reads, so that ^C works whatever the program does (POSIX
 * XBD 11.1.6, 11.1.9).
 */
#include <signal.h>
#include <string.h>

#include "libos/tty/tty.h"

#define KEY(letter) ((letter)&0x1f)

static const struct termios usual = {
    .c_iflag = ICRNL | IUTF8,
    .c_oflag = OPOST | ONLCR,
    .c_cflag = CS8 | CREAD,
    .c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | IEXTEN,
    .c_cc = {[VINTR] = KEY('C'),
             [VQUIT] = KEY('\\'),
             [VERASE] = 0x7f,
             [VKILL] = KEY('U'),
             [VEOF] = KEY('D'),
             [VMIN] = 1,
             [VSUSP] = KEY('Z'),
             [VWERASE] = KEY('W')},
};

void tty_init(struct tty *tty, struct tty_page *page, bool terminal)
{
    *tty = (struct tty){.page = page};
    page->flags = terminal ? TTY_TERMINAL : 0;
    if (terminal)
        page->attributes = usual;
    __atomic_store_n(&page->magic, TTY_MAGIC, __ATOMIC_RELEASE);
}

/* Cells that fit. */
static size_t room(struct tty *tty)
{
    uint64_t head = __atomic_load_n(&tty->page->in_head, __ATOMIC_ACQUIRE);
    uint64_t floor = tty->page->in_floor;
    if (tty->in_tail - head > tty->in_tail - floor) /* forgotten, or a head that can't be */
        head = floor;
    uint64_t used = tty->in_tail - head;
    return used <= TTY_IN_SIZE ? TTY_IN_SIZE - used : 0;
}

/* Caller has looked for room. */
static void put_cell(struct tty *tty, uint16_t cell)
{
    tty->page->in[tty->in_tail++ % TTY_IN_SIZE] = cell;
    tty->wake = true;
}

static void publish(struct tty *tty)
{
    __atomic_store_n(&tty->page->in_tail, tty->in_tail, __ATOMIC_RELEASE);
}

static void echo(struct tty *tty, const struct termios *t, const char *bytes, size_t size)
{
    if ((t->c_lflag & ECHO) && size && tty->echo)
        tty->echo(tty->context, bytes, size);
}

/* As it is shown: control characters as ^X. How many bytes of shown are used. */
static size_t visible(char c, char shown[2])
{
    bool control = (unsigned char)c < 0x20 || c == 0x7f;
    shown[0] = control ? '^' : c;
    shown[1] = (char)(c ^ 0x40);
    return control ? 2 : 1;
}

static void echo_typed(struct tty *tty, const struct termios *t, char c)
{
    char shown[2];
    if (c == '\t' || c == '\n')
        echo(tty, t, c == '\n' ? "\r\n" : "\t", c == '\n' ? 2 : 1);
    else
        echo(tty, t, shown, visible(c, shown));
}

/* Take the last character off the line, a whole one of UTF-8. */
static void erase(struct tty *tty, const struct termios *t)
{
    char shown[2], c;
    if (!tty->length)
        return;
    do
        c = tty->line[--tty->length];
    while (tty->length && ((unsigned char)c & 0xc0) == 0x80);
    echo(tty, t, "\b \b\b \b", visible(c, shown) == 2 ? 6 : 3);
}

static bool in_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

/* What separates words, and a word before that. */
static void erase_word(struct tty *tty, const struct termios *t)
{
    while (tty->length && !in_word(tty->line[tty->length - 1]))
        erase(tty, t);
    while (tty->length && in_word(tty->line[tty->length - 1]))
        erase(tty, t);
}

/* The line goes to who reads, with what ends it. False: there is no room. */
static bool finish_line(struct tty *tty, uint16_t last)
{
    bool byte = !(last & TTY_CELL_END);
    if (room(tty) < tty->length + 1)
        return false;
    for (size_t i = 0; i < tty->length; i++) {
        bool ends = !byte && i + 1 == tty->length;
        put_cell(tty, (uint16_t)((uint8_t)tty->line[i] | (ends ? TTY_CELL_LAST : 0)));
    }
    if (byte || !tty->length)
        put_cell(tty, last);
    tty->length = 0;
    publish(tty);
    return true;
}

/* Whether c is this control character; 0 is none. */
static bool is(const struct termios *t, int which, char c)
{
    return t->c_cc[which] && (cc_t)c == t->c_cc[which];
}

/* The signal that a character sends; 0: none. */
static int signal_of(const struct termios *t, char c)
{
    if (!(t->c_lflag & ISIG))
        return 0;
    return is(t, VINTR, c) ? SIGINT : is(t, VQUIT, c) ? SIGQUIT : is(t, VSUSP, c) ? SIGTSTP : 0;
}

static bool take_signal(struct tty *tty, const struct termios *t, char c)
{
    int number = signal_of(t, c);
    char shown[2];

    if (!number)
        return false;
    if (!(t->c_lflag & NOFLSH)) {
        tty->length = 0;
        __atomic_store_n(&tty->page->in_floor, tty->in_tail, __ATOMIC_RELEASE);
        tty->wake = true;
    }
    echo(tty, t, shown, visible(c, shown));
    if (tty->signal)
        tty->signal(tty->context, number);
    return true;
}

/* A character of an edited line. False: there is no room. */
static bool take_edited(struct tty *tty, const struct termios *t, char c)
{
    if (is(t, VERASE, c) || c == KEY('H'))
        erase(tty, t);
    else if (is(t, VKILL, c))
        while (tty->length)
            erase(tty, t);
    else if (is(t, VWERASE, c) && (t->c_lflag & IEXTEN))
        erase_word(tty, t);
    else if (is(t, VEOF, c))
        return finish_line(tty, TTY_CELL_END);
    else if (c == '\n' || is(t, VEOL, c)) {
        if (!finish_line(tty, (uint16_t)((uint8_t)c | TTY_CELL_LAST)))
            return false;
        echo_typed(tty, t, c);
    } else if (tty->length < TTY_LINE_MAX - 1) {
        tty->line[tty->length++] = c;
        echo_typed(tty, t, c);
    } else {
        echo(tty, t, "\a", 1);
    }
    return true;
}

/* One byte. False: there is no room. */
static bool take(struct tty *tty, const struct termios *t, char c)
{
    if (c == '\r' && (t->c_iflag & IGNCR))
        return true;
    if (c == '\r' && (t->c_iflag & ICRNL))
        c = '\n';
    if (take_signal(tty, t, c))
        return true;
    if (t->c_lflag & ICANON)
        return take_edited(tty, t, c);
    if (!room(tty))
        return false;
    put_cell(tty, (uint8_t)c);
    publish(tty);
    echo_typed(tty, t, c);
    return true;
}

/* A line that was begun is the program's as it is, once it no longer wants lines. */
static bool give_begun(struct tty *tty, const struct termios *t)
{
    if ((t->c_lflag & ICANON) || !tty->length)
        return true;
    if (room(tty) < tty->length)
        return false;
    for (size_t i = 0; i < tty->length; i++)
        put_cell(tty, (uint8_t)tty->line[i]);
    tty->length = 0;
    publish(tty);
    return true;
}

size_t tty_input(struct tty *tty, const uint8_t *bytes, size_t size)
{
    struct termios t = tty->page->attributes; /* read once: others may change it */
    size_t done = 0;

    if (!(tty->page->flags & TTY_TERMINAL))
        memset(&t, 0, sizeof t);
    if (tty->page->flags & TTY_HUNG_UP)
        return size;
    if (give_begun(tty, &t))
        while (done < size && take(tty, &t, (char)bytes[done]))
            done++;
    for (size_t i = size; i > done; i--) /* no room: a signal needs none, and forgets the rest */
        if (take_signal(tty, &t, (char)bytes[i - 1]))
            return i + tty_input(tty, bytes + i, size - i);
    __atomic_store_n(&tty->page->starved, done < size, __ATOMIC_RELEASE);
    return done;
}

void tty_input_end(struct tty *tty)
{
    if (tty->page->flags & TTY_TERMINAL)
        finish_line(tty, TTY_CELL_END);
    else
        __atomic_fetch_or(&tty->page->flags, TTY_ENDED, __ATOMIC_RELEASE);
    tty->wake = true;
}

size_t tty_waiting(const struct tty *tty)
{
    uint64_t waiting = __atomic_load_n(&tty->page->out_tail, __ATOMIC_ACQUIRE) - tty->out_head;
    return waiting <= TTY_OUT_SIZE ? waiting : 0;
}

size_t tty_output(struct tty *tty, uint8_t *to, size_t most)
{
    size_t waiting = tty_waiting(tty), count = waiting < most ? waiting : most;

    for (size_t i = 0; i < count; i++)
        to[i] = tty->page->out[tty->out_head++ % TTY_OUT_SIZE];
    if (count) {
        __atomic_store_n(&tty->page->out_head, tty->out_head, __ATOMIC_RELEASE);
        tty->wake = true;
    }
    return count;
}

void tty_resize(struct tty *tty, uint16_t columns, uint16_t rows)
{
    bool changed = tty->page->columns != columns || tty->page->rows != rows;
    tty->page->columns = columns;
    tty->page->rows = rows;
#ifdef SIGWINCH
    if (changed && tty->signal)
        tty->signal(tty->context, SIGWINCH);
#else
    (void)changed;
#endif
}

void tty_hang_up(struct tty *tty)
{
    __atomic_fetch_or(&tty->page->flags, TTY_HUNG_UP | TTY_ENDED, __ATOMIC_RELEASE);
    tty->wake = true;
    if (tty->signal)
        tty->signal(tty->context, SIGHUP);
}

void tty_wake(struct tty *tty)
{
    if (!tty->wake)
        return;
    tty->wake = false;
    __atomic_fetch_add(&tty->page->events, 1, __ATOMIC_RELEASE);
}
