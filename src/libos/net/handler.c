#include "libos/net/handler.h"

#include <stdio.h>
#include <string.h>

#include "libos/start/start.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"

#define BUSY_LIMIT 5000000000UL /* ns to wait for somebody else's download */

/* Bytes from a map to the next one. */
static uint64_t room(const struct ash_map_info *map)
{
    return vm_pages(ash_map_size(map)) * AEGIS_PAGE_SIZE;
}

int64_t net_handler_open(struct net_handler *handler, const char *image, const char *image_end)
{
    uint64_t size = 0;

    *handler = (struct net_handler){.bytes = image, .size = (size_t)(image_end - image)};
    if (ash_image_open(image, handler->size, &handler->image))
        return -AEGIS_E_INVALID;
    const struct ash_image *view = &handler->image;
    for (uint32_t i = 0; i < view->header->maps; i++)
        size += room(&view->maps[i]);
    handler->pages = size / AEGIS_PAGE_SIZE;
    if (!size)
        return 0;
    uint8_t *at = handler->maps = vm_alloc_run(handler->pages);
    if (!at)
        return -AEGIS_E_NO_PAGE;
    for (uint32_t i = 0; i < view->header->maps; i++) {
        memcpy(at, view->data + view->maps[i].data, view->maps[i].data_size);
        at += room(&view->maps[i]);
    }
    return 0;
}

void *net_handler_map(const struct net_handler *handler, const char *name)
{
    uint8_t *at = handler->maps;

    for (uint32_t i = 0; i < handler->image.header->maps; i++) {
        const struct ash_map_info *map = &handler->image.maps[i];
        if (!strcmp(map->name, name))
            return at;
        at += room(map);
    }
    return NULL;
}

int64_t net_handler_load(const struct net_handler *handler)
{
    char message[AEGIS_MESSAGE_SIZE] = "";
    const struct aegis_handler_request request = {.image = handler->bytes,
                                                  .image_size = handler->size,
                                                  .maps = handler->maps,
                                                  .maps_size = handler->pages * AEGIS_PAGE_SIZE,
                                                  .fuel = AEGIS_FUEL_DEFAULT,
                                                  .message = message};
    uint64_t deadline = time_after(BUSY_LIMIT);
    int64_t status;

    while ((status = aegis_handler_load(&request)) == -AEGIS_E_BUSY && time_now() < deadline)
        aegis_yield(0); /* its turn comes while it can run */
    if (status < 0)
        fprintf(stderr, "%.*s: %s\n", ASH_NAME_SIZE, handler->image.header->name, message);
    return status;
}
