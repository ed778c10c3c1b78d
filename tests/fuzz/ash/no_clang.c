/*
 * For the fuzzer of objects: no compiler is run.
 */
#include "tools/ashc/lift.h"

enum ashlift_status clang_compile(const char *path, const struct ashlift_options *options,
                                  char **object, size_t *size, char *error)
{
    (void)path, (void)options, (void)object, (void)size;
    ashlift_fail(error, "no compiler");
    return ASHLIFT_SYSTEM;
}
