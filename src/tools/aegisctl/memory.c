#include "memory.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PIECES_MAX (1U << 20)

void *memory_array(const struct memory *memory, uint64_t va, size_t count, size_t size)
{
    return count <= memory->ram.size / size ? ram_copy(&memory->ram, va, count * size) : NULL;
}

void memory_each_code(const struct memory *memory, memory_code *visit, void *context)
{
    for (int kind = 0; kind < AEGIS_CODE_KINDS; kind++) {
        const struct aegis_post_codes *codes = &memory->post.codes[kind];
        struct aegis_post_code *pieces =
            codes->count <= PIECES_MAX
                ? memory_array(memory, codes->pieces, codes->count, sizeof *pieces)
                : NULL;

        for (uint32_t i = 0; pieces != NULL && i < codes->count; i++) {
            const struct aegis_post_code *piece = &pieces[i];
            uint64_t offset = piece->start - memory->post.code;

            if (piece->size != 0 && offset < memory->post.code_size &&
                piece->size <= memory->post.code_size - offset &&
                piece->entry - piece->start < piece->size) {
                visit(context, (enum aegis_code_kind)kind, i, piece);
            }
        }
        free(pieces);
    }
}

void memory_code_name(enum aegis_code_kind kind, uint32_t number,
                      const struct aegis_post_code *code, char *text, size_t size)
{
    static const char *const names[] = {[AEGIS_CODE_CLASSIFIER] = "classifier_net",
                                        [AEGIS_CODE_EGRESS] = "egress_",
                                        [AEGIS_CODE_HANDLER] = "handler_"};
    char name[AEGIS_NAME_SIZE + 1] = "";

    memcpy(name, code->name, AEGIS_NAME_SIZE);
    for (char *c = name; *c != 0; c++) { /* a name that debuggers take without quotes */
        *c = isalnum((unsigned char)*c) ? *c : '_';
    }
    snprintf(text, size, "%s%u%s%s", names[kind], number, name[0] != 0 ? "_" : "", name);
}

struct place {
    uint64_t address, behind;
    char *text;
    size_t size;
};

static void match(void *context, enum aegis_code_kind kind, uint32_t number,
                  const struct aegis_post_code *code)
{
    const struct place *place = context;
    char name[64];

    if (place->address - place->behind - code->start < code->size) {
        memory_code_name(kind, number, code, name, sizeof name);
        snprintf(place->text, place->size, "%s+0x%" PRIx64, name, place->address - code->entry);
    }
}

void memory_describe(const struct memory *memory, uint64_t address, uint64_t behind, char *text,
                     size_t size)
{
    struct place place = {address, behind, text, size};
    uint64_t offset;
    const char *name = elf_file_function(&memory->kernel, address - behind, &offset);

    text[0] = 0;
    if (name != NULL) {
        snprintf(text, size, "%s+0x%" PRIx64, name, offset + behind);
    } else {
        memory_each_code(memory, match, &place);
    }
}
