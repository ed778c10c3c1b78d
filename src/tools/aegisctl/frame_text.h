/* A frame in a line, as tcpdump -nq would put it. */
#ifndef AEGISCTL_FRAME_TEXT_H
#define AEGISCTL_FRAME_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define FRAME_TEXT_SIZE 256

/*
 * Describe an Ethernet frame of `length` bytes, of which the first `have` (at most length) are at
 * bytes; they may be anything. text (FRAME_TEXT_SIZE bytes) gets printable ASCII without a newline,
 * with "[|...]" where the bytes end too early.
 */
void frame_text(const uint8_t *bytes, size_t have, size_t length, char *text);

#endif
