/*
 * What stands before and behind the instructions: prologues, returns, guards, and the ways out of
 * an aborted run.
 */
#include "ash/compile.h"

/* Bytes of machine stack of a function other than the first: ra, and those of r6 to r9 that it
 * writes. */
static unsigned local_frame(const struct ash_compiler *c, unsigned f)
{
    unsigned count = 1;
    for (unsigned i = 6; i <= 9; i++)
        count += c->writes[f] >> i & 1;
    return (8 * count + 15) & ~15u;
}

/* Saves, or restores, what a function other than the first has to keep. */
static void keep(struct ash_compiler *c, unsigned f, bool save)
{
    struct vcode *v = &c->v;
    int at = 0;
    if (save)
        rv_sd(v, RV_RA, RV_SP, at);
    else
        rv_ld(v, RV_RA, RV_SP, at);
    for (unsigned i = 6; i <= 9; i++) {
        if (!(c->writes[f] >> i & 1))
            continue;
        at += 8;
        if (save)
            rv_sd(v, ash_machine(c, i), RV_SP, at);
        else
            rv_ld(v, ash_machine(c, i), RV_SP, at);
    }
}

static void clear_stack(struct ash_compiler *c)
{
    struct vcode *v = &c->v;
    const int step = 64;
    rv_ld(v, ASH_TEMP, ash_role(c, ASH_ROLE_RUN), ASH_RUN(stack_top));
    vcode_li(v, ASH_TEMP2, c->program->stack);
    rv_sub(v, ASH_TEMP2, ASH_TEMP, ASH_TEMP2);
    vcode_bind(v, ASH_LABEL_CLEAR);
    for (int i = 0; i < step; i += 8)
        rv_sd(v, RV_ZERO, ASH_TEMP2, i);
    rv_addi(v, ASH_TEMP2, ASH_TEMP2, step);
    vcode_branch(v, RV_bltu, ASH_TEMP2, ASH_TEMP, ASH_LABEL_CLEAR);
}

static void save_registers(struct ash_compiler *c)
{
    struct vcode *v = &c->v;
    if (!c->frame)
        return;
    rv_addi(v, RV_SP, RV_SP, -(int64_t)c->frame);
    for (unsigned i = 0; i < c->saved_count; i++)
        rv_sd(v, (enum rv64_reg)c->saved[i], RV_SP, 8 * i);
    if (c->calls)
        rv_sd(v, RV_RA, RV_SP, 8 * c->saved_count);
}

static void restore_registers(struct ash_compiler *c)
{
    struct vcode *v = &c->v;
    if (c->frame) {
        for (unsigned i = 0; i < c->saved_count; i++)
            rv_ld(v, (enum rv64_reg)c->saved[i], RV_SP, 8 * i);
        if (c->calls)
            rv_ld(v, RV_RA, RV_SP, 8 * c->saved_count);
        rv_addi(v, RV_SP, RV_SP, c->frame);
    }
    vcode_ret(v);
}

static void load_roles(struct ash_compiler *c)
{
    struct vcode *v = &c->v;
    enum rv64_reg run = ash_role(c, ASH_ROLE_RUN);
    if (ash_has_role(c, ASH_ROLE_DATA))
        rv_ld(v, ash_role(c, ASH_ROLE_DATA), run, ASH_RUN(frame));
    if (ash_has_role(c, ASH_ROLE_DELTA))
        rv_ld(v, ash_role(c, ASH_ROLE_DELTA), run, ASH_RUN_REGION(ASH_REGION_FRAME, delta));
    if (ash_has_role(c, ASH_ROLE_STACK))
        rv_ld(v, ash_role(c, ASH_ROLE_STACK), run, ASH_RUN(stack_top));
    if (ash_has_role(c, ASH_ROLE_FUEL))
        rv_lw(v, ash_role(c, ASH_ROLE_FUEL), run, ASH_RUN(fuel));
}

void ash_emit_prologue(struct ash_compiler *c)
{
    struct vcode *v = &c->v;
    enum rv64_reg run = ash_role(c, ASH_ROLE_RUN);
    save_registers(c);
    vcode_mv(v, run, RV_A0);
    if (c->program->function_count > 1)
        rv_sd(v, RV_SP, run, ASH_RUN(save));
    if (c->program->clear_stack)
        clear_stack(c);
    load_roles(c);
    if (c->program->image.header->event == ASH_EVENT_MEMORY) {
        rv_lwu(v, RV_A1, run, ASH_RUN_REGION(ASH_REGION_WINDOW, low));
        rv_lwu(v, RV_A2, run, ASH_RUN_REGION(ASH_REGION_WINDOW, end));
        rv_sub(v, RV_A2, RV_A2, RV_A1);
    } else if (c->used & 1u << 1) { /* else a1 may have another role */
        ash_write_constant(c, 1, ASH_BASE(ASH_REGION_CONTEXT));
    }
}

void ash_emit_function(struct ash_compiler *c)
{
    rv_addi(&c->v, RV_SP, RV_SP, -(int64_t)local_frame(c, c->function));
    keep(c, c->function, true);
}

void ash_emit_return(struct ash_compiler *c, uint32_t at)
{
    struct vcode *v = &c->v;
    uint64_t value;
    if (ash_known(c, 0, &value))
        vcode_constant(v, ash_machine(c, 0), value);
    if (c->function != 0) {
        keep(c, c->function, false);
        rv_addi(v, RV_SP, RV_SP, local_frame(c, c->function));
        vcode_ret(v);
    } else if (!c->frame && !ash_has_role(c, ASH_ROLE_FUEL)) {
        vcode_ret(v); /* as short as a jump to where it is done */
    } else if (at + 1 != c->insns) {
        vcode_jump(v, ASH_LABEL_EXIT);
    }
}

/*
 * A guard: t0 = address of the machine's memory for the sandbox address in t0, t1 = the
 * instruction. Aborts if size bytes from there are not all in one region, as ash_reach says, and
 * atomic operations also if they are not aligned.
 */
static void emit_guard(struct ash_compiler *c, unsigned kind, unsigned shift)
{
    struct vcode *v = &c->v;
    enum rv64_reg run = ash_role(c, ASH_ROLE_RUN), t = ash_role(c, ASH_ROLE_GUARD);
    const int entry = 4, regions = ASH_RUN(regions);
    _Static_assert(sizeof(struct ash_region) == 16, "entry");
    rv_sw(v, ASH_TEMP2, run, ASH_RUN(abort.insn));
    rv_srli(v, ASH_TEMP2, ASH_TEMP, ASH_REGION_SHIFT);
    rv_addi(v, t, ASH_TEMP2, -ASH_REGIONS);
    vcode_branch(v, RV_bge, t, RV_ZERO, ASH_LABEL_OUTSIDE);
    rv_slli(v, ASH_TEMP2, ASH_TEMP2, entry);
    rv_add(v, ASH_TEMP2, ASH_TEMP2, run);
    rv_lwu(v, t, ASH_TEMP2, regions + (int)offsetof(struct ash_region, low));
    vcode_branch(v, RV_bltu, ASH_TEMP, t, ASH_LABEL_OUTSIDE);
    rv_lwu(v, t, ASH_TEMP2, regions + (int)offsetof(struct ash_region, end));
    rv_addi(v, t, t, -(1 << shift));
    vcode_branch(v, RV_blt, t, ASH_TEMP, ASH_LABEL_OUTSIDE);
    if (kind != ASH_GUARD_LOAD) {
        rv_srli(v, ASH_TEMP2, ASH_TEMP, ASH_REGION_SHIFT);
        rv_lwu(v, t, run, ASH_RUN(read_only));
        rv_srl(v, t, t, ASH_TEMP2);
        rv_andi(v, t, t, 1);
        vcode_branch(v, RV_bne, t, RV_ZERO, ASH_LABEL_READ_ONLY);
    }
    if (kind == ASH_GUARD_ATOMIC) {
        rv_andi(v, t, ASH_TEMP, (1 << shift) - 1);
        vcode_branch(v, RV_bne, t, RV_ZERO, ASH_LABEL_ALIGN);
    }
    if (kind != ASH_GUARD_LOAD) {
        /* modified |= whether the region is the frame's */
        rv_addi(v, t, ASH_TEMP2, -ASH_REGION_FRAME);
        rv_sltiu(v, t, t, 1);
        rv_slli(v, ASH_TEMP2, ASH_TEMP2, entry);
        rv_add(v, ASH_TEMP2, ASH_TEMP2, run);
        rv_ld(v, ASH_TEMP2, ASH_TEMP2, regions + (int)offsetof(struct ash_region, delta));
        rv_add(v, ASH_TEMP, ASH_TEMP, ASH_TEMP2);
        rv_lw(v, ASH_TEMP2, run, ASH_RUN(modified));
        rv_or(v, t, t, ASH_TEMP2);
        rv_sw(v, t, run, ASH_RUN(modified));
    } else {
        rv_ld(v, t, ASH_TEMP2, regions + (int)offsetof(struct ash_region, delta));
        rv_add(v, ASH_TEMP, ASH_TEMP, t);
    }
    vcode_ret(v);
}

void ash_emit_stub(struct ash_compiler *c, uint32_t at)
{
    struct vcode *v = &c->v;
    const struct ash_note *note = &c->program->notes[at];
    bool back = note->flags & ASH_NOTE_BACK;
    bool calls = note->op == ASH_OP_CALL && !(note->flags & ASH_NOTE_IN_PLACE) &&
                 c->program->image.insns[at].imm != ASH_HELPER_HART;
    if (!back && !calls)
        return;
    vcode_bind(v, ash_stub_label(c, at));
    vcode_li(v, ASH_TEMP2, at);
    if (back) {
        vcode_jump(v, ASH_LABEL_FUEL);
    } else {
        rv_sw(v, ASH_TEMP2, ash_role(c, ASH_ROLE_RUN), ASH_RUN(abort.insn));
        vcode_jump(v, ASH_LABEL_ABORTED);
    }
}

static void reason(struct ash_compiler *c, enum ash_label label, enum ash_abort_reason why)
{
    vcode_bind(&c->v, label);
    vcode_li(&c->v, ASH_TEMP2, why);
    if (label != ASH_LABEL_FUEL) /* the last: goes on below */
        vcode_jump(&c->v, ASH_LABEL_ABORT);
}

/* Behind the last stub: guards, and what they and the stubs lead to. */
void ash_emit_tail(struct ash_compiler *c)
{
    struct vcode *v = &c->v;
    if (!c->aborts)
        return;
    enum rv64_reg run = ash_role(c, ASH_ROLE_RUN);
    for (unsigned i = 0; i < ASH_GUARDS; i++) {
        if (c->guards >> i & 1) {
            vcode_bind(v, ASH_LABEL_GUARD + i);
            emit_guard(c, i / 4, i % 4);
        }
    }
    reason(c, ASH_LABEL_OUTSIDE, ASH_ABORT_GUARD);
    reason(c, ASH_LABEL_READ_ONLY, ASH_ABORT_READ_ONLY);
    reason(c, ASH_LABEL_ALIGN, ASH_ABORT_ALIGN);
    vcode_bind(v, ASH_LABEL_FUEL);
    rv_sw(v, ASH_TEMP2, run, ASH_RUN(abort.insn));
    vcode_li(v, ASH_TEMP, 0);
    vcode_li(v, ASH_TEMP2, ASH_ABORT_FUEL);
    vcode_bind(v, ASH_LABEL_ABORT);
    rv_sw(v, ASH_TEMP2, run, ASH_RUN(abort.reason));
    rv_sd(v, ASH_TEMP, run, ASH_RUN(abort.address));
    vcode_bind(v, ASH_LABEL_ABORTED);
    if (c->program->function_count > 1)
        rv_ld(v, RV_SP, run, ASH_RUN(save));
    vcode_li(v, RV_A0, ASH_ABORTED);
    vcode_jump(v, ASH_LABEL_EXIT);
}

void ash_emit_exit(struct ash_compiler *c)
{
    if (!c->frame && !ash_has_role(c, ASH_ROLE_FUEL) && !c->aborts)
        return;
    vcode_bind(&c->v, ASH_LABEL_EXIT);
    if (ash_has_role(c, ASH_ROLE_FUEL))
        rv_sw(&c->v, ash_role(c, ASH_ROLE_FUEL), ash_role(c, ASH_ROLE_RUN), ASH_RUN(fuel));
    restore_registers(c);
}
