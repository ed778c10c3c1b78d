/* What a rival may do (rival.c), of the test in rivals.c. */
#ifndef GUEST_RIVALS_H
#define GUEST_RIVALS_H

#include <netinet/in.h>
#include <stdint.h>

#define ECHO_PORT  7    /* udpecho, tcpecho */
#define RIVAL_PORT 4001 /* a rival's own, for floods from outside */
#define CLOSED     4999 /* nobody's */
#define HTTP_PORT  80
#define SEND_PORT  4002 /* the source of the datagrams of the one that sends */
#define GATEWAY    "10.0.2.2"

struct sockaddr_in rivals_at(const char *address, uint16_t port);
#define AT(variable) (struct sockaddr *)&(variable), sizeof(variable)

/* Say what failed, and end this process; the test fails. */
_Noreturn void rivals_give_up(const char *what);

/* A kind of rival: what its process does for ever, and how many processes that are at a time,
 * itself among them: so many slices it has in a round. */
struct rival {
    const char *name;
    void (*run)(void);
    int processes;
};
extern const struct rival rivals[];
extern const int rival_count;

#endif
