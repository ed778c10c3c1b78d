#include "kernel/fault.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "kernel/call.h"
#include "kernel/print.h"

static void message(void)
{
    panic("asked for by the boot arguments");
}

/* Deeper than any stack; volatile, so that the compiler makes real calls. */
static int __attribute__((noinline)) descend(volatile int *depth)
{
    volatile int here = *depth + 1;

    return here < 0 ? here : descend(&here) + here;
}

static void stack(void)
{
    volatile int depth = 0;

    depth = descend(&depth);
}

/* The kernel's text is not writable. */
static void text(void)
{
    *(volatile uint32_t *)(uintptr_t)&call_null = 0;
}

/* Nothing but text is executable. */
static void data(void)
{
    static uint32_t instruction = 0x00008067; /* ret */

    ((void (*)(void))(uintptr_t)&instruction)();
}

/* The kernel doesn't read an application's memory through its own address space. */
static void null(void)
{
    volatile uintptr_t nowhere = 8; /* the compiler must not know */

    *(volatile uint32_t *)nowhere = 0;
}

static bool waits; /* for the machine's end */

void fault_at_end(void)
{
    if (waits)
        message();
}

void fault_commit(const char *name, size_t length)
{
    static const struct {
        const char *name;
        void (*commit)(void);
    } faults[] = {{"1", message}, {"stack", stack}, {"text", text}, {"data", data}, {"null", null}};

    for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
        if (strlen(faults[i].name) == length && strncmp(faults[i].name, name, length) == 0) {
            faults[i].commit();
            panic("the fault %s was committed, and nothing stopped it", faults[i].name);
        }
    if (length == 4 && memcmp(name, "stop", 4) == 0)
        waits = true;
    else
        refuse("panic= takes 1, stack, text, data, null or stop");
}
