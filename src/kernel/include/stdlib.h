/* libfdt includes it and uses strtoul alone; defined in lib/string.c. */
#ifndef AEGIS_KERNEL_STDLIB_H
#define AEGIS_KERNEL_STDLIB_H

unsigned long strtoul(const char *s, char **end, int base);

#endif
