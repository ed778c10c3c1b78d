#include "kernel/drivers/uart.h"

#include <stdint.h>

#include "kernel/print.h"
#include "kernel/rv64/board.h"
#include "kernel/rv64/paging.h"

#define THR      0
#define IER      1
#define LSR      5
#define LSR_THRE 0x20
#define PATIENCE                                                                                   \
    1000000 /* looks at LSR before a character is given up: a log must not hang the kernel */

static volatile uint8_t *registers;
static uint32_t shift;

static void put(char c)
{
    for (int i = 0; i < PATIENCE; i++)
        if (registers[LSR << shift] & LSR_THRE)
            break;
    registers[THR << shift] = (uint8_t)c;
}

void uart_init(const struct board *board)
{
    if (!board->uart.registers.end)
        return;
    shift = board->uart_shift;
    registers = paging_map_device(board->uart.registers);
    registers[IER << shift] = 0;
    print_to_swap(put);
}
