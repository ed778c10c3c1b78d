/*
 * A reader of programs: ELF64 executables for RISC-V, statically linked, little-endian (System V
 * gABI chapter 4 and 5; RISC-V ELF psABI).
 *
 * The image is untrusted. elf_read checks all that a loader relies on and hands out copies, so that
 * a loader looks at the image again only to copy segments' bytes. Free-standing: needs memcpy and
 * memcmp only, and any alignment of the image is fine.
 */
#ifndef AEGIS_IMAGE_ELF_H
#define AEGIS_IMAGE_ELF_H

#include <stddef.h>
#include <stdint.h>

/* ELF_ERROR(NAME, value, sentence): ELF_E_NAME, returned negated. */
#define ELF_ERRORS(ELF_ERROR)                                                                      \
    ELF_ERROR(TRUNCATED, 1, "elf: the file ends inside its headers")                               \
    ELF_ERROR(MAGIC, 2, "elf: the file doesn't begin with 7f 45 4c 46")                            \
    ELF_ERROR(CLASS, 3, "elf: not a 64-bit little-endian file of version 1")                       \
    ELF_ERROR(MACHINE, 4, "elf: not for RISC-V")                                                   \
    ELF_ERROR(TYPE, 5, "elf: not a static executable (ET_EXEC without interpreter)")               \
    ELF_ERROR(HEADERS, 6, "elf: program headers of another size than 56, or more than 64")         \
    ELF_ERROR(SEGMENTS, 7, "elf: no loadable segment, or more than 16")                            \
    ELF_ERROR(FILE_RANGE, 8, "elf: a segment's bytes lie outside the file")                        \
    ELF_ERROR(SIZES, 9, "elf: a segment has more bytes in the file than in memory")                \
    ELF_ERROR(RANGE, 10, "elf: a segment lies outside the addresses for programs")                 \
    ELF_ERROR(OVERLAP, 11, "elf: two segments share a page")                                       \
    ELF_ERROR(FLAGS, 12, "elf: a segment isn't readable, or is writable and executable")           \
    ELF_ERROR(ENTRY, 13, "elf: the entry isn't in the file's bytes of an executable segment")

enum elf_error {
#define ELF_ERROR(name, value, sentence) ELF_E_##name = value,
    ELF_ERRORS(ELF_ERROR)
#undef ELF_ERROR
};

#define ELF_SEGMENTS_MAX 16
#define ELF_PAGE_SIZE    4096

enum elf_flags { ELF_EXEC = 1, ELF_WRITE = 2, ELF_READ = 4 }; /* PF_X, PF_W, PF_R */

/*
 * One PT_LOAD segment with memory_size > 0. Memory [address, address + file_size) holds data, the
 * rest up to memory_size zeros. No page holds bytes of two segments, so that each page has one
 * protection.
 */
struct elf_segment {
    uint64_t address;
    uint64_t memory_size;
    const uint8_t *data; /* in the image */
    uint64_t file_size;
    uint32_t flags; /* enum elf_flags */
};

struct elf_program {
    uint64_t entry; /* 2-byte aligned */
    uint64_t lower; /* first page's address of the lowest segment */
    uint64_t upper; /* end of the highest segment's last page */
    uint32_t count;
    struct elf_segment segments[ELF_SEGMENTS_MAX]; /* in the file's order */
};

/*
 * Read a program whose segments must lie in [lowest, highest), both multiples of ELF_PAGE_SIZE.
 * Returns 0 with *program filled, or a negated enum elf_error.
 */
int elf_read(const void *image, size_t size, uint64_t lowest, uint64_t highest,
             struct elf_program *program);

/* The sentence for an error as returned (negative); never NULL. */
const char *elf_strerror(int error);

#endif
