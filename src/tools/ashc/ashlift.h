/*
 * ashlift: from what people write, C or BPF objects, to handler images (ash/ash.h). What ashc is
 * made of, for any host tool.
 *
 * An object is an ELF file for BPF as clang -target bpf or bpf-gcc makes it: functions, with
 * relocations; maps in section .maps, described by BTF, or in the older section maps; variables in
 * .data, .bss and .rodata, which become maps too. The reader is the library's own, and takes
 * untrusted bytes.
 */
#ifndef ASHC_ASHLIFT_H
#define ASHC_ASHLIFT_H

#include <stddef.h>
#include <stdio.h>

#include "ash/ash.h"

enum ashlift_status {
    ASHLIFT_OK,
    ASHLIFT_SOURCE,  /* the compiler refused the C source; it has said why */
    ASHLIFT_REFUSED, /* the input is not a handler, or not one that can be expressed */
    ASHLIFT_SYSTEM,  /* a file can't be read, a program can't be run, memory is short */
};

/* An image, allocated with malloc; free with ashlift_free. */
struct ashlift_image {
    void *bytes;
    size_t size;
};

struct ashlift_options {
    enum ash_event event;
    const char *program; /* which function; null: the first in a section xdp*, else the first that
                            is nobody's callee */
    const char *cpu;     /* of C source: v1 to v4; null: v3 */
    const char
        *clang; /* the compiler; null: $CLANG, else clang-19 for v4 if there is one, else clang */
};

#define ASHLIFT_ERROR_SIZE 512
#define ASHLIFT_FILE_MAX   (16 << 20) /* bytes of an input */

/*
 * Makes an image from a file: C source if its name ends in .c, an object, an image as it is, or
 * instructions as hex digits, told apart by their first bytes. "-" is standard input. For
 * ASH_EVENT_MEMORY hex digits may also spell an object. error (ASHLIFT_ERROR_SIZE bytes): what is
 * wrong, without a newline and without the file's name; written only on failure, when no image is
 * left to free. Warnings and
 * errors of the compiler go to this program's standard error.
 */
enum ashlift_status ashlift_file(const char *path, const struct ashlift_options *options,
                                 struct ashlift_image *image, char *error);

/* The same from bytes that are not C source. name: of the handler, if they don't tell. */
enum ashlift_status ashlift_bytes(const void *bytes, size_t size, const char *name,
                                  const struct ashlift_options *options,
                                  struct ashlift_image *image, char *error);

void ashlift_free(struct ashlift_image *image);

/* Reads a whole file, "-" is standard input; malloc'ed, with a zero behind it. Null with error set
 * if that fails. */
char *ashlift_read(const char *path, size_t *size, char *error);

/*
 * Prints an image: maps and instructions, each with its place in the source. detail 2 adds what the
 * verifier found out about each access, 3 the machine code of each instruction (for a hart with Zba
 * and Zbb).
 */
void ashlift_print(FILE *out, const void *image, size_t size, int detail);

#endif
