#include "capture_output.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "frame_text.h"

#define NS 1000000000

/* A write of one frame to a pipe that poll finds writable doesn't block. */
_Static_assert(CONTROL_BYTES_MAX + 24 + 16 <= PIPE_BUF, "file header, frame header and frame");

static int open_dump(struct capture_output *output, const char *path, int snaplen, struct why *why)
{
    output->format =
        pcap_open_dead_with_tstamp_precision(DLT_EN10MB, snaplen, PCAP_TSTAMP_PRECISION_NANO);
    if (output->format == NULL) {
        return why_set(why, "no memory for a capture file");
    }
    output->dump = pcap_dump_open(output->format, path);
    if (output->dump == NULL) {
        return why_set(why, "cannot write %s", pcap_geterr(output->format));
    }
    output->file = pcap_dump_file(output->dump);
    return 0;
}

int capture_output_open(struct capture_output *output, const char *path, int snaplen,
                        struct why *why)
{
    struct stat found;

    *output = (struct capture_output){.file = stdout};
    if (path != NULL && open_dump(output, path, snaplen, why) != 0) {
        capture_output_close(output, why);
        return -1;
    }
    output->live = fstat(fileno(output->file), &found) == 0 && !S_ISREG(found.st_mode);
    return capture_output_flush(output, why) == CAPTURE_NOT_WRITTEN ? -1 : 0;
}

int capture_output_fd(const struct capture_output *output)
{
    return output->live ? fileno(output->file) : -1;
}

/* Wait until the reader takes more, or a signal comes. */
static enum capture_written await_room(const struct capture_output *output, int signals)
{
    struct pollfd fds[] = {{.fd = fileno(output->file), .events = POLLOUT},
                           {.fd = signals, .events = POLLIN}};

    while (poll(fds, 2, -1) < 0) {
        if (errno != EINTR) {
            return CAPTURE_STOPPED;
        }
    }
    return (fds[0].revents & POLLERR) != 0   ? CAPTURE_NO_READER
           : (fds[0].revents & POLLOUT) != 0 ? CAPTURE_WRITTEN
                                             : CAPTURE_STOPPED;
}

static void print_line(FILE *file, const struct control_frame_row *frame, int64_t stamp)
{
    char text[FRAME_TEXT_SIZE], moment[16];
    time_t seconds = (time_t)(stamp / NS);
    struct tm local;

    localtime_r(&seconds, &local);
    strftime(moment, sizeof moment, "%H:%M:%S", &local);
    frame_text(frame->bytes.data, frame->bytes.size, frame->length, text);
    fprintf(file, "%s.%06" PRId64 " %-3s %s\n", moment, stamp % NS / 1000,
            frame->sent ? "Out" : "In", text);
}

static void dump(pcap_dumper_t *to, const struct control_frame_row *frame, int64_t stamp)
{
    struct pcap_pkthdr header = {
        .ts = {.tv_sec = (time_t)(stamp / NS), .tv_usec = (suseconds_t)(stamp % NS)}, /* ns */
        .caplen = frame->bytes.size,
        .len = frame->length,
    };

    pcap_dump((u_char *)to, &header, frame->bytes.data);
}

enum capture_written capture_output_frame(struct capture_output *output, int signals,
                                          const struct control_frame_row *frame, int64_t stamp,
                                          struct why *why)
{
    if (output->live) {
        enum capture_written room = await_room(output, signals);

        if (room != CAPTURE_WRITTEN) {
            return room;
        }
    }
    if (output->dump != NULL) {
        dump(output->dump, frame, stamp);
    } else {
        print_line(output->file, frame, stamp);
    }
    return output->live ? capture_output_flush(output, why) : CAPTURE_WRITTEN;
}

enum capture_written capture_output_flush(struct capture_output *output, struct why *why)
{
    if (fflush(output->file) == 0 && !ferror(output->file)) {
        return CAPTURE_WRITTEN;
    }
    if (errno == EPIPE) {
        return CAPTURE_NO_READER;
    }
    why_set(why, "cannot write the frames: %s", strerror(errno));
    return CAPTURE_NOT_WRITTEN;
}

enum capture_written capture_output_close(struct capture_output *output, struct why *why)
{
    enum capture_written result =
        output->file != NULL ? capture_output_flush(output, why) : CAPTURE_WRITTEN;

    if (output->dump != NULL) {
        pcap_dump_close(output->dump);
    }
    if (output->format != NULL) {
        pcap_close(output->format);
    }
    *output = (struct capture_output){0};
    return result;
}
