"""Covariances of chosen attributes, and what can be wrong with such a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smlnb.errors import NotEnoughDataError, StatisticsError
from smlnb.exploration.names import columns, listed
from smlnb.stats.table import TableSummary

__all__ = ["Chosen", "choose", "collinear", "is_psd", "nearest_correlation"]

Matrix = NDArray[np.float64]
NOISE = 1e-10
"""Eigenvalues below this share of the largest one are zero, and above minus this share not negative."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Statistics of some attributes that vary, in the order in which they were named.

    Attributes
    ----------
    names : tuple of str
    constant : tuple of str
        Attributes left out: they have fewer than two values, or all their values are the same.
    n : int
        Rows of the pair of attributes with the fewest.
    mean, std : array, shape (names,)
        Of each attribute, over all its values.
    correlation, covariance : array, shape (names, names)
        Each pair over the rows where both are present.
    """

    names: tuple[str, ...]
    constant: tuple[str, ...]
    n: int
    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    correlation: Matrix
    covariance: Matrix

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, in words."""
        return (f"Left out, since they do not vary: {listed(self.constant)}.",) if self.constant else ()


def choose(summary: TableSummary, names: Sequence[str] | None, least: int = 2, ddof: int = 1) -> Chosen:
    """Return the statistics of the named attributes (all numeric ones for None) that vary.

    Raises
    ------
    UnknownAttributeError
        If an attribute is unknown.
    NotEnoughDataError
        If fewer than ``least`` attributes vary, or a pair of them is never present together, or one of such a pair
        does not vary there.
    StatisticsError
        If values are so large that their squares overflow.
    """
    pairs = summary.pairs
    index = np.array(columns(summary, names), dtype=np.intp)
    count, m2 = np.diag(pairs.count)[index], np.diag(pairs.m2)[index]
    wide = [summary.pair_names[i] for i in index[~np.isfinite(m2)]]
    if wide:
        raise StatisticsError(f"The values of {listed(wide)} are so large that their squares are no numbers any more.")
    varies = (count > max(1, ddof)) & (m2 > 0)
    constant = tuple(summary.pair_names[i] for i in index[~varies])
    index, count, m2 = index[varies], count[varies], m2[varies]
    if len(index) < least:
        raise NotEnoughDataError(
            f"At least {least} attribute(s) that vary are needed; there are {len(index)}"
            + (f" ({listed(constant)} do not vary)." if constant else ". Learn more data, or name more attributes.")
        )
    square = np.ix_(index, index)
    kept = tuple(summary.pair_names[i] for i in index)
    correlation, covariance = pairs.correlation()[square], pairs.covariance(ddof)[square]
    if not np.isfinite(correlation).all():
        i, j = np.argwhere(~np.isfinite(correlation))[0]
        raise NotEnoughDataError(
            f"{kept[i]!r} and {kept[j]!r} have no correlation: they are present together in "
            f"{int(pairs.count[square][i, j]):,} row(s), and do not both vary there. Leave one of them out."
        )
    return Chosen(
        names=kept,
        constant=constant,
        n=int(pairs.count[square].min()),
        mean=np.diag(pairs.mean)[index],
        std=np.sqrt(m2 / (count - ddof)),
        correlation=correlation,
        covariance=covariance,
    )


def is_psd(matrix: Matrix) -> bool:
    """Whether no eigenvalue is negative; pairs over different rows can make some so.

    Examples
    --------
    >>> is_psd(np.array([[1.0, 2.0], [2.0, 1.0]]))
    False
    """
    values = np.linalg.eigvalsh(matrix)
    return bool(values[0] >= -NOISE * max(values[-1], np.finfo(float).tiny))


def nearest_correlation(matrix: Matrix, rounds: int = 200) -> Matrix:
    """Return the correlation matrix nearest to a symmetric one of unit diagonal (Higham 2002, Dykstra's projections).

    Examples
    --------
    >>> nearest_correlation(np.array([[1.0, 2.0], [2.0, 1.0]])).round(6).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    found, correction = matrix.copy(), np.zeros_like(matrix)
    for _ in range(rounds):
        start = found - correction
        values, vectors = np.linalg.eigh(start)
        projected = (vectors * values.clip(0.0)) @ vectors.T
        correction = projected - start
        moved, found = found, projected.copy()
        np.fill_diagonal(found, 1.0)
        if np.abs(found - moved).max() < NOISE:
            break
    values, vectors = np.linalg.eigh(found)
    found = (vectors * values.clip(0.0)) @ vectors.T
    scale = np.sqrt(np.diag(found))
    found /= np.outer(scale, scale)
    np.fill_diagonal(found, 1.0)
    return np.asarray((found + found.T) / 2)


def collinear(correlation: Matrix) -> list[NDArray[np.intp]]:
    """Return the sets of attributes that depend on each other linearly: each can be left out by dropping one of them.

    Examples
    --------
    >>> [c.tolist() for c in collinear(np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 1.0]]))]
    [[0, 2]]
    """
    values, vectors = np.linalg.eigh(correlation)
    null = vectors[:, values <= NOISE * values[-1]]
    # eliminate, as by hand: every row of the reduced form is one dependence among the attributes
    rows = null.T.copy()
    for k in range(len(rows)):
        rest = np.abs(rows[k:])
        r, c = (int(v) for v in np.unravel_index(int(rest.argmax()), rest.shape))
        rows[[k, k + r]] = rows[[k + r, k]]
        rows[k] /= rows[k, c]
        others = np.arange(len(rows)) != k
        rows[others] -= np.outer(rows[others, c], rows[k])
    return [np.flatnonzero(np.abs(row) > 1e-6 * np.abs(row).max()) for row in rows]
