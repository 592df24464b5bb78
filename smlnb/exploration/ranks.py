"""Kolmogorov-Smirnov and Mann-Whitney from histograms or sketches, with the error that this brings."""

from __future__ import annotations

import math
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from smlnb.errors import NotEnoughDataError, SchemaError
from smlnb.exploration.conditions import joint_cells
from smlnb.exploration.result import TestResult
from smlnb.exploration.steps import Steps
from smlnb.stats.table import TableSummary

__all__ = ["kolmogorov_smirnov", "ks_distance", "mann_whitney"]

FEW = 10_000  # up to so many rows the exact distribution of D is worth its time, as in SciPy
FEW_RANKS = 8  # the same for U, of the smaller sample
TINY = 1e-12


def kolmogorov_smirnov(
    summary: TableSummary, x: str, y: str | None = None, *, other: TableSummary | None = None, by: str | None = None
) -> TestResult:
    """Test whether two samples have one distribution, by the largest distance D of their cumulative shares.

    Parameters
    ----------
    summary : TableSummary
    x : str
        A numeric attribute.
    y : str, optional
        Another attribute; ``x`` itself by default, when there is an ``other`` summary.
    other : TableSummary, optional
        Where the second sample is from; ``summary`` by default.
    by : str, optional
        Instead: compare the values of ``x`` in the two groups that a binary attribute, a category of two values or
        ``attribute$value`` makes.

    Returns
    -------
    TestResult
        With ``error``, how far D can be from that of the rows, and ``pvalue_range``. While an attribute has few
        different values (at most 1,024) the histogram holds each of them and the error is 0; the p-value is then exact
        up to 10,000 rows, as in :func:`scipy.stats.ks_2samp`, and otherwise the asymptotic one.

    Raises
    ------
    StatisticsError
        If neither histograms nor quantiles are kept.
    NotEnoughDataError
        If there are no values.
    """
    a, b, what = _two(summary, x, y, other, by)
    distance, low, high = ks_distance(a, b)
    sizes = (round(a.total), round(b.total))
    error = max(high - distance, distance - low)
    if error == 0 and max(sizes) <= FEW:
        pvalue = _ks_exact_pvalue(distance, *sizes)
        limits = (pvalue, pvalue)
    else:
        pvalue, *ends = (_ks_pvalue(d, *sizes) for d in (distance, high, low))
        limits = (ends[0], ends[1])
    return TestResult(
        what=f"Kolmogorov-Smirnov test of {what}",
        statistic=distance,
        pvalue=pvalue,
        n=sizes,
        error=error,
        pvalue_range=limits if error else None,
        notes=_notes(a, b),
    )


def ks_distance(a: Steps, b: Steps) -> tuple[float, float, float]:
    """Return the distance of two cumulative distributions, and the least and the most it can be.

    Where one has an edge inside a step of the other, the share of that step below the edge can be anything.
    """
    at = a.knots(b)
    distance = float(np.abs(a.below(at) / a.total - b.below(at) / b.total).max())
    a_low, a_high = a.surely_below(at) / a.total, a.maybe_below(at) / a.total
    b_low, b_high = b.surely_below(at) / b.total, b.maybe_below(at) / b.total
    least = max(float((a_low - b_high).max()), float((b_low - a_high).max()), 0.0)
    most = max(float((a_high - b_low).max()), float((b_high - a_low).max()))
    open_after = np.nextafter(at, np.inf) < np.append(at[1:], np.inf)  # numbers lie between this knot and the next
    open_after[-1] = False
    if open_after.any():
        a_inside = a.maybe_below(at[open_after], equal=True) / a.total
        b_inside = b.maybe_below(at[open_after], equal=True) / b.total
        most = max(most, float((a_inside - b_low[open_after]).max()), float((b_inside - a_low[open_after]).max()))
    slack = a.rank_error + b.rank_error
    least, most = least - slack, most + slack
    return (
        distance,
        distance if distance - least < TINY else max(least, 0.0),
        distance if most - distance < TINY else min(most, 1.0),
    )


def _ks_pvalue(distance: float, n: int, m: int) -> float:
    return float(stats.kstwo.sf(distance, max(1, round(n * m / (n + m)))))


def _ks_exact_pvalue(distance: float, n: int, m: int) -> float:
    """Return the chance that D is at least ``distance`` when n and m values come in random order, without ties.

    A walk of n steps to the right and m upwards, all orders being equally likely, is followed diagonal by diagonal;
    what leaves the band abs(i / n - j / m) < D for the first time adds up. Only positive numbers are added.
    """
    g = math.gcd(n, m)
    limit = round(distance * (n // g) * m) * g
    if limit == 0:
        return 1.0
    first, inside, outside = 0, np.ones(1), 0.0  # shares of walks at i = first, first + 1, ...
    for step in range(n + m):
        i = np.arange(first, first + len(inside))
        moved = np.zeros(len(inside) + 1)
        moved[:-1] = inside * (m - (step - i)) / (n + m - step)
        moved[1:] += inside * (n - i) / (n + m - step)
        centre = (step + 1) * n
        low = max(first, (centre - limit) // (n + m) + 1) - first
        high = min(first + len(inside), -((-centre - limit) // (n + m)) - 1) - first + 1
        high = max(high, low)
        outside += float(moved[:low].sum() + moved[high:].sum())
        first, inside = first + low, moved[low:high]
        if not len(inside):
            break
    return min(1.0, outside)


def mann_whitney(
    summary: TableSummary, x: str, y: str | None = None, *, other: TableSummary | None = None, by: str | None = None
) -> TestResult:
    """Test whether values of one sample tend to be larger than those of another, by their ranks.

    Parameters
    ----------
    summary, x, y, other
        As in :func:`kolmogorov_smirnov`.

    Returns
    -------
    TestResult
        U of the first sample, with ``error`` and ``pvalue_range``, and ``estimate["superiority"]``: the share of pairs
        in which the first is larger, ties counting half (the area under the ROC curve). Normal approximation with
        corrections for ties and continuity, as in :func:`scipy.stats.mannwhitneyu`, and its exact distribution where
        all values are known and few.

    Raises
    ------
    StatisticsError
        If neither histograms nor quantiles are kept.
    NotEnoughDataError
        If there are no values, or all are the same.
    """
    a, b, what = _two(summary, x, y, other, by)
    n, m = round(a.total), round(b.total)
    at = a.knots(b)
    in_a, in_b = np.diff(a.below(at)), np.diff(b.below(at))
    u = float((in_a * (b.below(at)[:-1] + in_b / 2)).sum())
    least, most = _u_bounds(a, b)
    slack = n * m * (a.rank_error + b.rank_error)
    error = max(u - least, most - u) + slack
    error = error if error > TINY * n * m else 0.0
    point = np.nextafter(at[:-1], np.inf) >= at[1:]
    spread, least_spread = _u_spread(n, m, (in_a + in_b)[point]), _u_spread(n, m, in_a + in_b)
    if not spread > 0:
        raise NotEnoughDataError(f"{what}: all values are the same, so they have no ranks.")
    if error == 0 and a.exact and b.exact and min(n, m) <= FEW_RANKS and max(n, m) <= FEW:
        pvalue = float(stats.mannwhitneyu(a.rows(), b.rows()).pvalue)
        limits = None
    else:
        pvalue = _u_pvalue(abs(u - n * m / 2), spread)
        nearest = max(0.0, abs(u - n * m / 2) - error)
        farthest = abs(u - n * m / 2) + error
        limits = (_u_pvalue(farthest, least_spread), _u_pvalue(nearest, spread)) if error else None
    return TestResult(
        what=f"Mann-Whitney test of {what}",
        statistic=u,
        pvalue=pvalue,
        estimate={"superiority": u / (n * m)},
        n=(n, m),
        error=error,
        pvalue_range=limits,
        notes=_notes(a, b),
    )


def _u_spread(n: int, m: int, tied: NDArray[np.float64]) -> float:
    """Return the variance of U when values are tied in groups of these sizes."""
    lost = np.maximum(tied**3 - tied, 0.0).sum() / max((n + m) * (n + m - 1), 1)
    return n * m / 12 * ((n + m + 1) - float(lost))


def _u_pvalue(distance: float, spread: float) -> float:
    if not spread > 0:
        return 0.0
    return min(1.0, 2 * float(stats.norm.sf((distance - 0.5) / sqrt(spread))))


def _u_bounds(a: Steps, b: Steps) -> tuple[float, float]:
    """Return the least and the most that U can be, when values lie anywhere in their steps."""
    surely, maybe = b.surely_below(a.low), b.maybe_below(a.high)
    points_b = dict(zip(b.low[b.points].tolist(), b.counts[b.points].tolist(), strict=True))
    ties = np.array([points_b.get(v, 0.0) if p else 0.0 for v, p in zip(a.low.tolist(), a.points, strict=True)])
    least = float((a.counts * (surely + ties / 2)).sum())
    return least, least + float((a.counts * (maybe - surely - ties)).sum())


def _two(
    summary: TableSummary, x: str, y: str | None, other: TableSummary | None, by: str | None
) -> tuple[Steps, Steps, str]:
    if by is not None:
        return *_groups(summary, x, y, other, by), f"{x} by {by}"
    if y is None and other is None:
        raise SchemaError(f"Say what {x!r} is compared with: y= (another attribute) or other= (another summary).")
    second = x if y is None else y
    words = f"{x} against {second}" + (" of the other summary" if other is not None else "")
    return Steps.of(summary, x), Steps.of(summary if other is None else other, second), words


def _groups(summary: TableSummary, x: str, y: str | None, other: TableSummary | None, by: str) -> tuple[Steps, Steps]:
    joint = joint_cells(summary, x, by)
    if y is not None or other is not None or len(joint.values) != 2:
        raise SchemaError(
            f"by= takes a condition that makes two groups, and neither y= nor other=; {by!r} makes "
            f"{len(joint.values)} groups of the values of {x!r}. Name a value, as in by='attribute$value'."
        )
    cells = (joint.cells(value) for value in joint.values)
    one, two = (Steps(x, c.low, c.high, c.counts.astype(float)) for c in cells)
    return one, two


def _notes(a: Steps, b: Steps) -> tuple[str, ...]:
    if a.rank_error or b.rank_error:
        return (f"From quantile sketches: ranks are within {a.rank_error + b.rank_error:.2%} at 99 % confidence.",)
    return ()
