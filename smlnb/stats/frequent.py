"""Which values of an attribute are frequent, among any number of different ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import pyarrow as pa
import pyarrow.compute as pc
from datasketches import frequent_items_error_type, frequent_strings_sketch

from smlnb.stats.base import Accumulator, State
from smlnb.stats.values import MAX_TEXT, as_text_column, bounded_text, plain_column

__all__ = ["FrequentItems", "FrequentValues"]

ALL_KEPT = frequent_items_error_type.NO_FALSE_NEGATIVES


@dataclass(frozen=True, slots=True)
class FrequentValues:
    """The frequent values of one attribute.

    Attributes
    ----------
    values : tuple of str
        Most frequent first, by the upper bound.
    low, high : tuple of int
        Each value occurred at least ``low`` and at most ``high`` times: certain, not only likely.
    total : int
        Occurrences of all values.
    missing : int
        Nulls and NaN.
    error : int
        The most that ``high - low`` can be; a value that is not listed occurred at most so often. 0 while all counts
        are exact.
    """

    values: tuple[str, ...]
    low: tuple[int, ...]
    high: tuple[int, ...]
    total: int
    missing: int
    error: int

    def above(self, threshold: int | None = None, *, certain: bool = True) -> dict[str, tuple[int, int]]:
        """Return the values that occurred more than ``threshold`` times, with their bounds.

        Parameters
        ----------
        threshold : int, optional
            The error of the sketch by default: below it nothing can be said.
        certain : bool, default True
            Leave out values that only may be above it. Otherwise none that is above it is left out.
        """
        least = max(self.error, threshold or 0)
        bounds = zip(self.values, self.low, self.high, strict=True)
        return {v: (low, high) for v, low, high in bounds if (low if certain else high) > least}


class FrequentItems(Accumulator):
    """Frequent values of ``width`` attributes; a block is a sequence of Arrow arrays, one per attribute.

    Values are compared as text; of those longer than 256 characters the beginning and a hash are kept.

    Parameters
    ----------
    width : int
        The number of attributes.
    lg_size : int, default 10
        Base-2 logarithm of the size of each table, 3 to 26. With 10, counts are exact up to 768 different values, and
        beyond that off by at most 0.35 % of the total; an attribute takes at most some 40 kB of ordinary words.

    Notes
    -----
    The Frequent Items sketch of Apache DataSketches (Anderson et al. 2017, after Misra and Gries 1982). Which values
    are kept depends on the order of arrival; the bounds hold in any.

    Examples
    --------
    >>> frequent = FrequentItems(1)
    >>> frequent.update([pa.array(["a", "b", "a", None])])
    >>> frequent.result()[0].above()
    {'a': (2, 2), 'b': (1, 1)}
    """

    deterministic: ClassVar[bool] = False

    def __init__(self, width: int, lg_size: int = 10) -> None:
        self.width = width
        self.lg_size = lg_size
        self.n = 0
        self._missing = [0] * width
        self._total = [0] * width
        self._error = [0] * width  # of what the sketches were made of
        self._sketches = [frequent_strings_sketch(lg_size) for _ in range(width)]

    def update(self, block: Sequence[pa.Array]) -> None:
        """Absorb one Arrow array per attribute, all of one length."""
        rows = 0
        for i, column in enumerate(block):
            rows = len(column)
            self.add(i, column)
        self.n += rows

    def add(self, i: int, column: pa.Array) -> None:
        """Absorb values of attribute ``i`` alone; ``n`` stays."""
        plain = plain_column(column)
        if pa.types.is_nested(plain.type):
            plain = as_text_column(plain)  # Arrow counts no nested values
        counted = pc.value_counts(plain.drop_null())
        if pa.types.is_floating(plain.type):
            counted = counted.filter(pc.invert(pc.is_nan(counted.field("values"))))
        values, counts = as_text_column(counted.field("values")), counted.field("counts")
        total = pc.sum(counts).as_py() or 0
        self._missing[i] += len(column) - total
        self._total[i] += total
        names = values.to_pylist()
        if len(values) and pc.max(pc.utf8_length(values)).as_py() > MAX_TEXT:
            names = [bounded_text(name) for name in names]
        absorb = self._sketches[i].update
        for name, count in zip(names, counts.to_pylist(), strict=True):
            absorb(name, count)

    def merge(self, other: Self) -> None:
        """Absorb another; the errors add up, and stay within their share of the total."""
        self._check_mergeable(other)
        for i in range(self.width):
            self._sketches[i].merge(other._sketches[i])
            self._missing[i] += other._missing[i]
            self._total[i] += other._total[i]
            self._error[i] += other._error[i]
        self.n += other.n

    def widen(self, width: int) -> None:
        """Add attributes up to ``width``; in everything absorbed so far they count as missing."""
        new = width - self.width
        self._missing += [self.n] * new
        self._total += [0] * new
        self._error += [0] * new
        self._sketches += [frequent_strings_sketch(self.lg_size) for _ in range(new)]
        self.width = width

    def result(self, top: int | None = None) -> list[FrequentValues]:
        """Return the frequent values of each attribute, at most ``top`` of them."""
        return [self._values(i, top) for i in range(self.width)]

    def _values(self, i: int, top: int | None) -> FrequentValues:
        error, items = self._kept(i)
        items = sorted(items, key=lambda item: (-item[1], item[0]))[:top]
        return FrequentValues(
            values=tuple(name for name, _ in items),
            low=tuple(low for _, low in items),
            high=tuple(min(low + error, self._total[i]) for _, low in items),
            total=self._total[i],
            missing=self._missing[i],
            error=error,
        )

    def _kept(self, i: int) -> tuple[int, list[tuple[str, int]]]:
        """Return the error of attribute ``i``, and its values with the counts that are certain."""
        sketch = self._sketches[i]
        offset = sketch.get_upper_bound("") - sketch.get_lower_bound("")  # is the same for every value
        items = [(name, low) for name, _, low, _ in sketch.get_frequent_items(ALL_KEPT)]
        return self._error[i] + offset, items

    def empty(self) -> Self:
        """Return an empty one of the same configuration."""
        return type(self)(self.width, self.lg_size)

    def configuration(self) -> dict[str, Any]:
        """Return width and size."""
        return {"width": self.width, "lg_size": self.lg_size}

    def _payload(self) -> State:
        # the library's own bytes list the values in another order after each reading: no two states would be equal
        kept = [(error, sorted(items)) for error, items in map(self._kept, range(self.width))]
        return {
            "n": self.n,
            "missing": list(self._missing),
            "total": list(self._total),
            "error": [error for error, _ in kept],
            "values": [[name for name, _ in items] for _, items in kept],
            "counts": [[low for _, low in items] for _, items in kept],
        }

    @classmethod
    def _from_payload(cls, configuration: Mapping[str, Any], payload: Mapping[str, Any]) -> Self:
        frequent = cls(configuration["width"], configuration["lg_size"])
        frequent.n = payload["n"]
        frequent._missing, frequent._total = list(payload["missing"]), list(payload["total"])
        frequent._error = list(payload["error"])
        for sketch, values, counts in zip(frequent._sketches, payload["values"], payload["counts"], strict=True):
            for value, count in zip(values, counts, strict=True):
                sketch.update(value, count)
        return frequent
