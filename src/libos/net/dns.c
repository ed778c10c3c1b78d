#include "libos/net/dns.h"

#include <stdio.h>
#include <string.h>

#define HEADER      12
#define TAIL        4   /* of a question, behind its name: type and class */
#define RECORD      10  /* of a record, behind its name: type, class, time to live, length */
#define WIRE_MAX    255 /* bytes of a name on the wire: RFC 1035, section 2.3.4 */
#define LABEL_MAX   63
#define ALIASES_MAX 16
#define CLASS_IN    1
#define TYPE_CNAME  5
#define RESPONSE    0x8000 /* of the flags */
#define OPCODE      0x7800
#define CUT         0x0200
#define RECURSION   0x0100
#define CODE        0x000f
#define NO_NAME     3 /* NXDOMAIN */
#define POINTER     0xc0

/* A name as on the wire, without pointers, in lower case: equal names are equal bytes. */
struct name {
    uint8_t size;
    uint8_t bytes[WIRE_MAX];
};

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static void put16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

size_t dns_ask(uint8_t *message, uint16_t id, const char *name, enum dns_type type)
{
    size_t at = HEADER;

    memset(message, 0, HEADER);
    put16(message, id);
    put16(message + 2, RECURSION);
    put16(message + 4, 1);
    do {
        size_t label = strcspn(name, ".");
        if (label < 1 || label > LABEL_MAX || at + 1 + label + 1 > HEADER + WIRE_MAX)
            return 0;
        message[at] = (uint8_t)label;
        memcpy(message + at + 1, name, label);
        at += 1 + label;
        name += label + (name[label] == '.');
    } while (*name);
    message[at++] = 0;
    put16(message + at, (uint16_t)type);
    put16(message + at + 2, CLASS_IN);
    return at + TAIL;
}

/*
 * Reads the name at `at`; returns where the message goes on behind it, or 0. Pointers have to lead
 * before all that was read of the name so far, so there are no loops.
 */
static size_t read_name(const uint8_t *message, size_t size, size_t at, struct name *name)
{
    size_t behind = 0, least = at;

    for (name->size = 0; at < size;) {
        uint8_t length = message[at];
        if ((length & POINTER) == POINTER) {
            if (at + 1 >= size)
                return 0;
            size_t to = get16(message + at) & 0x3fffu;
            behind = behind ? behind : at + 2;
            if (to >= least)
                return 0;
            at = least = to;
            continue;
        }
        if (length > LABEL_MAX || at + 1 + length > size || name->size + 1u + length > WIRE_MAX)
            return 0;
        name->bytes[name->size++] = length;
        for (size_t i = 1; i <= length; i++)
            name->bytes[name->size++] = lower(message[at + i]);
        at += 1u + length;
        if (!length)
            return behind ? behind : at;
    }
    return 0;
}

/* Hosts' names are of letters, digits, hyphens, and in practice underscores; others could be taken
 * for something else where they are printed. */
static bool is_of_host(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static void write_text(const struct name *name, char text[DNS_NAME_MAX])
{
    size_t size = 0;

    text[0] = 0;
    for (size_t at = 0; name->bytes[at]; at += 1u + name->bytes[at]) {
        if (at)
            text[size++] = '.';
        for (size_t i = 1; i <= name->bytes[at]; i++) {
            if (!is_of_host(name->bytes[at + i])) {
                text[0] = 0;
                return;
            }
            text[size++] = (char)name->bytes[at + i];
        }
    }
    text[size] = 0;
}

struct record {
    struct name owner;
    uint16_t type, class, size;
    size_t data, behind; /* in the message */
};

static bool read_record(const uint8_t *message, size_t size, size_t at, struct record *r)
{
    at = read_name(message, size, at, &r->owner);
    if (!at || size - at < RECORD)
        return false;
    r->type = get16(message + at);
    r->class = get16(message + at + 2);
    r->size = get16(message + at + 8);
    r->data = at + RECORD;
    r->behind = r->data + r->size;
    return r->behind <= size;
}

static bool same(const struct name *a, const struct name *b)
{
    return a->size == b->size && !memcmp(a->bytes, b->bytes, a->size);
}

/* Follows one alias of *name; whether there is one. What is cut off ends the records. */
static bool follow(const uint8_t *message, size_t size, size_t at, struct name *name)
{
    struct record r;

    for (uint16_t left = get16(message + 6); left && read_record(message, size, at, &r); left--) {
        struct name target;
        if (r.type == TYPE_CNAME && r.class == CLASS_IN && same(&r.owner, name) &&
            read_name(message, r.behind, r.data, &target) == r.behind) {
            *name = target;
            return true;
        }
        at = r.behind;
    }
    return false;
}

/* Takes what the records say of name. */
static void collect(const uint8_t *message, size_t size, size_t at, const struct name *name,
                    uint16_t type, struct dns_answer *answer)
{
    const size_t length = type == DNS_A ? 4 : 16;
    struct record r;

    for (uint16_t left = get16(message + 6); left && read_record(message, size, at, &r); left--) {
        struct name target;
        at = r.behind;
        if (r.type != type || r.class != CLASS_IN || !same(&r.owner, name) ||
            answer->count == DNS_ADDRESSES_MAX)
            continue;
        if (type != DNS_PTR && r.size == length) {
            memcpy(answer->addresses[answer->count++], message + r.data, length);
        } else if (type == DNS_PTR && !answer->count &&
                   read_name(message, r.behind, r.data, &target) == r.behind) {
            write_text(&target, answer->name);
            answer->count = answer->name[0] != 0;
        }
    }
}

/* Where the records begin, if the message answers the question: its number, name, type and class.
 * Else 0. */
static size_t check_question(const uint8_t *message, size_t size, const uint8_t *question,
                             size_t question_size, struct name *name)
{
    struct name wanted;
    size_t at = read_name(question, question_size, HEADER, &wanted);

    if (size < HEADER || get16(message) != get16(question) || !(get16(message + 2) & RESPONSE) ||
        get16(message + 2) & OPCODE || get16(message + 4) != 1)
        return 0;
    size_t behind = read_name(message, size, HEADER, name);
    if (!behind || size - behind < TAIL || !same(&wanted, name) ||
        memcmp(message + behind, question + at, TAIL) != 0)
        return 0;
    return behind + TAIL;
}

enum dns_result dns_read(const uint8_t *message, size_t size, const uint8_t *question,
                         size_t question_size, struct dns_answer *answer)
{
    struct name name;
    size_t at = check_question(message, size, question, question_size, &name);
    uint16_t type = get16(question + question_size - TAIL);

    if (!at)
        return DNS_OTHER;
    uint16_t code = get16(message + 2) & CODE;
    if (code)
        return code == NO_NAME ? DNS_NO_NAME : DNS_FAILED;
    for (int i = 0; i < ALIASES_MAX && follow(message, size, at, &name); i++)
        ;
    memset(answer, 0, sizeof *answer);
    answer->is_cut = get16(message + 2) & CUT;
    if (type != DNS_PTR)
        write_text(&name, answer->name);
    collect(message, size, at, &name, type, answer);
    return answer->count ? DNS_FOUND : DNS_NO_DATA;
}

void dns_list(const uint8_t *bytes, size_t size, char *list, size_t most)
{
    char text[DNS_NAME_MAX];
    struct name name;
    size_t used = 0;

    list[0] = 0;
    for (size_t at = 0; at < size;) {
        at = read_name(bytes, size, at, &name);
        if (at)
            write_text(&name, text);
        size_t length = at ? strlen(text) : 0;
        if (!at || (length && used + 1 + length >= most)) {
            list[0] = 0;
            return;
        }
        if (!length)
            continue;
        if (used)
            list[used++] = ' ';
        memcpy(list + used, text, length + 1);
        used += length;
    }
}

void dns_reverse(const uint8_t *address, size_t size, char *text)
{
    if (size == 4) {
        snprintf(text, DNS_NAME_MAX, "%u.%u.%u.%u.in-addr.arpa", address[3], address[2], address[1],
                 address[0]);
        return;
    }
    for (size_t i = size; i-- > 0; text += 4)
        snprintf(text, 5, "%x.%x.", address[i] & 0xfu, address[i] >> 4u);
    strcpy(text, "ip6.arpa");
}
