"""The gate: rows that repeat to the instruction must not get worse unnoticed."""

import json
from pathlib import Path

from .results import AEGIS, show

TOLERANCE = 0.05
NOT_GATED = ("udp_echo_less_idle", "http_request")  # counted over a stretch of the host's time, so they don't repeat exactly


def gated(results):
    """The rows that the gate watches: counted to the instruction, and Aegis-V's own."""
    return [v for v in results.values.values() if v["system"] == AEGIS and v["unit"] == "insn" and
            v["value"] is not None and v["row"] not in NOT_GATED]


def write_baseline(results, path):
    rows = [{k: v[k] for k in ("group", "row", "unit", "system", "value")} for v in gated(results)]
    Path(path).write_text("[\n" + ",\n".join(json.dumps(r) for r in rows) + "\n]\n")


def compare(results, path, groups, update):
    """
    Holds the results against the baseline in path, for the rows of these groups. Returns (lines, failures): a line a
    row, saying old and new, and how many of them fail: worse by more than TOLERANCE, or vanished. update is the command
    that the last line offers then.
    """
    now = {(v["group"], v["row"]): v["value"] for v in gated(results)}
    lines, failures = [], 0
    for old in json.loads(Path(path).read_text()):
        key = old["group"], old["row"]
        if old["group"] not in groups:
            continue
        name, was = "/".join(key), old["value"]
        if key not in now:
            failures += 1
            lines.append(f"FAIL {name}: was {show(was)} {old['unit']}, not measured any more")
            continue
        worse = now[key] > was * (1 + TOLERANCE)  # of instructions, fewer are better
        failures += worse
        lines.append(f"{'FAIL' if worse else 'ok  '} {name}: was {show(was)}, is {show(now[key])} {old['unit']} "
                     f"({now[key] / was - 1:+.1%})")
    if failures:
        lines.append(f"{failures} failed. If that is meant, say why in a commit of what this writes: {update}")
    return lines, failures
