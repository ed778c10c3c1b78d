/* host: looks names and addresses up, as every program here does (netdb.h). */
#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>

#include "apps/program.h"

const char program_name[] = "host";
const char program_usage[] = "host NAME|ADDRESS...";

static int print_addresses(const char *name, const struct addrinfo *list)
{
    char text[INET6_ADDRSTRLEN];

    if (list->ai_canonname && strcmp(list->ai_canonname, name) != 0)
        printf("%s is %s\n", name, list->ai_canonname);
    for (const struct addrinfo *at = list; at; at = at->ai_next) {
        getnameinfo(at->ai_addr, at->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST);
        printf("%s has address %s\n", name, text);
    }
    return 0;
}

static int print_name(const char *text, const struct addrinfo *address)
{
    char name[NI_MAXHOST];
    int error =
        getnameinfo(address->ai_addr, address->ai_addrlen, name, sizeof name, NULL, 0, NI_NAMEREQD);
    if (!error)
        printf("%s is %s\n", text, name);
    return error;
}

static int look_up(const char *text)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_DGRAM}, *list;
    int error = getaddrinfo(text, NULL, &hints, &list);

    if (!error) {
        error = print_name(text, list);
        freeaddrinfo(list);
        return error;
    }
    hints.ai_flags = AI_CANONNAME;
    error = getaddrinfo(text, NULL, &hints, &list);
    if (error)
        return error;
    print_addresses(text, list);
    freeaddrinfo(list);
    return 0;
}

int main(int argc, char **argv)
{
    int status = 0;

    take_help(argc, argv);
    if (argc < 2)
        return usage();
    for (int i = 1; i < argc; i++) {
        int error = look_up(argv[i]);
        if (!error)
            continue;
        fprintf(stderr, "host: %s: %s\n", argv[i], gai_strerror(error));
        status = 1;
    }
    return finish(status);
}
