/*
 * Messages of the domain name system (RFC 1035): a question, and what an answer says to it. Pure:
 * also on the host. Answers are untrusted bytes.
 */
#ifndef EXOS_NET_DNS_H
#define EXOS_NET_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_PORT          53
#define DNS_QUESTION_MAX  (12 + 255 + 4)
#define DNS_MESSAGE_MAX   512   /* over UDP: RFC 1035, section 4.2.1 */
#define DNS_STREAM_MAX    65535 /* over TCP, where two bytes of its length come first, 4.2.2 */
#define DNS_NAME_MAX      254   /* as text, its zero included */
#define DNS_ADDRESSES_MAX 16

enum dns_type { DNS_A = 1, DNS_PTR = 12, DNS_AAAA = 28 };

/* What an answer is. */
enum dns_result {
    DNS_FOUND,
    DNS_NO_DATA, /* the name is there, and has nothing of this type */
    DNS_NO_NAME,
    DNS_FAILED, /* the server can't, or doesn't want to */
    DNS_OTHER   /* no answer to this question: forged, late, or damaged */
};

struct dns_answer {
    char name[DNS_NAME_MAX]; /* behind all aliases; of DNS_PTR what it points to. Without a dot at
                                its end; "" if it isn't a name that hosts have */
    bool is_cut;             /* the message says that there is more: to be had by TCP (RFC 7766) */
    size_t count;
    uint8_t addresses[DNS_ADDRESSES_MAX][16]; /* 4 bytes of DNS_A, 16 of DNS_AAAA */
};

/*
 * A question with recursion desired, in message of DNS_QUESTION_MAX bytes. Returns its size, or 0
 * if name (a dot at its end or not) is none: labels of 1 to 63 bytes, 253 in all.
 */
size_t dns_ask(uint8_t *message, uint16_t id, const char *name, enum dns_type type);

/*
 * What the message of size bytes answers to the question that dns_ask made. *answer is filled if
 * it is DNS_FOUND or DNS_NO_DATA. The message must repeat the question; aliases are followed in it,
 * up to 16.
 */
enum dns_result dns_read(const uint8_t *message, size_t size, const uint8_t *question,
                         size_t question_size, struct dns_answer *answer);

/*
 * The names in `bytes`, one behind the other, which may point to those before (RFC 3397): as text
 * in `list`, of `most` bytes, with a blank between two. Ones that hosts don't have are left out; ""
 * if something is malformed, or doesn't fit.
 */
void dns_list(const uint8_t *bytes, size_t size, char *list, size_t most);

/* The name that DNS_PTR asks for: of an address of 4 or 16 bytes, in text of DNS_NAME_MAX. */
void dns_reverse(const uint8_t *address, size_t size, char *text);

#endif
