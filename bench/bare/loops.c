/*
 * Loops of known length, to test the bench's two ways of counting instructions against arithmetic.
 *
 * A program for S-mode under OpenSBI on QEMU virt. It finds a number of rounds at ROUNDS (put there
 * by
 * `-device loader,addr=0x81000000,data=N,data-len=8`), runs the same loop twice, read with
 * rdinstret and with rdcycle, prints both counts as one JSON line and ends the machine through the
 * test device. Each round is LOOP_LENGTH instructions; what the two reads themselves add is
 * READ_COST.
 */
#include <stdint.h>
#include "bench/bare/bare.h"

#define ROUNDS      ((const volatile uint64_t *)0x81000000)
#define LOOP_LENGTH 5

/* The two reads around the loop: the first read itself is counted, the second is not. */
#define READ_COST 1

/* Runs LOOP_LENGTH * rounds instructions between two reads of csr; rounds must not be 0. */
#define COUNT_LOOP(csr, rounds)                                                                    \
    ({                                                                                             \
        uint64_t before, after, left = (rounds), scratch;                                          \
        __asm__ volatile(".option push\n.option norvc\n.balign 64\n"                               \
                         "csrr %0, " csr "\n"                                                      \
                         "1: addi %3, %2, 3\n"                                                     \
                         "xor %3, %3, %2\n"                                                        \
                         "mul %3, %3, %3\n"                                                        \
                         "addi %2, %2, -1\n"                                                       \
                         "bnez %2, 1b\n"                                                           \
                         "csrr %1, " csr "\n"                                                      \
                         ".option pop"                                                             \
                         : "=&r"(before), "=&r"(after), "+&r"(left), "=&r"(scratch));              \
        after - before;                                                                            \
    })

int main(void)
{
    uint64_t rounds = *ROUNDS;
    if (rounds == 0) {
        sbi_puts("loops: no rounds at 0x81000000; start QEMU with -device loader\n");
        return 1;
    }
    uint64_t instret = COUNT_LOOP("instret", rounds);
    uint64_t cycle = COUNT_LOOP("cycle", rounds);
    sbi_puts("{\"rounds\": ");
    sbi_put_number(rounds);
    sbi_puts(", \"length\": ");
    sbi_put_number(LOOP_LENGTH);
    sbi_puts(", \"read_cost\": ");
    sbi_put_number(READ_COST);
    sbi_puts(", \"instret\": ");
    sbi_put_number(instret);
    sbi_puts(", \"cycle\": ");
    sbi_put_number(cycle);
    sbi_puts("}\n");
    return 0;
}
