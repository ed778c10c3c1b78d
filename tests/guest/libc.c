/* picolibc on ExOS: what C programs take for granted. */
#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <malloc.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "libos/time/time.h"
#include "test.h"

static void printf_formats_numbers(void)
{
    char text[128];
    snprintf(text, sizeof text, "%d %u %lx %lld %c %s %5.2s|", -7, 7u, 0xabcdef0123UL, -1LL, 'x',
             "yes", "cut");
    CHECK(!strcmp(text, "-7 7 abcdef0123 -1 x yes    cu|"));
    snprintf(text, sizeof text, "%.3f %g %e %.0f %a", 3.14159265, 1e-7, 12345.678, 2.5, 1.0);
    CHECK(!strcmp(text, "3.142 1e-07 1.234568e+04 2 0x1p+0"));
    /* picolibc prints the shortest digits that mean the same number, and zeros behind them. */
    for (double x = 1e-300; x < 1e300; x *= 12345.678) {
        snprintf(text, sizeof text, "%.17g", x);
        CHECK(strtod(text, NULL) == x);
    }
    CHECK(strtod("2.5e3", NULL) == 2500.0);
    CHECK(sqrt(2.0) > 1.41421356 && sqrt(2.0) < 1.41421357);
    printf("a line with a double, %.2f, on the log\n", 2.75);
    CHECK_EQ(fflush(NULL), 0);
}

/* Blocks of all sizes, filled, freed in another order: nobody's bytes change, and the heap doesn't
 * grow twice. */
static void malloc_keeps_blocks_apart(void)
{
    static unsigned char *blocks[300];
    uint64_t before = 0;
    for (int round = 0; round < 4; round++) {
        for (unsigned i = 0; i < 300; i++) {
            size_t size = 1 + i * 37;
            blocks[i] = malloc(size);
            CHECK(blocks[i] && (uintptr_t)blocks[i] % 16 == 0);
            memset(blocks[i], (int)i, size);
        }
        for (unsigned i = 0; i < 300; i++) {
            unsigned at = i * 7 % 300;
            size_t size = 1 + at * 37;
            for (size_t j = 0; j < size; j++)
                CHECK(blocks[at][j] == (unsigned char)at);
            free(blocks[at]);
        }
        if (round == 0)
            before = aegis_env(exos.env)->pages;
    }
    CHECK_EQ(aegis_env(exos.env)->pages, before);
}

static void malloc_edges(void)
{
    char *p = calloc(1000, 8);
    CHECK(p);
    for (int i = 0; i < 8000; i++)
        CHECK(p[i] == 0);
    strcpy(p, "kept");
    p = realloc(p, 500000);
    CHECK(p && !strcmp(p, "kept"));
    p = realloc(p, 8);
    CHECK(p && !strcmp(p, "kept"));
    free(p);
    p = memalign(4096, 100);
    CHECK(p && (uintptr_t)p % 4096 == 0);
    free(p);
    errno = 0;
    CHECK(!malloc(SIZE_MAX / 2) && errno == ENOMEM);
    volatile size_t huge = SIZE_MAX / 2; /* the compiler would see through a constant */
    errno = 0;
    CHECK(!calloc(huge, 4) && errno == ENOMEM);
    free(NULL);
}

/* All of memory is asked for: the answer is NULL, not a crash, and what was had can be given back.
 */
static void malloc_out_of_memory(void)
{
    void **chain = NULL, **next;
    errno = 0;
    while ((next = malloc(1 << 20))) {
        *next = chain;
        chain = next;
    }
    CHECK_EQ(errno, ENOMEM);
    CHECK(chain);
    for (; chain; chain = next) {
        next = *chain;
        free(chain);
    }
    void *again = malloc(1 << 20);
    CHECK(again);
    free(again);
}

static void errno_is_of_the_thread(void)
{
    extern char __first_tls[];
    CHECK((char *)&errno >= __first_tls && (char *)&errno < __first_tls + 4096);
    errno = 0;
    CHECK(write(7, "x", 1) == -1 && errno == EBADF);
    errno = 0;
    CHECK(strtol("99999999999999999999", NULL, 10) == LONG_MAX && errno == ERANGE);
    CHECK_EQ(getpid(), 1); /* of the session that it makes by asking */
}

static void time_goes_on(void)
{
    struct timespec a, b, asked = {.tv_nsec = 30000000};
    struct timeval day;
    CHECK_EQ(clock_gettime(CLOCK_MONOTONIC, &a), 0);
    CHECK_EQ(nanosleep(&asked, NULL), 0);
    CHECK_EQ(clock_gettime(CLOCK_MONOTONIC, &b), 0);
    int64_t slept = (b.tv_sec - a.tv_sec) * 1000000000LL + (b.tv_nsec - a.tv_nsec);
    CHECK(slept >= 30000000 && slept < 20000000000LL);
    CHECK_EQ(time_to_ns(aegis_info()->timebase * 3), 3000000000UL);
    CHECK_EQ(time_from_ns(1), 1); /* rounded up: never sleeps shorter than asked */
    CHECK(time_after(UINT64_MAX) > time_now() + (1UL << 56));
    CHECK_EQ(gettimeofday(&day, NULL), 0);
    if (aegis_info()->wall) /* a board with a clock: this was written later than 2020 */
        CHECK(day.tv_sec > 1577836800 && time(NULL) - day.tv_sec <= 1);
    CHECK(clock_gettime((clockid_t)77, &a) == -1 && errno == EINVAL);
}

static void entropy_differs(void)
{
    uint64_t a[4] = {0}, b[4] = {0};
    CHECK_EQ(getentropy(a, sizeof a), 0);
    CHECK_EQ(getentropy(b, sizeof b), 0);
    CHECK(memcmp(a, b, sizeof a) && a[0] && a[3]);
    errno = 0;
    CHECK(getentropy(a, 257) == -1 && errno == EIO);
}

static int by_value(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

static void the_rest_of_the_library(void)
{
    int numbers[] = {5, 3, 9, 1};
    jmp_buf there;
    volatile int passes = 0;

    qsort(numbers, 4, sizeof *numbers, by_value);
    CHECK(numbers[0] == 1 && numbers[3] == 9);
    CHECK(setenv("NAME", "value", 1) == 0 && !strcmp(getenv("NAME"), "value"));
    if (setjmp(there) == 0) {
        passes++;
        longjmp(there, 1);
    }
    CHECK_EQ(passes, 1);
    char *copy = strdup("a copy");
    CHECK(copy && !strcmp(copy, "a copy"));
    free(copy);
    struct tm parts;
    time_t second = 86400;
    char text[32];
    CHECK(gmtime_r(&second, &parts) && strftime(text, sizeof text, "%Y-%m-%d", &parts) == 10);
    CHECK(!strcmp(text, "1970-01-02"));
}

static void the_last_line_needs_no_end(void)
{
    int fds[2];
    char line[16];

    CHECK_EQ(pipe(fds), 0);
    CHECK_EQ(write(fds[1], "one\nand two", 11), 11);
    CHECK_EQ(close(fds[1]), 0);
    FILE *file = fdopen(fds[0], "r");
    CHECK(file && fgets(line, sizeof line, file) == line && !strcmp(line, "one\n"));
    CHECK(fgets(line, 4, file) == line && !strcmp(line, "and"));
    CHECK(fgets(line, sizeof line, file) == line && !strcmp(line, " two"));
    CHECK(feof(file) && !fgets(line, sizeof line, file) && !strcmp(line, " two"));
    CHECK_EQ(fclose(file), 0);
}

/* Runs at exit, after which the status is still that of exit(0): or else the runner sees a failure.
 */
static void at_exit(void)
{
    printf("written by an atexit function, without an end of line");
}

int main(void)
{
    printf_formats_numbers();
    malloc_keeps_blocks_apart();
    malloc_edges();
    malloc_out_of_memory();
    errno_is_of_the_thread();
    time_goes_on();
    entropy_differs();
    the_rest_of_the_library();
    the_last_line_needs_no_end();
    CHECK_EQ(atexit(at_exit), 0);
    return 0;
}
