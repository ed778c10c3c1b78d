/*
 * Loads, stores and atomic operations in the verifier: is the access proved, and what does it tell?
 */
#include "ash/types.h"

struct access {
    int32_t offset;
    unsigned size;
    bool loads, stores, atomic;
};

static struct access access_of(const struct ash_insn *insn, unsigned op)
{
    struct access a = {.offset = insn->offset, .size = ash_access_size(insn)};
    unsigned kind = ash_op_kinds[op];
    a.atomic = kind == ASH_KIND_ATOMIC;
    a.loads = kind == ASH_KIND_LOAD || a.atomic;
    a.stores = kind != ASH_KIND_LOAD;
    return a;
}

/* Whether [offset + low, offset + high + size) lies in [from, to). */
static bool within(const struct ash_value *p, const struct access *a, int64_t from, int64_t to)
{
    return !ash_is_adrift(p) && p->low + a->offset >= from && p->high + a->offset + a->size <= to;
}

static bool fixed(const struct ash_value *p, struct ash_note *note, const struct access *a)
{
    if (p->low == p->high && !ash_is_adrift(p)) {
        note->flags |= ASH_NOTE_FIXED;
        note->fixed = (int32_t)(p->low + a->offset);
        return true;
    }
    return false;
}

static bool prove_frame(const struct ash_verifier *v, const struct ash_value *p,
                        struct ash_note *note, const struct access *a)
{
    note->place = ASH_AT_FRAME;
    uint32_t reach = p->id == 0 && p->reach < v->current->reach ? v->current->reach : p->reach;
    int64_t from = p->offset + a->offset;
    if (ash_is_adrift(p) || from < 0 || from + a->size > reach || a->atomic)
        return false;
    if (p->id == 0) {
        note->flags |= ASH_NOTE_FIXED;
        note->fixed = (int32_t)from;
    }
    return true;
}

static bool prove_map(const struct ash_verifier *v, const struct ash_value *p,
                      struct ash_note *note, const struct access *a)
{
    const struct ash_map_info *map = &v->image.maps[p->map];
    bool whole = p->kind == ASH_MAP_MEMORY;
    if (a->stores && map->flags & ASH_MAP_READ_ONLY)
        return false;
    if (!within(p, a, 0, whole ? ash_map_size(map) : map->value_size))
        return false;
    bool known = p->low == p->high;
    if (a->atomic && (!known || (p->low + a->offset) % a->size))
        return false;
    note->place = ASH_AT_MAP;
    note->map = p->map;
    if (whole)
        fixed(p, note, a);
    return true;
}

/* Whether the access can't fail; says in the note where it goes. */
static bool prove(const struct ash_verifier *v, const struct ash_value *p, struct ash_note *note,
                  const struct access *a)
{
    switch (p->kind) {
    case ASH_CONTEXT:
        if (a->stores || !within(p, a, 0, sizeof(struct ash_md)) || !fixed(p, note, a))
            return false;
        note->place = ASH_AT_CONTEXT;
        return true;
    case ASH_STACK:
        if (!within(p, a, -ASH_STACK_FRAME, 0))
            return false;
        if (a->atomic && (p->low != p->high || (p->low + a->offset) % a->size))
            return false;
        note->place = ASH_AT_STACK;
        fixed(p, note, a);
        return true;
    case ASH_FRAME:
        return prove_frame(v, p, note, a);
    case ASH_ENTRY:
    case ASH_MAP_MEMORY:
        return prove_map(v, p, note, a);
    default:
        return false;
    }
}

/* What a load of an unsigned type of this size can give. */
static struct ash_value any_of_size(unsigned size)
{
    return size == 8 ? ash_unknown() : ash_between(0, (UINT64_C(1) << 8 * size) - 1);
}

static struct ash_value load_context(const struct ash_note *note, unsigned op)
{
    if (op == ASH_OP_LDXW && note->fixed == offsetof(struct ash_md, data_end))
        return ash_pointer(ASH_FRAME_END, 0, 0);
    if (op == ASH_OP_LDXW && (note->fixed == offsetof(struct ash_md, data) ||
                              note->fixed == offsetof(struct ash_md, data_meta)))
        return ash_pointer(ASH_FRAME, 0, 0);
    return any_of_size(4);
}

static bool extends_sign(unsigned op)
{
    return op == ASH_OP_LDXSW || op == ASH_OP_LDXSH || op == ASH_OP_LDXSB;
}

static struct ash_value loaded(const struct ash_verifier *v, const struct ash_note *note,
                               unsigned op, const struct access *a)
{
    if (extends_sign(op))
        return ash_unknown();
    if (note->flags & ASH_NOTE_PROVED && note->place == ASH_AT_CONTEXT && a->size == 4)
        return load_context(note, op);
    if (note->flags & ASH_NOTE_PROVED && note->place == ASH_AT_STACK &&
        note->flags & ASH_NOTE_FIXED && a->size == 8) {
        const struct ash_value *spilled = ash_facts_spilled(v->current, note->fixed);
        if (spilled)
            return *spilled;
    }
    return any_of_size(a->size);
}

static void store(struct ash_verifier *v, const struct ash_note *note, const struct ash_insn *insn,
                  const struct access *a)
{
    if (!(note->flags & ASH_NOTE_PROVED)) {
        v->tally.writes_frame = true;
        ash_facts_forget_spills(v->current);
    } else if (note->place == ASH_AT_FRAME) {
        v->tally.writes_frame = true;
    } else if (note->place == ASH_AT_STACK && note->flags & ASH_NOTE_FIXED) {
        struct ash_value value = ash_register(v, ash_src(insn));
        bool keeps = note->op == ASH_OP_STXDW && note->fixed % 8 == 0;
        ash_facts_store(v->current, note->fixed, (int64_t)note->fixed + a->size,
                        keeps ? &value : NULL);
    } else if (note->place == ASH_AT_STACK) {
        ash_facts_forget_spills(v->current);
    }
}

/* Whether the bytes read were written before, if they may be on the stack. */
static void check_read(struct ash_verifier *v, const struct ash_note *note,
                       const struct ash_value *p, const struct access *a)
{
    if (!(note->flags & ASH_NOTE_PROVED) ||
        (note->place == ASH_AT_STACK &&
         !ash_facts_is_written(v->current, p->low + a->offset, p->high + a->offset + a->size)))
        v->tally.clear_stack = true;
}

void ash_type_access(struct ash_verifier *v, uint32_t at)
{
    const struct ash_insn *insn = &v->image.insns[at];
    struct ash_note *note = &v->program->notes[at];
    struct access a = access_of(insn, note->op);
    struct ash_value p = ash_register(v, a.stores ? ash_dst(insn) : ash_src(insn));

    v->tally.accesses++;
    if (prove(v, &p, note, &a)) {
        note->flags |= ASH_NOTE_PROVED;
    } else {
        note->flags &= (uint8_t)~ASH_NOTE_FIXED;
        v->tally.guards++;
        v->tally.can_abort = true;
    }
    if (a.loads)
        check_read(v, note, &p, &a);
    if (a.stores)
        store(v, note, insn, &a);
    int written = ash_written(insn, note->op);
    if (written >= 0)
        v->current->registers[written] =
            a.atomic ? any_of_size(a.size) : loaded(v, note, note->op, &a);
}

void ash_type_read(struct ash_verifier *v, const struct ash_value *pointer,
                   const struct ash_value *size)
{
    bool elsewhere = (pointer->kind == ASH_FRAME || pointer->kind == ASH_ENTRY ||
                      pointer->kind == ASH_MAP_MEMORY) &&
                     !ash_is_adrift(pointer);
    if (elsewhere || (ash_is_constant(size) && size->min == 0))
        return;
    if (pointer->kind != ASH_STACK || ash_is_adrift(pointer) || !ash_is_constant(size) ||
        size->min > ASH_STACK_FRAME || pointer->low < -ASH_STACK_FRAME ||
        pointer->high + (int64_t)size->min > 0 ||
        !ash_facts_is_written(v->current, pointer->low, pointer->high + (int64_t)size->min))
        v->tally.clear_stack = true;
}
