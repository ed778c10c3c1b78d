#include "kernel/drivers/plic.h"

#include "kernel/print.h"
#include "kernel/rv64/board.h"
#include "kernel/rv64/paging.h"

/* Memory map, chapter 3: offsets in 32-bit words where the arrays are. */
#define PRIORITY       0x0
#define ENABLE         0x2000
#define ENABLE_STRIDE  0x80
#define CONTEXT        0x200000
#define CONTEXT_STRIDE 0x1000
#define THRESHOLD      0
#define SOURCES_MAX    1023

static volatile uint8_t *registers;
volatile uint32_t *plic_context;
static volatile uint32_t *enable;
static uint32_t sources;

void plic_init(const struct board *board)
{
    sources = board->plic_sources;
    if (sources == 0 || sources > SOURCES_MAX)
        refuse("device tree: the PLIC has %u interrupts", sources);
    uint64_t needed = CONTEXT + (uint64_t)CONTEXT_STRIDE * (board->plic_context + 1);
    if (board->plic.end - board->plic.start < needed)
        refuse("device tree: the PLIC's registers end before context %u", board->plic_context);
    registers = paging_map_device(board->plic);
    plic_context =
        (volatile uint32_t *)(registers + CONTEXT + CONTEXT_STRIDE * board->plic_context);
    enable = (volatile uint32_t *)(registers + ENABLE + ENABLE_STRIDE * board->plic_context);
    for (uint32_t i = 0; i <= sources / 32; i++)
        enable[i] = 0;
    plic_context[THRESHOLD] = 0;
}

uint32_t plic_sources(void)
{
    return sources;
}

void plic_enable(uint32_t irq)
{
    ((volatile uint32_t *)(registers + PRIORITY))[irq] = 1;
    enable[irq / 32] |= 1U << irq % 32;
}
