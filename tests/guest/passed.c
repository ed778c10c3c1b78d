/*
 * A program whose start block says anything: it begins, without the descriptors that make no sense,
 * or ends; it doesn't hang.
 */
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libos/fd/fd.h"
#include "libos/proc/internal.h"
#include "libos/proc/proc.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"
#include "test.h"

#define PLACE  2048 /* of the records in the block, up to TEST_WHY_OFFSET */
#define ROOM   (TEST_WHY_OFFSET - PLACE)
#define BEGAN  33 /* status of a program that came to main */
#define ROUNDS 60

/* As fd/part.c has it. */
struct passed {
    uint32_t tag;
    uint16_t fd, same;
    uint32_t flags, size;
    uint64_t bytes[3];
};

static uint64_t state = 88172645463325252;

static uint64_t random_word(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

/* Runs a program with these bytes; returns why it ended. */
static struct proc_status run(const void *bytes, size_t size, uint64_t pass, uint64_t pass_size)
{
    char *const argv[] = {"passed", "child"};
    const struct proc_options options = {.name = "passed", .argc = 2, .argv = argv};
    struct proc proc;
    struct proc_status status;

    CHECK_OK(proc_create(&proc, &options));
    memcpy((char *)proc.start + PLACE, bytes, size);
    proc.start->pass = pass;
    proc.start->pass_size = pass_size;
    CHECK_OK(proc_start(&proc));
    CHECK_EQ(proc_wait(&proc, &status, test_deadline()), 1);
    return status;
}

static void begins(const void *bytes, size_t size)
{
    struct proc_status status = run(bytes, size, PLACE, size);
    if (status.reason != AEGIS_EXIT_STATUS || status.value != BEGAN)
        FAIL("reason %d, value %llu, pc 0x%llx", (int)status.reason,
             (unsigned long long)status.value, (unsigned long long)status.pc);
}

static const uint32_t tags[] = {FD_TAG('f', 'i', 'l', 'e'),
                                FD_TAG('p', 'i', 'p', 'e'),
                                FD_TAG('t', 't', 'y', ' '),
                                FD_TAG('n', 'u', 'l', 'l'),
                                FD_TAG('l', 'o', 'g', ' '),
                                0,
                                1};
#define TAGS (sizeof tags / sizeof *tags)

/* One record of as many descriptors as fit; returns its bytes. */
static size_t make(uint8_t *to, uint64_t word, uint32_t size)
{
    struct proc_record record = {.name = "fd"};
    size_t used = sizeof record;

    for (size_t i = 0; i < TAGS; i++) {
        const struct passed passed = {.tag = tags[i],
                                      .fd = (uint16_t)(3 + i),
                                      .same = (uint16_t)(word >> 8),
                                      .flags = (uint32_t)random_word(),
                                      .size = size,
                                      .bytes = {word, word >> 1, ~word}};
        memcpy(to + used, &passed, sizeof passed);
        used += sizeof passed - sizeof passed.bytes + (size < 24 ? (size + 7) / 8 * 8 : 24);
    }
    record.size = used - sizeof record;
    memcpy(to, &record, sizeof record);
    return used;
}

static void addresses_that_make_no_sense(void)
{
    static const uint64_t words[] = {0,
                                     1,
                                     VM_SHARED_BASE,
                                     VM_SHARED_BASE + 5 * AEGIS_PAGE_SIZE,
                                     VM_SHARED_BASE + 8,
                                     VM_END - AEGIS_PAGE_SIZE,
                                     UINT64_MAX,
                                     UINT64_MAX << 12,
                                     EXOS_START_ADDRESS,
                                     AEGIS_EXPOSED_BASE};
    uint8_t bytes[ROOM];

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        for (uint32_t size = 0; size <= 24; size += 8)
            begins(bytes, make(bytes, words[i], size));
}

static void random_bytes(void)
{
    uint8_t bytes[ROOM];

    for (int round = 0; round < ROUNDS; round++) {
        size_t size = make(bytes, VM_SHARED_BASE + (random_word() % 8 << 12), 8U << round % 2);
        for (uint64_t changes = random_word() % 20; changes-- > 0;)
            bytes[random_word() % size] = (uint8_t)random_word();
        begins(bytes, size - random_word() % 16 * (random_word() % 2));
    }
}

static void places_outside_of_the_block(void)
{
    static const uint64_t places[][2] = {
        {UINT64_MAX, 64}, {UINT64_MAX - 31, 64}, {PLACE, UINT64_MAX}, {0, UINT64_MAX - 4096},
        {PLACE + 8, 512}, {PLACE + 1, 512},      {1UL << 40, 64},     {1, EXOS_PASS_MAX * 4},
    };
    uint8_t bytes[ROOM];
    size_t size = make(bytes, 0, 8);

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct proc_status status = run(bytes, size, places[i][0], places[i][1]);
        CHECK(status.reason == AEGIS_EXIT_STATUS && status.value == BEGAN);
    }
    /* In the block as far as can be told, and not there: the program's own end. */
    run(bytes, size, 4 * AEGIS_PAGE_SIZE, 512);
}

/* Uses what it was given. */
static int child(void)
{
    struct stat status;
    char byte;

    for (int fd = 3; fd < 16; fd++) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (fstat(fd, &status) == 0 && poll(&ready, 1, 0) == 1 && S_ISREG(status.st_mode))
            (void)!read(fd, &byte, 1);
        dup2(fd, fd + 32);
        close(fd);
    }
    return BEGAN;
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "child"))
        return child();
    addresses_that_make_no_sense();
    random_bytes();
    places_outside_of_the_block();
    return 0;
}
