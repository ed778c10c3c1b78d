#include "tools/dpfc/match.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int fail(const char *path, const char *what)
{
    fprintf(stderr, "dpfc: %s: %s\n", path, what);
    return 1;
}

/* Null, after saying why, if there is nothing that can be read. */
static pcap_t *open_capture(const char *path)
{
    char error[PCAP_ERRBUF_SIZE] = "";
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "rb");
    if (!file) {
        fail(path, strerror(errno));
        return NULL;
    }
    pcap_t *capture = pcap_fopen_offline(file, error);
    if (capture)
        return capture;
    fprintf(stderr, "dpfc: %s: not a capture that libpcap can read: %s\n", path, error);
    if (!is_stdin)
        fclose(file);
    return NULL;
}

static bool is_ethernet(const char *path, pcap_t *capture)
{
    int type = pcap_datalink(capture);
    const char *name = pcap_datalink_val_to_name(type);
    const char *about = pcap_datalink_val_to_description(type);
    if (type == DLT_EN10MB)
        return true;
    fprintf(stderr,
            "dpfc: %s: its link type is %s (%s), and filters are for Ethernet (EN10MB); capture on "
            "an Ethernet interface\n",
            path, name ? name : "unknown", about ? about : "of which libpcap has no name");
    return false;
}

static void print_frame(unsigned long number, const struct pcap_pkthdr *header)
{
    char time[sizeof "23:59:60"];
    time_t seconds = header->ts.tv_sec;
    struct tm parts;
    if (!localtime_r(&seconds, &parts) || !strftime(time, sizeof time, "%H:%M:%S", &parts))
        memset(time, 0, sizeof time);
    printf("%5lu  %s.%06ld length %u", number, time, (long)header->ts.tv_usec, header->len);
    if (header->caplen < header->len)
        printf(" (captured %u)", header->caplen);
    putchar('\n');
}

int match_capture(const char *path, const struct dpf_filter *filter, bool only_count)
{
    unsigned long number = 0, taken = 0, cut = 0;
    struct pcap_pkthdr *header;
    const uint8_t *bytes;
    int status;
    pcap_t *capture = open_capture(path);
    if (!capture || !is_ethernet(path, capture)) {
        if (capture)
            pcap_close(capture);
        return 1;
    }
    while ((status = pcap_next_ex(capture, &header, &bytes)) == 1) {
        size_t available = header->caplen;
        size_t length = header->len > available ? header->len : available;
        number++;
        cut += available < length;
        if (!dpf_match(filter, bytes, available, length))
            continue;
        taken++;
        if (!only_count)
            print_frame(number, header);
    }
    if (only_count)
        printf("%lu\n", taken);
    fflush(stdout); /* before what standard error says about it */
    if (cut)
        fprintf(stderr,
                "dpfc: %s: %lu of %lu frames are cut off; a test of bytes that are missing "
                "rejects, as in tcpdump\n",
                path, cut, number);
    if (status == PCAP_ERROR)
        fprintf(stderr, "dpfc: %s: behind frame %lu: %s\n", path, number, pcap_geterr(capture));
    pcap_close(capture);
    return status == PCAP_ERROR;
}
