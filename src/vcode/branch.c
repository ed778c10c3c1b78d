/*
 * Labels, the references to them, and the forms of branches.
 *
 * A reference backward is final when it is emitted. One forward is noted, with space for the
 * shortest form that an earlier pass hasn't ruled out; vcode_end fills it in or asks for another
 * pass. Forms only grow. From the third pass on a form is given up at a third of its reach; as no
 * form is more than three times as long as another, it can't fail any more after that: there are at
 * most five passes.
 */
#include "vcode/word.h"

enum kind { BRANCH, JUMP, ADDRESS, HIGH, LOW, DISTANCE, CONSTANT };

/* BRANCH: b; b over jal; b over auipc, jalr. JUMP: jal; -; auipc, jalr. The others have one form.
 */
enum form { SHORT, LONG, FAR };

#define UNBOUND      UINT32_MAX
#define LABELS_MAX   (1u << 27)
#define CAREFUL_PASS 3

uint32_t vcode_label(struct vcode *v)
{
    if (v->labels >= v->memory.label_count || v->labels >= LABELS_MAX) {
        vcode_fail(v, VCODE_E_LABELS);
        return 0;
    }
    v->memory.labels[v->labels] = UNBOUND;
    return v->labels++;
}

bool vcode_bound(const struct vcode *v, uint32_t label)
{
    return label < v->labels && v->memory.labels[label] != UNBOUND;
}

uint32_t vcode_offset(const struct vcode *v, uint32_t label)
{
    return vcode_bound(v, label) ? v->memory.labels[label] : 0;
}

void vcode_bind(struct vcode *v, uint32_t label)
{
    if (label >= v->labels)
        vcode_fail(v, VCODE_E_OPERAND);
    else if (v->memory.labels[label] != UNBOUND)
        vcode_fail(v, VCODE_E_BOUND_TWICE);
    else
        v->memory.labels[label] = (uint32_t)v->used;
}

/* The form that a branch or jump needs for a distance, if a reach is used up to 1/share of it. */
static enum form form_for(enum kind kind, int64_t distance, int64_t share)
{
    if (kind != BRANCH && kind != JUMP)
        return SHORT;
    if (kind == JUMP)
        return fits(distance * share, 21) ? SHORT : FAR;
    if (fits(distance * share, 13))
        return SHORT;
    return fits((distance - 4) * share, 21) ? LONG : FAR; /* LONG's jal is 4 bytes on */
}

/* Puts an auipc and the immediate of the instruction behind it: distance is from the auipc. */
static bool set_pair(struct vcode *v, size_t at, int64_t distance)
{
    if (!fits(upper(distance), 20))
        return false;
    vcode_set(v, at, vcode_get(v, at) | word_u(upper(distance)));
    vcode_set(v, at + 4, vcode_get(v, at + 4) | word_i((uint32_t)lower(distance)));
    return true;
}

/* Adds the low part of distance to the immediate of an instruction. */
static bool add_low(struct vcode *v, size_t at, int64_t distance)
{
    uint32_t word = vcode_get(v, at);
    int64_t imm = ((int32_t)word >> 20) + lower(distance);
    vcode_set(v, at, (word & 0xfffff) | word_i((uint32_t)imm));
    return fits(imm, 12);
}

static bool fill_branch(struct vcode *v, const struct vcode_reference *r, int64_t distance)
{
    unsigned skip = r->kind == BRANCH ? 4 : 0; /* the inverted branch before a jump */
    size_t at = r->at;
    if (form_for(r->kind, distance, 1) > (enum form)r->form)
        return false;
    if (r->form == FAR)
        return set_pair(v, at + skip, distance - skip);
    if (r->kind == BRANCH && r->form == SHORT)
        vcode_set(v, at, vcode_get(v, at) | word_b((uint32_t)distance));
    else
        vcode_set(v, at + skip, vcode_get(v, at + skip) | word_j((uint32_t)(distance - skip)));
    return true;
}

/* Fills in a reference's words, in which the immediates are still zero, or the addend; false if it
   doesn't reach. */
static bool fill(struct vcode *v, const struct vcode_reference *r, uint32_t target)
{
    int64_t distance = (int64_t)target - r->from;
    switch (r->kind) {
    case ADDRESS:
    case CONSTANT:
        return set_pair(v, r->at, distance);
    case HIGH:
        vcode_set(v, r->at, vcode_get(v, r->at) | word_u(upper(distance)));
        return fits(upper(distance), 20);
    case LOW:
        return add_low(v, r->at, distance);
    case DISTANCE:
        vcode_set(v, r->at, (uint32_t)distance);
        return fits(distance, 32);
    default:
        return fill_branch(v, r, distance);
    }
}

/* Begins a reference from here: decides its form. The caller emits its words next and then calls
 * refer. */
static struct vcode_reference begin(struct vcode *v, enum kind kind, uint32_t label)
{
    uint32_t at = (uint32_t)v->used;
    struct vcode_reference r = {.at = at, .from = at, .label = label, .kind = kind};
    if (kind != CONSTANT && vcode_bound(v, label))
        r.form = form_for(kind, (int64_t)v->memory.labels[label] - r.at, 1);
    else if (v->references < v->known)
        r.form = v->memory.references[v->references].form;
    if (r.form == FAR && kind == BRANCH && v->scratch == RV_ZERO)
        vcode_fail(v, VCODE_E_RANGE);
    return r;
}

/* Ends it: fills it in, or notes it for vcode_end. */
static void refer(struct vcode *v, struct vcode_reference r)
{
    if (r.kind != CONSTANT && vcode_bound(v, r.label)) {
        if (v->used <= v->size && !fill(v, &r, v->memory.labels[r.label]))
            vcode_fail(v, VCODE_E_RANGE);
    } else if (r.kind != CONSTANT && r.label >= v->labels) {
        vcode_fail(v, VCODE_E_OPERAND);
    } else if (v->references >= v->memory.reference_count) {
        vcode_fail(v, VCODE_E_REFERENCES);
    } else {
        v->memory.references[v->references++] = r;
    }
}

void vcode_branch(struct vcode *v, enum rv64_op op, enum rv64_reg rs1, enum rv64_reg rs2,
                  uint32_t label)
{
    if (op >= RV64_OPS || rv64_table[op].format != RV64_B) {
        vcode_fail(v, VCODE_E_OPERAND);
        return;
    }
    struct vcode_reference r = begin(v, BRANCH, label);
    uint32_t branch = word_of(op, 0, rs1, rs2), inverted = branch ^ 1u << 12;
    if (r.form == SHORT) {
        vcode_put(v, branch);
    } else if (r.form == LONG) {
        vcode_put(v, inverted | word_b(8));
        vcode_put(v, word_of(RV_jal, RV_ZERO, 0, 0));
    } else {
        vcode_put(v, inverted | word_b(12));
        vcode_put(v, word_of(RV_auipc, v->scratch, 0, 0));
        vcode_put(v, word_of(RV_jalr, RV_ZERO, v->scratch, 0));
    }
    refer(v, r);
}

/* link: where the return address goes; through: the register that a far jump changes. */
static void jump(struct vcode *v, enum rv64_reg link, enum rv64_reg through, uint32_t label)
{
    struct vcode_reference r = begin(v, JUMP, label);
    if (r.form == FAR && through == RV_ZERO)
        vcode_fail(v, VCODE_E_RANGE);
    if (r.form == FAR) {
        vcode_put(v, word_of(RV_auipc, through, 0, 0));
        vcode_put(v, word_of(RV_jalr, link, through, 0));
    } else {
        vcode_put(v, word_of(RV_jal, link, 0, 0));
    }
    refer(v, r);
}

void vcode_jump(struct vcode *v, uint32_t label)
{
    jump(v, RV_ZERO, v->scratch, label);
}

void vcode_call(struct vcode *v, uint32_t label)
{
    jump(v, RV_RA, RV_RA, label);
}

void vcode_address(struct vcode *v, enum rv64_reg rd, uint32_t label)
{
    struct vcode_reference r = begin(v, ADDRESS, label);
    vcode_put(v, word_of(RV_auipc, rd, 0, 0));
    vcode_put(v, word_of(RV_addi, rd, rd, 0));
    refer(v, r);
}

int64_t vcode_low(size_t offset, uint32_t anchor)
{
    return lower((int64_t)offset - anchor);
}

uint32_t vcode_high_part(struct vcode *v, enum rv64_reg rd, uint32_t label)
{
    struct vcode_reference r = begin(v, HIGH, label);
    vcode_put(v, word_of(RV_auipc, rd, 0, 0));
    refer(v, r);
    return r.at;
}

void vcode_with_low_part(struct vcode *v, enum rv64_op op, enum rv64_reg rd, enum rv64_reg rs1,
                         uint32_t label, uint32_t anchor, int64_t addend)
{
    if (op >= RV64_OPS || (rv64_table[op].format != RV64_LOAD && op != RV_addi)) {
        vcode_fail(v, VCODE_E_OPERAND);
        return;
    }
    struct vcode_reference r = begin(v, LOW, label);
    r.from = anchor;
    vcode_i(v, op, rd, rs1, addend);
    refer(v, r);
}

void vcode_load_at(struct vcode *v, enum rv64_op op, enum rv64_reg rd, uint32_t label)
{
    if (op >= RV64_OPS || rv64_table[op].format != RV64_LOAD || rd == RV_ZERO) {
        vcode_fail(v, VCODE_E_OPERAND);
        return;
    }
    struct vcode_reference r = begin(v, ADDRESS, label);
    vcode_put(v, word_of(RV_auipc, rd, 0, 0));
    vcode_put(v, word_of(op, rd, rd, 0));
    refer(v, r);
}

void vcode_distance(struct vcode *v, uint32_t label, uint32_t origin)
{
    if (!vcode_bound(v, origin)) {
        vcode_fail(v, VCODE_E_UNBOUND);
        return;
    }
    struct vcode_reference r = begin(v, DISTANCE, label);
    r.from = vcode_offset(v, origin);
    vcode_put(v, 0);
    refer(v, r);
}

/* A load of a constant that vcode_end lays behind the code. */
void vcode_load_constant(struct vcode *v, enum rv64_reg rd, uint32_t constant)
{
    struct vcode_reference r = begin(v, CONSTANT, constant);
    vcode_put(v, word_of(RV_auipc, rd, 0, 0));
    vcode_put(v, word_of(RV_ld, rd, rd, 0));
    refer(v, r);
}

/* Resolves one reference. */
static void resolve(struct vcode *v, struct vcode_reference *r)
{
    bool constant = r->kind == CONSTANT;
    uint32_t target = constant ? v->pool + 8 * r->label : v->memory.labels[r->label];
    if (!constant && target == UNBOUND) {
        vcode_fail(v, VCODE_E_UNBOUND);
        return;
    }
    int64_t distance = (int64_t)target - r->from;
    enum form form = form_for(r->kind, distance, v->passes < CAREFUL_PASS ? 1 : 3);
    if (form > (enum form)r->form) {
        r->form = form;
        v->grown = true;
    } else if (!v->grown && !fill(v, r, target)) {
        vcode_fail(v, VCODE_E_RANGE);
    }
}

int vcode_end(struct vcode *v, size_t work)
{
    if (v->phase == 0) {
        vcode_align(v, 8);
        v->pool = (uint32_t)v->used;
        v->phase = 1;
        v->passes++;
    }
    while (v->phase == 1 && v->cursor < v->constants) {
        vcode_double(v, v->memory.constants[v->cursor++]);
        if (work-- <= 1)
            return VCODE_MORE;
    }
    if (v->phase == 1) {
        v->phase = 2;
        v->cursor = 0;
    }
    while (!v->error && v->cursor < v->references) {
        resolve(v, &v->memory.references[v->cursor++]);
        if (work-- <= 1)
            return VCODE_MORE;
    }
    if (v->error)
        return v->error;
    v->known = v->references;
    return v->grown ? VCODE_AGAIN : VCODE_DONE;
}
