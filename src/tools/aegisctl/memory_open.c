/* Where a machine's memory and its kernel's symbols are found. */
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "memory.h"

/* A rebuilt kernel's symbols would be wrong ones: its text has to be what lies in the memory. */
static int check_same(const struct memory *memory, const char *kernel, struct why *why)
{
    const uint8_t *text;
    uint64_t address;
    size_t size;
    uint8_t *there;
    bool same;

    if (!elf_file_text(&memory->kernel, &text, &size, &address)) {
        return why_set(why, "%s has no code", kernel);
    }
    there = ram_copy(&memory->ram, address, size);
    same = there != NULL && memcmp(there, text, size) == 0;
    free(there);
    return same ? 0
                : why_set(why,
                          "%s is not the kernel in that memory; name the one that was booted with "
                          "--kernel",
                          kernel);
}

static int read_post(struct memory *memory, const char *kernel, struct why *why)
{
    uint64_t at = elf_file_address(&memory->kernel, "post");

    if (at == 0 || !ram_read(&memory->ram, at, &memory->post, sizeof memory->post) ||
        memory->post.magic != AEGIS_POST_MAGIC) {
        memory->post = (struct aegis_post){0};
        return 0;
    }
    if (memory->post.version != AEGIS_ABI_VERSION) {
        return why_set(why,
                       "%s has other layouts than this aegisctl (0x%x, not 0x%x); use the one that "
                       "was built with it",
                       kernel, memory->post.version, AEGIS_ABI_VERSION);
    }
    memory->ram.root = memory->post.root;
    if (!ram_read(&memory->ram, memory->post.info, &memory->info, sizeof memory->info)) {
        memory->ram.root = 0;
        memory->post = (struct aegis_post){0};
    }
    return 0;
}

int memory_open(struct memory *memory, const char *name, const char *ram, const char *kernel,
                struct why *why)
{
    char ram_path[INSTANCE_PATH_MAX], kernel_path[INSTANCE_PATH_MAX];
    struct instance instance;

    *memory = (struct memory){0};
    if (instance_find(&instance, name, why) != 0) {
        return -1;
    }
    instance_path(&instance, "ram", ram_path);
    instance_path(&instance, "kernel.elf", kernel_path);
    memory->alive = ram == NULL && instance_runs(&instance);
    ram = ram != NULL ? ram : ram_path;
    kernel = kernel != NULL ? kernel : kernel_path;
    if (ram_open(&memory->ram, ram, why) != 0) {
        return ram == ram_path
                   ? why_in(why,
                            "instance %s: its memory is there while it runs, and after a panic",
                            name)
                   : -1;
    }
    if (elf_file_open(&memory->kernel, kernel, why) != 0 || check_same(memory, kernel, why) != 0 ||
        read_post(memory, kernel, why) != 0) {
        memory_close(memory);
        return -1;
    }
    return 0;
}

void memory_close(struct memory *memory)
{
    ram_close(&memory->ram);
    elf_file_close(&memory->kernel);
}
