/* Reading a device tree from memory of exactly its size, so that the sanitizer sees bytes read
 * beyond. */
#ifndef AEGIS_TESTS_BOARD_READ_H
#define AEGIS_TESTS_BOARD_READ_H

#include <stddef.h>
#include <stdint.h>

#include "host.h"
#include "kernel/rv64/board.h"

#define AT   0x87000000UL  /* where the firmware has put the tree */
#define HART 0x500000002UL /* that board.dts's tree is read for, but where a test says */

/* The bytes of a file, to be freed; ends the program, with a reason, without it. */
uint8_t *read_file(const char *path, size_t *size);

struct reading {
    const void *tree;
    size_t size;
    uint64_t hart;
    struct board board;
};

/* Reads a tree, and checks what board.h promises of every board; forget frees what was read. */
enum host_end read_exactly(struct reading *reading);
void forget(void);

/* The board of a tree that is good; fails the test if it isn't. */
struct board read_good(const void *tree, size_t size, uint64_t hart);

#endif
