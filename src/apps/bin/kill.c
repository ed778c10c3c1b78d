/* kill [-SIGNAL] PROCESS...: sends a signal, TERM by default; a negative PROCESS is a group. */
#include <signal.h>

#include "apps/program.h"
#include "signals.h"

const char program_name[] = "kill";
const char program_usage[] =
    "kill [-SIGNAL] PROCESS...  (a negative one: a group; SIGNAL: TERM, INT, 9, ...)";

int main(int argc, char **argv)
{
    int signal = SIGTERM, first = 1, status = 0;

    take_help(argc, argv);
    if (argc > 2 && argv[1][0] == '-') {
        signal = signals_number(argv[1] + 1);
        first = 2;
    }
    if (signal < 0 || first >= argc)
        return usage();
    for (int i = first; i < argc; i++) {
        char *end;
        long target = strtol(argv[i], &end, 10);
        if (end == argv[i] || *end || target == 0)
            return usage();
        if (kill((pid_t)target, signal) != 0)
            status = failed(argv[i]);
    }
    return status;
}
