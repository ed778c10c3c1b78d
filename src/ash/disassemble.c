/*
 * Instructions as text: their effects, as bpf.def has them, with the operands put in.
 */
#include "ash/trace.h"

static const char *const effects[ASH_OPS] = {
#define ASH_ALU(id, code, offset, forms, effect) [ASH_OP_##id] = #effect,
#define ASH_END(id, opcode, imm, effect)         [ASH_OP_##id] = #effect,
#define ASH_JUMP(id, code, effect)               [ASH_OP_##id] = #effect,
#define ASH_LOAD(id, opcode, type)               [ASH_OP_##id] = #type,
#define ASH_STORE(id, opcode, type)              [ASH_OP_##id] = #type,
#define ASH_STOREX(id, opcode, type)             [ASH_OP_##id] = #type,
#define ASH_ATOMIC(id, imm, fetches, effect)     [ASH_OP_##id] = #effect,
#define ASH_WIDE(id, source, effect)             [ASH_OP_##id] = #effect,
#include "ash/bpf.def"
};

struct operands {
    const char *letter; /* "r", or "w" for the lower half */
    const struct ash_insn *insn;
    const struct ash_insn *next;
};

static void put_register(struct ash_writer *w, const char *letter, unsigned reg)
{
    ash_put(w, letter);
    ash_put_number(w, reg, 10, 1);
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_word(const char *text, size_t length, const char *word)
{
    size_t i = 0;
    while (i < length && word[i] && text[i] == word[i])
        i++;
    return i == length && word[i] == 0;
}

/* A word of a formula: an operand's name stands for the operand, others for themselves. */
static void put_word(struct ash_writer *w, const char *text, size_t length,
                     const struct operands *o)
{
    bool half = o->letter[0] == 'w';
    if (is_word(text, length, "x")) {
        put_register(w, o->letter, ash_dst(o->insn));
    } else if (is_word(text, length, "y") && ash_is_x(o->insn)) {
        put_register(w, o->letter, ash_src(o->insn));
    } else if (is_word(text, length, "y") || is_word(text, length, "imm")) {
        ash_put_signed(w, o->insn->imm);
    } else if (is_word(text, length, "next")) {
        ash_put_signed(w, o->next ? o->next->imm : 0);
    } else if (is_word(text, length, "src")) {
        put_register(w, o->letter, ash_src(o->insn));
    } else if (is_word(text, length, "BITS")) {
        ash_put(w, half ? "32" : "64");
    } else if (is_word(text, length, "U")) {
        ash_put(w, half ? "u32" : "u64");
    } else if (is_word(text, length, "S")) {
        ash_put(w, half ? "s32" : "s64");
    } else {
        while (length--)
            ash_put_char(w, *text++);
    }
}

static void put_effect(struct ash_writer *w, const char *text, const struct operands *o)
{
    while (*text) {
        size_t length = 0;
        while (is_letter(text[length]) || (length && text[length] >= '0' && text[length] <= '9'))
            length++;
        if (length == 0) {
            ash_put_char(w, *text++);
            continue;
        }
        put_word(w, text, length, o);
        text += length;
    }
}

static void put_offset(struct ash_writer *w, int64_t offset)
{
    ash_put(w, offset < 0 ? " - " : " + ");
    ash_put_number(w, offset < 0 ? (uint64_t)-offset : (uint64_t)offset, 10, 1);
}

/* "*(uint32_t *)(r1 + 4)" */
static void put_memory(struct ash_writer *w, const char *type, unsigned reg, int16_t offset)
{
    ash_put(w, "*(");
    ash_put(w, type);
    ash_put(w, " *)(");
    put_register(w, "r", reg);
    put_offset(w, offset);
    ash_put_char(w, ')');
}

static void put_target(struct ash_writer *w, int64_t offset)
{
    ash_put(w, "goto");
    put_offset(w, offset);
}

static void put_wide(struct ash_writer *w, unsigned op, const struct operands *o)
{
    put_register(w, "r", ash_dst(o->insn));
    ash_put(w, " = ");
    if (op == ASH_OP_LDDW) {
        ash_put(w, "0x");
        ash_put_number(
            w, (uint64_t)(uint32_t)(o->next ? o->next->imm : 0) << 32 | (uint32_t)o->insn->imm, 16,
            1);
        return;
    }
    ash_put(w, op == ASH_OP_LDMAP ? "map " : "address of map ");
    ash_put_signed(w, o->insn->imm);
    if (op == ASH_OP_LDVALUE)
        put_offset(w, o->next ? o->next->imm : 0);
}

static void put_flow(struct ash_writer *w, unsigned op, const struct ash_insn *insn)
{
    unsigned helper = ash_helper_index(insn->imm);
    switch (op) {
    case ASH_OP_JA:
        put_target(w, insn->offset);
        break;
    case ASH_OP_JA32:
        put_target(w, insn->imm);
        break;
    case ASH_OP_CALL_LOCAL:
        ash_put(w, "call");
        put_offset(w, insn->imm);
        break;
    case ASH_OP_CALL:
        ash_put(w, "r0 = ");
        ash_put(w, helper < ASH_HELPER_COUNT ? ash_helpers[helper].name : "helper ");
        if (helper == ASH_HELPER_COUNT)
            ash_put_signed(w, insn->imm);
        break;
    default:
        ash_put(w, "return r0");
    }
}

static void put_atomic(struct ash_writer *w, unsigned op, const struct operands *o)
{
    const char *type = ash_access_size(o->insn) == 8 ? "uint64_t" : "uint32_t";
    ash_put(w, "old = ");
    put_memory(w, type, ash_dst(o->insn), o->insn->offset);
    ash_put(w, " = ");
    put_effect(w, effects[op], o);
    if (op >= ASH_OP_FETCH_ADD) {
        ash_put(w, ", ");
        put_register(w, "r", op == ASH_OP_CMPXCHG ? 0 : ash_src(o->insn));
        ash_put(w, " = old");
    }
}

static void put_access(struct ash_writer *w, unsigned op, const struct ash_insn *insn)
{
    switch (ash_op_kinds[op]) {
    case ASH_KIND_LOAD:
        put_register(w, "r", ash_dst(insn));
        ash_put(w, " = ");
        put_memory(w, effects[op], ash_src(insn), insn->offset);
        break;
    case ASH_KIND_STORE:
        put_memory(w, effects[op], ash_dst(insn), insn->offset);
        ash_put(w, " = ");
        ash_put_signed(w, insn->imm);
        break;
    default:
        put_memory(w, effects[op], ash_dst(insn), insn->offset);
        ash_put(w, " = ");
        put_register(w, "r", ash_src(insn));
    }
}

size_t ash_disassemble(const struct ash_insn *insn, const struct ash_insn *next, char *text,
                       size_t size)
{
    struct ash_writer w = {.text = text, .size = size};
    int error = 0;
    unsigned op = ash_decode(insn, &error), kind = ash_op_kinds[op];
    bool half = (kind == ASH_KIND_ALU || kind == ASH_KIND_JUMP) && !ash_is_64(insn);
    struct operands o = {half ? "w" : "r", insn, next};
    switch (kind) {
    case ASH_KIND_NONE:
        ash_put(&w, ash_strerror(error));
        break;
    case ASH_KIND_ALU:
    case ASH_KIND_END:
        put_register(&w, o.letter, ash_dst(insn));
        ash_put(&w, " = ");
        put_effect(&w, effects[op], &o);
        break;
    case ASH_KIND_JUMP:
        ash_put(&w, "if ");
        put_effect(&w, effects[op], &o);
        ash_put_char(&w, ' ');
        put_target(&w, insn->offset);
        break;
    case ASH_KIND_WIDE:
        put_wide(&w, op, &o);
        break;
    case ASH_KIND_FLOW:
        put_flow(&w, op, insn);
        break;
    case ASH_KIND_ATOMIC:
        put_atomic(&w, op, &o);
        break;
    default:
        put_access(&w, op, insn);
    }
    return ash_put_end(&w);
}
