/*
 * Calls on sockets, right and wrong ones: the program prints what each returns, a line a call, on
 * Linux and in ExOS alike. The test compares the two outputs (tests/system/test_programs.py).
 */
#ifndef PROGRAMS_CALLS_H
#define PROGRAMS_CALLS_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* Does the call and prints its text, its result, the error's name if it is -1, and SIGPIPE if that
 * came. Returns the result. */
#define TRY(call) calls_say(#call, (long)(call))
long calls_say(const char *what, long result);

/* The same for calls whose result isn't the same everywhere: whether they succeed. */
#define MAKES(call) calls_say_made(#call, (long)(call))
long calls_say_made(const char *what, long result);

/* A value with its text. */
#define TELL(value) calls_tell(#value, (long)(value))
void calls_tell(const char *what, long value);

/* A heading, which begins the lines that follow. */
void calls_begin(const char *area);

/* An address of 127.0.0.1. port: in the machine's byte order. */
struct sockaddr_in calls_address(unsigned port);

/* A new socket of a type (SOCK_STREAM, SOCK_DGRAM, with SOCK_NONBLOCK), bound to 127.0.0.1 and a
 * port of the system's choice if `port` isn't NULL: which, as on the wire. They end the program if
 * they fail. */
int calls_socket(int type, in_port_t *port);

/* Two ends of a TCP connection over 127.0.0.1. */
void calls_connect(int ends[2]);

/* Two UDP sockets, the first connected to the second. */
void calls_pair_of_datagrams(int ends[2]);

/* Waits until a descriptor has one of the events, some seconds at most. */
void calls_await(int fd, short events);

/* What poll and select say of a descriptor. */
void calls_show(const char *state, int fd);

/* How this program was called; "echo" and a descriptor, and it echoes what comes there. */
extern const char *calls_program;
void calls_echo(int fd);

#define P(address) ((struct sockaddr *)&(address))

void calls_descriptors(void);
void calls_ends(void);
void calls_bytes(void);
void calls_options(void);
void calls_polls(void);
void calls_names(void);
void calls_control(void);
void calls_pairs(void);

#endif
