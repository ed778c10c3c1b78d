#include "libos/net/resolve.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "libos/net/names.h"
#include "libos/net/query.h"
#include "libos/net/servers.h"

#define QUERIES_MAX 2 /* that go out together */

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
    char *text = servers_load(RESOLVE_HOSTS, &size);
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

/* What servers say of a name. */
static int ask_for(const struct servers *servers, const char *name, bool four, bool six,
                   struct resolved *result)
{
    struct query queries[QUERIES_MAX];
    size_t count = 0;

    memset(queries, 0, sizeof queries);
    if (four)
        queries[count++].type = DNS_A;
    if (six)
        queries[count++].type = DNS_AAAA;
    int error = query_ask(servers, name, queries, count);
    if (error == EAI_SYSTEM || error == EAI_NONAME)
        return error;
    for (size_t i = 0; i < count; i++) {
        const struct dns_answer *answer = &queries[i].answer;
        if (!queries[i].is_answered || queries[i].result != DNS_FOUND)
            continue;
        if (!result->name[0])
            strcpy(result->name, answer->name);
        for (size_t j = 0; j < answer->count; j++)
            add(result, answer->addresses[j], queries[i].type == DNS_A ? 4 : 16);
    }
    if (result->count)
        return 0;
    for (size_t i = 0; !error && i < count; i++)
        error = error_of(queries[i].result) == EAI_AGAIN ? EAI_AGAIN : 0;
    return error ? error : EAI_NONAME;
}

/* A name without a dot, in each domain that is searched. */
static int search_for(const struct servers *servers, const char *name, bool four, bool six,
                      struct resolved *result)
{
    int error = EAI_NONAME;

    for (const char *domain = servers->search; *domain && error == EAI_NONAME;) {
        size_t length = strcspn(domain, " ");
        char whole[DNS_NAME_MAX];
        if (strlen(name) + 1 + length < sizeof whole) {
            snprintf(whole, sizeof whole, "%s.%.*s", name, (int)length, domain);
            error = ask_for(servers, whole, four, six, result);
        }
        domain += length + (domain[length] == ' ');
    }
    return error;
}

int resolve_name(const char *name, bool four, bool six, struct resolved *result)
{
    struct servers servers;
    int error = EAI_NONAME;

    memset(result, 0, sizeof *result);
    if (strlen(name) >= DNS_NAME_MAX)
        return EAI_NONAME;
    if (look_up(name, four, six, result))
        return result->count ? 0 : EAI_NONAME;
    servers_find(&servers);
    if (!strchr(name, '.'))
        error = search_for(&servers, name, four, six, result);
    return error == EAI_NONAME ? ask_for(&servers, name, four, six, result) : error;
}

int resolve_address(const struct resolve_address *address, char *text)
{
    struct query query = {.type = DNS_PTR};
    struct servers servers;
    struct names_host host;
    size_t size;
    char *file = servers_load(RESOLVE_HOSTS, &size), name[DNS_NAME_MAX];
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
    dns_reverse(address->bytes, address->size, name);
    servers_find(&servers);
    int error = query_ask(&servers, name, &query, 1);
    if (!error && query.result != DNS_FOUND)
        error = error_of(query.result);
    if (!error)
        strcpy(text, query.answer.name);
    return error;
}
