#include "rv64_sim.h"

#include <string.h>

/* The bits of a word that tell the instruction. */
static uint32_t fixed_bits(enum rv64_format format)
{
    switch (format) {
    case RV64_R:
    case RV64_AMO:
    case RV64_SHIFTW:
        return 0xfe00707f;
    case RV64_SHIFT:
        return 0xfc00707f;
    case RV64_UNARY:
    case RV64_LR:
        return 0xfff0707f;
    case RV64_U:
    case RV64_J:
        return 0x7f;
    case RV64_FIXED:
        return 0xffffffff;
    default:
        return 0x707f;
    }
}

static uint32_t pattern(const struct rv64_row *row)
{
    uint32_t word = row->opcode | (uint32_t)row->funct3 << 12;
    switch (row->format) {
    case RV64_R:
    case RV64_AMO:
    case RV64_LR:
        return word | row->funct << 25;
    case RV64_SHIFT:
    case RV64_SHIFTW:
        return word | row->funct << 26;
    case RV64_UNARY:
        return word | row->funct << 20;
    case RV64_FIXED:
        return row->funct;
    default:
        return word;
    }
}

enum rv64_op sim_decode(uint32_t word)
{
    /* Rows by opcode, as lists; 0 ends one, and is made when first needed. */
    static uint8_t first[128], next[RV64_OPS];
    static bool made;
    for (unsigned op = RV64_OPS; !made && op-- > 0;) {
        next[op] = first[rv64_table[op].opcode];
        first[rv64_table[op].opcode] = (uint8_t)(op + 1);
    }
    made = true;
    for (unsigned op = first[word & 127]; op > 0; op = next[op - 1]) {
        const struct rv64_row *row = &rv64_table[op - 1];
        if ((word & fixed_bits(row->format)) == pattern(row))
            return op - 1;
    }
    return RV64_OPS;
}

static int64_t sign_extend(uint64_t value, unsigned bits)
{
    return (int64_t)(value << (64 - bits)) >> (64 - bits);
}

int64_t sim_immediate(enum rv64_op op, uint32_t w)
{
    switch (rv64_table[op].format) {
    case RV64_I:
    case RV64_LOAD:
    case RV64_JALR:
        return sign_extend(w >> 20, 12);
    case RV64_SHIFT:
    case RV64_SHIFTW:
        return w >> 20 & 63;
    case RV64_STORE:
        return sign_extend(w >> 25 << 5 | (w >> 7 & 31), 12);
    case RV64_B:
        return sign_extend(
            w >> 31 << 12 | (w >> 7 & 1) << 11 | (w >> 25 & 63) << 5 | (w >> 8 & 15) << 1, 13);
    case RV64_U:
        return sign_extend(w & 0xfffff000, 32);
    case RV64_J:
        return sign_extend(w >> 31 << 20 | (w >> 12 & 255) << 12 | (w >> 20 & 1) << 11 |
                               (w >> 21 & 1023) << 1,
                           21);
    default:
        return 0;
    }
}

static bool fault(struct sim *sim, const char *why, uint64_t at)
{
    if (!sim->fault) {
        sim->fault = why;
        sim->fault_at = at;
    }
    return false;
}

static uint8_t *find(struct sim *sim, uint64_t address, size_t size, bool write)
{
    if (!(sim->isa & RV64_MISALIGNED) && address % size)
        fault(sim, "access is not aligned", address);
    for (unsigned i = 0; i < sim->region_count; i++) {
        const struct sim_region *r = &sim->regions[i];
        if (address - r->address < r->size && size <= r->size - (address - r->address) &&
            (r->writable || !write))
            return (uint8_t *)r->bytes + (address - r->address);
    }
    fault(sim, write ? "store outside" : "load outside", address);
    return 0;
}

static uint64_t load(struct sim *sim, uint64_t address, size_t size)
{
    uint64_t value = 0;
    const uint8_t *at = find(sim, address, size, false);
    if (at)
        memcpy(&value, at, size);
    return value;
}

static void store(struct sim *sim, uint64_t address, uint64_t value, size_t size)
{
    uint8_t *at = find(sim, address, size, true);
    if (at)
        memcpy(at, &value, size);
}

static bool conditional(struct sim *sim, uint64_t address, uint64_t value, size_t size)
{
    bool held = sim->reserved == address;
    sim->reserved = 0;
    if (held)
        store(sim, address, value, size);
    return !held;
}

/* The words of rv64.def. */
#define LOAD(type)        (type) load(sim, rs1 + (uint64_t)imm, sizeof(type))
#define STORE(type)       store(sim, rs1 + (uint64_t)imm, rs2, sizeof(type))
#define RESERVE(type)     (sim->reserved = rs1, (type)load(sim, rs1, sizeof(type)))
#define CONDITIONAL(type) conditional(sim, rs1, rs2, sizeof(type))
#define ATOMIC(type, new)                                                                          \
    ({                                                                                             \
        type old = (type)load(sim, rs1, sizeof(type));                                             \
        store(sim, rs1, (uint64_t)(new), sizeof(type));                                            \
        old;                                                                                       \
    })
#define TRAP() fault(sim, "trap", pc)

bool sim_step(struct sim *sim)
{
    if (sim->pc % 4)
        return fault(sim, "pc is not aligned", sim->pc);
    uint32_t word = (uint32_t)load(sim, sim->pc, 4);
    enum rv64_op op = sim_decode(word);
    if (op == RV64_OPS || rv64_table[op].isa & ~sim->isa)
        fault(sim, "unknown instruction", word);
    if (sim->fault)
        return false;
    uint64_t rs1 = sim->x[word >> 15 & 31], rs2 = sim->x[word >> 20 & 31], rd = 0, pc = sim->pc;
    int64_t imm = sim_immediate(op, word);
    switch (op) {
#define RV64(id, mnemonic, format, isa, opcode, funct3, funct, ...)                                \
    case RV_##id:                                                                                  \
        __VA_ARGS__;                                                                               \
        break;
#include "vcode/rv64.def"
#undef RV64
    default:
        break;
    }
    if (sim->fault)
        return false;
    unsigned format = rv64_table[op].format;
    if (format != RV64_STORE && format != RV64_B && format != RV64_FIXED && word >> 7 & 31)
        sim->x[word >> 7 & 31] = rd;
    if (sim->trace && sim->count < sim->trace_size)
        sim->trace[sim->count] = word;
    bool jump = format == RV64_J || format == RV64_JALR || (format == RV64_B && pc != sim->pc);
    sim->pc = jump ? pc : sim->pc + 4;
    sim->count++;
    return true;
}

bool sim_call(struct sim *sim, uint64_t entry, uint64_t limit)
{
    uint64_t kept = 0x0ffc031c; /* sp, gp, tp, s0-s11 */
    uint64_t before[32];
    memcpy(before, sim->x, sizeof before);
    sim->x[0] = 0;
    sim->x[RV_RA] = SIM_RETURN;
    sim->pc = entry;
    for (uint64_t i = 0; sim->pc != SIM_RETURN; i++) {
        if (i == limit)
            return fault(sim, "limit of instructions", sim->pc);
        if (!sim_step(sim))
            return false;
    }
    for (unsigned r = 0; r < 32; r++)
        if (kept >> r & 1 && sim->x[r] != before[r])
            return fault(sim, "a register is not as it was", r);
    return true;
}
