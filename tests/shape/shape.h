/*
 * What the tests of emitted code's shape share: the data files' lines, and listings.
 */
#ifndef SHAPE_H
#define SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SHAPE_TEXT 65536 /* bytes of a listing */
#define SHAPE_LINE 1024

/* Says what is wrong with a data file, and ends the program. */
_Noreturn void shape_die(const char *path, const char *what, const char *detail);

/* Splits the next line at its first blank. False at the end of the file, or at the line "code",
 * behind which the listing stands. */
bool shape_line(FILE *in, char line[SHAPE_LINE], char **key, char **rest);

/* Appends the bytes that hex digits spell. */
void shape_bytes(const char *path, const char *hex, uint8_t *bytes, size_t most, size_t *count);

/* The extensions (enum rv64_isa) that are named. */
unsigned shape_isa(const char *words);

/* Writes a listing of machine code: size bytes, entered at entry. */
void shape_list(const void *code, uint32_t size, uint32_t entry, char text[SHAPE_TEXT]);

#endif
