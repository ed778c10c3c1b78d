#include "libos/vm/quick.h"

bool quick_empty(struct quick *quick, struct heap *heap)
{
    bool any = false;
    for (size_t class = 0; class < QUICK_CLASSES; class ++)
        for (void *block; (block = quick_take(quick, (class + 1) * HEAP_ALIGNMENT)); any = true)
            heap_free(heap, block);
    return any;
}
