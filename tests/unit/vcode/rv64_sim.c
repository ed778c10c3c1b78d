#include "rv64_sim.h"

#include "vcode/decode.h"

#include <string.h>

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
    enum rv64_op op = rv64_decode(word);
    if (op == RV64_OPS || rv64_table[op].isa & ~sim->isa)
        fault(sim, "unknown instruction", word);
    if (sim->fault)
        return false;
    uint64_t rs1 = sim->x[word >> 15 & 31], rs2 = sim->x[word >> 20 & 31], rd = 0, pc = sim->pc;
    int64_t imm = rv64_immediate(op, word);
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
