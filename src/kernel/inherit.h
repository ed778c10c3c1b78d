/*
 * Pages that outlive their owner. A mapping with PTE_INHERIT was made by the page's owner (map), or
 * handed on by somebody who had one (map_share): its environment owns the page when the owner gives
 * it up, ends or loses it by force. So parent and child share memory after a fork, and either may
 * end first. The page keeps its bytes and the other mappings; capabilities for it are stale then,
 * and its share of an account's limit goes with it, as in page_give.
 *
 * Invariant: whoever owned the page before has no mapping of it left.
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
