"""What one attribute tells of another, in bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, log2, nan

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlnb.errors import NotEnoughDataError, SchemaError
from smlnb.exploration.anova import anova
from smlnb.exploration.conditions import has_joint_cells, is_continuous, joint_cells
from smlnb.exploration.distances import decile_edges
from smlnb.exploration.result import frames_html
from smlnb.exploration.steps import Steps
from smlnb.exploration.tables import crosstab
from smlnb.schema import Kind
from smlnb.stats.table import TableSummary

__all__ = ["MutualInformation", "correlation_ratio", "entropy", "information_gain", "mutual_information"]


@dataclass(frozen=True, slots=True)
class MutualInformation:
    """What two attributes tell of each other, over the rows where both are present.

    Attributes
    ----------
    x, y : str
    n : int
    bits : float
        The mutual information, from 0 to the smaller of the two entropies.
    entropy_x, entropy_y : float
        In bits; of a continuous attribute, that of its bins.
    bias : float
        The bits that as many rows would show on average if the two were independent, to the first order: (r - 1)(c -
        1) / (2 n ln 2) for a table of r by c (Miller 1955).
    edges : tuple of float
        The inner edges of the bins of the continuous attribute, if one is; a bin holds its lower edge.
    """

    x: str
    y: str
    n: int
    bits: float
    entropy_x: float
    entropy_y: float
    bias: float = 0.0
    edges: tuple[float, ...] = ()

    @property
    def corrected(self) -> float:
        """Bits less the bias, and not below 0."""
        return max(0.0, self.bits - self.bias)

    @property
    def normalised(self) -> float:
        """Bits over the mean of both entropies, as in scikit-learn; 0 where neither varies."""
        mean = (self.entropy_x + self.entropy_y) / 2
        return self.bits / mean if mean > 0 else 0.0

    @property
    def uncertainty(self) -> float:
        """The share of y's entropy that x removes (Theil's U); NaN where y does not vary."""
        return self.bits / self.entropy_y if self.entropy_y > 0 else nan

    @property
    def gain_ratio(self) -> float:
        """Bits over x's own entropy (Quinlan's gain ratio); NaN where x does not vary."""
        return self.bits / self.entropy_x if self.entropy_x > 0 else nan

    @property
    def frame(self) -> pd.DataFrame:
        """One row of figures."""
        names = ("bits", "bias", "normalised", "uncertainty", "gain_ratio", "entropy_x", "entropy_y", "n")
        return pd.DataFrame({name: [getattr(self, name)] for name in names}, index=[f"{self.x}, {self.y}"])

    def __str__(self) -> str:
        return f"{self.x} and {self.y} share {self.bits:.6g} bits ({self.normalised:.1%}) over {self.n:,} rows"

    def _repr_html_(self) -> str:
        return frames_html(str(self), {"": self.frame})


def entropy(counts: Sequence[float] | NDArray[np.int64]) -> float:
    """Return the entropy of counts, in bits.

    Examples
    --------
    >>> entropy([2, 1, 1]), entropy([7])
    (1.5, 0.0)
    """
    values = np.asarray(counts, dtype=float)
    values = values[values > 0]
    shares = values / values.sum()
    return float(max(0.0, -(shares * np.log2(shares)).sum()))


def mutual_information(summary: TableSummary, x: str, y: str, bins: int = 10) -> MutualInformation:
    """Return what two attributes tell of each other, from their joint counts, which are exact.

    Parameters
    ----------
    summary : TableSummary
    x, y : str
        Categories, binary attributes or values of categories; one of the two can be continuous.
    bins : int, default 10
        A continuous attribute is cut into about so many bins of about equal shares of all its values. They are cut at
        edges of the cells of its histogram, so the counts are exact; a value that fills a bin has one of its own. More
        bins show more, and more by chance: compare with ``bias``.

    Raises
    ------
    SchemaError, UnknownAttributeError
        If both are continuous: no joint distribution of two of these is kept. For them there is the correlation.
    StatisticsError
        If one is continuous and no histograms of it are kept given the other.
    NotEnoughDataError
        If there is no row in which both are present.
    """
    if is_continuous(summary, x) and is_continuous(summary, y):
        raise SchemaError(
            f"{x!r} is continuous, and so is {y!r}: no joint distribution of two such attributes is kept. Use the "
            "correlation; or declare one of them B or T."
        )
    if is_continuous(summary, y):
        counts, edges = _binned(summary, y, x, bins)
        return _told(x, y, counts.T, edges)
    if is_continuous(summary, x):
        return _told(x, y, *_binned(summary, x, y, bins))
    return _told(x, y, crosstab(summary, x, y).to_numpy(), ())


def _told(x: str, y: str, counts: NDArray[np.int64], edges: tuple[float, ...]) -> MutualInformation:
    n = int(counts.sum())
    if n == 0:
        raise NotEnoughDataError(f"There is no row in which both {x!r} and {y!r} are present.")
    rows, cols = counts.sum(axis=1), counts.sum(axis=0)
    joint = counts[counts > 0] / n
    independent = (np.outer(rows, cols) / n**2)[counts > 0]
    bits = float(max(0.0, (joint * np.log2(joint / independent)).sum()))
    bias = (np.count_nonzero(rows) - 1) * (np.count_nonzero(cols) - 1) / (2 * n * log(2))
    return MutualInformation(x, y, n, bits, entropy(rows), entropy(cols), bias, edges)


def _binned(summary: TableSummary, x: str, given: str, bins: int) -> tuple[NDArray[np.int64], tuple[float, ...]]:
    """Return joint counts, one row per bin of x, and the inner edges of the bins: the same whatever is given."""
    if bins < 2:
        raise SchemaError(f"A continuous attribute is cut into at least two bins, not {bins}.")
    joint = joint_cells(summary, x, given)
    some = joint.everywhere > 0
    low, high, counts = joint.low[some], joint.high[some], joint.counts[:, some]
    edges = decile_edges(Steps(x, low, high, joint.everywhere[some].astype(float)), bins)
    edges = edges[(edges > low[0]) & (edges < high[-1])]
    # two edges can enclose nothing: the end of one cell and the start of the next
    starts, first = np.unique(np.searchsorted(low, edges), return_index=True)
    cut = np.add.reduceat(counts, np.concatenate([[0], starts]), axis=1)
    return cut.T, tuple(edges[first].tolist())


def information_gain(
    summary: TableSummary, target: str, inputs: Sequence[str] | None = None, bins: int = 10
) -> pd.DataFrame:
    """Return how many bits of ``target`` each input tells, the most telling first.

    Parameters
    ----------
    summary : TableSummary
    target : str
        A category, a binary attribute, a value of a category, or a continuous attribute.
    inputs : sequence of str, optional
        The same, but not continuous where the target is. By default all other attributes of which joint counts with
        the target are kept; not the category of which the target is a value.
    bins : int, default 10
        Of continuous attributes; see :func:`mutual_information`.

    Returns
    -------
    pandas.DataFrame
        Indexed by input, with the columns ``gain`` (the entropy of the target less that given the input, in bits),
        ``bias`` (what an input that tells nothing would show on average), ``normalised``, ``uncertainty`` (the share of
        the target's entropy), ``gain_ratio``, ``entropy`` (of the target) and ``count`` (rows where both are present;
        the figures are NaN where there are none).

    Raises
    ------
    SchemaError, UnknownAttributeError
        If target and an input are continuous.
    StatisticsError
        If one of them is continuous and no histograms of it are kept given the other.
    """
    rows = {}
    for name in _inputs(summary, target) if inputs is None else inputs:
        try:
            told = mutual_information(summary, name, target, bins)
        except NotEnoughDataError:
            rows[name] = [nan, nan, nan, nan, nan, nan, 0]
            continue
        shares = [told.normalised, told.uncertainty, told.gain_ratio]
        rows[name] = [told.bits, told.bias, *shares, told.entropy_y, told.n]
    names = ["gain", "bias", "normalised", "uncertainty", "gain_ratio", "entropy", "count"]
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=names).rename_axis("input")
    return frame.astype({"count": "int64"}).sort_values("gain", ascending=False, kind="stable")


def _inputs(summary: TableSummary, target: str) -> list[str]:
    discrete = (Kind.BINARY, Kind.CATEGORY)
    others = [a for a in summary.schema if a.name not in (target, _owner(summary, target))]
    if is_continuous(summary, target):
        if summary.conditional is None:  # let the question say why there is nothing
            return [a.name for a in others if a.kind in discrete]
        return [a.name for a in others if a.kind in discrete and has_joint_cells(summary, a.name)]
    kinds = (*discrete, Kind.CONTINUOUS) if has_joint_cells(summary, target) else discrete
    return [a.name for a in others if a.kind in kinds]


def _owner(summary: TableSummary, name: str) -> str:
    return next((c for c in summary.schema.categories if name.startswith(f"{c}$")), "")


def correlation_ratio(summary: TableSummary, x: str, by: str) -> float:
    """Return the share of the variance of ``x`` that lies between the values of a category (eta squared), 0 to 1.

    What a category tells of a continuous attribute, as far as means go; :func:`mutual_information` sees the whole
    distribution within each value.
    """
    return float(anova(summary, x, by=by).estimate["eta_squared"])


def gaussian_bits(correlation: float) -> float:
    """Return the mutual information, in bits, of two attributes that are normal together.

    Examples
    --------
    >>> gaussian_bits(0.0), round(gaussian_bits(0.5), 4), gaussian_bits(1.0)
    (0.0, 0.2075, inf)
    """
    left = (1 - correlation) * (1 + correlation)
    return -0.5 * log2(left) + 0.0 if left > 0 else float("inf")
