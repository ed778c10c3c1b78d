"""Rows of group net over TCP that aren't echoes: pages by HTTP, and streams of bytes."""

import time
from contextlib import ExitStack

from . import aegis, client, stats, systems
from .linux import PeerMissing
from .results import AEGIS
from .systems import BULK, LINUX, LINUX_BULK, LINUX_WEB, WEB

SETTLE = 2.0  # seconds after Linux is ready: its start-up work ends
PATH = "/" + systems.PAGE[0]
SIZE = len(systems.PAGE[1])
CONNECTIONS = 16


def get_pages(context, machine, count, **more):
    return client.http(context.host("bench/bench-client"), machine, count, PATH, SIZE, CONNECTIONS, **more)


def in_turn(context, names, rounds, measure):
    """
    What measure(machine) gave of each system in each round, by name. All machines run at once; the order turns from
    round to round.
    """
    values = {n: [] for n in names}
    with ExitStack() as stack:
        machines = {}
        for name in names:
            context.say(f"net: starting {systems.TRANSFER_LABELS[name]}")
            machines[name] = stack.enter_context(systems.TRANSFERS[name](context, None))
        time.sleep(SETTLE)
        for name in names:
            measure(machines[name])  # the first is slower: the emulator translates
        for i in range(rounds):
            for name in names[i % len(names):] + names[:i % len(names)]:
                values[name].append(measure(machines[name]))
    return values


def add(context, row, system, values):
    middle, low, high = stats.spread(values)
    context.results.add("net", row, system, middle, low=low, high=high, samples=len(values))


def add_ratio(context, row, ours, theirs):
    ratio, low, high = stats.pairwise(ours, theirs)
    context.results.add("net", row, AEGIS, ratio, low=low, high=high, samples=len(ours))


def count_pages(context, name):
    """Instructions a request: of a run, less what an idle run of the same length costs."""
    count = 400 if context.quick else 4000
    context.say(f"net: counting the instructions of {systems.TRANSFER_LABELS[name]}")
    with systems.TRANSFERS[name](context, context.host("bench/libcount.so")) as machine:
        time.sleep(SETTLE if name == LINUX_WEB else 0)
        get_pages(context, machine, count, counted=True)
        got = get_pages(context, machine, count, counted=True)
        before = machine.counter().read()
        time.sleep(got["duration_ns"] / 1e9)
        return (got["total_insn"] - (machine.counter().read() - before)) / count


def time_pages(context, names):
    rounds, count = (5, 400) if context.quick else (15, 2000)

    def rate(machine):
        got = get_pages(context, machine, count)
        return got["received"] / got["duration_ns"] * 1e9

    context.say(f"net: {rounds} rounds of {count} pages over {CONNECTIONS} connections")
    return in_turn(context, names, rounds, rate)


def time_streams(context, names):
    """Megabytes a second, by name of the system, inward and outward."""
    rounds, size = (5, 4 << 20) if context.quick else (15, 16 << 20)

    def rates(machine):
        program = context.host("bench/bench-client")
        return [size / client.bulk(program, machine, inward, size)["duration_ns"] * 1e3 for inward in (True, False)]

    context.say(f"net: {rounds} rounds of streams of {size >> 20} MiB")
    return in_turn(context, names, rounds, rates)


def measure_pages(context, names):
    results = context.results
    for name in names:
        results.add("net", "http_request", AEGIS if name == WEB else LINUX, count_pages(context, name))
    if LINUX_WEB not in names:
        results.add("net", "http_rps_vs_nginx", AEGIS, None, note="no peer")
        return
    rates = time_pages(context, names)
    add(context, "http_rps", AEGIS, rates[WEB])
    add(context, "http_rps", LINUX, rates[LINUX_WEB])
    add_ratio(context, "http_rps_vs_nginx", rates[WEB], rates[LINUX_WEB])


def measure_streams(context):
    rates = time_streams(context, [BULK, LINUX_BULK])
    for way, row in enumerate(("tcp_bulk_in", "tcp_bulk_out")):
        ours, theirs = ([r[way] for r in rates[name]] for name in (BULK, LINUX_BULK))
        add(context, row, AEGIS, ours)
        add(context, row, LINUX, theirs)
        add_ratio(context, f"{row}_vs_linux", ours, theirs)


def measure(context):
    """What is timed is timed beside Linux; without that, instructions alone are counted."""
    if not aegis.available(context):
        return
    try:
        measure_pages(context, [WEB, *([LINUX_WEB] if context.linux else [])])
    except PeerMissing as error:
        context.say(f"no nginx: {error}")
        measure_pages(context, [WEB])
    if context.linux:
        measure_streams(context)
    else:
        for row in ("tcp_bulk_in_vs_linux", "tcp_bulk_out_vs_linux"):
            context.results.add("net", row, AEGIS, None, note="no peer")
