/*
 * Physical pages: owner, state, references, pins. The array of struct aegis_page is exposed
 * read-only.
 *
 * Invariant: for each page of info.pages: state FREE <=> it is on the free list; state none of
 * FREE, KERNEL, CODE <=> it is on exactly one list, that of env owner, whose info.pages counts it;
 * refs counts the PTEs that map it, 0 in a state other than DATA, RING or WINDOW; level and region
 * are 0 in a state other than PTABLE, but for what inherit.h says of memory.
 */
#ifndef AEGIS_KERNEL_PAGE_H
#define AEGIS_KERNEL_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/abi.h"
#include "kernel/check/hard.h"
#include "kernel/phys.h"

#define NO_PAGE UINT32_MAX

/* A PTE is named by 32 bits: page index of its table, and 9 bits of slot (struct aegis_page.links).
 */
#define PAGE_COUNT_MAX (1UL << 23)

/* Builds the array over all memory of the board, all of it the kernel's. */
struct board;
void page_init(const struct board *board);

/* What boot_memory has left is free from now on, low pages first; boot_alloc must not be called
 * again. */
void page_init_free(void);

extern struct aegis_page *pages; /* indexed by ppn - first_ppn */
extern uint64_t first_ppn, page_count;

static inline bool page_valid(uint64_t ppn)
{
    return ppn - first_ppn < page_count;
}

/* Whether applications may map it and write to it: the other states are the kernel's to write. */
static inline bool page_is_memory(const struct aegis_page *page)
{
    return page->state == AEGIS_PAGE_DATA || page->state == AEGIS_PAGE_RING ||
           page->state == AEGIS_PAGE_WINDOW;
}

/* Caller must have checked page_valid. */
static inline struct aegis_page *page_of(uint64_t ppn)
{
    return &pages[ppn - first_ppn];
}

static inline uint64_t page_ppn(const struct aegis_page *page)
{
    return first_ppn + (uint64_t)(page - pages);
}

static inline void *page_memory(const struct aegis_page *page)
{
    return ppn_to_virt(page_ppn(page));
}

/* The memory of pages[index]. */
static inline void *page_memory_at(uint32_t index)
{
    return ppn_to_virt(first_ppn + index);
}

/*
 * Makes env the owner of a free page in state DATA, cleared unless env was the last owner. page
 * must be FREE; env is a live environment's number.
 */
void page_take(struct aegis_page *page, uint32_t env);

/* The same without clearing it: the caller fills all of it, or makes it a page of the kernel's.
 * Returns whether it is clear. */
bool page_take_unclear(struct aegis_page *page, uint32_t env);

/* A free page, or NULL. */
struct aegis_page *page_find_free(void);

/* The same for who needs a clear one, which it is if the kernel knows of one. */
struct aegis_page *page_find_clear(void);

/* Returns an owned page that nothing maps or pins to the free list, and makes capabilities for it
 * stale. */
void page_release(struct aegis_page *page);

/* The same of a page that holds zeros. */
void page_release_clear(struct aegis_page *page);

/* Moves an owned page that nothing maps or pins to another owner, with its contents. */
void page_move(struct aegis_page *page, uint32_t env);

/* First page of the free list, an index, or NO_PAGE. */
uint32_t page_free_head(void);

/* First page of env's list, and the one behind a page on its owner's list, or NULL. */
struct aegis_page *page_first_of(uint32_t env);
struct aegis_page *page_next(const struct aegis_page *page);

/*
 * Whether env could donate the page: 0, or RANGE, OWNER, STATE (not DATA, or mapped), PINNED; all
 * negated.
 */
long page_check_donation(uint64_t ppn, uint32_t env);

/* Pins: users that need the page as it is; the count saturates by refusal. */
static inline bool page_can_pin(const struct aegis_page *page)
{
    return page->pins < HARD(UINT16_MAX, 4);
}

static inline void page_pin(struct aegis_page *page)
{
    page->pins++;
}

static inline void page_unpin(struct aegis_page *page)
{
    page->pins--;
}

#endif
