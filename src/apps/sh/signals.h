/* Signals by name, for sh and kill. */
#ifndef SH_SIGNALS_H
#define SH_SIGNALS_H

/* "INT" for SIGINT, or NULL; and what it says of a program that it ended. */
const char *signals_name(int signal);
const char *signals_sentence(int signal);

/* The number that text means: "INT", "SIGINT" or "2"; -1: none. */
int signals_number(const char *text);

#endif
