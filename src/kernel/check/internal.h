/* What the parts of the walk share. */
#ifndef AEGIS_KERNEL_CHECK_INTERNAL_H
#define AEGIS_KERNEL_CHECK_INTERNAL_H

#include "kernel/check/check.h"
#include "kernel/page.h"
#include "kernel/print.h"

enum invariant {
#define AEGIS_INVARIANT(name, sentence) INVARIANT_##name,
#include "kernel/check/invariants.def"
#undef AEGIS_INVARIANT
    INVARIANT_COUNT
};

extern const char *const invariant_names[INVARIANT_COUNT];

/* The walk's one way to end: format says what was found. */
#define HOLDS(name, condition, format, ...)                                                        \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                     \
            panic("invariant %s: " format " (after %s)", invariant_names[INVARIANT_##name],        \
                  __VA_ARGS__, check_after);                                                       \
    } while (0)

extern const char *check_after; /* the call or step that the walk follows */

/* What a page is, as far as the walk has found out. */
enum role { ROLE_NONE, ROLE_TABLE, ROLE_LINKS, ROLE_ENV, ROLE_RING, ROLE_WINDOW };

struct shadow {
    union {
        struct {
            uint32_t refs;
            uint32_t links; /* PTEs that name it, not a megapage before it */
            uint32_t pins;
            uint16_t lists;
            uint16_t role;
        };
        uint64_t words[2]; /* the same: set back, and compared, at once */
    };
    uint64_t generation; /* at the last walk */
};

extern struct shadow *shadows; /* as pages */

static inline struct shadow *shadow_of(const struct aegis_page *page)
{
    return &shadows[page - pages];
}

static inline uint64_t page_index(const struct aegis_page *page)
{
    return (uint64_t)(page - pages);
}

/* Gives page its one role, which wants a state and an owner. */
void check_role(const struct aegis_page *page, enum role role, enum aegis_page_state state,
                uint32_t owner);

/* The whole walk. */
void check_all(void);

/* Its parts. Those before check_pages fill the shadows that it compares. */
void check_envs(void);
void check_tables(void);
void check_frames(void);
void check_disks(void);
void check_filters(void);
void check_code(void);
void check_pages(void);

/* mutate.c: breaks invariant; false if there is nothing yet to break it with. */
bool mutate(enum invariant invariant);

/* Memory for check_frames' shadow of bindings; once, at boot. */
void check_filters_init(void);

#endif
