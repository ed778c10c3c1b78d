/* The hostile program: makes the rows of INDEX that the supervisor orders, in one environment until
 * one ends it. */
#include "attack.h"

#include "libos/upcall/upcall.h"
#include "libos/vm/vm.h"

int main(void)
{
    struct attack_order *order = vm_alloc(1, VM_READ_WRITE);
    CHECK(order);
    /* Tables for what attacks map: their pages are this program's from now on. */
    page_gone(FREE_VA, page_at(FREE_VA, VM_READ_WRITE));
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_PAGE, (uint64_t)vm_page_at(order),
                            AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE,
                            &exos.start->caps[ATTACK_CAP_DESK]));
    for (uint64_t done = 0;;) {
        struct aegis_predicate ordered = AEGIS_WHEN(order->row, NE, done);
        DESK->done = done ? done : UINT64_MAX;
        CHECK_EQ(aegis_wait(&ordered, 1, AEGIS_FOREVER), 0);
        done = order->row;
        if (done == UINT64_MAX)
            return 0;
        DESK->result = attacks[done - 1].function();
        upcall_bind(); /* some leave it undone, and the calls' stubs need it (libos/vm/touch.c) */
    }
}
