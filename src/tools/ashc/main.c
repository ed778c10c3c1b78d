/*
 * ashc: compiles handlers, prints them, and runs them on the host.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "tools/ashc/ashlift.h"
#include "tools/ashc/job.h"
#include "tools/ashc/run.h"

static const char usage[] =
    "usage: ashc [-o OUT] [--mcpu V] [--program NAME] [--clang PATH] FILE\n"
    "       ashc -d [--mcpu V] [--program NAME] [--clang PATH] FILE\n"
    "       ashc run [--mem HEX | --frame HEX] [--compiled] [--fuel N] FILE|-\n"
    "\n"
    "Compiles a handler in the shape of a Linux XDP program, C source or a BPF object, to an "
    "image\n"
    "that the kernel takes. FILE may also be such an image, or instructions as hex digits.\n"
    "\n"
    "  -o, --output OUT   write the image there; else to the FILE's name with .ash, in this "
    "folder\n"
    "      --mcpu V       instruction set of C source: v1, v2, v3 (the default) or v4\n"
    "      --program NAME which function of the object; else the first in a section named xdp...\n"
    "      --clang PATH   the compiler of C source; else $CLANG, else clang (clang-19 for v4)\n"
    "  -d, --dump         print maps and instructions; -dd also what is proved about each access,\n"
    "                     -ddd the machine code too\n"
    "  -h, --help         print this\n"
    "\n"
    "run: runs the program once and prints r0 as hex digits.\n"
    "      --mem HEX      r1 is the address of these bytes (window 0), r2 their number\n"
    "      --frame HEX    r1 is the address of a struct xdp_md for a frame of these bytes; the "
    "verdict\n"
    "                     and the frame afterwards are printed too\n"
    "      --compiled     run the RV64 code, under qemu-riscv64; else the program is interpreted\n"
    "      --fuel N       the limit on instructions (100000000)\n"
    "\n"
    "Exit status: 0 done; 1 the handler is refused or was aborted, or a file fails; 2 wrong "
    "usage.\n"
    "\n"
    "Example: ashc -dd examples/handlers/udp-echo.c\n";

struct options {
    const char *output, *file;
    struct ashlift_options lift;
    struct run_options run;
    int dump;
    bool runs;
};

static _Noreturn void wrong_usage(const char *what, const char *which)
{
    fprintf(stderr, "ashc: %s%s; see ashc --help\n", what, which);
    exit(2);
}

static int32_t read_fuel(const char *text)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || *end || end == text || value < 1 || value > INT32_MAX)
        wrong_usage("--fuel takes a number from 1 to 2147483647, not ", text);
    return (int32_t)value;
}

static const char *read_cpu(const char *text)
{
    if (strlen(text) != 2 || text[0] != 'v' || text[1] < '1' || text[1] > '4')
        wrong_usage("--mcpu takes v1, v2, v3 or v4, not ", text);
    return text;
}

enum {
    OPTION_CPU = 256,
    OPTION_PROGRAM,
    OPTION_CLANG,
    OPTION_MEM,
    OPTION_FRAME,
    OPTION_COMPILED,
    OPTION_FUEL
};

static void take_option(struct options *o, int c)
{
    switch (c) {
    case 'o':
        o->output = optarg;
        break;
    case 'd':
        o->dump++;
        break;
    case OPTION_CPU:
        o->lift.cpu = read_cpu(optarg);
        break;
    case OPTION_PROGRAM:
        o->lift.program = optarg;
        break;
    case OPTION_CLANG:
        o->lift.clang = optarg;
        break;
    case OPTION_MEM:
        o->run.memory = optarg;
        break;
    case OPTION_FRAME:
        o->run.frame = optarg;
        break;
    case OPTION_COMPILED:
        o->run.compiled = true;
        break;
    case OPTION_FUEL:
        o->run.fuel = read_fuel(optarg);
        break;
    case 'h':
        fputs(usage, stdout);
        exit(0);
    default: /* getopt has said what */
        exit(2);
    }
}

static void check_options(const struct options *o)
{
    bool runs = o->run.memory || o->run.frame || o->run.compiled || o->run.fuel != JOB_FUEL;
    if (o->run.memory && o->run.frame)
        wrong_usage("give --mem or --frame, not both", "");
    if (o->runs && (o->output || o->dump))
        wrong_usage("run takes neither -o nor -d", "");
    if (!o->runs && runs)
        wrong_usage("--mem, --frame, --compiled and --fuel belong to ashc run", "");
    if (o->output && o->dump)
        wrong_usage("give -o or -d, not both", "");
}

static struct options read_options(int argc, char **argv)
{
    static const struct option names[] = {{"output", required_argument, 0, 'o'},
                                          {"dump", no_argument, 0, 'd'},
                                          {"help", no_argument, 0, 'h'},
                                          {"mcpu", required_argument, 0, OPTION_CPU},
                                          {"program", required_argument, 0, OPTION_PROGRAM},
                                          {"clang", required_argument, 0, OPTION_CLANG},
                                          {"mem", required_argument, 0, OPTION_MEM},
                                          {"frame", required_argument, 0, OPTION_FRAME},
                                          {"compiled", no_argument, 0, OPTION_COMPILED},
                                          {"fuel", required_argument, 0, OPTION_FUEL},
                                          {0}};
    struct options o = {.run.fuel = JOB_FUEL, .lift.event = ASH_EVENT_FRAME};
    if (argc > 1 && strcmp(argv[1], "run") == 0) {
        o.runs = true;
        argv[1] = argv[0];
        argc--;
        argv++;
    }
    for (int c; (c = getopt_long(argc, argv, "o:dh", names, 0)) != -1;)
        take_option(&o, c);
    check_options(&o);
    if (!argv[optind])
        wrong_usage("no file given", "");
    if (argv[optind + 1])
        wrong_usage("one file at a time; another is ", argv[optind + 1]);
    o.file = argv[optind];
    if (o.runs && !o.run.frame)
        o.lift.event = ASH_EVENT_MEMORY;
    return o;
}

/* The image's file: the source's name without folders, its ending replaced. Malloc'ed. */
static char *output_name(const char *file)
{
    const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file,
               *dot = strrchr(name, '.');
    size_t length = dot && dot != name ? (size_t)(dot - name) : strlen(name);
    char *output = malloc(length + sizeof ".ash");
    if (output)
        sprintf(output, "%.*s.ash", (int)length, name);
    return output;
}

/* Verifies as the kernel will, so that a refusal is told here; false if it refuses. */
static bool verify(const struct ashlift_image *image, const char *file)
{
    struct ash_image view;
    char text[ASH_TEXT_SIZE];
    int error = ash_image_open(image->bytes, image->size, &view);
    if (error) {
        fprintf(stderr, "ashc: %s: refused: %s\n", file, ash_strerror(error));
        return false;
    }
    uint32_t insns = view.header->insns;
    void *scratch = malloc(ash_scratch_size(insns)), *memory = malloc(ash_program_size(insns));
    if (!scratch || !memory) {
        fprintf(stderr, "ashc: out of memory\n");
        exit(1);
    }
    error = ash_verify(scratch, ash_scratch_size(insns), &view, (enum ash_event)view.header->event,
                       ASH_HELPERS_ALL, memory, ash_program_size(insns));
    if (error) {
        ash_explain_error(&view, ash_refused(scratch), text, sizeof text);
        fprintf(stderr, "ashc: %s: refused: %s\n", file, text);
    }
    free(scratch);
    free(memory);
    return error == 0;
}

static int write_image(const struct ashlift_image *image, const struct options *o)
{
    char *name = o->output ? strdup(o->output) : output_name(o->file);
    if (!name || !verify(image, o->file)) {
        free(name);
        return 1;
    }
    FILE *file = fopen(name, "wb");
    int status = 0;
    if (!file || fwrite(image->bytes, 1, image->size, file) != image->size || fclose(file)) {
        fprintf(stderr, "ashc: %s: %s\n", name, strerror(errno));
        status = 1;
    }
    free(name);
    return status;
}

static int dump(const struct ashlift_image *image, const struct options *o)
{
    ashlift_print(stdout, image->bytes, image->size, o->dump);
    fflush(stdout); /* before what standard error says about it */
    return verify(image, o->file) ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct options o = read_options(argc, argv);
    struct ashlift_image image;
    char error[ASHLIFT_ERROR_SIZE];
    int status = 0;
    if (ashlift_file(o.file, &o.lift, &image, error) != ASHLIFT_OK) {
        fprintf(stderr, "ashc: %s: %s\n", o.file, error);
        return 1;
    }
    if (o.runs)
        status = run_image(&image, o.file, &o.run);
    else if (o.dump)
        status = dump(&image, &o);
    else
        status = write_image(&image, &o);
    ashlift_free(&image);
    if (fflush(stdout) || ferror(stdout)) {
        perror("ashc: standard output");
        return 1;
    }
    return status;
}
