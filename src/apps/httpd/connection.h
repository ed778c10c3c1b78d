/* One connection of a client: reading requests, answering them in their order, ending. */
#ifndef HTTPD_CONNECTION_H
#define HTTPD_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

struct connection;

/* For a socket that doesn't block; it is the connection's then. NULL without memory. */
struct connection *connection_open(int fd);

/* Close it, and free it. */
void connection_close(struct connection *c);

/*
 * Go on: poll has said events (0: the deadline may be over). Returns whether the connection lives
 * on; else it is to be closed.
 */
bool connection_step(struct connection *c, short events);

/* What it waits for, for poll; and until when (rdtime). */
short connection_events(const struct connection *c);
uint64_t connection_deadline(const struct connection *c);

#endif
