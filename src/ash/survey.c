/*
 * What the code of a program will need: registers, guards, labels.
 */
#include "ash/compile.h"
#include "ash/verify.h"

/* So many accesses load DELTA when they need it; for more it gets a register. */
#define MOVING_MAX 2

bool ash_has_stub(const struct ash_program *program, uint32_t at)
{
    const struct ash_note *note = &program->notes[at];
    return note->flags & ASH_NOTE_REACHED &&
           (note->flags & ASH_NOTE_BACK || note->op == ASH_OP_CALL || note->op == ASH_OP_CMPXCHG);
}

static void need(struct ash_compiler *c, enum ash_role role)
{
    c->roles |= 1u << role;
}

static void survey_access(struct ash_compiler *c, uint32_t at)
{
    const struct ash_note *note = &c->program->notes[at];
    const struct ash_insn *insn = &c->program->image.insns[at];
    unsigned kind = ash_op_kinds[note->op];
    if (note->op == ASH_OP_CMPXCHG)
        need(c, ASH_ROLE_GUARD);
    if (!(note->flags & ASH_NOTE_PROVED)) {
        unsigned guard = kind == ASH_KIND_LOAD     ? ASH_GUARD_LOAD
                         : kind == ASH_KIND_ATOMIC ? ASH_GUARD_ATOMIC
                                                   : ASH_GUARD_STORE;
        c->guards |= 1u << (guard * 4 + ash_lowest(ash_access_size(insn)));
        c->calls = c->aborts = true;
        need(c, ASH_ROLE_GUARD);
        return;
    }
    bool fixed = note->flags & ASH_NOTE_FIXED;
    if (note->place == ASH_AT_FRAME && fixed)
        need(c, ASH_ROLE_DATA);
    if (note->place == ASH_AT_FRAME && !fixed && ++c->moving > MOVING_MAX)
        need(c, ASH_ROLE_DELTA);
    if (note->place == ASH_AT_STACK && fixed)
        need(c, ASH_ROLE_STACK);
    if (!fixed || note->place == ASH_AT_MAP)
        need(c, ASH_ROLE_CACHE);
}

static void survey_call(struct ash_compiler *c, uint32_t at)
{
    const struct ash_note *note = &c->program->notes[at];
    if (note->op == ASH_OP_CALL && note->flags & ASH_NOTE_IN_PLACE) {
        need(c, ASH_ROLE_STACK);
    } else if (note->op == ASH_OP_CALL_LOCAL) {
        c->calls = true;
    } else if (note->op == ASH_OP_CALL && c->program->image.insns[at].imm != ASH_HELPER_HART) {
        c->calls = c->calls_helpers = c->aborts = true;
    }
}

void ash_survey(struct ash_compiler *c, uint32_t at)
{
    const struct ash_note *note = &c->program->notes[at];
    const struct ash_insn *insn = &c->program->image.insns[at];
    if (!(note->flags & ASH_NOTE_REACHED))
        return;
    if (note->flags & ASH_NOTE_TARGET)
        c->target[at] = (uint16_t)c->target_count++;
    if (ash_has_stub(c->program, at))
        c->stub[at] = (uint16_t)c->stub_count++;
    if (note->flags & ASH_NOTE_BACK) {
        need(c, ASH_ROLE_FUEL);
        c->aborts = true;
    }

    unsigned f = ash_function_at(c->program, at), touched = ash_reads(insn, note->op);
    int written = ash_written(insn, note->op);
    if (written >= 0) {
        touched |= ASH_SET(written);
        c->writes[f] |= (uint16_t)ASH_SET(written);
    }
    if (touched & ASH_SET(10) && f != 0)
        need(c, ASH_ROLE_STACK);
    c->used |= (uint16_t)touched;
    switch (ash_op_kinds[note->op]) {
    case ASH_KIND_LOAD:
    case ASH_KIND_STORE:
    case ASH_KIND_STOREX:
    case ASH_KIND_ATOMIC:
        survey_access(c, at);
        break;
    case ASH_KIND_FLOW:
        survey_call(c, at);
        break;
    }
}

/* Registers that a role can have, best first. */
struct pool {
    uint8_t registers[24];
    unsigned count, next;
};

static void offer(struct pool *pool, enum rv64_reg r)
{
    pool->registers[pool->count++] = (uint8_t)r;
}

static const uint8_t saved_registers[] = {RV_S0, RV_S1, RV_S2, RV_S3, RV_S4,  RV_S5,
                                          RV_S6, RV_S7, RV_S8, RV_S9, RV_S10, RV_S11};

static bool is_saved(enum rv64_reg r)
{
    return r == RV_S0 || r == RV_S1 || (r >= RV_S2 && r <= RV_S11);
}

static void assign(struct ash_compiler *c, enum ash_role role, struct pool *pool)
{
    enum rv64_reg r = (enum rv64_reg)pool->registers[pool->next++];
    c->role[role] = (uint8_t)r;
    if (is_saved(r))
        c->saved[c->saved_count++] = (uint8_t)r;
}

/* Roles that are used within one instruction, or that calls of helpers end. */
static bool is_brief(enum ash_role role)
{
    return role == ASH_ROLE_CACHE || role == ASH_ROLE_GUARD;
}

void ash_allocate(struct ash_compiler *c)
{
    struct pool brief = {0}, lasting = {0};
    struct pool *cheap = c->calls_helpers ? &brief : &lasting;
    need(c, ASH_ROLE_RUN);
    for (unsigned i = 6; i <= 9; i++)
        if (c->used & ASH_SET(i))
            need(c, (enum ash_role)(ASH_ROLE_R6 + i - 6));
    if (c->program->image.header->event == ASH_EVENT_MEMORY)
        c->used |= ASH_SET(1) | ASH_SET(2);

    offer(cheap, RV_A6);
    offer(cheap, RV_A7);
    for (unsigned i = 1; i <= 5 && !c->calls_helpers; i++)
        if (!(c->used & ASH_SET(i)))
            offer(cheap, (enum rv64_reg)(RV_A0 + i));
    for (unsigned i = 0; i < sizeof saved_registers; i++)
        offer(&lasting, (enum rv64_reg)saved_registers[i]);

    for (unsigned role = 0; role < ASH_ROLES; role++)
        if (ash_has_role(c, (enum ash_role)role))
            assign(c, (enum ash_role)role, is_brief((enum ash_role)role) ? cheap : &lasting);
    c->frame = (8 * (c->saved_count + c->calls) + 15) & ~15u;
}
