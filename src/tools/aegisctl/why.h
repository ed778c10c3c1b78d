/* Why something failed, for people: each layer puts its name in front as it passes up. */
#ifndef AEGISCTL_WHY_H
#define AEGISCTL_WHY_H

struct why {
    char text[1024];
};

/* Set the reason; printf-like. Returns -1, so that a caller can return it on. Keeps errno. */
int why_set(struct why *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Put "<formatted>: " in front of the reason. Returns -1. */
int why_in(struct why *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Print "aegisctl: <layer>: <reason>" as one line on stderr. Returns 1, the exit status of a
 * failure. */
int why_print(const struct why *why, const char *layer);

#endif
