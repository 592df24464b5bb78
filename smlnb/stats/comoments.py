"""Co-moments of all pairs of attributes, each over the rows where both are present."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from smlnb.stats.base import Accumulator, State
from smlnb.stats.centred import Centred
from smlnb.stats.downdate import check_counts, check_digits

__all__ = ["CoMomentSummary", "CoMomentSums", "CoMoments"]

Matrix = NDArray[np.float64]

BAND = 20_000  # pairs of wide matrices that are added at a time


@dataclass(frozen=True, slots=True)
class CoMomentSummary:
    """Pairwise-complete co-moments; sums over the rows where both are present of deviations from their means there.

    Attributes
    ----------
    count : array of int64, shape (d, d)
        Rows where both attributes are present.
    mean : array, shape (d, d)
        ``mean[i, j]`` is the mean of attribute i over those rows.
    m2 : array, shape (d, d)
        ``m2[i, j]`` is the sum of squared deviations of i.
    comoment : array, shape (d, d)
        Sums of products of the deviations of i and j.
    m21 : array, shape (d, d)
        ``m21[i, j]`` sums squared deviations of i times deviations of j.
    m22 : array, shape (d, d)
        Sums of squared deviations of i times squared deviations of j.
    """

    count: NDArray[np.int64]
    mean: Matrix
    m2: Matrix
    comoment: Matrix
    m21: Matrix
    m22: Matrix

    def covariance(self, ddof: int = 1) -> Matrix:
        """Return comoment / (count - ddof); NaN where count is not above ddof."""
        out = np.full(self.comoment.shape, np.nan)
        np.divide(self.comoment, self.count - ddof, out=out, where=self.count > ddof)
        return out

    def correlation(self) -> Matrix:
        """Return Pearson's coefficients, each over the rows where both are present; NaN without spread."""
        out: Matrix = np.full(self.comoment.shape, np.nan)
        with np.errstate(invalid="ignore"):  # squares may have overflowed
            scale = np.sqrt(self.m2) * np.sqrt(self.m2.T)
            np.divide(self.comoment, scale, out=out, where=scale > 0)
        np.fill_diagonal(out, np.where(np.diag(self.m2) > 0, 1.0, np.nan))
        return np.asarray(np.clip(out, -1.0, 1.0))


@dataclass(slots=True)
class CoMomentSums:
    """The six statistics of all pairs, and the one rule by which two sets of them add up.

    The arrays are replaced, never changed, once they are part of an accumulator: results may share them.

    While nothing is missing anywhere, the count is one number, and mean and m2 don't depend on the other attribute of
    a pair: they have the shapes (1, 1), (d, 1) and (d, 1) then, and broadcast. All others have the shape (d, d).
    """

    count: Any
    mean: Matrix
    m2: Matrix
    comoment: Matrix
    m21: Matrix
    m22: Matrix

    @classmethod
    def zero(cls, width: int) -> Self:
        """Return the sums over no rows."""
        return cls(np.zeros((width, width), np.int64), *(np.zeros((width, width)) for _ in range(5)))

    @classmethod
    def complete(cls, count: int, mean: Matrix, comoment: Matrix, m21: Matrix, m22: Matrix) -> Self:
        """Return the sums over rows in which nothing is missing; ``mean`` has the shape (d,)."""
        return cls(np.array([[count]]), mean[:, None], comoment.diagonal()[:, None], comoment, m21, m22)

    def full(self) -> Self:
        """Return copies, all of shape (d, d)."""
        return type(self)(*(np.array(matrix) for matrix in self.views()))

    def small(self) -> Self:
        """Return the same in the small shapes, where nothing was missing."""
        one, first = self.count[:1, :1], slice(0, 1)
        if self.count.size and all(
            (matrix == column).all()
            for matrix, column in (
                (self.count, one),
                (self.mean, self.mean[:, first]),
                (self.m2, self.m2[:, first]),
            )
        ):
            return replace(self, count=one.copy(), mean=self.mean[:, first].copy(), m2=self.m2[:, first].copy())
        return self

    def views(self) -> list[Any]:
        """Return all in the shape (d, d), not to be written to; no copies."""
        return [np.broadcast_to(getattr(self, name), self.comoment.shape) for name in _NAMES]

    def plus(self, other: Self) -> Self:
        """Return the sums over both (Chan, Golub and LeVeque 1983 for the second order, Pebay 2008 beyond)."""
        width = len(self.comoment)
        if width * width <= BAND:
            return self._plus(other, slice(0, width))
        # a few rows of all matrices at a time: so that what is computed on the way stays in the cache
        shapes = {name: np.broadcast(getattr(self, name), getattr(other, name)).shape for name in _NAMES}
        total = type(self)(**{name: np.empty(shapes[name], getattr(self, name).dtype) for name in _NAMES})
        step = max(8, BAND // width)
        for rows in (slice(start, start + step) for start in range(0, width, step)):
            part = self._plus(other, rows)
            for name in _NAMES:
                _rows(getattr(total, name), rows)[:] = getattr(part, name)
        return total

    def _plus(self, other: Self, rows: slice) -> Self:
        """Return some rows of the sums over both."""
        n1, n2 = _rows(self.count, rows), _rows(other.count, rows)
        if n1.size == n2.size == 1:
            n1, n2 = n1.item(), n2.item()  # arithmetic with plain numbers is quicker
        total = n1 + n2
        size = np.maximum(total, 1)
        w1, w2 = n1 / size, n2 / size
        mean, mean_other = _rows(self.mean, rows), _rows(other.mean, rows)
        some = (w1 > 0) & (w2 > 0)
        dx = _where(some, mean_other - mean, 0.0 * mean)
        dy = _where(some, _columns(other.mean, rows) - _columns(self.mean, rows), 0.0 * _columns(self.mean, rows))
        dxdy, dxdx = dx * dy, dx * dx
        k, v1, v2 = n1 * w2, w1 * w1, w2 * w2
        m2, m2_other = _rows(self.m2, rows), _rows(other.m2, rows)
        comoment, comoment_other = self.comoment[rows], other.comoment[rows]
        m21, m21_other = self.m21[rows], other.m21[rows]
        return type(self)(
            count=np.asarray(total).reshape(np.shape(total) or (1, 1)),
            mean=_where(w1 > 0, mean + w2 * dx, mean_other),
            m2=m2 + m2_other + k * dxdx,
            comoment=comoment + comoment_other + k * dxdy,
            m21=m21
            + m21_other
            + 2 * dx * (w1 * comoment_other - w2 * comoment)
            + dy * (k * (w1 - w2) * dxdx + (w1 * m2_other - w2 * m2)),
            m22=self.m22[rows]
            + other.m22[rows]
            + dxdy * (k * (v1 - w1 * w2 + v2) * dxdy + 4 * (v1 * comoment_other + v2 * comoment))
            + dy * (dy * (v1 * m2_other + v2 * m2) + 2 * (w1 * m21_other - w2 * m21))
            + dx * (dx * (v1 * _columns(other.m2, rows) + v2 * _columns(self.m2, rows)))
            + dx * (2 * (w1 * _columns(other.m21, rows) - w2 * _columns(self.m21, rows))),
        )

    def minus(self, other: Self, checked: int | None = None) -> Self:
        """Return the sums without those of a part: the same formulas, backwards.

        The digits are checked for the first ``checked`` attributes; all by default.

        Raises
        ------
        ForgetError
            If more is taken out than is there, or fewer than six digits of a variance would be left.
        """
        left = self.count - other.count
        check_counts(left)
        sizes = np.maximum(left, 1)
        mean = np.where(left > 0, (self.count * self.mean - other.count * other.mean) / sizes, 0.0)
        rest = type(self)(left, mean, *(np.zeros_like(self.m2) for _ in range(4)))
        # what joining the rest and the part would add to the sums of the two
        none = type(self)(other.count, other.mean, *(np.zeros_like(self.m2) for _ in range(4)))
        between = rest.plus(none)
        rest.m2 = self.m2 - other.m2 - between.m2
        some = (left > 1)[:checked, :checked]
        terms = self.m2 + other.m2 + between.m2
        check_digits("variance", rest.m2[:checked, :checked][some], terms[:checked, :checked][some])
        rest.comoment = self.comoment - other.comoment - between.comoment
        with_second = type(self)(left, mean, rest.m2, rest.comoment, rest.m21, rest.m22).plus(
            replace(other, m21=np.zeros_like(self.m2), m22=np.zeros_like(self.m2))
        )
        rest.m21 = self.m21 - other.m21 - with_second.m21
        full = replace(rest, m22=np.zeros_like(self.m2)).plus(replace(other, m22=np.zeros_like(self.m2)))
        rest.m22 = self.m22 - other.m22 - full.m22
        for name in ("m2", "comoment", "m21", "m22"):
            getattr(rest, name)[left <= 1] = 0.0
        return rest


class CoMoments(Accumulator):
    """Counts, means and co-moments, to the order of (2, 2), of every pair of ``width`` attributes.

    Missing data are pairwise-complete: a row counts for pair (i, j) when both values are finite. Without missing
    values a block costs three matrix products, with some six. Blocks are centred on their own means and merged by the
    formulas of Chan, Golub and LeVeque (1983) and Pebay (2008), pair by pair. The mixed orders are what conditional
    variances need: for a binary j the variance of i among the rows where j is 1 follows from m2, comoment and m21.

    Memory is 24 width^2 bytes while nothing is missing, 48 width^2 from the first missing value on, and twice as much
    again for a moment when a block is absorbed: for 1,000 attributes 24 or 48 MB, for 4,096 0.4 or 0.8 GB.

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
        nothing = np.zeros((width, width))
        self._sums = CoMomentSums.complete(0, np.zeros(width), nothing, nothing, nothing)

    @classmethod
    def of(cls, n: int, sums: CoMomentSums) -> Self:
        """Return one that has absorbed ``n`` rows with these sums."""
        pairs = cls(0)
        pairs.width, pairs.n, pairs._sums = len(sums.mean), n, sums
        return pairs

    @property
    def sums(self) -> CoMomentSums:
        """The sums, each of shape (width, width), not copied."""
        if self._sums.count.shape != self._sums.comoment.shape:
            self._sums = self._sums.full()
        return self._sums

    def update(self, block: Matrix) -> None:
        """Absorb a block of shape (width, rows)."""
        self.absorb(Centred.of(block))

    def absorb(self, centred: Centred) -> None:
        """Absorb a block that was centred before."""
        if centred.rows == 0:
            return
        with np.errstate(over="ignore", invalid="ignore"):
            self._sums = self._sums.plus(_complete(centred) if centred.present is None else _incomplete(centred))
        self.n += centred.rows

    def merge(self, other: Self) -> None:
        """Absorb another; see the class for the formulas."""
        self._check_mergeable(other)
        if other.n == 0:
            return
        with np.errstate(over="ignore", invalid="ignore"):
            self._sums = self._sums.plus(other._sums)
        self.n += other.n

    def forget(self, block: Matrix) -> None:
        """Take out a block; see :meth:`CoMomentSums.minus`."""
        self.subtract(Centred.of(block))

    def subtract(self, centred: Centred) -> None:
        """Take out a block that was centred before."""
        gone = self.empty()
        gone.absorb(centred)
        with np.errstate(over="ignore", invalid="ignore"):
            self._sums = self._sums.full().minus(gone._sums.full())
        self.n -= gone.n

    def widen(self, width: int) -> None:
        """Add attributes up to ``width``; in everything absorbed so far they count as missing."""
        wide, old = CoMomentSums.zero(width), slice(0, self.width)
        for name in _NAMES:
            getattr(wide, name)[old, old] = getattr(self._sums, name)
        self.width, self._sums = width, wide

    def result(self) -> CoMomentSummary:
        """Return counts, means and co-moments of all pairs."""
        return CoMomentSummary(*self._sums.views())  # which the next block replaces, but does not change

    def empty(self) -> Self:
        """Return an empty one of the same width."""
        return type(self)(self.width)

    def configuration(self) -> dict[str, Any]:
        """Return the width."""
        return {"width": self.width}

    def _payload(self) -> State:
        sums = self._sums.full()
        return {"n": self.n, **{name: getattr(sums, name) for name in _NAMES}}

    def _comparable(self) -> State:
        # mixed sums cancel: they are as exact as the largest even ones of their order allow
        spread = np.sqrt(np.diag(self._sums.comoment))
        scale = np.outer(spread**2, spread)
        return {
            **self._payload(),
            "m21": np.concatenate([self.sums.m21, scale]),
            "m22": np.concatenate([self.sums.m22, scale * spread]),
        }

    @classmethod
    def _from_payload(cls, configuration: Mapping[str, Any], payload: Mapping[str, Any]) -> Self:
        pairs = cls(configuration["width"])
        pairs.n = payload["n"]
        pairs._sums = CoMomentSums(**{name: payload[name].copy() for name in _NAMES}).small()
        return pairs


_NAMES = tuple(f.name for f in fields(CoMomentSums))


def _where(condition: Any, yes: Matrix, no: Matrix) -> Matrix:
    """Choose as ``np.where``, but at once where there is only one condition."""
    if isinstance(condition, np.ndarray):
        return np.where(condition, yes, no)
    return yes if condition else no


def _rows(matrix: Any, rows: slice) -> Any:
    """Return these rows; those of one number for all pairs are that number."""
    return matrix if len(matrix) == 1 else matrix[rows]


def _columns(matrix: Any, rows: slice) -> Any:
    """Return these rows of the transposed matrix."""
    return matrix.T if matrix.shape[1] == 1 else matrix[:, rows].T


def _complete(centred: Centred) -> CoMomentSums:
    """Return the sums of a block in which nothing is missing."""
    return CoMomentSums.complete(centred.rows, centred.mean, *centred.products)


def _incomplete(centred: Centred) -> CoMomentSums:
    """Return the sums of a block in which something is missing: about the attributes' means, then about the pairs'."""
    weights = np.asarray(centred.present, dtype=float)
    count = weights @ weights.T
    shift = centred.deviations @ weights.T / count.clip(1)  # of a pair's mean from the attribute's own
    comoment, m21, m22 = centred.products
    raw = CoMomentSums(count, shift, centred.squares @ weights.T, comoment.copy(), m21, m22)
    m2, comoment, m21, m22 = _recentred(raw)
    mean = np.where(count > 0, centred.mean[:, None] + shift, 0.0)
    return CoMomentSums(count.astype(np.int64), mean, m2, comoment, m21, m22)


def _recentred(raw: CoMomentSums) -> tuple[Matrix, Matrix, Matrix, Matrix]:
    """Return sums about zero, with means ``raw.mean``, as sums about those means."""
    a, n = raw.mean, raw.count
    b = a.T
    m2 = np.maximum(raw.m2 - n * a * a, 0.0)
    comoment = raw.comoment - n * a * b
    np.fill_diagonal(comoment, np.diag(m2))
    m21 = raw.m21 - b * raw.m2 - 2 * a * raw.comoment + 2 * n * a * a * b
    m22 = (
        raw.m22
        - 2 * (b * raw.m21 + a * raw.m21.T)
        + b * b * raw.m2
        + a * a * raw.m2.T
        + 4 * a * b * raw.comoment
        - 3 * n * a * a * b * b
    )
    return m2, comoment, m21, np.maximum(m22, 0.0)
