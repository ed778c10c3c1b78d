/* The programs' side of a terminal's rings: of pages that others may write anything into. */
#include "libos/tty/tty.h"

static uint64_t load(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void store(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static uint32_t load_flags(const struct tty_page *page)
{
    return __atomic_load_n(&page->flags, __ATOMIC_ACQUIRE);
}

/* The first cell that nobody has taken, and how many there are; at most the ring's size, whatever
 * stands in the page. */
static uint64_t first_cell(const struct tty_page *page, uint64_t *count)
{
    uint64_t tail = load(&page->in_tail), head = load(&page->in_head),
             floor = load(&page->in_floor);
    if (tail - floor <= TTY_IN_SIZE && tail - head > tail - floor)
        head = floor;
    *count = tail - head <= TTY_IN_SIZE ? tail - head : 0;
    return head;
}

ssize_t tty_take(struct tty_page *page, uint8_t *to, size_t count)
{
    uint64_t cells, head = first_cell(page, &cells);
    size_t done = 0;

    if (!count)
        return 0;
    if (!cells)
        return load_flags(page) & (TTY_ENDED | TTY_HUNG_UP) ? 0 : -1;
    while (done < count && cells--) {
        uint16_t cell = page->in[head % TTY_IN_SIZE];
        if ((cell & TTY_CELL_END) && done)
            break; /* it is the next read's */
        head++;
        if (cell & TTY_CELL_END)
            break;
        to[done++] = (uint8_t)cell;
        if (cell & TTY_CELL_LAST)
            break;
    }
    store(&page->in_head, head);
    return (ssize_t)done;
}

bool tty_readable(const struct tty_page *page)
{
    uint64_t cells;
    first_cell(page, &cells);
    return cells || (load_flags(page) & (TTY_ENDED | TTY_HUNG_UP));
}

size_t tty_readable_bytes(const struct tty_page *page)
{
    uint64_t cells, head = first_cell(page, &cells);
    size_t bytes = 0;
    while (cells--)
        bytes += !(page->in[head++ % TTY_IN_SIZE] & TTY_CELL_END);
    return bytes;
}

bool tty_room(const struct tty_page *page)
{
    uint64_t used = load(&page->out_tail) - load(&page->out_head);
    return used + 2 <= TTY_OUT_SIZE;
}

void tty_forget(struct tty_page *page)
{
    store(&page->in_head, load(&page->in_tail));
}

size_t tty_put(struct tty_page *page, const uint8_t *bytes, size_t count)
{
    uint64_t tail = load(&page->out_tail), used = tail - load(&page->out_head);
    tcflag_t flags = page->attributes.c_oflag;
    bool translate = (flags & OPOST) && (flags & ONLCR);
    size_t room = used <= TTY_OUT_SIZE ? TTY_OUT_SIZE - used : 0, done = 0;

    while (done < count) {
        bool two = translate && bytes[done] == '\n';
        if (room < 1U + two)
            break;
        room -= 1U + two;
        if (two)
            page->out[tail++ % TTY_OUT_SIZE] = '\r';
        page->out[tail++ % TTY_OUT_SIZE] = bytes[done++];
    }
    store(&page->out_tail, tail);
    return done;
}
