/* The functions that picolibc expects of a system, but for those on descriptors (libos/fd). */
#include <errno.h>
#include <sys/times.h>
#include <unistd.h>

#include "libos/start/error.h"
#include "libos/start/start.h"

#define ENTROPY_MAX 256 /* getentropy(3) */

static int fail(int error)
{
    errno = error;
    return -1;
}

int getentropy(void *bytes, size_t length)
{
    if (length > ENTROPY_MAX)
        return fail(EIO);
    int64_t status = length ? aegis_entropy(bytes, length) : 0;
    return status < 0 ? fail(aegis_errno(status)) : 0;
}
