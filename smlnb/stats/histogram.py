"""Exact counts in bounded cells, the same in any order of merging, for data of unknown range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smlnb.errors import NotEnoughDataError
from smlnb.stats.base import Accumulator, State
from smlnb.stats.centred import Centred
from smlnb.stats.downdate import check_counts
from smlnb.stats.grid import LAST_LEVEL, MANTISSA_LEVELS, bit_length, coarsen, edges, keys_of
from smlnb.stats.lookup import Lookup

__all__ = ["Cells", "Histogram"]

Vector = NDArray[np.float64]
Counts = NDArray[np.int64]

MINIMUM_CELLS = 128
REBUILD_SHARE = 0.05  # of values of a block that the lookup does not know, above which it is made anew
REBUILD_GROWTH = 1.5  # times as many rows as at the last time


@dataclass(frozen=True, slots=True)
class Cells:
    """The occupied cells of one attribute, in order of the values.

    Attributes
    ----------
    low, high : array, shape (cells,)
        Edges; clipped to the smallest and largest value seen.
    counts : array of int64, shape (cells,)
        Values in each cell, exact.
    """

    low: Vector
    high: Vector
    counts: Counts

    @property
    def total(self) -> int:
        """Values in all cells."""
        return int(self.counts.sum())

    def below(self, values: ArrayLike) -> Vector:
        """Return how many values lie below each of ``values``; inside a cell they count as spread evenly."""
        before = np.concatenate([[0], np.cumsum(self.counts)])
        positions = np.column_stack([self.low, self.high]).ravel()
        heights = np.column_stack([before[:-1], before[1:]]).ravel()
        return np.asarray(np.interp(np.asarray(values, dtype=float), positions, heights.astype(float), left=0.0))

    def counts_between(self, bin_edges: ArrayLike) -> Vector:
        """Return the counts of the bins between increasing edges; the last bin holds its upper edge, as in NumPy."""
        bounds = np.array(bin_edges, dtype=float)
        bounds[-1] = _next_float(bounds[-1])
        return np.diff(self.below(bounds))

    def quantile(self, q: ArrayLike) -> Vector:
        """Return approximate quantiles: the value below which the share ``q`` lies, to the width of a cell."""
        if self.total == 0:
            raise NotEnoughDataError("There are no values yet, so there is no quantile.")
        before = np.concatenate([[0], np.cumsum(self.counts)]).astype(float)
        target = np.asarray(q, dtype=float) * self.total
        cell = np.clip(np.searchsorted(before, target, side="right") - 1, 0, len(self.counts) - 1)
        inside = np.clip((target - before[cell]) / self.counts[cell], 0.0, 1.0)
        # numbers that share a cell with nothing else are points, not intervals
        return np.asarray(
            np.clip(self.low[cell] + inside * (self.high[cell] - self.low[cell]), self.low[0], self.high[-1])
        )


class Histogram(Accumulator):
    """Counts of ``width`` attributes in at most ``cells`` cells each.

    The cells are those of :mod:`smlnb.stats.grid`, at the finest level at which the occupied ones are not more than
    ``cells``. That level depends on the values alone, never on their order: so any order and any grouping of merges
    gives identical cells. One outlier occupies one cell and spoils nothing.

    Parameters
    ----------
    width : int
        The number of attributes.
    cells : int, default 1024
        The most cells kept per attribute; 16 bytes each. At least 128.

    Examples
    --------
    >>> histogram = Histogram(1)
    >>> histogram.update(np.array([[1.0, 2.0, 2.0, np.nan, 1e9]]))
    >>> histogram.result()[0].counts.tolist()
    [1, 2, 1]
    """

    def __init__(self, width: int, cells: int = 1024) -> None:
        if cells < MINIMUM_CELLS:
            raise ValueError(f"a histogram needs at least {MINIMUM_CELLS} cells, not {cells}")
        self.width = width
        self.cells = cells
        self.n = 0
        self._absent = np.zeros(width, np.int64)
        self._minimum = np.full(width, np.inf)
        self._maximum = np.full(width, -np.inf)
        self._levels = np.zeros(width, np.int64)
        self._keys: list[Counts] = [np.empty(0, np.int64)] * width
        self._counts: list[Counts] = [np.empty(0, np.int64)] * width
        self._lookup: Lookup | None = None  # made when something is absorbed: what is only merged does without
        self._rebuilt_at = 0

    def update(self, block: Vector) -> None:
        """Absorb a block of shape (width, rows)."""
        self.absorb(Centred.of(block))

    def absorb(self, centred: Centred) -> None:
        """Absorb a block whose extremes and gaps were found before."""
        rows = centred.rows
        self.n += rows
        if rows == 0 or self.width == 0:
            return
        self._absent += rows - centred.count
        # adding zero makes -0.0 positive: which of the two came first must not be seen
        self._minimum = np.minimum(self._minimum, centred.minimum) + 0.0
        self._maximum = np.maximum(self._maximum, centred.maximum) + 0.0
        keys = keys_of(centred.block, self._levels[:, None])
        if self._lookup is None:
            self._lookup, self._rebuilt_at = Lookup(self._keys, self._counts), self.n - rows
        missed = self._lookup.count(keys)
        if centred.present is not None:
            missed &= centred.present
        most_missed = 0
        for i in np.flatnonzero(missed.any(axis=1)).tolist():
            most_missed = max(most_missed, self._count(i, keys[i, missed[i]]))
        crowded = any(len(k) > self.cells for k in self._keys)
        if crowded or (most_missed > REBUILD_SHARE * rows and self.n > REBUILD_GROWTH * self._rebuilt_at):
            self._settle()

    def _count(self, i: int, keys: Counts) -> int:
        """Count keys that the lookup does not know, in cells of their own where need be; return how many there were."""
        at = np.searchsorted(self._keys[i], keys)
        known = self._keys[i].take(at, mode="clip") == keys if len(self._keys[i]) else np.zeros(len(keys), bool)
        np.add.at(self._counts[i], at[known], 1)
        if not known.all():
            self._add(i, *np.unique(keys[~known], return_counts=True))
        return len(keys)

    def _add(self, i: int, keys: Counts, counts: Counts) -> None:
        """Add counts of keys given at the present level of attribute ``i``."""
        self._keys[i], self._counts[i] = _sum_by_key(
            np.concatenate([self._keys[i], keys]),
            np.concatenate([self._counts[i], counts]),
        )

    def _settle(self) -> None:
        """Bring all counts into the sorted cells, and coarsen where there are too many."""
        for i in range(self.width):
            if self._lookup is not None:
                self._add(i, *self._lookup.drain(i))
            if len(self._keys[i]) > self.cells:
                self._coarsen(i, self._fitting_level(i))
        self._lookup = None

    def _fitting_level(self, i: int) -> int:
        """Return the finest level at which the cells of attribute ``i`` are few enough."""
        keys, now = self._keys[i], int(self._levels[i])
        if now < MANTISSA_LEVELS:
            # neighbours fall into one cell once the bits in which they differ are cut off
            differing = np.sort(bit_length(keys[1:] ^ keys[:-1]))
            level = now + int(differing[len(keys) - self.cells - 1])
            if level <= MANTISSA_LEVELS:
                return level
        low, high = max(now, MANTISSA_LEVELS), LAST_LEVEL  # too many cells at low, few enough at high
        keys = coarsen(keys, now, low)
        while high - low > 1:
            middle = (low + high) // 2
            cells = np.count_nonzero(np.diff(coarsen(keys, max(now, MANTISSA_LEVELS), middle))) + 1
            low, high = (middle, high) if cells > self.cells else (low, middle)
        return high

    def _coarsen(self, i: int, to: int) -> None:
        keys = coarsen(self._keys[i], int(self._levels[i]), to)
        self._keys[i], self._counts[i] = _sum_by_key(keys, self._counts[i])
        self._levels[i] = to

    def merge(self, other: Self) -> None:
        """Absorb another; the cells are those that all values together would have made."""
        self._check_mergeable(other)
        for i, (level, keys, counts) in enumerate(other._settled()):
            if level > self._levels[i]:
                if self._lookup is not None:
                    self._add(i, *self._lookup.drain(i))
                self._coarsen(i, level)
            self._add(i, coarsen(keys, level, int(self._levels[i])), counts)
        self.n += other.n
        self._absent += other._absent
        self._minimum = np.minimum(self._minimum, other._minimum)
        self._maximum = np.maximum(self._maximum, other._maximum)
        self._settle()

    def forget(self, block: Vector) -> None:
        """Take out a block, exactly; the cells stay as wide as they are.

        Raises
        ------
        ForgetError
            If a cell would hold fewer than no values.
        """
        centred = Centred.of(block)
        keys = keys_of(block, self._levels[:, None])
        left = []
        for i, (_, known, counts) in enumerate(self._settled()):
            fresh = keys[i] if centred.present is None else keys[i, centred.present[i]]
            gone, times = np.unique(fresh, return_counts=True)
            at = np.searchsorted(known, gone)
            if len(gone) and not (len(known) and (known.take(at, mode="clip") == gone).all()):
                check_counts(np.array([-1]))
            rest = counts.copy()
            rest[at] -= times
            check_counts(rest)
            left.append((known[rest > 0], rest[rest > 0]))
        self._keys, self._counts = [k for k, _ in left], [c for _, c in left]
        self.n -= centred.rows
        self._absent -= centred.rows - centred.count
        self._lookup = None

    def _settled(self) -> list[tuple[int, Counts, Counts]]:
        """Return level, sorted keys and counts of each attribute, and leave everything as it is."""
        cells = []
        for i in range(self.width):
            total = self._counts[i].copy()
            if self._lookup is not None:
                keys, counts = self._lookup.peek(i)
                total[np.searchsorted(self._keys[i], keys)] += counts
            cells.append((int(self._levels[i]), self._keys[i], total))
        return cells

    def widen(self, width: int) -> None:
        """Add attributes up to ``width``; in everything absorbed so far they count as missing."""
        wide = type(self)(width, self.cells)
        wide.n = self.n
        wide._absent[self.width :] = self.n
        old = slice(0, self.width)
        wide._absent[old], wide._levels[old] = self._absent, self._levels
        wide._minimum[old], wide._maximum[old] = self._minimum, self._maximum
        for i, (_, keys, counts) in enumerate(self._settled()):
            wide._keys[i], wide._counts[i] = keys, counts
        self.__dict__.update(wide.__dict__)

    def result(self) -> list[Cells]:
        """Return the cells of each attribute."""
        return [self._cells(i, *settled) for i, settled in enumerate(self._settled())]

    def _cells(self, i: int, level: int, keys: Counts, counts: Counts) -> Cells:
        low, high = edges(keys, level)
        if len(keys):
            low[0] = max(low[0], self._minimum[i])
            high[-1] = min(high[-1], _next_float(self._maximum[i]))
        return Cells(low, high, counts)

    def empty(self) -> Self:
        """Return an empty one of the same configuration."""
        return type(self)(self.width, self.cells)

    def configuration(self) -> dict[str, Any]:
        """Return width and number of cells."""
        return {"width": self.width, "cells": self.cells}

    def _payload(self) -> State:
        settled = self._settled()
        return {
            "n": self.n,
            "absent": self._absent.copy(),
            "minimum": self._minimum.copy(),
            "maximum": self._maximum.copy(),
            "levels": self._levels.copy(),
            "lengths": np.array([len(keys) for _, keys, _ in settled], np.int64),
            "keys": np.concatenate([np.empty(0, np.int64), *(keys for _, keys, _ in settled)]),
            "counts": np.concatenate([np.empty(0, np.int64), *(counts for _, _, counts in settled)]),
        }

    @classmethod
    def _from_payload(cls, configuration: Mapping[str, Any], payload: Mapping[str, Any]) -> Self:
        histogram = cls(configuration["width"], configuration["cells"])
        histogram.n = payload["n"]
        histogram._absent = payload["absent"].copy()
        histogram._minimum = payload["minimum"].copy()
        histogram._maximum = payload["maximum"].copy()
        histogram._levels = payload["levels"].copy()
        ends = np.cumsum(payload["lengths"])[:-1]
        histogram._keys = list(np.split(payload["keys"], ends)) if histogram.width else []
        histogram._counts = list(np.split(payload["counts"].copy(), ends)) if histogram.width else []
        return histogram


def _next_float(value: float) -> float:
    """Return the smallest number above ``value``; the largest one has none."""
    return float(np.nextafter(value, np.inf)) if value < np.finfo(float).max else value


def _sum_by_key(keys: Counts, counts: Counts) -> tuple[Counts, Counts]:
    """Return the different keys, sorted, and the sums of their counts."""
    order = np.argsort(keys)
    ordered = keys[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=ordered[:1] - 1)) if len(ordered) else np.empty(0, np.intp)
    return ordered[starts], np.add.reduceat(counts[order], starts) if len(starts) else counts
