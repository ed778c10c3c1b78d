/*
 * Every instruction at its edge values: the rows of the files in cases, which an oracle in Python
 * wrote, through each engine. Many rows make one program, which stores what comes out. Operands
 * come in three ways, since the compiler treats each differently: loaded with 64 bits (nothing is
 * known of them), loaded with 32 (the 64-bit form of an operation may do), and as constants
 * (computed when compiling). Arguments: the runner, the folder of the files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ash/program.h"
#include "engine.h"
#include "generate.h"
#include "vcode/vcode.h"

static const char *runner, *folder;

enum way { WAY_LOADED, WAY_NARROW, WAY_CONSTANT, WAYS };

#define ROW_SIZE    64 /* bytes of memory for a row: what goes in, and what comes out */
#define ROWS        60 /* in one program */
#define FIELDS      8
#define OPCODE_WIDE 0x18
enum {
    LDXDW = 0x79,
    LDXW = 0x61,
    STXDW = 0x7b,
    MOV = 0xbf,
    MOV_K = 0xb7,
    EXIT = 0x95,
    ADD_K = 0x07
};

struct row {
    unsigned line;
    uint64_t field[FIELDS];
    uint8_t bytes[2][16]; /* fields that hold memory */
};

/* A program that is being put together; r9 is the memory, in steps of ROW_SIZE. */
struct batch {
    struct ash_insn insns[ROWS * 16 + 8];
    uint32_t count;
    uint8_t memory[ROWS * ROW_SIZE];
    uint8_t expected[ROWS * ROW_SIZE];
    uint8_t matters[ROWS * ROW_SIZE]; /* which bytes are compared */
    unsigned lines[ROWS];
    unsigned rows;
};

static void put(struct batch *b, unsigned opcode, unsigned dst, unsigned src, int offset,
                int64_t imm)
{
    b->insns[b->count++] = (struct ash_insn){(uint8_t)opcode, (uint8_t)(src << 4 | dst),
                                             (int16_t)offset, (int32_t)imm};
}

/* Lets a register have a value, in one of the ways; at: where in the row's memory it may come from.
 */
static void put_value(struct batch *b, enum way way, unsigned reg, unsigned at, uint64_t value)
{
    memcpy(b->memory + b->rows * ROW_SIZE + at, &value, sizeof value);
    memcpy(b->expected + b->rows * ROW_SIZE + at, &value, sizeof value);
    if (way == WAY_CONSTANT) {
        put(b, OPCODE_WIDE, reg, 0, 0, (int64_t)(value & UINT32_MAX));
        put(b, 0, 0, 0, 0, (int64_t)(value >> 32));
    } else {
        put(b, way == WAY_NARROW ? LDXW : LDXDW, reg, 9, (int)at, 0);
    }
}

static void want(struct batch *b, unsigned at, const void *bytes, size_t size)
{
    memcpy(b->expected + b->rows * ROW_SIZE + at, bytes, size);
    memset(b->matters + b->rows * ROW_SIZE + at, 1, size);
}

static void want_value(struct batch *b, unsigned at, uint64_t value)
{
    want(b, at, &value, sizeof value);
}

static void begin_batch(struct batch *b)
{
    memset(b, 0, sizeof *b);
    put(b, MOV, 9, 1, 0, 0);
}

static void begin_row(struct batch *b, const struct row *row)
{
    b->lines[b->rows] = row->line;
}

static void end_row(struct batch *b)
{
    put(b, ADD_K, 9, 0, 0, ROW_SIZE);
    b->rows++;
}

static bool add_alu(struct batch *b, const struct row *row, enum way way)
{
    uint64_t opcode = row->field[0], x = row->field[3], y = row->field[4];
    bool is_x = opcode & 8 && (opcode & 0xf7) != 0xd4; /* byte swaps have no source */
    if (way == WAY_NARROW && (x | y) >> 32)
        return false;
    begin_row(b, row);
    put_value(b, way, 3, 0, x);
    if (is_x)
        put_value(b, way, 4, 8, y);
    put(b, (unsigned)opcode, 3, is_x ? 4 : 0, (int)row->field[1], (int64_t)row->field[2]);
    put(b, STXDW, 9, 3, 16, 0);
    want_value(b, 16, row->field[5]);
    end_row(b);
    return true;
}

static bool add_jump(struct batch *b, const struct row *row, enum way way)
{
    uint64_t opcode = row->field[0], x = row->field[2], y = row->field[3];
    if (way == WAY_NARROW && (x | y) >> 32)
        return false;
    begin_row(b, row);
    put_value(b, way, 3, 0, x);
    put_value(b, way, 4, 8, y);
    put(b, MOV_K, 5, 0, 0, 1);
    put(b, (unsigned)opcode, 3, opcode & 8 ? 4 : 0, 1, (int64_t)row->field[1]);
    put(b, MOV_K, 5, 0, 0, 0);
    put(b, STXDW, 9, 5, 16, 0);
    want_value(b, 16, row->field[4]);
    end_row(b);
    return true;
}

static bool add_memory(struct batch *b, const struct row *row, enum way way)
{
    unsigned opcode = (unsigned)row->field[0], class = opcode & 7;
    int offset = (int)row->field[1];
    if (way == WAY_NARROW)
        return false;
    begin_row(b, row);
    memcpy(b->memory + b->rows * ROW_SIZE + 16, row->bytes[0], 16);
    if (class == ASH_CLASS_LDX) {
        put(b, opcode, 3, 9, 16 + offset, 0);
        put(b, STXDW, 9, 3, 32, 0);
        want(b, 16, row->bytes[0], 16);
        want_value(b, 32, row->field[5]);
    } else {
        put_value(b, way, 4, 0, row->field[4]);
        put(b, opcode, 9, class == ASH_CLASS_STX ? 4 : 0, 16 + offset, (int64_t)row->field[2]);
        want(b, 16, row->bytes[1], 16);
    }
    end_row(b);
    return true;
}

static bool add_atomic(struct batch *b, const struct row *row, enum way way)
{
    if (way == WAY_NARROW)
        return false;
    begin_row(b, row);
    put_value(b, way, 0, 0, row->field[3]);
    put_value(b, way, 4, 8, row->field[4]);
    memcpy(b->memory + b->rows * ROW_SIZE + 16, &row->field[2], 8);
    put(b, (unsigned)row->field[0], 9, 4, 16, (int64_t)row->field[1]);
    put(b, STXDW, 9, 0, 24, 0);
    put(b, STXDW, 9, 4, 32, 0);
    want_value(b, 16, row->field[5]);
    want_value(b, 24, row->field[6]);
    want_value(b, 32, row->field[7]);
    end_row(b);
    return true;
}

static const char *const engine_names[] = {"interpreted", "simulated", "under qemu-riscv64"};

static void check_memory(const struct batch *b, const uint8_t *memory, const char *file,
                         const char *engine)
{
    for (size_t i = 0; i < sizeof b->memory; i++)
        if (b->matters[i] && memory[i] != b->expected[i])
            fail_msg("%s:%u, %s: byte %zu of the row is %02x, not %02x", file,
                     b->lines[i / ROW_SIZE], engine, i % ROW_SIZE, memory[i], b->expected[i]);
}

static void run_batch(struct engines *engines, struct batch *b, const char *file, unsigned isa)
{
    static _Alignas(8) uint8_t image[GENERATED_MAX];
    static _Alignas(8) uint8_t memory[sizeof b->memory];
    char trace[JOB_TRACE_MAX];
    put(b, MOV_K, 0, 0, 0, 0);
    put(b, EXIT, 0, 0, 0, 0);
    struct job_request q = {.magic = JOB_MAGIC,
                            .image_size =
                                (uint32_t)make_image(b->insns, b->count, ASH_EVENT_MEMORY, image),
                            .memory_size = sizeof memory,
                            .event = ASH_EVENT_MEMORY,
                            .fuel = JOB_FUEL,
                            .isa = isa};
    for (enum engine e = 0; e < ENGINES; e++) {
        struct job_reply reply;
        memcpy(memory, b->memory, sizeof memory);
        if (!engine_run(engines, e, &q, image, memory, trace, &reply))
            fail_msg("%s:%u, %s: %s", file, b->lines[0], engine_names[e], engines->error);
        if (reply.error || reply.abort.reason)
            fail_msg("%s:%u, %s: refused %d at %u, aborted %u at %u", file, b->lines[0],
                     engine_names[e], reply.error, reply.refused_insn, reply.abort.reason,
                     reply.abort.insn);
        check_memory(b, memory, file, engine_names[e]);
    }
}

static void read_bytes(const char *text, uint8_t bytes[16])
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned byte;
        assert_int_equal(sscanf(text + 2 * i, "%2x", &byte), 1);
        bytes[i] = (uint8_t)byte;
    }
}

/* One line: numbers, or 16 bytes; false if it is a comment. */
static bool read_row(char *line, struct row *row)
{
    unsigned count = 0, memories = 0;
    if (line[0] == '#')
        return false;
    for (char *word = strtok(line, "\t\n"); word; word = strtok(NULL, "\t\n")) {
        assert_true(count < FIELDS);
        if (strlen(word) == 32)
            read_bytes(word, row->bytes[memories++]);
        else if (word[0] == '-')
            row->field[count] = -strtoull(word + 1, NULL, 16);
        else
            row->field[count] = strtoull(word, NULL, 16);
        count++;
    }
    return true;
}

typedef bool add_row(struct batch *batch, const struct row *row, enum way way);

static void run_file(const char *name, add_row *add, enum way way, unsigned isa)
{
    char path[4096], line[256];
    static struct batch batch;
    struct engines engines = {0};
    unsigned number = 0, rows = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    if (!remote_open(&engines.remote, runner))
        fail_msg("%s", engines.remote.error);
    begin_batch(&batch);
    while (fgets(line, sizeof line, file)) {
        struct row row = {.line = ++number};
        if (!read_row(line, &row) || !add(&batch, &row, way))
            continue;
        rows++;
        if (batch.rows == ROWS) {
            run_batch(&engines, &batch, name, isa);
            begin_batch(&batch);
        }
    }
    run_batch(&engines, &batch, name, isa);
    remote_close(&engines.remote);
    fclose(file);
    assert_true(rows > 100);
}

#define FULL (RV64_ZBA | RV64_ZBB | RV64_MISALIGNED)

static void alu_of_loaded_values(void **state)
{
    (void)state;
    run_file("alu.tsv", add_alu, WAY_LOADED, FULL);
}

static void alu_without_bit_extensions(void **state)
{
    (void)state;
    run_file("alu.tsv", add_alu, WAY_LOADED, RV64_MISALIGNED);
}

static void alu_of_values_below_2_to_32(void **state)
{
    (void)state;
    run_file("alu.tsv", add_alu, WAY_NARROW, FULL);
}

static void alu_of_constants(void **state)
{
    (void)state;
    run_file("alu.tsv", add_alu, WAY_CONSTANT, FULL);
}

static void jumps_on_loaded_values(void **state)
{
    (void)state;
    run_file("jump.tsv", add_jump, WAY_LOADED, FULL);
}

static void jumps_on_values_below_2_to_32(void **state)
{
    (void)state;
    run_file("jump.tsv", add_jump, WAY_NARROW, FULL);
}

static void jumps_on_constants(void **state)
{
    (void)state;
    run_file("jump.tsv", add_jump, WAY_CONSTANT, FULL);
}

static void loads_and_stores(void **state)
{
    (void)state;
    run_file("memory.tsv", add_memory, WAY_LOADED, FULL);
    run_file("memory.tsv", add_memory, WAY_CONSTANT, FULL);
}

static void atomic_operations(void **state)
{
    (void)state;
    run_file("atomic.tsv", add_atomic, WAY_LOADED, FULL);
    run_file("atomic.tsv", add_atomic, WAY_CONSTANT, RV64_MISALIGNED);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    runner = argv[1];
    folder = argv[2];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alu_of_loaded_values),
        cmocka_unit_test(alu_without_bit_extensions),
        cmocka_unit_test(alu_of_values_below_2_to_32),
        cmocka_unit_test(alu_of_constants),
        cmocka_unit_test(jumps_on_loaded_values),
        cmocka_unit_test(jumps_on_values_below_2_to_32),
        cmocka_unit_test(jumps_on_constants),
        cmocka_unit_test(loads_and_stores),
        cmocka_unit_test(atomic_operations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
