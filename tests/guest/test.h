/*
 * What the guest's test programs share. Each is a program of its own, in an environment of its own,
 * started by runner.c. It passes by returning 0 from main; the first check that fails ends it, with
 * why in the part of the start block that both agree on.
 */
#ifndef GUEST_TEST_H
#define GUEST_TEST_H

#include <stdbool.h>
#include <stdint.h>

#include "libos/start/calls.h"
#include "libos/start/error.h"
#include "libos/start/start.h"

#define TEST_WHY_OFFSET 3072 /* of the text in the start block's page */
#define TEST_WHY_SIZE   1024

static inline char *test_why(struct exos_start *start)
{
    return (char *)start + TEST_WHY_OFFSET;
}

/* What the runner hands over. */
enum test_cap {
    TEST_CAP_ROOT,    /* binding of net0, DELEGATE */
    TEST_CAP_MONITOR, /* the same, MONITOR */
    TEST_CAP_CONSOLE, /* READ and WRITE */
    TEST_CAP_DISK,    /* root extent of disk 0, READ, WRITE and DELEGATE; none without a disk */
    TEST_CAP_LOOP,    /* root binding of the loop interface, DELEGATE */
    TEST_CAPS
};

_Noreturn void test_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void test_equal(const char *file, int line, const char *what, int64_t got, int64_t wanted);
void test_error(const char *file, int line, const char *what, int64_t got, int64_t wanted);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            test_fail(__FILE__, __LINE__, "not %s", #condition);                                   \
    } while (0)
#define CHECK_EQ(got, wanted)                                                                      \
    test_equal(__FILE__, __LINE__, #got, (int64_t)(got), (int64_t)(wanted))

/* A call's result: an error by name, or success. */
#define CHECK_ERROR(call, name) test_error(__FILE__, __LINE__, #call, (call), -AEGIS_E_##name)
#define CHECK_OK(call)          test_error(__FILE__, __LINE__, #call, (call), 0)
#define FAIL(...)               test_fail(__FILE__, __LINE__, __VA_ARGS__)

/*
 * Seconds that the runner lets a test take: the boot argument limit=SECONDS, or 60. They are for
 * tests that hang; where the machine is slow (a checked kernel, a loaded host) they may be more.
 */
uint64_t test_limit(void);

/* By when what a test waits for must have come, from now on: half of that. In rdtime ticks. */
uint64_t test_deadline(void);

/* A page of this program's own, unmapped; fails the test if there is none. */
uint64_t test_page(void);

/* The argument number `index` of this program, or "" if it has fewer. */
const char *test_argument(int argc, char **argv, int index);

/*
 * An environment without a library: code (position-independent, at most a page) at RAW_CODE,
 * readable and executable; a page that both share at RAW_DATA; no stack. sp begins as RAW_DATA +
 * the page size.
 */
#define RAW_CODE   0x10000UL
#define RAW_DATA   0x20000UL
#define RAW_FRAMES 0x30000UL /* blob faults: the page of its frames, its own */
struct raw {
    uint32_t env;
    uint64_t *data; /* the shared page, as mapped here */
};
void raw_create(struct raw *raw, const char *name, const void *code, const void *code_end);
void raw_start(const struct raw *raw, uint64_t argument);
/* Waits for its end, frees all that it had, and returns why. */
struct aegis_env_info raw_finish(struct raw *raw);
void raw_run(struct raw *raw, const char *name, const void *code, const void *code_end,
             uint64_t argument);

/* around.S: what an instruction does to registers. */
void around_ebreak(const uint64_t in[32], uint64_t out[32], const double fin[32], double fout[32]);
void around_null(const uint64_t in[32], uint64_t out[32], const double fin[32], double fout[32]);
void around_illegal(const uint64_t in[32], uint64_t out[32], const double fin[32], double fout[32]);
/* Handlers of exceptions; what note_handler found. */
void skip_handler(void);
void note_handler(void);
extern uint64_t noted_registers[32];
void around_gate(const uint64_t in[32], uint64_t out[32]);

/* blobs.S: code for raw environments; what each does stands there. */
#define BLOB(name) extern const char blob_##name[], blob_##name##_end[]
BLOB(dump);
BLOB(fill);
BLOB(keep);
BLOB(faults);
BLOB(end);
BLOB(spin);
BLOB(sleep);
BLOB(foreign);
BLOB(load);
BLOB(stay);
BLOB(mirror);
BLOB(relay);
BLOB(captor);
#define RAW(raw, blob, argument) raw_run(raw, #blob, blob_##blob, blob_##blob##_end, argument)

#endif
