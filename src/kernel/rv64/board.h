/*
 * What the device tree says of the machine (Devicetree Specification 0.4; bindings of riscv,
 * virtio,mmio, ns16550a, sifive,plic-1.0.0, sifive,test1, google,goldfish-rtc). Nothing else in the
 * kernel knows it.
 */
#ifndef AEGIS_KERNEL_RV64_BOARD_H
#define AEGIS_KERNEL_RV64_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOARD_RANGES 16
#define BOARD_VIRTIO 32
#define BOARD_HARTS  64

struct range {
    uint64_t start;
    uint64_t end; /* first address behind it */
};

struct device {
    struct range registers; /* physical; empty if the board has none */
    uint32_t irq;           /* at the PLIC */
};

struct board {
    struct range memory[BOARD_RANGES]; /* whole pages, below PHYSMAP_SIZE; they may overlap */
    size_t memory_count;
    struct range reserved[BOARD_RANGES]; /* /memreserve/ and /reserved-memory, below PHYSMAP_SIZE */
    size_t reserved_count;
    struct range tree;           /* the device tree itself */
    struct range initrd;         /* empty without one */
    uint64_t harts[BOARD_HARTS]; /* their ids */
    size_t hart_count;
    uint64_t timebase; /* ticks a second */
    const char *isa;   /* of the boot hart, in the tree */
    bool sstc;
    struct device uart;
    uint32_t uart_shift; /* registers are 1 << shift bytes apart */
    struct range plic;
    uint32_t plic_context; /* of the boot hart in supervisor mode */
    uint32_t plic_sources; /* highest interrupt number */
    struct device rtc;
    struct device test; /* ends the machine with a status */
    struct device virtio[BOARD_VIRTIO];
    size_t virtio_count;
    const char *bootargs; /* in the tree; "" without any */
    const uint8_t *rng_seed;
    size_t rng_seed_size;
};

/*
 * Reads the tree at physical address tree, mapped in PHYSMAP, into *board; boot_hart is who runs.
 * Refuses to boot, by name, when what the kernel can't do without is missing or malformed.
 */
void board_read(struct board *board, uint64_t tree, uint64_t boot_hart);

/* Whether the boot hart has a multi-letter extension, as "zbb". */
bool board_has(const struct board *board, const char *extension);

/* Value of name=... in the boot arguments, or NULL; *length is that of the value. */
const char *board_argument(const struct board *board, const char *name, size_t *length);

#endif
