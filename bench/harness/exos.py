"""Groups vm, ipc, proc and sched: what the library operating system costs, counted by the guest itself."""

from . import aegis, linux
from .kernel import add, run_rows
from .results import AEGIS
from .systems import LINUX

ARCHIVES = {"proc": "bench-proc.cpio"}  # a small program, as what fork costs depends on its size
LIMIT_AEGIS, LIMIT_LINUX = 120, 300  # seconds
IN_TIME = {"sched"}  # counts slices, not instructions: a thousand of them are ten seconds, or a minute and a half under icount
RATIOS = {("vm", "matmul150_double"): "matmul150"}  # of the counts of the row named on the right


def add_ratios(context, group):
    """Aegis-V over Linux, of rows that both have counted."""
    for (of, row), counted in RATIOS.items():
        ours, theirs = (context.results.values.get((of, counted, system)) for system in (AEGIS, LINUX))
        if of == group and ours and theirs:
            context.results.add(of, row, AEGIS, ours["value"] / theirs["value"])


def join_orders(rows):
    """The rows with a value; those that tell an order, a part a line, become one field of their row's."""
    orders = {}
    for row in rows:
        if "order" in row:
            orders[row["row"]] = orders.get(row["row"], "") + row["order"]
    return [{**row, "order": orders[row["row"]]} if row["row"] in orders else row for row in rows if "value" in row]


def measure(group):
    def run(context):
        if aegis.available(context):
            context.say(f"{group}: the rows on ExOS, under icount")
            arguments = aegis.image(context, ARCHIVES.get(group, "bench-exos.cpio"))
            arguments[arguments.index("-append") + 1] += f" bench={group}"
            rows = run_rows(AEGIS, arguments, aegis.ROWS_DONE, LIMIT_AEGIS, icount=group not in IN_TIME)
            add(context, AEGIS, join_orders(rows))
        if context.linux:
            context.say(f"{group}: the rows on Linux, under icount")
            add(context, LINUX, run_rows(LINUX, linux.arguments(context.linux, f"suite-{group}"), "^init: rows done", LIMIT_LINUX))
        add_ratios(context, group)
    return run


MEASURED = {group: measure(group) for group in ("vm", "ipc", "proc", "sched")}
