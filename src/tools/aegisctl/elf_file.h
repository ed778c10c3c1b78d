/* The kernel's symbols, from its ELF file; and an ELF file of symbols, for debuggers. */
#ifndef AEGISCTL_ELF_FILE_H
#define AEGISCTL_ELF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "why.h"

struct elf_file {
    uint8_t *bytes;
    size_t size;
    const void *symbols; /* Elf64_Sym [count] */
    size_t count;
    const char *names;
    size_t names_size;
};

/* Read a file for RISC-V with a table of symbols. The caller ends it with elf_file_close. */
int elf_file_open(struct elf_file *file, const char *path, struct why *why);

/* The same of bytes that are in memory already, from malloc: they are the file's from then on, also
 * after a failure. */
int elf_file_take(struct elf_file *file, uint8_t *bytes, size_t size, const char *name,
                  struct why *why);
void elf_file_close(struct elf_file *file);

/* The address of a symbol; 0 if there is none of that name. */
uint64_t elf_file_address(const struct elf_file *file, const char *name);

/* The function that an address lies in, and how far; NULL if it is none's. */
const char *elf_file_function(const struct elf_file *file, uint64_t address, uint64_t *offset);

/* First bytes of the section .text, and its address; false if there is none. */
bool elf_file_text(const struct elf_file *file, const uint8_t **bytes, size_t *size,
                   uint64_t *address);

struct elf_symbol {
    char name[64];
    uint64_t address;
    uint64_t size;
    bool function;
};

/*
 * Write an ELF file with one executable section: bytes (size of them) at address, and count symbols
 * in it. Returns -1 if out takes no more.
 */
int elf_file_write(FILE *out, const uint8_t *bytes, size_t size, uint64_t address,
                   const struct elf_symbol *symbols, size_t count);

#endif
