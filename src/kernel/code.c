#include "kernel/code.h"

#include "kernel/boot_memory.h"
#include "kernel/check/hard.h"
#include "kernel/expose.h"
#include "kernel/page.h"
#include "kernel/phys.h"
#include "kernel/print.h"
#include "kernel/rv64/paging.h"

#define SEARCH_STEP HARD(1500, 8000) /* units, or 64 alike, looked at in a step */

static uint64_t *used; /* a bit a unit */
static uint32_t unit_count;
static uint64_t pieces; /* taken so far */
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

/* A word at a time: a large classifier has thousands of units. */
static void mark(uint32_t unit, uint32_t units, bool value)
{
    info->code_free += (value ? -(uint64_t)units : units) * CODE_UNIT;
    for (uint32_t end = unit + units; unit < end; unit = (unit / 64 + 1) * 64) {
        uint64_t bits = UINT64_MAX << unit % 64;
        if (end - unit / 64 * 64 < 64)
            bits &= ~(UINT64_MAX << end % 64);
        used[unit / 64] = value ? used[unit / 64] | bits : used[unit / 64] & ~bits;
    }
}

uint64_t code_count_used(void)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < unit_count / 64; i++)
        for (uint64_t bits = used[i]; bits; bits &= bits - 1)
            count++;
    return count;
}

/* Looks at units from s->at on; whether a run of so many free ones ends before it. */
static bool find_run(struct code_search *s, size_t units)
{
    for (uint32_t left = SEARCH_STEP; left > 0 && s->at < unit_count; left--) {
        bool is_whole = s->at % 64 == 0;
        if (is_whole && used[s->at / 64] == UINT64_MAX) {
            s->run = 0;
            s->at += 64;
        } else if (is_whole && used[s->at / 64] == 0 && s->run + 64 < units) {
            s->run += 64;
            s->at += 64;
        } else {
            s->run = code_is_used(s->at++) ? 0 : s->run + 1;
        }
        if (s->run == units)
            return true;
    }
    return false;
}

bool code_alloc_step(struct code_search *s, size_t bytes, struct code *code)
{
    size_t units = (bytes + CODE_UNIT - 1) / CODE_UNIT;

    /* What was free may be somebody's. What has been freed before it is missed, at worst. */
    if (s->pieces != pieces)
        *s = (struct code_search){.pieces = pieces};
    *code = (struct code){0, 0};
    if (!units || !find_run(s, units))
        return !units || s->at >= unit_count;
    *code = (struct code){.unit = s->at - s->run, .units = s->run};
    mark(code->unit, code->units, true);
    pieces++;
    return true;
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
