#include "libos/net/names.h"

#include <string.h>
#include <strings.h>

#include "libos/net/inet6.h"

#define TCP 1
#define UDP 2

/* IANA's names of what programs here may meet. */
static const struct {
    const char *name;
    uint16_t port;
    uint8_t over;
} services[] = {
    {"echo", 7, TCP | UDP},     {"discard", 9, TCP | UDP}, {"daytime", 13, TCP | UDP},
    {"chargen", 19, TCP | UDP}, {"ftp", 21, TCP},          {"ssh", 22, TCP},
    {"telnet", 23, TCP},        {"smtp", 25, TCP},         {"time", 37, TCP | UDP},
    {"domain", 53, TCP | UDP},  {"tftp", 69, UDP},         {"http", 80, TCP},
    {"pop3", 110, TCP},         {"ntp", 123, UDP},         {"imap2", 143, TCP},
    {"snmp", 161, UDP},         {"https", 443, TCP | UDP}, {"syslog", 514, UDP},
    {"http-alt", 8080, TCP},
};
#define SERVICES (sizeof services / sizeof *services)

int names_port(const char *service)
{
    for (size_t i = 0; i < SERVICES; i++)
        if (!strcmp(services[i].name, service))
            return services[i].port;
    return -1;
}

const char *names_service(uint16_t port, bool is_udp)
{
    for (size_t i = 0; i < SERVICES; i++)
        if (services[i].port == port && services[i].over & (is_udp ? UDP : TCP))
            return services[i].name;
    return NULL;
}

long names_number(const char *text, long most)
{
    long number = 0;

    if (!*text)
        return -1;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return -1;
        number = number * 10 + (*text - '0');
        if (number > most)
            return -1;
    }
    return number;
}

/* A word of a line; size 0: there is none. */
struct word {
    const char *text;
    size_t size;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The next line from *at on, without its comment; *at moves behind it. */
static bool next_line(const char **at, const char *end, const char **line, const char **line_end)
{
    if (*at >= end)
        return false;
    const char *newline = memchr(*at, '\n', (size_t)(end - *at));
    *line = *at;
    *line_end = newline ? newline : end;
    *at = newline ? newline + 1 : end;
    const char *comment = memchr(*line, '#', (size_t)(*line_end - *line));
    *line_end = comment ? comment : *line_end;
    return true;
}

static struct word next_word(const char **line, const char *end)
{
    while (*line < end && is_blank(**line))
        ++*line;
    struct word word = {*line, 0};
    while (*line < end && !is_blank(**line))
        ++*line;
    word.size = (size_t)(*line - word.text);
    return word;
}

/* The text of a word, in memory of `size` bytes; whether it fits. */
static bool copy(struct word word, char *text, size_t size)
{
    if (word.size >= size || memchr(word.text, 0, word.size))
        return false;
    memcpy(text, word.text, word.size);
    text[word.size] = 0;
    return true;
}

static bool read_address(struct word word, struct names_host *host)
{
    char text[INET6_TEXT];

    if (!copy(word, text, sizeof text))
        return false;
    host->size = inet4_read(text, host->address) ? 4 : 16;
    return host->size == 4 || inet6_read(text, host->address);
}

bool names_next_host(const char **at, const char *end, const char *name, struct names_host *host)
{
    const char *line, *line_end;

    while (next_line(at, end, &line, &line_end)) {
        struct word word = next_word(&line, line_end);
        if (!read_address(word, host))
            continue;
        while ((word = next_word(&line, line_end)).size)
            if (word.size == strlen(name) && !strncasecmp(word.text, name, word.size))
                return true;
    }
    return false;
}

bool names_next_name(const char **at, const char *end, const uint8_t *address, size_t size,
                     struct names_host *host)
{
    const char *line, *line_end;

    while (next_line(at, end, &line, &line_end)) {
        struct word word = next_word(&line, line_end);
        if (!read_address(word, host) || host->size != size ||
            memcmp(host->address, address, size) != 0)
            continue;
        word = next_word(&line, line_end);
        host->name = word.text;
        host->name_size = word.size;
        if (word.size)
            return true;
    }
    return false;
}

/* "1.2.3.4", "::1", "[1.2.3.4]:53" or "[::1]:53". */
static bool read_server(char *text, struct names_server *server)
{
    char *close = strchr(text, ']');
    long number = 53;

    if (*text == '[') {
        if (!close || close[1] != ':')
            return false;
        *close = 0;
        number = names_number(close + 2, UINT16_MAX);
        text++;
    }
    server->size = inet4_read(text, server->address) ? 4 : 16;
    server->port = (uint16_t)number;
    server->zone = 0;
    return number >= 1 && (server->size == 4 || inet6_read(text, server->address));
}

static bool is_word(struct word word, const char *text)
{
    return word.size == strlen(text) && !memcmp(word.text, text, word.size);
}

size_t names_servers(const char *text, size_t size, struct names_server *servers, size_t most)
{
    const char *at = text, *line, *end;
    char server[64];
    size_t count = 0;

    while (count < most && next_line(&at, text + size, &line, &end))
        if (is_word(next_word(&line, end), "nameserver") &&
            copy(next_word(&line, end), server, sizeof server))
            count += read_server(server, &servers[count]);
    return count;
}

void names_search(const char *text, size_t size, char list[NAMES_SEARCH_MAX])
{
    const char *at = text, *line, *end;
    struct word word;

    list[0] = 0;
    while (next_line(&at, text + size, &line, &end)) {
        size_t used = 0;
        word = next_word(&line, end);
        if (!is_word(word, "search") && !is_word(word, "domain"))
            continue;
        for (list[0] = 0; (word = next_word(&line, end)).size; used += word.size) {
            if (used)
                list[used++] = ' ';
            if (used >= NAMES_SEARCH_MAX || !copy(word, list + used, NAMES_SEARCH_MAX - used)) {
                list[0] = 0;
                break;
            }
        }
    }
}
