/* The slot of a device under test, and the memory that its driver has. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "host.h"
#include "kernel/boot_memory.h"
#include "kernel/phys.h"
#include "kernel/rv64/paging.h"
#include "slot.h"

#define SIZE (32UL << 20)

struct device_model model;
const struct device slot = {.registers = {0x10001000, 0x10002000}, .irq = 5};

/* Where the slot's registers are: the kernel's would map them. */
volatile void *paging_map_device(struct range registers)
{
    (void)registers;
    return model.registers;
}

int slot_begin(void **state)
{
    struct board board = {.memory = {{SLOT_BASE, SLOT_BASE + SIZE}}, .memory_count = 1};

    host_base = SLOT_BASE;
    host_size = SIZE;
    *state = host_memory = aligned_alloc(PAGE_SIZE, SIZE);
    memset(host_memory, 0, SIZE);
    boot_memory_init(&board);
    return 0;
}

int slot_end(void **state)
{
    free(*state);
    host_on_fence = NULL;
    return 0;
}
