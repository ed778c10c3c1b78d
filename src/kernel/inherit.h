/*
 * Pages that outlive their owner. A mapping with PTE_INHERIT was made by the page's owner (map), or
 * handed on by somebody who had one (map_share): its environment owns the page when the owner gives
 * it up, ends or loses it by force. So parent and child share memory after a fork, and either may
 * end first. The page keeps its bytes and the other mappings; capabilities for it are stale then,
 * and its share of an account's limit goes with it, as in page_give.
 *
 * An heir among several owns what all of them count on: it gets no right to write that it hadn't
 * before, and can't sever the others' mappings. So children of one fork, which have pages as
 * private, are safe from each other. Who made the page is not bound so: they are its children.
 *
 * Invariant: whoever owned the page before has no mapping of it left; a page is BOUND => no mapping
 * of it has PTE_OWN.
 */
#ifndef AEGIS_KERNEL_INHERIT_H
#define AEGIS_KERNEL_INHERIT_H

#include <stdbool.h>
#include <stddef.h>

#include "kernel/page.h"

/*
 * Mappings of a page that are looked at, with interrupts off: one of 64 environments has a few. No
 * more are handed on, so that who inherits a page can't add to them as fast as they are removed.
 */
#define INHERIT_MAPPINGS_MAX 128

/*
 * Whether the owner of a page must not make it writable, nor have others do so, since it came to it
 * by inheritance and something beside mine mappings, which the call is about, maps it. Once nothing
 * else does, it may; whoever acts on that calls inherit_unbind.
 */
static inline bool inherit_binds(const struct aegis_page *page, uint32_t mine)
{
    return page->level & AEGIS_PAGE_BOUND && page->refs > mine;
}

/* A page that was BOUND is its owner's like any other from now on: nobody else counts on it. */
static inline void inherit_unbind(struct aegis_page *page)
{
    if (page->level & AEGIS_PAGE_BOUND)
        page->level = 0;
}

/* Whether somebody would own the page next. */
bool inherit_is_awaited(const struct aegis_page *page);

/*
 * Gives a page of an environment that ends, whose own mappings are gone, to an heir. Mappings of
 * others that are ending are removed on the way, at most *most, which is lowered. Returns whether
 * there was one.
 */
bool inherit_pass(struct aegis_page *page, size_t *most);

/*
 * Gives a DATA page that something maps away for its owner, who has unmapped it: to an heir, or, if
 * only such are left that are ending, to nobody. Returns 0, or negated STATE, PINNED: then nothing
 * has changed.
 */
long inherit_free(struct aegis_page *page);

/*
 * Takes a DATA page that nothing pins from its owner, who may have mapped it, for an heir. Returns
 * whether there was one; if not, nothing has changed.
 */
bool inherit_take(struct aegis_page *page);

#endif
