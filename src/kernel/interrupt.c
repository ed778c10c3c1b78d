#include "kernel/interrupt.h"

#include <stddef.h>

#include "kernel/drivers/plic.h"
#include "kernel/irqoff.h"
#include "kernel/print.h"
#include "kernel/rv64/csr.h"

#define IRQ_COUNT 128

static bool nobody(void *argument)
{
    (void)argument;
    return false;
}

static struct {
    interrupt_handler *handler;
    void *argument;
} handlers[IRQ_COUNT] = {[0 ... IRQ_COUNT - 1] = {nobody, NULL}};

void interrupt_bind(uint32_t irq, interrupt_handler *handler, void *argument)
{
    if (irq == 0 || irq >= IRQ_COUNT || irq > plic_sources())
        refuse("device tree: interrupt %u is none of the PLIC's", irq);
    handlers[irq].handler = handler;
    handlers[irq].argument = argument;
    plic_enable(irq);
}

/* Handles the interrupt that was claimed. */
static inline bool serve(uint32_t irq)
{
    bool changed = false;

    if (irq < IRQ_COUNT)
        changed = handlers[irq].handler(handlers[irq].argument);
    plic_complete(irq);
    return changed;
}

bool interrupt_poll(void)
{
    bool changed = false;
    uint32_t irq;

    while (irqoff_end(), irqoff_begin(), interrupt_is_pending() && (irq = plic_claim()))
        changed |= serve(irq);
    return changed;
}

void interrupt_wait(void)
{
    uint64_t pending;
    uint32_t irq;

    do {
        irqoff_end();
        wait_for_interrupt();
        irqoff_begin();
        pending = csr_read(sip);
        if ((pending & SIE_SEIE) && (irq = plic_claim()) && serve(irq))
            return;
    } while (!(pending & SIE_STIE));
}
