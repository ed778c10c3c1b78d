/*
 * Loads, stores and atomic operations. A proved access goes to a base register that holds the
 * address in the machine's memory; another one calls the guard that translates its address.
 */
#include "ash/compile.h"

/* An address of the machine's memory. */
struct place {
    enum rv64_reg base;
    int64_t offset;
};

static bool fits_12(int64_t value)
{
    return value >= -2048 && value < 2048;
}

/* Makes CACHE hold the address that a register, or (NO_REGISTER) a map's start, has in a place. */
static enum rv64_reg translate(struct ash_compiler *c, const struct ash_note *note, unsigned reg)
{
    struct vcode *v = &c->v;
    struct ash_cache *cache = &c->cache;
    enum rv64_reg to = ash_role(c, ASH_ROLE_CACHE), run = ash_role(c, ASH_ROLE_RUN);
    unsigned region = ASH_REGION_MAP + note->map;
    if (cache->valid && cache->reg == reg && cache->place == note->place && cache->map == note->map)
        return to;

    if (reg == ASH_NO_REGISTER) {
        rv_ld(v, to, run, ASH_RUN_REGION(region, delta));
        vcode_li(v, ASH_TEMP, ASH_BASE(region));
        rv_add(v, to, to, ASH_TEMP);
    } else {
        enum rv64_reg from = ash_fetch(c, reg, ASH_TEMP);
        if (note->place == ASH_AT_FRAME && ash_has_role(c, ASH_ROLE_DELTA)) {
            rv_add(v, to, from, ash_role(c, ASH_ROLE_DELTA));
        } else {
            if (note->place != ASH_AT_MAP)
                region = note->place == ASH_AT_STACK ? ASH_REGION_STACK : ASH_REGION_FRAME;
            rv_ld(v, to, run, ASH_RUN_REGION(region, delta));
            rv_add(v, to, to, from);
        }
    }
    *cache = (struct ash_cache){true, note->place, note->map, (uint8_t)reg};
    return to;
}

/* The address of a proved access; reg and offset are those of the instruction. */
static struct place proved(struct ash_compiler *c, const struct ash_note *note, unsigned reg,
                           int64_t offset)
{
    if (!(note->flags & ASH_NOTE_FIXED))
        return (struct place){translate(c, note, reg), offset};
    switch (note->place) {
    case ASH_AT_CONTEXT:
        return (struct place){ash_role(c, ASH_ROLE_RUN), ASH_RUN(md) + note->fixed};
    case ASH_AT_STACK:
        return (struct place){ash_role(c, ASH_ROLE_STACK), note->fixed};
    case ASH_AT_FRAME:
        return (struct place){ash_role(c, ASH_ROLE_DATA), note->fixed};
    default:
        return (struct place){translate(c, note, ASH_NO_REGISTER), note->fixed};
    }
}

/* Calls the guard for an access; the address is in t0 then. Changes t0, t1 and GUARD. */
static struct place guarded(struct ash_compiler *c, uint32_t at, unsigned guard, unsigned reg,
                            int64_t offset)
{
    struct vcode *v = &c->v;
    unsigned size = ash_access_size(&c->program->image.insns[at]);
    enum rv64_reg from = ash_fetch(c, reg, ASH_TEMP);
    if (fits_12(offset)) {
        rv_addi(v, ASH_TEMP, from, offset);
    } else {
        vcode_li(v, ASH_TEMP2, (uint64_t)offset);
        rv_add(v, ASH_TEMP, from, ASH_TEMP2);
    }
    vcode_li(v, ASH_TEMP2, at);
    vcode_call(v, ASH_LABEL_GUARD + guard * 4 + ash_lowest(size));
    return (struct place){ASH_TEMP, 0};
}

/* Notes that the frame is changed, for the caller of an aborted run. Guards do that themselves. */
static void mark(struct ash_compiler *c, const struct ash_note *note)
{
    if (!c->program->can_abort || c->marked || note->place != ASH_AT_FRAME ||
        !(note->flags & ASH_NOTE_PROVED))
        return;
    vcode_li(&c->v, ASH_TEMP, 1);
    rv_sw(&c->v, ASH_TEMP, ash_role(c, ASH_ROLE_RUN), ASH_RUN(modified));
    c->marked = true;
}

static struct place locate(struct ash_compiler *c, uint32_t at, unsigned guard, unsigned reg)
{
    const struct ash_note *note = &c->program->notes[at];
    int64_t offset = c->program->image.insns[at].offset;
    struct place p = note->flags & ASH_NOTE_PROVED ? proved(c, note, reg, offset)
                                                   : guarded(c, at, guard, reg, offset);
    if (!fits_12(p.offset)) {
        vcode_li(&c->v, ASH_TEMP, (uint64_t)p.offset);
        rv_add(&c->v, ASH_TEMP, ASH_TEMP, p.base);
        p = (struct place){ASH_TEMP, 0};
    }
    return p;
}

static enum rv64_op load_form(unsigned op)
{
    switch (op) {
    case ASH_OP_LDXB:
        return RV_lbu;
    case ASH_OP_LDXH:
        return RV_lhu;
    case ASH_OP_LDXW:
        return RV_lwu;
    case ASH_OP_LDXSB:
        return RV_lb;
    case ASH_OP_LDXSH:
        return RV_lh;
    case ASH_OP_LDXSW:
        return RV_lw;
    default:
        return RV_ld;
    }
}

static enum rv64_op store_form(unsigned size)
{
    return size == 1 ? RV_sb : size == 2 ? RV_sh : size == 4 ? RV_sw : RV_sd;
}

void ash_emit_access(struct ash_compiler *c, uint32_t at)
{
    const struct ash_insn *insn = &c->program->image.insns[at];
    const struct ash_note *note = &c->program->notes[at];
    if (ash_op_kinds[note->op] == ASH_KIND_LOAD) {
        struct place p = locate(c, at, ASH_GUARD_LOAD, ash_src(insn));
        vcode_i(&c->v, load_form(note->op), ash_write(c, ash_dst(insn)), p.base, p.offset);
        return;
    }
    mark(c, note);
    struct place p = locate(c, at, ASH_GUARD_STORE, ash_dst(insn));
    enum rv64_reg value = ash_op_kinds[note->op] == ASH_KIND_STORE
                              ? ash_constant_in(c, (uint64_t)insn->imm, ASH_TEMP2)
                              : ash_fetch(c, ash_src(insn), ASH_TEMP2);
    vcode_store(&c->v, store_form(ash_access_size(insn)), value, p.base, p.offset);
}

static enum rv64_op amo(unsigned op, bool wide)
{
    static const struct {
        uint8_t op;
        uint8_t word, wide;
    } table[] = {
        {ASH_OP_ATOMIC_ADD, RV_amoadd_w, RV_amoadd_d},
        {ASH_OP_ATOMIC_OR, RV_amoor_w, RV_amoor_d},
        {ASH_OP_ATOMIC_AND, RV_amoand_w, RV_amoand_d},
        {ASH_OP_ATOMIC_XOR, RV_amoxor_w, RV_amoxor_d},
        {ASH_OP_FETCH_ADD, RV_amoadd_w_aqrl, RV_amoadd_d_aqrl},
        {ASH_OP_FETCH_OR, RV_amoor_w_aqrl, RV_amoor_d_aqrl},
        {ASH_OP_FETCH_AND, RV_amoand_w_aqrl, RV_amoand_d_aqrl},
        {ASH_OP_FETCH_XOR, RV_amoxor_w_aqrl, RV_amoxor_d_aqrl},
        {ASH_OP_XCHG, RV_amoswap_w_aqrl, RV_amoswap_d_aqrl},
    };
    for (unsigned i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].op == op)
            return (enum rv64_op)(wide ? table[i].wide : table[i].word);
    return RV_ebreak;
}

/* if ([address] == r0) [address] = source; r0 = what was there. The compared value has its sign
 * extended, as lr.w does it. */
static void emit_compare(struct ash_compiler *c, uint32_t at, bool wide, enum rv64_reg address,
                         unsigned source)
{
    struct vcode *v = &c->v;
    uint32_t again = ash_stub_label(c, at), out = again + 1;
    enum rv64_reg failed = ash_role(c, ASH_ROLE_GUARD);
    enum rv64_reg expected = ash_fetch(c, 0, ASH_TEMP2);
    if (wide)
        vcode_mv(v, ASH_TEMP2, expected);
    else
        rv_addiw(v, ASH_TEMP2, expected, 0);
    enum rv64_reg new = ASH_TEMP2, old = ash_machine(c, 0);
    if (source != 0 && source != 10)
        new = ash_fetch(c, source, ASH_TEMP);
    ash_write(c, 0);
    vcode_bind(v, again);
    if (source == 10)
        new = ash_fetch(c, 10, failed);
    vcode_unary(v, wide ? RV_lr_d_aqrl : RV_lr_w_aqrl, old, address);
    vcode_branch(v, RV_bne, old, ASH_TEMP2, out);
    vcode_r(v, wide ? RV_sc_d_rl : RV_sc_w_rl, failed, address, new);
    vcode_branch(v, RV_bne, failed, RV_ZERO, again);
    vcode_bind(v, out);
    if (!wide)
        vcode_zext(v, old, old, 32);
}

void ash_emit_atomic(struct ash_compiler *c, uint32_t at)
{
    const struct ash_insn *insn = &c->program->image.insns[at];
    const struct ash_note *note = &c->program->notes[at];
    bool wide = ash_access_size(insn) == 8, fetches = note->op >= ASH_OP_FETCH_ADD;
    unsigned source = ash_src(insn);
    mark(c, note);
    struct place p = locate(c, at, ASH_GUARD_ATOMIC, ash_dst(insn));
    if (p.offset) {
        rv_addi(&c->v, ASH_TEMP, p.base, p.offset);
        p.base = ASH_TEMP;
    }
    if (note->op == ASH_OP_CMPXCHG) {
        emit_compare(c, at, wide, p.base, source);
        return;
    }
    enum rv64_reg value = ash_fetch(c, source, ASH_TEMP2);
    enum rv64_reg old = fetches ? ash_write(c, source) : RV_ZERO;
    vcode_r(&c->v, amo(note->op, wide), old, p.base, value);
    if (fetches && !wide)
        vcode_zext(&c->v, old, old, 32);
}
