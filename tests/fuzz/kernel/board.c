/*
 * Any bytes as a device tree: refused, or a board that holds what board.h promises, and of which
 * boot_memory.c makes free ranges that rise, don't touch, and lie in memory that nothing reserves.
 * The input stands in memory of exactly its size. An input that begins with an odd byte is taken as
 * it is; another as a list of edits (place, byte) of the good tree that the seed corpus holds,
 * which gets deeper.
 */
#include <libfdt.h>
#include <stdbool.h>
#include "board_check.h"
#include "kernel/boot_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define AT 0x87000000UL

static uint8_t good[16384];
static size_t good_size;
static struct board board;

/* The good tree lies beside the program. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    FILE *file = fopen("board.dtb", "rb");

    (void)argc, (void)argv;
    if (!file) {
        perror("board.dtb");
        exit(1);
    }
    good_size = fread(good, 1, sizeof(good), file);
    fclose(file);
    return 0;
}

static void read_board(void *hart)
{
    board_read(&board, AT, *(uint64_t *)hart);
}

static void init_memory(void *unused)
{
    (void)unused;
    boot_memory_init(&board);
}

static bool in_memory(struct range r)
{
    uint64_t at = r.start;

    for (bool grown = true; grown && at < r.end;) { /* entries may touch */
        grown = false;
        for (size_t i = 0; i < board.memory_count; i++)
            if (board.memory[i].start <= at && board.memory[i].end > at) {
                at = board.memory[i].end;
                grown = true;
            }
    }
    return at >= r.end;
}

static void check_memory(void)
{
    size_t count;
    const struct range *free_ranges = boot_memory_free(&count);
    uint64_t before = 0;

    for (size_t i = 0; i < count; i++) {
        struct range r = free_ranges[i];
        BOARD_CHECK(r.start >= before && r.start < r.end && (i == 0 || r.start > before));
        BOARD_CHECK(r.start % PAGE_SIZE == 0 && r.end % PAGE_SIZE == 0 && in_memory(r));
        before = r.end;
        for (size_t n = 0; n < board.reserved_count; n++)
            BOARD_CHECK(board.reserved[n].end <= r.start || board.reserved[n].start >= r.end);
        BOARD_CHECK(board.tree.end <= r.start || board.tree.start >= r.end);
    }
}

/* tree: 8-byte aligned, size bytes. */
static void check(uint8_t *tree, size_t size, uint64_t hart)
{
    host_memory = tree;
    host_base = AT;
    host_size = size;
    if (size < FDT_V17_SIZE) /* the firmware points at a header at least */
        return;
    if (fdt_totalsize(tree) > size) /* and what it says of its length has to be believed */
        fdt_set_totalsize(tree, (uint32_t)size);
    if (host_run(read_board, &hart) != HOST_RETURNED)
        return;
    check_board(&board, size);
    if (host_run(init_memory, NULL) == HOST_RETURNED)
        check_memory();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t harts[] = {0, 1, 0x500000002};
    uint8_t first = size ? data[0] : 1, *tree;
    bool raw = first & 1;
    size_t length = raw ? size - (size > 0) : good_size;

    tree = malloc(length); /* of exactly that size: the sanitizer sees bytes read beyond */
    if (raw)
        memcpy(tree, data + (size > 0), length);
    else
        memcpy(tree, good, length);
    for (size_t i = 1; !raw && i + 2 < size; i += 3)
        tree[(data[i] << 8 | data[i + 1]) % length] = data[i + 2];
    check(tree, length, harts[(first >> 1) % 3]);
    free(tree);
    return 0;
}
