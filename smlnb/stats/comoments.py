"""Covariances of all pairs of attributes, each over the rows where both are present."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from smlnb.stats.base import Accumulator, State

__all__ = ["CoMomentSummary", "CoMoments"]

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CoMomentSummary:
    """Pairwise-complete co-moments.

    Attributes
    ----------
    count : array of int64, shape (d, d)
        Rows where both attributes are present.
    mean : array, shape (d, d)
        ``mean[i, j]`` is the mean of attribute i over the rows where j is present too.
    m2 : array, shape (d, d)
        ``m2[i, j]`` is the sum of squared deviations of i from that mean, over the same rows.
    comoment : array, shape (d, d)
        Sums of products of deviations from those means.
    """

    count: NDArray[np.int64]
    mean: Matrix
    m2: Matrix
    comoment: Matrix

    def covariance(self, ddof: int = 1) -> Matrix:
        """Return comoment / (count - ddof); NaN where count is not above ddof."""
        out = np.full(self.comoment.shape, np.nan)
        np.divide(self.comoment, self.count - ddof, out=out, where=self.count > ddof)
        return out

    def correlation(self) -> Matrix:
        """Return Pearson's coefficients, each over the rows where both are present; NaN without spread."""
        scale = np.sqrt(self.m2) * np.sqrt(self.m2.T)
        out: Matrix = np.full(self.comoment.shape, np.nan)
        np.divide(self.comoment, scale, out=out, where=scale > 0)
        np.fill_diagonal(out, np.where(np.diag(self.m2) > 0, 1.0, np.nan))
        return np.asarray(np.clip(out, -1.0, 1.0))


class CoMoments(Accumulator):
    """Count, means and co-moment of every pair of ``width`` attributes.

    Missing data are pairwise-complete: a row counts for pair (i, j) when both values are finite. Without missing
    values a block costs one matrix product. Memory is 32 width^2 bytes. Blocks are centred on their own means and
    merged by the formula of Chan, Golub and LeVeque (1983), pair by pair.

    Parameters
    ----------
    width : int
        The number of attributes.

    Examples
    --------
    >>> pairs = CoMoments(2)
    >>> pairs.update(np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]]))
    >>> pairs.result().covariance().tolist()
    [[1.0, 2.0], [2.0, 4.0]]
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.n = 0
        self._count = np.zeros((width, width), np.int64)
        self._mean = np.zeros((width, width))
        self._m2 = np.zeros((width, width))
        self._comoment = np.zeros((width, width))

    def update(self, block: Matrix) -> None:
        """Absorb a block of shape (width, rows)."""
        rows = block.shape[1]
        if rows == 0:
            return
        with np.errstate(over="ignore", invalid="ignore"):
            mean = block.mean(axis=1)
            if np.isfinite(mean).all():
                self._absorb_complete(block - mean[:, None], mean, rows)
            else:
                self._absorb_incomplete(block)
        self.n += rows

    def _absorb_complete(self, deviations: Matrix, mean: Matrix, rows: int) -> None:
        delta = deviations.mean(axis=1)
        comoment = deviations @ deviations.T - rows * np.outer(delta, delta)
        self._combine(np.int64(rows), (mean + delta)[:, None], np.diag(comoment)[:, None], comoment)

    def _absorb_incomplete(self, block: Matrix) -> None:
        present = np.isfinite(block)
        weights = present.astype(float)
        values = np.where(present, block, 0.0)
        # any centre does for the shift; the mean of what is present is the best
        centre = (values * 2.0**-64).sum(axis=1) / weights.sum(axis=1).clip(1) * 2.0**64
        deviations = np.where(present, block - centre[:, None], 0.0)
        count = weights @ weights.T
        shift = deviations @ weights.T / count.clip(1)
        comoment = deviations @ deviations.T - count * shift * shift.T
        m2 = np.maximum((deviations * deviations) @ weights.T - count * shift * shift, 0.0)
        np.fill_diagonal(comoment, np.diag(m2))
        self._combine(count.astype(np.int64), centre[:, None] + shift, m2, comoment)

    def _combine(self, count: Any, mean: Matrix, m2: Matrix, comoment: Matrix) -> None:
        total = self._count + count
        both = (self._count > 0) & (count > 0)
        delta = np.where(both, mean - self._mean, 0.0)
        share = count / np.maximum(total, 1)
        weight = self._count * share
        self._m2 = self._m2 + m2 + delta * delta * weight
        self._comoment = self._comoment + comoment + delta * delta.T * weight
        self._mean = np.where(self._count > 0, self._mean + delta * share, np.where(count > 0, mean, 0.0))
        self._count = total

    def merge(self, other: Self) -> None:
        """Absorb another; see the class for the formula."""
        self._check_mergeable(other)
        if other.n == 0:
            return
        with np.errstate(over="ignore", invalid="ignore"):
            self._combine(other._count, other._mean, other._m2, other._comoment)
        self.n += other.n

    def widen(self, width: int) -> None:
        """Add attributes up to ``width``; in everything absorbed so far they count as missing."""
        wide = CoMoments(width)
        old = slice(0, self.width)
        wide.n = self.n
        for name in _FIELDS:
            getattr(wide, name)[old, old] = getattr(self, name)
        self.__dict__.update(wide.__dict__)

    def result(self) -> CoMomentSummary:
        """Return counts, means, squared deviations and co-moments of all pairs."""
        return CoMomentSummary(self._count.copy(), self._mean.copy(), self._m2.copy(), self._comoment.copy())

    def empty(self) -> Self:
        """Return an empty one of the same width."""
        return type(self)(self.width)

    def configuration(self) -> dict[str, Any]:
        """Return the width."""
        return {"width": self.width}

    def _payload(self) -> State:
        return {"n": self.n, **{name[1:]: getattr(self, name).copy() for name in _FIELDS}}

    @classmethod
    def _from_payload(cls, configuration: Mapping[str, Any], payload: Mapping[str, Any]) -> Self:
        pairs = cls(configuration["width"])
        pairs.n = payload["n"]
        for name in _FIELDS:
            setattr(pairs, name, payload[name[1:]].copy())
        return pairs


_FIELDS = ("_count", "_mean", "_m2", "_comoment")
