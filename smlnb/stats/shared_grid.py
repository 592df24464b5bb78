"""A few cells per attribute that many counts share, and which of them each value of a block lies in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smlnb.stats.centred import scratch
from smlnb.stats.grid import MANTISSA_LEVELS, coarsen, fitting_level, keys_of

__all__ = ["Moves", "SharedGrid"]

Keys = NDArray[np.int64]
Places = NDArray[np.int64]
Moves = dict[int, Places]
"""By attribute: where each of its cells has gone."""

FIBONACCI = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio: neighbouring keys land far apart
NO_KEY = np.iinfo(np.int64).min
SPARE = 4  # slots per key, so that the first slot looked at is nearly always the right one
FIRST_PLAIN_FLUSH = 4  # below, the width of a core cell has no reciprocal among the numbers


@dataclass(slots=True)
class _Slots:
    """Hash tables of all attributes in one array, with open addressing: a key that finds its slot taken goes on."""

    size: int
    owners: Keys
    places: Places

    @classmethod
    def of(cls, width: int, most: int) -> _Slots:
        size = 1 << (SPARE * most - 1).bit_length()
        return cls(size, np.full(width * size, NO_KEY), np.zeros(width * size, np.int64))

    def first(self, keys: Keys) -> Places:
        """Return the slot, within its attribute's table, that each key is looked for first."""
        shift = np.uint64(64 - self.size.bit_length() + 1)
        hashes = np.multiply(keys.view(np.uint64), FIBONACCI, out=scratch("slots", keys.shape, np.uint64))
        hashes >>= shift
        slots: Places = hashes.view(np.int64)
        return slots

    def fill(self, attribute: int, keys: Keys) -> None:
        """Let the table of an attribute hold ``keys`` and nothing else; the place of each is its index."""
        owners = self.owners[attribute * self.size : (attribute + 1) * self.size]
        places = self.places[attribute * self.size : (attribute + 1) * self.size]
        owners[:] = NO_KEY
        left, slots = np.arange(len(keys)), self.first(keys).copy()
        while len(left):
            free = owners[slots] == NO_KEY
            owners[slots[free]] = keys[left[free]]  # of several keys for one slot, the last one gets it
            placed = owners[slots] == keys[left]
            places[slots[placed]] = left[placed]
            left, slots = left[~placed], (slots[~placed] + 1) & (self.size - 1)

    def find(self, keys: Keys) -> tuple[Places, NDArray[np.int64]]:
        """Return the place of each of ``keys``, shape (attributes, rows), and the flat indices of those not found."""
        slots = self.first(keys)
        slots += (np.arange(len(keys)) * self.size)[:, None]
        owners = self.owners.take(slots, out=scratch("owners", keys.shape, np.int64), mode="clip")
        places = self.places.take(slots, out=scratch("places", keys.shape, np.int64), mode="clip")
        left = np.flatnonzero(owners != keys)
        wanted, at, lost = keys.ravel()[left], slots.ravel()[left], []
        while len(left):
            owner = self.owners[at]
            found, empty = owner == wanted, owner == NO_KEY
            places.ravel()[left[found]] = self.places[at[found]]
            lost.append(left[empty])
            on = ~(found | empty)
            left, wanted, at = left[on], wanted[on], at[on]
            at = (at & -self.size) | ((at + 1) & (self.size - 1))
        return places, np.concatenate(lost) if lost else np.empty(0, np.int64)


class SharedGrid:
    """The cells of :mod:`smlnb.stats.grid` at the finest level at which at most ``cells`` per attribute are occupied.

    The level depends on the values alone, never on their order. Cells have places: 0 for the lowest occupied one, and
    so on. When a value comes that needs another cell, places move; who counts by place is told how.

    Parameters
    ----------
    width : int
        The number of attributes.
    cells : int
        The most per attribute.

    Examples
    --------
    >>> grid = SharedGrid(1, 128)
    >>> places, moves = grid.locate(np.array([[2.0, 1.0, 2.0]]), None)
    >>> places.tolist(), {i: move.tolist() for i, move in moves.items()}
    ([[1, 0, 1]], {0: []})
    >>> places, moves = grid.locate(np.array([[1.5]]), None)
    >>> places.tolist(), {i: move.tolist() for i, move in moves.items()}
    ([[1]], {0: [0, 2]})
    """

    def __init__(self, width: int, cells: int) -> None:
        self.width = width
        self.cells = cells
        self.levels = np.zeros(width, np.int64)
        self.keys: list[Keys] = [np.empty(0, np.int64)] * width
        self._slots: _Slots | None = None  # made when rows are located: what is only merged does without

    def locate(self, block: NDArray[np.float64], present: NDArray[np.bool_] | None) -> tuple[Places, Moves]:
        """Make room for the finite values of a block, and return where they lie.

        Parameters
        ----------
        block : array, shape (width, rows)
        present : array of bool, shape (width, rows), or None
            Where values are finite; None where all are.

        Returns
        -------
        places : array of int64, shape (width, rows)
            In memory that the next call of this thread overwrites; anything where no value is.
        moves : dict of int to array
            Of the attributes whose cells have changed.
        """
        if self._slots is None:
            self._slots = _Slots.of(self.width, self.cells)
            for i, keys in enumerate(self.keys):
                self._slots.fill(i, keys)
        keys = _keys_of(block, self.levels[:, None])
        places, lost = self._slots.find(keys)
        if present is not None:
            lost = lost[present.ravel()[lost]]
        moves: Moves = {}
        rows = block.shape[1]
        owners = lost // max(rows, 1)
        for i in np.unique(owners).tolist():
            own = lost[owners == i] - i * rows
            level, fresh = int(self.levels[i]), keys[i, own]
            moves[i] = move = self.include(i, level, np.unique(fresh))
            known = np.ones(rows, dtype=bool)
            known[own] = False
            if present is not None:
                known &= present[i]
            places[i, known] = move[places[i, known]]
            places[i, own] = np.searchsorted(self.keys[i], coarsen(fresh, level, int(self.levels[i])))
        return places, moves

    def include(self, attribute: int, level: int, keys: Keys) -> Places:
        """Make room for cells of ``level``; return where the present ones have gone."""
        old, now = self.keys[attribute], int(self.levels[attribute])
        to = max(now, level)
        union = np.union1d(coarsen(old, now, to), coarsen(keys, level, to))
        fit = fitting_level(union, to, self.cells)
        if fit > to:
            union = np.unique(coarsen(union, to, fit))
        self.keys[attribute], self.levels[attribute] = union, fit
        if self._slots is not None:
            self._slots.fill(attribute, union)
        return np.searchsorted(union, coarsen(old, now, fit))

    def keep(self, attribute: int, occupied: NDArray[np.bool_]) -> None:
        """Drop the cells that hold nothing any more; the level stays."""
        self.keys[attribute] = self.keys[attribute][occupied]
        if self._slots is not None:
            self._slots.fill(attribute, self.keys[attribute])

    def copy(self) -> SharedGrid:
        """Return an independent copy."""
        copy = SharedGrid(self.width, self.cells)
        copy.levels, copy.keys = self.levels.copy(), list(self.keys)
        return copy


def _keys_of(values: NDArray[np.float64], levels: Keys) -> Keys:
    """Return what :func:`smlnb.stats.grid.keys_of` does; in flushed ranges, whose cells are equal, by one product."""
    flush = levels - MANTISSA_LEVELS
    flushed = flush > 0
    if not flushed.any():
        return keys_of(values, levels)
    if (flushed & (flush < FIRST_PLAIN_FLUSH)).any():
        return keys_of(values, levels)
    keys = keys_of(values, np.minimum(levels, MANTISSA_LEVELS))
    with np.errstate(over="ignore", invalid="ignore"):
        size = np.abs(values, out=scratch("sizes", values.shape))
        small = size < np.where(flushed, np.ldexp(1.0, flush - 1022), 0.0)
        size *= np.where(flushed, np.ldexp(1.0, 1027 - np.maximum(flush, FIRST_PLAIN_FLUSH)), 0.0)
        core = scratch("cores", values.shape, np.int64)
        np.copyto(core, size, casting="unsafe")  # the whole part; where a value is not small, anything
    core ^= keys >> 63
    np.copyto(keys, core, where=small)
    return keys
