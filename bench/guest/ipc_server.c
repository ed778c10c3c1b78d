/* The other side of rows of group ipc: serves calls (argument trusting or untrusting). */
#include <string.h>

#include "libos/ipc/lrpc.h"
#include "libos/start/start.h"

static uint64_t answer(uint32_t caller, uint64_t w0, uint64_t w1, uint64_t w2, uint64_t w3,
                       uint64_t w4, uint64_t w5)
{
    (void)w0, (void)w1, (void)w2, (void)w3, (void)w4, (void)w5;
    return caller;
}

int main(int argc, char **argv)
{
    aegis_cap_mint(AEGIS_KIND_ENV, exos.env, AEGIS_RIGHT_CALL, &exos.start->caps[0]);
    return (int)lrpc_serve(answer, argc > 1 && !strcmp(argv[1], "trusting"));
}
