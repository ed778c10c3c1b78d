#include "image/elf.h"

#include <stdbool.h>
#include <string.h>

struct file_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
_Static_assert(sizeof(struct file_header) == 64, "gABI figure 4-3");

struct program_header {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
_Static_assert(sizeof(struct program_header) == 56, "gABI figure 5-1");

enum { ET_EXEC = 2, EM_RISCV = 243, PT_LOAD = 1, PT_INTERP = 3, HEADERS_MAX = 64 };

/* class 64-bit, data little-endian, version 1 */
static const uint8_t ident[7] = {0x7f, 'E', 'L', 'F', 2, 1, 1};

static int check_header(const struct file_header *h)
{
    if (memcmp(h->ident, ident, 4))
        return -ELF_E_MAGIC;
    if (memcmp(h->ident, ident, sizeof ident) || h->version != 1)
        return -ELF_E_CLASS;
    if (h->machine != EM_RISCV)
        return -ELF_E_MACHINE;
    if (h->type != ET_EXEC)
        return -ELF_E_TYPE;
    if (h->phentsize != sizeof(struct program_header) || h->phnum > HEADERS_MAX)
        return -ELF_E_HEADERS;
    return 0;
}

static uint64_t page_down(uint64_t address)
{
    return address & ~(uint64_t)(ELF_PAGE_SIZE - 1);
}

/* The end of a segment's last page; can't wrap once the segment was found below highest. */
static uint64_t page_end(const struct elf_segment *s)
{
    return page_down(s->address + s->memory_size + ELF_PAGE_SIZE - 1);
}

static int check_load(const struct program_header *p, size_t size, uint64_t lowest,
                      uint64_t highest)
{
    if (p->offset > size || size - p->offset < p->filesz)
        return -ELF_E_FILE_RANGE;
    if (p->filesz > p->memsz)
        return -ELF_E_SIZES;
    if (p->vaddr < lowest || p->vaddr > highest || highest - p->vaddr < p->memsz)
        return -ELF_E_RANGE;
    if (!(p->flags & ELF_READ) || (p->flags & (ELF_WRITE | ELF_EXEC)) == (ELF_WRITE | ELF_EXEC))
        return -ELF_E_FLAGS;
    return 0;
}

static bool overlaps(const struct elf_program *program, const struct elf_segment *s)
{
    for (uint32_t i = 0; i < program->count; i++) {
        const struct elf_segment *o = &program->segments[i];
        if (page_down(s->address) < page_end(o) && page_down(o->address) < page_end(s))
            return true;
    }
    return false;
}

static int add_segment(struct elf_program *program, const struct elf_segment *s)
{
    if (program->count == ELF_SEGMENTS_MAX)
        return -ELF_E_SEGMENTS;
    if (overlaps(program, s))
        return -ELF_E_OVERLAP;
    if (program->count == 0 || page_down(s->address) < program->lower)
        program->lower = page_down(s->address);
    if (program->count == 0 || page_end(s) > program->upper)
        program->upper = page_end(s);
    program->segments[program->count++] = *s;
    return 0;
}

static bool entry_ok(const struct elf_program *program)
{
    uint64_t entry = program->entry;
    for (uint32_t i = 0; i < program->count; i++) {
        const struct elf_segment *s = &program->segments[i];
        if (entry >= s->address && entry - s->address < s->file_size)
            return (s->flags & ELF_EXEC) && entry % 2 == 0;
    }
    return false;
}

int elf_read(const void *image, size_t size, uint64_t lowest, uint64_t highest,
             struct elf_program *program)
{
    const uint8_t *bytes = image;
    struct file_header h;
    if (size < sizeof h)
        return -ELF_E_TRUNCATED;
    memcpy(&h, bytes, sizeof h);
    int status = check_header(&h);
    if (status)
        return status;
    if (h.phoff > size || (size - h.phoff) / sizeof(struct program_header) < h.phnum)
        return -ELF_E_TRUNCATED;

    memset(program, 0, sizeof *program);
    program->entry = h.entry;
    for (uint32_t i = 0; i < h.phnum; i++) {
        struct program_header p;
        memcpy(&p, bytes + h.phoff + i * sizeof p, sizeof p);
        if (p.type == PT_INTERP)
            return -ELF_E_TYPE;
        if (p.type != PT_LOAD || (p.memsz == 0 && p.filesz == 0))
            continue;
        if ((status = check_load(&p, size, lowest, highest)))
            return status;
        struct elf_segment s = {.address = p.vaddr,
                                .memory_size = p.memsz,
                                .data = bytes + p.offset,
                                .file_size = p.filesz,
                                .flags = p.flags & (ELF_READ | ELF_WRITE | ELF_EXEC)};
        if ((status = add_segment(program, &s)))
            return status;
    }
    if (program->count == 0)
        return -ELF_E_SEGMENTS;
    return entry_ok(program) ? 0 : -ELF_E_ENTRY;
}

const char *elf_strerror(int error)
{
    switch (-error) {
#define ELF_ERROR(name, value, sentence)                                                           \
    case ELF_E_##name:                                                                             \
        return sentence;
        ELF_ERRORS(ELF_ERROR)
#undef ELF_ERROR
    }
    return "elf: no error";
}
