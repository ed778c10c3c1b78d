/*
 * bpf_trace_printk: the formats %d %i %u %x %X %c %s %p %%, with l and ll, and widths that are
 * ignored.
 */
#include "ash/trace.h"

void ash_put_char(struct ash_writer *w, char c)
{
    if (w->used + 1 < w->size)
        w->text[w->used++] = c;
}

void ash_put(struct ash_writer *w, const char *text)
{
    while (*text)
        ash_put_char(w, *text++);
}

void ash_put_number(struct ash_writer *w, uint64_t number, unsigned base, unsigned width)
{
    char digits[20];
    unsigned count = 0;
    do {
        digits[count++] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number || count < width);
    while (count)
        ash_put_char(w, digits[--count]);
}

void ash_put_signed(struct ash_writer *w, int64_t number)
{
    if (number < 0)
        ash_put_char(w, '-');
    ash_put_number(w, number < 0 ? -(uint64_t)number : (uint64_t)number, 10, 1);
}

size_t ash_put_end(struct ash_writer *w)
{
    if (w->size)
        w->text[w->used] = 0;
    return w->used;
}

/* What an application sends to a log: no byte may steer a terminal. */
static void put_printable(struct ash_writer *w, char c)
{
    ash_put_char(w, c >= ' ' && c <= '~' ? c : '.');
}

/* A string of the sandbox, up to its zero. False if it leaves the sandbox, and the run is aborted.
 */
static bool put_string(struct ash_run *run, struct ash_writer *w, uint64_t address)
{
    for (unsigned i = 0; i < ASH_TRACE_MAX; i++) {
        const uint8_t *c =
            ash_charge(run, 1) ? ash_reach_or_abort(run, address + i, 1, false) : NULL;
        if (!c)
            return false;
        if (*c == 0)
            return true;
        put_printable(w, (char)*c);
    }
    return true;
}

/* One conversion; false if there is none such, or its string leaves the sandbox. */
static bool put_argument(struct ash_run *run, struct ash_writer *w, char conversion, unsigned longs,
                         uint64_t value)
{
    uint64_t number = longs ? value : (uint32_t)value;
    switch (conversion) {
    case 'd':
    case 'i':
        ash_put_signed(w, longs ? (int64_t)value : (int32_t)value);
        return true;
    case 'u':
        ash_put_number(w, number, 10, 1);
        return true;
    case 'x':
    case 'X':
        ash_put_number(w, number, 16, 1);
        return true;
    case 'p':
        ash_put(w, "0x");
        ash_put_number(w, value, 16, 8);
        return true;
    case 'c':
        put_printable(w, (char)value);
        return true;
    case 's':
        return put_string(run, w, value);
    default:
        return false;
    }
}

/* Puts the line together; false if the format is wrong, or the run was aborted. */
static bool format(struct ash_run *run, struct ash_writer *w, const char *text,
                   const uint64_t *arguments)
{
    unsigned used = 0;
    for (; *text; text++) {
        if (*text == '\n' && !text[1])
            continue;
        if (*text != '%') {
            put_printable(w, *text);
            continue;
        }
        text++;
        while (*text >= '0' && *text <= '9')
            text++;
        unsigned longs = 0;
        for (; *text == 'l'; text++)
            longs++;
        if (*text == '%')
            ash_put_char(w, '%');
        else if (used == 3 || !put_argument(run, w, *text, longs, arguments[used++]))
            return false;
    }
    return true;
}

uint64_t ash_trace(struct ash_run *run, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4,
                   uint64_t r5)
{
    const uint64_t invalid = (uint64_t)-22; /* -EINVAL */
    const uint64_t arguments[] = {r3, r4, r5};
    char text[ASH_TRACE_MAX + 1], line[ASH_TRACE_MAX + 1];
    uint32_t size = (uint32_t)r2;
    if (!ash_charge(run, 64))
        return 0;
    if (size == 0 || size > ASH_TRACE_MAX)
        return invalid;
    const uint8_t *p = ash_reach_or_abort(run, r1, size, false);
    if (!p)
        return 0;
    for (uint32_t i = 0; i < size; i++)
        text[i] = (char)p[i];
    text[size] = 0;
    struct ash_writer w = {.text = line, .size = sizeof line};
    if (!format(run, &w, text, arguments))
        return run->abort.reason ? 0 : invalid;
    size_t length = ash_put_end(&w);
    if (!ash_charge(run, (uint32_t)length))
        return 0;
    if (run->services && run->services->trace)
        run->services->trace(run->owner, line, length);
    return length;
}
