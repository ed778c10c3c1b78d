/*
 * top [-d SECONDS] [-n COUNT]: who has the processor: the environments by the slices that they were
 * given since the last look, until ^C or COUNT looks.
 */
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "libos/start/start.h"
#include "apps/program.h"

const char program_name[] = "top";
const char program_usage[] = "top [-d SECONDS] [-n COUNT]  (every 2 seconds, until ^C)";

#define ENVS_MAX 1024
#define ROWS     20

struct row {
    uint32_t env, pages;
    uint64_t slices; /* since the last look */
    char name[AEGIS_NAME_SIZE + 1];
};

static struct {
    uint32_t serial;
    uint64_t slices;
} before[ENVS_MAX];

static int by_slices(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return x->slices != y->slices ? (x->slices < y->slices ? 1 : -1) : (int)x->env - (int)y->env;
}

/* All that live, with what they had since the last look. How many. */
static size_t look(struct row rows[ENVS_MAX], uint64_t *total)
{
    size_t count = 0;
    *total = 0;
    for (uint32_t i = 1; i < aegis_info()->env_count && i < ENVS_MAX; i++) {
        struct aegis_env_info env = *(const struct aegis_env_info *)(uintptr_t)aegis_env(i);
        if (env.state != AEGIS_ENV_LIVE)
            continue;
        bool known = before[i].serial == env.serial;
        rows[count] = (struct row){
            .env = i, .pages = env.pages, .slices = env.slices - (known ? before[i].slices : 0)};
        memcpy(rows[count].name, env.name, AEGIS_NAME_SIZE);
        *total += rows[count++].slices;
        before[i].serial = env.serial;
        before[i].slices = env.slices;
    }
    return count;
}

static void show(bool terminal)
{
    static struct row rows[ENVS_MAX];
    uint64_t total;
    size_t count = look(rows, &total);

    qsort(rows, count, sizeof *rows, by_slices);
    printf("%s%zu environments, %llu of %llu pages free, %llu slices given\n",
           terminal ? "\x1b[H\x1b[2J" : "", count, (unsigned long long)aegis_info()->free_pages,
           (unsigned long long)aegis_info()->page_count, (unsigned long long)total);
    printf("%4s %6s %8s %6s %s\n", "env", "pages", "slices", "share", "name");
    for (size_t i = 0; i < count && i < ROWS; i++)
        printf("%4u %6u %8llu %5.1f%% %s\n", (unsigned)rows[i].env, (unsigned)rows[i].pages,
               (unsigned long long)rows[i].slices,
               total ? 100.0 * (double)rows[i].slices / (double)total : 0.0, rows[i].name);
}

int main(int argc, char **argv)
{
    static struct row rows[ENVS_MAX];
    long seconds = 2, looks = 0;
    uint64_t total;
    int option;

    take_help(argc, argv);
    while ((option = getopt(argc, argv, "d:n:")) != -1) {
        long value = option == '?' ? -1 : number(optarg, 1, 1000000);
        if (value < 0)
            return usage();
        *(option == 'd' ? &seconds : &looks) = value;
    }
    if (optind != argc)
        return usage();
    look(rows, &total); /* what was before doesn't count */
    for (long i = 0; !looks || i < looks; i++) {
        struct timespec pause = {.tv_sec = seconds};
        nanosleep(&pause, NULL);
        show(isatty(STDOUT_FILENO));
        if (fflush(stdout) != 0)
            return failed("standard output");
    }
    return 0;
}
