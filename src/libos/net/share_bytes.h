/* What is written down of a socket for the next process (share.h), and read by that. */
#ifndef EXOS_NET_SHARE_BYTES_H
#define EXOS_NET_SHARE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a protocol writes and reads; once something didn't fit, or wasn't there, ok is false. */
struct share_bytes {
    uint8_t *at, *end;
    bool ok;
};
void share_put(struct share_bytes *b, const void *bytes, size_t size);

/* Copies them, so that they stay as they are while they are looked at. False: nothing is copied. */
bool share_get(struct share_bytes *b, void *bytes, size_t size);

/* `size` bytes in place, which others may change at any time; or NULL. */
const uint8_t *share_get_in_place(struct share_bytes *b, size_t size);

/* An errno value that somebody wrote, as one that a call can return: 0, or 1 to SHARE_ERROR_MOST;
 * EIO for what is none. */
#define SHARE_ERROR_MOST 4095
int share_error(int value);

/* A number that somebody wrote, moved into a range. */
int share_in_range(int value, int least, int most);

#endif
