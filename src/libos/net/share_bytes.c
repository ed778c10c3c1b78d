#include "libos/net/share_bytes.h"

#include <errno.h>
#include <string.h>

void share_put(struct share_bytes *b, const void *bytes, size_t size)
{
    b->ok = b->ok && (size_t)(b->end - b->at) >= size;
    if (!b->ok)
        return;
    memcpy(b->at, bytes, size);
    b->at += size;
}

const uint8_t *share_get_in_place(struct share_bytes *b, size_t size)
{
    b->ok = b->ok && (size_t)(b->end - b->at) >= size;
    if (!b->ok)
        return NULL;
    const uint8_t *at = b->at;
    b->at += size;
    return at;
}

bool share_get(struct share_bytes *b, void *bytes, size_t size)
{
    const uint8_t *at = share_get_in_place(b, size);
    if (at)
        memcpy(bytes, at, size);
    return at != NULL;
}

int share_error(int value)
{
    return value >= 0 && value <= SHARE_ERROR_MOST ? value : EIO;
}

int share_in_range(int value, int least, int most)
{
    return value < least ? least : value > most ? most : value;
}
