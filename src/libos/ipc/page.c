#include "libos/ipc/page.h"

#include <errno.h>

#include "libos/proc/session.h"

static uint64_t load(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static bool replace(uint64_t *word, uint64_t old, uint64_t new)
{
    return __atomic_compare_exchange_n(word, &old, new, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* Where to stop looking among the members. */
static uint32_t places_of(const struct pipe_page *page)
{
    uint64_t places = load(&page->places);
    return places < PIPE_MEMBERS ? (uint32_t)places : PIPE_MEMBERS;
}

/* The place of a process, or -1. */
static int find_place(const struct pipe_page *page, uint64_t self)
{
    for (int i = 0; i < (int)places_of(page); i++)
        if ((load(&page->members[i]) & ~MEMBER_ENDS) == self)
            return i;
    return -1;
}

/* A place that is free, or whose process has ended, taken for self without ends; -1: none. Others
 * may write here: after so many attempts there is none. */
static int take_place(struct pipe_page *page, uint64_t self)
{
    for (int i = 0; i < PIPE_MEMBERS; i++) {
        uint64_t word = load(&page->members[i]);
        if (member_lives(word) || !replace(&page->members[i], word, self))
            continue;
        uint64_t places = load(&page->places);
        while (places < (uint64_t)i + 1 && !replace(&page->places, places, (uint64_t)i + 1))
            places = load(&page->places);
        return i;
    }
    return -1;
}

int pipe_join(struct pipe_page *page, uint64_t self, uint64_t end, bool *fresh)
{
    int place = find_place(page, self);
    *fresh = place < 0;
    if (place < 0)
        place = take_place(page, self);
    if (place < 0)
        return -EAGAIN;
    __atomic_fetch_or(&page->members[place], end, __ATOMIC_ACQ_REL);
    __atomic_fetch_add(&page->changes, 1, __ATOMIC_ACQ_REL);
    return place;
}

void pipe_leave(struct pipe_page *page, uint32_t place, uint64_t self, uint64_t end)
{
    uint64_t word = load(&page->members[place]);
    if ((word & ~MEMBER_ENDS) == self) {
        uint64_t left = word & ~end;
        replace(&page->members[place], word, left & MEMBER_ENDS ? left : 0);
    }
    __atomic_fetch_add(&page->changes, 1, __ATOMIC_ACQ_REL);
    pipe_changed(page);
}

uint64_t pipe_find(const struct pipe_page *page, uint64_t self, uint64_t end, uint32_t *place)
{
    uint64_t own = 0;
    uint32_t places = places_of(page), at = *place;
    for (uint32_t i = 0; i < places; i++, at++) {
        if (at >= places)
            at = 0;
        uint64_t word = load(&page->members[at]);
        if (!(word & end) || !member_lives(word))
            continue;
        if ((word & ~MEMBER_ENDS) != self) {
            *place = at;
            return word;
        }
        own = word;
    }
    return own;
}

void pipe_ring(struct pipe_page *page)
{
    __atomic_store_n(&page->polled, 0, __ATOMIC_SEQ_CST);
    for (int i = 0; i < PIPE_POLLERS; i++) {
        uint64_t pid = __atomic_exchange_n(&page->pollers[i], 0, __ATOMIC_SEQ_CST);
        if (pid)
            proc_ring((pid_t)pid);
    }
}
