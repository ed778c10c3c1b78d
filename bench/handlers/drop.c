/* The shortest handler: what running it costs is what running any costs. */
#include <linux/bpf.h>

#define SECTION(name) __attribute__((section(name), used))

SECTION("xdp") int drop(struct xdp_md *context)
{
    (void)context;
    return XDP_DROP;
}

SECTION("license") const char license_text[] = "GPL";
