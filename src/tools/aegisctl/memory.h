/* A machine's memory with the kernel's symbols, for post and symbols: opened alike, printed by
 * several files. */
#ifndef AEGISCTL_MEMORY_H
#define AEGISCTL_MEMORY_H

#include "abi/abi.h"
#include "elf_file.h"
#include "options.h"
#include "ram.h"

struct memory {
    struct ram ram;
    struct elf_file kernel;
    struct aegis_post post; /* all zero if the kernel hadn't come so far */
    struct aegis_info info; /* valid if post.magic is */
    bool alive;             /* it may change while one reads */
};

/*
 * Open the memory of an instance, or of files (either may be NULL: the instance's). Fails if there
 * is none, or if the kernel's symbols are of another kernel than the one that ran.
 */
int memory_open(struct memory *memory, const char *instance, const char *ram, const char *kernel,
                struct why *why);
void memory_close(struct memory *memory);

/* An array that the info page names: count elements of size; the caller frees it. NULL if it isn't
 * there. */
void *memory_array(const struct memory *memory, uint64_t va, size_t count, size_t size);

/*
 * "function+0x12" of an address of the kernel or of generated code, or "", in text. A return
 * address lies `behind` the call, which may end its function: the function is that of address -
 * behind.
 */
void memory_describe(const struct memory *memory, uint64_t address, uint64_t behind, char *text,
                     size_t size);

/* Call with each piece of generated code that there is. */
typedef void memory_code(void *context, enum aegis_code_kind kind, uint32_t number,
                         const struct aegis_post_code *code);
void memory_each_code(const struct memory *memory, memory_code *visit, void *context);

/* What a piece is called: classifier_net0, egress_3, handler_7_echo. */
void memory_code_name(enum aegis_code_kind kind, uint32_t number,
                      const struct aegis_post_code *code, char *text, size_t size);

#define MEMORY_OPTIONS(ram, kernel)                                                                \
    {"ram", OPTION_TEXT, &(ram), "FILE", "memory to read (default: the instance's)", 0, 0},        \
    {                                                                                              \
        "kernel", OPTION_TEXT, &(kernel), "FILE",                                                  \
            "the kernel's ELF file (default: the instance's)", 0, 0                                \
    }

#endif
