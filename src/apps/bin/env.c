/* env [NAME=VALUE...] [COMMAND [ARG...]]: prints the environment, or runs a command with more in
 * it. */
#include <unistd.h>

#include "apps/program.h"

const char program_name[] = "env";
const char program_usage[] = "env [NAME=VALUE...] [COMMAND [ARG...]]";

extern char **environ;

int main(int argc, char **argv)
{
    int i = 1;
    take_help(argc, argv);
    for (; i < argc && strchr(argv[i], '='); i++) {
        char *equals = strchr(argv[i], '=');
        *equals = 0;
        if (!argv[i][0])
            return usage();
        if (setenv(argv[i], equals + 1, 1) != 0)
            return failed(argv[i]);
    }
    if (i < argc) {
        execvp(argv[i], argv + i);
        int status = errno == ENOENT ? 127 : 126;
        failed(argv[i]);
        return status;
    }
    for (char **variable = environ; variable && *variable; variable++)
        puts(*variable);
    return finish(0);
}
