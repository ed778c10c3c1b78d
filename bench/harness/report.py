"""Writes docs/performance.md from results: tables, plots, and how the figures came about."""

import subprocess
import sys
from pathlib import Path

from . import net, plots
from .results import AEGIS, group_lines, group_names

TEMPLATE = Path(__file__).resolve().parents[1] / "performance.md.in"
PLOTS = "plots"


def markdown_table(header, lines):
    """Names and sentences to the left, the other columns to the right."""
    rule = ["---" if i == 0 or name == "what" else "--:" for i, name in enumerate(header)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, rule, *lines))


def group_section(results, group):
    """A group's table, with what each row means; rows without code are named in one sentence."""
    header, lines = group_lines(results, group)
    if not lines:
        return ""
    waiting = [line[0] for line in lines if line[3] == "not yet" and all(cell == "-" for cell in line[5:])]
    shown = [line for line in lines if line[0] not in waiting]
    text = f"### {group}\n\n"
    if shown:
        whats = [results.rows[group, line[0]]["what"] for line in shown]
        text += markdown_table([*header, "what"], [[*line, what] for line, what in zip(shown, whats)]) + "\n\n"
    if waiting:
        text += f"Not yet: {', '.join(waiting)}.\n\n"
    return text


def environment(results):
    """What the run said of itself, as the first lines of the page."""
    said = {row: value["value"] for (group, row, _), value in results.values.items() if group == "run"}
    return ", ".join(f"{name} {text}" for name, text in said.items()) or "unknown"


def write(results, docs):
    """Writes docs/performance.md and the plots that it shows."""
    folder = docs / PLOTS
    folder.mkdir(exist_ok=True)
    plots.draw(results, folder)
    groups = [g for g in group_names() if any(key[0] == g for key in results.values)]
    text = TEMPLATE.read_text()
    parts = {
        "ENVIRONMENT": environment(results),
        "ECHOES": markdown_table(*net.table(results)),
        "GROUPS": "".join(group_section(results, g) for g in groups).rstrip(),
        "SYSTEM": AEGIS,
    }
    for name, part in parts.items():
        text = text.replace(f"@{name}@", part)
    (docs / "performance.md").write_text(text)
    # The reference of the interface shows what calls cost.
    subprocess.run([sys.executable, docs.parent / "cmake/abi.py"], check=True, timeout=60)
