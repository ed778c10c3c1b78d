/*
 * The effects in rv64.def against a hart: each instruction runs as machine code (this program is
 * RV64 Linux, under qemu-riscv64) and in the simulator, at edge values of its operands. So the
 * simulator is to be believed where other tests count and check by it. Constants and the little
 * sequences are run as well.
 */
#include "rv64_sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define CODE_SIZE 65536
#define MEMORY    2064 /* bytes on both sides of the address in a2 */

static uint8_t *code;
static struct vcode v;
static uint32_t labels[16];
static struct vcode_reference references[16];
static uint64_t constants[16];
static uint8_t memory[2 * MEMORY] __attribute__((aligned(8))), copy[2 * MEMORY],
    pattern[2 * MEMORY];
static unsigned long runs, failures;

static const uint64_t values[] = {
    0,
    1,
    2,
    3,
    31,
    32,
    63,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x7fffffff,
    0x80000000,
    0xffffffff,
    0x100000000,
    0x8000000000000000u,
    0x7fffffffffffffff,
    0xffffffff80000000u,
    0xffffffffffffffffu,
    0x0123456789abcdef,
    0xfedcba9876543210u,
};
#define VALUES (sizeof values / sizeof *values)

static void start(unsigned isa)
{
    struct vcode_memory m = {code, CODE_SIZE, labels, 16, references, 16, constants, 16};
    vcode_begin(&v, &m, isa, RV_ZERO);
    vcode_start(&v);
}

static void finish(const char *what)
{
    vcode_ret(&v);
    int state = vcode_end(&v, SIZE_MAX);
    if (state != VCODE_DONE) {
        printf("%s: %s\n", what, vcode_strerror(state));
        failures++;
    }
    __builtin___clear_cache((char *)code, (char *)code + v.used);
}

static uint64_t call(uint64_t a, uint64_t b, void *c)
{
    uint64_t (*function)(uint64_t, uint64_t, void *);
    memcpy(&function, &code, sizeof function);
    return function(a, b, c);
}

/* Runs the code in both ways with a in a0, b in a1 and the middle of memory in a2. */
static void compare(const char *what, uint64_t a, uint64_t b)
{
    memcpy(memory, pattern, sizeof memory);
    memcpy(copy, pattern, sizeof copy);
    struct sim_region regions[] = {
        {(uintptr_t)code, code, CODE_SIZE, false},
        {(uintptr_t)memory, copy, sizeof copy, true},
    };
    struct sim sim = {.regions = regions, .region_count = 2, .isa = RV64_ZBA | RV64_ZBB};
    sim.x[RV_A0] = a;
    sim.x[RV_A1] = b;
    sim.x[RV_A2] = (uintptr_t)memory + MEMORY;
    bool returned = sim_call(&sim, (uintptr_t)code, 100);
    uint64_t got = call(a, b, memory + MEMORY);
    runs++;
    if (returned && got == sim.x[RV_A0] && memcmp(memory, copy, sizeof copy) == 0)
        return;
    if (failures++ < 20)
        printf("%s of %" PRIx64 ", %" PRIx64 ": the hart says %" PRIx64 ", the formula %" PRIx64
               "%s%s\n",
               what, a, b, got, sim.x[RV_A0], sim.fault ? ": " : "", sim.fault ? sim.fault : "");
}

static void with_values(const char *what)
{
    finish(what);
    for (unsigned i = 0; i < VALUES * VALUES; i++)
        compare(what, values[i % VALUES], values[i / VALUES]);
}

static void with_immediates(enum rv64_op op)
{
    static const int64_t wide[] = {-2048, -2040, -8, 0, 8, 1024, 2040};
    static const int64_t odd[] = {-1, 1, 2, 2047};
    static const int64_t narrow[] = {0, 1, 7, 16, 31, 32, 63};
    const struct rv64_row *row = &rv64_table[op];
    bool shift = row->format == RV64_SHIFT || row->format == RV64_SHIFTW;
    for (unsigned i = 0; i < 11; i++) {
        if (i >= 7 && row->format != RV64_I)
            break;
        int64_t imm = i >= 7 ? odd[i - 7] : shift ? narrow[i] : wide[i];
        if (row->format == RV64_SHIFTW && imm > 31)
            continue;
        start(row->isa);
        if (row->format == RV64_STORE)
            vcode_store(&v, op, RV_A1, RV_A2, imm);
        else
            vcode_i(&v, op, RV_A0, row->format == RV64_LOAD ? RV_A2 : RV_A0, imm);
        with_values(row->mnemonic);
    }
}

static void branch(enum rv64_op op)
{
    start(0);
    uint32_t taken = vcode_label(&v);
    vcode_branch(&v, op, RV_A0, RV_A1, taken);
    vcode_li(&v, RV_A0, 0);
    vcode_ret(&v);
    vcode_bind(&v, taken);
    vcode_li(&v, RV_A0, 1);
    with_values(rv64_table[op].mnemonic);
}

static void upper(enum rv64_op op)
{
    static const int64_t units[] = {-0x80000, -1, 0, 1, 0x7ffff};
    for (unsigned i = 0; i < 5; i++) {
        start(0);
        vcode_u(&v, op, RV_A0, units[i]);
        finish(rv64_table[op].mnemonic);
        compare(rv64_table[op].mnemonic, 0, 0);
    }
}

/* jal and jalr: there and back, with the link in a0. */
static void jumps(void)
{
    start(0);
    uint32_t there = vcode_label(&v);
    vcode_mv(&v, RV_T0, RV_RA);
    vcode_call(&v, there);
    vcode_mv(&v, RV_A0, RV_T1);
    rv_jalr(&v, RV_ZERO, RV_T0, 0);
    vcode_bind(&v, there);
    vcode_mv(&v, RV_T1, RV_RA);
    with_values("jal, jalr");
}

static void run_row(enum rv64_op op)
{
    const struct rv64_row *row = &rv64_table[op];
    switch (row->format) {
    case RV64_I:
    case RV64_SHIFT:
    case RV64_SHIFTW:
    case RV64_LOAD:
    case RV64_STORE:
        with_immediates(op);
        return;
    case RV64_R:
        start(row->isa);
        vcode_r(&v, op, RV_A0, RV_A0, RV_A1);
        break;
    case RV64_UNARY:
        start(row->isa);
        vcode_unary(&v, op, RV_A0, RV_A0);
        break;
    case RV64_LR:
        start(row->isa);
        vcode_unary(&v, op, RV_A0, RV_A2);
        break;
    case RV64_AMO:
        start(row->isa);
        if (op >= RV_sc_w && op <= RV_sc_d_rl)
            vcode_unary(&v, row->funct3 == 2 ? RV_lr_w : RV_lr_d, RV_A3, RV_A2);
        vcode_r(&v, op, RV_A0, RV_A2, RV_A1);
        break;
    case RV64_U:
        upper(op);
        return;
    case RV64_B:
        branch(op);
        return;
    default: /* jumps; fence has no effect to see, ebreak ends a program */
        return;
    }
    with_values(row->mnemonic);
}

static void equal(const char *what, uint64_t from, uint64_t got, uint64_t expected)
{
    runs++;
    if (got != expected && failures++ < 20)
        printf("%s of %" PRIx64 ": %" PRIx64 " instead of %" PRIx64 "\n", what, from, got,
               expected);
}

/* Constants of all shapes: random bits, shifted up and down, so that there are runs of zeros and of
 * ones. */
static void run_constants(void)
{
    uint64_t state = 1;
    for (unsigned i = 0; i < 8000; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        uint64_t value = (uint64_t)((int64_t)(state ^ state >> 29) >> (state >> 58)) << (i % 64);
        value = i < VALUES ? values[i] : i % 3 ? value : ~value;
        unsigned isa = i % 2 ? RV64_ZBA | RV64_ZBB : 0;
        start(isa);
        if (i % 5)
            vcode_li(&v, RV_A0, value);
        else
            vcode_constant(&v, RV_A0, value);
        equal("instructions", value, v.used <= 4 * vcode_li_count(isa, value), 1);
        finish("constant");
        equal("constant", value, call(0, 0, 0), value);
    }
}

static void run_sequences(void)
{
    for (unsigned i = 0; i < 4 * VALUES; i++) {
        uint64_t a = values[i % VALUES];
        unsigned isa = i < 2 * VALUES ? RV64_ZBA | RV64_ZBB : 0;
        enum rv64_reg from = i / VALUES % 2 ? RV_A0 : RV_A3; /* in place or not */
        for (unsigned bytes = 2; bytes <= 8; bytes *= 2) {
            start(isa);
            vcode_mv(&v, from, RV_A0);
            vcode_swap(&v, RV_A0, from, bytes, RV_A4, RV_A5);
            finish("swap");
            equal("swap", a, call(a, 0, 0), __builtin_bswap64(a) >> (64 - 8 * bytes));
        }
        for (unsigned bits = 1; bits <= 64; bits++) {
            start(isa);
            vcode_mv(&v, from, RV_A0);
            vcode_zext(&v, RV_A0, from, bits);
            finish("zext");
            equal("zext", a, call(a, 0, 0), bits == 64 ? a : a & ((UINT64_C(1) << bits) - 1));
        }
    }
}

int main(void)
{
    code =
        mmap(0, CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code == MAP_FAILED) {
        printf("no memory for code\n");
        return 1;
    }
    for (unsigned i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)(i * 37 + (i >> 8));
    for (enum rv64_op op = 0; op < RV64_OPS; op++)
        run_row(op);
    jumps();
    run_constants();
    run_sequences();
    printf("%d instructions, %lu runs, %lu wrong\n", RV64_OPS, runs, failures);
    return failures ? 1 : 0;
}
