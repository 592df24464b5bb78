"""Histograms at the bins that a person asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smlnb.errors import NotEnoughDataError, SchemaError
from smlnb.stats.histogram import Cells

__all__ = ["Density", "density"]


@dataclass(frozen=True, slots=True)
class Density:
    """Counts in equal bins.

    Attributes
    ----------
    edges : array, shape (bins + 1,)
    counts : array, shape (bins,)
        Not whole numbers where a cell of the histogram lies across an edge.
    below, above : float
        Values outside the edges.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.float64]
    below: float = 0.0
    above: float = 0.0

    @property
    def heights(self) -> NDArray[np.float64]:
        """Density of probability: the bins' areas add up to the share of values inside the edges."""
        total = self.counts.sum() + self.below + self.above
        return np.asarray(self.counts / (total * np.diff(self.edges)))

    @property
    def mids(self) -> NDArray[np.float64]:
        """The middles of the bins."""
        return (self.edges[1:] + self.edges[:-1]) / 2


def density(cells: Cells, bins: int | Sequence[float] = 40, range: tuple[float, float] | None = None) -> Density:  # noqa: A002 - NumPy's name
    """Re-bin the cells of a histogram.

    Parameters
    ----------
    cells : Cells
    bins : int or sequence of float, default 40
        How many equal bins, or their increasing edges.
    range : (low, high), optional
        Of the bins; from the smallest to the largest value by default.

    Raises
    ------
    NotEnoughDataError
        If there are no values yet.
    SchemaError
        If bins or range make no bins.

    Examples
    --------
    >>> cells = Cells(np.array([0.0, 1.0]), np.array([1.0, 2.0]), np.array([3, 1]))
    >>> density(cells, bins=2).counts.round(9).tolist()
    [3.0, 1.0]
    """
    if cells.total == 0:
        raise NotEnoughDataError(
            "There are no values yet, so there is no histogram. Let data flow into the project first."
        )
    edges = _edges(cells, bins, range)
    outside = cells.below([edges[0], np.nextafter(edges[-1], np.inf)])
    return Density(edges, cells.counts_between(edges), float(outside[0]), float(cells.total - outside[1]))


def _edges(cells: Cells, bins: int | Sequence[float], limits: tuple[float, float] | None) -> NDArray[np.float64]:
    if not isinstance(bins, int | np.integer):
        edges = np.asarray(bins, dtype=float)
        if len(edges) < 2 or not (np.diff(edges) > 0).all():
            raise SchemaError("The edges of bins must increase, and there must be at least two.")
        return edges
    if bins < 1:
        raise SchemaError(f"A histogram needs at least one bin, not {bins}.")
    low, high = limits if limits is not None else (cells.low[0], np.nextafter(cells.high[-1], -np.inf))
    if not (np.isfinite(low) and np.isfinite(high) and low <= high):
        raise SchemaError(f"({low}, {high}) is no range of values.")
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, bins + 1)
