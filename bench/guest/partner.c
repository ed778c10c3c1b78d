/*
 * The other side of yield_roundtrip: whenever it gets a slice, it gives it to its parent. With an
 * argument, that of revoke_100: it has pages, and gives none of them.
 */
#include "libos/start/start.h"
#include "libos/vm/vm.h"

#define PAGES 200

static void keep(void)
{
    if (!vm_alloc(PAGES, VM_READ_WRITE))
        return;
    __atomic_store_n(&exos.start->caps[0].name, 1, __ATOMIC_RELEASE);
    aegis_wait(NULL, 0, AEGIS_FOREVER);
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        keep();
    for (;;)
        aegis_yield(exos.parent);
}
