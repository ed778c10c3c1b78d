/*
 * A TCG plugin that counts guest instructions into a file mapped into memory:
 *
 *     qemu-system-riscv64 ... -plugin libcount.so,counter=PATH
 *
 * Every instruction adds one before it runs, so a trapping instruction counts once and the count is
 * exact at any moment, unlike a sum by translated blocks, which an exception leaves too high. A
 * machine that sleeps in wfi counts nothing. Debian ships no plugin header; the few declarations
 * that this needs stand below, from QEMU's include/qemu/qemu-plugin.h, API version 1 (QEMU 4.2
 * to 8.2).
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "bench/plugin/counter.h"

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };
struct qemu_info {
    const char *target_name;
    struct {
        int minimum;
        int current;
    } version;
    bool system_emulation;
    struct {
        int smp_vcpus;
        int max_vcpus;
    } system;
};

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
                                           void (*callback)(plugin_id, struct qemu_plugin_tb *));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *instruction,
                                                enum qemu_plugin_op operation, void *address,
                                                uint64_t operand);

EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(plugin_id id, const struct qemu_info *info, int argc, char **argv);

static struct counter *counter;

static void block_translated(plugin_id id, struct qemu_plugin_tb *block)
{
    (void)id;
    size_t count = qemu_plugin_tb_n_insns(block);
    for (size_t i = 0; i < count; i++)
        qemu_plugin_register_vcpu_insn_exec_inline(qemu_plugin_tb_get_insn(block, i),
                                                   QEMU_PLUGIN_INLINE_ADD_U64,
                                                   (void *)&counter->instructions, 1);
}

static struct counter *map_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(struct counter)) < 0) {
        perror(path);
        return NULL;
    }
    void *page = mmap(NULL, sizeof(struct counter), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (page == MAP_FAILED) {
        perror(path);
        return NULL;
    }
    return page;
}

/* QEMU calls this once. Returns 0, or -1 with the reason on stderr, and QEMU ends. */
int qemu_plugin_install(plugin_id id, const struct qemu_info *info, int argc, char **argv)
{
    if (argc != 1 || strncmp(argv[0], "counter=", 8) != 0) {
        fprintf(stderr, "libcount: use -plugin libcount.so,counter=PATH\n");
        return -1;
    }
    /* Inline additions of several harts would lose counts. */
    if (!info->system_emulation || info->system.max_vcpus != 1) {
        fprintf(stderr, "libcount: counts machines with one hart: leave out -smp\n");
        return -1;
    }
    counter = map_file(argv[0] + 8);
    if (!counter)
        return -1;
    counter->magic = COUNTER_MAGIC;
    qemu_plugin_register_vcpu_tb_trans_cb(id, block_translated);
    return 0;
}
