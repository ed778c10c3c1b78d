/*
 * vcode: an emitter of RV64 machine code, after "VCODE: A Retargetable, Extensible, Very Fast
 * Dynamic Code Generation System" (Engler, PLDI 1996). What filters and handlers are compiled with
 * when they are downloaded.
 *
 * The caller chooses registers and instructions; vcode encodes them, makes constants, resolves
 * labels and picks the short or the long form of branches. The output is independent of its
 * position: it may be written at one address and executed at another, 8-byte aligned both. What an
 * application's program can make go wrong (too much code, a branch too far) and what only a
 * compiler's bug can (an operand that doesn't fit) both end as an error that sticks in struct vcode
 * until the end, so that no call in between has to be checked.
 *
 * The library is free-standing: no heap, no global state, no recursion; memory for labels,
 * references and constants is the caller's.
 *
 *   vcode_begin(&v, &memory, isa, scratch);
 *   do {
 *       vcode_start(&v);
 *       uint32_t out = vcode_label(&v);
 *       rv_lbu(&v, RV_T0, RV_A0, 23);
 *       vcode_branch(&v, RV_bne, RV_T0, RV_A1, out);
 *       ...
 *       vcode_bind(&v, out);
 *       vcode_ret(&v);
 *       while ((state = vcode_end(&v, 1000)) == VCODE_MORE)
 *           ;
 *   } while (state == VCODE_AGAIN);
 *   if (state < 0) ...                          an error; else the code is v.used bytes at v.code
 */
#ifndef VCODE_VCODE_H
#define VCODE_VCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Registers by the names of the calling convention (RISC-V psABI). A called function may change ra,
 * t0-t6 and a0-a7, keeps sp and s0-s11, and never touches gp and tp. vcode itself changes only the
 * register that an instruction is asked to set, and the scratch register of vcode_begin when a jump
 * goes beyond 1 MiB.
 */
enum rv64_reg {
    RV_ZERO,
    RV_RA,
    RV_SP,
    RV_GP,
    RV_TP,
    RV_T0,
    RV_T1,
    RV_T2,
    RV_S0,
    RV_S1,
    RV_A0,
    RV_A1,
    RV_A2,
    RV_A3,
    RV_A4,
    RV_A5,
    RV_A6,
    RV_A7,
    RV_S2,
    RV_S3,
    RV_S4,
    RV_S5,
    RV_S6,
    RV_S7,
    RV_S8,
    RV_S9,
    RV_S10,
    RV_S11,
    RV_T3,
    RV_T4,
    RV_T5,
    RV_T6,
};

/*
 * Formats: their operands in the order of the encoders' arguments.
 *
 *   R      rd, rs1, rs2
 *   I      rd, rs1, imm      -2048 .. 2047
 *   SHIFT  rd, rs1, imm      0 .. 63
 *   SHIFTW rd, rs1, imm      0 .. 31
 *   LOAD   rd, rs1, imm      -2048 .. 2047: rd = [rs1 + imm]
 *   STORE  rs2, rs1, imm     -2048 .. 2047: [rs1 + imm] = rs2
 *   JALR   rd, rs1, imm      -2048 .. 2047
 *   UNARY  rd, rs1
 *   LR     rd, rs1
 *   AMO    rd, rs1, rs2      rs1 is the address
 *   U      rd, imm           -2^19 .. 2^19 - 1: bits 31..12 of what is added
 *   FIXED  none
 *   B      rs1, rs2, label   by vcode_branch
 *   J      rd, label         by vcode_jump and vcode_call
 */
enum rv64_format {
    RV64_R,
    RV64_I,
    RV64_SHIFT,
    RV64_SHIFTW,
    RV64_LOAD,
    RV64_STORE,
    RV64_JALR,
    RV64_UNARY,
    RV64_LR,
    RV64_AMO,
    RV64_U,
    RV64_FIXED,
    RV64_B,
    RV64_J,
};

/* What a hart can have beyond rv64ima. */
enum rv64_isa {
    RV64_BASE = 0,
    RV64_ZBA = 1,
    RV64_ZBB = 2,
    RV64_MISALIGNED =
        4, /* loads and stores at any address work, and cost as much as aligned ones */
};

enum rv64_op {
#define RV64(id, ...) RV_##id,
#include "vcode/rv64.def"
#undef RV64
    RV64_OPS
};

struct rv64_row {
    const char *mnemonic;
    uint32_t funct;
    uint8_t format; /* enum rv64_format */
    uint8_t isa;    /* enum rv64_isa */
    uint8_t opcode;
    uint8_t funct3;
};
extern const struct rv64_row rv64_table[RV64_OPS];

enum vcode_error {
#define VCODE_ERROR(name, value, sentence) VCODE_E_##name = value,
#include "vcode/errors.def"
#undef VCODE_ERROR
};

/* A sentence for a VCODE_E_*; never null. */
const char *vcode_strerror(int error);

/* A place where a label's address goes, filled in by vcode_end. */
struct vcode_reference {
    uint32_t at;         /* offset in the code */
    uint32_t from;       /* offset from where the distance counts */
    uint32_t label : 27; /* or, of a constant, its number */
    uint32_t kind : 3;
    uint32_t form : 2; /* of a branch or jump: what an earlier pass found to be necessary */
};

/* Memory that the caller gives, and keeps until vcode_end has returned 0 or an error. */
struct vcode_memory {
    void *code; /* 8-byte aligned */
    size_t size;
    uint32_t *labels;
    uint32_t label_count; /* below 2^27 */
    struct vcode_reference *references;
    uint32_t reference_count;
    uint64_t *constants; /* may be null: then constants are made by instructions only */
    uint32_t constant_count;
};

struct vcode {
    uint8_t *code;
    size_t size;
    size_t
        used;  /* bytes emitted; goes on counting behind size, so tells how much would be needed */
    int error; /* the first VCODE_E_*, or 0 */
    unsigned isa;
    enum rv64_reg scratch;
    struct vcode_memory memory;
    uint32_t labels, references, constants; /* in use */
    /* Private to vcode */
    uint32_t known;  /* references whose form is known from an earlier pass */
    uint32_t pool;   /* offset of the constants */
    uint32_t cursor; /* vcode_end: the next constant or reference */
    uint8_t phase;   /* of vcode_end */
    uint8_t passes;  /* begun to end */
    bool grown;      /* a reference needs a longer form: another pass */
};

/*
 * Begins: isa is what the hart has, of enum rv64_isa. scratch is a register that jumps beyond 1 MiB
 * may change, or RV_ZERO: then those are refused with VCODE_E_RANGE.
 */
void vcode_begin(struct vcode *v, const struct vcode_memory *memory, unsigned isa,
                 enum rv64_reg scratch);

/* Starts a pass. Every pass must make the same calls with the same arguments. */
void vcode_start(struct vcode *v);

enum vcode_state { VCODE_DONE, VCODE_MORE, VCODE_AGAIN };

/*
 * Ends a pass: lays the constants behind the code and resolves references, about work of them a
 * call (at least one). Returns VCODE_MORE if it has to be called again, VCODE_AGAIN if a branch
 * turned out to need a longer form: then the caller emits another pass (most code takes one, none
 * more than five), VCODE_DONE with the code complete in its buffer, or the error.
 */
int vcode_end(struct vcode *v, size_t work);

/*
 * Instructions. One function a format; out-of-range operands give VCODE_E_OPERAND, an instruction
 * of another format too, one that the hart lacks VCODE_E_ISA.
 */
void vcode_r(struct vcode *v, enum rv64_op op, enum rv64_reg rd, enum rv64_reg rs1,
             enum rv64_reg rs2); /* R, AMO */
void vcode_i(struct vcode *v, enum rv64_op op, enum rv64_reg rd, enum rv64_reg rs1,
             int64_t imm); /* I, SHIFT, SHIFTW, LOAD, JALR */
void vcode_store(struct vcode *v, enum rv64_op op, enum rv64_reg rs2, enum rv64_reg rs1,
                 int64_t imm); /* STORE */
void vcode_unary(struct vcode *v, enum rv64_op op, enum rv64_reg rd,
                 enum rv64_reg rs1);                                           /* UNARY, LR */
void vcode_u(struct vcode *v, enum rv64_op op, enum rv64_reg rd, int64_t imm); /* U */
void vcode_fixed(struct vcode *v, enum rv64_op op);                            /* FIXED */

/*
 * The same by name, a function a row: rv_add(v, rd, rs1, rs2), rv_ld(v, rd, rs1, imm), rv_sd(v,
 * rs2, rs1, imm), rv_rev8(v, rd, rs1), rv_lui(v, rd, imm), rv_ebreak(v). Branches and jumps: below.
 */
#define RV64_R_ENCODER(id)                                                                         \
    static inline void rv_##id(struct vcode *v, enum rv64_reg rd, enum rv64_reg rs1,               \
                               enum rv64_reg rs2)                                                  \
    {                                                                                              \
        vcode_r(v, RV_##id, rd, rs1, rs2);                                                         \
    }
#define RV64_I_ENCODER(id)                                                                         \
    static inline void rv_##id(struct vcode *v, enum rv64_reg rd, enum rv64_reg rs1, int64_t imm)  \
    {                                                                                              \
        vcode_i(v, RV_##id, rd, rs1, imm);                                                         \
    }
#define RV64_STORE_ENCODER(id)                                                                     \
    static inline void rv_##id(struct vcode *v, enum rv64_reg rs2, enum rv64_reg rs1, int64_t imm) \
    {                                                                                              \
        vcode_store(v, RV_##id, rs2, rs1, imm);                                                    \
    }
#define RV64_UNARY_ENCODER(id)                                                                     \
    static inline void rv_##id(struct vcode *v, enum rv64_reg rd, enum rv64_reg rs1)               \
    {                                                                                              \
        vcode_unary(v, RV_##id, rd, rs1);                                                          \
    }
#define RV64_U_ENCODER(id)                                                                         \
    static inline void rv_##id(struct vcode *v, enum rv64_reg rd, int64_t imm)                     \
    {                                                                                              \
        vcode_u(v, RV_##id, rd, imm);                                                              \
    }
#define RV64_FIXED_ENCODER(id)                                                                     \
    static inline void rv_##id(struct vcode *v)                                                    \
    {                                                                                              \
        vcode_fixed(v, RV_##id);                                                                   \
    }
#define RV64_AMO_ENCODER    RV64_R_ENCODER
#define RV64_SHIFT_ENCODER  RV64_I_ENCODER
#define RV64_SHIFTW_ENCODER RV64_I_ENCODER
#define RV64_LOAD_ENCODER   RV64_I_ENCODER
#define RV64_JALR_ENCODER   RV64_I_ENCODER
#define RV64_LR_ENCODER     RV64_UNARY_ENCODER
#define RV64_B_ENCODER(id)
#define RV64_J_ENCODER(id)
#define RV64(id, mnemonic, format, ...) RV64_##format##_ENCODER(id)
#include "vcode/rv64.def"
#undef RV64

/*
 * Labels. A label is made by vcode_label, bound to the place where the next instruction or datum
 * comes by vcode_bind, and may be referred to before and after that. Branches and jumps take the
 * form that they need: a conditional branch reaches 4 KiB, beyond that it becomes a branch over a
 * jump (1 MiB), and beyond that a jump through the scratch register (2 GiB).
 */
uint32_t vcode_label(struct vcode *v);
void vcode_bind(struct vcode *v, uint32_t label);
/* Whether the label was bound in this pass. */
bool vcode_bound(const struct vcode *v, uint32_t label);
/* Its offset in the code; only after vcode_end returned VCODE_DONE, or if bound. */
uint32_t vcode_offset(const struct vcode *v, uint32_t label);

void vcode_branch(struct vcode *v, enum rv64_op op, enum rv64_reg rs1, enum rv64_reg rs2,
                  uint32_t label);                /* B: if (rs1 op rs2) goto label */
void vcode_jump(struct vcode *v, uint32_t label); /* goto label */
void vcode_call(struct vcode *v, uint32_t label); /* ra = behind this; goto label */
void vcode_address(struct vcode *v, enum rv64_reg rd, uint32_t label); /* rd = address of label */
/*
 * The same in two parts, for code that indexes what lies at label: rd = high part of its address;
 * and instructions that add the low part and addend, as their immediate (a LOAD, or addi). The
 * first returns an anchor for the others. VCODE_E_RANGE if low part and addend don't fit together:
 * vcode_low tells the low part that a label bound at offset would have.
 */
uint32_t vcode_high_part(struct vcode *v, enum rv64_reg rd, uint32_t label);
void vcode_with_low_part(struct vcode *v, enum rv64_op op, enum rv64_reg rd, enum rv64_reg rs1,
                         uint32_t label, uint32_t anchor, int64_t addend);
int64_t vcode_low(size_t offset, uint32_t anchor); /* -2048 .. 2047 */
/* rd = [label], by a LOAD; rd is not RV_ZERO. */
void vcode_load_at(struct vcode *v, enum rv64_op op, enum rv64_reg rd, uint32_t label);

static inline void vcode_ret(struct vcode *v)
{
    rv_jalr(v, RV_ZERO, RV_RA, 0);
}

static inline void vcode_mv(struct vcode *v, enum rv64_reg rd, enum rv64_reg rs)
{
    rv_addi(v, rd, rs, 0);
}

/* rd = value in few instructions, without memory: 1 to 8. */
void vcode_li(struct vcode *v, enum rv64_reg rd, uint64_t value);

/* How many instructions vcode_li takes on a hart with isa. */
unsigned vcode_li_count(unsigned isa, uint64_t value);

/* rd = value: as vcode_li if that takes at most 2 instructions or there is no memory for constants,
   else 2 instructions that load it from the pool behind the code. */
void vcode_constant(struct vcode *v, enum rv64_reg rd, uint64_t value);

/*
 * rd = the low bytes (2, 4 or 8) of rs with their order reversed, zero-extended. One or two
 * instructions with Zbb; else up to 25, which change the two temporaries, which are neither rd nor
 * rs. rd may be rs.
 */
void vcode_swap(struct vcode *v, enum rv64_reg rd, enum rv64_reg rs, unsigned bytes,
                enum rv64_reg temporary, enum rv64_reg temporary2);

/* rd = the low bits (1 .. 64) of rs, zero-extended; one instruction where there is one, else two.
 */
void vcode_zext(struct vcode *v, enum rv64_reg rd, enum rv64_reg rs, unsigned bits);

/* Data between the code: aligned to bytes (4 or 8) with zeros; words; the distance of label from
   origin, which is bound already, as a signed 32-bit number. */
void vcode_align(struct vcode *v, unsigned bytes);
void vcode_word(struct vcode *v, uint32_t value);
void vcode_double(struct vcode *v, uint64_t value);
void vcode_distance(struct vcode *v, uint32_t label, uint32_t origin);
/* Leaves bytes (a multiple of 4) for the caller to fill, before he emits more; null if they don't
 * fit. */
void *vcode_space(struct vcode *v, size_t bytes);

#endif
