"""How well the principal components of some data fit other data."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from smlnb.errors import NotEnoughDataError
from smlnb.exploration.matrix import choose, is_psd, nearest_correlation
from smlnb.stats.table import TableSummary

__all__ = ["Reconstruction", "reconstruction"]

KEPT = 0.9


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """Mean squared error per row of rebuilding standardised attributes from the principal components before.

    Attributes
    ----------
    names : tuple of str
        The attributes: numeric, varying before, with values on both sides.
    components : int
        How many were kept.
    before, after : float
        The errors, in units of the variances before.
    n : (int, int)
        Rows before and after, of the pair of attributes with the fewest.
    gaps : (float, float)
        Share of rows that this pair lacks, before and after.
    """

    names: tuple[str, ...]
    components: int
    before: float
    after: float
    n: tuple[int, int]
    gaps: tuple[float, float]

    @property
    def chance(self) -> float:
        """The ratio that normal data which did not change exceed once in 740 times (three standard deviations).

        Squared errors of k components dropped follow F, and components fit the rows that they are made of better
        than others: by about (n + d) / (n - d) for d attributes. Where values are missing, each correlation is of
        other rows, which blurs an eigenvalue by about the root of the share missing over n.
        """
        d, k = len(self.names), len(self.names) - self.components
        n, m = self.n
        if n <= d or m < 1:
            return float("inf")
        worst = float(stats.f.isf(stats.norm.sf(3), k * m, k * n)) * (n + d) / (n - d)
        blur, blur_after = (k * sqrt(gap / rows) for gap, rows in zip(self.gaps, self.n, strict=True))
        most = worst * (self.before + blur) + blur_after
        return most / self.before if self.before > 0 else float("inf") if most > 0 else worst

    @property
    def ratio(self) -> float:
        """After over before; 1 where both are zero."""
        if self.before > 0:
            return self.after / self.before
        return 1.0 if self.after == 0 else float("inf")


def reconstruction(before: TableSummary, after: TableSummary, kept: float = KEPT) -> Reconstruction | None:
    """Return the reconstruction errors of two summaries under the principal components of the first.

    Parameters
    ----------
    before, after : TableSummary
    kept : float, default 0.9
        The share of the variance before that the components kept explain at least; one component is always dropped.

    Returns
    -------
    Reconstruction or None
        None where fewer than two numeric attributes vary before and have values on both sides, or some of them are
        never present together.
    """
    names = [
        name
        for i, name in enumerate(before.schema.numeric)
        if before.moments.count[i] > 1
        and 0 < before.moments.m2[i] < np.inf
        and name in after.schema.numeric
        and after.moments.count[after.schema.numeric.index(name)] > 0
        and np.isfinite(after.moments.m2[after.schema.numeric.index(name)])
    ]
    if len(names) < 2:
        return None
    try:
        chosen = choose(before, names, ddof=0)
    except NotEnoughDataError:
        return None
    matrix = chosen.correlation if is_psd(chosen.correlation) else nearest_correlation(chosen.correlation)
    values, vectors = np.linalg.eigh(matrix)
    values, vectors = values[::-1].clip(0.0), vectors[:, ::-1]
    enough = int(np.searchsorted(np.cumsum(values) / values.sum(), kept)) + 1
    components = min(enough, len(names) - 1)
    dropped = vectors[:, components:]
    still, moved = (_second_moments(s, names, chosen.mean, chosen.std) for s in (before, after))
    if still is None or moved is None:
        return None
    errors = [float(np.einsum("ik,ij,jk->", dropped, m, dropped)) for m in (still, moved)]
    noise = 1e-12 * len(names)
    clean = [e if e > noise else 0.0 for e in errors]
    rows = chosen.n, _rows(after, names)
    gaps = 1 - rows[0] / before.n, 1 - rows[1] / after.n
    return Reconstruction(chosen.names, components, clean[0], clean[1], rows, gaps)


def _rows(summary: TableSummary, names: list[str]) -> int:
    index = [summary.pair_index(n) for n in names]
    return int(summary.pairs.count[np.ix_(index, index)].min())


def _second_moments(
    after: TableSummary, names: list[str], mean: NDArray[np.float64], std: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Return the means of products of the attributes after, shifted and scaled as before."""
    pairs = after.pairs
    index = np.array([after.pair_index(n) for n in names])
    square = np.ix_(index, index)
    count = pairs.count[square]
    if (count == 0).any():
        return None
    shift = pairs.mean[square] - mean[:, None]
    return np.asarray((pairs.comoment[square] / count + shift * shift.T) / np.outer(std, std))
