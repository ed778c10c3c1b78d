/*
 * A verified program from inside: decoded instructions, notes of the verifier, functions. Internal
 * to the library.
 */
#ifndef ASH_PROGRAM_H
#define ASH_PROGRAM_H

#include "ash/ash.h"
#include "ash/bits.h"

/* Every row of bpf.def; 0 is no instruction, ASH_OP_SECOND the second unit of a 64-bit load. */
enum ash_op {
    ASH_OP_NONE,
#define ASH_ALU(id, ...)    ASH_OP_##id,
#define ASH_END(id, ...)    ASH_OP_##id,
#define ASH_JUMP(id, ...)   ASH_OP_##id,
#define ASH_LOAD(id, ...)   ASH_OP_##id,
#define ASH_STORE(id, ...)  ASH_OP_##id,
#define ASH_STOREX(id, ...) ASH_OP_##id,
#define ASH_ATOMIC(id, ...) ASH_OP_##id,
#define ASH_WIDE(id, ...)   ASH_OP_##id,
#define ASH_FLOW(id, ...)   ASH_OP_##id,
#include "ash/bpf.def"
    ASH_OP_SECOND,
    ASH_OPS
};

/* What the rows of one kind have in common. */
enum ash_op_kind {
    ASH_KIND_NONE,
    ASH_KIND_ALU,
    ASH_KIND_END,
    ASH_KIND_JUMP,
    ASH_KIND_LOAD,
    ASH_KIND_STORE,
    ASH_KIND_STOREX,
    ASH_KIND_ATOMIC,
    ASH_KIND_WIDE,
    ASH_KIND_FLOW,
};
extern const uint8_t ash_op_kinds[ASH_OPS];

/* Forms of an ALU row. */
#define ASH_K32       1
#define ASH_X32       2
#define ASH_K64       4
#define ASH_X64       8
#define ASH_ALL_FORMS 15

/* RFC 9669 section 3: fields of an opcode and of the register byte. */
#define ASH_CLASS_LD    0
#define ASH_CLASS_LDX   1
#define ASH_CLASS_ST    2
#define ASH_CLASS_STX   3
#define ASH_CLASS_ALU   4
#define ASH_CLASS_JMP   5
#define ASH_CLASS_JMP32 6
#define ASH_CLASS_ALU64 7
#define ASH_SOURCE_X    8
#define ASH_OPCODE_WIDE 0x18

static inline unsigned ash_class(const struct ash_insn *insn)
{
    return insn->opcode & 7;
}

static inline unsigned ash_dst(const struct ash_insn *insn)
{
    return insn->registers & 15;
}

static inline unsigned ash_src(const struct ash_insn *insn)
{
    return insn->registers >> 4;
}

/* Of ALU and jumps: whether the second operand is a register, and whether they compute with 64
 * bits. */
static inline bool ash_is_x(const struct ash_insn *insn)
{
    return insn->opcode & ASH_SOURCE_X;
}

static inline bool ash_is_64(const struct ash_insn *insn)
{
    return ash_class(insn) == ASH_CLASS_ALU64 || ash_class(insn) == ASH_CLASS_JMP;
}

/* Of loads, stores and atomic operations: bytes. The size field is W, H, B, DW. */
static inline unsigned ash_access_size(const struct ash_insn *insn)
{
    return (0x8124u >> (insn->opcode >> 3 & 3) * 4) & 15;
}

/* The unit to which a jump or local call leads; may be outside the program. */
static inline int64_t ash_target(const struct ash_insn *insn, uint32_t at, unsigned op)
{
    return (int64_t)at + 1 +
           (op == ASH_OP_JA32 || op == ASH_OP_CALL_LOCAL ? insn->imm : insn->offset);
}

/* Where an access goes, as far as the verifier knows. */
enum ash_place {
    ASH_AT_ANY, /* anywhere: guarded by its region */
    ASH_AT_CONTEXT,
    ASH_AT_STACK, /* of the function itself */
    ASH_AT_FRAME,
    ASH_AT_MAP, /* note.map */
};

/* Flags of a note. */
#define ASH_NOTE_REACHED 0x01 /* some path leads here */
#define ASH_NOTE_TARGET  0x02 /* a jump leads here, or a function begins */
#define ASH_NOTE_HEAD    0x04 /* and one of those jumps goes back */
#define ASH_NOTE_BACK    0x08 /* is a jump that goes back (or to itself) */
#define ASH_NOTE_PROVED  0x10 /* an access in bounds, allowed and aligned */
#define ASH_NOTE_FIXED   0x20 /* an access at note.fixed behind the start of its place */
#define ASH_NOTE_NARROW                                                                            \
    0x40 /* both operands are below 2^32, and so is the result of the 64-bit form */
#define ASH_NOTE_IN_PLACE 0x80 /* a lookup of which map and place of the key are known */

/* What is known about one instruction. */
struct ash_note {
    uint8_t op;    /* enum ash_op */
    uint8_t place; /* enum ash_place; of accesses */
    uint8_t map; /* of accesses at ASH_AT_MAP, and of lookups IN_PLACE; of trace: which of r3 to r5
                    are to be 0 */
    uint8_t flags; /* ASH_NOTE_* */
    union {
        uint32_t cost; /* BACK: fuel */
        int32_t fixed; /* FIXED: from r10 (stack), data (frame), the map's or context's start;
                          lookup: of its key, from r10 */
    };
};
_Static_assert(sizeof(struct ash_note) == 8, "ash_program_size counts on it");

#define ASH_FUNCTIONS_MAX 64
#define ASH_COST_MAX      0x40000000 /* no path may cost so much */

struct ash_function {
    uint16_t start; /* [start, end) */
    uint16_t end;
    uint16_t needs;   /* set of r1 to r5 that it may read as its caller left them */
    uint8_t depth;    /* functions active at a time from here on */
    bool returns;     /* r0 has a value on each path */
    bool moves_frame; /* it, or a function that it calls, may move the frame's ends */
    uint32_t cost;    /* fuel of its longest path without going back, calls included */
    uint64_t calls;   /* set of the functions that it calls */
};

/* The row of an instruction; or ASH_OP_NONE with error set: OPCODE if there is no such opcode,
   FIELD if another field makes it unknown. */
enum ash_op ash_decode(const struct ash_insn *insn, int *error);

/* Index in bits (helpers.def order) of a helper by its number; ASH_HELPER_COUNT if there is none.
 */
unsigned ash_helper_index(int32_t number);
struct ash_helper_row {
    const char *name;
    int32_t number;
    uint8_t arguments;
    uint16_t cost;
};
extern const struct ash_helper_row ash_helpers[ASH_HELPER_COUNT];
extern ash_helper_function *const ash_helper_functions[ASH_HELPER_COUNT];

/* The effect of an ALU or END row on x and y, of a WIDE row. */
uint64_t ash_alu(unsigned op, bool wide, uint64_t x, uint64_t y);
uint64_t ash_wide_constant(const struct ash_insn *insn, unsigned op);

/* Scratch memory of the compiler. */
size_t ash_compiler_size(uint32_t insns);

/* The function that holds or begins at an instruction. */
unsigned ash_function_at(const struct ash_program *program, uint32_t at);

/*
 * Where size bytes at a sandbox address lie in memory, or null if they are not all in one region
 * and, for a store, in a writable one; then reason, if not null, is set to GUARD or READ_ONLY.
 */
uint8_t *ash_reach(const struct ash_run *run, uint64_t address, uint64_t size, bool store,
                   uint32_t *reason);

#endif
