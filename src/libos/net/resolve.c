#include "libos/net/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "libos/net/names.h"
#include "libos/net/service.h"
#include "libos/start/start.h"
#include "libos/time/time.h"

#define TRIES       3
#define PATIENCE_MS 2000 /* for the answers to one try */
#define MS          1000000UL
#define FILE_MAX    65536 /* bytes: of longer files the beginning counts */

static const uint8_t default_server[4] = {10, 0, 2, 3}; /* QEMU's user network */

/* Questions that go out together, and what has become of them. */
#define QUESTIONS_MAX 2
struct question {
    enum dns_type type;
    uint8_t bytes[DNS_QUESTION_MAX];
    size_t size;
    bool is_answered;
    enum dns_result result;
    struct dns_answer answer;
};

/* A file's text, for free, with *size; NULL: there is none. */
static char *load(const char *path, size_t *size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    char *text = file < 0 ? NULL : malloc(FILE_MAX);
    ssize_t got = 0;

    *size = 0;
    while (text && *size < FILE_MAX && (got = read(file, text + *size, FILE_MAX - *size)) > 0)
        *size += (size_t)got;
    if (file >= 0)
        close(file);
    return text;
}

static struct sockaddr_in find_server(void)
{
    struct sockaddr_in server = {.sin_family = AF_INET};
    uint8_t address[4];
    uint16_t port = DNS_PORT;
    size_t size;
    char *text = load(RESOLVE_SERVERS, &size);

    const struct net_host *host = net_service();
    memcpy(address, host && host->dns ? (const void *)&host->dns : default_server, sizeof address);
    if (text)
        names_server(text, size, address, &port);
    free(text);
    memcpy(&server.sin_addr, address, sizeof address);
    server.sin_port = htons(port);
    return server;
}

static bool all_answered(const struct question *questions, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!questions[i].is_answered)
            return false;
    return true;
}

/* Takes the answers that come until deadline. A server that fails may answer at the next try. */
static void take_answers(int s, struct question *questions, size_t count, uint64_t deadline)
{
    uint8_t message[DNS_MESSAGE_MAX];

    while (!all_answered(questions, count)) {
        uint64_t now = time_now();
        struct pollfd poll_s = {.fd = s, .events = POLLIN};
        if (now >= deadline || poll(&poll_s, 1, (int)(time_to_ns(deadline - now) / MS) + 1) <= 0)
            return;
        ssize_t size = recv(s, message, sizeof message, MSG_DONTWAIT);
        for (size_t i = 0; size > 0 && i < count; i++) {
            struct question *q = &questions[i];
            enum dns_result result = dns_read(message, (size_t)size, q->bytes, q->size, &q->answer);
            if (q->is_answered || result == DNS_OTHER)
                continue;
            q->result = result;
            q->is_answered = true;
        }
    }
}

/*
 * One try, from a port of its own and under new numbers, so that a forger has to guess both
 * (RFC 5452). Returns 0, or an EAI_* if nothing can be sent.
 */
static int try(const struct sockaddr_in *server, struct question *questions, size_t count)
{
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    uint16_t id;

    if (s < 0 || connect(s, (const struct sockaddr *)server, sizeof *server)) {
        if (s >= 0)
            close(s);
        return EAI_SYSTEM;
    }
    for (size_t i = 0; i < count; i++) {
        aegis_entropy(&id, sizeof id);
        memcpy(questions[i].bytes, &id, sizeof id);
        if (!questions[i].is_answered)
            send(s, questions[i].bytes, questions[i].size, 0);
    }
    take_answers(s, questions, count, time_after(PATIENCE_MS * MS));
    close(s);
    return 0;
}

/* Asks a server; 0 if all questions have an answer. */
static int ask(const char *name, struct question *questions, size_t count)
{
    struct sockaddr_in server = find_server();

    for (size_t i = 0; i < count; i++) {
        questions[i].size = dns_ask(questions[i].bytes, 0, name, questions[i].type);
        if (!questions[i].size)
            return EAI_NONAME;
    }
    for (int i = 0; i < TRIES && !all_answered(questions, count); i++) {
        int error = try(&server, questions, count);
        if (error)
            return error;
        for (size_t j = 0; i < TRIES - 1 && j < count; j++)
            questions[j].is_answered &= questions[j].result != DNS_FAILED;
    }
    return all_answered(questions, count) ? 0 : EAI_AGAIN;
}

static void add(struct resolved *result, const uint8_t *bytes, uint8_t size)
{
    if (result->count == RESOLVE_MAX)
        return;
    struct resolve_address *a = &result->addresses[result->count++];
    a->size = size;
    memcpy(a->bytes, bytes, size);
}

/* From the hosts file, and for names that no server may be asked for (RFC 6761, section 6.3). */
static bool look_up(const char *name, bool four, bool six, struct resolved *result)
{
    static const uint8_t here4[4] = {127, 0, 0, 1}, here6[16] = {[15] = 1};
    struct names_host host;
    size_t size;
    char *text = load(RESOLVE_HOSTS, &size);
    const char *at = text;
    bool is_there = false;

    while (text && names_next_host(&at, text + size, name, &host)) {
        is_there = true;
        if (host.size == 4 ? four : six)
            add(result, host.address, host.size);
    }
    free(text);
    if (!is_there && !strcasecmp(name, "localhost")) {
        is_there = true;
        if (four)
            add(result, here4, sizeof here4);
        if (six)
            add(result, here6, sizeof here6);
    }
    if (is_there)
        strncpy(result->name, name, sizeof result->name - 1);
    return is_there;
}

static int error_of(enum dns_result result)
{
    return result == DNS_FAILED ? EAI_AGAIN : EAI_NONAME;
}

int resolve_name(const char *name, bool four, bool six, struct resolved *result)
{
    struct question questions[QUESTIONS_MAX];
    size_t count = 0;

    memset(questions, 0, sizeof questions);
    memset(result, 0, sizeof *result);
    if (strlen(name) >= DNS_NAME_MAX)
        return EAI_NONAME;
    if (look_up(name, four, six, result))
        return result->count ? 0 : EAI_NONAME;
    if (four)
        questions[count++].type = DNS_A;
    if (six)
        questions[count++].type = DNS_AAAA;
    int error = ask(name, questions, count);
    if (error == EAI_SYSTEM || error == EAI_NONAME)
        return error;
    for (size_t i = 0; i < count; i++) {
        const struct dns_answer *answer = &questions[i].answer;
        if (!questions[i].is_answered || questions[i].result != DNS_FOUND)
            continue;
        if (!result->name[0])
            strcpy(result->name, answer->name);
        for (size_t j = 0; j < answer->count; j++)
            add(result, answer->addresses[j], questions[i].type == DNS_A ? 4 : 16);
    }
    if (result->count)
        return 0;
    for (size_t i = 0; !error && i < count; i++)
        error = error_of(questions[i].result) == EAI_AGAIN ? EAI_AGAIN : 0;
    return error ? error : EAI_NONAME;
}

int resolve_address(const struct resolve_address *address, char *text)
{
    struct question question;
    struct names_host host;
    size_t size;
    char *file = load(RESOLVE_HOSTS, &size), name[DNS_NAME_MAX];
    const char *at = file;
    bool is_there = file &&
                    names_next_name(&at, file + size, address->bytes, address->size, &host) &&
                    host.name_size < DNS_NAME_MAX;

    if (is_there) {
        memcpy(text, host.name, host.name_size);
        text[host.name_size] = 0;
    }
    free(file);
    if (is_there)
        return 0;
    memset(&question, 0, sizeof question);
    question.type = DNS_PTR;
    dns_reverse(address->bytes, address->size, name);
    int error = ask(name, &question, 1);
    if (!error && question.result != DNS_FOUND)
        error = error_of(question.result);
    if (!error)
        strcpy(text, question.answer.name);
    return error;
}
