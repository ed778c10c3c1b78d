#include "kernel/rv64/sbi.h"

#define SBI_LEGACY_PUTCHAR 0x01
#define SBI_TIME           0x54494d45
#define SBI_HSM            0x48534d
#define SBI_SRST           0x53525354

struct sbi_result {
    long error;
    long value;
};

static struct sbi_result sbi_call(uint64_t extension, uint64_t function, uint64_t first,
                                  uint64_t second)
{
    register uint64_t a0 __asm__("a0") = first;
    register uint64_t a1 __asm__("a1") = second;
    register uint64_t a6 __asm__("a6") = function;
    register uint64_t a7 __asm__("a7") = extension;

    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a6), "r"(a7) : "memory");
    return (struct sbi_result){.error = (long)a0, .value = (long)a1};
}

void sbi_console_put(char c)
{
    sbi_call(SBI_LEGACY_PUTCHAR, 0, (uint8_t)c, 0);
}

void sbi_set_timer(uint64_t time)
{
    sbi_call(SBI_TIME, 0, time, 0);
}

long sbi_hart_status(uint64_t hart)
{
    struct sbi_result r = sbi_call(SBI_HSM, 2, hart, 0);

    return r.error ? r.error : r.value;
}

void sbi_shutdown(void)
{
    sbi_call(SBI_SRST, 0, 0, 1);
}
