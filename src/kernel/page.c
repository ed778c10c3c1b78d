#include "kernel/page.h"

#include <string.h>

#include "kernel/boot_memory.h"
#include "kernel/call.h"
#include "kernel/check/check.h"
#include "kernel/check/hard.h"
#include "kernel/env.h"
#include "kernel/expose.h"
#include "kernel/print.h"
#include "kernel/quota.h"

struct aegis_page *pages;
uint64_t first_ppn, page_count;

static uint32_t free_head = NO_PAGE;

static uint32_t index_of(const struct aegis_page *page)
{
    return (uint32_t)(page - pages);
}

static void list_insert(uint32_t *head, struct aegis_page *page)
{
    page->previous = NO_PAGE;
    page->next = *head;
    if (*head != NO_PAGE)
        pages[*head].previous = index_of(page);
    *head = index_of(page);
}

static void list_remove(uint32_t *head, struct aegis_page *page)
{
    if (page->previous == NO_PAGE)
        *head = page->next;
    else
        pages[page->previous].next = page->next;
    if (page->next != NO_PAGE)
        pages[page->next].previous = page->previous;
}

void page_init(const struct board *board)
{
    struct range span = boot_memory_span(board);

    first_ppn = span.start >> PAGE_SHIFT;
    page_count = (span.end - span.start) >> PAGE_SHIFT;
    if (page_count > PAGE_COUNT_MAX) {
        print("aegis: memory beyond %lu GiB is left unused\n",
              (PAGE_COUNT_MAX << PAGE_SHIFT) >> 30);
        page_count = PAGE_COUNT_MAX;
    }
    pages = boot_alloc((page_count * sizeof(*pages) + PAGE_SIZE - 1) / PAGE_SIZE, 1);
    for (uint64_t i = 0; i < page_count; i++)
        pages[i] = (struct aegis_page){.state = AEGIS_PAGE_KERNEL,
                                       .links = NO_PAGE,
                                       .next = NO_PAGE,
                                       .previous = NO_PAGE,
                                       .last = UINT32_MAX};
}

void page_init_free(void)
{
    size_t count;
    const struct range *ranges = boot_memory_free(&count);

    while (count-- > 0) {
        for (uint64_t at = ranges[count].end; at > ranges[count].start;) {
            at -= PAGE_SIZE;
            if (!page_valid(at >> PAGE_SHIFT))
                continue;
            struct aegis_page *page = page_of(at >> PAGE_SHIFT);
            page->state = AEGIS_PAGE_FREE;
            list_insert(&free_head, page);
            info->free_pages++;
        }
    }
}

struct aegis_page *page_find_free(void)
{
    return free_head == NO_PAGE ? NULL : &pages[free_head];
}

uint32_t page_free_head(void)
{
    return free_head;
}

/* Whether a free page holds what env must not see. */
static bool is_dirty(const struct aegis_page *page, uint32_t env)
{
    return page->last != 0 && page->last != env_infos[env].serial;
}

/* Moves clear free pages, side by side, to env's list, on which they stand in falling order. */
static void take_run(struct aegis_page *first, uint64_t count, uint32_t env)
{
    uint32_t *list = &env_page_lists[env], serial = env_infos[env].serial;

    for (struct aegis_page *page = first; page < first + count; page++) {
        list_remove(&free_head, page);
        page->last = serial;
        page->owner = env;
        page->state = AEGIS_PAGE_DATA;
        page->links = NO_PAGE;
        list_insert(list, page);
    }
    info->free_pages -= count;
    env_infos[env].pages += (uint32_t)count;
    quota_add(env, AEGIS_QUOTA_PAGES, count);
}

void page_take(struct aegis_page *page, uint32_t env)
{
    if (is_dirty(page, env))
        memset(page_memory(page), 0, PAGE_SIZE);
    take_run(page, 1, env);
}

static void leave_owner(struct aegis_page *page)
{
    list_remove(&env_page_lists[page->owner], page);
    env_infos[page->owner].pages--;
    page->generation++;
}

void page_release(struct aegis_page *page)
{
    quota_subtract(page->owner, AEGIS_QUOTA_PAGES, 1);
    leave_owner(page);
    page->owner = 0;
    page->state = AEGIS_PAGE_FREE;
    page->links = NO_PAGE;
    page->level = 0;
    page->region = 0;
    check_fill(page_memory(page));
    list_insert(&free_head, page);
    info->free_pages++;
}

void page_move(struct aegis_page *page, uint32_t env)
{
    quota_move(page->owner, env, AEGIS_QUOTA_PAGES);
    leave_owner(page);
    page->owner = env;
    page->last = env_infos[env].serial;
    list_insert(&env_page_lists[env], page);
    env_infos[env].pages++;
}

struct aegis_page *page_first_of(uint32_t env)
{
    return env_page_lists[env] == NO_PAGE ? NULL : &pages[env_page_lists[env]];
}

struct aegis_page *page_next(const struct aegis_page *page)
{
    return page->next == NO_PAGE ? NULL : &pages[page->next];
}

long page_check_donation(uint64_t ppn, uint32_t env)
{
    if (!page_valid(ppn))
        return -AEGIS_E_RANGE;
    const struct aegis_page *page = page_of(ppn);
    if (page->owner != env)
        return -AEGIS_E_OWNER;
    if (page->state != AEGIS_PAGE_DATA || page->refs)
        return -AEGIS_E_STATE;
    return page->pins ? -AEGIS_E_PINNED : 0;
}

long call_page_alloc(uint64_t ppn)
{
    struct aegis_page *page;

    if (ppn == AEGIS_ANY) {
        page = page_find_free();
        if (!page)
            return -AEGIS_E_NO_PAGE;
    } else {
        if (!page_valid(ppn))
            return -AEGIS_E_RANGE;
        page = page_of(ppn);
        if (page->state != AEGIS_PAGE_FREE)
            return -AEGIS_E_IN_USE;
    }
    if (!quota_allows(this_hart->env->number, AEGIS_QUOTA_PAGES, 1))
        return -AEGIS_E_QUOTA;
    page_take(page, this_hart->env->number);
    return (long)page_ppn(page);
}

/* Pages cleared before interrupts have their chance: some 18,000 instructions. */
#define CLEAR_STEP HARD(8, 1)

long call_page_alloc_run(uint64_t ppn, uint64_t count)
{
    uint32_t self = this_hart->env->number;
    size_t cleared = 0;

    if (count - 1 >= AEGIS_MEGAPAGE || !page_valid(ppn) || !page_valid(ppn + count - 1))
        return -AEGIS_E_RANGE;
    struct aegis_page *first = page_of(ppn);
    for (uint64_t i = 0; i < count; i++)
        if (first[i].state != AEGIS_PAGE_FREE)
            return -AEGIS_E_IN_USE;
    if (!quota_allows(self, AEGIS_QUOTA_PAGES, count))
        return -AEGIS_E_QUOTA;
    /* Pages are cleared while they are still free, so that a run that is lost meanwhile harms
     * nobody. */
    for (uint64_t i = 0; i < count; i++) {
        if (!is_dirty(&first[i], self))
            continue;
        if (cleared++ == CLEAR_STEP)
            call_restart(AEGIS_CALL_page_alloc_run, ppn, count, 0);
        memset(page_memory(&first[i]), 0, PAGE_SIZE);
        first[i].last = 0;
    }

    if (cleared && count > CLEAR_STEP) /* a long run is taken in an entry of its own */
        call_restart(AEGIS_CALL_page_alloc_run, ppn, count, 0);
    take_run(first, count, self);
    return 0;
}

long call_page_free(uint64_t ppn)
{
    long error = page_check_donation(ppn, this_hart->env->number);

    if (error)
        return error;
    page_release(page_of(ppn));
    return 0;
}

long call_page_give(uint64_t ppn, uint32_t env)
{
    long error = page_check_donation(ppn, this_hart->env->number);

    if (error)
        return error;
    struct env *target;
    error = env_target(env, &target);
    if (error)
        return error;
    page_move(page_of(ppn), target->number);
    return 0;
}
