"""The command line of ci/bench."""

import argparse
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

from . import ash, boot, client, disk, dpf, exos, gate, kernel, linux, machine, net, profile, recorded, report, systems
from .results import AEGIS, Results, group_lines, group_names, layout

ROOT = Path(__file__).resolve().parents[2]
MEASURED = {"boot": boot.measure, "net": net.measure, "kernel": kernel.measure, "dpf": dpf.measure,
            "ash": ash.measure, "disk": disk.measure, **exos.MEASURED}
ERRORS = (machine.MachineError, client.ClientError, subprocess.SubprocessError, OSError)


class Context:
    """What every group needs: where things are, how long to measure, and where results go."""

    def __init__(self, build, quick):
        self.build, self.quick = Path(build), quick
        self.linux = None  # QEMU's arguments for the peer, or None
        self.results = Results()
        self.started = time.monotonic()

    def host(self, path):
        return self.build / path

    def guest(self, path):
        return self.build / "guest" / path

    def say(self, text):
        print(f"bench: {time.monotonic() - self.started:4.0f} s  {text}", file=sys.stderr, flush=True)


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="ci/bench", description="Measures Aegis-V, the bare limit and, if asked, Linux in the same QEMU; prints a "
        "table a group. A row without code says 'not yet'. Exit status: 0, 1 if something failed, 2 for a usage error.")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help="what to measure: " + ", ".join(group_names()) +
                        " (default: all)")
    parser.add_argument("--json", metavar="FILE", help="write the results to FILE")
    parser.add_argument("--quick", action="store_true", help="fewer samples: 3 minutes at most instead of 20")
    parser.add_argument("--peer", choices=["linux"], help="measure this peer beside Aegis-V")
    parser.add_argument("--compare", metavar="FILE", help="fail if a counted row is more than 5 %% worse than in FILE")
    parser.add_argument("--update", metavar="FILE", help="write the counted rows to FILE, a baseline for --compare")
    parser.add_argument("--report", action="store_true", help="write docs/performance.md and its plots")
    parser.add_argument("--from", metavar="FILE", dest="source", help="take the results of an earlier --json FILE "
                        "instead of measuring")
    parser.add_argument("--profile", action="store_true", help="print where the instructions of one UDP echo go, of "
                        "Aegis-V and of the limit, function by function, and measure nothing else")
    parser.add_argument("--build", metavar="FOLDER", help="use this build as it is (default: $AEGIS_BUILD or build, made anew by ci/build)")
    options = parser.parse_args(argv)
    unknown = [g for g in options.groups if g not in group_names()]
    if unknown:
        parser.error(f"no group {', '.join(unknown)}; there are {', '.join(group_names())}")
    if options.compare and not Path(options.compare).is_file():
        parser.error(f"--compare {options.compare}: no such file; ci/bench --quick --update {options.compare} makes it")
    if options.source and not Path(options.source).is_file():
        parser.error(f"--from {options.source}: no such file")
    options.given, options.groups = options.groups, options.groups or group_names()
    return options


def prepare(options, context):
    """Installs what the peer and the plots need, and builds the tree, unless a build was given."""
    if options.build:
        return
    steps = [["ci/setup", "bench"]] if options.peer or options.report else []
    for command in [*steps, ["ci/build"]]:
        context.say(" ".join(command))
        done = subprocess.run([str(ROOT / command[0]), *command[1:]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=3600, check=False)
        if done.returncode != 0:
            raise OSError(f"{' '.join(command)} failed:\n{done.stdout[-4000:]}")


def describe(options, results):
    """Says under which circumstances the results came about."""
    commit = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True,
                            timeout=30, check=False).stdout.strip()
    results.describe("commit", commit or "unknown")
    results.describe("QEMU", machine.qemu_version())
    results.describe("host", f"{platform.machine()} with {os.cpu_count()} processors")
    results.describe("samples", "few (--quick)" if options.quick else "full")


def measure(options, context):
    """Measures the groups; returns those that failed."""
    failed = []
    if options.peer:
        try:
            context.linux = linux.prepare(context.say)
        except linux.PeerMissing as error:
            context.say(f"no peer: {error}")
    for group in options.groups:
        if group not in MEASURED:
            continue
        try:
            MEASURED[group](context)
        except ERRORS as error:
            failed.append(group)
            print(f"ci/bench: group {group}: {error}", file=sys.stderr)
    recorded.add(context.results, options.groups)
    context.results.fill(options.groups, failed)
    return failed


def print_tables(results, groups):
    if "net" in groups and any(key[0] == "net" and key[1] == "udp_rtt" for key in results.values):
        print(layout(*net.table(results)), end="\n\n")
    for group in groups:
        header, lines = group_lines(results, group)
        if lines:
            print(layout(header, lines), end="\n\n")


def judge(options, results):
    """Compares with the baseline; returns how many rows fail."""
    update = " ".join(["ci/bench", *options.given, "--quick", "--update", options.compare])
    lines, failures = gate.compare(results, options.compare, options.groups, update)
    print("\n".join(lines))
    return failures


def main(argv):
    options = parse(argv)
    context = Context(options.build or os.environ.get("AEGIS_BUILD", ROOT / "build"), options.quick)
    try:
        if options.source:
            context.results, failures = Results.read(options.source), 0
        else:
            prepare(options, context)
            if options.profile:
                for system in (systems.LIMIT, systems.HANDLER, AEGIS, *systems.PROGRAMS):
                    profile.show(context, system)
                return 0
            describe(options, context.results)
            failures = len(measure(options, context))
    except ERRORS as error:
        print(f"ci/bench: {error}", file=sys.stderr)
        return 1
    print_tables(context.results, options.groups)
    if options.json:
        context.results.write(options.json)
    if options.update:
        gate.write_baseline(context.results, options.update)
    if options.report:
        report.write(context.results, ROOT / "docs")
    if options.compare:
        failures += judge(options, context.results)
    return 1 if failures else 0
