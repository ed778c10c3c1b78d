"""Plots as SVG that can be read on a light and on a dark page: no background, and colours of middling brightness."""

from .results import AEGIS
from .systems import LABELS, LINUX

INK = "#767676"  # contrast 4.5 to 1 on white, 4.2 to 1 on #0d1117
COLOURS = ["#2e9e6b", "#3b82c4", "#d9822b", "#b065c8"]


def new_figure(width, height):
    """A figure and its axes; matplotlib is imported here, so that measuring needs no plots."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    pyplot.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "aegis-v", "font.family": "sans-serif",
                            "font.size": 11, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK,
                            "xtick.color": INK, "ytick.color": INK, "legend.labelcolor": INK})
    figure, axes = pyplot.subplots(figsize=(width, height))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(True, which="major", color=INK, alpha=0.3, linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def save(figure, path):
    from matplotlib import pyplot
    figure.tight_layout()
    figure.savefig(path, transparent=True, metadata={"Date": None, "Creator": None})
    pyplot.close(figure)


def draw_round_trips(results, path):
    """The share of round trips that took at most so long, a line a system."""
    from matplotlib.ticker import FuncFormatter, LogLocator
    figure, axes = new_figure(8, 4)
    for (name, label), colour in zip(LABELS.items(), COLOURS):
        steps = results.values.get(("net", "udp_rtt", name), {}).get("quantiles")
        if steps:
            shares = [i / (len(steps) - 1) for i in range(len(steps))]
            axes.plot(steps, shares, color=colour, linewidth=2, label=label)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.xaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
    axes.set_xlabel("UDP round trip from the host, microseconds")
    axes.set_ylabel("share of round trips")
    axes.set_ylim(0, 1)
    axes.legend(frameon=False, loc="lower right")
    save(figure, path)


def draw_ratios(results, path):
    """How many times Aegis-V's instructions Linux needs, a bar a row that both have."""
    from matplotlib.ticker import FuncFormatter
    ratios = []
    for (group, row) in results.rows:
        ours, theirs = results.get(group, row, AEGIS), results.get(group, row, LINUX)
        if results.rows[group, row]["unit"] == "insn" and ours and theirs:
            ratios.append((f"{group}/{row}", theirs / ours))
    ratios.sort(key=lambda r: r[1])
    figure, axes = new_figure(8, 1.2 + 0.34 * len(ratios))
    bars = axes.barh([name for name, _ in ratios], [ratio - 1 for _, ratio in ratios], left=1, color=COLOURS[1],
                     height=0.7)
    axes.bar_label(bars, [f"{ratio:.1f}" for _, ratio in ratios], color=INK, padding=4)
    axes.axvline(1, color=INK, linewidth=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.grid(False, axis="y")
    axes.margins(x=0.1)
    axes.set_xlabel("instructions on Linux for each of Aegis-V's")
    save(figure, path)


def draw_strides(results, path):
    """How many slices each child of the stride scheduler has had, over the slices that were given."""
    order = results.values.get(("sched", "stride_error", AEGIS), {}).get("order", "")
    figure, axes = new_figure(8, 3.4)
    for child, (tickets, colour) in enumerate(zip((3, 2, 1), COLOURS)):
        had, counts = 0, []
        for who in order:
            had += who == str(child)
            counts.append(had)
        axes.plot(range(1, len(order) + 1), counts, color=colour, linewidth=2, label=f"{tickets} of 6 tickets")
        axes.plot([0, len(order)], [0, len(order) * tickets / 6], color=INK, linewidth=0.8, linestyle="dotted")
    axes.set_xlabel("slices given")
    axes.set_ylabel("slices had")
    axes.margins(x=0.01)
    axes.legend(frameon=False, loc="upper left")
    save(figure, path)


def draw(results, folder):
    """Writes the plots into the folder."""
    draw_strides(results, folder / "strides.svg")
    draw_round_trips(results, folder / "round-trips.svg")
    draw_ratios(results, folder / "ratios.svg")
