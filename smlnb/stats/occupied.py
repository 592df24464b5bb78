"""The cells of one attribute that hold values, at one level of the grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from smlnb.stats.grid import coarsen, fitting_level

__all__ = ["Occupied"]

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Occupied:
    """Cells and how many values each holds; never changed.

    Attributes
    ----------
    level : int
        Of the grid, see :mod:`smlnb.stats.grid`.
    keys : array of int64, shape (cells,)
        Rising.
    counts : array of int64, shape (cells,)
        At least 1 each.
    """

    level: int
    keys: Integers
    counts: Integers

    @classmethod
    def none(cls) -> Self:
        """Return no cells."""
        return cls(0, np.empty(0, np.int64), np.empty(0, np.int64))

    @classmethod
    def of(cls, keys: Integers, level: int, most: int) -> Self:
        """Count the keys of values, in order, in at most ``most`` cells.

        Examples
        --------
        >>> Occupied.of(np.array([1, 1, 7]), 0, 128)
        Occupied(level=0, keys=array([1, 7]), counts=array([2, 1]))
        """
        fitting = fitting_level(keys, level, most)
        if fitting > level:
            keys = coarsen(keys, level, fitting)
        starts = _starts(keys)
        return cls(fitting, keys[starts], np.diff(starts, append=len(keys)))

    def coarser(self, level: int) -> Self:
        """Return the same counts at a level that is not finer."""
        if level == self.level:
            return self
        keys = coarsen(self.keys, self.level, level)
        starts = _starts(keys)
        return type(self)(level, keys[starts], _sums(self.counts, starts))

    def plus(self, other: Self, most: int) -> Self:
        """Return the counts of both, at the finest level at which there are at most ``most`` cells."""
        for one, two in ((self, other), (other, self)):
            if not len(one.keys) and one.level <= two.level and len(two.keys) <= most:
                return two
        level = max(self.level, other.level)
        one, two = self.coarser(level), other.coarser(level)
        keys = np.concatenate([one.keys, two.keys])
        order = np.argsort(keys, kind="stable")  # quick, since it finds two runs that are in order
        keys, counts = keys[order], np.concatenate([one.counts, two.counts])[order]
        fitting = fitting_level(keys, level, most)
        if fitting > level:
            keys = coarsen(keys, level, fitting)
        starts = _starts(keys)
        return type(self)(fitting, keys[starts], _sums(counts, starts))


def _starts(keys: Integers) -> NDArray[np.intp]:
    """Return where another key begins."""
    new = np.empty(len(keys), np.bool_)
    new[:1] = True
    np.not_equal(keys[1:], keys[:-1], out=new[1:])
    return np.flatnonzero(new)


def _sums(counts: Integers, starts: NDArray[np.intp]) -> Integers:
    return np.add.reduceat(counts, starts) if len(starts) else counts
