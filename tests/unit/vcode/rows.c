/*
 * Prints what the encoders make of each row of rv64.def at edge operands: a line a word,
 * "word<TAB>what a disassembler should read". rows_test.py holds it against objdump.
 */
#include "vcode/decode.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS (1u << 18)

static const enum rv64_reg edges[] = {RV_ZERO, RV_RA, RV_S0, RV_A0, RV_S2, RV_T6};
#define EDGES (sizeof edges / sizeof *edges)

static uint32_t code[WORDS];
static char *expected[WORDS];
static uint32_t labels[4096];
static struct vcode_reference references[4096];
static struct vcode v;

/* Says what the word emitted next should read as. */
__attribute__((format(printf, 1, 2))) static void expect(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (v.used / 4 < WORDS && vasprintf(&expected[v.used / 4], format, arguments) < 0)
        exit(1);
    va_end(arguments);
}

static void registers(enum rv64_op op)
{
    const struct rv64_row *row = &rv64_table[op];
    for (unsigned i = 0; i < EDGES * EDGES * EDGES; i++) {
        enum rv64_reg d = edges[i % EDGES], a = edges[i / EDGES % EDGES],
                      b = edges[i / EDGES / EDGES];
        expect(row->format == RV64_AMO ? "%s %s,%s,(%s)" : "%s %s,%s,%s", row->mnemonic,
               rv64_register(d), rv64_register(row->format == RV64_AMO ? b : a),
               rv64_register(row->format == RV64_AMO ? a : b));
        vcode_r(&v, op, d, a, b);
    }
}

static void immediates(enum rv64_op op)
{
    static const int64_t wide[] = {-2048, -2047, -1, 0, 1, 5, 1024, 2047};
    static const int64_t narrow[] = {0, 1, 15, 16, 30, 31, 32, 63};
    const struct rv64_row *row = &rv64_table[op];
    bool shift = row->format == RV64_SHIFT || row->format == RV64_SHIFTW;
    for (unsigned i = 0; i < EDGES * EDGES * 8; i++) {
        enum rv64_reg d = edges[i % EDGES], a = edges[i / EDGES % EDGES];
        int64_t imm = shift ? narrow[i / EDGES / EDGES] : wide[i / EDGES / EDGES];
        if (row->format == RV64_SHIFTW && imm > 31)
            continue;
        if (shift)
            expect("%s %s,%s,0x%" PRIx64, row->mnemonic, rv64_register(d), rv64_register(a), imm);
        else if (row->format == RV64_I)
            expect("%s %s,%s,%" PRId64, row->mnemonic, rv64_register(d), rv64_register(a), imm);
        else
            expect("%s %s,%" PRId64 "(%s)", row->mnemonic, rv64_register(d), imm, rv64_register(a));
        if (row->format == RV64_STORE)
            vcode_store(&v, op, d, a, imm);
        else
            vcode_i(&v, op, d, a, imm);
    }
}

static void pairs(enum rv64_op op)
{
    for (unsigned i = 0; i < EDGES * EDGES; i++) {
        enum rv64_reg d = edges[i % EDGES], a = edges[i / EDGES];
        expect(rv64_table[op].format == RV64_LR ? "%s %s,(%s)" : "%s %s,%s",
               rv64_table[op].mnemonic, rv64_register(d), rv64_register(a));
        vcode_unary(&v, op, d, a);
    }
}

static void uppers(enum rv64_op op)
{
    static const int32_t units[] = {-0x80000, -1, 0, 1, 0x12345, 0x7ffff};
    for (unsigned i = 0; i < EDGES * 6; i++) {
        expect("%s %s,0x%x", rv64_table[op].mnemonic, rv64_register(edges[i % EDGES]),
               (unsigned)units[i / EDGES] & 0xfffff);
        vcode_u(&v, op, edges[i % EDGES], units[i / EDGES]);
    }
}

static void fill(unsigned words)
{
    while (words-- > 0) {
        expect("ebreak");
        rv_ebreak(&v);
    }
}

/* A branch (or jump, if op has no operands but a label) over a distance in bytes, forward or
 * backward. */
static void branch(enum rv64_op op, enum rv64_reg a, enum rv64_reg b, int distance)
{
    uint32_t label = vcode_label(&v);
    if (distance <= 0) {
        vcode_bind(&v, label);
        fill((unsigned)-distance / 4);
    }
    uint64_t target = v.used + (uint64_t)(int64_t)distance;
    if (rv64_table[op].format == RV64_B) {
        expect("%s %s,%s,%" PRIx64, rv64_table[op].mnemonic, rv64_register(a), rv64_register(b),
               target);
        vcode_branch(&v, op, a, b, label);
    } else if (a == RV_RA) {
        expect("%s ra,%" PRIx64, rv64_table[op].mnemonic, target);
        vcode_call(&v, label);
    } else {
        expect("%s zero,%" PRIx64, rv64_table[op].mnemonic, target);
        vcode_jump(&v, label);
    }
    if (distance > 0) {
        fill((unsigned)distance / 4 - 1);
        vcode_bind(&v, label);
    }
}

static void branches(enum rv64_op op)
{
    static const int distances[] = {-4096, -2052, -4, 0, 4, 8, 32, 1024, 2044, 2048, 4092};
    for (unsigned i = 0; i < EDGES * EDGES; i++)
        branch(op, edges[i % EDGES], edges[i / EDGES], 8);
    for (unsigned i = 0; i < sizeof distances / sizeof *distances; i++)
        branch(op, RV_A0, RV_T6, distances[i]);
}

static void jumps(enum rv64_op op)
{
    static const int distances[] = {-32768, -4096, -4, 0, 4, 2044, 2048, 4096, 65536};
    for (unsigned i = 0; i < sizeof distances / sizeof *distances; i++) {
        branch(op, RV_RA, 0, distances[i]);
        branch(op, RV_ZERO, 0, distances[i]);
    }
}

static void fixed(enum rv64_op op)
{
    expect(op == RV_fence ? "fence rw,rw" : "%s", rv64_table[op].mnemonic);
    vcode_fixed(&v, op);
}

static void row(enum rv64_op op)
{
    static void (*const print[])(enum rv64_op) = {
        [RV64_R] = registers,      [RV64_AMO] = registers,     [RV64_I] = immediates,
        [RV64_SHIFT] = immediates, [RV64_SHIFTW] = immediates, [RV64_LOAD] = immediates,
        [RV64_STORE] = immediates, [RV64_JALR] = immediates,   [RV64_UNARY] = pairs,
        [RV64_LR] = pairs,         [RV64_U] = uppers,          [RV64_FIXED] = fixed,
        [RV64_B] = branches,       [RV64_J] = jumps,
    };
    print[rv64_table[op].format](op);
}

int main(void)
{
    struct vcode_memory memory = {code, sizeof code, labels, 4096, references, 4096, 0, 0};
    vcode_begin(&v, &memory, RV64_ZBA | RV64_ZBB, RV_ZERO);
    vcode_start(&v);
    for (enum rv64_op op = 0; op < RV64_OPS; op++)
        row(op);
    if (v.used % 8)
        fill(1);
    int state = vcode_end(&v, SIZE_MAX);
    if (state != VCODE_DONE) {
        fprintf(stderr, "rows: the emitter says: %s\n", vcode_strerror(state));
        return 1;
    }
    for (unsigned i = 0; i < v.used / 4; i++) {
        enum rv64_op op = rv64_decode(code[i]);
        const char *name = op < RV64_OPS ? rv64_table[op].mnemonic : "nothing";
        if (!expected[i] || strncmp(name, expected[i], strlen(name)) != 0) {
            fprintf(stderr, "rows: word %u, %s, is read back as %s\n", i, expected[i], name);
            return 1;
        }
        printf("%08x\t%s\n", code[i], expected[i]);
    }
    return 0;
}
