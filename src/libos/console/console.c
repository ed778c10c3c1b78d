#include "libos/console/console.h"

#include "libos/start/start.h"

int64_t console_read(void *bytes, size_t size)
{
    return aegis_console_read(bytes, size);
}

struct aegis_predicate console_readable(void)
{
    return AEGIS_WHEN(aegis_info()->console_received, NE, 0);
}

int64_t console_write(const void *bytes, size_t size, uint64_t deadline)
{
    const char *from = bytes;
    size_t done = 0;

    while (done < size) {
        /* Read before the attempt: room that appears in between makes the wait return at once. */
        uint64_t space = aegis_info()->console_space;
        int64_t taken = aegis_console_write(from + done, size - done);
        if (taken > 0) {
            done += (size_t)taken;
            continue;
        }
        if (taken < 0 && taken != -AEGIS_E_FULL)
            return taken;
        struct aegis_predicate came_free = AEGIS_WHEN(aegis_info()->console_space, NE, space);
        if (aegis_wait(&came_free, 1, deadline) != 0)
            break;
    }
    return (int64_t)done;
}

int console_drain(uint64_t deadline)
{
    struct aegis_predicate drained = AEGIS_WHEN(aegis_info()->console_pending, EQ, 0);
    return aegis_wait(&drained, 1, deadline) == 0;
}
