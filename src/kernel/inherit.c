#include "kernel/inherit.h"

#include "kernel/env.h"
#include "kernel/map_list.h"

#define LOOK_MOST INHERIT_MAPPINGS_MAX

static uint32_t holder_of(uint32_t location)
{
    return table_at(location)->owner;
}

/* Whether who has the mapping at a location can own the page. */
static bool is_heir(const struct aegis_page *page, uint32_t location)
{
    uint32_t holder = holder_of(location);

    return (*pte_of(location) & PTE_INHERIT) && holder != page->owner &&
           env_infos[holder].state != AEGIS_ENV_ENDING;
}

bool inherit_is_awaited(const struct aegis_page *page)
{
    uint32_t count = 0;

    for (uint32_t at = page->links; at != NO_PAGE; at = link_of(at)->next)
        if (is_heir(page, at) || ++count > LOOK_MOST)
            return true;
        else if (!(*pte_of(at) & PTE_INHERIT))
            return false;
    return false;
}

static void pass(struct aegis_page *page, uint32_t location)
{
    pte_t *entry = pte_of(location);

    page_move(page, holder_of(location));
    if (page->refs > 1)
        page->level = AEGIS_PAGE_INHERITED | (*entry & PTE_W ? 0 : AEGIS_PAGE_BOUND);
    if (!(page->level & AEGIS_PAGE_BOUND))
        *entry |= PTE_OWN;
}

bool inherit_pass(struct aegis_page *page, size_t *most)
{
    if (page->state != AEGIS_PAGE_DATA)
        return false;
    for (uint32_t at = page->links; at != NO_PAGE; at = page->links) {
        if (is_heir(page, at)) {
            pass(page, at);
            return true;
        }
        if (!(*pte_of(at) & PTE_INHERIT) || *most == 0)
            return false;
        --*most;
        map_remove_at(at);
    }
    return false;
}

/* Whether anybody has the page by inheritance: those mappings come first. */
static bool is_inherited(const struct aegis_page *page)
{
    return page->links != NO_PAGE && (*pte_of(page->links) & PTE_INHERIT);
}

/* What the list of a page holds. */
struct heirs {
    uint32_t first;   /* location of one of an heir's, or NO_PAGE */
    uint32_t owned;   /* mappings of the owner's */
    uint32_t staying; /* of others that can't inherit, and won't go by themselves */
    bool all;         /* nothing else maps the page */
};

static struct heirs look(const struct aegis_page *page)
{
    struct heirs heirs = {.first = NO_PAGE};
    uint32_t count = 0;

    for (uint32_t at = page->links; at != NO_PAGE && count <= LOOK_MOST; count++) {
        bool is_own = holder_of(at) == page->owner;
        if (heirs.first == NO_PAGE && is_heir(page, at))
            heirs.first = at;
        heirs.owned += is_own;
        heirs.staying += !is_own && !(*pte_of(at) & PTE_INHERIT);
        at = link_of(at)->next;
    }
    heirs.all = count == page->refs;
    return heirs;
}

long inherit_free(struct aegis_page *page)
{
    if (!is_inherited(page))
        return -AEGIS_E_STATE;
    struct heirs heirs = look(page);

    if (!heirs.all || heirs.owned)
        return -AEGIS_E_STATE;
    if (heirs.first == NO_PAGE && heirs.staying)
        return -AEGIS_E_STATE;
    if (page->pins)
        return -AEGIS_E_PINNED;
    if (heirs.first != NO_PAGE) {
        pass(page, heirs.first);
        return 0;
    }
    while (page->links != NO_PAGE)
        map_remove_at(page->links);
    page_release(page);
    return 0;
}

bool inherit_take(struct aegis_page *page)
{
    if (!is_inherited(page)) /* the usual case, whoever maps it however often */
        return false;
    struct heirs heirs = look(page);

    if (!heirs.all || heirs.first == NO_PAGE)
        return false;
    for (uint32_t at = page->links, next; at != NO_PAGE; at = next) {
        next = link_of(at)->next;
        if (holder_of(at) == page->owner)
            map_remove_at(at);
    }
    pass(page, heirs.first);
    return true;
}
