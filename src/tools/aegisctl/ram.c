#include "ram.h"

#include <stdlib.h>
#include <string.h>

#include "kernel/rv64/layout.h"

#define PTE_VALID 1
#define PTE_LEAF  0xe /* R, W, X */

/* The byte at a physical address, of which `left` to the end of its page are there; or NULL. */
static const uint8_t *at_physical(const struct ram *ram, uint64_t physical)
{
    uint64_t offset = physical - RAM_BASE;

    return offset < ram->size && ram->size - offset >= PAGE_SIZE - offset % PAGE_SIZE
               ? ram->bytes + offset
               : NULL;
}

/* Sv39 (Privileged Architecture 1.12, section 4.4.1): the physical address of va, or 0. */
static uint64_t walk(const struct ram *ram, uint64_t va)
{
    uint64_t table = ram->root;

    for (int level = 2; level >= 0 && table != 0; level--) {
        unsigned int shift = PAGE_SHIFT + 9 * (unsigned int)level;
        const uint8_t *at = at_physical(ram, table + 8 * (va >> shift & 511));
        uint64_t pte;

        if (at == NULL) {
            return 0;
        }
        memcpy(&pte, at, sizeof pte);
        if (!(pte & PTE_VALID)) {
            return 0;
        }
        table = (pte >> 10 & 0xfffffffffff) << PAGE_SHIFT;
        if (pte & PTE_LEAF) {
            uint64_t inside = (UINT64_C(1) << shift) - 1;

            return (table & ~inside) | (va & inside);
        }
    }
    return 0;
}

static const uint8_t *at_virtual(const struct ram *ram, uint64_t va)
{
    if (ram->root != 0) {
        return at_physical(ram, walk(ram, va));
    }
    return va >= KERNEL_VIRTUAL ? at_physical(ram, va - KERNEL_VIRTUAL + KERNEL_LOAD) : NULL;
}

bool ram_read(const struct ram *ram, uint64_t va, void *to, size_t size)
{
    uint8_t *out = to;

    for (size_t done = 0; done < size;) {
        const uint8_t *from = at_virtual(ram, va + done);
        size_t n = PAGE_SIZE - (va + done) % PAGE_SIZE;

        n = n < size - done ? n : size - done;
        if (from == NULL) {
            memset(out + done, 0, size - done);
            return false;
        }
        memcpy(out + done, from, n);
        done += n;
    }
    return true;
}

void *ram_copy(const struct ram *ram, uint64_t va, size_t size)
{
    void *copy = size != 0 && size <= ram->size ? malloc(size) : NULL;

    if (copy != NULL && !ram_read(ram, va, copy, size)) {
        free(copy);
        copy = NULL;
    }
    return copy;
}
