/*
 * Sentences about refusals and aborts.
 */
#include "ash/trace.h"

/* " (echo.c:41)", or nothing if the image doesn't tell. */
static void put_line(struct ash_writer *w, const struct ash_image *image, uint32_t insn)
{
    uint32_t low = 0, high = image->header->lines;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (image->lines[middle].insn <= insn)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || image->lines[low - 1].file >= image->header->text)
        return;
    const struct ash_line *line = &image->lines[low - 1];
    ash_put_char(w, '(');
    for (uint32_t i = line->file; i < image->header->text && image->text[i]; i++)
        if (image->text[i] >= ' ' && image->text[i] <= '~')
            ash_put_char(w, image->text[i]);
    ash_put_char(w, ':');
    ash_put_number(w, line->line, 10, 1);
    ash_put_char(w, ')');
}

static void put_detail(struct ash_writer *w, struct ash_refusal refusal)
{
    switch (refusal.error) {
    case ASH_E_OPCODE:
        ash_put(w, " 0x");
        ash_put_number(w, refusal.detail, 16, 2);
        break;
    case ASH_E_REGISTER:
    case ASH_E_UNINITIALISED:
        ash_put(w, ": r");
        ash_put_number(w, refusal.detail, 10, 1);
        break;
    case ASH_E_HELPER:
    case ASH_E_MAP_INDEX:
        ash_put(w, ": ");
        ash_put_number(w, refusal.detail, 10, 1);
        break;
    case ASH_E_JUMP:
    case ASH_E_JUMP_WIDE:
    case ASH_E_JUMP_FUNCTION:
        ash_put(w, ": to insn ");
        ash_put_signed(w, (int32_t)refusal.detail);
        break;
    }
}

size_t ash_explain_error(const struct ash_image *image, struct ash_refusal refusal, char *text,
                         size_t size)
{
    struct ash_writer w = {.text = text, .size = size};
    if (refusal.insn != ASH_NO_INSN) {
        ash_put(&w, "insn ");
        ash_put_number(&w, refusal.insn, 10, 1);
        size_t before = w.used;
        ash_put_char(&w, ' ');
        put_line(&w, image, refusal.insn);
        if (w.used == before + 1)
            w.used = before;
        ash_put(&w, ": ");
    }
    ash_put(&w, ash_strerror(refusal.error));
    put_detail(&w, refusal);
    return ash_put_end(&w);
}

/* The region that an address has to do with: its own; or, from the middle on, the next one, before
 * the start of which it lies, unless a map is as large as that. */
static uint64_t region_about(const struct ash_image *image, uint64_t address)
{
    const uint32_t half = 1u << (ASH_REGION_SHIFT - 1);
    uint64_t region = address >> ASH_REGION_SHIFT, map = region - ASH_REGION_MAP;
    bool is_large =
        region >= ASH_REGION_WINDOW || (region >= ASH_REGION_MAP && map < image->header->maps &&
                                        ash_map_size(&image->maps[map]) > half);
    return address & half && !is_large ? region + 1 : region;
}

/* "stack -520", "frame +60", "map 2 +16", or the number if it is near no region. */
static void put_address(struct ash_writer *w, const struct ash_image *image,
                        const struct ash_run *run, uint64_t address)
{
    uint64_t region = region_about(image, address);
    int64_t start = (int64_t)ASH_BASE(region);
    if (region == ASH_REGION_CONTEXT) {
        ash_put(w, "context ");
    } else if (region == ASH_REGION_STACK) {
        ash_put(w, "stack ");
        start = ASH_STACK_TOP;
    } else if (region == ASH_REGION_FRAME) {
        ash_put(w, "frame ");
        start = run->md.data;
    } else if (region >= ASH_REGION_MAP && region < ASH_REGIONS) {
        bool is_map = region < ASH_REGION_WINDOW;
        ash_put(w, is_map ? "map " : "window ");
        ash_put_number(w, region - (is_map ? ASH_REGION_MAP : ASH_REGION_WINDOW), 10, 1);
        ash_put_char(w, ' ');
    } else {
        ash_put(w, "address 0x");
        ash_put_number(w, address, 16, 8);
        return;
    }
    if ((int64_t)address >= start)
        ash_put_char(w, '+');
    ash_put_signed(w, (int64_t)address - start);
}

size_t ash_explain_abort(const struct ash_program *program, const struct ash_run *run, char *text,
                         size_t size)
{
    static const char *const words[] = {
#define ASH_ABORT(name, value, word) [value] = (word),
#include "ash/aborts.def"
#undef ASH_ABORT
    };
    struct ash_writer w = {.text = text, .size = size};
    const struct ash_abort *abort = &run->abort;
    put_line(&w, &program->image, abort->insn);
    ash_put(&w, w.used ? ", insn " : "insn ");
    ash_put_number(&w, abort->insn, 10, 1);
    ash_put(&w, ", ");
    ash_put(&w, abort->reason < sizeof words / sizeof *words ? words[abort->reason] : "unknown");
    switch (abort->reason) {
    case ASH_ABORT_GUARD:
    case ASH_ABORT_READ_ONLY:
    case ASH_ABORT_ALIGN:
    case ASH_ABORT_PROOF:
        ash_put(&w, ": ");
        put_address(&w, &program->image, run, abort->address);
        break;
    case ASH_ABORT_MAP:
        ash_put(&w, ": 0x");
        ash_put_number(&w, abort->address, 16, 1);
        break;
    }
    return ash_put_end(&w);
}
