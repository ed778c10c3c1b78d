/* aegisctl post: what a machine's memory says of it, alive or after a panic. */
#include "post.h"

#include <inttypes.h>
#include <string.h>

#include "client.h"
#include "commands.h"

static void print_registers(const uint64_t *r)
{
    static const char names[32][5] = {"zero", "ra", "sp",  "gp",  "tp", "t0", "t1", "t2",
                                      "s0",   "s1", "a0",  "a1",  "a2", "a3", "a4", "a5",
                                      "a6",   "a7", "s2",  "s3",  "s4", "s5", "s6", "s7",
                                      "s8",   "s9", "s10", "s11", "t3", "t4", "t5", "t6"};

    for (int i = 1; i < 32; i++) {
        printf("%s%4s 0x%016" PRIx64 "%s", i % 4 == 1 ? "  " : " ", names[i], r[i],
               i % 4 == 0 || i == 31 ? "\n" : "");
    }
    printf("  sepc 0x%016" PRIx64 " stval 0x%016" PRIx64 "\n", r[32], r[33]);
}

void post_epitaph(const struct memory *memory)
{
    struct aegis_epitaph epitaph;
    uint64_t at = elf_file_address(&memory->kernel, "epitaph");
    char text[sizeof epitaph.message + 1];

    if (at == 0 || !ram_read(&memory->ram, at, &epitaph, sizeof epitaph) ||
        epitaph.magic != AEGIS_EPITAPH_MAGIC) {
        printf("no panic\n");
        return;
    }
    post_text(text, sizeof text, epitaph.message, sizeof epitaph.message);
    printf("panic: %s\n", text);
    printf("time %" PRIu64 ", environment %" PRIu64 "\n", epitaph.time, epitaph.env);
    print_registers(epitaph.registers);
    printf("back trace, innermost first:\n");
    for (uint64_t i = 0; i < epitaph.trace_length && i < AEGIS_EPITAPH_TRACE; i++) {
        /* A return lies behind its call, which may end its function. */
        uint64_t behind = i > 0 || epitaph.cause == UINT64_MAX;

        memory_describe(memory, epitaph.trace[i], behind, text, sizeof text);
        printf("  0x%" PRIx64 " %s\n", epitaph.trace[i], text);
    }
}

static void print_machine(const struct memory *memory)
{
    const struct aegis_info *info = &memory->info;
    char text[AEGIS_BOOTARGS_SIZE + 1];

    post_text(text, sizeof text, info->bootargs, sizeof info->bootargs);
    printf("\nmachine: %s, %" PRIu64 " of %" PRIu64 " pages free, boot arguments: %s\n",
           memory->alive ? "running" : "ended", info->free_pages, info->page_count, text);
}

static int run(const struct command *command, int argc, char **argv)
{
    const char *instance = INSTANCE_DEFAULT, *ram = NULL, *kernel = NULL;
    long most = 32;
    const struct option_row rows[] = {
        {"trace", OPTION_NUMBER, &most, "N", "how many of the last trace records (default: 32)", 0,
         1 << 20},
        MEMORY_OPTIONS(ram, kernel),
        {"instance", OPTION_TEXT, &instance, "NAME", INSTANCE_HELP, 0, 0},
        {0},
    };
    int count, status = options_parse(command, rows, argc, argv, &count);
    struct memory memory;
    struct why why;

    if (status >= 0) {
        return status;
    }
    if (memory_open(&memory, instance, ram, kernel, &why) != 0) {
        return why_print(&why, "post");
    }
    post_epitaph(&memory);
    if (memory.post.magic == 0) {
        printf("\nthe kernel had not come so far as to say where its tables are\n");
    } else {
        print_machine(&memory);
        post_environments(&memory);
        post_pages(&memory);
        post_bindings(&memory);
        post_code(&memory);
        post_trace(&memory, most);
    }
    memory_close(&memory);
    return 0;
}

const struct command command_post = {
    "post", "", 0, 0, "Print what the machine's memory says of it, also after a panic.", run,
};
