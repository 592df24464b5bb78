"""Exact counts in bounded cells, the same in any order of merging, for data of unknown range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smlnb.errors import NotEnoughDataError
from smlnb.stats.base import Accumulator, State
from smlnb.stats.centred import Centred
from smlnb.stats.downdate import check_counts
from smlnb.stats.grid import edges, keys_of
from smlnb.stats.lookup import Lookup, picked
from smlnb.stats.occupied import Occupied

__all__ = ["Cells", "Histogram"]

Vector = NDArray[np.float64]
Counts = NDArray[np.int64]

MINIMUM_CELLS = 128
PER_CELL = 8  # values per occupied cell from which on most values fall into cells that are known
AT_ONCE = 65_536  # values: their keys, hashes and so on stay in the cache
WAITING = 2048  # keys per attribute that are not counted at once


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

    Memory is at most 16 x cells bytes per attribute; with the tables that make counting quick, which are there once
    some 8 values per cell were seen in blocks, and the values that wait to be counted, 80 x cells + 16 kB: for 1,000
    attributes of 1,024 cells 100 MB, and 16 MB in a state.

    Parameters
    ----------
    width : int
        The number of attributes.
    cells : int, default 1024
        The most cells kept per attribute; at least 128.

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
        self._occupied: list[Occupied] = [Occupied.none()] * width
        self._levels = np.zeros(width, np.int64)
        # counts of cells that are known: made when much is absorbed; what is only merged does without
        self._lookup: Lookup | None = None
        # keys that are still to be counted, at the present level: many at once are cheaper
        self._waiting: Counts | None = None
        self._waits = [0] * width

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
        step = max(1, AT_ONCE // rows)
        for part in (slice(start, start + step) for start in range(0, self.width, step)):
            self._absorb(part, centred.block[part], None if centred.present is None else centred.present[part])

    def _absorb(self, part: slice, block: Vector, present: NDArray[np.bool_] | None) -> None:
        """Absorb some attributes of a block."""
        levels = self._levels[part]
        if self._lookup is None:
            self._wait(part, *picked(keys_of(block, levels[:, None]), present))
        else:
            self._wait(part, *self._lookup.sift(block, levels, part.start))

    def _wait(self, part: slice, keys: Counts, bounds: Counts) -> None:
        """Take keys to be counted, of the part's i-th attribute from ``bounds[i]`` on; count where enough wait."""
        for attribute, (start, stop) in enumerate(pairwise(bounds.tolist()), part.start):
            if start == stop:
                continue
            waits = self._waits[attribute] + stop - start
            if waits > WAITING:
                self._settle(attribute, self._counted(attribute, keys[start:stop]))
                continue
            if self._waiting is None:
                self._waiting = np.empty((self.width, WAITING), np.int64)
            self._waiting[attribute, self._waits[attribute] : waits] = keys[start:stop]
            self._waits[attribute] = waits

    def _counted(self, i: int, fresh: Counts | None = None) -> Occupied:
        """Return the cells of attribute ``i`` with all that waits, and ``fresh`` keys; leave everything as it is."""
        cells = self._occupied[i]
        if self._lookup is not None:
            keys, counts = self._lookup.seen(i)
            total = cells.counts.copy()
            total[np.searchsorted(cells.keys, keys)] += counts
            cells = Occupied(cells.level, cells.keys, total)
        parts = [] if fresh is None else [fresh]
        if self._waiting is not None and self._waits[i]:
            parts.append(self._waiting[i, : self._waits[i]])
        if parts:
            waiting = np.sort(np.concatenate(parts))
            cells = cells.plus(Occupied.of(waiting, cells.level, self.cells), self.cells)
        return cells

    def _settle(self, i: int, cells: Occupied) -> None:
        """Let these be the cells of attribute ``i``, with nothing waiting."""
        self._occupied[i] = cells
        self._levels[i] = cells.level
        self._waits[i] = 0
        common = self.n - self._absent[i] >= PER_CELL * len(cells.keys)
        if self._lookup is None and common:
            self._lookup = Lookup(self.width, self.cells)
        if self._lookup is not None:
            known = cells if common else Occupied.none()
            self._lookup.learn(i, known.keys, known.counts)

    def _settled(self) -> list[Occupied]:
        """Return the cells of each attribute, with all that waits, and leave everything as it is."""
        return [self._counted(i) for i in range(self.width)]

    def _hold(self, cells: list[Occupied]) -> None:
        """Let these be all the cells, with nothing waiting and nothing known."""
        self._occupied = cells
        self._levels = np.array([c.level for c in cells], np.int64)
        self._waits = [0] * len(cells)
        self._lookup = self._waiting = None

    def merge(self, other: Self) -> None:
        """Absorb another; the cells are those that all values together would have made."""
        self._check_mergeable(other)
        mine, theirs = self._settled(), other._settled()
        self._hold([one.plus(two, self.cells) for one, two in zip(mine, theirs, strict=True)])
        self.n += other.n
        self._absent += other._absent
        self._minimum = np.minimum(self._minimum, other._minimum)
        self._maximum = np.maximum(self._maximum, other._maximum)

    def forget(self, block: Vector) -> None:
        """Take out a block, exactly; the cells stay as wide as they are.

        Raises
        ------
        ForgetError
            If a cell would hold fewer than no values.
        """
        centred = Centred.of(block)
        cells = self._settled()
        keys = keys_of(block, np.array([[c.level] for c in cells], np.int64).reshape(-1, 1))
        left = []
        for i, before in enumerate(cells):
            fresh = keys[i] if centred.present is None else keys[i, centred.present[i]]
            gone, times = np.unique(fresh, return_counts=True)
            at = np.searchsorted(before.keys, gone)
            if len(gone) and not (len(before.keys) and (before.keys.take(at, mode="clip") == gone).all()):
                check_counts(np.array([-1]))
            rest = before.counts.copy()
            rest[at] -= times
            check_counts(rest)
            left.append(Occupied(before.level, before.keys[rest > 0], rest[rest > 0]))
        self._hold(left)
        self.n -= centred.rows
        self._absent -= centred.rows - centred.count

    def widen(self, width: int) -> None:
        """Add attributes up to ``width``; in everything absorbed so far they count as missing."""
        wide = type(self)(width, self.cells)
        wide.n = self.n
        wide._absent[self.width :] = self.n
        old = slice(0, self.width)
        wide._absent[old] = self._absent
        wide._minimum[old], wide._maximum[old] = self._minimum, self._maximum
        wide._hold([*self._settled(), *wide._occupied[self.width :]])
        self.__dict__.update(wide.__dict__)

    def result(self) -> list[Cells]:
        """Return the cells of each attribute."""
        return [self._cells(i, settled) for i, settled in enumerate(self._settled())]

    def _cells(self, i: int, occupied: Occupied) -> Cells:
        low, high = edges(occupied.keys, occupied.level)
        if len(low):
            low[0] = max(low[0], self._minimum[i])
            high[-1] = min(high[-1], _next_float(self._maximum[i]))
        return Cells(low, high, occupied.counts)

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
            "levels": np.array([cells.level for cells in settled], np.int64),
            "lengths": np.array([len(cells.keys) for cells in settled], np.int64),
            "keys": np.concatenate([np.empty(0, np.int64), *(cells.keys for cells in settled)]),
            "counts": np.concatenate([np.empty(0, np.int64), *(cells.counts for cells in settled)]),
        }

    @classmethod
    def _from_payload(cls, configuration: Mapping[str, Any], payload: Mapping[str, Any]) -> Self:
        histogram = cls(configuration["width"], configuration["cells"])
        histogram.n = payload["n"]
        histogram._absent = payload["absent"].copy()
        histogram._minimum = payload["minimum"].copy()
        histogram._maximum = payload["maximum"].copy()
        ends = np.cumsum(payload["lengths"]).tolist()
        histogram._hold(
            [
                Occupied(int(level), payload["keys"][start:stop].copy(), payload["counts"][start:stop].copy())
                for level, start, stop in zip(payload["levels"], [0, *ends], ends, strict=False)
            ]
        )
        return histogram


def _next_float(value: float) -> float:
    """Return the smallest number above ``value``; the largest one has none."""
    return float(np.nextafter(value, np.inf)) if value < np.finfo(float).max else value
