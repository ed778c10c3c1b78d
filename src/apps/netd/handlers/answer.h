/* What netd and its handler of answers share. Compiled as BPF too, so it stands alone. */
#ifndef NETD_HANDLERS_ANSWER_H
#define NETD_HANDLERS_ANSWER_H

/* In whose name answers are sent; netd writes it before the handler runs. 0.0.0.0: in nobody's. */
struct answer_own {
    unsigned char mac[6];
    unsigned char is_loop; /* on the loop interface: for 127.0.0.0/8 and the address, from there */
    unsigned char takes_leases; /* answers of DHCP servers are kept */
    unsigned int address;       /* IPv4, as on the wire */
    /* What our IPv6 addresses end in, as on the wire; 0: they are nobody's. */
    unsigned int identifier[2];
    unsigned int hosts; /* what of the address tells machines of its network apart, as on the wire;
                           0: there is no address of all of them */
};

enum answer_kind { ANSWER_ECHO, ANSWER_RESET, ANSWER_UNREACHABLE, ANSWER_KINDS };

/* Answers a second, at most. */
#define ANSWER_ECHOES 1000
#define ANSWER_ERRORS 200 /* of each kind */

struct answer_rate {
    unsigned long long seconds; /* since boot: the second that is counted */
    unsigned int answers[ANSWER_KINDS];
};

#endif
