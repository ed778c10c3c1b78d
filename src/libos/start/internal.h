/* What the files of start/ and vm/ share; not for programs. */
#ifndef EXOS_START_INTERNAL_H
#define EXOS_START_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

/* start.S calls this, on the stack that the creator gave, with tp set; it doesn't return. */
_Noreturn void exos_begin(uintptr_t argument);

/*
 * proc's, which is behind start: what a program that a session's member has made begins with, and
 * the last words of one. proc_begin is called when constructors have run.
 */
struct exos_start;
void proc_begin(const struct exos_start *start);
void proc_say(uint64_t value);

/* What parts do behind the functions of atexit (proc/part.h). */
void proc_end_parts(void);

/* The same, once, for who ends by _exit, if a part has asked for it. */
void proc_say_goodbye(void);

int main(int argc, char **argv, char **environment);

#endif
