#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUT_MAX (8u << 20) /* bytes that may wait: some sixty of the largest messages */

int link_open(struct link *link, int fd, struct why *why)
{
    *link = (struct link){.fd = fd};
    link->memory = malloc(CONTROL_BODY_MAX);
    if (link->memory == NULL || fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0) {
        why_set(why, "cannot set up a connection: %s", strerror(errno));
        link_close(link);
        return -1;
    }
    control_receiver_init(&link->receiver, link->memory, CONTROL_BODY_MAX);
    return 0;
}

void link_close(struct link *link)
{
    if (link->fd < 0) {
        return;
    }
    close(link->fd);
    free(link->memory);
    free(link->out);
    *link = (struct link){.fd = -1};
}

/* Make room for more bytes at out_end. */
static int reserve(struct link *link, size_t more)
{
    size_t used = link->out_end - link->out_begin;
    size_t size = link->out_size;
    uint8_t *out;

    if (used + more > OUT_MAX) {
        return -1;
    }
    if (link->out_begin != 0) {
        memmove(link->out, link->out + link->out_begin, used);
        link->out_begin = 0;
        link->out_end = used;
    }
    if (used + more <= size) {
        return 0;
    }
    while (size < used + more) {
        size = size != 0 ? size * 2 : 4096;
    }
    out = realloc(link->out, size);
    if (out == NULL) {
        return -1;
    }
    link->out = out;
    link->out_size = size;
    return 0;
}

int link_send(struct link *link, uint16_t type, uint32_t id, const uint8_t *body, uint32_t size)
{
    struct control_sender sender;
    size_t frames = size / CONTROL_SEGMENT_MAX + 1, n;

    if (reserve(link, frames * CONTROL_FRAME_MAX) != 0) {
        return -1;
    }
    control_send(&sender, type, id, body, size);
    while ((n = control_send_next(&sender, link->out + link->out_end)) != 0) {
        link->out_end += n;
    }
    return 0;
}

int link_send_record(struct link *link, uint16_t type, uint32_t id, enum control_record record,
                     const void *from)
{
    static uint8_t body[CONTROL_BODY_MAX];
    int size = control_encode(record, from, body, sizeof body);

    return size < 0 ? -1 : link_send(link, type, id, body, (uint32_t)size);
}

int link_send_error(struct link *link, uint32_t id, uint32_t code, const char *text)
{
    struct control_error error = {.code = code};

    strncpy(error.text, text, sizeof error.text - 1);
    return link_send_record(link, CONTROL_ERROR, id, CONTROL_RECORD_error, &error);
}

bool link_wants_write(const struct link *link)
{
    return link->out_end != link->out_begin;
}

int link_write(struct link *link)
{
    while (link_wants_write(link)) {
        ssize_t n = send(link->fd, link->out + link->out_begin, link->out_end - link->out_begin,
                         MSG_NOSIGNAL);

        if (n < 0) {
            return errno == EAGAIN || errno == EINTR ? 0 : -1;
        }
        link->out_begin += (size_t)n;
    }
    return 0;
}

int link_read(struct link *link, link_handler *handler, void *context)
{
    uint8_t bytes[16384];
    struct control_message message;
    ssize_t n = recv(link->fd, bytes, sizeof bytes, 0);

    if (n <= 0) {
        return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
    }
    for (size_t at = 0; at < (size_t)n;) {
        at += control_receive(&link->receiver, bytes + at, (size_t)n - at, &message);
        if (message.type != CONTROL_NONE && !handler(context, &message)) {
            return 0;
        }
    }
    return 0;
}
