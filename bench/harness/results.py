"""The rows that the bench knows, what was measured of them, and how it is printed."""

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGETS = ROOT / "bench/targets.tsv"
EXTRA = ROOT / "bench/extra.tsv"
FIELDS = ("group", "row", "unit", "better", "target", "peer", "peer_value", "what")
AEGIS = "aegis-v"
NOT_YET = "not yet"


def read_rows(*paths):
    """The rows of tables like targets.tsv, as dictionaries keyed by FIELDS, in order."""
    rows = []
    for path in paths:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if not line or line.startswith("#"):
                continue
            cells = line.split("\t")
            if len(cells) != len(FIELDS):
                raise ValueError(f"{path}:{number}: {len(cells)} cells, expected {len(FIELDS)}")
            rows.append(dict(zip(FIELDS, cells)))
    return rows


def all_rows():
    return read_rows(TARGETS, EXTRA)


def group_names():
    return list(dict.fromkeys(row["group"] for row in all_rows()))


class Results:
    """What was measured: at most one value a row and system."""

    def __init__(self):
        self.rows = {(r["group"], r["row"]): r for r in all_rows()}
        self.values = {}

    def add(self, group, row, system, value, **more):
        """value None says that it could not be had, and more["note"] why. low, high, samples, quantiles, order may follow."""
        known = self.rows[group, row]
        self.values[group, row, system] = {"group": group, "row": row, "unit": known["unit"], "system": system,
                                           "value": value, **more}

    def describe(self, row, text):
        """Something about the run itself, such as QEMU's version."""
        self.values["run", row, "host"] = {"group": "run", "row": row, "unit": "text", "system": "host", "value": text}

    def get(self, group, row, system):
        """The value, or None."""
        return self.values.get((group, row, system), {}).get("value")

    def fill(self, groups, failed=()):
        """Says "not yet" of every row of the groups that nothing has measured, "failed" in groups that broke off."""
        for (group, row) in self.rows:
            if group in groups and (group, row, AEGIS) not in self.values:
                self.add(group, row, AEGIS, None, note="failed" if group in failed else NOT_YET)

    def write(self, path):
        order = {key: i for i, key in enumerate(self.rows)}
        listed = sorted(self.values.values(), key=lambda v: order.get((v["group"], v["row"]), -1))
        Path(path).write_text("[\n" + ",\n".join(json.dumps(v) for v in listed) + "\n]\n")

    @classmethod
    def read(cls, path):
        results = cls()
        for value in json.loads(Path(path).read_text()):
            results.values[value["group"], value["row"], value["system"]] = value
        return results


def show(value):
    """A figure with three or four significant digits, thousands separated."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100 or float(value).is_integer():
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def met(row, value):
    """Whether a value keeps the row's target; None where there is no target."""
    if row["target"] == "-" or value is None:
        return None
    target = float(row["target"])
    return value <= target if row["better"] == "lower" else value >= target


def cell(entry):
    """What a table says of one measurement."""
    if entry is None:
        return "-"
    if entry["value"] is None:
        return entry.get("note", NOT_YET)
    return show(entry["value"]) + (" (recorded)" if entry.get("recorded") else "")


def layout(header, lines):
    """A table as text: first column to the left, the others to the right."""
    table = [header, *lines]
    widths = [max(len(line[i]) for line in table) for i in range(len(header))]
    return "\n".join("  ".join(text.ljust(w) if i == 0 else text.rjust(w)
                               for i, (text, w) in enumerate(zip(line, widths))).rstrip() for line in table)


def peers_of(results, group):
    """Systems other than Aegis-V that have a value in a group, in the order in which they came."""
    return list(dict.fromkeys(s for (g, _, s) in results.values if g == group and s != AEGIS))


def group_lines(results, group):
    """Header and lines of the table of a group: each row with its target, and what each system takes."""
    peers = peers_of(results, group)
    lines = []
    for (g, name), row in results.rows.items():
        ours = results.values.get((g, name, AEGIS))
        theirs = [results.values.get((g, name, peer)) for peer in peers]
        if g != group or (ours is None and not any(theirs)):
            continue
        verdict = {True: "met", False: "missed", None: ""}[met(row, ours and ours["value"])]
        sign = {"lower": "<= ", "higher": ">= "}[row["better"]] if row["target"] != "-" else ""
        target = "-" if row["target"] == "-" else sign + show(float(row["target"]))
        lines.append([name, row["unit"], target, cell(ours), verdict, *(cell(t) for t in theirs)])
    return [group, "unit", "target", AEGIS, "", *peers], lines
