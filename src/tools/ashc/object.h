/*
 * An ELF file for BPF: sections, symbols, relocations. Internal to ashlift.
 */
#ifndef ASHC_OBJECT_H
#define ASHC_OBJECT_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/ashc/ashlift.h"

struct section {
    const char *name;
    const uint8_t *bytes; /* null: the section has none in the file (.bss) */
    uint64_t size;
    uint32_t type;  /* SHT_* */
    uint64_t flags; /* SHF_* */
    uint32_t link, info;
};

struct symbol {
    const char *name;
    uint64_t value; /* offset in its section */
    uint64_t size;
    unsigned section; /* 0: undefined, or not in one of the file's */
    unsigned type;    /* STT_* */
};

struct relocation {
    uint64_t offset; /* in the section that it changes */
    uint32_t type;   /* R_BPF_* */
    struct symbol symbol;
};

/* A view on the bytes of a file, which have to stay. */
struct object {
    const uint8_t *bytes;
    size_t size;
    unsigned section_count;
    uint64_t sections_at; /* offset of the section headers */
    unsigned names;       /* section that holds the sections' names */
    unsigned symbols;     /* section that holds the symbols, 0 if there is none */
    char *error;          /* ASHLIFT_ERROR_SIZE bytes: what is wrong, once something is */
};

#ifndef R_BPF_64_64
#define R_BPF_64_64 1
#endif
#define R_BPF_64_ABS64   2
#define R_BPF_DATA_64    12 /* the same in binutils up to 2.40 */
#define R_BPF_64_32_CALL 10
#ifndef EM_BPF
#define EM_BPF 247
#endif

/* Writes a message to an error buffer; returns false, for the caller to return. */
bool ashlift_fail(char *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Looks at the header and finds the tables. False with error set if it isn't an object for BPF. */
bool object_open(struct object *object, const void *bytes, size_t size, char *error);

/* Section number index, below section_count. False if it lies outside the file. */
bool object_section(const struct object *object, unsigned index, struct section *section);

/* The number of the section with that name, 0 if there is none. */
unsigned object_find(const struct object *object, const char *name);

/* How many symbols there are, and one of them. */
size_t object_symbol_count(const struct object *object);
bool object_symbol(const struct object *object, size_t index, struct symbol *symbol);

/* The relocation of the bytes at an offset of a section: found tells whether there is one. False on
 * a broken file. */
bool object_relocation(const struct object *object, unsigned section, uint64_t offset, bool *found,
                       struct relocation *relocation);

/* How many relocations a section has, and one of them. */
size_t object_relocation_count(const struct object *object, unsigned section);
bool object_relocation_at(const struct object *object, unsigned section, size_t index,
                          struct relocation *relocation);

#endif
