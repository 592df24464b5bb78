"""How often each value of a category occurs."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from smlnb.stats.base import Accumulator, State
from smlnb.stats.downdate import check_counts

__all__ = ["Categories", "CategoryCounts", "as_text", "smallest_by_hash"]


@dataclass(frozen=True, slots=True)
class CategoryCounts:
    """Counts of one attribute.

    Attributes
    ----------
    counts : dict of str to int
        Exact counts of the values kept, most frequent first.
    other : int
        Occurrences of values that are not kept.
    missing : int
        Nulls.
    """

    counts: dict[str, int]
    other: int
    missing: int

    @property
    def total(self) -> int:
        """Occurrences of all values, kept or not."""
        return sum(self.counts.values()) + self.other


class Categories(Accumulator):
    """Counts of the values of ``width`` category attributes; a block is a sequence of Arrow arrays, one per attribute.

    At most ``limit`` different values are kept per attribute: those whose hashes are smallest. So the counts of the
    values kept are exact and the same in any order of merging, and a flood of different values can't fill the memory;
    what is not kept is counted as *other*.

    Parameters
    ----------
    width : int
        The number of attributes.
    limit : int, default 10,000
        The most values kept per attribute.

    Examples
    --------
    >>> categories = Categories(1)
    >>> categories.update([pa.array(["a", "b", "a", None])])
    >>> categories.result()[0]
    CategoryCounts(counts={'a': 2, 'b': 1}, other=0, missing=1)
    """

    def __init__(self, width: int, limit: int = 10_000) -> None:
        self.width = width
        self.limit = limit
        self.n = 0
        self._counts: list[dict[str, int]] = [{} for _ in range(width)]
        self._other = [0] * width
        self._missing = [0] * width

    def update(self, block: Sequence[pa.Array]) -> None:
        """Absorb one Arrow array per attribute, all of one length."""
        rows = 0
        for i, column in enumerate(block):
            rows = len(column)
            self._missing[i] += column.null_count
            counted = pc.value_counts(as_text(column).drop_null())
            values, counts = counted.field("values").to_pylist(), counted.field("counts").to_pylist()
            self._add(i, dict(zip(values, counts, strict=True)))
        self.n += rows

    def _add(self, i: int, counts: Mapping[str, int]) -> None:
        mine = self._counts[i]
        for value, count in counts.items():
            mine[value] = mine.get(value, 0) + count
        if len(mine) > self.limit:
            kept = smallest_by_hash(mine, self.limit)
            self._other[i] += sum(mine.values()) - sum(mine[v] for v in kept)
            self._counts[i] = {v: mine[v] for v in kept}

    def merge(self, other: Self) -> None:
        """Absorb another; the values kept are those that all rows together would have kept."""
        self._check_mergeable(other)
        for i in range(self.width):
            self._other[i] += other._other[i]
            self._missing[i] += other._missing[i]
            self._add(i, other._counts[i])
        self.n += other.n

    def forget(self, block: Sequence[pa.Array]) -> None:
        """Take out one Arrow array per attribute, exactly; values that are not kept come off *other*.

        Raises
        ------
        ForgetError
            If a value would have occurred fewer than no times.
        """
        gone = type(self)(self.width, sys.maxsize)
        gone.update(block)
        left, other = [dict(counts) for counts in self._counts], list(self._other)
        for i, counts in enumerate(gone._counts):
            for value, count in counts.items():
                if value in left[i]:
                    left[i][value] -= count
                else:
                    other[i] -= count
        missing = [mine - theirs for mine, theirs in zip(self._missing, gone._missing, strict=True)]
        check_counts(np.array([*missing, *other, *(c for counts in left for c in counts.values())], np.int64))
        self._counts = [{value: count for value, count in counts.items() if count} for counts in left]
        self._other, self._missing = other, missing
        self.n -= gone.n

    def widen(self, width: int) -> None:
        """Add attributes up to ``width``; in everything absorbed so far they count as missing."""
        new = width - self.width
        self._counts += [{} for _ in range(new)]
        self._other += [0] * new
        self._missing += [self.n] * new
        self.width = width

    def result(self) -> list[CategoryCounts]:
        """Return the counts of each attribute."""
        return [
            CategoryCounts(
                dict(sorted(c.items(), key=lambda item: (-item[1], item[0]))), self._other[i], self._missing[i]
            )
            for i, c in enumerate(self._counts)
        ]

    def empty(self) -> Self:
        """Return an empty one of the same configuration."""
        return type(self)(self.width, self.limit)

    def configuration(self) -> dict[str, Any]:
        """Return width and limit."""
        return {"width": self.width, "limit": self.limit}

    def _payload(self) -> State:
        return {
            "n": self.n,
            "values": [sorted(c) for c in self._counts],
            "counts": [[c[v] for v in sorted(c)] for c in self._counts],
            "other": list(self._other),
            "missing": list(self._missing),
        }

    @classmethod
    def _from_payload(cls, configuration: Mapping[str, Any], payload: Mapping[str, Any]) -> Self:
        categories = cls(configuration["width"], configuration["limit"])
        categories.n = payload["n"]
        pairs = zip(payload["values"], payload["counts"], strict=True)
        categories._counts = [dict(zip(values, counts, strict=True)) for values, counts in pairs]
        categories._other = list(payload["other"])
        categories._missing = list(payload["missing"])
        return categories


def as_text(column: pa.Array) -> pa.Array:
    """Return a column as one array of strings."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column if pa.types.is_string(column.type) else column.cast(pa.string())


def smallest_by_hash(values: Collection[str], limit: int) -> Collection[str]:
    """Return at most ``limit`` values: a choice that depends on nothing but the values."""
    if len(values) <= limit:
        return values
    return sorted(values, key=lambda v: hashlib.blake2b(v.encode("utf-8", "surrogatepass"), digest_size=8).digest())[
        :limit
    ]
