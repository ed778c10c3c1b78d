#include "board_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "board_check.h"

uint8_t *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(2 << 20);

    if (!file || !bytes) {
        perror(path);
        exit(1);
    }
    *size = fread(bytes, 1, 2 << 20, file);
    fclose(file);
    return bytes;
}

static void read_board(void *argument)
{
    struct reading *r = argument;

    board_read(&r->board, host_base, r->hart);
}

enum host_end read_exactly(struct reading *r)
{
    host_memory = aligned_alloc(8, (r->size + 7) & ~7UL);
    memcpy(host_memory, r->tree, r->size);
    /* Bytes behind the tree would be somebody else's memory; aligned_alloc's padding is ours. */
    __asan_poison_memory_region(host_memory + r->size, ((r->size + 7) & ~7UL) - r->size);
    host_base = AT;
    host_size = r->size;
    enum host_end how = host_run(read_board, r);
    if (how == HOST_RETURNED)
        check_board(&r->board, r->size);
    return how;
}

void forget(void)
{
    __asan_unpoison_memory_region(host_memory, (host_size + 7) & ~7UL);
    free(host_memory);
}

struct board read_good(const void *tree, size_t size, uint64_t hart)
{
    static struct reading r;

    r = (struct reading){.tree = tree, .size = size, .hart = hart};
    if (read_exactly(&r) != HOST_RETURNED)
        fail_msg("%s", host_text);
    return r.board;
}
