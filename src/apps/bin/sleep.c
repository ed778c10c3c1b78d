/* sleep SECONDS: waits; decimals count. */
#include <time.h>

#include "apps/program.h"

const char program_name[] = "sleep";
const char program_usage[] = "sleep SECONDS  (0.5 is half a second)";

int main(int argc, char **argv)
{
    char *end;
    take_help(argc, argv);
    double seconds = argc == 2 ? strtod(argv[1], &end) : -1;
    if (!(seconds >= 0 && seconds < 1e9) || end == argv[1] || *end)
        return usage();
    struct timespec left = {.tv_sec = (time_t)seconds};
    left.tv_nsec = (long)((seconds - (double)left.tv_sec) * 1e9);
    while (nanosleep(&left, &left) != 0)
        if (errno != EINTR)
            return failed("sleeping");
    return 0;
}
