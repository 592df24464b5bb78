"""Count, mean and spread of many groups at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Groups"]

Vector = NDArray[np.float64]

SAFE_SCALE = 2.0**-64  # brings sums of huge but finite values back into range; exact, being a power of two
LARGE = 1e250


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Counts, means and central sums of squares, each of shape (groups,); both floats are 0 where the count is.

    Values beyond 1e150 in magnitude overflow the sums of squares to infinity.

    Examples
    --------
    >>> groups = Groups.of(np.array([1.0, 3.0, 10.0])).pooled(np.array([0, 0, 1]), 3)
    >>> groups.count.tolist(), groups.mean.tolist(), groups.m2.tolist()
    ([2, 1, 0], [2.0, 10.0, 0.0], [2.0, 0.0, 0.0])
    """

    count: NDArray[np.int64]
    mean: Vector
    m2: Vector

    @classmethod
    def of(cls, values: Vector) -> Self:
        """Make a group of each value."""
        return cls(np.ones(len(values), np.int64), np.array(values, float), np.zeros(len(values)))

    @classmethod
    def none(cls, size: int) -> Self:
        """Make groups without values."""
        return cls(np.zeros(size, np.int64), np.zeros(size), np.zeros(size))

    def __len__(self) -> int:
        return len(self.count)

    def take(self, which: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Self:
        """Return some of the groups."""
        return type(self)(self.count[which], self.mean[which], self.m2[which])

    def followed_by(self, other: Self) -> Self:
        """Return these groups and then those of another."""
        return type(self)(
            np.concatenate([self.count, other.count]),
            np.concatenate([self.mean, other.mean]),
            np.concatenate([self.m2, other.m2]),
        )

    def pooled(self, codes: NDArray[np.intp], size: int) -> Self:
        """Put the groups together: group ``i`` becomes a part of group ``codes[i]`` of ``size``.

        In two passes, the second of which takes out the rounding error of the mean; so the values of a constant have
        exactly that mean, and a group that stays alone keeps its bits.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            weights = self.count.astype(float)
            count = np.bincount(codes, weights, size)
            some = count.clip(1)
            unit = SAFE_SCALE if np.abs(self.mean).max(initial=0.0) > LARGE else 1.0
            mean = np.bincount(codes, weights * (self.mean * unit), size) / some / unit
            delta = self.mean - mean[codes]
            rounding = np.bincount(codes, weights * (delta * unit), size) / some / unit
            delta -= rounding[codes]
            m2 = np.bincount(codes, self.m2 + weights * delta**2, size)
        return type(self)(count.astype(np.int64), mean + rounding, np.asarray(m2, float))

    def __add__(self, other: Self) -> Self:
        """Merge group by group, by the formula of Chan, Golub and LeVeque (1983)."""
        with np.errstate(over="ignore", invalid="ignore"):
            a, b = self.count.astype(float), other.count.astype(float)
            share = b / (a + b).clip(1)
            delta = np.where((a > 0) & (b > 0), other.mean - self.mean, 0.0)
            mean = np.where(a > 0, self.mean + delta * share, other.mean)
            m2 = self.m2 + other.m2 + delta**2 * a * share
        return type(self)(self.count + other.count, mean, m2)

    def std(self) -> Vector:
        """Return the standard deviations with ``ddof=1``; NaN where there are fewer than two values."""
        out = np.full(len(self), np.nan)
        several = self.count > 1
        out[several] = np.sqrt(self.m2[several] / (self.count[several] - 1))
        return out
