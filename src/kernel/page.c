#include "kernel/page.h"

#include <string.h>

#include "kernel/boot_memory.h"
#include "kernel/call.h"
#include "kernel/check/check.h"
#include "kernel/check/hard.h"
#include "kernel/env.h"
#include "kernel/expose.h"
#include "kernel/inherit.h"
#include "kernel/print.h"
#include "kernel/quota.h"

struct aegis_page *pages;
uint64_t first_ppn, page_count;

/* Pages that are known to be clear come last, so that who fills a page leaves them alone. */
static uint32_t free_head = NO_PAGE, free_tail = NO_PAGE;

static uint32_t index_of(const struct aegis_page *page)
{
    return (uint32_t)(page - pages);
}

/* A page by its index, which is no larger than PAGE_COUNT_MAX: RV64 keeps 32 bits sign-extended,
 * and zero-extending them would cost two instructions at each place. */
static inline struct aegis_page *page_at(uint32_t index)
{
    return &pages[(int32_t)index];
}

/* page is page_at(index): who has both saves a division. */
static inline void list_insert(uint32_t *head, struct aegis_page *page, uint32_t index)
{
    uint32_t next = *head;

    page->previous = NO_PAGE;
    page->next = next;
    if (next != NO_PAGE)
        page_at(next)->previous = index;
    *head = index;
}

static inline void list_remove(uint32_t *head, const struct aegis_page *page)
{
    uint32_t next = page->next, previous = page->previous;

    if (previous == NO_PAGE)
        *head = next;
    else
        page_at(previous)->next = next;
    if (next != NO_PAGE)
        page_at(next)->previous = previous;
}

static inline void free_insert(struct aegis_page *page, uint32_t index)
{
    list_insert(&free_head, page, index);
    if (page->next == NO_PAGE)
        free_tail = index;
}

static inline void free_append(struct aegis_page *page, uint32_t index)
{
    if (free_tail == NO_PAGE) {
        free_insert(page, index);
        return;
    }
    page->previous = free_tail;
    page->next = NO_PAGE;
    page_at(free_tail)->next = index;
    free_tail = index;
}

static inline void free_remove(const struct aegis_page *page)
{
    list_remove(&free_head, page);
    if (page->next == NO_PAGE)
        free_tail = page->previous;
}

/* The list of an environment, of ENV_COUNT. */
static inline uint32_t *list_of(uint32_t env)
{
    return &env_page_lists[(int32_t)env];
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
            free_insert(page, index_of(page));
            info->free_pages++;
        }
    }
}

struct aegis_page *page_find_free(void)
{
    return free_head == NO_PAGE ? NULL : &pages[free_head];
}

struct aegis_page *page_find_clear(void)
{
    return free_tail == NO_PAGE || pages[free_tail].last != 0 ? page_find_free()
                                                              : &pages[free_tail];
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

/* Moves a clear free page to env's list; the caller counts it. */
static inline void take(struct aegis_page *page, uint32_t index, uint32_t env, uint32_t serial)
{
    free_remove(page);
    page->last = serial;
    page->owner = env;
    page->state = AEGIS_PAGE_DATA;
    page->links = NO_PAGE;
    list_insert(list_of(env), page, index);
}

static inline void count_taken(struct aegis_env_info *i, uint64_t count)
{
    info->free_pages -= count;
    i->pages += (uint32_t)count;
    accounts[i->account].used[AEGIS_QUOTA_PAGES] += count;
}

/* The same with pages side by side, which stand on the list in falling order. */
static void take_run(struct aegis_page *first, uint64_t count, uint32_t env)
{
    uint32_t index = index_of(first), serial = env_infos[env].serial;

    for (struct aegis_page *page = first; page < first + count; page++)
        take(page, index++, env, serial);
    count_taken(&env_infos[env], count);
}

bool page_take_unclear(struct aegis_page *page, uint32_t env)
{
    struct aegis_env_info *i = &env_infos[env];
    bool clear = page->last == 0;

    take(page, index_of(page), env, i->serial);
    count_taken(i, 1);
    return clear;
}

void page_take(struct aegis_page *page, uint32_t env)
{
    if (is_dirty(page, env))
        memset(page_memory(page), 0, PAGE_SIZE);
    page_take_unclear(page, env);
}

static inline void leave_owner(struct aegis_page *page, struct aegis_env_info *i)
{
    list_remove(list_of(page->owner), page);
    i->pages--;
    page->generation++;
}

/* The page of i's environment is nobody's; it is put on the free list next. */
static inline void make_free(struct aegis_page *page, struct aegis_env_info *i)
{
    accounts[i->account].used[AEGIS_QUOTA_PAGES]--;
    leave_owner(page, i);
    page->owner = 0;
    page->state = AEGIS_PAGE_FREE;
    page->links = NO_PAGE;
    page->level = 0;
    page->region = 0;
    info->free_pages++;
}

/* i is of the page's owner. */
static inline void release(struct aegis_page *page, uint32_t index, struct aegis_env_info *i)
{
    make_free(page, i);
    check_fill(page_memory(page));
    free_insert(page, index);
}

void page_release(struct aegis_page *page)
{
    release(page, index_of(page), &env_infos[page->owner]);
}

void page_release_clear(struct aegis_page *page)
{
    make_free(page, &env_infos[page->owner]);
    check_clear(page_memory(page));
    page->last = 0;
    free_append(page, index_of(page));
}

void page_move(struct aegis_page *page, uint32_t env)
{
    quota_move(page->owner, env, AEGIS_QUOTA_PAGES);
    leave_owner(page, &env_infos[page->owner]);
    page->owner = env;
    page->level = 0;
    page->last = env_infos[env].serial;
    list_insert(list_of(env), page, index_of(page));
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

/* page_check_donation of a page that exists. */
static inline long check_donation(const struct aegis_page *page, uint32_t env)
{
    if (page->owner != env)
        return -AEGIS_E_OWNER;
    if (page->state != AEGIS_PAGE_DATA || page->refs)
        return -AEGIS_E_STATE;
    return page->pins ? -AEGIS_E_PINNED : 0;
}

long page_check_donation(uint64_t ppn, uint32_t env)
{
    return page_valid(ppn) ? check_donation(page_of(ppn), env) : -AEGIS_E_RANGE;
}

/* page_take, of a page that has to be cleared. */
static __attribute__((noinline)) long take_dirty(uint64_t index)
{
    page_take(&pages[index], this_hart->env->number);
    return (long)(first_ppn + index);
}

/* A page that its last owner takes again, as in the cycles of a program's allocator, is the short
 * way. */
long call_page_alloc(uint64_t ppn)
{
    const struct env *self = this_hart->env;
    struct aegis_env_info *i = self->info;
    const struct aegis_account *account = &accounts[i->account];
    uint64_t index = ppn == AEGIS_ANY ? free_head : ppn - first_ppn;

    if (index >= page_count)
        return ppn == AEGIS_ANY ? -AEGIS_E_NO_PAGE : -AEGIS_E_RANGE;
    struct aegis_page *page = &pages[index];
    if (page->state != AEGIS_PAGE_FREE)
        return -AEGIS_E_IN_USE;
    if (account->limit[AEGIS_QUOTA_PAGES] == account->used[AEGIS_QUOTA_PAGES])
        return -AEGIS_E_QUOTA;
    if (page->last != i->serial)
        return take_dirty(index);
    take(page, (uint32_t)index, self->number, i->serial);
    count_taken(i, 1);
    return (long)(first_ppn + index);
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
    const struct env *self = this_hart->env;
    uint64_t index = ppn - first_ppn;

    if (index >= page_count)
        return -AEGIS_E_RANGE;
    struct aegis_page *page = &pages[index];
    if (page->refs && page->owner == self->number && page->state == AEGIS_PAGE_DATA)
        return inherit_free(page);
    long error = check_donation(page, self->number);
    if (error)
        return error;
    release(page, (uint32_t)index, self->info);
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
