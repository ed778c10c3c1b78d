/*
 * The broker: one process a machine. It starts QEMU and ends with it, owns the console to the
 * agent, and passes the requests of any number of aegisctl on.
 */
#ifndef AEGISCTL_BROKER_H
#define AEGISCTL_BROKER_H

#include "instance.h"
#include "qemu.h"

/*
 * Run a machine to its end. The instance is claimed.
 * boot_ms: how long QEMU's start (10 s at least), the banner, and then the agent's hello, may take.
 * report:  -1 in the foreground: the serial log goes to stdout, messages go to stderr. Else a pipe,
 * into which is written, once, 'R' and a line for people when the machine is up, or 'F' and what
 *          went wrong.
 * Returns the exit status: QEMU's, or 1 if the machine did not come up or had to be killed.
 */
int broker_run(const struct instance *instance, struct machine *machine, long boot_ms, int report);

#endif
