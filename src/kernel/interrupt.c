#include "kernel/interrupt.h"

#include "kernel/drivers/plic.h"
#include "kernel/irqoff.h"
#include "kernel/print.h"
#include "kernel/rv64/csr.h"

#define IRQ_COUNT 128

static struct {
    void (*handler)(void *argument);
    void *argument;
} handlers[IRQ_COUNT];

void interrupt_bind(uint32_t irq, void (*handler)(void *argument), void *argument)
{
    if (irq == 0 || irq >= IRQ_COUNT || irq > plic_sources())
        refuse("device tree: interrupt %u is none of the PLIC's", irq);
    handlers[irq].handler = handler;
    handlers[irq].argument = argument;
    plic_enable(irq);
}

void interrupt_poll(void)
{
    uint32_t irq;

    while (irqoff_end(), irqoff_begin(), csr_read(sip) & SIE_SEIE) {
        irq = plic_claim();
        if (irq == 0)
            return;
        if (irq < IRQ_COUNT && handlers[irq].handler)
            handlers[irq].handler(handlers[irq].argument);
        plic_complete(irq);
    }
}
