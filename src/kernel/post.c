#include "kernel/post.h"

#include <string.h>

#include "kernel/boot_memory.h"
#include "kernel/expose.h"
#include "kernel/phys.h"
#include "kernel/rv64/paging.h"

struct aegis_post post;

void post_init(void)
{
    post.version = AEGIS_ABI_VERSION;
    post.root = virt_to_phys(kernel_root);
    post.info = (uintptr_t)info;
    post.code = CODE_BASE;
    post.code_size = paging_code_arena.end - paging_code_arena.start;
    post.magic = AEGIS_POST_MAGIC;
}

void post_code_init(enum aegis_code_kind kind, uint32_t count)
{
    size_t size = count * sizeof(struct aegis_post_code);

    post.codes[kind].pieces = (uintptr_t)boot_alloc((size + PAGE_SIZE - 1) / PAGE_SIZE, 1);
    post.codes[kind].count = count;
}

void post_code(enum aegis_code_kind kind, uint32_t number, const struct code *code,
               const void *entry, uint32_t owner, const char *name)
{
    struct aegis_post_code *row = (struct aegis_post_code *)post.codes[kind].pieces + number;

    memset(row, 0, sizeof(*row));
    if (!entry)
        return;
    row->start = (uintptr_t)code_entry(code);
    row->entry = (uintptr_t)entry;
    row->size = code->units * CODE_UNIT;
    row->owner = owner;
    if (name)
        memcpy(row->name, name, strnlen(name, sizeof(row->name) - 1));
}
