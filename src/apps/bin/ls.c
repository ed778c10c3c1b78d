/* ls [-l]: the names of the initial RAM disk, which has no folders; with their bytes. */
#include <dirent.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "apps/program.h"

const char program_name[] = "ls";
const char program_usage[] = "ls [-l]  (-l: with sizes)";

int main(int argc, char **argv)
{
    take_help(argc, argv);
    bool sizes = argc == 2 && !strcmp(argv[1], "-l");
    if (argc > 1 && !sizes)
        return usage();
    DIR *directory = opendir("/");
    if (!directory)
        return failed("/");
    for (struct dirent *entry; (entry = readdir(directory));) {
        struct stat status;
        if (entry->d_name[0] == '.')
            continue;
        if (sizes && stat(entry->d_name, &status) == 0)
            printf("%10lld ", (long long)status.st_size);
        puts(entry->d_name);
    }
    closedir(directory);
    return finish(0);
}
