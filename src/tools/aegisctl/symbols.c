/* aegisctl symbols: an ELF file that names the code that a machine has generated, for gdb and
 * objdump. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "commands.h"
#include "memory.h"

struct list {
    struct elf_symbol *symbols;
    size_t count, room;
};

static void add(struct list *list, const char *name, const char *suffix, uint64_t address,
                uint64_t size, bool function)
{
    struct elf_symbol *grown;

    if (list->count == list->room) {
        grown = realloc(list->symbols, (list->room * 2 + 16) * sizeof *grown);
        if (grown == NULL) {
            return;
        }
        list->symbols = grown;
        list->room = list->room * 2 + 16;
    }
    list->symbols[list->count] =
        (struct elf_symbol){.address = address, .size = size, .function = function};
    snprintf(list->symbols[list->count++].name, sizeof list->symbols->name, "%s%s", name, suffix);
}

static void take(void *context, enum aegis_code_kind kind, uint32_t number,
                 const struct aegis_post_code *code)
{
    uint64_t before = code->entry - code->start;
    char name[48];

    memory_code_name(kind, number, code, name, sizeof name);
    if (before != 0) { /* exits and constants, which the code reaches backwards */
        add(context, name, "_prelude", code->start, before, true);
    }
    add(context, name, "", code->entry, code->size - before, true);
}

/* Into a file beside it first, so that nobody sees half of one. */
static int write_file(const char *path, const struct memory *memory, const uint8_t *code,
                      const struct list *list, struct why *why)
{
    char temporary[4096];
    FILE *out;
    int status;

    if (snprintf(temporary, sizeof temporary, "%s.new", path) >= (int)sizeof temporary) {
        return why_set(why, "%s: the name is too long", path);
    }
    out = fopen(temporary, "we");
    if (out == NULL) {
        return why_set(why, "%s: %s", temporary, strerror(errno));
    }
    status = elf_file_write(out, code, memory->post.code_size, memory->post.code, list->symbols,
                            list->count);
    if (fclose(out) != 0 || status != 0 || rename(temporary, path) != 0) {
        why_set(why, "cannot write %s: %s", path, strerror(errno));
        unlink(temporary);
        return -1;
    }
    return 0;
}

static int write_symbols(const struct memory *memory, const char *path, struct why *why)
{
    struct list list = {0};
    uint8_t *code;
    int status;

    if (memory->post.magic == 0) {
        return why_set(why, "the kernel had not come so far as to generate code");
    }
    code = ram_copy(&memory->ram, memory->post.code, memory->post.code_size);
    if (code == NULL) {
        return why_set(why, "the arena of generated code is not in the machine's memory");
    }
    memory_each_code(memory, take, &list);
    status = write_file(path, memory, code, &list, why);
    if (status == 0) {
        printf("%s: %zu symbols; gdb: add-symbol-file %s\n", path, list.count, path);
    }
    free(list.symbols);
    free(code);
    return status;
}

static int run(const struct command *command, int argc, char **argv)
{
    const char *instance = INSTANCE_DEFAULT, *ram = NULL, *kernel = NULL, *path = "aegis-code.elf";
    const struct option_row rows[] = {
        {"output", OPTION_TEXT, &path, "FILE", "where to write (default: aegis-code.elf)", 0, 0},
        {"o", OPTION_TEXT, &path, "FILE", "the same", 0, 0},
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
        return why_print(&why, "symbols");
    }
    status = write_symbols(&memory, path, &why);
    memory_close(&memory);
    return status == 0 ? 0 : why_print(&why, "symbols");
}

const struct command command_symbols = {
    "symbols", "", 0, 0, "Write an ELF file that names the machine's generated code.", run,
};
