/* aegisctl capture: copies of the frames that a filter takes, printed or written to a file. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "capture_loop.h"
#include "commands.h"
#include "filter.h"
#include "words.h"

#define EXPR_SIZE 4096
#define WORDS_MAX 256
#define ALL       "greater 1" /* without an expression */

/* Say how it went. Returns the exit status. */
static int report(struct capture *c)
{
    bool failed = c->state == CAPTURE_FAILED;

    if (!failed && capture_output_close(&c->output, &c->why) == CAPTURE_NOT_WRITTEN) {
        failed = true;
    }
    if (failed || c->state == CAPTURE_MACHINE_ENDED) {
        why_print(&c->why, "capture");
    }
    if (c->number != 0) {
        fprintf(stderr, "aegisctl: capture: %" PRIu64 " frames captured, %" PRIu64 " dropped\n",
                c->captured, c->dropped + c->unwritten);
    }
    return failed ? 1 : 0;
}

static int run_capture(const char *instance, const char *text, const char *path,
                       struct control_capture *request, uint64_t most)
{
    struct capture c = {.most = most, .signals = -1};
    struct dpflift_image image = {0};
    int status = filter_compile(text, &image, NULL, &c.why);

    if (status != 0) {
        why_print(&c.why, "capture");
        return status;
    }
    request->filter = (struct control_bytes){image.bytes, (uint32_t)image.size};
    c.signals = signals_catch(0, NULL);
    if (client_open(&c.session, instance, &c.why) == 0 &&
        capture_output_open(&c.output, path, (int)request->snaplen, &c.why) == 0) {
        capture_run(&c, request);
    } else {
        c.state = CAPTURE_FAILED;
    }
    client_close(&c.session);
    status = report(&c);
    capture_output_close(&c.output, &c.why);
    dpflift_free(&image);
    return status;
}

static int capture(const struct command *command, int argc, char **argv)
{
    const char *instance = INSTANCE_DEFAULT, *path = NULL;
    long count = 0, snaplen = 65535, netif = 0;
    const struct option_row rows[] = {
        {"w", OPTION_TEXT, &path, "FILE", "write a capture file (pcap); - is standard output", 0,
         0},
        {"c", OPTION_NUMBER, &count, "COUNT", "end after so many frames", 1, 1000000000},
        {"s", OPTION_NUMBER, &snaplen, "BYTES", "keep so many bytes of each frame (default: all)",
         1, 65535},
        {"netif", OPTION_NUMBER, &netif, "N", "network interface (default: 0)", 0, 255},
        {"instance", OPTION_TEXT, &instance, "NAME", INSTANCE_HELP, 0, 0},
        {0},
    };
    char text[EXPR_SIZE];
    int words, status = options_parse(command, rows, argc, argv, &words);
    struct control_capture request = {0};
    struct why why;

    if (status >= 0) {
        return status;
    }
    if (path != NULL && strcmp(path, "-") == 0 && isatty(STDOUT_FILENO)) {
        return usage_error(command, "-w - would write a capture file to the terminal; pipe it into "
                                    "a program, or leave -w away");
    }
    if (words_join(words, argv, text, sizeof(text), "expression", "put it into a file", &why) < 0) {
        return why_print(&why, "capture");
    }
    if (words == 0) {
        strcpy(text, ALL);
    }
    request.netif = (uint32_t)netif;
    request.snaplen = (uint32_t)snaplen;
    return run_capture(instance, text, path, &request, (uint64_t)count);
}

const struct command command_capture = {
    "capture",
    "[FILTER|EXPR]",
    0,
    WORDS_MAX,
    "Print or save copies of frames, received and sent, until ^C or COUNT.",
    capture,
};
