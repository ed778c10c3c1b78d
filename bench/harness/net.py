"""Group net: UDP round trips from the host, and the guest's instructions an echo."""

import time
from contextlib import ExitStack

from . import client, stats, systems
from .results import AEGIS, show

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
    pairs = (("udp_rtt_over_limit", "udp_rtt_raw_vs_limit", samples.medians, limit.medians),
             ("udp_window32_over_limit", "udp_window32_vs_limit", samples.rates, limit.rates))
    for every, ours, values, reference in pairs:
        ratio, low, high = stats.pairwise(values, reference)
        for row in (every, ours) if name == AEGIS else (every,):
            results.add("net", row, name, ratio, low=low, high=high, samples=len(values))


def add_counted(context, name):
    each, less_idle = count_instructions(context, name)
    middle, low, high = stats.spread(each)
    context.results.add("net", "udp_echo_raw", name, middle, low=low, high=high, samples=len(each))
    context.results.add("net", "udp_echo_less_idle", name, less_idle, samples=len(each))


def measure(context):
    names = systems.echo_systems(context)
    samples = measure_rounds(context, names)
    for name in names:
        add_timed(context.results, name, samples[name], samples[systems.LIMIT])
        add_counted(context, name)


def table(results):
    """Header and lines of the table of echoes: a line a system, instructions and median beside each other."""
    header = ["UDP echo, 60 bytes", "insn an echo", "less idle", "median us", "range of medians", "x limit", "echoes/s, window 32"]
    lines = []
    for name, label in systems.LABELS.items():
        entry = results.values.get(("net", "udp_rtt", name))
        if entry is None or entry["value"] is None:
            lines.append([label, entry["note"] if entry else "not measured", *["-"] * 5])
            continue
        lines.append([label, *(show(results.get("net", row, name)) for row in ("udp_echo_raw", "udp_echo_less_idle")),
                      show(entry["value"]), f"{show(entry['low'])} to {show(entry['high'])}",
                      show(results.get("net", "udp_rtt_over_limit", name)),
                      show(results.get("net", "udp_window32", name))])
    return header, lines
