/*
 * Connections of TCP's that netd goes on with when their program ends (NETD_LINGER): those that
 * have said all, their FIN included.
 */
#ifndef EXOS_NET_LINGER_H
#define EXOS_NET_LINGER_H

/* RFC 9293's states. NONE: it is over. */
enum net_linger_state {
    NET_LINGER_NONE,
    NET_LINGER_FIN_WAIT_1,
    NET_LINGER_FIN_WAIT_2,
    NET_LINGER_CLOSING,
    NET_LINGER_LAST_ACK,
    NET_LINGER_TIME_WAIT,
    NET_LINGER_STATES
};

/* Our own address of a connection in IPv6. */
enum net_linger_own { NET_LINGER_LINK, NET_LINGER_GLOBAL, NET_LINGER_LOOP };

#endif
