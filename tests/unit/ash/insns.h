/*
 * BPF instructions as initialisers, for programs in tests.
 */
#ifndef ASH_INSNS_H
#define ASH_INSNS_H

#include "ash/ash.h"

#define INSN(opcode, dst, src, offset, imm)                                                        \
    {                                                                                              \
        (uint8_t)(opcode), (uint8_t)((src) << 4 | (dst)), (int16_t)(offset), (int32_t)(imm)        \
    }

#define MOV_K(dst, imm)   INSN(0xb7, dst, 0, 0, imm)
#define MOV(dst, src)     INSN(0xbf, dst, src, 0, 0)
#define ADD_K(dst, imm)   INSN(0x07, dst, 0, 0, imm)
#define ADD(dst, src)     INSN(0x0f, dst, src, 0, 0)
#define SUB(dst, src)     INSN(0x1f, dst, src, 0, 0)
#define AND_K(dst, imm)   INSN(0x57, dst, 0, 0, imm)
#define AND32_K(dst, imm) INSN(0x54, dst, 0, 0, imm)
#define LSH_K(dst, imm)   INSN(0x67, dst, 0, 0, imm)
#define RSH_K(dst, imm)   INSN(0x77, dst, 0, 0, imm)
#define DIV(dst, src)     INSN(0x3f, dst, src, 0, 0)
#define MOD(dst, src)     INSN(0x9f, dst, src, 0, 0)
#define LDDW(dst, value)                                                                           \
    INSN(0x18, dst, 0, 0, (uint64_t)(value)), INSN(0, 0, 0, 0, (uint64_t)(value) >> 32)
#define LDMAP(dst, map)                   INSN(0x18, dst, 5, 0, map), INSN(0, 0, 0, 0, 0)
#define LDVALUE(dst, map, offset)         INSN(0x18, dst, 6, 0, map), INSN(0, 0, 0, 0, offset)
#define LDXW(dst, src, offset)            INSN(0x61, dst, src, offset, 0)
#define LDXH(dst, src, offset)            INSN(0x69, dst, src, offset, 0)
#define LDXB(dst, src, offset)            INSN(0x71, dst, src, offset, 0)
#define LDXDW(dst, src, offset)           INSN(0x79, dst, src, offset, 0)
#define STXW(dst, src, offset)            INSN(0x63, dst, src, offset, 0)
#define STXH(dst, src, offset)            INSN(0x6b, dst, src, offset, 0)
#define STXB(dst, src, offset)            INSN(0x73, dst, src, offset, 0)
#define STXDW(dst, src, offset)           INSN(0x7b, dst, src, offset, 0)
#define STW(dst, offset, imm)             INSN(0x62, dst, 0, offset, imm)
#define STB(dst, offset, imm)             INSN(0x72, dst, 0, offset, imm)
#define STDW(dst, offset, imm)            INSN(0x7a, dst, 0, offset, imm)
#define ATOMIC_DW(dst, src, offset, kind) INSN(0xdb, dst, src, offset, kind)
#define ATOMIC_W(dst, src, offset, kind)  INSN(0xc3, dst, src, offset, kind)
#define JA(offset)                        INSN(0x05, 0, 0, offset, 0)
#define JEQ_K(dst, imm, offset)           INSN(0x15, dst, 0, offset, imm)
#define JNE_K(dst, imm, offset)           INSN(0x55, dst, 0, offset, imm)
#define JGT_K(dst, imm, offset)           INSN(0x25, dst, 0, offset, imm)
#define JLT_K(dst, imm, offset)           INSN(0xa5, dst, 0, offset, imm)
#define JGT(dst, src, offset)             INSN(0x2d, dst, src, offset, 0)
#define JGE(dst, src, offset)             INSN(0x3d, dst, src, offset, 0)
#define JLT(dst, src, offset)             INSN(0xad, dst, src, offset, 0)
#define JLE(dst, src, offset)             INSN(0xbd, dst, src, offset, 0)
#define JSGT_K(dst, imm, offset)          INSN(0x65, dst, 0, offset, imm)
#define CALL(helper)                      INSN(0x85, 0, 0, 0, helper)
#define CALL_LOCAL(offset)                INSN(0x85, 0, 1, 0, offset)
#define EXIT                              INSN(0x95, 0, 0, 0, 0)

/* r6 = context, r7 = data, r9 = data_end: how programs on frames begin. */
#define FRAME_START MOV(6, 1), LDXW(7, 6, 0), LDXW(9, 6, 4)

#endif
