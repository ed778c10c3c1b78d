/*
 * Prints images.
 */
#include <stdlib.h>

#include "ash/program.h"
#include "tools/ashc/ashlift.h"
#include "vcode/decode.h"

static void print_maps(FILE *out, const struct ash_image *image)
{
    for (unsigned i = 0; i < image->header->maps; i++) {
        const struct ash_map_info *map = &image->maps[i];
        fprintf(out, "map %u %s: %u entries of %u bytes%s%s\n", i, map->name, map->entries,
                map->value_size, map->flags & ASH_MAP_READ_ONLY ? ", read-only" : "",
                map->flags & ASH_MAP_GLOBAL ? ", variables" : "");
    }
}

/* What the verifier knows about an access or a jump back. */
static void print_note(FILE *out, const struct ash_note *note)
{
    static const char *const places[] = {"anywhere", "context", "stack", "frame", "map"};
    unsigned kind = ash_op_kinds[note->op];
    if (!(note->flags & ASH_NOTE_REACHED))
        fprintf(out, "  ; never reached");
    else if (note->flags & ASH_NOTE_BACK)
        fprintf(out, "  ; fuel %u", note->cost);
    else if (note->flags & ASH_NOTE_IN_PLACE)
        fprintf(out, "  ; in place");
    else if (kind != ASH_KIND_LOAD && kind != ASH_KIND_STORE && kind != ASH_KIND_STOREX &&
             kind != ASH_KIND_ATOMIC)
        return;
    else if (!(note->flags & ASH_NOTE_PROVED))
        fprintf(out, "  ; guarded, %s", places[note->place]);
    else if (note->flags & ASH_NOTE_FIXED)
        fprintf(out, "  ; proved, %s %+d", places[note->place], note->fixed);
    else
        fprintf(out, "  ; proved, %s", places[note->place]);
}

static void print_line(FILE *out, const struct ash_image *image, uint32_t at, uint32_t *line)
{
    if (*line < image->header->lines && image->lines[*line].insn == at) {
        const struct ash_line *l = &image->lines[(*line)++];
        if (l->file < image->header->text)
            fprintf(out, "; %.*s:%u\n", (int)(image->header->text - l->file), image->text + l->file,
                    l->line);
    }
}

static void print_insns(FILE *out, const struct ash_image *image, const struct ash_program *program)
{
    uint32_t line = 0;
    for (uint32_t at = 0; at < image->header->insns; at++) {
        const struct ash_insn *insn = &image->insns[at];
        const struct ash_insn *next = at + 1 < image->header->insns ? insn + 1 : NULL;
        char text[ASH_TEXT_SIZE];
        print_line(out, image, at, &line);
        ash_disassemble(insn, next, text, sizeof text);
        fprintf(out, "%4u: %02x %02x %04x %08x  %s", at, insn->opcode, insn->registers,
                (uint16_t)insn->offset, (uint32_t)insn->imm, text);
        if (program)
            print_note(out, &program->notes[at]);
        fputc('\n', out);
        if (insn->opcode == ASH_OPCODE_WIDE && next) {
            fprintf(out, "%4u: %02x %02x %04x %08x\n", at + 1, next->opcode, next->registers,
                    (uint16_t)next->offset, (uint32_t)next->imm);
            at++;
        }
    }
}

static void print_program(FILE *out, const struct ash_program *p)
{
    fprintf(out, "fuel %u, stack %u%s, %u accesses, %u of them guarded%s\n", p->entry_cost,
            p->stack, p->clear_stack ? " (cleared)" : "", p->accesses, p->guards,
            p->can_abort ? "" : "; it can't be aborted");
}

/* Machine code, for a hart with Zba and Zbb. */
static void print_code(FILE *out, const struct ash_program *program, void *scratch,
                       size_t scratch_size)
{
    size_t bound = ash_code_bound(program);
    uint32_t *code = malloc(bound);
    if (!code || ash_compile(scratch, scratch_size, program, code, bound,
                             RV64_ZBA | RV64_ZBB | RV64_MISALIGNED)) {
        fprintf(out, "no machine code\n");
    } else {
        size_t size = ash_compiled(scratch);
        fprintf(out, "machine code, %zu bytes\n", size);
        for (uint32_t at = 0; at < size; at += 4) {
            char text[RV64_TEXT];
            rv64_print(text, code[at / 4], at);
            fprintf(out, "%5x: %08x  %s\n", at, code[at / 4], text);
        }
    }
    free(code);
}

void ashlift_print(FILE *out, const void *bytes, size_t size, int detail)
{
    struct ash_image image;
    int error = ash_image_open(bytes, size, &image);
    if (error) {
        fprintf(out, "not a handler image: %s\n", ash_strerror(error));
        return;
    }
    uint32_t insns = image.header->insns;
    void *scratch = malloc(ash_scratch_size(insns)), *memory = malloc(ash_program_size(insns));
    bool verified = false;
    fprintf(out, "%s: %u instructions\n", image.header->name, insns);
    print_maps(out, &image);
    if (scratch && memory) {
        char text[ASH_TEXT_SIZE];
        error = ash_verify(scratch, ash_scratch_size(insns), &image,
                           (enum ash_event)image.header->event, ASH_HELPERS_ALL, memory,
                           ash_program_size(insns));
        verified = error == 0;
        if (verified) {
            print_program(out, memory);
        } else {
            ash_explain_error(&image, ash_refused(scratch), text, sizeof text);
            fprintf(out, "refused: %s\n", text);
        }
    }
    print_insns(out, &image, verified && detail >= 2 ? memory : NULL);
    if (verified && detail >= 3)
        print_code(out, memory, scratch, ash_scratch_size(insns));
    free(scratch);
    free(memory);
}
