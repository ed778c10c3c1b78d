/*
 * What is known about a frame on one path of a walk: facts, and what follows from them. Internal.
 *
 * A fact is one answer: this field, under this mask, is or isn't in this set. The rest is deduced
 * when it is asked for. Everything here errs on one side only: possible() may call possible what
 * isn't, never the reverse; readable() says that it doesn't know.
 */
#ifndef DPF_FACTS_H
#define DPF_FACTS_H

#include "dpf/atom.h"

#define FACTS_MAX 512
#define BASES_MAX 32
/* Facts weighed against one question; if there are more, the answer is a guess. */
#define ABOUT_MAX 200

/* An offset from a base. Base 0 is the start of the frame; the others are what shift atoms made. */
struct place {
    uint32_t offset;
    uint8_t base;
};

enum fact_kind { FACT_FIELD, FACT_LENGTH, FACT_READABLE };

/* A question about a frame, and with holds its answer. */
struct fact {
    const struct dpf_range *set; /* FIELD, LENGTH */
    uint64_t mask;
    struct place place; /* FIELD: of the field; READABLE: its end, the first byte behind */
    uint16_t count;     /* ranges of the set */
    uint8_t width;
    uint8_t kind;
    bool holds;
};

/* A running base as a formula: value(parent) + ((load at place.offset there & mask) << shift). */
struct base {
    uint64_t mask;
    struct place place; /* of the field; place.base is the parent */
    uint32_t by;        /* what is added to the parent, if known */
    uint16_t known_at;  /* number of facts from which that follows; 0: not known */
    uint8_t width;
    int8_t shift;
};

/* One fact about the bits of a question's field: ((value >> up) & mask) in set, or not. */
struct about {
    const struct dpf_range *set;
    uint64_t mask;
    uint16_t count;
    uint8_t up;
    bool holds;
};

struct facts {
    size_t budget; /* steps left */
    bool guessed;  /* something was called possible because finding out would take too long */
    bool full;     /* a fact or a base found no room: nothing may be concluded any more */
    uint16_t count;
    uint8_t bases; /* in use, base 0 among them */
    struct fact fact[FACTS_MAX];
    struct base base[BASES_MAX];
    struct about about[ABOUT_MAX];
};

enum readable { READABLE_NO, READABLE_YES, READABLE_UNKNOWN };

void facts_start(struct facts *facts, size_t budget);

/* Forgets everything behind the first count facts and the first bases bases. */
void facts_return(struct facts *facts, unsigned count, unsigned bases);

/* Whether the fact can hold together with those known. */
bool facts_possible(struct facts *facts, const struct fact *fact);

/* Takes note of a fact, which must be possible. */
void facts_learn(struct facts *facts, const struct fact *fact);

/* Whether a frame's readable bytes reach to place. */
enum readable facts_readable(struct facts *facts, struct place end);

/* The number of the base that a shift node makes of the running base. */
uint8_t facts_shift(struct facts *facts, const struct dpf_node *node, uint8_t running);

/* The same place named from the nearest base whose distance isn't known. */
struct place facts_resolve(const struct facts *facts, struct place place);

#endif
