"""
Figures of peers that no package manager can fetch, measured once on this platform (QEMU 7.2, icount) and marked as
recorded wherever they appear: seL4 with its fast path, and xv6-riscv. Nothing in the project can make them again.
"""

FIGURES = (
    # group, row, system, value, what it stands for
    ("kernel", "null_syscall", "sel4", 472, "seL4_Yield"),
    ("kernel", "null_syscall", "xv6", 1130, "getpid"),
    ("kernel", "pct_roundtrip", "sel4", 719, "call and reply, fast path"),
    ("ipc", "pipe_roundtrip", "xv6", 95790, "1 byte, two processes"),
    ("ipc", "lrpc_trusting", "sel4", 719, "call and reply, fast path"),
    ("ipc", "lrpc_untrusting", "sel4", 719, "call and reply, fast path"),
    ("vm", "demand_zero", "xv6", 25580, "first touch of a page"),
    ("proc", "fork_exit_wait", "xv6", 610370, "small program"),
    ("proc", "spawn_exit_wait", "xv6", 1882030, "fork, exec and wait"),
)


def add(results, groups):
    for group, row, system, value, note in FIGURES:
        if group in groups:
            results.add(group, row, system, value, recorded=True, note=note)
