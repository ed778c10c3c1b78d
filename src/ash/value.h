/*
 * What the verifier knows about one register or spilled value. Internal to the library.
 *
 * A scalar lies in an interval, and has known bits (a tnum: "Sound, Precise, and Fast Abstract
 * Interpretation with Tristate Numbers", Vishwanathan et al., CGO 2022). A pointer lies at an
 * offset, itself an interval, from the start of its place. A pointer into the frame is data +
 * variable part + offset: the variable part has a name, and a comparison with data_end tells for
 * all pointers with that name how far behind data + variable part the frame reaches.
 */
#ifndef ASH_VALUE_H
#define ASH_VALUE_H

#include "ash/ash.h"
#include "ash/bits.h"

enum ash_value_kind {
    ASH_SCALAR, /* any number, pointers of which nothing is known included */
    ASH_CONTEXT,
    ASH_STACK, /* offset from r10 */
    ASH_FRAME,
    ASH_FRAME_END,
    ASH_HANDLE,        /* of a map, for helpers */
    ASH_ENTRY,         /* offset from the start of some entry of a map */
    ASH_ENTRY_OR_NULL, /* what a lookup returns; offset 0 */
    ASH_MAP_MEMORY,    /* offset from the start of a map */
};

struct ash_value {
    uint8_t kind; /* enum ash_value_kind */
    uint8_t map;
    uint16_t id; /* FRAME: name of the variable part, 0 if there is none; SCALAR and ENTRY_OR_NULL:
                    values with one name are equal, 0 if it has none */
    uint32_t reach; /* FRAME: bytes behind data + variable part that are known to be in the frame */
    union {
        struct {
            uint64_t min, max; /* SCALAR: unsigned */
            uint64_t bits,
                mask; /* SCALAR: the bits outside mask are those of bits, which has none in mask */
        };
        struct {
            int64_t low, high; /* other pointers: the offset */
        };
        struct {
            int64_t offset;
            uint64_t variable; /* FRAME: the variable part is at most this; UINT64_MAX: it may be
                                  anything */
        };
    };
};

/*
 * Offsets and variable parts beyond ASH_FAR are not followed: a pointer that may be so far away is
 * adrift. But for variable parts that only rise: no run executes 2^31 instructions (its fuel is an
 * int32_t), and none adds 2^31, but for one that may add 2^63 at the start; so data + part doesn't
 * wrap. ASH_RISEN stands for such a part.
 */
#define ASH_FAR   (INT64_C(1) << 24)
#define ASH_RISEN (UINT64_C(1) << 62)

struct ash_value ash_unknown(void);
struct ash_value ash_constant(uint64_t value);
struct ash_value ash_between(uint64_t min, uint64_t max);
struct ash_value ash_pointer(enum ash_value_kind kind, unsigned map, int64_t offset);

/* The same kind of pointer, of which nothing else is known. */
struct ash_value ash_adrift(struct ash_value pointer);
bool ash_is_adrift(const struct ash_value *pointer);

static inline bool ash_is_constant(const struct ash_value *v)
{
    return v->kind == ASH_SCALAR && v->min == v->max;
}

/* Whether it is surely below 2^32. */
bool ash_fits_32(const struct ash_value *v);

/* Whether the same is known of two values. */
bool ash_same(const struct ash_value *a, const struct ash_value *b);

/* What is known at a loop's head if it was old, and one round made it new, of which old is a part:
   as much as will soon be left to change. */
struct ash_value ash_widen(const struct ash_value *old, const struct ash_value *new);

/* Takes a value's name away, and what depends on it: another value gets that name now. */
void ash_lose_name(struct ash_value *value);

/* Makes interval and bits of a scalar tell all that the other one knows. False if they contradict:
 * no such number exists. */
bool ash_agree(struct ash_value *scalar);

/*
 * The result of an ALU row (wide: of 64 bits) on two values. name: for a variable part that it
 * makes. Sets narrow, for 32 bits, if both operands and the 64-bit result are below 2^32.
 */
struct ash_value ash_compute(unsigned op, bool wide, const struct ash_value *x,
                             const struct ash_value *y, uint16_t name, bool *narrow);

/* Narrows two scalars by the knowledge that "a op b" (a row of ASH_JUMP) is holds. False if it
 * can't be so. */
bool ash_suppose(unsigned op, bool wide, bool holds, struct ash_value *a, struct ash_value *b);

/* What is known if the value is a or b. name: for a variable part, or an entry or null, that it
 * makes; 0 if there is none. */
struct ash_value ash_join(const struct ash_value *a, const struct ash_value *b, uint16_t name);

#endif
