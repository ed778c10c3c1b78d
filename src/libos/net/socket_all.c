/* The sockets of a program that is linked with lwIP. */
#include "libos/net/socket.h"

const struct socket_protocol *const socket_protocols[] = {&socket_udp, &socket_tcp, NULL};
