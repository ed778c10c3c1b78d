"""Medians, ranges and pairwise ratios of samples."""

from statistics import median


def spread(values):
    """(median, lowest, highest)."""
    return median(values), min(values), max(values)


def pairwise(ours, theirs):
    """
    (median, lowest, highest) of the ratios of samples taken in pairs: what disturbs both halves of a pair, such as
    another program on the host, cancels.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} samples against {len(theirs)} are no pairs")
    return spread([a / b for a, b in zip(ours, theirs)])


def quantiles(values, count=100):
    """count + 1 values from the lowest to the highest, at equal steps of probability: enough to draw an ECDF."""
    ordered = sorted(values)
    last = len(ordered) - 1
    return [ordered[round(i * last / count)] for i in range(count + 1)]
