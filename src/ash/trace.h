/*
 * What helpers share, and the one that prints. Internal to the library.
 */
#ifndef ASH_TRACE_H
#define ASH_TRACE_H

#include "ash/program.h"

#define ASH_SUM_MAX   512 /* bytes that csum_diff takes, as Linux */
#define ASH_TRACE_MAX 128 /* characters that a traced line can have, and its format */

/* Takes fuel; false if it is spent, and the run is aborted. */
bool ash_charge(struct ash_run *run, uint32_t units);

/* ash_reach that aborts the run if it returns null. */
uint8_t *ash_reach_or_abort(struct ash_run *run, uint64_t address, uint64_t size, bool store);

ash_helper_function ash_trace;

/* A text that is put together in memory of a given size, and cut off there. */
struct ash_writer {
    char *text;
    size_t size; /* of the memory; the last byte is for the zero */
    size_t used;
};
void ash_put(struct ash_writer *w, const char *text);
void ash_put_char(struct ash_writer *w, char c);
/* In base 10 or 16, at least width digits. */
void ash_put_number(struct ash_writer *w, uint64_t number, unsigned base, unsigned width);
void ash_put_signed(struct ash_writer *w, int64_t number);
/* Writes the zero; returns the length. */
size_t ash_put_end(struct ash_writer *w);

#endif
