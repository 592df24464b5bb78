"""Counts, sum, mean, variance, skewness, kurtosis and extremes of every attribute, merged without loss of digits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from smlnb.stats.base import Accumulator, State
from smlnb.stats.centred import Centred, scratch
from smlnb.stats.downdate import check_counts, check_digits

__all__ = ["MomentSummary", "Moments"]

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MomentSummary:
    """Central sums of every attribute, and what follows from them.

    Attributes
    ----------
    count, missing, infinite : array of int64, shape (attributes,)
        Finite values, NaN or null, and infinities; the three add up to the rows absorbed.
    zeros, negatives : array of int64, shape (attributes,)
        Finite values that are 0 (or -0), and that are below 0; exact.
    minimum, maximum : array, shape (attributes,)
        Of the finite values, exact; NaN where there are none.
    mean : array, shape (attributes,)
        NaN where there are no values.
    m2, m3, m4 : array, shape (attributes,)
        Sums of the second, third and fourth powers of the deviations from the mean.
    """

    count: NDArray[np.int64]
    missing: NDArray[np.int64]
    infinite: NDArray[np.int64]
    zeros: NDArray[np.int64]
    negatives: NDArray[np.int64]
    minimum: Vector
    maximum: Vector
    mean: Vector
    m2: Vector
    m3: Vector
    m4: Vector

    @property
    def sum(self) -> Vector:
        """Count times mean; 0 where there are no values."""
        return np.where(self.count > 0, self.count * np.nan_to_num(self.mean), 0.0)

    def variation(self, ddof: int = 1) -> Vector:
        """Return the coefficient of variation, std / |mean|; NaN where the mean is 0 or std is not defined."""
        return _ratio(self.std(ddof), np.abs(self.mean), np.nan_to_num(self.mean) != 0)

    def variance(self, ddof: int = 1) -> Vector:
        """Return m2 / (count - ddof); NaN where count is not above ddof."""
        return _ratio(self.m2, self.count - ddof, self.count > ddof)

    def std(self, ddof: int = 1) -> Vector:
        """Return the square root of the variance."""
        return np.sqrt(self.variance(ddof))

    def skewness(self, *, bias: bool = False) -> Vector:
        """Return g1 = sqrt(n) m3 / m2^1.5 (``bias=True``) or its unbiased form G1, as pandas; NaN without spread."""
        n = self.count.astype(float)
        defined = (self.m2 > 0) & (self.count > (0 if bias else 2))
        g1 = _ratio(np.sqrt(n) * self.m3, self.m2**1.5, defined)
        return g1 if bias else g1 * _ratio(np.sqrt(n * (n - 1).clip(0)), n - 2, defined)

    def kurtosis(self, *, bias: bool = False) -> Vector:
        """Return the excess kurtosis g2 = n m4 / m2^2 - 3 (``bias=True``) or its unbiased form G2, as pandas."""
        n = self.count.astype(float)
        defined = (self.m2 > 0) & (self.count > (0 if bias else 3))
        g2 = _ratio(n * self.m4, self.m2**2, defined) - 3
        return g2 if bias else _ratio((n - 1) * ((n + 1) * g2 + 6), (n - 2) * (n - 3), defined)


def _ratio(top: Any, bottom: Any, defined: NDArray[np.bool_]) -> Vector:
    out = np.full(np.shape(defined), np.nan)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        np.divide(top, bottom, out=out, where=defined)
    return out


class Moments(Accumulator):
    """Moments to order four, extremes, zeros and negatives of ``width`` attributes.

    Each block is centred on its own means, and blocks merge by the formulas of Chan, Golub and LeVeque (1983) for the
    second and of Pebay (2008, eq. 2.1) for the third and fourth central sums; raw powers are never summed. Values
    beyond 1e75 in magnitude overflow the fourth order.

    Parameters
    ----------
    width : int
        The number of attributes.

    Examples
    --------
    >>> moments = Moments(2)
    >>> moments.update(np.array([[1.0, 2.0, 3.0], [5.0, np.nan, 7.0]]))
    >>> summary = moments.result()
    >>> summary.mean.tolist(), summary.variance().tolist(), summary.missing.tolist()
    ([2.0, 6.0], [1.0, 2.0], [0, 1])
    """

    version: ClassVar[int] = 2

    def __init__(self, width: int) -> None:
        self.width = width
        self.n = 0
        self._missing = np.zeros(width, np.int64)
        self._infinite = np.zeros(width, np.int64)
        self._zeros = np.zeros(width, np.int64)
        self._negatives = np.zeros(width, np.int64)
        self._minimum = np.full(width, np.inf)
        self._maximum = np.full(width, -np.inf)
        self._mean = np.zeros(width)
        self._m2 = np.zeros(width)
        self._m3 = np.zeros(width)
        self._m4 = np.zeros(width)

    @property
    def _count(self) -> NDArray[np.int64]:
        return self.n - self._missing - self._infinite

    def update(self, block: Vector) -> None:
        """Absorb a block of shape (width, rows)."""
        self.absorb(Centred.of(block))

    def absorb(self, centred: Centred) -> None:
        """Absorb a block that was centred before."""
        if centred.rows == 0:
            return
        part = self.empty()
        part.n = centred.rows
        part._missing, part._infinite = centred.missing, centred.infinite
        part._minimum, part._maximum = centred.minimum, centred.maximum
        part._zeros, part._negatives = _zeros(centred), _negatives(centred)
        part._mean = centred.mean
        part._m2, part._m3, part._m4 = centred.sums
        self.merge(part)

    def merge(self, other: Self) -> None:
        """Absorb another; see the class for the formulas."""
        self._check_mergeable(other)
        if other.n == 0:
            return
        if self.n == 0:
            for name in _FIELDS:
                setattr(self, name, getattr(other, name).copy())
            self.n = other.n
            return
        with np.errstate(over="ignore", invalid="ignore"):
            na, nb = self._count, other._count
            n = np.maximum(na + nb, 1)
            delta = np.where((na > 0) & (nb > 0), other._mean - self._mean, 0.0)
            a, b = na / n * delta, nb / n * delta  # how far the common mean is from the other's, and from this one's
            ab, k = a * b, a * delta * nb
            a2, b2, a3, b3 = self._m2, other._m2, self._m3, other._m3
            self._m4 = (
                self._m4 + other._m4 + k * (a * a - ab + b * b) + 6 * (a * a * b2 + b * b * a2) + 4 * (a * b3 - b * a3)
            )
            self._m3 = a3 + b3 + k * (a - b) + 3 * (a * b2 - b * a2)
            self._m2 = a2 + b2 + k
            self._mean = np.where(na > 0, self._mean + b, other._mean)
        self._minimum = np.minimum(self._minimum, other._minimum)
        self._maximum = np.maximum(self._maximum, other._maximum)
        self._missing = self._missing + other._missing
        self._infinite = self._infinite + other._infinite
        self._zeros = self._zeros + other._zeros
        self._negatives = self._negatives + other._negatives
        self.n += other.n

    def forget(self, block: Vector) -> None:
        """Take out a block by Chan's and Pebay's formulas, backwards; the extremes become unknown (NaN).

        Raises
        ------
        ForgetError
            If more is taken out than is there, or fewer than six digits of a sum would be left.
        """
        gone = self.empty()
        gone.absorb(Centred.of(block))
        left = self.empty()
        left.n = self.n - gone.n
        for name in _COUNTS:
            setattr(left, name, getattr(self, name) - getattr(gone, name))
        check_counts(np.concatenate([[left.n], left._count, *(getattr(left, name) for name in _COUNTS)]))
        n, ng, nl = self._count, gone._count, left._count
        some = (nl > 0) & (ng > 0)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = np.where(nl > 0, (n * self._mean - ng * gone._mean) / nl.clip(1), 0.0)
            d = np.where(some, gone._mean - mean, 0.0)
            w, k = ng / n.clip(1), ng * nl / n.clip(1)
            v = 1 - w
            t2 = k * d * d
            m2 = self._m2 - gone._m2 - t2
            t3 = t2 * d * (v - w) + 3 * d * (v * gone._m2 - w * m2)
            m3 = self._m3 - gone._m3 - t3
            t4 = t2 * d * d * (v * v - v * w + w * w) + 6 * d * d * (v * v * gone._m2 + w * w * m2)
            t4 = t4 + 4 * d * (v * gone._m3 - w * m3)
            m4 = self._m4 - gone._m4 - t4
        several = nl > 1
        spread = np.sqrt(np.maximum(m2, 0.0) / nl.clip(1))
        check_digits(
            "mean",
            np.maximum(np.abs(mean), spread)[nl > 0],
            ((n * np.abs(self._mean) + ng * np.abs(gone._mean)) / nl.clip(1))[nl > 0],
        )
        check_digits("variance", m2[several], (self._m2 + gone._m2 + np.abs(t2))[several])
        check_digits("kurtosis", m4[several], (self._m4 + gone._m4 + np.abs(t4))[several])
        left._mean = mean
        left._m2, left._m3, left._m4 = (np.where(several, m, 0.0) for m in (m2, m3, m4))
        unknown = (ng > 0) & (nl > 0)
        left._minimum = np.where(unknown, np.nan, np.where(nl > 0, self._minimum, np.inf))
        left._maximum = np.where(unknown, np.nan, np.where(nl > 0, self._maximum, -np.inf))
        self.__dict__.update(left.__dict__)

    def widen(self, width: int) -> None:
        """Add attributes up to ``width``; in everything absorbed so far they count as missing."""
        wide = Moments(width)
        wide.n = self.n
        wide._missing[self.width :] = self.n
        for name in _FIELDS:
            getattr(wide, name)[: self.width] = getattr(self, name)
        self.__dict__.update(wide.__dict__)

    def result(self) -> MomentSummary:
        """Return the central sums and what follows from them."""
        count = self._count
        none = count == 0
        nan = np.nan
        return MomentSummary(
            count=count,
            missing=self._missing.copy(),
            infinite=self._infinite.copy(),
            zeros=self._zeros.copy(),
            negatives=self._negatives.copy(),
            minimum=np.where(none, nan, self._minimum),
            maximum=np.where(none, nan, self._maximum),
            mean=np.where(none, nan, self._mean),
            m2=self._m2.copy(),
            m3=self._m3.copy(),
            m4=self._m4.copy(),
        )

    def empty(self) -> Self:
        """Return an empty one of the same width."""
        return type(self)(self.width)

    def configuration(self) -> dict[str, Any]:
        """Return the width."""
        return {"width": self.width}

    def _payload(self) -> State:
        return {"n": self.n, **{name[1:]: getattr(self, name).copy() for name in _FIELDS}}

    def _comparable(self) -> State:
        # a mean near zero may be that of large values, and third powers cancel as far as the fourth ones allow
        reach = np.where(self._count > 0, np.maximum(np.abs(self._minimum), np.abs(self._maximum)), 0.0)
        return {
            **self._payload(),
            "mean": np.concatenate([self._mean, reach]),
            "m3": np.concatenate([self._m3, self._m4**0.75]),
        }

    @classmethod
    def _from_payload(cls, configuration: Mapping[str, Any], payload: Mapping[str, Any]) -> Self:
        moments = cls(configuration["width"])
        moments.n = payload["n"]
        for name in _FIELDS:
            setattr(moments, name, payload[name[1:]].copy())
        return moments


_COUNTS = ("_missing", "_infinite", "_zeros", "_negatives")
_FIELDS = (*_COUNTS, "_minimum", "_maximum", "_mean", "_m2", "_m3", "_m4")


def _zeros(centred: Centred) -> NDArray[np.int64]:
    """Count zeros; no pass over the block where the extremes exclude them, one where there are none."""
    if ((centred.minimum <= 0) & (centred.maximum >= 0)).any():
        mask = np.equal(centred.block, 0.0, out=scratch("zeros", centred.block.shape, np.bool_))
        if mask.any():
            return _count_by_row(mask)
    return np.zeros(len(centred.block), np.int64)


def _negatives(centred: Centred) -> NDArray[np.int64]:
    """Count negative finite values; no pass over the block where the minima exclude them."""
    if not (centred.minimum < 0).any():
        return np.zeros(len(centred.block), np.int64)
    mask = np.less(centred.block, 0.0, out=scratch("zeros", centred.block.shape, np.bool_))
    if centred.present is not None:
        mask &= centred.present
    return _count_by_row(mask)


def _count_by_row(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    # row by row it is 1 ns per row of 10 attributes, with axis=1 it is 4
    return np.array([np.count_nonzero(row) for row in mask], np.int64)
