"""Distributions as steps: what a histogram or a quantile sketch knows of one attribute, and how exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smlnb.errors import NotEnoughDataError, StatisticsError
from smlnb.exploration.names import histogram_index
from smlnb.stats.table import TableSummary

__all__ = ["Steps"]

Vector = NDArray[np.float64]
SKETCH_STEPS = 400  # ranks at which a sketch is read: finer than its error


@dataclass(frozen=True, slots=True)
class Steps:
    """Counts in intervals that hold their lower edge but not their upper one, in order of the values.

    Attributes
    ----------
    name : str
    low, high : array, shape (steps,)
        Edges. A step whose edges are neighbouring numbers is a *point*: all its values are equal.
    counts : array, shape (steps,)
    rank_error : float
        Bound of the error of a rank at the edges: 0 from a histogram, that of the sketch (at 99 %) from a sketch.
    """

    name: str
    low: Vector
    high: Vector
    counts: Vector
    rank_error: float = 0.0

    @classmethod
    def of(cls, summary: TableSummary, name: str) -> Self:
        """Return the steps of a numeric attribute.

        Raises
        ------
        StatisticsError
            If the project keeps neither histograms nor quantiles.
        NotEnoughDataError
            If there are no values yet.
        """
        i = histogram_index(summary, name)
        total = int(summary.moments.count[i])
        if summary.cells is None and summary.quantiles is None:
            raise StatisticsError("No distributions are kept: make the project with histogram=True or quantiles=True.")
        if total == 0:
            raise NotEnoughDataError(f"{name!r} has no values yet. Learn more data.")
        if summary.cells is not None:
            cells = summary.cells[i]
            steps = cls(name, cells.low, cells.high, cells.counts.astype(float))
            return steps._with_zeros(int(summary.moments.zeros[i]))
        assert summary.quantiles is not None  # noqa: S101 - for the type checker
        ranks = np.linspace(0.0, 1.0, SKETCH_STEPS + 1)
        values = np.unique(summary.quantiles.quantile(i, ranks))
        shares = summary.quantiles.rank(i, values)
        after = np.nextafter(values, np.inf)
        low = np.concatenate([values[:1], after[:-1]])
        counts = np.diff(shares, prepend=0.0) * total
        some = counts > 0
        return cls(name, low[some], after[some], counts[some], summary.quantiles.rank_error(i))

    def _with_zeros(self, zeros: int) -> Self:
        """Return the steps with zeros, whose number is known, apart: a cell of the histogram begins there."""
        at = int(np.searchsorted(self.low, 0.0))
        if not zeros or at == len(self.low) or self.low[at] != 0:
            return self
        after = np.nextafter(0.0, 1.0)
        rest = self.counts[at] - zeros
        low, high = np.insert(self.low, at + 1, after), np.insert(self.high, at, after)
        counts = np.concatenate([self.counts[:at], [float(zeros), rest], self.counts[at + 1 :]])
        some = counts > 0
        return type(self)(self.name, low[some], high[some], counts[some])

    @property
    def total(self) -> float:
        """How many values there are."""
        return float(self.counts.sum())

    @property
    def points(self) -> NDArray[np.bool_]:
        """Which steps hold one value only."""
        return np.asarray(np.nextafter(self.low, np.inf) >= self.high)

    @property
    def exact(self) -> bool:
        """Whether every value is known."""
        return self.rank_error == 0 and bool(self.points.all())

    def below(self, values: ArrayLike) -> Vector:
        """Return how many values lie below each of ``values``; inside a step they count as spread evenly."""
        after = np.cumsum(self.counts)
        positions = np.column_stack([self.low, self.high]).ravel()
        heights = np.column_stack([after - self.counts, after]).ravel()
        return np.asarray(np.interp(np.asarray(values, dtype=float), positions, heights, left=0.0))

    def surely_below(self, values: Vector) -> Vector:
        """Return how many values lie in steps that end at or before each of ``values``."""
        return self._sum_of_first(np.searchsorted(self.high, values, side="right"))

    def maybe_below(self, values: Vector, *, equal: bool = False) -> Vector:
        """Return how many values lie in steps that begin before each of ``values``, or (``equal``) at it."""
        return self._sum_of_first(np.searchsorted(self.low, values, side="right" if equal else "left"))

    def _sum_of_first(self, steps: NDArray[np.intp]) -> Vector:
        return np.concatenate([[0.0], np.cumsum(self.counts)])[steps]

    def rows(self) -> Vector:
        """Return the values themselves, where all are known."""
        return np.repeat(self.low, self.counts.astype(np.int64))

    def knots(self, other: Self) -> Vector:
        """Return all edges of both, in order."""
        return np.unique(np.concatenate([self.low, self.high, other.low, other.high]))
