"""Histograms of the continuous attributes given each value of the binary and category attributes."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from smlnb.errors import SchemaError, UnknownAttributeError
from smlnb.schema import Attribute, Kind, Schema
from smlnb.stats.base import Accumulator, State
from smlnb.stats.categories import as_text, smallest_by_hash
from smlnb.stats.centred import Centred, scratch
from smlnb.stats.downdate import check_counts
from smlnb.stats.grid import edges
from smlnb.stats.histogram import Cells
from smlnb.stats.shared_grid import SharedGrid

__all__ = ["ConditionalCells", "ConditionalHistograms"]

OTHER = "(other)"
ALL_OTHER = "(all others)"  # where a value is itself called (other)
ZERO_AND_ONE = ("0", "1")
BELOW_THE_LARGEST = np.nextafter(np.finfo(float).max, 0.0)
CROWDED = 4  # counts per value of a block, above which values are added one by one

Columns = Sequence[pa.Array]
Vector = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ConditionalCells:
    """What :meth:`ConditionalHistograms.result` gives.

    Attributes
    ----------
    attributes : tuple of str
        The continuous attributes.
    values : dict of str to tuple of str
        Of each condition, those that have counts of their own, in order: ``("0", "1")`` of a binary attribute, those
        seen so far of a category and, at the end, ``(other)`` for all that have none (``(all others)`` where a value
        is itself called that).
    more : tuple of str
        Attributes that would be conditions, were there not too many before them.
    """

    attributes: tuple[str, ...]
    values: dict[str, tuple[str, ...]]
    more: tuple[str, ...]
    _edges: tuple[tuple[Vector, Vector], ...]
    _counts: dict[str, Counts]

    def joint(self, attribute: str, given: str) -> tuple[Vector, Vector, Counts]:
        """Return the lower and upper edges of the cells, and the counts of each value in each cell.

        Returns
        -------
        low, high : array, shape (cells,)
        counts : array of int64, shape (values + 1, cells)
            In the order of ``values[given]``; the last row is of those where the condition is missing.

        Raises
        ------
        UnknownAttributeError
            If one is no continuous attribute, or the other no condition.
        """
        if attribute not in self.attributes:
            raise UnknownAttributeError.of(attribute, self.attributes)
        if given not in self.values:
            raise UnknownAttributeError.of(given, self.values)
        i = self.attributes.index(attribute)
        low, high = self._edges[i]
        return low, high, self._counts[given][:, i, : len(low)]

    def cells(self, attribute: str, given: str, value: str | None) -> Cells:
        """Return the histogram of an attribute where a condition has a value; None for where it is missing.

        Raises
        ------
        UnknownAttributeError
            If there is no such attribute or condition.
        SchemaError
            If the value has no counts of its own; the message lists those that have.
        """
        low, high, counts = self.joint(attribute, given)
        row = counts[-1 if value is None else self.place(given, value)]
        some = row > 0
        return Cells(low[some], high[some], row[some])

    def place(self, given: str, value: str) -> int:
        """Return the row of a value in what :meth:`joint` returns.

        Raises
        ------
        SchemaError
            If it has none; the message lists those that have.
        """
        values = self.values[given]
        if value in values:
            return values.index(value)
        near = difflib.get_close_matches(value, values, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        seen = ", ".join(repr(v) for v in values[:20])
        raise SchemaError(
            f"{given!r} has no value {value!r} with a histogram of its own.{hint} Those that have one are: "
            f"{seen or 'none yet'}."
        )


class ConditionalHistograms(Accumulator):
    """Counts of continuous attributes in cells, apart for each value of each binary and category attribute.

    An attribute has one grid of cells for all conditions (:class:`~smlnb.stats.shared_grid.SharedGrid`), so what two
    values have in a cell can be compared, and the counts of all values and of missing conditions add up to all rows.
    At most ``limit`` values of a category have counts of their own, those whose hashes are smallest; the others share
    ``(other)``. Counts and cells are exact, and the same in any order of merging.

    A block is the numeric attributes of the schema, shape (numeric, rows), and one Arrow array per category.

    Memory is 8 bytes x continuous attributes x ``cells`` x columns. A binary attribute has 3 columns, a category at
    most ``limit`` + 2 (one for its other values, one for missing ones). With the defaults, 10 continuous attributes
    take 120 kB for a binary one and at most 900 kB for a category.

    Parameters
    ----------
    schema : Schema
    cells : int, default 512
        The most cells of an attribute.
    limit : int, default 20
        The most values of a category with counts of their own.
    conditions : int, default 16
        The most conditions: the first binary and category attributes of the schema.

    Examples
    --------
    >>> histograms = ConditionalHistograms(Schema.of(["x", "c"], "C,T"))
    >>> histograms.update((np.array([[1.0, 2.0, 2.0, 5.0]]), [pa.array(["a", "b", "a", None])]))
    >>> result = histograms.result()
    >>> result.values["c"], result.cells("x", "c", "a").low.tolist(), result.joint("x", "c")[2].tolist()
    (('a', 'b', '(other)'), [1.0, 2.0], [[1, 1, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1]])
    """

    def __init__(self, schema: Schema, *, cells: int = 512, limit: int = 20, conditions: int = 16) -> None:
        self.cells, self.limit, self.conditions = cells, limit, conditions
        self.n = 0
        self._values: dict[str, tuple[str, ...]] = {}  # by condition, those with counts of their own
        self._name(schema)
        self._grid = SharedGrid(len(self._continuous), cells)
        self._minimum = np.full(len(self._continuous), np.inf)
        self._maximum = np.full(len(self._continuous), -np.inf)
        self._counts = {name: self._zeros(name) for name in self._values}

    def _name(self, schema: Schema) -> None:
        self.schema = schema
        rows = {name: i for i, name in enumerate(schema.numeric)}
        can = [a for a in schema if a.kind in (Kind.BINARY, Kind.CATEGORY)]
        self._more = tuple(a.name for a in can[self.conditions :])
        can = can[: self.conditions]
        self._continuous = tuple(a.name for a in schema if a.kind is Kind.CONTINUOUS) if can else ()
        can = can if self._continuous else []
        self._rows = [rows[name] for name in self._continuous]
        self._binary = {a.name: rows[a.name] for a in can if a.kind is Kind.BINARY}
        self._categories = {a.name: schema.categories.index(a.name) for a in can if a.kind is Kind.CATEGORY}
        nothing: tuple[str, ...] = ()
        self._values = {
            a.name: self._values.get(a.name, ZERO_AND_ONE if a.kind is Kind.BINARY else nothing) for a in can
        }

    def _zeros(self, name: str) -> Counts:
        return np.zeros((self._columns(name), len(self._continuous), self.cells), np.int64)

    def _columns(self, name: str) -> int:
        return len(self._values[name]) + (1 if name in self._binary else 2)

    def update(self, block: tuple[Vector, Columns]) -> None:
        """Absorb the numeric attributes, shape (numeric, rows), and one Arrow array per category attribute."""
        floats, columns = block
        self.absorb(Centred.of(floats), columns)

    def absorb(self, centred: Centred, columns: Columns) -> None:
        """Absorb a numeric block whose extremes and gaps were found before, and the category attributes."""
        self.n += centred.rows
        if not self._values or centred.rows == 0:
            return
        own = _rows_of(self._rows)
        present = None if centred.present is None else centred.present[own]
        if present is not None and present.all():
            present = None
        self._minimum = np.minimum(self._minimum, centred.minimum[own]) + 0.0
        self._maximum = np.maximum(self._maximum, centred.maximum[own]) + 0.0
        places, moves = self._grid.locate(centred.block[own], present)
        for i, move in moves.items():
            self._move(i, move)
        places += (np.arange(len(places)) * self.cells)[:, None]
        for name, codes in self._codes(centred.block, columns).items():
            where = np.add(places, codes * (len(places) * self.cells), out=scratch("joint", places.shape, np.int64))
            _count(self._counts[name].reshape(-1), where.ravel() if present is None else where[present])

    def _move(self, attribute: int, move: Counts) -> None:
        for counts in self._counts.values():
            counts[:, attribute] = _moved(counts[:, attribute], move)

    def _codes(self, block: Vector, columns: Columns) -> dict[str, Counts]:
        """Return the column of each row in the counts of each condition; makes room for new values of categories."""
        codes: dict[str, Counts] = {}
        for name, row in self._binary.items():
            codes[name] = np.where(block[row] == 1, 1, np.where(block[row] == 0, 0, 2))
        for name, at in self._categories.items():
            encoded = pc.dictionary_encode(as_text(columns[at]))
            values = encoded.dictionary.to_pylist()
            self._make_room(name, values)
            own = {value: column for column, value in enumerate(self._values[name])}
            table = np.array([*(own.get(v, len(own)) for v in values), len(own) + 1], np.int64)  # -1, a null: the last
            codes[name] = table[encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)]
        return codes

    def _make_room(self, name: str, seen: Sequence[str]) -> None:
        """Give new values of a category columns, and let those beyond the limit go into the shared one."""
        before = self._values[name]
        after = tuple(sorted(smallest_by_hash({*before, *seen}, self.limit)))
        if after == before:
            return
        counts = self._counts[name]
        self._values[name] = after
        self._counts[name] = _into(self._zeros(name), counts, before, after)

    def merge(self, other: Self) -> None:
        """Absorb another; values and cells are those that all rows together would have made."""
        self._check_mergeable(other)
        for name in self._categories:
            self._make_room(name, other._values[name])
        for name, counts in self._aligned(other).items():
            self._counts[name] += counts
        self._minimum = np.minimum(self._minimum, other._minimum)
        self._maximum = np.maximum(self._maximum, other._maximum)
        self.n += other.n

    def _aligned(self, other: Self) -> dict[str, Counts]:
        """Make room for the cells of another, and return its counts in mine; values I don't know go into the shared."""
        theirs = other._grid.copy()
        moved = {name: np.zeros_like(counts) for name, counts in other._counts.items()}
        for i, keys in enumerate(other._grid.keys):
            self._move(i, self._grid.include(i, int(other._grid.levels[i]), keys))
            move = theirs.include(i, int(self._grid.levels[i]), self._grid.keys[i])
            for name, counts in other._counts.items():
                moved[name][:, i] = _moved(counts[:, i], move)
        return {
            name: _into(self._zeros(name), counts, other._values[name], self._values[name])
            for name, counts in moved.items()
        }

    def forget(self, block: tuple[Vector, Columns]) -> None:
        """Take out a block, exactly; cells stay as wide as they are, and values keep their counts.

        Raises
        ------
        ForgetError
            If something would have been counted fewer than no times.
        """
        left, gone = self.copy(), self.empty()
        gone.update(block)
        aligned = left._aligned(gone)
        known = zip(left._grid.keys, self._grid.keys, strict=True)
        if (left._grid.levels != self._grid.levels).any() or any(len(a) != len(b) for a, b in known):
            check_counts(np.array([-1]))  # cells that were never needed
        for name, counts in aligned.items():
            left._counts[name] -= counts
            check_counts(left._counts[name])
        left._drop_empty_cells()
        left.n -= gone.n
        self.__dict__.update(left.__dict__)

    def _drop_empty_cells(self) -> None:
        for i, keys in enumerate(self._grid.keys):
            occupied = self._all(i) > 0
            if not occupied[: len(keys)].all():
                self._grid.keep(i, occupied[: len(keys)])
                for counts in self._counts.values():
                    left = counts[:, i, occupied]
                    counts[:, i] = 0
                    counts[:, i, : left.shape[1]] = left

    def _all(self, attribute: int) -> Counts:
        """Return the counts of an attribute in its cells, whatever the condition."""
        counts = next(iter(self._counts.values()))
        return np.asarray(counts[:, attribute].sum(axis=0))

    def grow(self, new: Sequence[Attribute]) -> None:
        """Add attributes at the end; in everything absorbed so far they count as missing.

        Rows that came before the first condition, or before the first continuous attribute, were not looked at.
        """
        old = self.copy()
        self.__init__(  # type: ignore[misc]
            self.schema.with_attributes(list(new)), cells=self.cells, limit=self.limit, conditions=self.conditions
        )
        self.n, width = old.n, len(old._continuous)
        self._minimum[:width], self._maximum[:width] = old._minimum, old._maximum
        self._grid.levels[:width] = old._grid.levels
        self._grid.keys[:width] = old._grid.keys
        for name, counts in self._counts.items():
            if name in old._counts:
                self._values[name] = old._values[name]
                self._counts[name] = self._zeros(name)
                self._counts[name][:, :width] = old._counts[name]
            else:
                for i in range(width):
                    counts[-1, i] = old._all(i)

    def result(self) -> ConditionalCells:
        """Return the cells."""
        return ConditionalCells(
            attributes=self._continuous,
            values={name: self._labels(name) for name in self._values},
            more=self._more,
            _edges=tuple(self._edges(i) for i in range(len(self._continuous))),
            _counts={name: counts.copy() for name, counts in self._counts.items()},
        )

    def _labels(self, name: str) -> tuple[str, ...]:
        values = self._values[name]
        if name in self._binary:
            return values
        return (*values, OTHER if OTHER not in values else ALL_OTHER)

    def _edges(self, i: int) -> tuple[Vector, Vector]:
        low, high = edges(self._grid.keys[i], int(self._grid.levels[i]))
        if len(low):
            low[0] = max(low[0], self._minimum[i])
            high[-1] = min(high[-1], np.nextafter(min(self._maximum[i], BELOW_THE_LARGEST), np.inf))
        return low, high

    def empty(self) -> Self:
        """Return an empty one of the same configuration."""
        return type(self)(self.schema, cells=self.cells, limit=self.limit, conditions=self.conditions)

    def configuration(self) -> dict[str, Any]:
        """Return schema and limits."""
        return {
            "schema": self.schema.state(),
            "cells": self.cells,
            "limit": self.limit,
            "conditions": self.conditions,
        }

    def _payload(self) -> State:
        lengths = [len(keys) for keys in self._grid.keys]
        return {
            "n": self.n,
            "minimum": self._minimum.copy(),
            "maximum": self._maximum.copy(),
            "levels": self._grid.levels.copy(),
            "lengths": np.array(lengths, np.int64),
            "keys": np.concatenate([np.empty(0, np.int64), *self._grid.keys]),
            "values": [list(values) for values in self._values.values()],
            "counts": [
                np.concatenate([counts[:, i, :length] for i, length in enumerate(lengths)], axis=1)
                for counts in self._counts.values()
            ],
        }

    @classmethod
    def _from_payload(cls, configuration: Mapping[str, Any], payload: Mapping[str, Any]) -> Self:
        limits = {key: configuration[key] for key in ("cells", "limit", "conditions")}
        histograms = cls(Schema.from_state(configuration["schema"]), **limits)
        histograms.n = payload["n"]
        histograms._minimum, histograms._maximum = payload["minimum"].copy(), payload["maximum"].copy()
        histograms._grid.levels = payload["levels"].copy()
        ends = np.cumsum(payload["lengths"])[:-1]
        histograms._grid.keys = list(np.split(payload["keys"], ends)) if len(payload["lengths"]) else []
        for name, values, counts in zip(histograms._values, payload["values"], payload["counts"], strict=True):
            histograms._values[name] = tuple(values)
            histograms._counts[name] = histograms._zeros(name)
            for i, part in enumerate(np.split(counts, ends, axis=1)):
                histograms._counts[name][:, i, : part.shape[1]] = part
        return histograms


def _rows_of(rows: list[int]) -> slice | list[int]:
    """Return what selects rows of an array, without a copy where they stand together."""
    return slice(rows[0], rows[-1] + 1) if rows[-1] - rows[0] + 1 == len(rows) else rows


def _moved(counts: Counts, move: Counts) -> Counts:
    """Return counts, shape (columns, cells), with those of cell k in cell ``move[k]``."""
    moved = np.zeros_like(counts.T)
    np.add.at(moved, move, counts[:, : len(move)].T)
    return moved.T


def _into(target: Counts, counts: Counts, before: Sequence[str], after: Sequence[str]) -> Counts:
    """Add counts by values ``before`` to those by values ``after``; what is not among these goes into the shared."""
    place = {value: column for column, value in enumerate(after)}
    for column, value in enumerate(before):
        target[place.get(value, len(after))] += counts[column]
    target[len(after) :] += counts[len(before) :]
    return target


def _count(counts: Counts, where: Counts) -> None:
    """Add one at each of the places."""
    if where.size * CROWDED < counts.size:
        np.add.at(counts, where, 1)
    else:
        counts += np.bincount(where, minlength=counts.size)
