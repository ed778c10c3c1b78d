/*
 * The emitter's counterpart, for host tools and tests: instruction words read back. Uses the C
 * library.
 */
#ifndef VCODE_DECODE_H
#define VCODE_DECODE_H

#include "vcode/vcode.h"

/* The row of rv64.def that a word is made by, or RV64_OPS. */
enum rv64_op rv64_decode(uint32_t word);

/* Its immediate, as the effects in rv64.def have it; 0 if it has none. */
int64_t rv64_immediate(enum rv64_op op, uint32_t word);

/* The name of a register (0 to 31) in the calling convention. */
const char *rv64_register(unsigned number);

#define RV64_TEXT 48 /* bytes that rv64_print needs at most */

/*
 * Writes the instruction as assembler text, "lw a0,4(a1)"; the targets of branches and jumps as
 * offsets in the code, where the word stands at offset at. What isn't in rv64.def is ".word 0x...".
 */
void rv64_print(char text[RV64_TEXT], uint32_t word, uint32_t at);

#endif
