/*
 * Names that need no server: of services, and in the text of files as /etc/hosts and
 * /etc/resolv.conf. Pure: also on the host.
 */
#ifndef EXOS_NET_NAMES_H
#define EXOS_NET_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- services ---- */

/* The port of a service's name, or -1. */
int names_port(const char *service);

/* The name of a port of TCP, or of UDP; NULL if it has none. */
const char *names_service(uint16_t port, bool is_udp);

/* A decimal number to most, all of text; or -1. */
long names_number(const char *text, long most);

/* ---- files ---- */

struct names_host {
    uint8_t size; /* of the address: 4 or 16 */
    uint8_t address[16];
    const char *name; /* in the text, not ended by a zero; of a search by address */
    size_t name_size;
};

/*
 * The next line of a hosts file, from *at on, that has this name (of any case), or, if name is
 * NULL, this address. Moves *at behind it. Lines are "ADDRESS NAME...", # begins a comment.
 * names_next_name gives the line's first name as host->name.
 */
bool names_next_host(const char **at, const char *end, const char *name, struct names_host *host);
bool names_next_name(const char **at, const char *end, const uint8_t *address, size_t size,
                     struct names_host *host);

struct names_server {
    uint8_t size; /* of the address: 4 or 16 */
    uint8_t address[16];
    uint16_t port;
    uint32_t zone; /* of a link-local address: the interface's number, from 1; 0: none */
};

/*
 * The "nameserver" lines of a resolv.conf, up to `most`: addresses of IPv4 or IPv6, or with a port
 * "[1.2.3.4]:53". Returns how many there are.
 */
size_t names_servers(const char *text, size_t size, struct names_server *servers, size_t most);

/*
 * The domains in which names without a dot are looked for: the words of its last line "search" or
 * "domain", in `list` with a blank between two. "" if there is none, or if they don't fit.
 */
#define NAMES_SEARCH_MAX 256
void names_search(const char *text, size_t size, char list[NAMES_SEARCH_MAX]);

#endif
