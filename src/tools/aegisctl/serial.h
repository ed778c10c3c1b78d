/* The machine's serial port: copied to serial.log, and watched for the lines that mean something.
 */
#ifndef AEGISCTL_SERIAL_H
#define AEGISCTL_SERIAL_H

#include <stdbool.h>
#include <stddef.h>

#include "instance.h"
#include "why.h"

struct serial {
    int fd;      /* what the machine prints; -1 after its end */
    int log;     /* serial.log */
    bool echo;   /* copy to stdout, too */
    bool banner; /* a line that begins with "Aegis-V" was seen */
    bool panic;  /* a line that begins with "aegis: panic:" was seen */
    char line[512];
    size_t fill;
    char reason[512]; /* the first line of a panic, else the last line that begins with "aegis: " */
    char panic_text[8192]; /* the lines that begin with "aegis: panic:", as many as fit */
    size_t used;
};

/* Take over the descriptor and open the log. */
int serial_open(struct serial *serial, int fd, const struct instance *instance, bool echo,
                struct why *why);

/* Copy what is there. Returns 0, or -1 at the end: then fd is closed and -1. */
int serial_read(struct serial *serial);

void serial_close(struct serial *serial);

#endif
