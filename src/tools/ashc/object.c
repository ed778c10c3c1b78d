/*
 * The reader of ELF files for BPF (System V ABI, edition 4.1, chapter 4; the 64-bit layouts of
 * elf.h). Trusts nothing: each offset is compared with the file's size before it is followed.
 */
#include "tools/ashc/object.h"

#include <stdarg.h>
#include <string.h>

bool ashlift_fail(char *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error, ASHLIFT_ERROR_SIZE, format, arguments);
    va_end(arguments);
    return false;
}

static bool inside(const struct object *o, uint64_t offset, uint64_t size)
{
    return offset <= o->size && size <= o->size - offset;
}

/* A structure of the file, which needn't be aligned there. */
static bool get(const struct object *o, uint64_t offset, void *to, size_t size)
{
    if (!inside(o, offset, size))
        return ashlift_fail(o->error, "the object is cut off: offset %llu of %zu bytes",
                            (unsigned long long)offset, o->size);
    memcpy(to, o->bytes + offset, size);
    return true;
}

static bool header(const struct object *o, unsigned index, Elf64_Shdr *h)
{
    if (index >= o->section_count)
        return ashlift_fail(o->error, "the object names section %u, and has %u", index,
                            o->section_count);
    return get(o, o->sections_at + (uint64_t)index * sizeof *h, h, sizeof *h);
}

/* A string of a string section; it ends inside the section. */
static bool string(const struct object *o, unsigned section, uint64_t at, const char **text)
{
    Elf64_Shdr h;
    if (!header(o, section, &h))
        return false;
    if (h.sh_type != SHT_STRTAB || !inside(o, h.sh_offset, h.sh_size) || at >= h.sh_size ||
        !memchr(o->bytes + h.sh_offset + at, 0, h.sh_size - at))
        return ashlift_fail(o->error, "the object has a name outside of its string table");
    *text = (const char *)o->bytes + h.sh_offset + at;
    return true;
}

/* Names of machines whose objects people have about, for messages. */
static const char *machine_name(unsigned machine)
{
    static const struct {
        unsigned machine;
        const char *name;
    } names[] = {
        {EM_386, "Intel 80386"}, {EM_X86_64, "x86-64"}, {EM_ARM, "ARM"},
        {EM_AARCH64, "AArch64"}, {EM_RISCV, "RISC-V"},  {EM_PPC64, "PowerPC"},
        {EM_S390, "IBM S/390"},  {EM_MIPS, "MIPS"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].machine == machine)
            return names[i].name;
    return "another machine";
}

/* The machine stands at the same place in all kinds of ELF files, in the file's byte order. */
static unsigned machine_of(const Elf64_Ehdr *h)
{
    bool big = h->e_ident[EI_DATA] == ELFDATA2MSB;
    return big ? (unsigned)(h->e_machine << 8 & 0xff00) | h->e_machine >> 8 : h->e_machine;
}

static bool check_header(const Elf64_Ehdr *h, char *error)
{
    unsigned machine = machine_of(h);
    if (machine != EM_BPF)
        return ashlift_fail(
            error,
            "the object is for %s (ELF machine %u), not for BPF (%u); compile with clang "
            "-target bpf",
            machine_name(machine), machine, EM_BPF);
    if (h->e_ident[EI_DATA] == ELFDATA2MSB)
        return ashlift_fail(error,
                            "the object is for big-endian BPF; compile with clang -target bpfel");
    if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB)
        return ashlift_fail(error,
                            "the object is not a 64-bit one; compile with clang -target bpf");
    if (h->e_type != ET_REL)
        return ashlift_fail(error, "the file is of ELF type %u, not an object; don't link it",
                            h->e_type);
    if (h->e_shentsize != sizeof(Elf64_Shdr))
        return ashlift_fail(error, "the object's section headers have %u bytes, not %zu",
                            h->e_shentsize, sizeof(Elf64_Shdr));
    return true;
}

bool object_open(struct object *o, const void *bytes, size_t size, char *error)
{
    Elf64_Ehdr h;
    *o = (struct object){.bytes = bytes, .size = size, .error = error};
    if (!get(o, 0, &h, sizeof h))
        return false;
    if (memcmp(h.e_ident, ELFMAG, SELFMAG) != 0)
        return ashlift_fail(error, "this is not an ELF file");
    if (!check_header(&h, error))
        return false;
    o->section_count = h.e_shnum;
    o->sections_at = h.e_shoff;
    o->names = h.e_shstrndx;
    if (!inside(o, h.e_shoff, (uint64_t)h.e_shnum * sizeof(Elf64_Shdr)))
        return ashlift_fail(error, "the object is cut off: its section headers lie behind its end");
    for (unsigned i = 0; i < o->section_count; i++) {
        Elf64_Shdr s;
        if (!header(o, i, &s))
            return false;
        if (s.sh_type == SHT_SYMTAB)
            o->symbols = i;
    }
    return true;
}

bool object_section(const struct object *o, unsigned index, struct section *section)
{
    Elf64_Shdr h;
    const char *name;
    if (!header(o, index, &h) || !string(o, o->names, h.sh_name, &name))
        return false;
    bool has_bytes = h.sh_type != SHT_NOBITS && h.sh_type != SHT_NULL;
    if (has_bytes && !inside(o, h.sh_offset, h.sh_size))
        return ashlift_fail(o->error, "the object is cut off in section %s", name);
    *section = (struct section){
        .name = name,
        .bytes = has_bytes ? o->bytes + h.sh_offset : NULL,
        .size = h.sh_size,
        .type = h.sh_type,
        .flags = h.sh_flags,
        .link = h.sh_link,
        .info = h.sh_info,
    };
    return true;
}

unsigned object_find(const struct object *o, const char *name)
{
    for (unsigned i = 1; i < o->section_count; i++) {
        struct section s;
        if (object_section(o, i, &s) && strcmp(s.name, name) == 0)
            return i;
    }
    return 0;
}

size_t object_symbol_count(const struct object *o)
{
    struct section s;
    if (!o->symbols || !object_section(o, o->symbols, &s) || !s.bytes)
        return 0;
    return s.size / sizeof(Elf64_Sym);
}

bool object_symbol(const struct object *o, size_t index, struct symbol *symbol)
{
    struct section table, own;
    Elf64_Sym s;
    if (!o->symbols || !object_section(o, o->symbols, &table))
        return ashlift_fail(o->error, "the object has no symbols; was it stripped?");
    if (!table.bytes || index >= table.size / sizeof s)
        return ashlift_fail(o->error, "the object names symbol %zu, and has %zu", index,
                            object_symbol_count(o));
    memcpy(&s, table.bytes + index * sizeof s, sizeof s);
    *symbol = (struct symbol){
        .value = s.st_value,
        .size = s.st_size,
        .section = s.st_shndx < o->section_count ? s.st_shndx : 0,
        .type = ELF64_ST_TYPE(s.st_info),
    };
    if (symbol->type == STT_SECTION && symbol->section) {
        if (!object_section(o, symbol->section, &own))
            return false;
        symbol->name = own.name;
        return true;
    }
    return string(o, table.link, s.st_name, &symbol->name);
}

/* The section that holds the relocations of another one, 0 if there is none. */
static unsigned relocations_of(const struct object *o, unsigned section)
{
    for (unsigned i = 1; i < o->section_count; i++) {
        Elf64_Shdr h;
        if (header(o, i, &h) && h.sh_type == SHT_REL && h.sh_info == section)
            return i;
    }
    return 0;
}

size_t object_relocation_count(const struct object *o, unsigned section)
{
    struct section s;
    unsigned table = relocations_of(o, section);
    if (!table || !object_section(o, table, &s) || !s.bytes)
        return 0;
    return s.size / sizeof(Elf64_Rel);
}

bool object_relocation_at(const struct object *o, unsigned section, size_t index,
                          struct relocation *relocation)
{
    struct section s;
    Elf64_Rel r;
    unsigned table = relocations_of(o, section);
    if (!table || !object_section(o, table, &s) || !s.bytes || index >= s.size / sizeof r)
        return ashlift_fail(o->error, "the object lacks relocation %zu of section %u", index,
                            section);
    memcpy(&r, s.bytes + index * sizeof r, sizeof r);
    relocation->offset = r.r_offset;
    relocation->type = (uint32_t)ELF64_R_TYPE(r.r_info);
    return object_symbol(o, ELF64_R_SYM(r.r_info), &relocation->symbol);
}

bool object_relocation(const struct object *o, unsigned section, uint64_t offset, bool *found,
                       struct relocation *relocation)
{
    size_t count = object_relocation_count(o, section);
    *found = false;
    for (size_t i = 0; i < count; i++) {
        if (!object_relocation_at(o, section, i, relocation))
            return false;
        if (relocation->offset == offset) {
            *found = true;
            return true;
        }
    }
    return true;
}
