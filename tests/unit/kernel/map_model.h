/*
 * A model of who owns which page and what is mapped where, of a few arrays, and a cache of
 * translations that forgets only what sfence.vma names.
 */
#ifndef AEGIS_TESTS_MAP_MODEL_H
#define AEGIS_TESTS_MAP_MODEL_H

#include "invariants.h"
#include "world.h"

struct mapping {
    uint32_t env;
    uint64_t va, ppn;
    uint32_t bits; /* R 2, W 4, X 8 */
};
extern struct mapping maps[LEAVES_MAX];
extern size_t map_count;

/* By page index. */
extern uint32_t *owners;
extern uint8_t *states;
extern uint16_t *pins; /* taken by the test, as a device would */

/* Memory for the model of the world's pages; the cache listens from now on. */
void model_begin(void);
void model_end(void);

/* The model becomes what the walk over all invariants finds. */
void model_adopt(void);

/* Fails the test unless the walk finds what the model says, and the cache grants no more. */
void model_compare(void);

/* Nothing cached grants what the tables don't any more. Then the hardware caches all it finds. */
void check_cache(void);

/* The mapping at va in the model, or NULL; how many map a page. */
struct mapping *find_mapping(uint32_t env, uint64_t va);
uint32_t refs_of(uint64_t ppn);

/* The leaf at va that the last walk has found, or NULL. */
const struct leaf *find_leaf(uint32_t env, uint64_t va);

#endif
