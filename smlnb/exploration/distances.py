"""Distances between two distributions of one attribute."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smlnb.exploration.steps import Steps

__all__ = ["decile_edges", "jensen_shannon", "shares_between", "stability_index", "wasserstein"]

Vector = NDArray[np.float64]
FLOOR = 1e-4
"""The least share that a bin counts as in the stability index, where an empty one would make it infinite."""


def stability_index(before: ArrayLike, after: ArrayLike, floor: float = FLOOR) -> float:
    """Return the population stability index of two sets of shares: the sum of (b - a) log(b / a).

    Examples
    --------
    >>> round(stability_index([0.5, 0.5], [0.75, 0.25]), 4)
    0.2747
    """
    a, b = np.maximum(np.asarray(before, dtype=float), floor), np.maximum(np.asarray(after, dtype=float), floor)
    return float(((b - a) * np.log(b / a)).sum())


def jensen_shannon(before: ArrayLike, after: ArrayLike) -> float:
    """Return the Jensen-Shannon distance, base 2, of two sets of shares: 0 for the same, 1 for nothing in common.

    Examples
    --------
    >>> jensen_shannon([0.5, 0.5, 0.0], [0.0, 0.0, 1.0]), jensen_shannon([0.3, 0.7], [0.3, 0.7])
    (1.0, 0.0)
    """
    a, b = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    middle = (a + b) / 2
    divergence = 0.0
    for part in (a, b):
        some = part > 0
        divergence += float((part[some] * np.log2(part[some] / middle[some])).sum()) / 2
    return float(np.sqrt(min(max(divergence, 0.0), 1.0)))


def wasserstein(a: Steps, b: Steps) -> float:
    """Return the area between two cumulative distributions, in the attribute's unit.

    Exact between steps that are points; inside a step, values count as spread evenly.
    """
    at = a.knots(b)
    gap = a.below(at) / a.total - b.below(at) / b.total
    left, right = gap[:-1], gap[1:]
    size = np.abs(left) + np.abs(right)
    # a straight line from left to right; where it crosses zero, two triangles
    crossing = left * right < 0
    area = size / 2
    area[crossing] = (left[crossing] ** 2 + right[crossing] ** 2) / (2 * size[crossing])
    with np.errstate(over="ignore"):
        width = np.diff(at)
        if np.isfinite(width).all():
            return float((area * width).sum())
        return float(2 * (area * np.diff(at / 2)).sum())  # a step may be wider than the largest number


def decile_edges(steps: Steps, bins: int = 10) -> Vector:
    """Return the inner edges of bins with about equal shares.

    The edges are edges of steps, so that counts below them are exact; a value that fills a bin alone has its own.
    """
    shares = steps.counts / steps.total
    after = np.cumsum(shares)
    edges: set[float] = set()
    for q in np.arange(1, bins) / bins:
        k = min(int(np.searchsorted(after, q - 1e-12)), len(after) - 1)
        edges.add(float(steps.high[k]))
        if shares[k] >= 1 / bins:
            edges.add(float(steps.low[k]))
    return np.array(sorted(edges))


def shares_between(steps: Steps, edges: Vector) -> Vector:
    """Return the shares of the values below, between and above inner edges."""
    return np.diff(steps.below(edges), prepend=0.0, append=steps.total) / steps.total
