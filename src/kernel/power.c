#include "kernel/power.h"

#include "kernel/phys.h"
#include "kernel/print.h"
#include "kernel/rv64/paging.h"
#include "kernel/rv64/sbi.h"

/* sifive,test1: a write ends the machine. */
#define TEST_PASS 0x5555
#define TEST_FAIL 0x3333

/* Only for a refusal before the device tree is read; PHYSMAP is whole then (entry.S). */
#define EARLY_TEST_DEVICE 0x100000

static volatile uint32_t *test_device = (volatile uint32_t *)(PHYSMAP_BASE + EARLY_TEST_DEVICE);

void power_init(const struct device *test)
{
    test_device = NULL;
    if (test->registers.end)
        test_device = paging_map_device(test->registers);
}

void power_off(uint32_t status)
{
    if (test_device)
        *test_device = status ? status << 16 | TEST_FAIL : TEST_PASS;
    /* No test device: the firmware can end the machine, but not say how it went. */
    print("aegis: no device to end the machine with status %u\n", status);
    sbi_shutdown();
    for (;;)
        __asm__ volatile("wfi");
}
