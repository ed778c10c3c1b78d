/*
 * Sv39 page tables (Privileged Architecture 1.12, section 4.4): bits, indices, and the kernel's own
 * map.
 */
#ifndef AEGIS_KERNEL_RV64_PAGING_H
#define AEGIS_KERNEL_RV64_PAGING_H

#include "kernel/rv64/layout.h"

#define PTE_V    0x001
#define PTE_R    0x002
#define PTE_W    0x004
#define PTE_X    0x008
#define PTE_U    0x010
#define PTE_G    0x020
#define PTE_A    0x040
#define PTE_D    0x080
#define PTE_LEAF (PTE_R | PTE_W | PTE_X)

#define PTE_PPN_SHIFT 10
#define PTES          512 /* of a table */
#define ROOT_LEVEL    2

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/rv64/board.h"
#include "kernel/rv64/csr.h"

typedef uint64_t pte_t;

static inline size_t pte_index(uint64_t va, unsigned int level)
{
    return (va >> (PAGE_SHIFT + 9 * level)) & (PTES - 1);
}

static inline uint64_t pte_ppn(pte_t pte)
{
    return pte >> PTE_PPN_SHIFT; /* the kernel sets none of the bits above it (Svnapot, Svpbmt) */
}

static inline pte_t pte_make(uint64_t ppn, uint64_t bits)
{
    return ppn << PTE_PPN_SHIFT | bits;
}

/* The user half's only entry that all environments share: the exposed pages. */
#define EXPOSED_INDEX pte_index(AEGIS_EXPOSED_BASE, ROOT_LEVEL)

/*
 * Builds the kernel's map of the board and switches to it. From here on its text is not writable,
 * nothing else is executable, and stacks have guard pages.
 */
void paging_init(const struct board *board);

/* The root whose kernel half, and entry EXPOSED_INDEX, each environment's root copies; fixed after
 * boot. */
extern pte_t *kernel_root;

/*
 * Maps [pa, pa + size) at va under root with the largest pages that fit; tables come from
 * boot_alloc. Only at boot. bits are PTE_*, without V, A and D, which are added.
 */
void paging_map(pte_t *root, uint64_t va, uint64_t pa, uint64_t size, uint64_t bits);

/* Maps registers of a device for the kernel; returns their virtual address. Only at boot. */
volatile void *paging_map_device(struct range registers);

/* Physical memory set aside for generated code (code.c), page-aligned. */
extern struct range paging_code_arena;

/* Maps bytes [offsets.start, offsets.end) of the code arena, whole pages, at CODE_ALIAS, or ends
 * that. */
void paging_code_alias(struct range offsets, bool writable);

/* The highest ASID that the hart implements; 0 without any. */
uint64_t paging_asid_max(void);

static inline void satp_write(uint64_t satp)
{
    csr_write(satp, satp);
}

#endif
#endif
