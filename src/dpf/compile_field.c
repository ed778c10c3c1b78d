/*
 * One field of the frame: that it is there, its value, and whether that lies in an interval.
 */
#include "dpf/compile_state.h"

#define IMM_MAX 2047

static bool small(int64_t value)
{
    return value >= -IMM_MAX - 1 && value <= IMM_MAX;
}

unsigned compile_constant_cost(uint64_t value)
{
    if (small((int64_t)value))
        return 1;
    return (int64_t)value == (int32_t)value && (value & 0xfff) == 0 ? 1 : 2; /* or from the pool */
}

struct field field_of_trie(const struct trie_node *node)
{
    return (struct field){node->mask, node->offset, node->width, node->level};
}

struct field field_of_dag(const struct compile *c, const struct dpf_node *node)
{
    uint8_t width = node->kind == DPF_LENGTH ? 0 : node->width;
    return (struct field){node->mask, node->offset, width, node->relative ? c->dag.base : 0};
}

void compile_check(struct compile *c, unsigned base, uint32_t end, uint32_t refuse)
{
    struct vcode *v = &c->v;
    if (c->now.known[base] >= end)
        return;
    if (base == 0) {
        vcode_li(v, CONST, end);
        vcode_branch(v, RV_bltu, AVAILABLE, CONST, refuse);
    } else {
        if (!c->now.end)
            rv_add(v, END, FRAME, AVAILABLE);
        c->now.end = true;
        if (small(end)) {
            rv_addi(v, CONST, base_register(base), end);
        } else {
            vcode_li(v, CONST, end);
            rv_add(v, CONST, CONST, base_register(base));
        }
        vcode_branch(v, RV_bltu, END, CONST, refuse);
    }
    c->now.known[base] = end;
}

void compile_check_need(struct compile *c, struct need need, uint32_t refuse)
{
    compile_check(c, 0, need.frame, refuse);
    if (need.based)
        compile_check(c, need.level, need.based, refuse);
}

bool compile_can_load(const struct compile *c, unsigned base, int64_t offset, unsigned bytes)
{
    const struct path *path = &c->now;
    if (offset < 0 || (uint64_t)offset + bytes > path->known[base])
        return false;
    if (misaligned_works(c) || bytes == 1)
        return true;
    return path->align[base] >= bytes && (c->options.residue + (uint64_t)offset) % bytes == 0;
}

int64_t compile_load_place(const struct compile *c, unsigned base, uint32_t offset, unsigned bytes)
{
    int64_t last = (int64_t)c->now.known[base] - bytes;
    if (misaligned_works(c))
        return offset < last ? offset : last;
    return (int64_t)offset - (c->options.residue + offset) % bytes;
}

/* A register and an immediate for offset from base; leaves room for 7 bytes behind it. */
static enum rv64_reg address(struct compile *c, unsigned base, uint32_t offset, int64_t *imm)
{
    *imm = offset;
    if (offset + 7 <= IMM_MAX)
        return base_register(base);
    *imm = offset % 1024;
    vcode_li(&c->v, SLOT, offset - offset % 1024);
    rv_add(&c->v, SLOT, SLOT, base_register(base));
    return SLOT;
}

void compile_load(struct compile *c, unsigned base, uint32_t offset, unsigned bytes, bool sign,
                  enum rv64_reg to)
{
    static const enum rv64_op ops[2][9] = {
        {[1] = RV_lbu, [2] = RV_lhu, [4] = RV_lwu, [8] = RV_ld},
        {[1] = RV_lb, [2] = RV_lh, [4] = RV_lw, [8] = RV_ld},
    };
    int64_t imm;
    enum rv64_reg from = address(c, base, offset, &imm);
    vcode_i(&c->v, ops[sign][bytes], to, from, imm);
}

void compile_mask(struct compile *c, uint64_t mask, uint64_t have)
{
    struct vcode *v = &c->v;
    if ((have & ~mask) == 0)
        return;
    mask &= have;
    unsigned bits = 0;
    while (bits < 64 && mask >> bits & 1)
        bits++;
    if (bits < 64 && mask >> bits == 0 && bits > 11) {
        vcode_zext(v, VALUE, VALUE, bits);
    } else if (small((int64_t)mask)) {
        rv_andi(v, VALUE, VALUE, (int64_t)mask);
    } else {
        vcode_constant(v, CONST, mask);
        rv_and(v, VALUE, VALUE, CONST);
    }
}

struct span span_of(struct field field)
{
    struct span span = {field.offset, field.width, 0};
    while (span.bytes > 1 && !byte_of(field.mask, span.bytes + span.dropped / 8 - 1)) {
        span.offset++;
        span.bytes--;
    }
    while (span.bytes > 1 && !byte_of(field.mask, span.dropped / 8)) {
        span.dropped += 8;
        span.bytes--;
    }
    return span;
}

/* By one load and rev8, if that is possible: what bits VALUE may have then, else 0. */
static uint64_t value_at_once(struct compile *c, unsigned base, struct span span)
{
    for (unsigned bytes = 2; bytes <= 8 && c->v.isa & RV64_ZBB && span.bytes > 1; bytes *= 2) {
        for (int64_t at = (int64_t)span.offset + span.bytes - bytes; at <= span.offset; at++) {
            if (bytes < span.bytes || !compile_can_load(c, base, at, bytes))
                continue;
            unsigned before = (unsigned)(span.offset - at), behind = bytes - before - span.bytes;
            compile_load(c, base, (uint32_t)at, bytes, false, VALUE);
            rv_rev8(&c->v, VALUE, VALUE);
            unsigned down = 64 - 8 * (bytes - behind);
            if (down)
                rv_srli(&c->v, VALUE, VALUE, down);
            return dpf_full(before + span.bytes);
        }
    }
    return 0;
}

/* Byte by byte, without those that the mask takes away. */
static uint64_t value_in_bytes(struct compile *c, unsigned base, struct span span, uint64_t mask)
{
    struct vcode *v = &c->v;
    uint64_t have = 0;
    int64_t imm;
    enum rv64_reg from = address(c, base, span.offset, &imm);
    for (unsigned i = 0; i < span.bytes; i++) {
        unsigned up = 8 * (span.bytes - 1 - i);
        if (!byte_of(mask, span.bytes - 1 - i))
            continue;
        enum rv64_reg to = have ? CONST : VALUE;
        rv_lbu(v, to, from, imm + i);
        if (up)
            rv_slli(v, to, to, up);
        if (have)
            rv_or(v, VALUE, VALUE, CONST);
        have |= UINT64_C(255) << up;
    }
    return have;
}

/* VALUE = the field's value >> dropped; returns dropped. */
static unsigned load_span(struct compile *c, struct field field)
{
    struct span span = span_of(field);
    uint64_t mask = field.mask >> span.dropped;
    uint64_t have = value_at_once(c, field.base, span);
    if (!have)
        have = value_in_bytes(c, field.base, span, mask);
    compile_mask(c, mask, have);
    return span.dropped;
}

void compile_value(struct compile *c, struct field field)
{
    if (field.mask == 0) {
        vcode_li(&c->v, VALUE, 0);
    } else if (field.width == 0) {
        vcode_mv(&c->v, VALUE, LENGTH);
        compile_mask(c, field.mask, UINT64_MAX);
    } else {
        unsigned dropped = load_span(c, field);
        if (dropped)
            rv_slli(&c->v, VALUE, VALUE, dropped);
    }
}

/* A load that has all of span in it: its bytes, at *at; or 0. */
static unsigned load_around(const struct compile *c, unsigned base, struct span span, int64_t *at)
{
    for (unsigned bytes = 1; bytes <= 8; bytes *= 2) {
        *at = compile_load_place(c, base, span.offset, bytes);
        if (*at + bytes >= span.offset + span.bytes && compile_can_load(c, base, *at, bytes))
            return bytes;
    }
    return 0;
}

static uint64_t key_mask(struct span span, uint64_t mask)
{
    uint64_t key = 0;
    for (unsigned i = 0; i < span.bytes; i++)
        key |= (uint64_t)byte_of(mask, span.bytes - 1 - i + span.dropped / 8) << 8 * i;
    return span.bytes == 4 ? (uint64_t)(int64_t)(int32_t)key : key;
}

uint64_t key_of_value(struct field field, uint64_t value)
{
    return field.width ? key_mask(span_of(field), value) : value;
}

/* The bytes one by one; the last with its sign, if it is the fourth. */
static void key_in_bytes(struct compile *c, unsigned base, struct span span)
{
    int64_t imm;
    enum rv64_reg from = address(c, base, span.offset, &imm);
    for (unsigned i = 0; i < span.bytes; i++) {
        enum rv64_reg to = i ? CONST : VALUE;
        vcode_i(&c->v, i == 3 && span.bytes == 4 ? RV_lb : RV_lbu, to, from, imm + i);
        if (i) {
            rv_slli(&c->v, CONST, CONST, 8 * i);
            rv_or(&c->v, VALUE, VALUE, CONST);
        }
    }
}

void compile_key(struct compile *c, struct field field)
{
    struct vcode *v = &c->v;
    struct span span = span_of(field);
    int64_t at;
    if (field.width == 0) {
        compile_value(c, field);
        return;
    }
    unsigned bytes = load_around(c, field.base, span, &at);
    if (bytes) {
        compile_load(c, field.base, (uint32_t)at, bytes, bytes == 4 && span.bytes == 4, VALUE);
        unsigned before = 8 * (unsigned)(span.offset - at);
        unsigned up = 64 - before - 8 * span.bytes;
        if (span.bytes < bytes && up)
            rv_slli(v, VALUE, VALUE, up);
        if (span.bytes < bytes)
            vcode_i(v, span.bytes == 4 ? RV_srai : RV_srli, VALUE, VALUE, 64 - 8 * span.bytes);
    } else {
        key_in_bytes(c, field.base, span);
    }
    uint64_t have = span.bytes == 4 ? UINT64_MAX : dpf_full(span.bytes);
    compile_mask(c, key_mask(span, field.mask), have);
}

void compile_interval(struct compile *c, uint64_t low, uint64_t high, uint64_t mask, uint32_t no)
{
    struct vcode *v = &c->v;
    if (low == 0 && high == mask)
        return;
    if (high == mask && low == (mask & -mask)) {
        vcode_branch(v, RV_beq, VALUE, RV_ZERO, no);
        return;
    }
    if (low == high || low == 0 || high == mask) {
        vcode_constant(v, CONST, low == 0 ? high : low);
        if (low == high)
            vcode_branch(v, RV_bne, VALUE, CONST, no);
        else
            vcode_branch(v, RV_bltu, low == 0 ? CONST : VALUE, low == 0 ? VALUE : CONST, no);
        return;
    }
    if (small((int64_t)-low)) {
        rv_addi(v, VALUE, VALUE, (int64_t)-low);
    } else {
        vcode_constant(v, CONST, low);
        rv_sub(v, VALUE, VALUE, CONST);
    }
    vcode_constant(v, CONST, high - low);
    vcode_branch(v, RV_bltu, CONST, VALUE, no);
}

/* What the new base is known to be a multiple of: the lowest bit that the step can have. */
static unsigned granule(uint64_t mask, int shift)
{
    uint64_t lowest = dpf_shifted(mask & -mask, shift);
    return lowest == 0 || lowest > 8 ? (lowest ? 8 : 1) : (unsigned)lowest;
}

void compile_shift(struct compile *c, struct field field, int shift, unsigned to)
{
    struct vcode *v = &c->v;
    struct path *path = &c->now;
    int by = shift;
    if (field.mask == 0)
        vcode_li(v, VALUE, 0);
    else
        by += (int)load_span(c, field);
    if (by > 0)
        rv_slli(v, VALUE, VALUE, by);
    else if (by < 0)
        rv_srli(v, VALUE, VALUE, -by);
    rv_add(v, base_register(to), base_register(field.base), VALUE);
    unsigned align = field.mask == 0 ? 8 : granule(field.mask, shift);
    path->align[to] = path->align[field.base] < align ? path->align[field.base] : (uint8_t)align;
    path->known[to] = 0;
    compile_uses_base(c, to);
}
