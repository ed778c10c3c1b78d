/* Programs, and what a process keeps of them; not for programs. */
#ifndef EXOS_PROC_IMAGE_H
#define EXOS_PROC_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image/elf.h"
#include "libos/proc/proc.h"

/*
 * A program. Kept ones (name != NULL) are in a list, and have a window once a child was made: page
 * n of it is what children begin with at program.lower + n * AEGIS_PAGE_SIZE, or nothing. A fork's
 * child has its parent's addresses, and no pages.
 */
struct proc_image {
    struct elf_program program;
    struct proc_image *next;
    const char *name; /* in the archive; NULL: it isn't kept */
    char *window;     /* NULL: no addresses */
    size_t pages;     /* of it that may be mapped; 0: none */
};

static inline uint32_t proc_protection(const struct elf_segment *s)
{
    return (s->flags & ELF_READ ? AEGIS_PROT_READ : 0) |
           (s->flags & ELF_WRITE ? AEGIS_PROT_WRITE : 0) |
           (s->flags & ELF_EXEC ? AEGIS_PROT_EXEC : 0);
}

/*
 * Find the program that options name, and read it unless it is kept: into *own, which is then the
 * one found, or into a new one that is kept. *found is good until the next call of one of these.
 * Returns 0, or a negated PROC_*_ERROR.
 */
int64_t proc_find_program(const struct proc_options *options, struct proc_image *own,
                          struct proc_image **found);

/*
 * map_share of count pages, any number: all of them, or an error. Fresh ones come from the first of
 * `from` on each time, where AEGIS_COPY_MAX pages are mapped. NO_PAGE: some aren't there.
 */
int64_t proc_put(uint32_t env, uint64_t va, size_t count, enum aegis_share how, const void *from);

/* Give env the memory of a program that is kept. Returns 0, or a negated kernel error. */
int64_t proc_put_image(uint32_t env, struct proc_image *image);

/* Give env count pages of zeros from va on, for it to read and write. Likewise. */
int64_t proc_put_zeros(uint32_t env, uint64_t va, size_t count);

/* Give up the pages that are kept; returns whether there were any. */
bool proc_drop_images(void);

/* A fork's child: the pages are its parent's to keep. */
void proc_forget_images(void);

#endif
