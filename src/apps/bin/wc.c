/* wc [-l] [-w] [-c] [FILE...]: counts lines, words and bytes. */
#include <stdbool.h>
#include <unistd.h>

#include "apps/program.h"

const char program_name[] = "wc";
const char program_usage[] =
    "wc [-l] [-w] [-c] [FILE...]  (lines, words, bytes; all without an option)";

struct counts {
    unsigned long lines, words, bytes;
};

static bool wanted[3];

static void print(const struct counts *c, const char *name)
{
    const unsigned long values[] = {c->lines, c->words, c->bytes};
    const char *before = "";
    for (int i = 0; i < 3; i++)
        if (wanted[i]) {
            printf("%s%lu", before, values[i]);
            before = " ";
        }
    printf("%s%s\n", name ? " " : "", name ? name : "");
}

/* False: said why. */
static bool count(FILE *file, const char *name, struct counts *c)
{
    bool in_word = false;
    int byte;
    while ((byte = getc(file)) != EOF) {
        bool blank = byte == ' ' || (byte >= '\t' && byte <= '\r');
        c->bytes++;
        c->lines += byte == '\n';
        c->words += !blank && !in_word;
        in_word = !blank;
    }
    return !ferror(file) || !failed(name);
}

int main(int argc, char **argv)
{
    struct counts total = {0};
    int option, status = 0;

    take_help(argc, argv);
    while ((option = getopt(argc, argv, "lwc")) != -1) {
        if (option == '?')
            return usage();
        wanted[option == 'l' ? 0 : option == 'w' ? 1 : 2] = true;
    }
    if (!wanted[0] && !wanted[1] && !wanted[2])
        wanted[0] = wanted[1] = wanted[2] = true;
    if (optind == argc) {
        status = !count(stdin, "standard input", &total);
        print(&total, NULL);
        return finish(status);
    }
    for (int i = optind; i < argc; i++) {
        struct counts c = {0};
        FILE *file = fopen(argv[i], "r");
        bool good = file && count(file, argv[i], &c);
        if (!file)
            failed(argv[i]);
        if (file)
            fclose(file);
        status |= !good;
        if (good)
            print(&c, argv[i]);
        total.lines += c.lines;
        total.words += c.words;
        total.bytes += c.bytes;
    }
    if (argc - optind > 1)
        print(&total, "total");
    return finish(status);
}
