/*
 * Calls in the verifier.
 */
#include "ash/types.h"

/* r1 to r5 have no value behind a call, and r0 another. */
static void lose_scratch(struct ash_facts *facts)
{
    for (unsigned i = 0; i <= 5; i++)
        facts->registers[i] = ash_unknown();
}

/* A lookup can be done in place if the map is known, and the key is a word of the stack that was
 * written. */
static struct ash_value type_lookup(struct ash_verifier *v, uint32_t at)
{
    struct ash_note *note = &v->program->notes[at];
    struct ash_value map = ash_register(v, 1), key = ash_register(v, 2), four = ash_constant(4);
    ash_type_read(v, &key, &four);
    if (map.kind != ASH_HANDLE) {
        v->tally.can_abort = true;
        return ash_unknown();
    }
    if (key.kind == ASH_STACK && key.low == key.high && key.low >= -ASH_STACK_FRAME &&
        key.low <= -4) {
        note->flags |= ASH_NOTE_IN_PLACE;
        note->map = map.map;
        note->fixed = (int32_t)key.low;
    } else {
        v->tally.can_abort = true;
    }
    struct ash_value entry = ash_pointer(ASH_ENTRY_OR_NULL, map.map, 0);
    ash_facts_rename(v->current, ash_name(at, 0), ASH_NO_REG);
    entry.id = ash_name(at, 0);
    return entry;
}

static void type_update(struct ash_verifier *v)
{
    struct ash_value map = ash_register(v, 1), key = ash_register(v, 2), value = ash_register(v, 3);
    struct ash_value four = ash_constant(4), size = ash_unknown();
    if (map.kind == ASH_HANDLE)
        size = ash_constant(v->image.maps[map.map].value_size);
    ash_type_read(v, &key, &four);
    ash_type_read(v, &value, &size);
}

static void type_csum_diff(struct ash_verifier *v)
{
    for (unsigned i = 1; i <= 3; i += 2) {
        struct ash_value p = ash_register(v, i), size = ash_register(v, i + 1);
        ash_type_read(v, &p, &size);
    }
}

static void type_helper(struct ash_verifier *v, uint32_t at)
{
    struct ash_value result = ash_unknown();
    bool moves = false, aborts = true;
    switch (v->image.insns[at].imm) {
    case ASH_HELPER_LOOKUP:
        result = type_lookup(v, at);
        aborts = false; /* says so itself */
        break;
    case ASH_HELPER_UPDATE:
        type_update(v);
        break;
    case ASH_HELPER_CSUM_DIFF:
        type_csum_diff(v);
        break;
    case ASH_HELPER_TRACE:
        v->tally.clear_stack = true; /* %s reads anywhere */
        break;
    case ASH_HELPER_ADJUST_HEAD:
    case ASH_HELPER_ADJUST_TAIL:
        moves = true;
        break;
    case ASH_HELPER_RANDOM:
    case ASH_HELPER_HART:
        result = ash_between(0, UINT32_MAX);
        aborts = false;
        break;
    default:
        aborts = false;
        break;
    }
    v->tally.can_abort |= aborts;
    v->tally.writes_frame |= moves;
    lose_scratch(v->current);
    v->current->registers[0] = result;
    if (moves)
        ash_facts_frame_moved(v->current);
}

/* What a function knows of an argument: its caller's stack is not its own. */
static struct ash_value passed(const struct ash_value *value)
{
    return value->kind == ASH_STACK ? ash_unknown() : *value;
}

static void type_local(struct ash_verifier *v, uint32_t at)
{
    struct ash_program *program = v->program;
    uint32_t start = (uint32_t)ash_target(&v->image.insns[at], at, ASH_OP_CALL_LOCAL);
    unsigned f = ash_function_at(program, start);
    struct ash_arguments *arguments = &v->arguments[f];
    for (unsigned i = 0; i < 5 && v->walk == ASH_WALK_LAST; i++) {
        struct ash_value value = passed(&v->current->registers[i + 1]);
        arguments->values[i] = arguments->seen
                                   ? ash_join(&arguments->values[i], &value, ash_name(start, i + 1))
                                   : value;
    }
    arguments->seen |= v->walk == ASH_WALK_LAST;
    ash_facts_forget_spills(v->current);
    lose_scratch(v->current);
    if (program->functions[f].moves_frame)
        ash_facts_frame_moved(v->current);
}

void ash_type_call(struct ash_verifier *v, uint32_t at)
{
    if (v->program->notes[at].op == ASH_OP_CALL)
        type_helper(v, at);
    else
        type_local(v, at);
}
