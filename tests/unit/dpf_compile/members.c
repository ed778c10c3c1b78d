#include "members.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RANDOM_MAX 40

static void make_random(struct members *m, struct gen *gen)
{
    m->count = 1 + gen_below(gen, RANDOM_MAX);
    unsigned ranks = 1 + gen_below(gen, RANDOM_MAX);
    bool taps = gen_chance(gen, 50);
    for (unsigned i = 0; i < m->count; i++) {
        m->filter[i] = gen_filter(gen, m->image[i], IMAGE_SIZE);
        m->member[i] = (struct dpf_member){&m->filter[i], FIRST_ID + i, gen_below(gen, ranks),
                                           taps && gen_chance(gen, 20)};
    }
}

/* Up to three fields of two bytes, of which the last ones differ from member to member; or all
 * bytes of one. */
static void make_alike(struct members *m, struct gen *gen)
{
    uint16_t offsets[4], values[4];
    unsigned fields = 1 + gen_below(gen, 4), based = gen_below(gen, fields + 1);
    unsigned same = gen_below(gen, fields), spread = 1 + gen_below(gen, 5);
    bool ranks = gen_chance(gen, 30);
    m->count = 1 + gen_below(gen, gen_chance(gen, 50) ? 40 : MEMBERS_MAX);
    for (unsigned f = 0; f < fields; f++)
        offsets[f] = (uint16_t)(2 * f + gen_below(gen, 2));
    for (unsigned i = 0; i < m->count; i++) {
        for (unsigned f = 0; f < fields; f++)
            values[f] = (uint16_t)(f < same ? 0x0605 : f == same ? i * spread : i % 7);
        m->filter[i] = gen_tuple(m->image[i], IMAGE_SIZE, offsets, values, fields, based);
        m->member[i] =
            (struct dpf_member){&m->filter[i], FIRST_ID + i, ranks ? gen_below(gen, 4) : 1, false};
    }
}

/* Many values of one byte, and a root that takes what is left. */
static void make_bytes(struct members *m, struct gen *gen)
{
    unsigned offset = gen_below(gen, 12);
    m->count = 2 + gen_below(gen, 200);
    for (unsigned i = 0; i + 1 < m->count; i++) {
        struct dpf_header *header = (void *)m->image[i];
        struct dpf_node *node = (void *)(header + 1);
        struct dpf_range *range = (void *)(node + 1);
        *header = (struct dpf_header){DPF_MAGIC, DPF_VERSION, 0, 1, 1, 0};
        *node = (struct dpf_node){.kind = DPF_FIELD, .width = 1, .offset = (uint16_t)offset};
        node->yes = DPF_ACCEPT;
        node->no = DPF_REJECT;
        node->count = 1;
        node->mask = 255;
        range->low = range->high = i;
        if (dpf_verify(header, sizeof *header + sizeof *node + sizeof *range, &m->filter[i]))
            abort();
        m->member[i] = (struct dpf_member){&m->filter[i], FIRST_ID + i, 1, false};
    }
    unsigned last = m->count - 1;
    int size = gen_chance(gen, 50) ? dpf_make_all(m->image[last], IMAGE_SIZE)
                                   : dpf_make_none(m->image[last], IMAGE_SIZE);
    if (dpf_verify(m->image[last], (size_t)size, &m->filter[last]))
        abort();
    m->member[last] = (struct dpf_member){&m->filter[last], FIRST_ID + last, 0, false};
}

void members_make(struct members *m, struct gen *gen)
{
    unsigned kind = gen_below(gen, 10);
    if (kind < 6)
        make_random(m, gen);
    else if (kind < 9)
        make_alike(m, gen);
    else
        make_bytes(m, gen);
}

struct dpf_compile_options members_options(struct gen *gen, unsigned isa)
{
    struct dpf_compile_options options = {.isa = gen_below(gen, 8) & isa};
    options.align = (uint8_t)(1 << gen_below(gen, 4));
    options.residue = (uint8_t)gen_below(gen, options.align);
    options.equals_disjoint = gen_chance(gen, 30);
    return options;
}

void members_frame(const struct members *m, struct gen *gen, uint8_t frame[FRAME_MAX],
                   size_t available)
{
    uint8_t large[GEN_FRAME_MAX];
    for (unsigned i = 0; i < FRAME_MAX; i++)
        large[i] = (uint8_t)gen_below(gen, gen_chance(gen, 80) ? 8 : 256);
    if (gen_chance(gen, 80))
        gen_aim(gen, &m->filter[gen_below(gen, m->count)], large, available);
    memcpy(frame, large, FRAME_MAX);
}

struct dpf_trie *members_trie(const struct members *m)
{
    static _Alignas(8) uint8_t scratch[DPF_SCRATCH_SIZE];
    size_t size = dpf_trie_size(m->member, m->count, scratch);
    struct dpf_trie *trie = malloc(size);
    int error = dpf_trie_build(trie, size, 42, m->member, m->count, scratch);
    if (!error)
        return trie;
    fprintf(stderr, "trie of %u members: %s\n", m->count, dpf_strerror(error));
    exit(1);
}

bool members_right(const struct members *m, bool equals_disjoint, const uint8_t *frame,
                   size_t available, size_t length, uint32_t id, uint64_t taps)
{
    uint64_t wanted_taps = 0;
    uint32_t wanted = DPF_NONE;
    int64_t best = -1;
    unsigned tap = 0;
    for (unsigned i = 0; i < m->count; i++) {
        const struct dpf_member *member = &m->member[i];
        bool matches = dpf_match(member->filter, frame, available, length);
        if (member->tap) {
            wanted_taps |= (uint64_t)matches << tap++;
        } else if (matches && member->rank > best) {
            best = member->rank;
            wanted = member->id;
        }
    }
    if (taps != wanted_taps)
        return false;
    if (id == wanted || !equals_disjoint || id - FIRST_ID >= m->count)
        return id == wanted;
    const struct dpf_member *winner = &m->member[id - FIRST_ID];
    return !winner->tap && winner->rank == best &&
           dpf_match(winner->filter, frame, available, length);
}
