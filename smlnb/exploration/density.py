"""Histograms at the bins that a person asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlnb.errors import NotEnoughDataError, SchemaError
from smlnb.exploration.conditions import joint_cells
from smlnb.exploration.drawing import bars_svg
from smlnb.exploration.result import frames_html
from smlnb.stats.histogram import Cells
from smlnb.stats.table import TableSummary

__all__ = ["ConditionalDensity", "Density", "conditional_density", "density"]

LARGEST = float(np.finfo(float).max)


@dataclass(frozen=True, slots=True, eq=False)
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
        with np.errstate(over="ignore"):  # a bin may be wider than the largest number
            return np.asarray(self.counts / total / np.diff(self.edges))

    @property
    def mids(self) -> NDArray[np.float64]:
        """The middles of the bins."""
        return self.edges[1:] / 2 + self.edges[:-1] / 2

    @property
    def table(self) -> pd.DataFrame:
        """One row per bin: its edges ``low`` and ``high``, ``count``, ``share`` of all values, and ``density``."""
        total = self.counts.sum() + self.below + self.above
        return pd.DataFrame(
            {
                "low": self.edges[:-1],
                "high": self.edges[1:],
                "count": self.counts,
                "share": self.counts / total,
                "density": self.heights,
            }
        )

    def __str__(self) -> str:
        outside = f", {self.below + self.above:,.6g} outside" if self.below or self.above else ""
        return (
            f"{self.counts.sum():,.6g} values in {len(self.counts)} bins from {self.edges[0]:.6g} to "
            f"{self.edges[-1]:.6g}{outside}"
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        bars = bars_svg(self.counts, label=str(self), width=480, height=120)
        return f"{frames_html(str(self), {})}{bars}{_axis(self.edges)}"


@dataclass(frozen=True, slots=True, eq=False)
class ConditionalDensity:
    """The density of one attribute for each value of another, in the same bins.

    Attributes
    ----------
    name, given : str
        The attribute, and the condition.
    densities : dict of str to Density
        By value of the condition.
    cells : dict of str to Cells
        What they were made of, for other bins and for quantiles.
    """

    name: str
    given: str
    densities: Mapping[str, Density]
    cells: Mapping[str, Cells]

    def __getitem__(self, value: str) -> Density:
        return self.densities[value]

    @property
    def edges(self) -> NDArray[np.float64]:
        """Edges of the bins."""
        return next(iter(self.densities.values())).edges

    @property
    def table(self) -> pd.DataFrame:
        """Densities of probability: one row per bin, one column per value."""
        bins = pd.IntervalIndex.from_breaks(self.edges, closed="left", name=self.name)
        frame = pd.DataFrame({value: found.heights for value, found in self.densities.items()}, index=bins)
        return frame.rename_axis(columns=self.given)

    @property
    def quartiles(self) -> pd.DataFrame:
        """One row per value: how many rows, which share of all, and the quartiles of the attribute in them."""
        total = sum(cells.total for cells in self.cells.values())
        rows = {v: [c.total, c.total / total, *c.quantile([0.25, 0.5, 0.75])] for v, c in self.cells.items()}
        names = ["count", "share", "q25", "median", "q75"]
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=names)
        return frame.astype({"count": "int64"}).rename_axis(self.given)

    def __str__(self) -> str:
        medians = ", ".join(f"{value}: {median:.6g}" for value, median in self.quartiles["median"].items())
        return f"{self.name} given {self.given}: medians {medians}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        top = max(float(found.heights.max()) for found in self.densities.values())
        rows = "".join(
            f"<tr><th>{escape(value)}</th>{''.join(f'<td>{cell:,.6g}</td>' for cell in self.quartiles.loc[value])}"
            f"<td>{bars_svg(found.heights, label=f'{self.name} given {value}', top=top)}</td></tr>"
            for value, found in self.densities.items()
        )
        heads = "".join(f"<th>{escape(name)}</th>" for name in (self.given, *self.quartiles.columns, "density"))
        title = frames_html(f"{self.name} given {self.given}", {})
        return f"{title}<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>{_axis(self.edges)}"


def density(cells: Cells, bins: int | Sequence[float] = 40, range: tuple[float, float] | None = None) -> Density:  # noqa: A002 - NumPy's name
    """Re-bin the cells of a histogram.

    Parameters
    ----------
    cells : Cells
    bins : int or sequence of float, default 40
        How many equal bins (fewer, where there are not so many numbers between the ends), or their increasing edges.
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


def conditional_density(
    summary: TableSummary,
    name: str,
    given: str,
    value: str | float | None = None,
    *,
    bins: int | Sequence[float] = 40,
    range: tuple[float, float] | None = None,  # noqa: A002 - NumPy's name
) -> Density | ConditionalDensity:
    """Return the density of a continuous attribute given a condition, in any bins.

    Parameters
    ----------
    summary : TableSummary
    name : str
        A continuous attribute.
    given : str
        A binary attribute, a category, or a value of one as ``attribute$value``.
    value : str or number, optional
        Of the condition; by default all that occur. The values of a category beyond the first 20, chosen by hash, are
        together in ``(other)``.
    bins : int or sequence of float, default 40
        How many equal bins, or their increasing edges.
    range : (low, high), optional
        Of the bins; by default from the smallest to the largest of the values asked for.

    Returns
    -------
    Density, or ConditionalDensity without a ``value``
        Counts are exact at the edges of the cells, of which there are at most 512; inside a cell values count as
        spread evenly.

    Raises
    ------
    SchemaError, UnknownAttributeError
        If ``name`` is not continuous, ``given`` is no condition, or ``value`` was never seen.
    StatisticsError
        If no such histograms are kept.
    NotEnoughDataError
        If there is no row in which both are present.
    """
    joint = joint_cells(summary, name, given)
    if value is not None:
        return density(joint.cells(value), bins, range)
    edges = _edges(joint.together, bins, range)
    cells = {v: joint.cells(v) for v in joint.values}
    return ConditionalDensity(name, given, {v: density(c, edges.tolist()) for v, c in cells.items()}, cells)


def _axis(edges: NDArray[np.float64]) -> str:
    return f"<div>{len(edges) - 1} bins from {edges[0]:.6g} to {edges[-1]:.6g}; the numbers: <code>.table</code></div>"


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
    if high / 2 - low / 2 > LARGEST / 2:  # the range itself is beyond all numbers
        return np.asarray(2 * np.linspace(low / 2, high / 2, bins + 1))
    return np.unique(np.linspace(low, high, bins + 1))
