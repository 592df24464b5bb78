"""Co-moments of numbers and categories together: one 0/1 column per category value in the same matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from smlnb.stats.base import Accumulator, State
from smlnb.stats.categories import as_text, smallest_by_hash
from smlnb.stats.centred import Centred
from smlnb.stats.comoments import CoMoments, CoMomentSummary, CoMomentSums

__all__ = ["AttributePairs"]

Column = tuple[str, str | None]
"""An indicator: attribute and value, or attribute and None for all values that have no column of their own."""

OTHER = "(other)"


class AttributePairs(Accumulator):
    """Co-moments of numeric attributes and of the indicators of category values.

    An indicator is 1 where the attribute has its value, 0 where it has another, missing where the attribute is missing.
    A value seen for the first time gets a column that was 0 so far. At most ``limit`` values per attribute have a
    column of their own, those whose hashes are smallest; the others share one. So the matrix is the same in any order
    of merging.

    Parameters
    ----------
    numeric, categories : sequences of str
        Names of the attributes.
    limit : int, default 64
        The most indicators per category attribute, besides the shared one. With w columns memory is 48 w^2 bytes;
        without categories it is 24 w^2 while nothing is missing.

    Examples
    --------
    >>> pairs = AttributePairs(["x"], ["c"])
    >>> pairs.update((np.array([[1.0, 2.0, 6.0]]), [pa.array(["a", "b", "b"])]))
    >>> pairs.names
    ('x', 'c$a', 'c$b', 'c$(other)')
    >>> pairs.result().mean[1].round(3).tolist()
    [0.333, 0.333, 0.333, 0.333]
    """

    def __init__(self, numeric: Sequence[str], categories: Sequence[str] = (), limit: int = 64) -> None:
        self.numeric = tuple(numeric)
        self.categories = tuple(categories)
        self.limit = limit
        self._columns: list[Column] = [(name, None) for name in self.categories]
        self._pairs = CoMoments(len(self.numeric) + len(self._columns))

    @property
    def n(self) -> int:
        """Rows absorbed."""
        return self._pairs.n

    @n.setter
    def n(self, value: int) -> None:
        self._pairs.n = value

    @property
    def names(self) -> tuple[str, ...]:
        """Names of rows and columns of the matrices: the numeric attributes, then ``attribute$value``."""
        return (*self.numeric, *(f"{name}${OTHER if value is None else value}" for name, value in self._columns))

    def update(self, block: tuple[NDArray[np.float64], Sequence[pa.Array]]) -> None:
        """Absorb the numeric attributes, shape (numeric, rows), and one Arrow array per category attribute."""
        floats, columns = block
        self.absorb(Centred.of(floats), columns)

    def absorb(self, centred: Centred, columns: Sequence[pa.Array]) -> None:
        """Absorb a numeric block that was centred before, and the category attributes."""
        if not self.categories:
            self._pairs.absorb(centred)
            return
        encoded = [pc.dictionary_encode(as_text(column)) for column in columns]
        self._make_room({name: set(e.dictionary.to_pylist()) for name, e in zip(self.categories, encoded, strict=True)})
        width = len(self.numeric)
        block = np.empty((width + len(self._columns), centred.rows))
        block[:width] = centred.block
        where = {column: width + i for i, column in enumerate(self._columns)}
        for name, values in zip(self.categories, encoded, strict=True):
            own = [i for (attribute, _), i in where.items() if attribute == name]
            block[own] = 0.0
            rows = [where.get((name, v), where[name, None]) for v in values.dictionary.to_pylist()]
            codes = values.indices.fill_null(-1).to_numpy(zero_copy_only=False)
            present = np.flatnonzero(codes >= 0)
            block[np.array(rows, np.intp)[codes[present]], present] = 1.0
            block[np.ix_(np.array(own), np.flatnonzero(codes < 0))] = np.nan
        self._pairs.update(block)

    def forget(self, block: tuple[NDArray[np.float64], Sequence[pa.Array]]) -> None:
        """Take out a block; see :meth:`~smlnb.stats.comoments.CoMomentSums.minus`.

        Raises
        ------
        ForgetError
            If the block was never absorbed, or fewer than six digits of a variance would be left.
        """
        floats, columns = block
        gone = self.empty()
        gone.absorb(Centred.of(floats), columns)
        strangers = {c for c in gone._columns if c[1] is not None} - set(self._columns)
        gone._arrange(sorted({*self._columns, *gone._columns}, key=self._place))
        for column in strangers:
            gone._fold(column)
        gone._arrange(self._columns)
        with np.errstate(over="ignore", invalid="ignore"):
            left = self._pairs.sums.minus(gone._pairs.sums, checked=len(self.numeric))
        self._pairs = CoMoments.of(self.n - gone.n, left)

    def _make_room(self, seen: Mapping[str, set[str]]) -> None:
        """Give new values columns, and let those beyond the limit go into the shared one."""
        wanted: list[Column] = []
        for name in self.categories:
            own = {value for attribute, value in self._columns if attribute == name and value is not None}
            kept = smallest_by_hash(own | seen.get(name, set()), self.limit)
            wanted += [(name, value) for value in sorted(kept)] + [(name, None)]
        if wanted != self._columns:
            union = sorted({*self._columns, *wanted}, key=self._place)
            self._arrange(union)
            for column in union:
                if column not in wanted:
                    self._fold(column)
            self._arrange(wanted)

    def _place(self, column: Column) -> tuple[int, bool, str]:
        name, value = column
        return self.categories.index(name), value is None, value or ""

    def _arrange(self, columns: list[Column]) -> None:
        """Bring the indicators into this order; a new one was 0 wherever its attribute was present."""
        if columns == self._columns:
            return
        at = {column: len(self.numeric) + i for i, column in enumerate(self._columns)}
        source = [*range(len(self.numeric)), *(at.get(c, at[c[0], None]) for c in columns)]
        new = [len(self.numeric) + i for i, c in enumerate(columns) if c not in at]
        old = self._pairs.sums
        sums = CoMomentSums(**{f.name: getattr(old, f.name)[np.ix_(source, source)] for f in fields(old)})
        for matrix in (sums.mean, sums.m2, sums.comoment, sums.m21, sums.m22):
            matrix[new, :] = 0.0
        for matrix in (sums.comoment, sums.m21, sums.m22):
            matrix[:, new] = 0.0
        self._columns = list(columns)
        self._pairs = CoMoments.of(self._pairs.n, sums)

    def _fold(self, column: Column) -> None:
        """Add an indicator to the shared one of its attribute; since the two are never 1 together, no sum is lost."""
        v = len(self.numeric) + self._columns.index(column)
        o = len(self.numeric) + self._columns.index((column[0], None))
        s = replace(self._pairs.sums)
        mo, mv = s.mean[o].copy(), s.mean[v].copy()
        p = mo[o] + mv[v]
        n = s.count[o, o]
        m22 = s.m22[o] + s.m22[v] - 2 * (mv * s.m21[:, o] + mo * s.m21[:, v] + mo * mv * s.m2[:, o])
        m21 = s.m21[o] + s.m21[v] - 2 * (mv * s.comoment[o] + mo * s.comoment[v])
        s.m2[o] += s.m2[v] - 2 * s.count[o] * mo * mv
        s.mean[o] += mv
        s.comoment[o] += s.comoment[v]
        s.comoment[:, o] = s.comoment[o]
        s.m21[o] = m21
        s.m21[:, o] += s.m21[:, v]
        s.m22[o] = s.m22[:, o] = m22
        # with itself: a 0/1 variable of mean p
        s.mean[o, o], s.m2[o, o], s.comoment[o, o] = p, n * p * (1 - p), n * p * (1 - p)
        s.m21[o, o] = n * p * (1 - p) * (1 - 2 * p)
        s.m22[o, o] = n * p * (1 - p) * ((1 - p) ** 3 + p**3)

    def merge(self, other: Self) -> None:
        """Absorb another; the columns are those that all rows together would have made."""
        self._check_mergeable(other)
        values: dict[str, set[str]] = {name: set() for name in self.categories}
        for name, value in [*self._columns, *other._columns]:
            if value is not None:
                values[name].add(value)
        union = sorted({*self._columns, *other._columns}, key=self._place)
        aligned = other.empty()
        aligned._columns, aligned._pairs = other._columns, other._pairs
        self._arrange(union)
        aligned._arrange(union)
        self._pairs.merge(aligned._pairs)
        self._make_room({})

    def widen(self, numeric: Sequence[str], categories: Sequence[str] = ()) -> None:
        """Add attributes at the end; in everything absorbed so far they count as missing."""
        wide = type(self)(numeric, categories, self.limit)
        wide._columns = sorted({*self._columns, *wide._columns}, key=wide._place)
        at = {name: i for i, name in enumerate(self.names)}
        sums = CoMomentSums.zero(len(wide.names))
        here = [i for i, name in enumerate(wide.names) if name in at]
        there = [at[wide.names[i]] for i in here]
        for f in fields(sums):
            getattr(sums, f.name)[np.ix_(here, here)] = getattr(self._pairs.sums, f.name)[np.ix_(there, there)]
        wide._pairs = CoMoments.of(self._pairs.n, sums)
        self.__dict__.update(wide.__dict__)

    def result(self) -> CoMomentSummary:
        """Return counts, means and co-moments in the order of :attr:`names`."""
        return self._pairs.result()

    def empty(self) -> Self:
        """Return an empty one of the same attributes."""
        return type(self)(self.numeric, self.categories, self.limit)

    def configuration(self) -> dict[str, Any]:
        """Return attributes and limit."""
        return {"numeric": list(self.numeric), "categories": list(self.categories), "limit": self.limit}

    def _payload(self) -> State:
        return {"n": self.n, "columns": [list(c) for c in self._columns], "pairs": self._pairs.state()}

    def _comparable(self) -> State:
        return {"columns": [list(c) for c in self._columns], **self._pairs._comparable()}

    @classmethod
    def _from_payload(cls, configuration: Mapping[str, Any], payload: Mapping[str, Any]) -> Self:
        pairs = cls(configuration["numeric"], configuration["categories"], configuration["limit"])
        pairs._columns = [(name, value) for name, value in payload["columns"]]
        pairs._pairs = CoMoments.from_state(payload["pairs"])
        return pairs
