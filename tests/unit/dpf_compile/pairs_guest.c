/*
 * Compiled code on a hart: this program is RV64 Linux, under qemu-riscv64. Filters and frames from
 * a seed go through the naive evaluator, the trie's interpreter and the compiled code. The code is
 * written at one address and executed at another; frames end where a page ends behind which nothing
 * is mapped, so one byte read too far ends the program.
 *
 *   pairs_guest [SEED [TRIES]]
 */
#include "members.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define FRAMES    100 /* a trie */
#define CODE_SIZE (4u << 20)
#define PAGE      4096
#define ALL_ISA   (RV64_ZBA | RV64_ZBB | RV64_MISALIGNED) /* of qemu-riscv64's rv64 */

static struct members members;
static uint8_t *written, *executed; /* the code: where it is emitted, and its copy */
static uint8_t *page_end; /* what lies before is readable and writable, behind is nothing */
static unsigned long wins, taps, accepted, code_bytes;
static char where[64] = "before the first frame";

static void die(const char *what)
{
    printf("%s\n", what);
    exit(1);
}

static void on_fault(int signal)
{
    static const char text[] = "the code touched memory that isn't its own, ";
    (void)signal;
    if (write(1, text, sizeof text - 1) < 0 || write(1, where, strlen(where)) < 0)
        _exit(2);
    _exit(1);
}

static void map(void)
{
    int private = MAP_PRIVATE | MAP_ANONYMOUS;
    written = mmap(0, CODE_SIZE, PROT_READ | PROT_WRITE, private, -1, 0);
    executed = mmap(0, CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, private, -1, 0);
    uint8_t *pages = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, private, -1, 0);
    if (written == MAP_FAILED || executed == MAP_FAILED || pages == MAP_FAILED)
        die("no memory");
    page_end = pages + PAGE;
    if (mprotect(page_end, PAGE, PROT_NONE))
        die("mprotect");
}

/* Where in the code's memory the next function goes, so that it doesn't always lie at one place. */
static size_t place(struct gen *gen)
{
    return 8 * (size_t)gen_below(gen, 1024);
}

static size_t compile(const struct dpf_trie *trie, const struct dpf_filter *filter,
                      const struct dpf_compile_options *options, size_t at)
{
    static _Alignas(8) uint8_t memory[16 << 20];
    size_t size = trie ? dpf_compile_bound(trie) : dpf_compile_filter_bound(filter);
    struct dpf_code code;
    if (size > CODE_SIZE - at)
        size = CODE_SIZE - at;
    int error = trie ? dpf_compile(memory, sizeof memory, trie, written + at, size, options, &code)
                     : dpf_compile_filter(memory, sizeof memory, filter, written + at, size,
                                          options, &code);
    if (error)
        die(dpf_strerror(error));
    code_bytes += code.size;
    /* A second mapping of one memory would not do: qemu-riscv64 wouldn't see that the code changed.
     */
    memcpy(executed + at, written + at, code.size);
    __builtin___clear_cache((char *)executed + at, (char *)executed + at + code.size);
    return at + code.entry;
}

/* The largest frame of at most most bytes that ends with the page and lies as the options say. */
static uint8_t *frame_place(const struct dpf_compile_options *options, size_t *available)
{
    while ((uintptr_t)(page_end - *available) % options->align != options->residue)
        *available = (*available + FRAME_MAX - 1) % FRAME_MAX;
    return page_end - *available;
}

static void check_frame(struct gen *gen, const struct dpf_trie *trie, size_t entry,
                        const struct dpf_compile_options *options)
{
    size_t available = gen_below(gen, FRAME_MAX);
    uint8_t *frame = frame_place(options, &available), bytes[FRAME_MAX];
    members_frame(&members, gen, bytes, available);
    memcpy(frame, bytes, available);
    size_t length = available + (gen_chance(gen, 20) ? gen_below(gen, 40) : 0);
    dpf_classifier *classify;
    uint8_t *address = executed + entry;
    memcpy(&classify, &address, sizeof classify);
    struct dpf_found found = classify(frame, available, length);
    struct dpf_result result = dpf_classify(trie, frame, available, length);
    bool same = result.taps == found.taps && (options->equals_disjoint || result.id == found.id);
    if (!same || !members_right(&members, options->equals_disjoint, frame, available, length,
                                found.id, found.taps)) {
        printf("%s: winner %d, taps %" PRIx64 "; interpreter: %d, %" PRIx64 "\n", where,
               (int)found.id, found.taps, (int)result.id, result.taps);
        exit(1);
    }
    wins += found.id != DPF_NONE;
    taps += found.taps != 0;
}

static void check_filter(struct gen *gen, const struct dpf_filter *filter)
{
    struct dpf_compile_options options = members_options(gen, ALL_ISA);
    size_t entry = compile(0, filter, &options, place(gen));
    for (unsigned i = 0; i < FRAMES / 10; i++) {
        size_t available = gen_below(gen, FRAME_MAX);
        uint8_t *frame = frame_place(&options, &available), bytes[FRAME_MAX];
        members_frame(&members, gen, bytes, available);
        memcpy(frame, bytes, available);
        dpf_matcher *matches;
        uint8_t *address = executed + entry;
        memcpy(&matches, &address, sizeof matches);
        uint64_t got = matches(frame, available, available);
        if (got != dpf_match(filter, frame, available, available)) {
            printf("%s, a filter alone: %" PRIu64 "\n", where, got);
            exit(1);
        }
        accepted += got;
    }
}

int main(int argc, char **argv)
{
    struct gen gen = {argc > 1 ? strtoull(argv[1], 0, 0) : 1};
    unsigned tries = argc > 2 ? (unsigned)strtoul(argv[2], 0, 0) : 1000;
    struct sigaction action = {.sa_handler = on_fault};
    sigaction(SIGSEGV, &action, 0);
    sigaction(SIGBUS, &action, 0);
    sigaction(SIGILL, &action, 0);
    map();
    for (unsigned t = 0; t < tries; t++) {
        members_make(&members, &gen);
        struct dpf_trie *trie = members_trie(&members);
        struct dpf_compile_options options = members_options(&gen, ALL_ISA);
        size_t entry = compile(trie, 0, &options, place(&gen));
        for (unsigned n = 0; n < FRAMES; n++) {
            snprintf(where, sizeof where, "trie %u, frame %u\n", t, n);
            check_frame(&gen, trie, entry, &options);
        }
        check_filter(&gen, &members.filter[gen_below(&gen, members.count)]);
        free(trie);
    }
    printf("%u pairs: %lu winners, %lu with taps; %lu frames accepted by filters alone; %lu bytes "
           "of code\n",
           tries * FRAMES, wins, taps, accepted, code_bytes);
    return wins > tries * FRAMES / 5 && taps > tries && accepted > tries ? 0 : 1;
}
