"""Group net: UDP round trips from the host, and the guest's instructions an echo."""

import time
from contextlib import ExitStack

from . import client, stats, systems
from .results import AEGIS, NOT_YET, show

SETTLE = 2.0  # seconds after the last machine is ready: start-up work of Linux ends
IDLE_SHORTEST = 1.0  # seconds


def measure_round_trips(context, names):
    """
    Medians of each round and all samples of each system, in µs. All machines run at once, and each round measures
    every one of them in turn, in an order that turns by one a round: what disturbs a round disturbs all.
    """
    rounds, count = (5, 200) if context.quick else (21, 500)
    medians, samples = {n: [] for n in names}, {n: [] for n in names}
    with ExitStack() as stack:
        machines = {}
        for name in names:
            context.say(f"net: starting {systems.LABELS[name]}")
            machines[name] = stack.enter_context(systems.ECHOES[name](context, None))
        time.sleep(SETTLE)
        for i in range(rounds):
            context.say(f"net: round {i + 1} of {rounds}, {count} echoes of each")
            for name in names[i % len(names):] + names[:i % len(names)]:
                got = client.echo(context.host("bench/bench-client"), machines[name], count)
                micros = [ns / 1000 for ns in got["rtt_ns"]]
                medians[name].append(stats.spread(micros)[0])
                samples[name] += micros
    return medians, samples


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


def measure(context):
    results, names = context.results, systems.echo_systems(context)
    medians, samples = measure_round_trips(context, names)
    for name in names:
        middle, low, high = stats.spread(medians[name])
        results.add("net", "udp_rtt", name, middle, low=low, high=high, samples=len(samples[name]),
                    quantiles=stats.quantiles(samples[name]))
        ratio, low, high = stats.pairwise(medians[name], medians[systems.LIMIT])
        pairs = {"low": low, "high": high, "samples": len(medians[name])}
        results.add("net", "udp_rtt_over_limit", name, ratio, **pairs)
        if name == AEGIS:
            results.add("net", "udp_rtt_raw_vs_limit", name, ratio, **pairs)
        each, less_idle = count_instructions(context, name)
        middle, low, high = stats.spread(each)
        results.add("net", "udp_echo_raw", name, middle, low=low, high=high, samples=len(each))
        results.add("net", "udp_echo_less_idle", name, less_idle, samples=len(each))
    if AEGIS not in names:
        for row in ("udp_rtt", "udp_rtt_over_limit", "udp_echo_less_idle"):
            results.add("net", row, AEGIS, None, note=NOT_YET)


def table(results):
    """Header and lines of the table of echoes: a line a system, instructions and median beside each other."""
    header = ["UDP echo, 60 bytes", "insn an echo", "less idle", "median us", "range of medians", "x limit"]
    lines = []
    for name, label in systems.LABELS.items():
        entry = results.values.get(("net", "udp_rtt", name))
        if entry is None or entry["value"] is None:
            lines.append([label, *[entry.get("note", NOT_YET) if entry else "no peer"] + ["-"] * 4])
            continue
        lines.append([label, *(show(results.get("net", row, name)) for row in ("udp_echo_raw", "udp_echo_less_idle")),
                      show(entry["value"]), f"{show(entry['low'])} to {show(entry['high'])}",
                      show(results.get("net", "udp_rtt_over_limit", name))])
    return header, lines
