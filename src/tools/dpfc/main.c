/*
 * dpfc: compiles pcap-filter text to DPF images.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "tools/dpfc/match.h"
#include "tools/dpfc/merge.h"

static const char usage[] =
    "usage: dpfc [-d] [--with EXPR]... [-o FILE] [--egress-out FILE] [--egress EXPR] EXPR...\n"
    "       dpfc --match CAPTURE [--count] EXPR...\n"
    "       (-f FILE in place of EXPR)\n"
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
    "  -d, --dump         print the atoms of both filters; -dd also the trie that the kernel\n"
    "                     makes of the ingress filter, -ddd the RV64 machine code too\n"
    "      --with EXPR    another filter, which -dd and -ddd merge with it into one trie\n"
    "      --match CAPTURE\n"
    "                     print number, time and length of each frame of a capture (- is\n"
    "                     standard input) that the filter takes; of a frame that was cut off, it\n"
    "                     sees the bytes that are there and the length that it had, as in\n"
    "                     tcpdump -r\n"
    "      --count        with --match: print only how many frames it takes\n"
    "  -h, --help         print this\n"
    "\n"
    "Exit status: 0 done, 1 the filter can't be expressed or a file fails, 2 wrong usage or\n"
    "wrong filter text.\n"
    "\n"
    "Examples: dpfc -d 'udp dst port 7'\n"
    "          dpfc --match traffic.pcap --count 'udp dst port 7'\n";

#define WITH_MAX 1023

struct options {
    const char *file, *output, *egress_output, *egress, *capture;
    const char *with[WITH_MAX];
    unsigned with_count;
    char *expression;
    unsigned dump; /* how many -d */
    bool count;
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

enum { OPTION_EGRESS_OUT = 256, OPTION_EGRESS, OPTION_WITH, OPTION_MATCH, OPTION_COUNT };

static void take_option(struct options *o, int c)
{
    switch (c) {
    case 'f':
        o->file = optarg;
        break;
    case 'o':
        o->output = optarg;
        break;
    case OPTION_EGRESS_OUT:
        o->egress_output = optarg;
        break;
    case OPTION_EGRESS:
        o->egress = optarg;
        break;
    case OPTION_WITH:
        if (o->with_count == WITH_MAX)
            wrong_usage("--with may be given 1023 times");
        o->with[o->with_count++] = optarg;
        break;
    case OPTION_MATCH:
        o->capture = optarg;
        break;
    case OPTION_COUNT:
        o->count = true;
        break;
    case 'd':
        o->dump++;
        break;
    case 'h':
        fputs(usage, stdout);
        exit(0);
    default: /* getopt has said what */
        exit(2);
    }
}

static void check_options(const struct options *o, bool has_words)
{
    bool writes = o->output || o->egress_output;
    if (o->file && has_words)
        wrong_usage("give a filter or -f FILE, not both");
    if (!o->file && !has_words)
        wrong_usage("no filter given");
    if (o->capture && (writes || o->dump || o->egress))
        wrong_usage("--match takes none of -o, --egress-out, --egress and -d");
    if (o->capture && o->file && strcmp(o->capture, "-") == 0 && strcmp(o->file, "-") == 0)
        wrong_usage("standard input can't be both filter and capture");
    if (o->count && !o->capture)
        wrong_usage("--count belongs to --match");
    if (o->with_count && o->dump < 2)
        wrong_usage("--with belongs to -dd and -ddd");
    if (!writes && !o->dump && !o->capture)
        wrong_usage("nothing to do: give -o FILE, --egress-out FILE, -d or --match CAPTURE");
}

static void read_options(struct options *o, int argc, char **argv)
{
    static const struct option names[] = {{"file", required_argument, 0, 'f'},
                                          {"output", required_argument, 0, 'o'},
                                          {"egress-out", required_argument, 0, OPTION_EGRESS_OUT},
                                          {"egress", required_argument, 0, OPTION_EGRESS},
                                          {"with", required_argument, 0, OPTION_WITH},
                                          {"match", required_argument, 0, OPTION_MATCH},
                                          {"count", no_argument, 0, OPTION_COUNT},
                                          {"dump", no_argument, 0, 'd'},
                                          {"help", no_argument, 0, 'h'},
                                          {0}};
    for (int c; (c = getopt_long(argc, argv, "f:o:dh", names, 0)) != -1;)
        take_option(o, c);
    check_options(o, argv[optind] != NULL);
    o->expression = o->file ? 0 : join(argv + optind);
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

/* The view on an image that this program has made. */
static struct dpf_filter view(const char *name, const struct dpflift_image *image)
{
    struct dpf_filter filter;
    int error = dpf_verify(image->bytes, image->size, &filter);
    if (error) { /* a bug of this program: the kernel would refuse it */
        fprintf(stderr, "dpfc: internal error: %s: %s\n", name, dpf_strerror(error));
        exit(1);
    }
    return filter;
}

static void dump(const char *name, const struct dpflift_image *image)
{
    struct dpf_filter filter = view(name, image);
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

static void out_of_memory(void)
{
    fprintf(stderr, "dpfc: out of memory\n");
    exit(1);
}

/* Prints the trie of the ingress filter and those that are merged with it, and, if so asked, what
 * it is compiled to. */
static void dump_merged(const struct work *work)
{
    const struct options *o = &work->options;
    static struct dpflift_image images[WITH_MAX];
    static struct dpf_filter filters[WITH_MAX + 1];
    static struct dpf_member members[WITH_MAX + 1];
    static const char *texts[WITH_MAX + 1];
    struct merge merge = {.members = members, .texts = texts, .count = 1 + o->with_count};
    char error[DPFLIFT_ERROR_SIZE];
    filters[0] = view("ingress", &work->ingress);
    texts[0] = o->file ? o->file : o->expression;
    for (unsigned i = 0; i < o->with_count; i++) {
        enum dpflift_status status = dpflift_text(o->with[i], &images[i], 0, error);
        if (status != DPFLIFT_OK)
            report(o->with[i], status, error);
        filters[i + 1] = view(o->with[i], &images[i]);
        texts[i + 1] = o->with[i];
    }
    for (size_t i = 0; i < merge.count; i++)
        members[i].filter = &filters[i];
    if (!merge_build(&merge, error))
        report("--with", DPFLIFT_REFUSED, error);
    merge_print(stdout, &merge);
    if (o->dump > 2 && !merge_print_code(stdout, &merge))
        out_of_memory();
    free(merge.trie);
    for (unsigned i = 0; i < o->with_count; i++)
        dpflift_free(&images[i]);
}

static void dump_egress(const struct work *work)
{
    if (!work->egress.bytes) {
        printf("egress: %s\n", work->no_egress);
        return;
    }
    dump("egress", &work->egress);
    struct dpf_filter filter = view("egress", &work->egress);
    if (work->options.dump > 2 && !merge_print_filter_code(stdout, &filter))
        out_of_memory();
}

static void dump_all(const struct work *work)
{
    dump("ingress", &work->ingress);
    if (work->options.dump > 1)
        dump_merged(work);
    dump_egress(work);
}

int main(int argc, char **argv)
{
    static struct work work;
    int status = 0;
    read_options(&work.options, argc, argv);
    compile(&work);
    if (work.options.output)
        write_image(work.options.output, &work.ingress);
    if (work.options.egress_output)
        write_image(work.options.egress_output, &work.egress);
    if (work.options.dump)
        dump_all(&work);
    if (work.options.capture) {
        struct dpf_filter filter = view("ingress", &work.ingress);
        status = match_capture(work.options.capture, &filter, work.options.count);
    }
    dpflift_free(&work.ingress);
    dpflift_free(&work.egress);
    free(work.text);
    if (fflush(stdout) || ferror(stdout)) {
        perror("dpfc: standard output");
        return 1;
    }
    return status;
}
