/*
 * Handlers that are part of a program (exos_handler in CMake makes SYMBOL and SYMBOL_end of BPF in
 * C): giving them to the kernel.
 *
 *     struct net_handler h;
 *     if (net_handler_open(&h, kv_get_image, kv_get_image_end) == 0) {
 *         own = net_handler_map(&h, ".data"); ...
 *         handler = net_handler_load(&h);
 *         aegis_handler_bind(handler, binding);
 *     }
 *
 * Programs that use it say LIBRARIES ash.
 */
#ifndef EXOS_NET_HANDLER_H
#define EXOS_NET_HANDLER_H

#include <stddef.h>
#include <stdint.h>

#include "ash/ash.h"

struct net_handler {
    const void *bytes; /* of the image */
    size_t size;
    struct ash_image image;
    uint8_t *maps; /* page-aligned, one behind the other; the program's as long as it lives */
    uint64_t pages;
};

/*
 * Make memory for a handler's maps, with their first contents. Returns 0, or a negated enum
 * aegis_error: INVALID of an image that is none, NO_PAGE.
 */
int64_t net_handler_open(struct net_handler *handler, const char *image, const char *image_end);

/*
 * The memory of a map, by the name that it has in the source (variables: ".data", ".bss", each in
 * the order of their definitions), or NULL. The handler reads and writes there as well.
 */
void *net_handler_map(const struct net_handler *handler, const char *name);

/*
 * Download it. Waits, up to five seconds, while another's download is under way. Returns its
 * number, or a negated enum aegis_error; what the verifier says goes to stderr.
 */
int64_t net_handler_load(const struct net_handler *handler);

#endif
