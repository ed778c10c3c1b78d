/*
 * Handlers that the agent holds for its users' bindings. Their maps lie in pages of the agent,
 * which reads and writes them with no system call.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"

#define BUSY_LIMIT 2000000000UL /* ns to wait for somebody else's download */
#define BUSY_PAUSE 10000000UL   /* between two attempts: a slice */

_Static_assert(CONTROL_HANDLER_MAX == AEGIS_HANDLER_MAX &&
                   CONTROL_WORD_SIZE == AEGIS_MESSAGE_SIZE && CONTROL_APP_SIZE == ASH_NAME_SIZE,
               "the control protocol carries what kernel and handlers have");

static uint64_t pages_of_map(const struct ash_map_info *map)
{
    return vm_pages(ash_map_size(map));
}

/* Memory for the maps, one behind the other, each on pages of its own, with their first contents.
 */
static bool make_maps(struct handler *h, const struct ash_image *image, struct refusal *refusal)
{
    uint64_t pages = 0;

    for (uint32_t i = 0; i < h->map_count; i++)
        pages += pages_of_map(&h->maps[i]);
    if (pages == 0)
        return true;
    h->memory = vm_alloc_run(pages);
    if (!h->memory)
        return refuse(refusal, CONTROL_E_NO_MEMORY,
                      "handler %s: its maps need %u consecutive pages, and so many are not free",
                      h->name, (unsigned)pages);
    h->pages = (uint32_t)pages;
    for (uint32_t i = 0; i < h->map_count; i++)
        memcpy(handler_map(h, i), image->data + h->maps[i].data, h->maps[i].data_size);
    return true;
}

uint8_t *handler_map(const struct handler *h, uint32_t map)
{
    uint8_t *at = h->memory;

    for (uint32_t i = 0; i < map; i++)
        at += pages_of_map(&h->maps[i]) * AEGIS_PAGE_SIZE;
    return at;
}

/* Downloads the image; while somebody else's download is under way, tries again. */
static int64_t download(const struct handler *h, const void *image, uint64_t size, char *message)
{
    const struct aegis_handler_request request = {.image = image,
                                                  .image_size = size,
                                                  .maps = h->memory,
                                                  .maps_size = h->pages * AEGIS_PAGE_SIZE,
                                                  .fuel = h->limit,
                                                  .message = message};
    uint64_t deadline = time_after(BUSY_LIMIT);
    int64_t status;

    while ((status = aegis_handler_load(&request)) == -AEGIS_E_BUSY && time_now() < deadline)
        aegis_wait(NULL, 0, time_after(BUSY_PAUSE));
    return status;
}

/* The library's view of an image that was copied to aligned memory, and what is kept of it. */
static struct handler *make(const struct ash_image *image, uint32_t fuel, struct refusal *refusal)
{
    uint32_t maps = image->header->maps;
    struct handler *h = calloc(1, sizeof *h + maps * sizeof *h->maps);

    if (!h) {
        refuse(refusal, CONTROL_E_NO_MEMORY, "no memory for a handler");
        return NULL;
    }
    h->map_count = maps;
    h->limit = fuel ? fuel : AEGIS_FUEL_DEFAULT;
    memcpy(h->name, image->header->name, sizeof h->name);
    memcpy(h->maps, image->maps, maps * sizeof *h->maps);
    return h;
}

static void free_memory(struct handler *h)
{
    vm_free(h->memory);
    free(h);
}

static struct handler *load_image(const void *bytes, size_t size, uint32_t fuel,
                                  struct refusal *refusal)
{
    char message[AEGIS_MESSAGE_SIZE] = "";
    struct ash_image image;
    int error = ash_image_open(bytes, size, &image);

    if (error) {
        refuse(refusal, CONTROL_E_HANDLER, "the handler: %s; compile it with ashc",
               ash_strerror(error));
        return NULL;
    }
    struct handler *h = make(&image, fuel, refusal);
    if (!h)
        return NULL;
    if (!make_maps(h, &image, refusal)) {
        free_memory(h);
        return NULL;
    }
    int64_t status = download(h, bytes, size, message);
    if (status >= 0) {
        h->number = (uint32_t)status;
        return h;
    }
    if (message[0])
        refuse(refusal, (uint32_t)-status, "handler %s: %s", h->name, message);
    else
        refuse_kernel(refusal, "downloading the handler", status);
    free_memory(h);
    return NULL;
}

struct handler *handler_load(const struct control_load *load, struct refusal *refusal)
{
    struct handler *h = NULL;

    if (load->fuel > AEGIS_FUEL_MAX) {
        refuse(refusal, AEGIS_E_RANGE, "a handler's run may take at most %u units of fuel, not %u",
               (unsigned)AEGIS_FUEL_MAX, (unsigned)load->fuel);
        return NULL;
    }
    void *copy = malloc(load->handler.size); /* the message's bytes are aligned to nothing */
    if (copy) {
        memcpy(copy, load->handler.data, load->handler.size);
        h = load_image(copy, load->handler.size, load->fuel, refusal);
    } else {
        refuse(refusal, CONTROL_E_NO_MEMORY, "no memory for a handler of %u bytes",
               (unsigned)load->handler.size);
    }
    free(copy);
    return h;
}

bool handler_bind(const struct handler *h, uint32_t binding, struct refusal *refusal)
{
    int64_t status = aegis_handler_bind(h->number, binding);

    return status == 0 || refuse_kernel(refusal, "binding the handler", status);
}

void handler_unload(struct handler *h)
{
    if (!h)
        return;
    aegis_handler_unload(h->number);
    free_memory(h);
}

struct aegis_handler_status handler_status(const struct handler *h)
{
    struct aegis_handler_status status = {.binding = AEGIS_NO_BINDING};

    aegis_handler_status(h->number, &status); /* it is our own: can't fail */
    return status;
}
