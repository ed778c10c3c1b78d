/* The sockets of a program that names no TCP (CMakeLists.txt). */
#include "libos/net/socket.h"

const struct socket_protocol *const socket_protocols[] = {&socket_udp, NULL};
