/* What board.h promises of every board that was read, whatever the tree was. */
#ifndef AEGIS_TESTS_BOARD_CHECK_H
#define AEGIS_TESTS_BOARD_CHECK_H

#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "kernel/rv64/board.h"
#include "kernel/rv64/layout.h"

#define BOARD_CHECK(condition)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "a board was read of which %s does not hold\n", #condition);           \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* A string ends inside the tree, which is all of host_memory. */
static inline void check_string(const char *string, size_t size)
{
    size_t at = (size_t)(string - (const char *)host_memory);

    if (*string == 0) /* "" needs no tree */
        return;
    BOARD_CHECK(at < size && memchr(string, 0, size - at));
}

static inline void check_device(const struct device *device)
{
    const struct range *r = &device->registers;

    BOARD_CHECK(r->end == 0 ? r->start == 0 : r->start < r->end && r->end <= PHYSMAP_SIZE);
}

/* size: of the tree. */
static inline void check_board(const struct board *b, size_t size)
{
    BOARD_CHECK(b->memory_count >= 1 && b->memory_count <= BOARD_RANGES);
    for (size_t i = 0; i < b->memory_count; i++) {
        struct range r = b->memory[i];
        BOARD_CHECK(r.start < r.end && r.end <= PHYSMAP_SIZE);
        BOARD_CHECK(r.start % PAGE_SIZE == 0 && r.end % PAGE_SIZE == 0);
    }
    BOARD_CHECK(b->reserved_count <= BOARD_RANGES);
    for (size_t i = 0; i < b->reserved_count; i++)
        BOARD_CHECK(b->reserved[i].start < b->reserved[i].end &&
                    b->reserved[i].end <= PHYSMAP_SIZE);
    BOARD_CHECK(b->tree.start == host_base && b->tree.end - b->tree.start <= size);
    BOARD_CHECK(b->hart_count >= 1 && b->hart_count <= BOARD_HARTS);
    BOARD_CHECK(b->timebase > 0 && b->timebase <= UINT32_MAX);
    check_string(b->isa, size);
    BOARD_CHECK(strncmp(b->isa, "rv64", 4) == 0);
    BOARD_CHECK(b->plic.start < b->plic.end && b->plic.end <= PHYSMAP_SIZE);
    check_device(&b->uart);
    check_device(&b->rtc);
    check_device(&b->test);
    BOARD_CHECK(b->virtio_count <= BOARD_VIRTIO);
    for (size_t i = 0; i < b->virtio_count; i++)
        check_device(&b->virtio[i]);
    check_string(b->bootargs, size);
    for (size_t i = 0; i < b->rng_seed_size; i++)
        BOARD_CHECK(b->rng_seed + i < host_memory + size && b->rng_seed[i] <= 255);
}

#endif
