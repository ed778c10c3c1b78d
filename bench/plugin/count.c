/*
 * A TCG plugin that counts guest instructions into a file mapped into memory:
 *
 *     qemu-system-riscv64 ... -plugin libcount.so,counter=PATH[,profile=on][,only=LOW-HIGH]
 *
 * Every instruction adds one before it runs, so a trapping instruction counts once and the count is
 * exact at any moment, unlike a sum by translated blocks, which an exception leaves too high. A
 * machine that sleeps in wfi counts nothing. With a range of addresses (hexadecimal, the end not in
 * it), instructions elsewhere run uncounted, nearly as fast as without the plugin; the host may
 * change it in the file, for what is translated from then on.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "bench/plugin/counter.h"
#include "bench/plugin/qemu_plugin.h"

#define PATH_OPTION    "counter="
#define PROFILE_OPTION "profile=on"
#define ONLY_OPTION    "only="

int qemu_plugin_version = 1;

static struct counter *counter;
static bool profiling;

static void add_one(struct qemu_plugin_insn *instruction, volatile uint64_t *count)
{
    qemu_plugin_register_vcpu_insn_exec_inline(instruction, QEMU_PLUGIN_INLINE_ADD_U64,
                                               (void *)count, 1);
}

static void block_translated(plugin_id id, struct qemu_plugin_tb *block)
{
    (void)id;
    size_t count = qemu_plugin_tb_n_insns(block);
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(block, i);
        uint64_t address = qemu_plugin_insn_vaddr(instruction);
        if (address < counter->low || address >= counter->high)
            continue;
        add_one(instruction, &counter->instructions);
        if (profiling && counter->used < COUNTER_PLACES) {
            counter->places[counter->used].address = address;
            add_one(instruction, &counter->places[counter->used].count);
            counter->used++;
        }
    }
}

static struct counter *map_file(const char *path, size_t size)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)size) < 0) {
        perror(path);
        return NULL;
    }
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (page == MAP_FAILED) {
        perror(path);
        return NULL;
    }
    return page;
}

/* LOW-HIGH in hexadecimal; false if that is not what text is. */
static bool parse_range(const char *text, uint64_t *low, uint64_t *high)
{
    char *end;
    *low = strtoull(text, &end, 16);
    if (end == text || *end != '-')
        return false;
    text = end + 1;
    *high = strtoull(text, &end, 16);
    return end != text && !*end && *low < *high;
}

/* QEMU calls this once. Returns 0, or -1 with the reason on stderr, and QEMU ends. */
int qemu_plugin_install(plugin_id id, const struct qemu_info *info, int argc, char **argv)
{
    const char *path = NULL;
    bool known = true;
    uint64_t low = 0, high = UINT64_MAX;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], PATH_OPTION, strlen(PATH_OPTION)) == 0)
            path = argv[i] + strlen(PATH_OPTION);
        else if (strcmp(argv[i], PROFILE_OPTION) == 0)
            profiling = true;
        else if (strncmp(argv[i], ONLY_OPTION, strlen(ONLY_OPTION)) == 0)
            known &= parse_range(argv[i] + strlen(ONLY_OPTION), &low, &high);
        else
            known = false;
    }
    if (!path || !known) {
        fprintf(stderr, "libcount: use -plugin libcount.so," PATH_OPTION "PATH[," PROFILE_OPTION
                        "][," ONLY_OPTION "LOW-HIGH]\n");
        return -1;
    }
    /* Inline additions of several harts would lose counts. */
    if (!info->system_emulation || info->system.max_vcpus != 1) {
        fprintf(stderr, "libcount: counts machines with one hart: leave out -smp\n");
        return -1;
    }
    size_t places = profiling ? COUNTER_PLACES : 0;
    counter = map_file(path, sizeof(*counter) + places * sizeof(counter->places[0]));
    if (!counter)
        return -1;
    counter->low = low;
    counter->high = high;
    counter->magic = COUNTER_MAGIC;
    qemu_plugin_register_vcpu_tb_trans_cb(id, block_translated);
    return 0;
}
