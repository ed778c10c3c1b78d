/*
 * dpfc: compiles pcap-filter text to DPF images.
 */
#include "tools/dpfc/dpflift.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: dpfc [-d] [-o FILE] [--egress-out FILE] [--egress EXPR] EXPR...\n"
    "       dpfc [-d] [-o FILE] [--egress-out FILE] [--egress EXPR] -f FILE\n"
    "\n"
    "Compiles a filter in pcap-filter(7) syntax, or the output of tcpdump -ddd, to a DPF image\n"
    "for the frames that come in, and one with source and destination exchanged for those that\n"
    "go out.\n"
    "\n"
    "  -f, --file FILE    read the filter from FILE (- is standard input); # begins a comment\n"
    "  -o, --output FILE  write the image of the ingress filter\n"
    "      --egress-out FILE\n"
    "                     write the image of the egress filter\n"
    "      --egress EXPR  the egress filter, instead of the one derived\n"
    "  -d, --dump         print the atoms of both filters\n"
    "  -h, --help         print this\n"
    "\n"
    "Exit status: 0 done, 1 the filter can't be expressed or a file fails, 2 wrong usage or\n"
    "wrong filter text.\n"
    "\n"
    "Example: dpfc -d 'udp dst port 7'\n";

struct options {
    const char *file, *output, *egress_output, *egress;
    char *expression;
    bool dump;
};

static _Noreturn void wrong_usage(const char *what)
{
    fprintf(stderr, "dpfc: %s; see dpfc --help\n", what);
    exit(2);
}

/* The words of the expression, joined by blanks, as tcpdump joins them. */
static char *join(char **words)
{
    size_t size = 1;
    for (char **w = words; *w; w++)
        size += strlen(*w) + 1;
    char *text = calloc(1, size);
    for (char **w = words; text && *w; w++) {
        strcat(text, *w);
        if (w[1])
            strcat(text, " ");
    }
    return text;
}

static struct options read_options(int argc, char **argv)
{
    enum { EGRESS_OUT = 256, EGRESS };
    static const struct option names[] = {{"file", required_argument, 0, 'f'},
                                          {"output", required_argument, 0, 'o'},
                                          {"egress-out", required_argument, 0, EGRESS_OUT},
                                          {"egress", required_argument, 0, EGRESS},
                                          {"dump", no_argument, 0, 'd'},
                                          {"help", no_argument, 0, 'h'},
                                          {0}};
    struct options options = {0};
    for (int c; (c = getopt_long(argc, argv, "f:o:dh", names, 0)) != -1;) {
        switch (c) {
        case 'f':
            options.file = optarg;
            break;
        case 'o':
            options.output = optarg;
            break;
        case EGRESS_OUT:
            options.egress_output = optarg;
            break;
        case EGRESS:
            options.egress = optarg;
            break;
        case 'd':
            options.dump = true;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(0);
        default: /* getopt has said what */
            exit(2);
        }
    }
    if (options.file && argv[optind])
        wrong_usage("give a filter or -f FILE, not both");
    if (!options.file && !argv[optind])
        wrong_usage("no filter given");
    if (!options.output && !options.egress_output && !options.dump)
        wrong_usage("nothing to do: give -o FILE, --egress-out FILE or -d");
    options.expression = options.file ? 0 : join(argv + optind);
    return options;
}

/* Says what is wrong and where, and ends with the status that belongs to it. */
static _Noreturn void report(const char *where, enum dpflift_status status, const char *error)
{
    fprintf(stderr, "dpfc: %s%s%s\n", where, *where ? ": " : "", error);
    exit(status == DPFLIFT_TEXT ? 2 : 1);
}

static void write_image(const char *path, const struct dpflift_image *image)
{
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(image->bytes, 1, image->size, file) != image->size || fclose(file)) {
        fprintf(stderr, "dpfc: %s: %s\n", path, strerror(errno));
        exit(1);
    }
}

static void dump(const char *name, const struct dpflift_image *image)
{
    struct dpf_filter filter;
    int error = dpf_verify(image->bytes, image->size, &filter);
    if (error) { /* a bug of this program: the kernel would refuse it */
        fprintf(stderr, "dpfc: internal error: %s: %s\n", name, dpf_strerror(error));
        exit(1);
    }
    printf("%s: %u atoms, %zu bytes\n", name, filter.node_count, image->size);
    dpflift_print(stdout, &filter, "  ");
}

/* What a run works with. */
struct work {
    struct options options;
    char *text;
    struct dpflift_image ingress, egress;
    char error[DPFLIFT_ERROR_SIZE];
    char no_egress[DPFLIFT_ERROR_SIZE]; /* why no egress filter can be derived */
};

/* Compiles both filters; ends the program if one that is asked for can't be made. */
static void compile(struct work *work)
{
    const struct options *o = &work->options;
    bool derives = !o->egress && (o->egress_output || o->dump);
    const char *where = o->file ? o->file : "";
    enum dpflift_status status = DPFLIFT_OK;
    work->text = o->file ? dpflift_read(o->file, &status, work->error) : o->expression;
    if (status != DPFLIFT_OK)
        report(where, status, work->error);
    status = dpflift_text(work->text, &work->ingress, derives ? &work->egress : 0, work->error);
    if (status == DPFLIFT_REFUSED && derives && !o->egress_output) {
        /* Without a way back, the filter itself can still be shown. */
        memcpy(work->no_egress, work->error, sizeof work->no_egress);
        status = dpflift_text(work->text, &work->ingress, 0, work->error);
    }
    if (status != DPFLIFT_OK)
        report(where, status, work->error);
    if (o->egress) {
        status = dpflift_text(o->egress, &work->egress, 0, work->error);
        if (status != DPFLIFT_OK)
            report("--egress", status, work->error);
    }
}

int main(int argc, char **argv)
{
    static struct work work;
    work.options = read_options(argc, argv);
    compile(&work);
    if (work.options.output)
        write_image(work.options.output, &work.ingress);
    if (work.options.egress_output)
        write_image(work.options.egress_output, &work.egress);
    if (work.options.dump) {
        dump("ingress", &work.ingress);
        if (work.egress.bytes)
            dump("egress", &work.egress);
        else
            printf("egress: %s\n", work.no_egress);
    }
    dpflift_free(&work.ingress);
    dpflift_free(&work.egress);
    free(work.text);
    if (fflush(stdout)) {
        perror("dpfc: standard output");
        return 1;
    }
    return 0;
}
