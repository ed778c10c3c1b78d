/* The sections of what aegisctl post prints; each says by itself what it can't find. */
#ifndef AEGISCTL_POST_H
#define AEGISCTL_POST_H

#include "memory.h"

void post_epitaph(const struct memory *memory);      /* post.c */
void post_environments(const struct memory *memory); /* post_tables.c */
void post_pages(const struct memory *memory);
void post_bindings(const struct memory *memory);
void post_code(const struct memory *memory);
void post_trace(const struct memory *memory, long most); /* post_trace.c */

/* Text of the machine's, fit to be printed (post_text.c). */
void post_text(char *to, size_t size, const char *from, size_t length);

#endif
