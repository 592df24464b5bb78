"""What one attribute tells of another, in bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2, nan

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlnb.errors import NotEnoughDataError, SchemaError
from smlnb.exploration.anova import anova
from smlnb.exploration.names import is_binary
from smlnb.exploration.result import frames_html
from smlnb.exploration.tables import crosstab
from smlnb.schema import Kind
from smlnb.stats.table import TableSummary

__all__ = ["MutualInformation", "correlation_ratio", "entropy", "information_gain", "mutual_information"]


@dataclass(frozen=True, slots=True)
class MutualInformation:
    """What two categories tell of each other, over the rows where both are present.

    Attributes
    ----------
    x, y : str
    n : int
    bits : float
        The mutual information, from 0 to the smaller of the two entropies.
    entropy_x, entropy_y : float
        In bits.
    """

    x: str
    y: str
    n: int
    bits: float
    entropy_x: float
    entropy_y: float

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
        names = ("bits", "normalised", "uncertainty", "gain_ratio", "entropy_x", "entropy_y", "n")
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


def mutual_information(summary: TableSummary, x: str, y: str) -> MutualInformation:
    """Return the mutual information of two categories or binary attributes; exact, from their joint counts.

    Raises
    ------
    SchemaError
        If one of them is continuous: no joint distribution with a continuous attribute is kept. For these there are
        the correlation, and :func:`correlation_ratio` against a category.
    NotEnoughDataError
        If there is no row in which both are present.
    """
    for name in (x, y):
        if name not in summary.schema.categories and not is_binary(summary, name):
            raise SchemaError(
                f"{name!r} is continuous, and no joint distribution with it is kept: its information can't be told. "
                "Use the correlation, or correlation_ratio against a category; or declare it B or T."
            )
    counts = crosstab(summary, x, y).to_numpy()
    n = int(counts.sum())
    if n == 0:
        raise NotEnoughDataError(f"There is no row in which both {x!r} and {y!r} are present.")
    joint = counts[counts > 0] / n
    independent = (np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n**2)[counts > 0]
    bits = float(max(0.0, (joint * np.log2(joint / independent)).sum()))
    return MutualInformation(x, y, n, bits, entropy(counts.sum(axis=1)), entropy(counts.sum(axis=0)))


def information_gain(summary: TableSummary, target: str, inputs: Sequence[str] | None = None) -> pd.DataFrame:
    """Return how many bits of ``target`` each input tells, the most telling first.

    Parameters
    ----------
    summary : TableSummary
    target : str
        A category, a binary attribute or a value of a category.
    inputs : sequence of str, optional
        The same; all other categories and binary attributes by default.

    Returns
    -------
    pandas.DataFrame
        Indexed by input, with the columns ``gain`` (the entropy of the target less that given the input, in bits),
        ``normalised``, ``uncertainty`` (the share of the target's entropy), ``gain_ratio``, ``entropy`` (of the
        target) and ``count`` (rows where both are present; the figures are NaN where there are none).

    Raises
    ------
    SchemaError
        If target or inputs are continuous.
    """
    if inputs is None:
        kinds = (Kind.BINARY, Kind.CATEGORY)
        inputs = [a.name for a in summary.schema if a.kind in kinds and a.name not in (target, _owner(summary, target))]
    rows = {}
    for name in inputs:
        try:
            told = mutual_information(summary, name, target)
        except NotEnoughDataError:
            rows[name] = [nan, nan, nan, nan, nan, 0]
            continue
        rows[name] = [told.bits, told.normalised, told.uncertainty, told.gain_ratio, told.entropy_y, told.n]
    names = ["gain", "normalised", "uncertainty", "gain_ratio", "entropy", "count"]
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=names).rename_axis("input")
    return frame.astype({"count": "int64"}).sort_values("gain", ascending=False, kind="stable")


def _owner(summary: TableSummary, name: str) -> str:
    return next((c for c in summary.schema.categories if name.startswith(f"{c}$")), "")


def correlation_ratio(summary: TableSummary, x: str, by: str) -> float:
    """Return the share of the variance of ``x`` that lies between the values of a category (eta squared), 0 to 1.

    What a category tells of a continuous attribute, as far as means go: the mutual information would need the
    distribution of ``x`` within each value.
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
