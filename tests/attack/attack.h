/*
 * Hostile programs. The supervisor (first program) keeps a victim that serves, and has an attacker
 * make each row of INDEX, one after the other; after each it asks the victim for its checksum and
 * its service, and counts what the kernel counts.
 *
 * An attack is a function of the name that its row gives, which returns what the kernel answered
 * to the attack proper; it cleans up behind itself. CHECK and its kin (tests/guest/test.h) end the
 * attacker where something else goes wrong.
 */
#ifndef ATTACK_ATTACK_H
#define ATTACK_ATTACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "filter.h"
#include "test.h"

enum attack_kind {
    ATTACK_PAIR,  /* (call, error), by the attacker */
    ATTACK_FIRST, /* by the first program, which owns the machine */
    ATTACK_BARE,  /* the same, on a machine without devices */
    ATTACK_RULE,  /* by the attacker */
    ATTACK_HEAVY, /* the same, with so many calls that the walk follows only some of them */
};

struct attack {
    const char *name;
    enum attack_kind kind;
    int64_t wanted; /* what the function returns: 0, a negated error, or ATTACK_ENDS */
    int64_t (*function)(void);
};
#define ATTACK_ENDS INT64_MIN /* the attacker is ended for it */

extern const struct attack attacks[];
extern const size_t attack_count;

/* Functions of INDEX. */
#define AEGIS_E_OK              0
#define PAIR(call, error)       int64_t call##_##error(void);
#define PAIR_FIRST(call, error) int64_t call##_##error(void);
#define PAIR_BARE(call, error)  int64_t call##_##error(void);
#define PAIR_HEAVY(call, error) int64_t call##_##error(void);
#define PAIR_UNIT(call, error, test)
#define ATTACK(subject, name, error, text) int64_t name(void);
#define ATTACK_ENDED(subject, name, text)  int64_t name(void);
#define HEAVY(subject, name, error, text)  int64_t name(void);
#define ATTACK_TEST(subject, file, test)
#define ALSO(subject, name)
#include "INDEX"
#undef PAIR
#undef PAIR_FIRST
#undef PAIR_BARE
#undef PAIR_HEAVY
#undef PAIR_UNIT
#undef ATTACK
#undef ATTACK_ENDED
#undef HEAVY
#undef ATTACK_TEST
#undef ALSO

/* What the attacker is given. */
enum attack_cap {
    ATTACK_CAP_ROOT, /* TEST_CAP_ROOT */
    ATTACK_CAP_TAP,
    ATTACK_CAP_VICTIM_PAGE, /* READ */
    ATTACK_CAP_VICTIM_ENV,  /* CALL, no CONTROL */
    ATTACK_CAP_STUCK,       /* root of net2, whose other end takes nothing; DELEGATE */
    ATTACK_CAP_CONSOLE,     /* READ and WRITE */
    ATTACK_CAP_DISK,        /* root extent of disk 0, DELEGATE */
    ATTACK_CAP_SLOW,        /* of disk 1, which takes 20 requests a second */
    ATTACK_CAP_BLANK,       /* of disk 2, which has no table */
    ATTACK_CAP_EXTENT,      /* the victim's extent on disk 0, READ */
    ATTACK_CAP_LOOP,        /* root of the loop interface, DELEGATE */
    ATTACK_CAPS,
    ATTACK_CAP_DESK = ATTACK_CAPS, /* the attacker's answer: a page of its own, to write rows on */
};

/* In the start block, which is the supervisor's page: what it waits for. */
#define ATTACK_DESK_OFFSET 2048
struct attack_desk {
    volatile uint64_t done; /* rows made so far */
    volatile int64_t result;
    uint64_t victim; /* environment */
    uint64_t binding;
    uint64_t victim_va; /* where the victim has its memory */
};

static inline struct attack_desk *attack_desk(struct exos_start *start)
{
    return (struct attack_desk *)((char *)start + ATTACK_DESK_OFFSET);
}

/* In the attacker's page: the row to make next, 0 for none yet; UINT64_MAX: end. */
struct attack_order {
    volatile uint64_t row; /* its index + 1 */
};

/* The attacker's own desk, and the victim's number. */
#define DESK   (attack_desk(exos.start))
#define VICTIM ((uint32_t)DESK->victim)

/* Addresses of the attacker's that are free for what an attack maps. */
#define FREE_VA 0x2000000000UL

/* Addresses that no call may take for memory of the caller's, and how many. */
extern const uint64_t bad_addresses[];
extern const size_t bad_address_count;

/* A page of the victim's in a state, or of anybody's. */
uint64_t page_of_victim(enum aegis_page_state state);
uint64_t page_in_state(enum aegis_page_state state);

/* A page of one's own, mapped where nothing else is. unmapped gives both back. */
uint64_t page_at(uint64_t va, uint32_t prot);
void page_gone(uint64_t va, uint64_t ppn);

/* UDP over IPv4 that the interface sends from a port. */
void filter_sent_udp(struct filter_image *image, uint32_t netif, uint16_t port);

/* blobs.S: code for raw environments; what each does stands there. */
BLOB(pinned);
BLOB(scribble);
BLOB(forever);
BLOB(download);
BLOB(bind);
BLOB(console);
BLOB(call);

/* Binds filters until the arena is full: what net_bind said last. bound has ARENA_BINDINGS places.
 */
#define ARENA_BINDINGS 64
int64_t arena_fill(uint32_t *bound, uint32_t *count);

/* An extent of one's own of disk 0 (ATTACK_CAP_DISK) or 1 (ATTACK_CAP_SLOW), ready, made with the
 * secret; and its end, when the disk has it. */
#define SECRET "nobody's guess!"
struct aegis_extent_request extent_wanted(enum attack_cap root, uint64_t count);
int64_t extent_make(enum attack_cap root, uint64_t count); /* not waited for */
uint32_t extent_made(enum attack_cap root, uint64_t count);
void extent_settle(uint32_t extent);
void extent_gone(uint32_t extent);

/* A child without code or tables, and its end. */
uint32_t child_make(void);
void child_end(uint32_t env);

#endif
