#include "filter.h"

#include <string.h>
#include <unistd.h>

#define BLANKS " \t\n"

bool filter_is_file(const char *text)
{
    return strcmp(text, "-") == 0 || access(text, F_OK) == 0 || text[0] == '/' ||
           strncmp(text, "./", 2) == 0 || strncmp(text, "../", 3) == 0;
}

int filter_compile(const char *text, struct dpflift_image *ingress, struct dpflift_image *egress,
                   struct why *why)
{
    char error[DPFLIFT_ERROR_SIZE];
    bool file = filter_is_file(text);
    enum dpflift_status status;

    if (text[strspn(text, BLANKS)] == 0) {
        why_set(why, "the filter is empty; \"greater 1\" takes all frames");
        return 2;
    }
    status = file ? dpflift_file(text, ingress, egress, error)
                  : dpflift_text(text, ingress, egress, error);
    if (status == DPFLIFT_OK) {
        return 0;
    }
    /* One word that is no expression was most likely meant as a file. */
    if (!file && text[strcspn(text, BLANKS)] == 0) {
        why_set(why,
                "there is no file \"%s\", and as an expression it is wrong: %s; name a file, or "
                "quote an expression as in pcap-filter(7)",
                text, error);
    } else {
        why_set(why, "filter%s%s: %s", file ? " " : "", file ? text : "", error);
    }
    return status == DPFLIFT_TEXT ? 2 : 1;
}
