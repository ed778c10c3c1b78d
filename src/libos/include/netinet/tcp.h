/* POSIX netinet/tcp.h: options of IPPROTO_TCP. */
#ifndef EXOS_NETINET_TCP_H
#define EXOS_NETINET_TCP_H

#define TCP_NODELAY   1 /* int: send small pieces at once */
#define TCP_MAXSEG    2 /* int, read only: bytes of data in a segment */
#define TCP_KEEPIDLE  4 /* int: seconds of silence before SO_KEEPALIVE asks, */
#define TCP_KEEPINTVL 5 /* seconds between two questions, */
#define TCP_KEEPCNT   6 /* and how many without an answer end the connection */

#endif
