/*
 * Any bytes as a program: whatever elf_read accepts keeps every promise of its header. An input
 * that begins with an odd byte is taken as it is; another as a list of edits (place, byte) of a
 * good program.
 */
#include <assert.h>
#include <elf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "image/elf.h"

#define LOWEST  0x10000UL
#define HIGHEST 0x3f7ff80000UL

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_segment(const struct elf_program *p, uint32_t i, const uint8_t *data, size_t size)
{
    const struct elf_segment *s = &p->segments[i];
    assert(s->memory_size > 0 && s->file_size <= s->memory_size);
    assert(s->address >= p->lower && s->address + s->memory_size <= p->upper);
    assert(s->data >= data && s->data + s->file_size <= data + size);
    assert(s->flags & ELF_READ);
    assert((s->flags & (ELF_WRITE | ELF_EXEC)) != (ELF_WRITE | ELF_EXEC));
    uint64_t first = s->address / ELF_PAGE_SIZE;
    uint64_t last = (s->address + s->memory_size - 1) / ELF_PAGE_SIZE;
    for (uint32_t j = 0; j < i; j++) {
        const struct elf_segment *o = &p->segments[j];
        assert(last < o->address / ELF_PAGE_SIZE ||
               first > (o->address + o->memory_size - 1) / ELF_PAGE_SIZE);
    }
}

static const struct {
    Elf64_Ehdr header;
    Elf64_Phdr segments[3];
    uint8_t bytes[256];
} good = {
    .header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
               .e_type = ET_EXEC,
               .e_machine = EM_RISCV,
               .e_version = EV_CURRENT,
               .e_entry = 0x10010,
               .e_phoff = sizeof(Elf64_Ehdr),
               .e_phentsize = sizeof(Elf64_Phdr),
               .e_phnum = 3},
    .segments = {{PT_LOAD, PF_R | PF_X, 240, 0x10000, 0, 100, 100, 0x1000},
                 {PT_LOAD, PF_R, 340, 0x11000, 0, 50, 50, 0x1000},
                 {PT_LOAD, PF_R | PF_W, 390, 0x12000, 0, 16, 0x5000, 0x1000}},
};

static void check(const uint8_t *data, size_t size)
{
    struct elf_program p;
    int status = elf_read(data, size, LOWEST, HIGHEST, &p);
    assert(status <= 0 && strlen(elf_strerror(status)) > 0);
    if (status)
        return;
    assert(p.count >= 1 && p.count <= ELF_SEGMENTS_MAX);
    assert(p.lower >= LOWEST && p.upper <= HIGHEST);
    bool entered = false;
    for (uint32_t i = 0; i < p.count; i++) {
        const struct elf_segment *s = &p.segments[i];
        check_segment(&p, i, data, size);
        entered |= p.entry >= s->address && p.entry < s->address + s->file_size &&
                   (s->flags & ELF_EXEC) != 0;
    }
    assert(entered);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || data[0] & 1) {
        check(data + (size > 0), size - (size > 0));
        return 0;
    }
    struct elf_program p;
    assert(elf_read(&good, sizeof good, LOWEST, HIGHEST, &p) == 0);
    size_t length = sizeof good - (size_t)(data[0] >> 1);
    uint8_t *edited =
        malloc(length); /* of exactly that size: the sanitizer sees bytes read beyond */
    memcpy(edited, &good, length);
    for (size_t i = 1; i + 2 < size; i += 3)
        edited[(data[i] << 8 | data[i + 1]) % length] = data[i + 2];
    check(edited, length);
    free(edited);
    return 0;
}
