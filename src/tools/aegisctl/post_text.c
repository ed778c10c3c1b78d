#include "post.h"

void post_text(char *to, size_t size, const char *from, size_t length)
{
    size_t i = 0;

    for (; i < length && i + 1 < size && from[i] != 0; i++) {
        to[i] = from[i] >= ' ' && from[i] <= '~' ? from[i] : '?';
    }
    to[i] = 0;
}
