/*
 * dd if=FROM of=TO [bs=BYTES] [count=N] [skip=N] [seek=N] [depth=N]: copies blocks between extents,
 * several requests under way, and tells how many and how fast.
 *
 *   FROM   DISK,FIRST,COUNT,SECRET: an extent; zero
 *   TO     likewise an extent; null; sum: prints the CRC-32 of all bytes
 *   bs     bytes of a block (default 65536), count how many (default: until either end)
 *   skip, seek   blocks to leave out at the beginning of FROM, and of TO
 *   depth  requests under way, 1 to 32 (default 8)
 *
 * What was written is flushed before dd ends. Exit status 0, 1 after a failure, 2 after a mistake
 * of usage.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/program.h"
#include "control/control.h"
#include "libos/disk/disk.h"
#include "libos/start/error.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"

#define DEPTH_MAX 32

enum side_kind { SIDE_NONE, SIDE_EXTENT, SIDE_ZERO, SIDE_NULL, SIDE_SUM };

struct side {
    enum side_kind kind;
    const char *name;
    struct disk disk;
    uint64_t skip; /* blocks */
};

static struct job {
    struct side from, to;
    uint64_t bs, count, depth;
    uint64_t bytes; /* that both sides have, of count blocks */
    uint32_t crc;
} job = {.bs = 65536, .count = UINT64_MAX, .depth = 8};

/* One block's way: read, then written; taken and given back in order. */
static struct step {
    struct disk_io io;
    uint8_t *memory;
} steps[DEPTH_MAX];

static int fail(const char *what, int64_t error)
{
    fprintf(stderr, "dd: %s: %s: %s\n", what, aegis_strerror(error), aegis_remedy(error));
    return 1;
}

const char program_name[] = "dd";
const char program_usage[] =
    "dd if=EXTENT|zero of=EXTENT|null|sum [bs=BYTES] [count=N] [skip=N] [seek=N] [depth=N]\n"
    "  EXTENT DISK,FIRST,COUNT,SECRET; bs a multiple of 512; depth 1 to 32 requests under way";

static int mistake(const char *word)
{
    fprintf(stderr, "dd: %s\n", word);
    return usage();
}

static bool set_side(struct side *side, const char *name, enum side_kind other)
{
    side->name = name;
    side->kind = SIDE_EXTENT;
    if (strcmp(name, "zero") == 0)
        side->kind = SIDE_ZERO;
    else if (strcmp(name, "null") == 0)
        side->kind = SIDE_NULL;
    else if (strcmp(name, "sum") == 0)
        side->kind = SIDE_SUM;
    return side->kind == SIDE_EXTENT || (side->kind == SIDE_ZERO) == (other == SIDE_ZERO);
}

/* A number from low to high. */
static bool set_number(uint64_t *to, const char *text, uint64_t low, uint64_t high)
{
    char *end;

    *to = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == 0 && *to >= low && *to <= high;
}

static bool set_word(const char *word)
{
    const char *value = strchr(word, '=');

    if (!value)
        return false;
    value++;
    switch (word[0] << 8 | word[1]) {
    case 'i' << 8 | 'f':
        return set_side(&job.from, value, SIDE_ZERO);
    case 'o' << 8 | 'f':
        return set_side(&job.to, value, SIDE_NULL);
    case 'b' << 8 | 's':
        return set_number(&job.bs, value, 512, 1 << 20) && job.bs % 512 == 0;
    default:
        break;
    }
    if (strncmp(word, "count=", 6) == 0)
        return set_number(&job.count, value, 0, UINT64_MAX);
    if (strncmp(word, "skip=", 5) == 0)
        return set_number(&job.from.skip, value, 0, UINT32_MAX);
    if (strncmp(word, "seek=", 5) == 0)
        return set_number(&job.to.skip, value, 0, UINT32_MAX);
    return strncmp(word, "depth=", 6) == 0 && set_number(&job.depth, value, 1, DEPTH_MAX);
}

/* Bytes of a block: of the last one maybe less than bs. */
static uint64_t length_of(uint64_t block)
{
    uint64_t left = job.bytes - block * job.bs;

    return left < job.bs ? left : job.bs;
}

/* What is told of a side: its name without the secret. */
static const char *public_name(const struct side *side)
{
    static char text[64];
    const char *comma = strrchr(side->name, ',');

    snprintf(text, sizeof text, "%.*s",
             (int)(comma ? (size_t)(comma - side->name) : strlen(side->name)), side->name);
    return text;
}

/* Opens a side, and lowers bytes to what it has. */
static int open_side(struct side *side, uint32_t rights)
{
    if (side->kind != SIDE_EXTENT)
        return 0;
    int64_t error = disk_open_name(&side->disk, side->name, rights);
    if (error < 0)
        return fail(public_name(side), error);
    if (job.bs % side->disk.unit || job.bs > side->disk.most) {
        fprintf(stderr,
                "dd: %s: bs is %" PRIu64 ", not a multiple of %" PRIu32 " up to %" PRIu64 "\n",
                public_name(side), job.bs, side->disk.unit, side->disk.most);
        return 1;
    }
    uint64_t skipped = side->skip * job.bs; /* skip is below 2^32, bs at most 2^20 */
    uint64_t bytes = side->disk.size > skipped ? side->disk.size - skipped : 0;
    job.bytes = job.bytes < bytes ? job.bytes : bytes;
    return 0;
}

/* Begins a request, waiting for others' ends while there is no room. */
static int64_t begin(struct side *side, enum aegis_disk_op op, uint64_t block, struct step *step)
{
    for (;;) {
        uint64_t done = aegis_info()->disks[side->disk.number].done;
        int64_t error = disk_start(&side->disk, op, (side->skip + block) * job.bs, step->memory,
                                   length_of(block), &step->io);
        if (error != -AEGIS_E_FULL)
            return error;
        struct aegis_predicate when[] = {
            disk_when_ended(), AEGIS_WHEN(aegis_info()->disks[side->disk.number].done, NE, done)};
        if (disk_poll() == 0)
            aegis_wait(when, 2, AEGIS_FOREVER);
    }
}

/* Begins to read a block, or has it. */
static int64_t begin_read(uint64_t block)
{
    struct step *step = &steps[block % job.depth];

    if (job.from.kind == SIDE_EXTENT)
        return begin(&job.from, AEGIS_DISK_READ, block, step);
    step->io.done = true;
    step->io.status = 0;
    return 0;
}

/* A block was read: begins to write it, or has done with it. */
static int64_t begin_write(uint64_t block)
{
    struct step *step = &steps[block % job.depth];
    int64_t error = disk_wait(&step->io);

    if (error)
        return error;
    if (job.to.kind == SIDE_SUM)
        job.crc = control_crc32(job.crc, step->memory, length_of(block));
    return job.to.kind == SIDE_EXTENT ? begin(&job.to, AEGIS_DISK_WRITE, block, step) : 0;
}

/*
 * Blocks ended .. written - 1 are being written, those from there to begun - 1 read. What can go on
 * goes on: reads are begun first, so that there are always some under way.
 */
static int64_t copy(uint64_t *ended)
{
    uint64_t begun = 0, written = 0, count = (job.bytes + job.bs - 1) / job.bs;
    int64_t error = 0;

    while (*ended < count && !error) {
        if (begun < count && begun - *ended < job.depth)
            error = begin_read(begun++);
        else if (written < begun && (steps[written % job.depth].io.done || written == *ended))
            error = begin_write(written++);
        else {
            error = disk_wait(&steps[*ended % job.depth].io);
            *ended += !error;
        }
    }
    return error;
}

int main(int argc, char **argv)
{
    uint64_t ended = 0;

    take_help(argc, argv);
    for (int i = 1; i < argc; i++)
        if (!set_word(argv[i]))
            return mistake(argv[i]);
    if (job.from.kind == SIDE_NONE || job.to.kind == SIDE_NONE)
        return mistake(job.from.kind == SIDE_NONE ? "if is missing" : "of is missing");
    job.bytes = job.count > UINT64_MAX / job.bs ? UINT64_MAX : job.count * job.bs;
    if (open_side(&job.from, DISK_READ_ONLY) || open_side(&job.to, DISK_READ_WRITE))
        return 1;
    if (job.bytes == UINT64_MAX)
        return mistake("count is missing, and neither side ends");
    uint64_t pages = (job.bs + AEGIS_PAGE_SIZE - 1) / AEGIS_PAGE_SIZE;
    for (uint64_t i = 0; i < job.depth; i++)
        if (!(steps[i].memory = vm_alloc(pages, VM_READ_WRITE)))
            return fail("memory", -AEGIS_E_NO_PAGE);

    uint64_t start = time_now();
    int64_t error = copy(&ended);
    if (!error && job.to.kind == SIDE_EXTENT)
        error = disk_flush(&job.to.disk);
    uint64_t ns = time_to_ns(time_now() - start), bytes = ended * job.bs;
    bytes = bytes < job.bytes ? bytes : job.bytes;
    printf("dd: %" PRIu64 " blocks, %" PRIu64 " bytes, %.6f s, %.1f MB/s\n", ended, bytes,
           (double)ns / 1e9, ns ? (double)bytes * 1e3 / (double)ns : 0.0);
    if (job.to.kind == SIDE_SUM && !error)
        printf("dd: crc32 0x%08" PRIx32 "\n", job.crc);
    return error ? fail("copy", error) : 0;
}
