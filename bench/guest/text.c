/* The string functions that programs call most, on texts of 64 bytes in one cache line's places. */
#include <stddef.h>
#include <string.h>
#include "bench/guest/measure.h"

#define LENGTH 64

static char one[LENGTH + 1], other[LENGTH + 1];
static volatile uint64_t sink;

/* Called by address, so that the compiler computes nothing itself. */
static size_t (*volatile length)(const char *) = strlen;
static int (*volatile compare)(const char *, const char *) = strcmp;
static int (*volatile compare_memory)(const void *, const void *, size_t) = memcmp;
static char *(*volatile find)(const char *, int) = strchr;
static void *(*volatile copy)(void *, const void *, size_t) = memcpy;

static void prepare(void)
{
    memset(one, 'a', LENGTH);
    memset(other, 'a', LENGTH);
}

static uint64_t run_strlen(uint64_t n)
{
    prepare();
    return COUNT_LOOP(n, sink = length(one));
}

static uint64_t run_strcmp(uint64_t n)
{
    prepare();
    return COUNT_LOOP(n, sink = (uint64_t)compare(one, other));
}

static uint64_t run_memcmp(uint64_t n)
{
    prepare();
    return COUNT_LOOP(n, sink = (uint64_t)compare_memory(one, other, LENGTH));
}

static uint64_t run_strchr(uint64_t n)
{
    prepare();
    return COUNT_LOOP(n, sink = (uint64_t)find(one, 'b'));
}

static uint64_t run_memcpy(uint64_t n)
{
    prepare();
    return COUNT_LOOP(n, sink = (uint64_t)copy(one, other, LENGTH));
}

const struct row text_rows[] = {
    {"vm", "strlen_64", 100, run_strlen}, {"vm", "strcmp_64", 100, run_strcmp},
    {"vm", "memcmp_64", 100, run_memcmp}, {"vm", "strchr_64", 100, run_strchr},
    {"vm", "memcpy_64", 100, run_memcpy}, {NULL, NULL, 0, NULL}};
