/*
 * What ExOS takes of lwIP: TCP over IPv4, called directly, by one caller at a time. UDP has no
 * stack (socket_udp.c); ARP, ICMP and reassembly are netd's.
 */
#ifndef EXOS_LWIPOPTS_H
#define EXOS_LWIPOPTS_H

#define NO_SYS               1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN         0
#define LWIP_SOCKET          0

#define LWIP_IPV4                1
#define LWIP_IPV6                1
#define LWIP_ARP                 0
#define LWIP_ETHERNET            0
#define LWIP_ICMP                0
#define LWIP_RAW                 0
#define LWIP_UDP                 0
#define LWIP_DHCP                0
#define LWIP_DNS                 0
#define IP_REASSEMBLY            0
#define IP_FRAG                  0
#define IP_OPTIONS_ALLOWED       1
#define LWIP_STATS               0
#define LWIP_TCP                 1
#define LWIP_SUPPORT_CUSTOM_PBUF 1
#define LWIP_CALLBACK_API        1

/* Of IPv6, too, addresses, neighbours and routers are netd's (discovery.c). */
#define LWIP_IPV6_SCOPES                0
#define LWIP_IPV6_NUM_ADDRESSES         2 /* link-local, global */
#define LWIP_IPV6_MLD                   0
#define LWIP_ICMP6                      1
#define LWIP_IPV6_FRAG                  0
#define LWIP_IPV6_REASS                 0
#define LWIP_IPV6_SEND_ROUTER_SOLICIT   0
#define LWIP_IPV6_AUTOCONFIG            0
#define LWIP_IPV6_DUP_DETECT_ATTEMPTS   0
#define LWIP_IPV6_ADDRESS_LIFETIMES     0
#define LWIP_ND6_ALLOW_RA_UPDATES       0
#define LWIP_ND6_TCP_REACHABILITY_HINTS 0
#define LWIP_HOOK_IP6_ROUTE(src, dest)  net_lwip_route6(dest)

/* TCP's tick is net_lwip_serve's; nothing else has a timer. */
#define LWIP_TIMERS      0
#define TCP_TMR_INTERVAL 100     /* ms; times of TCP are counted in twice that */
#define TCP_SYNMAXRTX    8       /* after 1, 3, 7 s, and then every 8: a minute in all */
#define TCP_MSL          30000UL /* TIME-WAIT lasts a minute */

/* Memory is malloc's. */
#include <stddef.h>
#define MEM_LIBC_MALLOC 1
void *net_lwip_allocate(size_t size); /* memory.c */
void net_lwip_free(void *memory);
#define mem_clib_malloc   net_lwip_allocate
#define mem_clib_free     net_lwip_free
#define MEMP_MEM_MALLOC   1
#define MEM_ALIGNMENT     8
#define PBUF_LINK_HLEN    14
#define PBUF_POOL_BUFSIZE 1536

#define TCP_MSS                    1460
#define LWIP_WND_SCALE             1
#define TCP_RCV_SCALE              2
#define TCP_WND                    (60 * TCP_MSS) /* a ring has 64 slots */
#define TCP_SND_BUF                (128 * 1024)
#define TCP_SND_QUEUELEN           (4 * TCP_SND_BUF / TCP_MSS)
#define MEMP_NUM_TCP_SEG           TCP_SND_QUEUELEN
#define TCP_SNDLOWAT               (TCP_SND_BUF / 4)
#define TCP_SNDQUEUELOWAT          (TCP_SND_QUEUELEN / 2)
#define TCP_QUEUE_OOSEQ            1
#define TCP_OOSEQ_MAX_BYTES        TCP_WND
#define TCP_OOSEQ_MAX_PBUFS        256 /* bounds what small segments out of order take */
#define LWIP_TCP_SACK_OUT          1
#define LWIP_TCP_TIMESTAMPS        0
#define LWIP_TCP_KEEPALIVE         1
#define TCP_LISTEN_BACKLOG         1
#define TCP_DEFAULT_LISTEN_BACKLOG 255
#define SO_REUSE                   1

/* Sums are the interface's, which has whole packets before it. */
#define CHECKSUM_GEN_IP    0
#define CHECKSUM_GEN_TCP   0
#define CHECKSUM_CHECK_IP  0
#define CHECKSUM_CHECK_TCP 0

/* Initial sequence numbers that others can't guess (RFC 6528). */
#define LWIP_HOOK_TCP_ISN net_lwip_isn

/* A flood of openings must not shut out who means it (syn.c). */
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, header, size, size1, rest, p)                              \
    ((pcb)->state == LISTEN ? net_lwip_opening((void *)(pcb)) : ERR_OK)

#define LWIP_HOOK_FILENAME "libos/net/lwip/hooks.h"

#endif
