/* An ELF file of symbols: header, the section's bytes, symbols, names, section headers. */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "elf_file.h"

enum { S_NULL, S_TEXT, S_SYMBOLS, S_NAMES, S_SECTION_NAMES, SECTIONS };

static const char section_names[] = "\0.text\0.symtab\0.strtab\0.shstrtab";
enum { N_TEXT = 1, N_SYMBOLS = 7, N_NAMES = 15, N_SECTION_NAMES = 23 };

static uint64_t aligned(uint64_t offset)
{
    return (offset + 7) & ~UINT64_C(7);
}

static int put(FILE *out, const void *bytes, size_t size, uint64_t offset)
{
    return fseek(out, (long)offset, SEEK_SET) == 0 && fwrite(bytes, 1, size, out) == size ? 0 : -1;
}

static Elf64_Ehdr header_of(uint64_t sections_at)
{
    Elf64_Ehdr header = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_EXEC,
        .e_machine = EM_RISCV,
        .e_version = EV_CURRENT,
        .e_shoff = sections_at,
        .e_flags = EF_RISCV_RVC,
        .e_ehsize = sizeof(Elf64_Ehdr),
        .e_shentsize = sizeof(Elf64_Shdr),
        .e_shnum = SECTIONS,
        .e_shstrndx = S_SECTION_NAMES,
    };
    return header;
}

/* Symbols and their names, behind the empty first of each. The caller frees both. */
static bool make_tables(const struct elf_symbol *symbols, size_t count, Elf64_Sym **table,
                        char **names, size_t *names_size)
{
    *table = calloc(count + 1, sizeof **table);
    *names = calloc(count + 1, sizeof symbols->name);
    *names_size = 1;
    if (*table == NULL || *names == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const struct elf_symbol *s = &symbols[i];
        size_t length = strnlen(s->name, sizeof s->name - 1);

        (*table)[i + 1] = (Elf64_Sym){
            .st_name = (Elf64_Word)*names_size,
            .st_info = ELF64_ST_INFO(STB_GLOBAL, s->function ? STT_FUNC : STT_OBJECT),
            .st_shndx = S_TEXT,
            .st_value = s->address,
            .st_size = s->size,
        };
        memcpy(*names + *names_size, s->name, length);
        *names_size += length + 1;
    }
    return true;
}

int elf_file_write(FILE *out, const uint8_t *bytes, size_t size, uint64_t address,
                   const struct elf_symbol *symbols, size_t count)
{
    Elf64_Sym *table;
    char *names;
    size_t names_size;
    int status = -1;

    if (make_tables(symbols, count, &table, &names, &names_size)) {
        size_t table_size = (count + 1) * sizeof *table;
        uint64_t text_at = sizeof(Elf64_Ehdr), table_at = aligned(text_at + size);
        uint64_t names_at = table_at + table_size, strings_at = names_at + names_size;
        uint64_t sections_at = aligned(strings_at + sizeof section_names);
        Elf64_Ehdr header = header_of(sections_at);
        Elf64_Shdr sections[SECTIONS] = {
            [S_TEXT] = {.sh_name = N_TEXT,
                        .sh_type = SHT_PROGBITS,
                        .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
                        .sh_addr = address,
                        .sh_offset = text_at,
                        .sh_size = size,
                        .sh_addralign = 8},
            [S_SYMBOLS] = {.sh_name = N_SYMBOLS,
                           .sh_type = SHT_SYMTAB,
                           .sh_offset = table_at,
                           .sh_size = table_size,
                           .sh_link = S_NAMES,
                           .sh_info = 1,
                           .sh_addralign = 8,
                           .sh_entsize = sizeof *table},
            [S_NAMES] = {.sh_name = N_NAMES,
                         .sh_type = SHT_STRTAB,
                         .sh_offset = names_at,
                         .sh_size = names_size,
                         .sh_addralign = 1},
            [S_SECTION_NAMES] = {.sh_name = N_SECTION_NAMES,
                                 .sh_type = SHT_STRTAB,
                                 .sh_offset = strings_at,
                                 .sh_size = sizeof section_names,
                                 .sh_addralign = 1},
        };

        status = put(out, &header, sizeof header, 0) | put(out, bytes, size, text_at) |
                 put(out, table, table_size, table_at) | put(out, names, names_size, names_at) |
                 put(out, section_names, sizeof section_names, strings_at) |
                 put(out, sections, sizeof sections, sections_at);
    }
    free(table);
    free(names);
    return fflush(out) == 0 ? status : -1;
}
