/*
 * The interface between Aegis and its applications: numbers, limits and layouts.
 *
 * Everything that both sides must agree on is here or in the .def tables beside it; neither side
 * includes a header of the other. Layouts are little-endian, as the machine is; sizes are asserted.
 */
#ifndef AEGIS_ABI_ABI_H
#define AEGIS_ABI_ABI_H

#include <stddef.h>
#include <stdint.h>

#include "abi/call_numbers.h"

#define AEGIS_ABI_VERSION 1

/* Errors: AEGIS_E_name, returned negated in a0. */
enum aegis_error {
#define AEGIS_ERROR(name, value, sentence, remedy) AEGIS_E_##name = value,
#include "errors.def"
#undef AEGIS_ERROR
};

/* Numbers of system calls: AEGIS_CALL_name. */
enum aegis_call {
#define AEGIS_CALL0(number, name, ...) AEGIS_CALL_##name = number,
#define AEGIS_CALL1                    AEGIS_CALL0
#define AEGIS_CALL2                    AEGIS_CALL0
#define AEGIS_CALL3                    AEGIS_CALL0
#define AEGIS_CALL4                    AEGIS_CALL0
#define AEGIS_CALL5                    AEGIS_CALL0
#include "calls.def"
#undef AEGIS_CALL0
#undef AEGIS_CALL1
#undef AEGIS_CALL2
#undef AEGIS_CALL3
#undef AEGIS_CALL4
#undef AEGIS_CALL5
};

#define AEGIS_PAGE_SIZE 4096
#define AEGIS_ANY       UINT64_MAX /* for page_alloc: whichever page is free */

/* What one call takes at most: bounds the time with interrupts off. */
#define AEGIS_LOG_MAX     1024 /* bytes that log prints */
#define AEGIS_ENTROPY_MAX 256  /* bytes that entropy fills */
#define AEGIS_CONSOLE_MAX 4096 /* bytes that console_read and console_write move */
#define AEGIS_MAP_MAX     512  /* pages that protect and unmap take */

/*
 * An application's address space (Sv39, lower half):
 *
 *   0x0000000000  never mapped by convention, so that null faults
 *   0x0000010000  programs are linked here
 *        ...      the library's to arrange
 *   0x3f7ffff000  stacks grow down from here by convention
 *   0x3f80000000  exposed pages, 1 GiB, read-only, the same in each environment
 *   0x3fc0000000  the linear window on one's own PTEs (reserved)
 *   0x4000000000  end
 */
#define AEGIS_PROGRAM_BASE 0x10000UL
#define AEGIS_STACK_TOP    0x3f7ffff000UL
#define AEGIS_EXPOSED_BASE 0x3f80000000UL
#define AEGIS_USER_END     0x4000000000UL

/* Protection of a mapping; WRITE needs READ. */
#define AEGIS_PROT_READ  1
#define AEGIS_PROT_WRITE 2
#define AEGIS_PROT_EXEC  4

enum aegis_page_state {
    AEGIS_PAGE_FREE,
    AEGIS_PAGE_KERNEL, /* firmware, the kernel, its tables, the initial RAM disk */
    AEGIS_PAGE_DATA,
    AEGIS_PAGE_PTABLE,
    AEGIS_PAGE_ENV,
    AEGIS_PAGE_CODE,
    AEGIS_PAGE_RING,
    AEGIS_PAGE_WINDOW,
};

/*
 * One physical page, exposed as an array indexed by ppn - info.first_ppn. Written by the kernel
 * only. References to pages and PTEs inside are indices relative to first_ppn; 0xffffffff is none.
 */
struct aegis_page {
    uint32_t owner; /* environment number; 0 is the kernel or nobody */
    uint8_t state;  /* enum aegis_page_state */
    uint8_t reserved;
    uint16_t pins;    /* devices and the kernel that use it as it is */
    uint32_t refs;    /* PTEs that map it */
    uint32_t writers; /* of those, writable ones */
    uint32_t links;   /* first PTE that maps it: page index of the table << 9 | slot */
    uint32_t next;    /* the owner's list of pages; for FREE pages, the free list */
    uint32_t previous;
    uint32_t last;       /* serial of the environment whose bytes it still holds, 0 if cleared */
    uint64_t generation; /* of capabilities for it; never reset */
};
_Static_assert(sizeof(struct aegis_page) == 40, "layout");

enum aegis_env_state {
    AEGIS_ENV_NONE,
    AEGIS_ENV_CREATED, /* owned and filled by its creator, not yet started */
    AEGIS_ENV_LIVE,
    AEGIS_ENV_ENDING, /* its resources are being taken back, in its own slots */
    AEGIS_ENV_ENDED,  /* the exit record stays until its owner calls env_free */
};

enum aegis_exit_reason {
    AEGIS_EXIT_NONE,
    AEGIS_EXIT_STATUS,    /* env_end on itself; value is the status */
    AEGIS_EXIT_KILLED,    /* env_end by its owner; value is the status given */
    AEGIS_EXIT_EXCEPTION, /* no handler bound, or none reachable; value is scause */
    AEGIS_EXIT_DEPTH,     /* exceptions nested beyond the frames, or a depth word out of range */
};

#define AEGIS_NAME_SIZE 16

/* One environment, exposed as an array indexed by its number; number 0 is nobody. */
struct aegis_env_info {
    uint32_t serial;     /* counts environments since boot: tells a number's uses apart */
    uint32_t owner;      /* environment that may start, end and free it */
    uint8_t state;       /* enum aegis_env_state */
    uint8_t exit_reason; /* enum aegis_exit_reason */
    uint16_t reserved;
    uint32_t pages; /* pages that it owns */
    uint64_t exit_value;
    uint64_t exit_pc;      /* of the exception that ended it */
    uint64_t exit_address; /* stval of that exception */
    uint64_t
        bindings; /* counts net_bind and net_unbind events on it: wait on it to learn of them */
    char name[AEGIS_NAME_SIZE]; /* zero-padded, as its creator gave it */
    uint64_t generation;        /* of capabilities for it */
    uint64_t slices;            /* slices it was given */
    uint64_t ended; /* counts environments that it owns and that came to ENDED: wait on it */
};
_Static_assert(sizeof(struct aegis_env_info) == 88, "layout");

#define AEGIS_SLOTS 64

/* One slot of the slice vector of a hart. */
struct aegis_slot {
    uint32_t env; /* 0 if free */
    uint32_t reserved;
};

#define AEGIS_NETIF_MAX 8

struct aegis_netif_info {
    uint8_t mac[6];
    uint16_t mtu;
    uint32_t root; /* number of its root binding */
    uint32_t reserved;
    uint64_t received;  /* frames from the device */
    uint64_t unclaimed; /* of those, frames that no binding with a ring took */
    uint64_t sent;
};
_Static_assert(sizeof(struct aegis_netif_info) == 40, "layout");

/* One frame binding; counters are elsewhere, in pages of its owner. */
struct aegis_binding_info {
    uint32_t owner;  /* environment that gets the frames; 0 if the slot is free */
    uint32_t binder; /* environment that bound it and may undo it */
    uint32_t parent; /* binding that it is contained in; its own number for a root */
    uint16_t netif;
    uint16_t slots; /* of its ring; 0 without one */
    uint32_t flags; /* AEGIS_BIND_* */
    uint32_t reserved;
    uint64_t generation;
};
_Static_assert(sizeof(struct aegis_binding_info) == 32, "layout");

#define AEGIS_BOOTARGS_SIZE 512

/*
 * The first exposed page, at AEGIS_EXPOSED_BASE. Addresses are in the exposed window.
 */
struct aegis_info {
    uint32_t version;  /* AEGIS_ABI_VERSION */
    uint32_t harts;    /* found, parked ones included */
    uint64_t timebase; /* rdtime ticks a second */
    uint64_t wall;     /* nanoseconds since 1970 at rdtime 0, from the board's RTC; 0 without one */
    uint64_t first_ppn;
    uint64_t page_count;
    uint64_t free_pages;
    uint64_t pages;    /* struct aegis_page [page_count] */
    uint64_t envs;     /* struct aegis_env_info [env_count] */
    uint64_t slots;    /* struct aegis_slot [AEGIS_SLOTS], hart 0 */
    uint64_t bindings; /* struct aegis_binding_info [binding_count] */
    uint64_t initrd;   /* the cpio archive of programs */
    uint64_t initrd_size;
    uint32_t env_count;
    uint32_t binding_count;
    uint32_t netif_count;
    uint32_t slice;            /* length of a slice in ticks */
    uint64_t console_received; /* bytes that wait for console_read */
    uint64_t console_space;    /* counts transmit buffers that came free: wait on it when FULL */
    uint64_t console_pending;  /* transmit buffers that the device still has: 0 before a machine is
                                  ended */
    struct aegis_netif_info netifs[AEGIS_NETIF_MAX];
    char bootargs[AEGIS_BOOTARGS_SIZE]; /* zero-terminated */
};
_Static_assert(sizeof(struct aegis_info) <= AEGIS_PAGE_SIZE, "one page");

/* Resources that capabilities can name: AEGIS_KIND_name. */
enum aegis_kind {
    AEGIS_KIND_NONE,
#define AEGIS_RESOURCE(name, value, ...) AEGIS_KIND_##name = value,
#include "abi/resources.def"
#undef AEGIS_RESOURCE
    AEGIS_KIND_COUNT
};

#define AEGIS_RIGHT_READ     0x0001
#define AEGIS_RIGHT_WRITE    0x0002
#define AEGIS_RIGHT_EXEC     0x0004
#define AEGIS_RIGHT_DELEGATE 0x0010 /* bind inside it */
#define AEGIS_RIGHT_SHARE    0x0020
#define AEGIS_RIGHT_TAP      0x0040
#define AEGIS_RIGHT_MONITOR  0x0080
#define AEGIS_RIGHT_CALL     0x0100
#define AEGIS_RIGHT_CONTROL  0x0200 /* start, end, map into */
#define AEGIS_RIGHTS_ALL     0x03f7

/*
 * A self-authenticating capability: plain bytes that may pass through shared memory. mac is
 * SipHash-2-4, under a key of the kernel's, of the 16 bytes before it.
 */
struct aegis_cap {
    uint64_t name;       /* kind << 56 | rights << 40 | index */
    uint64_t generation; /* the resource's when it was minted */
    uint64_t mac;
};
#define AEGIS_CAP_NAME(kind, rights, index)                                                        \
    ((uint64_t)(kind) << 56 | (uint64_t)(rights) << 40 | (uint64_t)(index))
#define AEGIS_CAP_KIND(name)   ((uint32_t)((name) >> 56))
#define AEGIS_CAP_RIGHTS(name) ((uint32_t)((name) >> 40) & 0xffff)
#define AEGIS_CAP_INDEX(name)  ((name)&0xffffffffffUL)

/* Wake-up predicates: (*word & mask) op value. The word lies in an exposed page or in a page of
 * one's own. */
#define AEGIS_PREDICATES_MAX 4
enum aegis_predicate_op { AEGIS_WAKE_EQ, AEGIS_WAKE_NE, AEGIS_WAKE_GE };
struct aegis_predicate {
    const volatile uint64_t *word; /* 8-byte aligned */
    uint64_t mask;
    uint64_t value;
    uint64_t op; /* enum aegis_predicate_op; GE is unsigned */
};
#define AEGIS_FOREVER UINT64_MAX

/*
 * Exceptions. The kernel stores cause, pc, value and three scratch registers in frames[depth],
 * raises depth and enters the handler with t0 = the frame's address; every other register is as it
 * was. The handler returns without the kernel: it lowers depth, loads the scratch registers and
 * jumps through gp, which libraries keep free for this (docs/concepts.md).
 */
#define AEGIS_UPCALL_FRAMES 4
#define AEGIS_CAUSE_FOREIGN                                                                        \
    8 /* scause of an ecall: a system call below AEGIS_CALL_FIRST, number in a7 */
struct aegis_upcall_frame {
    uint64_t cause; /* scause */
    uint64_t pc;
    uint64_t value; /* stval */
    uint64_t t0, t1, t2;
    uint64_t reserved[2];
};
struct aegis_upcall_page {
    volatile uint64_t depth; /* frames in use; the kernel raises it, the application lowers it */
    uint64_t reserved[7];
    struct aegis_upcall_frame frames[AEGIS_UPCALL_FRAMES];
};

/*
 * A ring of received frames, in the owner's own pages: this header page, then slots of
 * AEGIS_SLOT_SIZE bytes, two a page. Slot i of n holds the frames number i, i + n, ...; frame k is
 * in slot k mod n. The kernel writes head last (release); the owner reads head (acquire), then
 * slots tail .. head - 1.
 */
#define AEGIS_SLOT_SIZE  2048
#define AEGIS_RING_SLOTS 128 /* most slots of a ring; the number is a power of two, at least 2 */
struct aegis_ring {
    volatile uint64_t head;    /* frames put so far; kernel */
    volatile uint64_t dropped; /* frames lost because the ring was full; kernel */
    uint64_t kernel[6];
    volatile uint64_t tail; /* frames taken so far; owner */
    uint64_t owner[7];
};
struct aegis_slot_header {
    uint16_t length; /* of the frame */
    uint16_t flags;  /* AEGIS_FRAME_* */
    uint32_t binding;
    uint64_t time; /* rdtime when the kernel took it from the device */
};
#define AEGIS_SLOT_FRAME     22 /* offset of the frame in its slot: puts IPv4 addresses on 8 bytes */
#define AEGIS_FRAME_MAX      1514
#define AEGIS_FRAME_MODIFIED 1 /* a handler changed it before it was aborted */
#define AEGIS_FRAME_SENT     2 /* in a tap's ring: a frame on its way out */

/* A frame to send; it may cross page boundaries of the caller's space. */
struct aegis_frame_out {
    const void *address;
    uint64_t length; /* 14 to AEGIS_FRAME_MAX */
};
#define AEGIS_SEND_MAX    32  /* frames a call */
#define AEGIS_HEADER_COPY 128 /* bytes that the kernel copies and that the egress filter sees */

/* What net_bind is asked for. Filters are DPF images (dpf/dpf.h). */
struct aegis_net_binding {
    struct aegis_cap parent; /* binding, DELEGATE */
    struct aegis_cap owner;  /* environment that gets the frames, CONTROL; all zero: the caller */
    const void *ingress;
    uint64_t ingress_size;
    const void *egress;
    uint64_t egress_size;
    uint64_t flags; /* AEGIS_BIND_* */
};
/*
 * A tap: copies of the frames that its filter takes, received and sent, whoever owns them. parent
 * needs the right TAP instead of DELEGATE; there is no egress filter (size 0), and overlap doesn't
 * matter.
 */
#define AEGIS_BIND_TAP   1
#define AEGIS_TAPS_MAX   64    /* of one interface */
#define AEGIS_FILTER_MAX 65536 /* bytes of one filter image */

/*
 * What handler_load is asked for. image is what ashc writes (ash/ash.h). maps is memory of the
 * caller's for the handler's maps, filled with their initial contents: whole pages, mapped
 * writable, consecutive in physical memory too; each map begins on a page, in the order of the
 * image. The pages stay the caller's, state WINDOW and pinned, until handler_unload.
 */
struct aegis_handler_request {
    const void *image;
    uint64_t image_size;
    void *maps; /* page-aligned; NULL if the image has none */
    uint64_t maps_size;
    uint64_t fuel; /* limit of one run, up to AEGIS_FUEL_MAX; 0: AEGIS_FUEL_DEFAULT */
    char *message; /* AEGIS_MESSAGE_SIZE bytes for what is wrong with the program, or NULL */
};
#define AEGIS_HANDLER_MAX  (1UL << 18) /* bytes of one image */
#define AEGIS_FUEL_DEFAULT 4096
#define AEGIS_FUEL_MAX     65536
#define AEGIS_STRIKES      16 /* aborted runs after which a handler is unbound */
#define AEGIS_MESSAGE_SIZE 128

#define AEGIS_VERDICTS   4 /* ABORTED, DROP, PASS, TX: XDP's numbers */
#define AEGIS_NO_BINDING UINT32_MAX

/* What handler_status tells. */
struct aegis_handler_status {
    uint32_t binding; /* it is bound to, or AEGIS_NO_BINDING */
    uint32_t strikes; /* aborted runs since it was bound */
    uint64_t runs;
    uint64_t fuel; /* that all runs took */
    uint64_t verdicts[AEGIS_VERDICTS];
    uint64_t
        refused; /* of TX: the egress filter refused them, or nothing was free to send them with */
    uint32_t insns; /* BPF instructions */
    uint32_t code;  /* bytes they compiled to */
    uint32_t accesses;
    uint32_t guards;                /* accesses that are checked as they run */
    char abort[AEGIS_MESSAGE_SIZE]; /* where and why the last aborted run ended; zero-terminated */
};

/* What net_counters tells. */
struct aegis_counters {
    uint64_t received; /* frames that the classifier gave to the binding */
    uint64_t dropped;  /* of those, lost because its ring was full or missing */
    uint64_t sent;     /* frames that net_send took */
    uint64_t refused;  /* frames that the egress filter refused */
};

/* What an environment's first instruction finds at a0, if its creator is the kernel. */
struct aegis_start {
    uint64_t env;   /* its number */
    uint64_t upper; /* end of the program's image: first unmapped address */
    uint64_t netif_root[AEGIS_NETIF_MAX];
};

#endif
