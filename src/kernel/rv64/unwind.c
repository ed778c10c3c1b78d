#include "kernel/rv64/unwind.h"

#include <stdbool.h>

#include "kernel/rv64/layout.h"

/*
 * Made by cmake/symbols.py from the linked kernel: functions in ascending order of offset from
 * kernel_start, and their names. The first link has an empty table in their place.
 */
struct symbol {
    uint32_t offset;
    uint32_t name; /* offset into symbol_names */
};
extern const struct symbol symbols[];
extern const uint32_t symbol_count;
extern const char symbol_names[];

extern char kernel_start[], kernel_text_end[];

static const struct symbol *find(uint64_t address)
{
    uint64_t offset = address - (uint64_t)(uintptr_t)kernel_start;
    uint32_t low = 0, high = symbol_count;

    if (address < (uint64_t)(uintptr_t)kernel_start ||
        address >= (uint64_t)(uintptr_t)kernel_text_end)
        return NULL;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (symbols[middle].offset <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &symbols[low - 1] : NULL;
}

const char *symbol_at(uint64_t address, uint64_t *offset)
{
    const struct symbol *symbol = find(address);

    if (!symbol)
        return NULL;
    *offset = address - (uint64_t)(uintptr_t)kernel_start - symbol->offset;
    return symbol_names + symbol->name;
}

/* What an instruction does to a frame, as far as unwinding cares. */
struct effect {
    int64_t sp_down; /* bytes by which it lowers sp */
    int64_t ra_at;   /* offset from sp where it stores ra, or -1 */
};

/* Unprivileged ISA: addi sp, sp, imm; sd ra, imm(sp); c.addi16sp; c.addi sp; c.sdsp ra. */
static struct effect decode(uint32_t insn)
{
    struct effect effect = {0, -1};
    int32_t imm_i = (int32_t)insn >> 20;

    if ((insn & 0xfffff) == 0x10113) {
        effect.sp_down = -imm_i;
    } else if ((insn & 0x1fff07f) == 0x113023) {
        effect.ra_at = (int64_t)((insn >> 25) << 5 | (insn >> 7 & 31));
    } else if ((insn & 0xef83) == 0x6101) {
        uint32_t imm = (insn >> 3 & 0x200) | (insn >> 2 & 0x10) | (insn << 1 & 0x40) |
                       (insn << 4 & 0x180) | (insn << 3 & 0x20);
        effect.sp_down = -((int64_t)(imm << 22) << 32 >> 54);
    } else if ((insn & 0xef83) == 0x0101) {
        uint32_t imm = (insn >> 7 & 0x20) | (insn >> 2 & 0x1f);
        effect.sp_down = -((int64_t)imm << 58 >> 58);
    } else if ((insn & 0xe07f) == 0xe006) {
        effect.ra_at = (insn >> 7 & 0x38) | (insn >> 1 & 0x1c0);
    }
    return effect;
}

static bool on_stack(uint64_t address, uint64_t low, uint64_t high)
{
    return address % 8 == 0 && address >= low && address + 8 <= high;
}

size_t unwind(uint64_t pc, uint64_t sp, uint64_t ra, uint64_t stack_low, uint64_t stack_high,
              uint64_t *trace, size_t most)
{
    size_t length = 0;
    bool innermost = true;

    while (length < most) {
        const struct symbol *function = find(innermost ? pc : pc - 1);
        if (pc == 0)
            break; /* where run_on_stack began */
        trace[length++] = pc;
        if (!function) {
            if (!innermost)
                break;
            pc = ra; /* a jump to nowhere: the frame is still its caller's */
            innermost = false;
            continue;
        }
        int64_t size = 0, ra_at = -1;
        uint64_t at = (uint64_t)(uintptr_t)kernel_start + function->offset;
        while (at < pc) {
            const uint16_t *half = (const uint16_t *)at;
            bool wide = (half[0] & 3) == 3;
            struct effect e = decode(wide ? half[0] | (uint32_t)half[1] << 16 : half[0]);
            if (e.sp_down >
                0) { /* epilogues on the way raise it: they return, so pc is not behind them */
                size += e.sp_down;
                if (ra_at >= 0)
                    ra_at += e.sp_down;
            }
            if (e.ra_at >= 0 && ra_at < 0)
                ra_at = e.ra_at;
            at += wide ? 4 : 2;
        }
        if (ra_at >= 0) {
            if (!on_stack(sp + (uint64_t)ra_at, stack_low, stack_high))
                break;
            ra = *(const uint64_t *)(sp + (uint64_t)ra_at);
        } else if (!innermost) {
            break; /* a caller that didn't save ra: the bottom */
        }
        sp += (uint64_t)size;
        pc = ra;
        innermost = false;
    }
    return length;
}
