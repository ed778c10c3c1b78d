/*
 * Any bytes as an answer of a name server, as a hosts file, and as addresses. What is believed of
 * an answer, the C library's parser finds in it, too, if it can read it at all.
 */
#include <assert.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <stdlib.h>
#include <string.h>

#include "libos/net/dns.h"
#include "libos/net/inet6.h"
#include "libos/net/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {"a.b", "7.7.in-addr.arpa", "example.com"};
static const enum dns_type types[] = {DNS_A, DNS_PTR, DNS_AAAA};

static bool is_in(ns_msg *message, enum dns_type type, const uint8_t *address, size_t size)
{
    for (int i = 0; i < ns_msg_count(*message, ns_s_an); i++) {
        ns_rr r;
        if (ns_parserr(message, ns_s_an, i, &r) == 0 && (int)ns_rr_type(r) == (int)type &&
            ns_rr_rdlen(r) == size && !memcmp(ns_rr_rdata(r), address, size))
            return true;
    }
    return false;
}

static void check_answer(const uint8_t *data, size_t size, unsigned which)
{
    uint8_t question[DNS_QUESTION_MAX];
    size_t asked = dns_ask(question, 0x3030, names[which], types[which]);
    size_t width = types[which] == DNS_A ? 4 : 16;
    struct dns_answer answer;
    ns_msg theirs;

    enum dns_result result = dns_read(data, size, question, asked, &answer);
    assert(result <= DNS_OTHER);
    if (result != DNS_FOUND)
        return;
    assert(answer.count >= 1 && answer.count <= DNS_ADDRESSES_MAX);
    assert(memchr(answer.name, 0, sizeof answer.name));
    if (types[which] == DNS_PTR || ns_initparse(data, (int)size, &theirs) != 0)
        return;
    for (size_t i = 0; i < answer.count; i++)
        assert(is_in(&theirs, types[which], answer.addresses[i], width));
}

/* Behind a header and a question that fit, so that few inputs fail there. */
static void check_answers(const uint8_t *data, size_t size)
{
    for (unsigned which = 0; which < 3; which++) {
        uint8_t question[DNS_QUESTION_MAX];
        size_t asked = dns_ask(question, 0x3030, names[which], types[which]);
        uint8_t *message = malloc(asked + size);
        memcpy(message, question, asked);
        message[2] = 0x81, message[3] = 0x80, message[7] = size ? data[0] & 7 : 1;
        memcpy(message + asked, data, size);
        check_answer(message, asked + size, which);
        free(message);
        uint8_t *plain = malloc(size ? size : 1);
        memcpy(plain, data, size);
        check_answer(plain, size, which);
        free(plain);
    }
}

static void check_files(const char *text, size_t size)
{
    const char *at = text;
    struct names_host host;
    struct names_server servers[3];
    char list[NAMES_SEARCH_MAX];

    while (names_next_host(&at, text + size, "a", &host))
        assert((host.size == 4 || host.size == 16) && at <= text + size);
    at = text;
    while (names_next_name(&at, text + size, (const uint8_t *)"\1\1\1\1", 4, &host))
        assert(host.name_size && host.name >= text && host.name + host.name_size <= text + size);
    size_t count = names_servers(text, size, servers, 3);
    for (size_t i = 0; i < count; i++)
        assert(servers[i].port && (servers[i].size == 4 || servers[i].size == 16));
    names_search(text, size, list);
    assert(memchr(list, 0, sizeof list) && list[0] != ' ' && !strstr(list, "  "));
}

static void check_list(const uint8_t *data, size_t size)
{
    char list[NAMES_SEARCH_MAX];

    dns_list(data, size, list, sizeof list);
    assert(memchr(list, 0, sizeof list) && list[0] != ' ' && !strstr(list, "  "));
    assert(!*list || list[strlen(list) - 1] != ' ');
}

static void check_address(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    uint8_t ours[16], theirs[16];

    memcpy(text, data, size);
    text[size] = 0;
    bool read = inet6_read(text, ours);
    assert(read == (inet_pton(AF_INET6, text, theirs) == 1));
    assert(!read || !memcmp(ours, theirs, 16));
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_answers(data, size);
    check_files((const char *)data, size);
    check_list(data, size);
    check_address(data, size);
    return 0;
}
