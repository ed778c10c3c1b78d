/* echo [-n] [WORD...]: prints its arguments, with blanks between. */
#include "apps/program.h"

const char program_name[] = "echo";
const char program_usage[] = "echo [-n] [WORD...]";

int main(int argc, char **argv)
{
    take_help(argc, argv);
    int first = argc > 1 && !strcmp(argv[1], "-n") ? 2 : 1;
    for (int i = first; i < argc; i++)
        printf("%s%s", i > first ? " " : "", argv[i]);
    if (first == 1)
        putchar('\n');
    return finish(0);
}
