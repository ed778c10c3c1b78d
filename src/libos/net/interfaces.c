#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libos/start/start.h"

static const char loop_name[] = "lo";

/* The loop interface's number is behind the devices' (info.netif_count), and theirs begin at 1. */
static unsigned loop_index(void)
{
    return aegis_info()->netif_count + 1;
}

char *if_indextoname(unsigned index, char *name)
{
    if (!index || index > loop_index()) {
        errno = ENXIO;
        return NULL;
    }
    if (index == loop_index())
        strcpy(name, loop_name);
    else
        snprintf(name, IF_NAMESIZE, "net%u", index - 1);
    return name;
}

unsigned if_nametoindex(const char *name)
{
    char own[IF_NAMESIZE];

    for (unsigned index = 1; index <= loop_index(); index++)
        if (!strcmp(if_indextoname(index, own), name))
            return index;
    errno = ENODEV;
    return 0;
}

struct if_nameindex *if_nameindex(void)
{
    unsigned count = loop_index();
    struct if_nameindex *list = malloc((count + 1) * sizeof *list + count * IF_NAMESIZE);

    if (!list) {
        errno = ENOBUFS;
        return NULL;
    }
    char *names = (char *)(list + count + 1);
    for (unsigned i = 0; i < count; i++, names += IF_NAMESIZE)
        list[i] = (struct if_nameindex){i + 1, if_indextoname(i + 1, names)};
    list[count] = (struct if_nameindex){0, NULL};
    return list;
}

void if_freenameindex(struct if_nameindex *list)
{
    free(list);
}
