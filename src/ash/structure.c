/*
 * The first phases of the verifier: lines and text of the image, instructions one by one,
 * functions, jumps and calls.
 */
#include "ash/verify.h"

int ash_check_lines(struct ash_verifier *v, size_t *work)
{
    const struct ash_header *header = v->image.header;
    for (; v->at < header->lines; v->at++, --*work) {
        if (*work == 0)
            return ASH_MORE;
        const struct ash_line *line = &v->image.lines[v->at];
        if (line->insn >= header->insns || line->file >= header->text ||
            (v->at > 0 && line->insn <= line[-1].insn))
            return ash_refuse(v, ASH_E_LINES, ASH_NO_INSN, v->at);
    }
    return ASH_DONE;
}

int ash_check_text(struct ash_verifier *v, size_t *work)
{
    uint32_t size = v->image.header->text;
    for (; v->at < size; v->at++, --*work) {
        if (*work == 0)
            return ASH_MORE;
        char c = v->image.text[v->at];
        if (c != 0 && (c < ' ' || c > '~'))
            return ash_refuse(v, ASH_E_NAME, ASH_NO_INSN, v->at);
    }
    if (size && v->image.text[size - 1] != 0)
        return ash_refuse(v, ASH_E_NAME, ASH_NO_INSN, size);
    return ASH_DONE;
}

/* Remembers that a function begins at an instruction; keeps them in order. */
static int add_function(struct ash_verifier *v, uint32_t start, uint32_t at)
{
    struct ash_program *p = v->program;
    uint32_t i = p->function_count;
    while (i > 0 && p->functions[i - 1].start > start)
        i--;
    if (i > 0 && p->functions[i - 1].start == start)
        return 0;
    if (p->function_count == ASH_FUNCTIONS_MAX)
        return ash_refuse(v, ASH_E_FUNCTIONS, at, ASH_FUNCTIONS_MAX);
    for (uint32_t j = p->function_count++; j > i; j--)
        p->functions[j] = p->functions[j - 1];
    p->functions[i] = (struct ash_function){.start = (uint16_t)start, .returns = true};
    return 0;
}

static int check_registers(struct ash_verifier *v, const struct ash_insn *insn, unsigned op,
                           uint32_t at)
{
    if (ash_dst(insn) >= ASH_REGISTERS)
        return ash_refuse(v, ASH_E_REGISTER, at, ash_dst(insn));
    if (ash_op_kinds[op] != ASH_KIND_WIDE && ash_op_kinds[op] != ASH_KIND_FLOW &&
        ash_src(insn) >= ASH_REGISTERS)
        return ash_refuse(v, ASH_E_REGISTER, at, ash_src(insn));
    if (ash_written(insn, op) == 10)
        return ash_refuse(v, ASH_E_FRAME_POINTER, at, 10);
    return 0;
}

static int check_wide(struct ash_verifier *v, const struct ash_insn *insn, unsigned op, uint32_t at)
{
    const struct ash_insn *next = insn + 1;
    uint32_t map = (uint32_t)insn->imm;
    if (at + 1 == v->insns || next->opcode || next->registers || next->offset)
        return ash_refuse(v, ASH_E_WIDE, at, ash_src(insn));
    if (op == ASH_OP_LDDW)
        return 0;
    if (map >= v->image.header->maps)
        return ash_refuse(v, ASH_E_MAP_INDEX, at, map);
    if (op == ASH_OP_LDMAP ? next->imm != 0
                           : (uint32_t)next->imm >= ash_map_size(&v->image.maps[map]))
        return ash_refuse(v, ASH_E_MAP_INDEX, at, map);
    return 0;
}

static int decode(struct ash_verifier *v, uint32_t at)
{
    const struct ash_insn *insn = &v->image.insns[at];
    int error = 0;
    unsigned op = ash_decode(insn, &error);
    if (op == ASH_OP_NONE && insn->opcode == ASH_OPCODE_WIDE)
        error = ASH_E_WIDE;
    if (op == ASH_OP_NONE)
        return ash_refuse(v, error, at, insn->opcode);
    v->program->notes[at].op = (uint8_t)op;
    if ((error = check_registers(v, insn, op, at)))
        return error;
    if (ash_op_kinds[op] == ASH_KIND_WIDE) {
        if ((error = check_wide(v, insn, op, at)))
            return error;
        v->program->notes[at + 1].op = ASH_OP_SECOND;
    }
    if (op == ASH_OP_CALL_LOCAL) {
        int64_t target = ash_target(insn, at, op);
        if (target < 0 || target >= v->insns)
            return ash_refuse(v, ASH_E_JUMP, at, (uint32_t)target);
        return add_function(v, (uint32_t)target, at);
    }
    return 0;
}

int ash_decode_all(struct ash_verifier *v, size_t *work)
{
    struct ash_program *p = v->program;
    if (v->at == 0) {
        p->function_count = 0;
        add_function(v, 0, 0);
    }
    for (; v->at < v->insns; v->at++, --*work) {
        if (*work == 0)
            return ASH_MORE;
        if (p->notes[v->at].op == ASH_OP_SECOND)
            continue;
        int error = decode(v, v->at);
        if (error)
            return error;
    }
    for (uint32_t i = 0; i < p->function_count; i++) {
        uint32_t end = i + 1 < p->function_count ? p->functions[i + 1].start : v->insns;
        p->functions[i].end = (uint16_t)end;
        p->notes[p->functions[i].start].flags |= ASH_NOTE_TARGET;
    }
    return ASH_DONE;
}

static int check_jump(struct ash_verifier *v, const struct ash_function *f, uint32_t at,
                      int64_t target)
{
    struct ash_note *notes = v->program->notes;
    if (target < 0 || target >= v->insns)
        return ash_refuse(v, ASH_E_JUMP, at, (uint32_t)target);
    if (notes[target].op == ASH_OP_SECOND)
        return ash_refuse(v, ASH_E_JUMP_WIDE, at, (uint32_t)target);
    if (target < f->start || target >= f->end)
        return ash_refuse(v, ASH_E_JUMP_FUNCTION, at, (uint32_t)target);
    notes[target].flags |= ASH_NOTE_TARGET;
    if (target <= at) {
        notes[target].flags |= ASH_NOTE_HEAD;
        notes[at].flags |= ASH_NOTE_BACK;
        v->program->can_abort = true;
    }
    return 0;
}

static int check_call(struct ash_verifier *v, struct ash_function *f, uint32_t at)
{
    int32_t number = v->image.insns[at].imm;
    unsigned helper = ash_helper_index(number);
    if (helper == ASH_HELPER_COUNT || !(v->helpers >> helper & 1))
        return ash_refuse(v, ASH_E_HELPER, at, (uint32_t)number);
    v->program->helpers |= 1u << helper;
    if (helper == ASH_HELPER_BIT_ADJUST_HEAD || helper == ASH_HELPER_BIT_ADJUST_TAIL)
        f->moves_frame = true;
    return 0;
}

static int check_flow(struct ash_verifier *v, struct ash_function *f, uint32_t at)
{
    const struct ash_note *notes = v->program->notes;
    unsigned op = notes[at].op;
    int64_t target = ash_target(&v->image.insns[at], at, op);
    int error = 0;
    if (ash_op_kinds[op] == ASH_KIND_JUMP || op == ASH_OP_JA || op == ASH_OP_JA32) {
        error = check_jump(v, f, at, target);
    } else if (op == ASH_OP_CALL) {
        error = check_call(v, f, at);
    } else if (op == ASH_OP_CALL_LOCAL) {
        if (notes[target].op == ASH_OP_SECOND)
            return ash_refuse(v, ASH_E_JUMP_WIDE, at, (uint32_t)target);
        f->calls |= UINT64_C(1) << ash_function_at(v->program, (uint32_t)target);
    }
    bool leaves = op == ASH_OP_EXIT || op == ASH_OP_JA || op == ASH_OP_JA32;
    if (!error && at + 1 == f->end && !leaves &&
        (f->end == v->insns || notes[f->end].op != ASH_OP_SECOND))
        return ash_refuse(v, ASH_E_FALL_THROUGH, at, f->end);
    return error;
}

int ash_check_jumps(struct ash_verifier *v, size_t *work)
{
    struct ash_program *p = v->program;
    for (; v->at < v->insns; v->at++, --*work) {
        if (*work == 0)
            return ASH_MORE;
        if (v->at == p->functions[v->function].end)
            v->function++;
        int error = check_flow(v, &p->functions[v->function], v->at);
        if (error)
            return error;
    }
    return ASH_DONE;
}

/* Any function that takes part in a recursion: each of those left calls another one of them. */
static uint32_t recursive(const struct ash_program *p, uint64_t left)
{
    unsigned f = ash_lowest(left);
    for (unsigned i = 0; i < ASH_FUNCTIONS_MAX; i++)
        f = ash_lowest(p->functions[f].calls & left);
    return p->functions[f].start;
}

/* Takes from the functions' calls what follows from those of their callees. */
static void inherit(struct ash_program *p, struct ash_function *f)
{
    f->depth = 1;
    for (uint64_t calls = f->calls; calls; calls &= calls - 1) {
        const struct ash_function *callee = &p->functions[ash_lowest(calls)];
        if (callee->depth >= f->depth && f->depth < UINT8_MAX)
            f->depth = (uint8_t)(callee->depth + 1);
        f->moves_frame |= callee->moves_frame;
    }
}

int ash_order_functions(struct ash_verifier *v, size_t *work)
{
    struct ash_program *p = v->program;
    uint64_t left = p->function_count < 64 ? (UINT64_C(1) << p->function_count) - 1 : UINT64_MAX;
    for (unsigned i = 0; i < v->function; i++)
        left &= ~(UINT64_C(1) << v->order[i]);
    for (; left; --*work) {
        if (*work == 0)
            return ASH_MORE;
        unsigned f = 0;
        while (f < p->function_count && (!(left >> f & 1) || p->functions[f].calls & left))
            f++;
        if (f == p->function_count) {
            uint32_t start = recursive(p, left);
            return ash_refuse(v, ASH_E_RECURSION, start, start);
        }
        inherit(p, &p->functions[f]);
        v->order[v->function++] = (uint8_t)f;
        left &= ~(UINT64_C(1) << f);
    }
    if (p->functions[0].depth > ASH_DEPTH_MAX)
        return ash_refuse(v, ASH_E_DEPTH, 0, p->functions[0].depth);
    p->stack = p->functions[0].depth * ASH_STACK_FRAME;
    return ASH_DONE;
}
