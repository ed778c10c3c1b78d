/*
 * dpfc --match: which frames of a capture a filter takes.
 */
#ifndef DPFC_MATCH_H
#define DPFC_MATCH_H

#include <stdbool.h>

#include "dpf/dpf.h"

/*
 * Reads a capture in one of libpcap's formats, "-" being standard input, and prints a line for each
 * frame that the filter takes: its number in the capture, from 1, then time and length, in
 * tcpdump's form; or, if so asked, only how many there are. Of a frame that the capture cut off,
 * the filter sees the bytes that are there, and the length that it had: as tcpdump -r does. How
 * many were cut off is said on standard error. Returns the program's exit status; if it is 1,
 * standard error has said why: the file can't be read, is no capture, ends in the middle of a
 * frame, or isn't of Ethernet.
 */
int match_capture(const char *path, const struct dpf_filter *filter, bool only_count);

#endif
