#include "kernel/code.h"

#include "kernel/boot_memory.h"
#include "kernel/expose.h"
#include "kernel/page.h"
#include "kernel/phys.h"
#include "kernel/print.h"
#include "kernel/rv64/paging.h"

static uint64_t *used; /* a bit a unit */
static uint32_t unit_count;
static bool is_open;

void code_init(void)
{
    unit_count = (uint32_t)(paging_code_arena.end - paging_code_arena.start) / CODE_UNIT;
    used = boot_alloc((unit_count / 8 + PAGE_SIZE - 1) / PAGE_SIZE, 1);
    info->code_free = (uint64_t)unit_count * CODE_UNIT;
    for (uint64_t at = paging_code_arena.start; at < paging_code_arena.end; at += PAGE_SIZE)
        page_of(at >> PAGE_SHIFT)->state = AEGIS_PAGE_CODE;
}

bool code_is_used(uint32_t unit)
{
    return used[unit / 64] >> unit % 64 & 1;
}

static void mark(uint32_t unit, uint32_t units, bool value)
{
    for (uint32_t i = unit; i < unit + units; i++)
        if (value)
            used[i / 64] |= 1UL << i % 64;
        else
            used[i / 64] &= ~(1UL << i % 64);
    info->code_free += (value ? -(uint64_t)units : units) * CODE_UNIT;
}

uint64_t code_count_used(void)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < unit_count / 64; i++)
        for (uint64_t bits = used[i]; bits; bits &= bits - 1)
            count++;
    return count;
}

struct code code_alloc(size_t bytes)
{
    struct code code = {0, 0};
    size_t units = (bytes + CODE_UNIT - 1) / CODE_UNIT;
    uint32_t run = 0;

    for (uint32_t i = 0; i < unit_count && units; i++) {
        if (i % 64 == 0 && used[i / 64] == UINT64_MAX) {
            run = 0;
            i += 63;
            continue;
        }
        run = code_is_used(i) ? 0 : run + 1;
        if (run == units) {
            code = (struct code){.unit = i + 1 - run, .units = run};
            mark(code.unit, code.units, true);
            break;
        }
    }
    return code;
}

void code_free(struct code *code)
{
    mark(code->unit, code->units, false);
    *code = (struct code){0, 0};
}

void code_trim(struct code *code, size_t bytes)
{
    uint32_t units = (uint32_t)((bytes + CODE_UNIT - 1) / CODE_UNIT);

    mark(code->unit + units, code->units - units, false);
    code->units = units;
}

/* First and last byte of the piece in the arena, by pages: what the alias covers. */
static struct range page_range(const struct code *code)
{
    uint64_t start = (uint64_t)code->unit * CODE_UNIT;
    uint64_t end = start + (uint64_t)code->units * CODE_UNIT;

    return (struct range){start & ~(uint64_t)(PAGE_SIZE - 1),
                          (end + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1)};
}

uint8_t *code_open(const struct code *code)
{
    struct range pages = page_range(code);

    assert_kernel(!is_open && code->units);
    is_open = true;
    paging_code_alias(pages, true);
    return (uint8_t *)CODE_ALIAS + (uint64_t)code->unit * CODE_UNIT;
}

void code_close(const struct code *code)
{
    assert_kernel(is_open);
    paging_code_alias(page_range(code), false);
    is_open = false;
    fence_i();
}

void *code_entry(const struct code *code)
{
    return (uint8_t *)CODE_BASE + (uint64_t)code->unit * CODE_UNIT;
}
