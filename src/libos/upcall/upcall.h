/*
 * Exceptions, handled by the application in C and resumed without the kernel (design section 4;
 * Engler, Kaashoek and O'Toole, "Exokernel", SOSP 1995, section 5.3).
 *
 * A handler gets all registers as they were, may change them, and returns true to go on with them.
 * Its stack is apart from the interrupted one, so that overflowing a stack can be handled too.
 * Handlers may take exceptions themselves, up to AEGIS_UPCALL_FRAMES deep. gp is not preserved: it
 * carries the pc back.
 */
#ifndef EXOS_UPCALL_UPCALL_H
#define EXOS_UPCALL_UPCALL_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/abi.h"

/* scause values (RISC-V Privileged Architecture 1.12, table 4.2). */
enum upcall_cause {
    UPCALL_MISALIGNED_FETCH = 0,
    UPCALL_FETCH_FAULT = 1,
    UPCALL_ILLEGAL = 2,
    UPCALL_BREAKPOINT = 3,
    UPCALL_MISALIGNED_LOAD = 4,
    UPCALL_LOAD_FAULT = 5,
    UPCALL_MISALIGNED_STORE = 6,
    UPCALL_STORE_FAULT = 7,
    UPCALL_FOREIGN =
        8, /* a system call with a number below AEGIS_CALL_FIRST: AEGIS_CAUSE_FOREIGN */
    UPCALL_FETCH_PAGE = 12,
    UPCALL_LOAD_PAGE = 13,
    UPCALL_STORE_PAGE = 15,
    UPCALL_CAUSES = 16
};

struct upcall_context {
    uint64_t x[32]; /* x[0] is ignored, and so is a change of x[3], gp */
    double f[32];
    uint64_t fcsr;
    uint64_t pc;    /* where to go on: unchanged, the instruction runs again */
    uint64_t cause; /* enum upcall_cause */
    uint64_t value; /* stval: the address that faulted, the instruction's bits, or 0 */
    void *frame;    /* the kernel's (struct aegis_upcall_frame) */
};

/* Returns whether it handled the exception. */
typedef bool (*upcall_handler)(struct upcall_context *context);

/*
 * Make handler the one for cause, or none if it is NULL. An exception without a handler, or whose
 * handler returns false, ends the program with a truthful record (AEGIS_EXIT_EXCEPTION at its pc).
 * Returns the handler before. The first call binds ExOS's entry to the kernel.
 */
upcall_handler upcall_set(enum upcall_cause cause, upcall_handler handler);

/* What a function may change of the integer registers, as it was. The others are in the registers.
 */
struct upcall_light {
    uint64_t ra;
    uint64_t a[8];
    uint64_t t3, t4, t5, t6;
    uint64_t sp;                      /* a change is taken over */
    struct aegis_upcall_frame *frame; /* cause, pc, value, t0, t1, t2; pc is where to go on */
    uint64_t reserved;
};

/*
 * Returns whether it handled the exception: what it declines goes to upcall_set's handler. It must
 * leave the floating-point registers and errno alone, and so must whatever it calls.
 */
typedef bool (*upcall_light_handler)(struct upcall_light *context);

/*
 * Make handler the light one for cause, or none if it is NULL: it takes half the instructions of
 * one by upcall_set, as only 16 registers are saved and loaded. It is asked first. Returns the one
 * before. Otherwise as upcall_set.
 */
upcall_light_handler upcall_set_light(enum upcall_cause cause, upcall_light_handler handler);

/*
 * Name ExOS's entry to the kernel again, after a call of aegis_upcall_bind has named another.
 * Returns 0, or what aegis_upcall_bind gives.
 */
int64_t upcall_bind(void);

/*
 * Read a word that may not be mapped (another's page that may vanish at any time). Returns whether
 * it could be read; *value is set only then.
 */
bool upcall_probe(const volatile uint64_t *word, uint64_t *value);

/*
 * Read the byte at address, or write the word that holds it with what it holds (atomically), for
 * what the access brings about: memory that comes when it is touched. Returns whether it could be
 * done; what no light handler resolves goes to no other.
 */
bool upcall_touch(void *address, bool write);

/* Whether an exception at pc is one of upcall_probe's or upcall_touch's. */
bool upcall_is_probe(uint64_t pc);

/*
 * Called when the program's owner asks for resources back (visible revocation, SOSP 1995, section
 * 3.4): count of a kind, before AEGIS_REVOKE_SLICES slices and AEGIS_REVOKE_SECONDS have passed;
 * what is missing then is taken by force. It runs between any two instructions of the program, on a
 * stack of its own, and must not wait, nor use what takes the heap's lock: a program with data that
 * it interrupts sets a flag here, and gives later.
 */
typedef void (*upcall_revoke_handler)(enum aegis_kind kind, uint32_t count);

/* Make handler the one for revocations, or none if it is NULL. Returns the one before. */
upcall_revoke_handler upcall_set_revoke(upcall_revoke_handler handler);

/* vm's, called before: it notes what is there before anything is taken. */
extern upcall_revoke_handler upcall_revoke_first;

/*
 * What was taken by force since the last call: up to most entries go to taken; returns how many.
 * The first call names the page for the kernel to write to, so make one before anything can be
 * taken. More than AEGIS_REPOSSESSED_MAX between two calls: the oldest are lost, and only the
 * exposed pages tell.
 */
uint64_t upcall_repossessed(struct aegis_repossessed *taken, uint64_t most);

/* The same for a reader that counts by itself in *seen, 0 at first. */
uint64_t upcall_repossessed_since(uint64_t *seen, struct aegis_repossessed *taken, uint64_t most);

/* Bind ExOS's entry to the kernel, if it isn't: for parts of the library that take upcalls. */
void upcall_ready(void);

/* For fork's child, first of all: the kernel knows nothing of its upcalls. */
void upcall_forked(void);

/* Say on standard error why the program ends: an exception that nobody handles (proc/crash.c). */
void upcall_last_words(const struct upcall_context *context);

/* Exceptions that reached this program so far. */
extern uint64_t upcall_counted;
uint64_t upcall_count(void);

/*
 * For hooks of the slice's beginning, which is an upcall itself: whether it has interrupted a
 * handler of an exception, or, at pc, the tail of one, which still reads its frame.
 */
bool upcall_is_handling(uint64_t pc);

/* For what has to know on whose stack it is: whether any upcall is being handled. */
bool upcall_is_inside(void);

#endif
