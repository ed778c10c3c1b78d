"""Group net: UDP round trips from the host, and the guest's instructions an echo."""

import time
from contextlib import ExitStack

from . import aegis, client, keys, stats, systems, transfers
from .results import AEGIS, show
from .systems import HANDLER, LIMIT, LINUX, LINUX_TCP, LINUX_XDP, SOCKETS, STREAMS

SETTLE = 2.0  # seconds after the last machine is ready: start-up work of Linux ends
IDLE_SHORTEST = 1.0  # seconds
WINDOW = 32


class Samples:
    """What the rounds gave of one system."""

    def __init__(self):
        self.medians = []  # of the round trips of each round, us
        self.all = []  # every round trip, us
        self.rates = []  # echoes a second of each round, with WINDOW requests under way


def measure_rounds(context, names):
    """
    Samples of each system. All machines run at once, and each round measures every one of them in turn, in an order
    that turns by one a round: what disturbs a round disturbs all.
    """
    rounds, count, many = (5, 200, 2000) if context.quick else (21, 500, 5000)
    samples = {n: Samples() for n in names}
    program = context.host("bench/bench-client")
    with ExitStack() as stack:
        machines = {}
        for name in names:
            context.say(f"net: starting {systems.LABELS[name]}")
            machines[name] = stack.enter_context(systems.ECHOES[name](context, None))
        time.sleep(SETTLE)
        for i in range(rounds):
            context.say(f"net: round {i + 1} of {rounds}, {count} echoes of each, and {many} in windows of {WINDOW}")
            for name in names[i % len(names):] + names[:i % len(names)]:
                micros = [ns / 1000 for ns in client.echo(program, machines[name], count)["rtt_ns"]]
                samples[name].medians.append(stats.spread(micros)[0])
                samples[name].all += micros
                got = client.echo(program, machines[name], many, window=WINDOW)
                samples[name].rates.append(got["received"] / got["duration_ns"] * 1e9)
    return samples


def count_instructions(context, name):
    """
    (instructions of each echo, instructions an echo less idle). The second counts a whole run from outside, and takes
    off what an idle run of the same length costs.
    """
    count = 100 if context.quick else 1000
    context.say(f"net: counting the instructions of {systems.LABELS[name]}")
    with systems.ECHOES[name](context, context.host("bench/libcount.so")) as machine:
        time.sleep(SETTLE)
        program = context.host("bench/bench-client")
        each = client.echo(program, machine, count, counted=True)["insn"]
        counter = machine.counter()
        start, before = time.monotonic(), counter.read()
        client.echo(program, machine, count, warmup=0)
        time.sleep(max(0.0, IDLE_SHORTEST - (time.monotonic() - start)))
        busy, length = counter.read() - before, time.monotonic() - start
        before = counter.read()
        time.sleep(length)
        idle = counter.read() - before
    return each, (busy - idle) / count


def add_timed(results, name, samples, limit):
    """What was timed of one system, beside the limit's samples of the same rounds."""
    middle, low, high = stats.spread(samples.medians)
    results.add("net", "udp_rtt", name, middle, low=low, high=high, samples=len(samples.all),
                quantiles=stats.quantiles(samples.all))
    middle, low, high = stats.spread(samples.rates)
    results.add("net", "udp_window32", name, middle, low=low, high=high, samples=len(samples.rates))
    add_ratio(results, "udp_rtt_over_limit", name, samples.medians, limit.medians)
    add_ratio(results, "udp_window32_over_limit", name, samples.rates, limit.rates)


def add_ratio(results, row, name, ours, theirs):
    ratio, low, high = stats.pairwise(ours, theirs)
    results.add("net", row, name, ratio, low=low, high=high, samples=len(ours))


def add_ratios(results, samples):
    """The rows with a target: ratios of Aegis-V's two paths."""
    limit = samples[LIMIT]
    if AEGIS in samples:
        add_ratio(results, "udp_rtt_raw_vs_limit", AEGIS, samples[AEGIS].medians, limit.medians)
        add_ratio(results, "udp_window32_vs_limit", AEGIS, samples[AEGIS].rates, limit.rates)
    if SOCKETS in samples and LINUX in samples:
        add_ratio(results, "udp_rtt_sockets_vs_linux", AEGIS, samples[SOCKETS].medians, samples[LINUX].medians)
    if HANDLER in samples:
        add_ratio(results, "udp_rtt_handler_vs_limit", AEGIS, samples[HANDLER].medians, limit.medians)
        if LINUX_XDP in samples:
            add_ratio(results, "udp_rtt_handler_vs_xdp", AEGIS, samples[HANDLER].medians, samples[LINUX_XDP].medians)
        else:
            results.add("net", "udp_rtt_handler_vs_xdp", AEGIS, None, note="no peer")


def add_counted(context, name):
    """Counted once, whichever group asks first; the handler's whole echo is a row of group ash, too."""
    if context.results.get("net", "udp_echo_raw", name) is not None:
        return
    each, less_idle = count_instructions(context, name)
    middle, low, high = stats.spread(each)
    rows = [("net", "udp_echo_raw", name), *([("ash", "udp_echo", AEGIS)] if name == HANDLER else []),
            *([("net", "udp_echo_sockets", AEGIS)] if name == SOCKETS else [])]
    for group, row, system in rows:
        context.results.add(group, row, system, middle, low=low, high=high, samples=len(each))
    context.results.add("net", "udp_echo_less_idle", name, less_idle, samples=len(each))


def count_tcp(context):
    """Echoes of one byte over one connection to an application's stream socket."""
    count = 100 if context.quick else 1000
    context.say(f"net: counting the instructions of {systems.LABELS[STREAMS]}")
    with systems.ECHOES[STREAMS](context, context.host("bench/libcount.so")) as machine:
        time.sleep(SETTLE)
        each = client.echo(context.host("bench/bench-client"), machine, count, size=1, counted=True, tcp=True)["insn"]
    middle, low, high = stats.spread(each)
    context.results.add("net", "tcp_echo_sockets", AEGIS, middle, low=low, high=high, samples=len(each))


def measure_tcp(context):
    """Round trips of one byte over one connection, of the same program by sockets of ExOS and of Linux, in turn."""
    rounds, count = (5, 200) if context.quick else (21, 500)
    names = [STREAMS, LINUX_TCP]
    medians, everything = {n: [] for n in names}, {n: [] for n in names}
    program = context.host("bench/bench-client")
    with ExitStack() as stack:
        machines = {}
        for name in names:
            context.say(f"net: starting {systems.LABELS[name]}")
            machines[name] = stack.enter_context(systems.ECHOES[name](context, None))
        time.sleep(SETTLE)
        for i in range(rounds):
            context.say(f"net: round {i + 1} of {rounds}, {count} echoes of a byte over TCP")
            for name in names[i % 2:] + names[:i % 2]:
                micros = [ns / 1000 for ns in client.echo(program, machines[name], count, size=1, tcp=True)["rtt_ns"]]
                medians[name].append(stats.spread(micros)[0])
                everything[name] += micros
    for name in names:
        middle, low, high = stats.spread(medians[name])
        context.results.add("net", "tcp_rtt", name, middle, low=low, high=high, samples=len(everything[name]),
                            quantiles=stats.quantiles(everything[name]))
    add_ratio(context.results, "tcp_rtt_vs_linux", AEGIS, medians[STREAMS], medians[LINUX_TCP])


def measure(context):
    if aegis.available(context):
        count_tcp(context)
        keys.measure(context)
        if context.linux:
            measure_tcp(context)
        transfers.measure(context)
    names = systems.echo_systems(context)
    samples = measure_rounds(context, names)
    for name in names:
        add_timed(context.results, name, samples[name], samples[LIMIT])
        add_counted(context, name)
    add_ratios(context.results, samples)


def table(results):
    """Header and lines of the table of echoes: a line a system, instructions and median beside each other."""
    header = ["UDP echo, 60 bytes", "insn an echo", "less idle", "median us", "range of medians", "x limit", "echoes/s, window 32"]
    lines = []
    for name, label in systems.LABELS.items():
        if name in (STREAMS, LINUX_TCP):
            continue
        entry = results.values.get(("net", "udp_rtt", name))
        if entry is None or entry["value"] is None:
            lines.append([label, entry["note"] if entry else "not measured", *["-"] * 5])
            continue
        lines.append([label, *(show(results.get("net", row, name)) for row in ("udp_echo_raw", "udp_echo_less_idle")),
                      show(entry["value"]), f"{show(entry['low'])} to {show(entry['high'])}",
                      show(results.get("net", "udp_rtt_over_limit", name)),
                      show(results.get("net", "udp_window32", name))])
    return header, lines
