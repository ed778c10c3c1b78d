/* What the files of start/ and vm/ share; not for programs. */
#ifndef EXOS_START_INTERNAL_H
#define EXOS_START_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

/* start.S calls this, on the stack that the creator gave, with tp set; it doesn't return. */
_Noreturn void exos_begin(uintptr_t argument);

int main(int argc, char **argv);

#endif
