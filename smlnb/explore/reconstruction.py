"""How well the principal components of some data fit other data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smlnb.errors import NotEnoughDataError
from smlnb.explore.matrix import choose, is_psd, nearest_correlation
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
    """

    names: tuple[str, ...]
    components: int
    before: float
    after: float

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
        and before.moments.m2[i] > 0
        and name in after.schema.numeric
        and after.moments.count[after.schema.numeric.index(name)] > 0
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
    moved = _second_moments(after, names, chosen.mean, chosen.std)
    if moved is None:
        return None
    errors = [float(np.einsum("ik,ij,jk->", dropped, m, dropped)) for m in (matrix, moved)]
    noise = 1e-12 * len(names)
    clean = [e if e > noise else 0.0 for e in errors]
    return Reconstruction(chosen.names, components, clean[0], clean[1])


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
