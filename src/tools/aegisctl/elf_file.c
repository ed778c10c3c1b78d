#include "elf_file.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The whole file, which the caller frees; NULL with errno. */
static uint8_t *read_all(const char *path, size_t *size)
{
    FILE *in = fopen(path, "re");
    struct stat st;
    uint8_t *bytes = NULL;

    if (in == NULL) {
        return NULL;
    }
    if (fstat(fileno(in), &st) == 0 && st.st_size >= 0) {
        *size = (size_t)st.st_size;
        bytes = malloc(*size + 1);
        if (bytes != NULL && fread(bytes, 1, *size, in) != *size) {
            free(bytes);
            bytes = NULL;
        }
    }
    fclose(in);
    return bytes;
}

/* Section i, whose bytes lie in the file; NULL if there is no such one. */
static const Elf64_Shdr *section(const struct elf_file *file, size_t i)
{
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)file->bytes;
    const Elf64_Shdr *s;

    if (i >= header->e_shnum || header->e_shoff % 8 != 0 || header->e_shoff > file->size ||
        (file->size - header->e_shoff) / sizeof *s <= i) {
        return NULL;
    }
    s = (const Elf64_Shdr *)(file->bytes + header->e_shoff) + i;
    if (s->sh_type != SHT_NOBITS &&
        (s->sh_offset > file->size || file->size - s->sh_offset < s->sh_size)) {
        return NULL;
    }
    return s;
}

int elf_file_open(struct elf_file *file, const char *path, struct why *why)
{
    size_t size;
    uint8_t *bytes = read_all(path, &size);

    *file = (struct elf_file){0};
    return bytes != NULL ? elf_file_take(file, bytes, size, path, why)
                         : why_set(why, "%s: %s", path, strerror(errno));
}

int elf_file_take(struct elf_file *file, uint8_t *bytes, size_t size, const char *path,
                  struct why *why)
{
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)bytes;

    *file = (struct elf_file){.bytes = bytes, .size = size};
    if (file->size < sizeof *header || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
        header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_machine != EM_RISCV) {
        elf_file_close(file);
        return why_set(why, "%s is no ELF file for RISC-V", path);
    }
    for (size_t i = 0; i < header->e_shnum; i++) {
        const Elf64_Shdr *s = section(file, i), *names;

        if (s == NULL) {
            elf_file_close(file);
            return why_set(why, "%s is cut short", path);
        }
        if (s->sh_type != SHT_SYMTAB || s->sh_offset % 8 != 0 ||
            (names = section(file, s->sh_link)) == NULL || names->sh_size == 0 ||
            names->sh_type != SHT_STRTAB ||
            file->bytes[names->sh_offset + names->sh_size - 1] != 0) {
            continue;
        }
        file->symbols = file->bytes + s->sh_offset;
        file->count = s->sh_size / sizeof(Elf64_Sym);
        file->names = (const char *)file->bytes + names->sh_offset;
        file->names_size = names->sh_size;
    }
    if (file->symbols == NULL) {
        elf_file_close(file);
        return why_set(why, "%s has no table of symbols; name the kernel of the build", path);
    }
    return 0;
}

void elf_file_close(struct elf_file *file)
{
    free(file->bytes);
    file->bytes = NULL;
}

static const char *name_of(const struct elf_file *file, const Elf64_Sym *symbol)
{
    return symbol->st_name < file->names_size ? file->names + symbol->st_name : "";
}

uint64_t elf_file_address(const struct elf_file *file, const char *name)
{
    const Elf64_Sym *symbols = file->symbols;

    for (size_t i = 0; i < file->count; i++) {
        if (strcmp(name_of(file, &symbols[i]), name) == 0) {
            return symbols[i].st_value;
        }
    }
    return 0;
}

const char *elf_file_function(const struct elf_file *file, uint64_t address, uint64_t *offset)
{
    const Elf64_Sym *symbols = file->symbols, *best = NULL;
    const uint8_t *bytes;
    size_t size;
    uint64_t text;

    if (!elf_file_text(file, &bytes, &size, &text) || address < text || address - text >= size) {
        return NULL;
    }
    for (size_t i = 0; i < file->count; i++) { /* assembly's functions have no type and no size */
        const Elf64_Sym *s = &symbols[i];
        int type = ELF64_ST_TYPE(s->st_info);
        const char *name = name_of(file, s);

        if ((type == STT_FUNC || type == STT_NOTYPE) && s->st_value <= address && name[0] != 0 &&
            name[0] != '$' && name[0] != '.' && strcmp(name, "kernel_start") != 0 &&
            (best == NULL || s->st_value > best->st_value)) {
            best = s;
        }
    }
    if (best == NULL) {
        return NULL;
    }
    *offset = address - best->st_value;
    return name_of(file, best);
}

bool elf_file_text(const struct elf_file *file, const uint8_t **bytes, size_t *size,
                   uint64_t *address)
{
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)file->bytes;

    for (size_t i = 0; i < header->e_shnum; i++) {
        const Elf64_Shdr *s = section(file, i);

        if (s != NULL && s->sh_type == SHT_PROGBITS && (s->sh_flags & SHF_EXECINSTR)) {
            *bytes = file->bytes + s->sh_offset;
            *size = s->sh_size;
            *address = s->sh_addr;
            return true;
        }
    }
    return false;
}
