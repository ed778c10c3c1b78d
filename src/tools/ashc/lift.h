/*
 * The parts of ashlift. Internal.
 */
#ifndef ASHC_LIFT_H
#define ASHC_LIFT_H

#include "tools/ashc/link.h"

/* Puts an image together. False with error set if memory is short. */
bool image_write(const struct link *link, enum ash_event event, struct ashlift_image *image);

/* Compiles C source to an object, malloc'ed. */
enum ashlift_status clang_compile(const char *path, const struct ashlift_options *options,
                                  char **object, size_t *size, char *error);

/* Whether bytes are hex digits and blanks only, and at least two digits. */
bool is_hex(const char *text, size_t size);

/* The bytes that hex digits spell, blanks ignored; malloc'ed. Null with error set if their number
 * is odd or one isn't one. */
uint8_t *from_hex(const char *text, size_t length, size_t *size, char *error);

#endif
