#include "kernel/rv64/paging.h"

#include <stdbool.h>
#include <string.h>

#include "abi/abi.h"
#include "kernel/boot_memory.h"
#include "kernel/phys.h"
#include "kernel/print.h"

extern char kernel_start[], kernel_text_end[], kernel_rodata_end[], kernel_end[];

#define CODE_LEAST (512UL << 10)
#define CODE_MOST  (8UL << 20)

pte_t *kernel_root;
struct range paging_code_arena;
static uint64_t device_next = DEVICE_BASE;

static pte_t *table_below(pte_t *entry)
{
    if (!(*entry & PTE_V))
        *entry = pte_make(virt_to_phys(boot_alloc(1, 1)) >> PAGE_SHIFT, PTE_V);
    else if (*entry & PTE_LEAF)
        panic("paging: a table is wanted where a page is mapped");
    return ppn_to_virt(pte_ppn(*entry));
}

/* Largest level whose pages are aligned at va and pa and fit into size. */
static unsigned int level_that_fits(uint64_t va, uint64_t pa, uint64_t size)
{
    unsigned int level = ROOT_LEVEL;

    for (; level > 0; level--) {
        uint64_t bytes = 1UL << (PAGE_SHIFT + 9 * level);
        if (((va | pa) & (bytes - 1)) == 0 && size >= bytes)
            break;
    }
    return level;
}

void paging_map(pte_t *root, uint64_t va, uint64_t pa, uint64_t size, uint64_t bits)
{
    while (size) {
        unsigned int level = level_that_fits(va, pa, size);
        pte_t *table = root;
        for (unsigned int l = ROOT_LEVEL; l > level; l--)
            table = table_below(&table[pte_index(va, l)]);
        pte_t *entry = &table[pte_index(va, level)];
        if (*entry & PTE_V)
            panic("paging: 0x%lx is mapped twice", va);
        *entry = pte_make(pa >> PAGE_SHIFT, bits | PTE_V | PTE_A | PTE_D);
        uint64_t bytes = 1UL << (PAGE_SHIFT + 9 * level);
        va += bytes;
        pa += bytes;
        size -= bytes;
    }
}

volatile void *paging_map_device(struct range registers)
{
    uint64_t first = registers.start & ~(uint64_t)(PAGE_SIZE - 1);
    uint64_t size = (registers.end - first + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
    uint64_t va = device_next;

    if (va + size > DEVICE_BASE + DEVICE_SIZE)
        refuse("device tree: devices have more than %lu MiB of registers",
               (uint64_t)DEVICE_SIZE >> 20);
    paging_map(kernel_root, va, first, size, PTE_R | PTE_W | PTE_G);
    sfence_all();
    device_next = va + size;
    return (volatile void *)(va + (registers.start - first));
}

static void map_image(const char *from, const char *to, uint64_t bits)
{
    paging_map(kernel_root, (uintptr_t)from, image_to_phys(from), (uint64_t)(to - from),
               bits | PTE_G);
}

/*
 * The physical map: each range of memory but for the image and what the device tree reserves. (The
 * firmware's memory is reserved, and closed by PMP besides.)
 */
static void map_memory(const struct board *board)
{
    struct range span = boot_memory_span(board);
    struct range image = {image_to_phys(kernel_start), image_to_phys(kernel_end)};
    uint64_t at = span.start;

    while (at < span.end) {
        uint64_t stop = span.end;
        bool inside = false;
        for (size_t i = 0; i < board->memory_count; i++) {
            if (at >= board->memory[i].start && at < board->memory[i].end) {
                inside = true;
                stop = board->memory[i].end < stop ? board->memory[i].end : stop;
            } else if (board->memory[i].start > at && board->memory[i].start < stop) {
                stop = board->memory[i].start;
            }
        }
        for (size_t i = 0; i < board->reserved_count + 2; i++) {
            struct range hole = i < board->reserved_count    ? board->reserved[i]
                                : i == board->reserved_count ? image
                                                             : paging_code_arena;
            hole.start &= ~(uint64_t)(PAGE_SIZE - 1);
            hole.end = (hole.end + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
            if (at >= hole.start && at < hole.end) {
                inside = false;
                stop = hole.end < stop ? hole.end : stop;
            } else if (hole.start > at && hole.start < stop) {
                stop = hole.start;
            }
        }
        if (inside)
            paging_map(kernel_root, PHYSMAP_BASE + at, at, stop - at, PTE_R | PTE_W | PTE_G);
        at = stop;
    }
}

/* A 64th of memory, 512 KiB to 8 MiB: what classifiers, egress checks and handlers compile to. */
static void map_code_arena(const struct board *board)
{
    struct range span = boot_memory_span(board);
    uint64_t size = (span.end - span.start) / 64 & ~(uint64_t)(PAGE_SIZE - 1);

    size = size < CODE_LEAST ? CODE_LEAST : size > CODE_MOST ? CODE_MOST : size;
    uint64_t start = virt_to_phys(boot_alloc(size / PAGE_SIZE, 1));
    paging_code_arena = (struct range){start, start + size};
    for (uint64_t at = 0; at < size; at += PAGE_SIZE) {
        paging_map(kernel_root, CODE_BASE + at, start + at, PAGE_SIZE, PTE_R | PTE_X | PTE_G);
        paging_map(kernel_root, PHYSMAP_BASE + start + at, start + at, PAGE_SIZE, PTE_R | PTE_G);
        paging_map(kernel_root, CODE_ALIAS + at, start + at, PAGE_SIZE, PTE_R | PTE_W | PTE_G);
    }
    paging_code_alias((struct range){0, size}, false);
}

void paging_code_alias(struct range offsets, bool writable)
{
    for (uint64_t at = offsets.start; at < offsets.end;) {
        pte_t *table = kernel_root;
        for (unsigned int level = ROOT_LEVEL; level > 0; level--)
            table = ppn_to_virt(pte_ppn(table[pte_index(CODE_ALIAS + at, level)]));
        /* All that lie in this table: a piece may have hundreds of pages. */
        for (bool more = true; more && at < offsets.end; at += PAGE_SIZE) {
            uint64_t i = pte_index(CODE_ALIAS + at, 0);
            table[i] = writable ? table[i] | PTE_V : table[i] & ~(pte_t)PTE_V;
            more = i < pte_index(~0UL, 0);
        }
    }
    /* Global entries: with no ASID named, all of them (section 4.2.1). */
    sfence_all();
}

void paging_init(const struct board *board)
{
    kernel_root = boot_alloc(1, 1);
    map_image(kernel_start, kernel_text_end, PTE_R | PTE_X);
    map_image(kernel_text_end, kernel_rodata_end, PTE_R);
    map_image(kernel_rodata_end, kernel_end, PTE_R | PTE_W);
    map_code_arena(board);
    map_memory(board);
    /* Their first page table exists from now on, so that all roots can copy it. */
    table_below(&kernel_root[pte_index(DEVICE_BASE, ROOT_LEVEL)]);
    table_below(&kernel_root[pte_index(AEGIS_EXPOSED_BASE, ROOT_LEVEL)]);

    uint8_t *stacks = boot_alloc(2 * STACK_SIZE / PAGE_SIZE, 1);
    paging_map(kernel_root, STACK_BASE + STACK_OFFSET, virt_to_phys(stacks), STACK_SIZE,
               PTE_R | PTE_W | PTE_G);
    paging_map(kernel_root, STACK_BASE + ESTACK_OFFSET, virt_to_phys(stacks) + STACK_SIZE,
               STACK_SIZE, PTE_R | PTE_W | PTE_G);

    satp_write(SATP_SV39 | virt_to_phys(kernel_root) >> PAGE_SHIFT);
    sfence_all();
}

uint64_t paging_asid_max(void)
{
    uint64_t satp = csr_read(satp);

    /* WARL: what isn't implemented reads as zero (section 4.1.11). */
    satp_write(satp | SATP_ASID_MASK << SATP_ASID_SHIFT);
    uint64_t max = csr_read(satp) >> SATP_ASID_SHIFT & SATP_ASID_MASK;
    satp_write(satp);
    sfence_all();
    return max;
}
