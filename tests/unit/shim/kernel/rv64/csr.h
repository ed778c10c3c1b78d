/* The kernel's csr.h, whose instructions are replaced by what host.h says. */
#ifndef AEGIS_TESTS_CSR_H
#define AEGIS_TESTS_CSR_H

#include_next "kernel/rv64/csr.h"

#include "host.h"

#define csr_read(name)         (host_csr_##name)
#define csr_write(name, value) ((void)(host_csr_##name = (uint64_t)(value)))
#define csr_set(name, bits)    ((void)(host_csr_##name |= (uint64_t)(bits)))
#define csr_clear(name, bits)  ((void)(host_csr_##name &= ~(uint64_t)(bits)))

#define fence(before, after)     host_fence(#before, #after)
#define clear_call_temporaries() ((void)0)

static inline void fence_i(void)
{
    host_fence("i", "i");
}

static inline uint64_t time_now(void)
{
    return host_csr_time;
}

static inline void sfence_all(void)
{
    host_sfence(HOST_ALL, HOST_ALL);
}

static inline void sfence_asid(uint64_t asid)
{
    host_sfence(HOST_ALL, asid);
}

static inline void sfence_page(uint64_t va, uint64_t asid)
{
    host_sfence(va, asid);
}

static inline void wait_for_interrupt(void)
{
}

static inline uint64_t gp_read(void)
{
    return 0;
}

#endif
