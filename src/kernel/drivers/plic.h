/* The platform-level interrupt controller (RISC-V PLIC specification 1.0), one context: this hart,
 * supervisor. */
#ifndef AEGIS_KERNEL_DRIVERS_PLIC_H
#define AEGIS_KERNEL_DRIVERS_PLIC_H

#include <stdint.h>

struct board;

/* Maps the PLIC and masks every source. */
void plic_init(const struct board *board);

/* Highest interrupt number. */
uint32_t plic_sources(void);

void plic_enable(uint32_t irq);

/* Registers of this hart's context; the second one claims and completes. */
extern volatile uint32_t *plic_context;
#define PLIC_CLAIM 1

/* The most urgent pending interrupt, or 0; each claim needs a complete. */
static inline uint32_t plic_claim(void)
{
    return plic_context[PLIC_CLAIM];
}

static inline void plic_complete(uint32_t irq)
{
    plic_context[PLIC_CLAIM] = irq;
}

#endif
