/* The serial line (ns16550a): output only, for the kernel's log. */
#ifndef AEGIS_KERNEL_DRIVERS_UART_H
#define AEGIS_KERNEL_DRIVERS_UART_H

struct board;

/* Has the log go to the UART from now on; without one it stays with the firmware. */
void uart_init(const struct board *board);

#endif
