/* The other side of yield_roundtrip: whenever it gets a slice, it gives it to its parent. */
#include "libos/start/start.h"

int main(void)
{
    for (;;)
        aegis_yield(exos.parent);
}
