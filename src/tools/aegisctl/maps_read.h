/* The maps of a binding's handler, asked of the agent. */
#ifndef AEGISCTL_MAPS_READ_H
#define AEGISCTL_MAPS_READ_H

#include "client.h"

#define MAPS_MOST 16 /* of one handler */

struct maps {
    struct control_map_row rows[MAPS_MOST];
    uint32_t count;
};

/* Which maps the handler of a binding has. */
int maps_ask(struct client_session *session, const char *binding, struct maps *maps,
             struct why *why);

/* The map of that name or, if text is a number, index; NULL with why if there is none. */
const struct control_map_row *maps_find(const struct maps *maps, const char *text, struct why *why);

/* Print a map's entries, those that are not all zeros or all of them. *printed: how many. */
int maps_print(struct client_session *session, const char *binding,
               const struct control_map_row *map, bool all, uint32_t *printed, struct why *why);

/* Set an entry to a number, which fits the map's values: 1 to 8 bytes, or more, zero-extended. */
int maps_set(struct client_session *session, const char *binding, const struct control_map_row *map,
             uint32_t entry, uint64_t value, struct why *why);

#endif
