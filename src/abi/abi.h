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

#define AEGIS_ABI_MAJOR 1 /* of what calls mean */
#define AEGIS_ABI_VERSION                                                                          \
    (AEGIS_ABI_MAJOR << 24 | AEGIS_ABI_SUM) /* of all this, layouts included */

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

#define AEGIS_PAGE_SIZE 4096       /* bytes */
#define AEGIS_ANY       UINT64_MAX /* for page_alloc: whichever page is free */

/* What one call takes at most: bounds the time with interrupts off. */
#define AEGIS_LOG_MAX     1024 /* bytes that log prints */
#define AEGIS_ENTROPY_MAX 256  /* bytes that entropy fills */
#define AEGIS_CONSOLE_MAX 4096 /* bytes that console_read and console_write move */
#define AEGIS_MAP_MAX     512  /* pages that protect and unmap take */

/*
 * An application's address space (Sv39, lower half). A small program lies, with what it begins with
 * and the upper end of its stack, in the addresses that one table of PTEs serves:
 *
 *   0x0000000000  never mapped by convention, so that null faults
 *   0x0010080000  stacks grow down from here by convention; above, what a program begins with
 *   0x0010100000  programs are linked here
 *        ...      the library's to arrange
 *   0x3f80000000  exposed pages, 1 GiB, read-only, the same in each environment
 *   0x3fc0000000  the linear window on one's own PTEs, read-only, where table_insert made it
 *   0x4000000000  end
 */
#define AEGIS_PROGRAM_BASE 0x10100000UL   /* where programs are linked */
#define AEGIS_STACK_TOP    0x10080000UL   /* where stacks begin, by convention */
#define AEGIS_EXPOSED_BASE 0x3f80000000UL /* struct aegis_info; mappings end below */
#define AEGIS_WINDOW_BASE  0x3fc0000000UL /* the window on one's own PTEs */
#define AEGIS_USER_END     0x4000000000UL /* of an application's addresses */

/* Protection of a mapping; WRITE needs READ. */
#define AEGIS_PROT_READ  1 /* loads */
#define AEGIS_PROT_WRITE 2 /* stores */
#define AEGIS_PROT_EXEC  4 /* instruction fetches */

/* Beside the protection, where a mapping is made: all AEGIS_MEGAPAGE pages from ppn on, as one. */
#define AEGIS_MAP_MEGA 8   /* with a protection: a megapage */
#define AEGIS_MEGAPAGE 512 /* pages of a megapage; its number and its address are aligned to it */

/*
 * Likewise, for a page of the caller's own: whoever has the mapping may hand it on to environments
 * that it owns (map_share), and the page outlives its owner: when that ends, frees the page or
 * loses it by force, an environment that has such a mapping owns it from then on.
 */
#define AEGIS_MAP_INHERIT 16 /* with a protection: the page is inherited */

/* How map_share puts what the caller has mapped into an environment. */
enum aegis_share {
    AEGIS_SHARE_PRIVATE, /* the same page, from now on for neither to write: copy on write */
    AEGIS_SHARE_SHARED,  /* the same page, with the same protection */
    AEGIS_SHARE_COPY,    /* a page of its own with the same bytes and protection */
    AEGIS_SHARE_FRESH,   /* a cleared page of its own with the same protection */
    AEGIS_SHARES,        /* how many ways there are */
};
#define AEGIS_SHARE_PINNED                                                                         \
    (1L << 32) /* in map_share's result: there were pages that are no private ones, being pinned   \
                */
#define AEGIS_SHARE_MAX 256 /* pages that map_share takes */
#define AEGIS_COPY_MAX  16  /* pages that map_share takes with AEGIS_SHARE_COPY or _FRESH */

/*
 * The window on one's own PTEs: the level-0 PTE of va is the word at AEGIS_WINDOW_PTE(va), with the
 * A and D bits that the hardware sets (Privileged Architecture 1.12, section 4.3.1). Where a table
 * is missing the window reads as zero. Applied to an address inside the window the same formula
 * finds the level-1 PTEs, megapages among them. Tables for the window are donated like others, one
 * of level 1 for AEGIS_WINDOW_BASE, then one of level 0 for each GiB of addresses that is to be
 * seen.
 */
#define AEGIS_WINDOW_PTE(va) (AEGIS_WINDOW_BASE + ((uint64_t)(va) >> 12) * 8)
#define AEGIS_PTE_VALID      0x01                         /* the page is mapped */
#define AEGIS_PTE_PROT(pte)  ((uint32_t)((pte) >> 1) & 7) /* AEGIS_PROT_* */
#define AEGIS_PTE_INHERIT    0x200                        /* made with AEGIS_MAP_INHERIT */
#define AEGIS_PTE_ACCESSED   0x40                         /* since the bit was cleared */
#define AEGIS_PTE_DIRTY      0x80                         /* likewise, written to */
#define AEGIS_PTE_PPN(pte)   ((uint64_t)(pte) >> 10 & 0xfffffffffffUL)

/* One change of a mapping, for map_batch. */
enum aegis_map_change {
    AEGIS_MAP_INSERT,  /* as map does */
    AEGIS_MAP_REMOVE,  /* as unmap does */
    AEGIS_MAP_PROTECT, /* as protect does */
    AEGIS_MAP_CLEAN,   /* clears the A and D bits */
};
#define AEGIS_MAP_OPS_MAX   100        /* changes that map_batch takes */
#define AEGIS_MAP_MEGAS_MAX 4          /* of those, insertions and removals of megapages */
#define AEGIS_NO_PAGE       UINT64_MAX /* for table_insert: tables of the window have no links */

/* What a physical page is used for. PTABLE, ENV and CODE are never writable through a PTE. */
enum aegis_page_state {
    AEGIS_PAGE_FREE,   /* nobody's */
    AEGIS_PAGE_KERNEL, /* firmware, the kernel, its tables, the initial RAM disk */
    AEGIS_PAGE_DATA,   /* its owner's memory */
    AEGIS_PAGE_PTABLE, /* a page table, or its reverse links */
    AEGIS_PAGE_ENV,    /* an environment's state */
    AEGIS_PAGE_CODE,   /* of the arena of generated code */
    AEGIS_PAGE_RING,   /* its owner's, pinned: frames are put there */
    AEGIS_PAGE_WINDOW, /* its owner's, pinned: a handler's map */
};

/* struct aegis_page.level of a page that came to its owner while others could have inherited it: */
#define AEGIS_PAGE_INHERITED 0x40 /* its owner can't sever the mappings of those others */
#define AEGIS_PAGE_BOUND     0x80 /* nor write to it: map_own gives a copy */

enum aegis_env_state {
    AEGIS_ENV_NONE,    /* the number is free */
    AEGIS_ENV_CREATED, /* owned and filled by its creator, not yet started */
    AEGIS_ENV_LIVE,    /* runs when a slot of its comes up */
    AEGIS_ENV_ENDING,  /* its resources are being taken back, in its own slots */
    AEGIS_ENV_ENDED,   /* the exit record stays until its owner calls env_free */
};

enum aegis_exit_reason {
    AEGIS_EXIT_NONE,      /* it hasn't ended */
    AEGIS_EXIT_STATUS,    /* env_end on itself; value is the status */
    AEGIS_EXIT_KILLED,    /* env_end by its owner; value is the status given */
    AEGIS_EXIT_EXCEPTION, /* no handler bound, or none reachable; value is scause */
    AEGIS_EXIT_DEPTH,     /* exceptions nested beyond the frames, or a depth word out of range */
    AEGIS_EXIT_OVERRUN, /* epilogues that would not end, one slice after the other; value: how many
                         */
};

/* Sizes of what is exposed. */
#define AEGIS_NAME_SIZE     16  /* bytes of an environment's name */
#define AEGIS_SLOTS         64  /* of the slice vector of a hart */
#define AEGIS_NETIF_MAX     8   /* network devices */
#define AEGIS_NETIFS        9   /* interfaces: theirs, and the loop interface */
#define AEGIS_BOOTARGS_SIZE 512 /* bytes, the final zero included */

/* Resources that capabilities can name: AEGIS_KIND_name. */
enum aegis_kind {
    AEGIS_KIND_NONE,
#define AEGIS_RESOURCE(name, value, ...) AEGIS_KIND_##name = value,
#include "abi/resources.def"
#undef AEGIS_RESOURCE
    AEGIS_KIND_COUNT
};

#define AEGIS_RIGHT_NONE     0      /* no capability for it is of use */
#define AEGIS_RIGHT_READ     0x0001 /* map it readable */
#define AEGIS_RIGHT_WRITE    0x0002 /* map it writable */
#define AEGIS_RIGHT_EXEC     0x0004 /* map it executable */
#define AEGIS_RIGHT_DELEGATE 0x0010 /* bind inside it */
#define AEGIS_RIGHT_SHARE    0x0020 /* bind inside it, for copies of what is received */
#define AEGIS_RIGHT_TAP      0x0040 /* copy what passes through its interface */
#define AEGIS_RIGHT_MONITOR  0x0080 /* read its counters */
#define AEGIS_RIGHT_CALL     0x0100 /* enter it through a gate */
#define AEGIS_RIGHT_CONTROL  0x0200 /* start, end, map into */
#define AEGIS_RIGHTS_ALL     0x03f7 /* of any kind */

/* What accounts count. */
enum aegis_quota {
    AEGIS_QUOTA_PAGES,    /* pages, in whatever state */
    AEGIS_QUOTA_SLOTS,    /* slots of the slice vector */
    AEGIS_QUOTA_ENVS,     /* environment numbers, those of exit records too */
    AEGIS_QUOTA_BINDINGS, /* frame bindings and taps */
    AEGIS_QUOTA_HANDLERS, /* downloaded handlers */
    AEGIS_QUOTA_BLOCKS,   /* blocks of extents that lie directly in a disk's root */
    AEGIS_QUOTA_ARENA,    /* bytes of handlers and filters */
    AEGIS_QUOTA_CODE,     /* bytes of the code that handlers and egress filters are compiled to */
    AEGIS_QUOTAS,         /* how many kinds there are */
};

/* How cap_revoke does it. */
enum aegis_revoke {
    AEGIS_REVOKE_STALE, /* no new binding can be made with what was minted so far */
    AEGIS_REVOKE_SEVER, /* and those that were made are undone */
};
/* struct aegis_cap.name */
#define AEGIS_CAP_NAME(kind, rights, index)                                                        \
    ((uint64_t)(kind) << 56 | (uint64_t)(rights) << 40 | (uint64_t)(index))
#define AEGIS_CAP_KIND(name)   ((uint32_t)((name) >> 56))
#define AEGIS_CAP_RIGHTS(name) ((uint32_t)((name) >> 40) & 0xffff)
#define AEGIS_CAP_INDEX(name)  ((name)&0xffffffffffUL)

/*
 * Call gates. gate_call and gate_return leave all registers but t0 as they are: they are the
 * message, sp and tp among them, and who is entered sets its own.
 */
#define AEGIS_SEND_WORDS 4 /* of a message of gate_send, in a0 to a3 */

/* Wake-up predicates. */
#define AEGIS_PREDICATES_MAX 4          /* that one wait takes */
#define AEGIS_FOREVER        UINT64_MAX /* for wait: no deadline */
enum aegis_predicate_op {
    AEGIS_WAKE_EQ, /* equal */
    AEGIS_WAKE_NE, /* not equal */
    AEGIS_WAKE_GE, /* at least, unsigned */
};

/*
 * Exceptions. The kernel stores cause, pc, value and three scratch registers in frames[depth],
 * raises depth and enters the handler with t0 = the frame's address; t1 and t2 may hold anything,
 * every other register is as it was. The handler returns without the kernel: it lowers depth, loads
 * the scratch registers and jumps through gp, which libraries keep free for this
 * (docs/concepts.md).
 */
#define AEGIS_UPCALL_FRAMES   4   /* exceptions under way, at most */
#define AEGIS_REPOSSESSED_MAX 255 /* entries of a repossession page */
#define AEGIS_CAUSE_FOREIGN   8   /* scause of a system call below AEGIS_CALL_FIRST, number in a7 */

/*
 * An upcall that is no exception may come between any two instructions, gp in use or not, so it
 * ends by the call resume; until then no other comes. It takes the frame above the one that depth
 * names, since that may still be read (libos/upcall/entry.S).
 */
#define AEGIS_CAUSE_ASYNCHRONOUS (1UL << 63) /* set in cause of an upcall that is no exception */
#define AEGIS_CAUSE_REVOKE       0x8000000000000001UL /* give up; value: kind << 32 | how many */
#define AEGIS_REVOKE_SLICES      4 /* the deadline of a revocation, in slices of its owner's */
#define AEGIS_REVOKE_SECONDS     1 /* and in time, whoever runs */

/*
 * The epilogue, an upcall at the end of a slice (slice_bind): it keeps what it wants kept and
 * yields, within info.epilogue ticks. The next slice begins in the prologue, with a0 = the frame's
 * address, and sp, gp and tp as they were at that yield; or behind the yield, if no prologue is
 * bound. Either way goes on by the call resume.
 */
#define AEGIS_CAUSE_SLICE     0x8000000000000002UL /* the slice is over; value: 0 */
#define AEGIS_OVERRUNS_MAX    8          /* epilogues in a row that don't yield in time, */
#define AEGIS_OVERRUN_SECONDS 1          /* over at least this time, end an environment */
#define AEGIS_DEBT_SLICES_MAX 4          /* slices of debt that an environment can come to */
#define AEGIS_SLOT_ANY        UINT32_MAX /* for slice_alloc: whichever slot is free */

/* Frames in, and out. */
#define AEGIS_SLOT_SIZE  2048 /* bytes of a ring's slot */
#define AEGIS_RING_SLOTS 128  /* most slots of a ring */
#define AEGIS_SLOT_SENDER                                                                          \
    16 /* offset in a slot of the loop interface's: uint32_t, environment that sent the frame */
#define AEGIS_SLOT_FRAME     22 /* offset of the frame in its slot: puts IPv4 addresses on 8 bytes */
#define AEGIS_FRAME_MAX      1514 /* bytes */
#define AEGIS_FRAME_MODIFIED 1    /* flag: a handler changed it before it was aborted */
#define AEGIS_FRAME_SENT     2    /* flag: in a tap's ring, a frame on its way out */
#define AEGIS_SEND_MAX       32   /* frames a call */
#define AEGIS_HEADER_COPY    128  /* bytes that the kernel copies and that the egress filter sees */

/*
 * A tap: copies of the frames that its filter takes, received and sent, whoever owns them. parent
 * needs the right TAP instead of DELEGATE; there is no egress filter (size 0), and overlap doesn't
 * matter. A sharer: copies of received frames alone. parent is the binding whose frames are shared,
 * and needs the right SHARE; when that is undone, so is who shares it.
 */
#define AEGIS_BIND_TAP   1     /* flag of net_bind */
#define AEGIS_BIND_SHARE 2     /* flag of net_bind, without AEGIS_BIND_TAP */
#define AEGIS_TAPS_MAX   64    /* of one interface, sharers included */
#define AEGIS_FILTER_MAX 65536 /* bytes of one filter image */

/* Disks and extents. */
#define AEGIS_DISKS_MAX  8    /* disks; more are left alone */
#define AEGIS_DISK_BLOCK 4096 /* bytes of a block: what extents are counted in, on any disk */
#define AEGIS_DISK_SECTOR                                                                          \
    512                        /* bytes: addresses and lengths of a request's memory are multiples \
                                */
#define AEGIS_DISK_PAGES    32 /* pages' worth of memory in a request; info's pieces may say less */
#define AEGIS_DISK_SUBMIT   8  /* requests a call */
#define AEGIS_DISK_DEPTH    64 /* requests that an environment has under way, on all disks */
#define AEGIS_DISK_BINDINGS 32 /* extents that an environment has bound */
#define AEGIS_DISK_RING     248 /* entries of a ring of completions */
#define AEGIS_DISK_SECONDS  30  /* until a request's answer is waited for no longer */
#define AEGIS_SECRET_SIZE   16  /* bytes of an extent's secret, and of its label */

/* struct aegis_disk_info.flags */
#define AEGIS_DISK_READ_ONLY 0x01 /* the device takes no writes */
#define AEGIS_DISK_CACHE     0x02 /* what is written is lost with the power before a FLUSH */
#define AEGIS_DISK_DISCARDS  0x04 /* DISCARD is offered */
#define AEGIS_DISK_ZEROES    0x08 /* ZERO is offered */
#define AEGIS_DISK_TABLE     0x10 /* extents can be made on it: aegisctl disk init has */
#define AEGIS_DISK_DAMAGED   0x20 /* its table can't be read: nobody gets at the disk */
#define AEGIS_DISK_CHANGING  0x40 /* a change of its table is on its way */

/* What a request asks for. */
enum aegis_disk_op {
    AEGIS_DISK_READ,    /* from the extent into memory */
    AEGIS_DISK_WRITE,   /* from memory into the extent */
    AEGIS_DISK_FLUSH,   /* what was written, and is completed, is to outlast the power; no memory */
    AEGIS_DISK_DISCARD, /* what length bytes hold matters no more; no memory */
    AEGIS_DISK_ZERO,    /* length bytes are to be zero; no memory */
    AEGIS_DISK_OPS,     /* how many there are */
};

enum aegis_extent_state {
    AEGIS_EXTENT_NONE,     /* the number is free */
    AEGIS_EXTENT_MAKING,   /* it is not on the disk yet, and takes no requests */
    AEGIS_EXTENT_READY,    /* requests go to it */
    AEGIS_EXTENT_CHANGING, /* its new size is not on the disk yet; no requests */
    AEGIS_EXTENT_ENDING,   /* that it is freed is not on the disk yet; no requests */
};
#define AEGIS_EXTENT_READ_ONLY 2 /* flag: nobody writes its blocks, nor changes what is inside */
#define AEGIS_EXTENT_SEALED    4 /* flag: has a secret, by which its owner claims it anew */
#define AEGIS_NO_EXTENT        UINT32_MAX /* none */

/* How extent_free does it. */
enum aegis_extent_free {
    AEGIS_EXTENT_FORGET, /* it belongs to nobody until its secret is shown; its blocks keep their
                            data */
    AEGIS_EXTENT_RETURN, /* its blocks are its parent's again, with what they hold */
};

/* Handlers. */
#define AEGIS_HANDLER_MAX  (1UL << 18) /* bytes of one image */
#define AEGIS_FUEL_DEFAULT 4096        /* BPF instructions a run */
#define AEGIS_FUEL_MAX     65536       /* that an owner may ask for */
#define AEGIS_STRIKES      16          /* aborted runs after which a handler is unbound */
#define AEGIS_MESSAGE_SIZE 128         /* bytes of a message about a handler */
#define AEGIS_VERDICTS     4           /* ABORTED, DROP, PASS, TX: XDP's numbers */
#define AEGIS_NO_BINDING   UINT32_MAX  /* a handler is bound to nothing */

/* The debugger's interface. */
#define AEGIS_EPITAPH_MAGIC 0x4850415449504541 /* "AEPITAPH" in memory */
#define AEGIS_POST_MAGIC    0x54534f5053494741 /* "AGISPOST" in memory */
#define AEGIS_EPITAPH_TRACE 24                 /* return addresses that an epitaph holds */
#define AEGIS_TRACE_OPEN    INT64_MIN          /* the call didn't come back, or not yet */
enum aegis_code_kind {
    AEGIS_CODE_CLASSIFIER, /* an interface's: which binding gets a frame */
    AEGIS_CODE_EGRESS,     /* a binding's: what it may send */
    AEGIS_CODE_HANDLER,    /* a handler */
};
#define AEGIS_CODE_KINDS 3 /* of enum aegis_code_kind */
enum aegis_trace_kind {
    AEGIS_TRACE_CALL,      /* a system call */
    AEGIS_TRACE_EXCEPTION, /* an exception */
};

/* struct aegis_page, aegis_info, ...: made from layouts.def, and held to the offsets there. */
#define AEGIS_LAYOUT(layout, size, about)                       struct aegis_##layout {
#define AEGIS_FIELD(layout, offset, type, member, about)        type member;
#define AEGIS_ARRAY(layout, offset, type, member, count, about) type member[count];
#define AEGIS_END(layout)                                                                          \
    }                                                                                              \
    ;
#include "abi/layouts.def"
#undef AEGIS_LAYOUT
#undef AEGIS_FIELD
#undef AEGIS_ARRAY
#undef AEGIS_END

#define AEGIS_LAYOUT(layout, size, about)                                                          \
    _Static_assert(sizeof(struct aegis_##layout) == (size), "size of " #layout);
#define AEGIS_FIELD(layout, offset, type, member, about)                                           \
    _Static_assert(offsetof(struct aegis_##layout, member) == (offset), #layout "." #member);
#define AEGIS_ARRAY(layout, offset, type, member, count, about)                                    \
    AEGIS_FIELD(layout, offset, type, member, about)
#define AEGIS_END(layout)
#include "abi/layouts.def"
#undef AEGIS_LAYOUT
#undef AEGIS_FIELD
#undef AEGIS_ARRAY
#undef AEGIS_END
_Static_assert(sizeof(struct aegis_info) <= AEGIS_PAGE_SIZE, "one page");

/* A number that changes when a member comes, goes, moves or changes its size: nobody has to think
 * of it. */
#define AEGIS_LAYOUT(layout, size, about) +(size) * sizeof(#layout)
#define AEGIS_FIELD(layout, offset, type, member, about)                                           \
    +((offset) + 1) * (sizeof(type) * 64 + sizeof(#member)) * sizeof(#layout)
#define AEGIS_ARRAY(layout, offset, type, member, count, about)                                    \
    +((offset) + 1) * (sizeof(type) * 64 + (count)*4096 + sizeof(#member)) * sizeof(#layout)
#define AEGIS_END(layout)
enum {
    AEGIS_ABI_SUM = (0
#include "abi/layouts.def"
                     ) &
                    0xffffff
};
#undef AEGIS_LAYOUT
#undef AEGIS_FIELD
#undef AEGIS_ARRAY
#undef AEGIS_END

#endif
