/*
 * The linker: the function that is asked for goes first, and behind it all that it calls.
 */
#include "tools/ashc/link.h"

#include <string.h>

#define INSN_SIZE   sizeof(struct ash_insn)
#define OPCODE_WIDE 0x18
#define OPCODE_CALL 0x85
#define CALL_LOCAL  1 /* source register of a call */
#define WIDE_MAP    5 /* of a 64-bit load: imm is a map's index */
#define WIDE_VALUE  6 /* and that, the second imm an offset in it */

static void set_source(struct ash_insn *insn, unsigned source)
{
    insn->registers = (uint8_t)((insn->registers & 15) | source << 4);
}

/* The end of the function that begins at an offset: by its symbol's size, else where the next one
 * begins. */
static bool function_end(struct link *link, unsigned section, uint64_t start, uint64_t *end)
{
    struct section s;
    if (!object_section(&link->object, section, &s))
        return false;
    *end = s.size;
    for (size_t i = 0; i < object_symbol_count(&link->object); i++) {
        struct symbol symbol;
        if (!object_symbol(&link->object, i, &symbol))
            return false;
        if (symbol.section != section || symbol.type != STT_FUNC)
            continue;
        if (symbol.value == start && symbol.size && symbol.size <= s.size - start) {
            *end = start + symbol.size;
            return true;
        }
        if (symbol.value > start && symbol.value < *end)
            *end = symbol.value;
    }
    return true;
}

/* Copies a function to the end of the image, unless it is there: tells its first instruction. */
static bool copy_function(struct link *link, unsigned section, uint64_t start, const char *name,
                          uint32_t *at)
{
    struct section s;
    uint64_t end;
    for (unsigned i = 0; i < link->function_count; i++) {
        const struct function *f = &link->functions[i];
        if (f->section == section && f->start == start) {
            *at = f->at;
            return true;
        }
    }
    if (section == 0)
        return ashlift_fail(link->error, "%s is not defined in the object", name);
    if (!object_section(&link->object, section, &s))
        return false;
    if (!(s.flags & SHF_EXECINSTR) || !s.bytes || start % INSN_SIZE || start >= s.size)
        return ashlift_fail(link->error, "%s in section %s is not a function", name, s.name);
    if (!function_end(link, section, start, &end))
        return false;
    if ((end - start) % INSN_SIZE)
        return ashlift_fail(link->error, "function %s has %llu bytes, not a multiple of 8", name,
                            (unsigned long long)(end - start));
    uint64_t count = (end - start) / INSN_SIZE;
    if (count > ASH_INSNS_MAX - link->insn_count)
        return ashlift_fail(link->error, "the handler has more than %d instructions",
                            ASH_INSNS_MAX);
    if (link->function_count == sizeof link->functions / sizeof *link->functions)
        return ashlift_fail(link->error, "the handler has more than %zu functions",
                            sizeof link->functions / sizeof *link->functions);
    *at = link->insn_count;
    memcpy(link->insns + *at, s.bytes + start, count * INSN_SIZE);
    link->insn_count += (uint32_t)count;
    link->functions[link->function_count++] = (struct function){section, start, end, *at};
    return true;
}

/* A 64-bit load whose constant is the address of a map or a variable. */
static bool link_wide(struct link *link, struct ash_insn *insn, const struct relocation *r)
{
    unsigned map;
    if (r->type != R_BPF_64_64)
        return ashlift_fail(link->error, "%s: relocation of type %u at a 64-bit load",
                            r->symbol.name, r->type);
    uint64_t offset = r->symbol.value + (uint32_t)insn->imm;
    if (!link_find_map(link, r->symbol.section, offset, r->symbol.name, &map))
        return false;
    bool is_map = !(link->maps[map].info.flags & ASH_MAP_GLOBAL);
    if (!is_map && offset >= ash_map_size(&link->maps[map].info))
        return ashlift_fail(link->error, "%s lies behind the end of its section", r->symbol.name);
    set_source(insn, is_map ? WIDE_MAP : WIDE_VALUE);
    insn[0].imm = (int32_t)map;
    insn[1].imm = is_map ? 0 : (int32_t)offset;
    return true;
}

/* Where a call leads in the object: by its relocation, or relative to itself. */
static bool link_call(struct link *link, const struct function *f, uint32_t at, bool found,
                      const struct relocation *r)
{
    struct ash_insn *insn = &link->insns[at];
    unsigned section = f->section;
    uint64_t here = f->start + (at - f->at + 1) * INSN_SIZE;
    uint64_t start = here + (uint64_t)(int64_t)insn->imm * INSN_SIZE;
    const char *name = "a call";
    uint32_t target;
    if (found) {
        if (r->type != R_BPF_64_32_CALL)
            return ashlift_fail(link->error, "%s: relocation of type %u at a call", r->symbol.name,
                                r->type);
        section = r->symbol.section;
        start = r->symbol.value + (uint64_t)((int64_t)insn->imm + 1) * INSN_SIZE;
        name = r->symbol.name;
    }
    if (!copy_function(link, section, start, name, &target))
        return false;
    set_source(insn, CALL_LOCAL);
    insn->imm = (int32_t)target - (int32_t)at - 1;
    return true;
}

/* Fills in what the instructions of a function refer to; functions that it calls are copied behind.
 */
static bool link_function(struct link *link, const struct function *f)
{
    uint32_t end = f->at + (uint32_t)((f->end - f->start) / INSN_SIZE);
    for (uint32_t at = f->at; at < end; at++) {
        struct ash_insn *insn = &link->insns[at];
        bool is_wide = insn->opcode == OPCODE_WIDE, found;
        bool is_call = insn->opcode == OPCODE_CALL;
        struct relocation r;
        if (!is_wide && !is_call)
            continue;
        if (!object_relocation(&link->object, f->section, f->start + (at - f->at) * INSN_SIZE,
                               &found, &r))
            return false;
        if (is_wide && at + 1 == end)
            return ashlift_fail(link->error, "a 64-bit load is cut off at the end of its function");
        if (is_wide && found && !link_wide(link, insn, &r))
            return false;
        if (is_call && (found || insn->registers >> 4 == CALL_LOCAL) &&
            !link_call(link, f, at, found, &r))
            return false;
        at += is_wide;
    }
    return true;
}

/* How well a function suits to be the handler if nobody says which; 0: not at all. */
static unsigned fitness(const struct section *s)
{
    if (strncmp(s->name, "xdp", 3) == 0)
        return 3;
    return strcmp(s->name, ".text") == 0 ? 1 : 2;
}

/* A function that could be the handler. False with error set if the object is broken. */
static bool is_function(struct link *link, size_t index, bool *is, struct symbol *symbol,
                        struct section *section)
{
    *is = false;
    if (!object_symbol(&link->object, index, symbol))
        return false;
    if (symbol->type != STT_FUNC || symbol->section == 0)
        return true;
    if (!object_section(&link->object, symbol->section, section))
        return false;
    *is = section->flags & SHF_EXECINSTR;
    return true;
}

/* Says that there is no such function, and which there are. */
static bool no_function(struct link *link, const char *program)
{
    char names[200] = "";
    for (size_t i = 0, used = 0; i < object_symbol_count(&link->object); i++) {
        struct symbol symbol;
        struct section s;
        bool is;
        if (!is_function(link, i, &is, &symbol, &s))
            return false;
        if (is && used < sizeof names)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "",
                                     symbol.name);
    }
    if (!object_symbol_count(&link->object))
        return ashlift_fail(link->error, "the object has no symbols; was it stripped?");
    if (!*names)
        return ashlift_fail(link->error, "there is no function in the object");
    return ashlift_fail(link->error, "there is no function %s in the object; it has %s", program,
                        names);
}

static bool choose(struct link *link, const char *program, struct symbol *chosen)
{
    unsigned best = 0;
    for (size_t i = 0; i < object_symbol_count(&link->object); i++) {
        struct symbol symbol;
        struct section s;
        bool is;
        if (!is_function(link, i, &is, &symbol, &s))
            return false;
        unsigned fits = !is ? 0 : program ? strcmp(program, symbol.name) == 0 : fitness(&s);
        if (fits > best) {
            best = fits;
            *chosen = symbol;
        }
    }
    return best ? true : no_function(link, program ? program : "");
}

bool link_program(struct link *link, const char *program)
{
    struct symbol symbol = {0};
    uint32_t at;
    if (!choose(link, program, &symbol))
        return false;
    size_t length = strnlen(symbol.name, ASH_NAME_SIZE - 1);
    for (size_t i = 0; i < length; i++)
        link->name[i] = symbol.name[i] > ' ' && symbol.name[i] <= '~' ? symbol.name[i] : '_';
    if (!length)
        link->name[0] = '-';
    if (!copy_function(link, symbol.section, symbol.value, symbol.name, &at))
        return false;
    for (unsigned i = 0; i < link->function_count; i++)
        if (!link_function(link, &link->functions[i]))
            return false;
    return true;
}

/* What the visitor of line records works with. */
struct walk {
    struct link *link;
    const struct function *function;
};

/* The offset of a file's name, without its folders, in the text; false if there is no room. */
static bool file_name(struct link *link, const char *path, uint32_t *offset)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    for (*offset = 0; *offset < link->text_size;
         *offset += (uint32_t)strlen(link->text + *offset) + 1)
        if (strcmp(link->text + *offset, name) == 0)
            return true;
    size_t size = strlen(name) + 1;
    for (const char *c = name; *c; c++)
        if (*c < ' ' || *c > '~')
            return false;
    if (size > ASH_TEXT_MAX - link->text_size)
        return false;
    memcpy(link->text + link->text_size, name, size);
    link->text_size += (uint32_t)size;
    return true;
}

static bool add_line(void *context, const struct btf_line *line)
{
    struct walk *walk = context;
    struct link *link = walk->link;
    const struct function *f = walk->function;
    if (line->offset < f->start || line->offset >= f->end || line->offset % INSN_SIZE ||
        line->line == 0)
        return true;
    struct ash_line new = {.insn = f->at + (uint32_t)((line->offset - f->start) / INSN_SIZE),
                           .line = line->line};
    if (!file_name(link, line->file, &new.file))
        return true;
    struct ash_line *last = link->line_count ? &link->lines[link->line_count - 1] : NULL;
    if (last && last->insn == new.insn)
        *last = new;
    else if (last && (last->insn > new.insn || (last->line == new.line && last->file == new.file)))
        return true;
    else if (link->line_count < ASH_LINES_MAX)
        link->lines[link->line_count++] = new;
    return true;
}

bool link_lines(struct link *link)
{
    for (unsigned i = 0; i < link->function_count; i++) {
        struct walk walk = {link, &link->functions[i]};
        struct section s;
        if (!object_section(&link->object, walk.function->section, &s))
            return false;
        btf_lines(&link->btf, s.name, add_line, &walk);
    }
    return true;
}
