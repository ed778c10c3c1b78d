/*
 * The other side of yield_roundtrip: whenever it gets a slice, it gives it to its parent. With an
 * argument, that of the rows on revocation: it has pages, and keeps or gives them; or that of
 * pct_roundtrip: it serves calls.
 */
#include <string.h>

#include "libos/start/start.h"
#include "libos/upcall/upcall.h"
#include "libos/vm/vm.h"

#define VA    0x2000000000UL
#define PAGES 200

static uint64_t pages[PAGES];
static uint64_t given;

static void give(enum aegis_kind kind, uint32_t count)
{
    uint64_t left = PAGES - given;
    if (kind != AEGIS_KIND_PAGE || count > left)
        return;
    aegis_unmap(0, VA + (left - count) * AEGIS_PAGE_SIZE, count);
    for (uint64_t i = left - count; i < left; i++)
        aegis_page_free(pages[i]);
    given += count;
}

static void hold(bool gives)
{
    for (uint64_t i = 0; i < PAGES; i++) {
        pages[i] = (uint64_t)aegis_page_alloc(AEGIS_ANY);
        if (vm_map(0, VA + i * AEGIS_PAGE_SIZE, pages[i], VM_READ_WRITE, NULL) < 0)
            return;
    }
    if (gives)
        upcall_set_revoke(give);
    __atomic_store_n(&exos.start->caps[0].name, 1, __ATOMIC_RELEASE);
    aegis_wait(NULL, 0, AEGIS_FOREVER);
}

_Static_assert(AEGIS_CALL_gate_return == AEGIS_CALL_gate_call + 1, "answer");

/* All that there is to a call that does nothing: it finds the number of gate_call in a7. */
static __attribute__((naked)) void answer(void)
{
    __asm__ volatile("addi a7, a7, 1\n"
                     "ecall\n"
                     "ebreak");
}

static void serve(void)
{
    aegis_cap_mint(AEGIS_KIND_ENV, exos.env, AEGIS_RIGHT_CALL, &exos.start->caps[0]);
    aegis_gate_accept((uint64_t)(uintptr_t)answer, 0);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        strcmp(argv[1], "serve") ? hold(!strcmp(argv[1], "give")) : serve();
    for (;;)
        aegis_yield_bare(exos.parent);
}
