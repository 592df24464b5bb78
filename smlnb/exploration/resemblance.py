"""Attributes that say nearly the same as others, whatever their kinds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smlnb.exploration.names import value_columns
from smlnb.stats.comoments import CoMomentSummary
from smlnb.stats.table import TableSummary

__all__ = ["Resemblance", "resemblances"]


@dataclass(frozen=True, slots=True)
class Resemblance:
    """Two attributes, and how far the one follows from the other.

    Attributes
    ----------
    x, y : str
    measure : str
        ``"correlation"`` of two numeric attributes, ``"correlation ratio"`` of a numeric one in the groups of a
        category, ``"Cramer's V"`` of two categories.
    size : float
        From -1 to 1 for the correlation, from 0 to 1 for the others: 1 where the one determines the other.
    """

    x: str
    y: str
    measure: str
    size: float


def resemblances(summary: TableSummary, least: float, most_values: int = 50) -> Iterator[Resemblance]:
    """Give the pairs of attributes that resemble each other, the pairs of numeric attributes first.

    Parameters
    ----------
    summary : TableSummary
    least : float
        The size from which on pairs are given.
    most_values : int, default 50
        Categories with more values are left alone: identifiers determine everything.

    Notes
    -----
    Cramer's V and the correlation ratio are corrected for what as many values would explain by chance, by Bergsma
    (2013) and by Kelley's epsilon squared: without it, few rows in many groups always seem to follow from them.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from smlnb.schema import Schema
    >>> from smlnb.stats.table import Table
    >>> table = Table(Schema.of(["code", "word"], "C,T"))
    >>> table.update(pa.record_batch({"code": [1.0, 2.0, 1.0, 2.0], "word": ["one", "two", "one", "two"]}))
    >>> [(r.x, r.y, r.measure, r.size) for r in resemblances(table.result(), least=0.9)]
    [('code', 'word', 'correlation ratio', 1.0)]
    """
    numeric = summary.schema.numeric
    matrix = summary.pairs.correlation()[: len(numeric), : len(numeric)]
    for i, j in np.argwhere(np.triu(np.nan_to_num(np.abs(matrix)), 1) >= max(least, np.finfo(float).tiny)).tolist():
        yield Resemblance(numeric[i], numeric[j], "correlation", float(matrix[i, j]))
    groups = _groups(summary, most_values)
    for name, columns in groups.items():
        ratios = _correlation_ratios(summary.pairs, len(numeric), columns)
        for i in np.flatnonzero(ratios >= least).tolist():
            yield Resemblance(numeric[i], name, "correlation ratio", float(ratios[i]))
    names = list(groups)
    for k, first in enumerate(names):
        for second in names[k + 1 :]:
            size = _cramers_v(summary.pairs, groups[first], groups[second])
            if size >= least:
                yield Resemblance(first, second, "Cramer's V", size)


def _groups(summary: TableSummary, most: int) -> dict[str, NDArray[np.intp]]:
    """Return the columns of the values that occur, of each category that varies and has few of them."""
    found = {}
    for name in summary.schema.categories:
        columns = np.array(list(value_columns(summary, name).values()), np.intp)
        columns = columns[summary.pairs.mean[columns, columns] > 0]
        if 2 <= len(columns) <= most:
            found[name] = columns
    return found


def _correlation_ratios(pairs: CoMomentSummary, width: int, columns: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the correlation ratio of each numeric attribute in groups: the co-moment is n (mean of group - mean)."""
    n, m2 = pairs.count[:width, columns[0]], pairs.m2[:width, columns[0]]
    sizes = pairs.count[:width, columns] * pairs.mean[columns, :width].T
    some = sizes > 0.5
    with np.errstate(all="ignore"):  # values whose squares overflow have no ratio
        between = np.where(some, pairs.comoment[:width, columns] ** 2 / np.where(some, sizes, 1.0), 0.0).sum(axis=1)
        left = n - some.sum(axis=1)
        usable = (left > 0) & (m2 > 0) & np.isfinite(m2)
        within = (1 - between / np.where(usable, m2, 1.0)) * (n - 1) / np.where(usable, left, 1)
        return np.where(usable, np.sqrt(np.clip(1 - within, 0.0, 1.0)), 0.0)


def _cramers_v(pairs: CoMomentSummary, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> float:
    square, other = np.ix_(rows, columns), np.ix_(columns, rows)
    counts = np.rint(pairs.comoment[square] + pairs.count[square] * pairs.mean[square] * pairs.mean[other].T)
    counts = counts[counts.any(axis=1)][:, counts.any(axis=0)]
    n, (r, c) = counts.sum(), counts.shape
    if min(r, c) < 2 or n < 2:
        return 0.0
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n
    chance = (r - 1) * (c - 1) / (n - 1)
    phi2 = max(0.0, float(((counts - expected) ** 2 / expected).sum() / n - chance))
    smaller = min(r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)) - 1
    return min(1.0, float(np.sqrt(phi2 / smaller))) if smaller > 0 else 0.0
