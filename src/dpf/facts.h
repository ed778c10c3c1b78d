/*
 * What is known about a frame on one path of a walk: facts, and what follows from them. Internal.
 *
 * A fact is one answer: this field, under this mask, is or isn't in this set. The rest is deduced
 * when it is asked for. Everything here errs on one side only: possible() may call possible what
 * isn't, never the reverse; readable() says that it doesn't know.
 *
 * Whatever may take long is asked, and then answered in steps: facts->work is what a step may still
 * do, in operations of some 50 instructions, and FACTS_MORE says that it is spent. At least one is
 * done in each step; a search of 64 sets beyond is the most that one goes too far.
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
    struct place root;  /* this base, named from the nearest one whose distance isn't known */
    uint16_t known_at;  /* number of facts from which by follows; 0: not known */
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

/* Bytes that a question and the facts beside it cover, at most 8 of them. */
struct window {
    uint32_t low, high;
};

/* Whether one number satisfies some of facts->about (ask.c). */
struct join {
    uint64_t domain, value; /* bits that matter; no smaller number does */
    size_t moves;           /* left, or the answer is a guess */
    unsigned count, agreed, next;
};

/* The question under way (ask.c). */
struct question {
    struct fact fact;
    struct place place; /* of its field, resolved */
    struct window window;
    struct join join;
    unsigned same, count;       /* of facts->about: those on its very field, and in all */
    uint32_t least;             /* LENGTH: what is known to be readable */
    uint16_t fact_at, range_at; /* how far the stage has come */
    uint8_t stage;
    bool easy;
};

/* Bases of which one field more is known, one after the other. */
struct settling {
    struct place place;
    uint64_t value;
    uint8_t width;
    uint8_t next, end;
    uint8_t stage;
    bool guessed; /* before */
};

struct reading {
    struct place end;
    uint16_t fact_at;
    bool lengths, asked;
};

struct facts {
    size_t budget; /* steps left */
    size_t work;   /* operations left in this step */
    bool guessed;  /* something was called possible because finding out would take too long */
    bool full;     /* a fact or a base found no room: nothing may be concluded any more */
    uint16_t count;
    uint8_t bases; /* in use, base 0 among them */
    struct fact fact[FACTS_MAX];
    struct base base[BASES_MAX];
    struct about about[ABOUT_MAX];
    struct question question;
    struct settling settling;
    struct reading reading;
    struct dpf_range wanted, reach; /* sets of questions about a base, about the length */
};

enum facts_answer { FACTS_NO, FACTS_YES, FACTS_MORE };
enum readable { READABLE_NO, READABLE_YES, READABLE_UNKNOWN, READABLE_MORE };

void facts_start(struct facts *facts, size_t budget);

/* Forgets everything behind the first count facts and the first bases bases. */
void facts_return(struct facts *facts, unsigned count, unsigned bases);

/* Asks whether the fact can hold together with those known; its answer. */
void facts_ask(struct facts *facts, const struct fact *fact);
enum facts_answer facts_answer(struct facts *facts);

/* Takes note of a fact, which must be possible. facts_settle has to follow. */
void facts_learn(struct facts *facts, const struct fact *fact);

/* The number of the base that a shift node makes of the running base. facts_settle has to follow.
 */
uint8_t facts_shift(struct facts *facts, const struct dpf_node *node, uint8_t running);

/* Finds out which bases are known by what was noted; false: there is more to do. */
bool facts_settle(struct facts *facts);

/* Asks whether a frame's readable bytes reach to end; the answer. */
void facts_read(struct facts *facts, struct place end);
enum readable facts_readable(struct facts *facts);

/* The same place named from the nearest base whose distance isn't known. */
struct place facts_resolve(const struct facts *facts, struct place place);

/* ask.c: begins a question that needs no look at easier answers; again, with the same window. */
void facts_ask_thoroughly(struct facts *facts, const struct fact *fact);
void facts_ask_again(struct facts *facts, const struct fact *fact);

/* Takes operations off this step's work; false, and none were, if it was spent before. */
static inline bool facts_pay(struct facts *facts, size_t operations)
{
    bool some = facts->work > 0;
    facts->work -= operations < facts->work ? operations : facts->work;
    return some;
}

#endif
