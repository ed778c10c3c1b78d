/*
 * GETs, answered in the kernel from the application's table (kv.h), whether that runs or not. What
 * isn't a plain, whole GET, and one whose entry is being written, is the application's.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "apps/kv/kv.h"

/* kv writes it before the handler runs. */
volatile __u64 seed = 1;

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, KV_ENTRIES);
    __type(key, __u32);
    __type(value, struct kv_entry);
} table SEC(".maps");

/* A frame, header by header. */
struct frame {
    struct ethhdr *eth;
    struct iphdr *ip;
    struct udphdr *udp;
    struct kv_header *kv;
    __u64 *rest; /* key, or value */
};

#define HEADERS                                                                                    \
    (sizeof(struct ethhdr) + sizeof(struct iphdr) + sizeof(struct udphdr) +                        \
     sizeof(struct kv_header))

struct key {
    __u64 words[KV_KEY_WORDS];
};

static __always_inline struct frame frame_at(void *data)
{
    struct frame f = {.eth = data, .ip = data + sizeof *f.eth};
    f.udp = (void *)(f.ip + 1);
    f.kv = (void *)(f.udp + 1);
    f.rest = (void *)(f.kv + 1);
    return f;
}

/* Adds the halves of a word: what the Internet checksum does, with the carries kept above. */
static __always_inline __u64 add(__u64 sum, __u64 word)
{
    return sum + (__u32)word + (word >> 32);
}

static __always_inline __u16 fold(__u64 sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return ~sum;
}

static __always_inline __u64 sum_ip(const struct iphdr *ip)
{
    const __u32 *words = (const __u32 *)ip;
    return (__u64)words[0] + words[1] + words[2] + words[3] + words[4];
}

/* Of the pseudo header (RFC 768), but for the length. */
static __always_inline __u64 sum_pseudo(const struct iphdr *ip)
{
    return (__u64)ip->saddr + ip->daddr + bpf_htons(IPPROTO_UDP);
}

/* Of UDP's header and kv's. */
static __always_inline __u64 sum_headers(const struct frame *f)
{
    const __u64 *words = (const __u64 *)f->udp;
    return add(add(add(0, words[0]), words[1]), words[2]);
}

/* Reads the key of a whole GET with right sums: its words, or 0. */
static __always_inline __u32 read_key(struct frame *f, void *end, struct key *key)
{
    __u32 size = f->kv->key_size, words = (size + 7) / 8;
    __u16 length = sizeof *f->udp + sizeof *f->kv + words * 8;
    const __u64 *from = f->rest;
    __u64 sum = sum_pseudo(f->ip) + bpf_htons(length), last = 0;

    if (size < 1 || size > KV_KEY_MAX || f->kv->value_size || f->kv->status || f->kv->reserved)
        return 0;
    if (f->udp->len != bpf_htons(length) || f->ip->tot_len != bpf_htons(sizeof *f->ip + length) ||
        fold(sum_ip(f->ip)))
        return 0;
    sum += sum_headers(f);
#pragma unroll
    for (__u32 i = 0; i < KV_KEY_WORDS; i++) {
        if (i < words) {
            if ((void *)(from + i + 1) > end)
                return 0;
            key->words[i] = last = from[i];
            sum = add(sum, last);
        }
    }
    if (f->udp->check && fold(sum))
        return 0;
    return size % 8 && last >> size % 8 * 8 ? 0 : words;
}

/* The key's entry, with *sequence. *busy: the application is writing where it may be. */
static __always_inline struct kv_entry *find(const struct key *key, __u32 size, __u64 *sequence,
                                             int *busy)
{
    __u32 hash = kv_hash((const unsigned long long *)key->words, seed);

    for (__u32 i = 0; i < KV_NEAR; i++) {
        __u32 place = kv_place(hash, i);
        volatile struct kv_entry *e = bpf_map_lookup_elem(&table, &place);
        if (!e)
            break;
        *sequence = e->sequence;
        if (*sequence & 1) {
            *busy = 1;
            break;
        }
        if (e->hash == hash && e->key_size == size && e->key[0] == key->words[0] &&
            e->key[1] == key->words[1] && e->key[2] == key->words[2] && e->key[3] == key->words[3])
            return (struct kv_entry *)e;
    }
    return 0;
}

static __always_inline void turn_round(struct frame *f)
{
    __u16 *to = (__u16 *)f->eth->h_dest, *from = (__u16 *)f->eth->h_source;
    __u16 port = f->udp->source;
    __be32 address = f->ip->saddr;

    for (int i = 0; i < 3; i++) {
        __u16 half = to[i];
        to[i] = from[i];
        from[i] = half;
    }
    f->ip->saddr = f->ip->daddr;
    f->ip->daddr = address;
    f->udp->source = f->udp->dest;
    f->udp->dest = port;
}

/* Back to who asked, with a value of size bytes, which is in place, and whose sum is `sum`. */
static __always_inline int answer(struct xdp_md *ctx, enum kv_status status, __u32 version,
                                  __u32 size, __u64 sum)
{
    struct frame f = frame_at((void *)(long)ctx->data);
    __u16 length = sizeof *f.udp + sizeof *f.kv + size;

    if ((void *)f.rest > (void *)(long)ctx->data_end)
        return XDP_DROP;
    turn_round(&f);
    f.kv->operation = KV_GET | KV_ANSWER;
    f.kv->status = status;
    f.kv->version = bpf_htonl(version);
    f.kv->value_size = bpf_htons(size);
    f.kv->key_size = 0;
    f.ip->tot_len = bpf_htons(sizeof *f.ip + length);
    f.ip->ttl = 64;
    f.ip->check = 0;
    f.ip->check = fold(sum_ip(f.ip));
    f.udp->len = bpf_htons(length);
    f.udp->check = 0;
    sum = fold(sum + sum_pseudo(f.ip) + bpf_htons(length) + sum_headers(&f));
    f.udp->check = sum ? sum : 0xffff; /* 0 would say that there is none */
    return XDP_TX;
}

/* The frame grows to hold the value, and shrinks never: what is behind the datagram is padding. */
static __always_inline int answer_value(struct xdp_md *ctx, volatile struct kv_entry *e,
                                        __u64 sequence)
{
    __u32 size = e->value_size, words = (size + 7) / 8;
    long grow = (long)HEADERS + words * 8 - ((long)ctx->data_end - (long)ctx->data);

    if (size > KV_VALUE_MAX || (grow > 0 && bpf_xdp_adjust_tail(ctx, grow)))
        return XDP_PASS;
    struct frame f = frame_at((void *)(long)ctx->data);
    void *end = (void *)(long)ctx->data_end;
    for (__u32 i = 0; i < KV_VALUE_MAX / 8; i++) {
        __u32 at = i; /* an index, not a pointer that moves on: so its bounds are proved */
        __asm__ volatile("" : "+r"(at));
        if (at >= words || at >= KV_VALUE_MAX / 8 || (void *)(f.rest + i + 1) > end)
            break;
        f.rest[i] = e->value[at];
    }
    int verdict = answer(ctx, KV_OK, e->version, size, e->sum);
    return e->sequence == sequence ? verdict : XDP_DROP;
}

SEC("xdp")
int kv_get(struct xdp_md *ctx)
{
    struct frame f = frame_at((void *)(long)ctx->data);
    void *end = (void *)(long)ctx->data_end;
    struct key key = {0};
    __u64 sequence = 0;
    int busy = 0;

    if ((void *)f.rest > end || f.ip->version != 4 || f.ip->ihl != 5)
        return XDP_PASS;
    if (f.kv->magic != bpf_htons(KV_MAGIC) || f.kv->operation != KV_GET)
        return XDP_PASS;
    if (!read_key(&f, end, &key))
        return XDP_PASS;
    struct kv_entry *e = find(&key, f.kv->key_size, &sequence, &busy);
    if (busy)
        return XDP_PASS;
    if (e)
        return answer_value(ctx, e, sequence);
    return answer(ctx, KV_NOT_FOUND, 0, 0, 0);
}

char _license[] SEC("license") = "Dual MIT/GPL";
