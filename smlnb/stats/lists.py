"""How many items lists have, and which items are frequent in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import pyarrow as pa
import pyarrow.compute as pc

from smlnb.stats.base import Accumulator, State
from smlnb.stats.distinct import Distinct, DistinctCount
from smlnb.stats.frequent import FrequentItems, FrequentValues
from smlnb.stats.moments import Moments, MomentSummary
from smlnb.stats.texts import lengths_block
from smlnb.stats.values import plain_column

__all__ = ["ListItems", "ListSummary"]


@dataclass(frozen=True, slots=True)
class ListSummary:
    """What :meth:`ListItems.result` gives.

    Attributes
    ----------
    lengths : MomentSummary
        Of the numbers of items; ``zeros`` are the empty lists.
    items : list of FrequentValues
        One per attribute: the frequent items over all lists.
    distinct : list of DistinctCount
        One per attribute: how many different items there are.
    """

    lengths: MomentSummary
    items: list[FrequentValues]
    distinct: list[DistinctCount]


class ListItems(Accumulator):
    """Lengths and items of ``width`` list attributes; a block is a sequence of Arrow arrays, one per attribute.

    A value that is no list counts as a list of one item.

    Parameters
    ----------
    width : int
        The number of attributes.
    lg_size : int, default 10
        Size of the tables of frequent items, as in :class:`~smlnb.stats.frequent.FrequentItems`.

    Examples
    --------
    >>> lists = ListItems(1)
    >>> lists.update([pa.array([["a", "b"], [], ["a"], None])])
    >>> lists.result().lengths.mean.tolist(), lists.result().items[0].above()
    ([1.0], {'a': (2, 2), 'b': (1, 1)})
    """

    deterministic: ClassVar[bool] = False

    def __init__(self, width: int, lg_size: int = 10) -> None:
        self.width = width
        self.lg_size = lg_size
        self.lengths = Moments(width)
        self.items = FrequentItems(width, lg_size)
        self.distinct = Distinct(width)

    @property
    def n(self) -> int:  # type: ignore[override]
        """Rows absorbed, exact."""
        return self.lengths.n

    def update(self, block: Sequence[pa.Array]) -> None:
        """Absorb one Arrow array per attribute, all of one length."""
        lengths = []
        for i, column in enumerate(map(plain_column, block)):
            is_list = _is_list(column.type)
            items = pc.list_flatten(column) if is_list else column.drop_null()
            lengths.append(pc.list_value_length(column) if is_list else _ones(column))
            self.items.add(i, items)
            self.distinct.add(i, items)
        self.lengths.update(lengths_block(lengths))
        self._align()

    def _align(self) -> None:
        # the parts count items; their rows are those of the lists
        self.items.n = self.distinct.n = self.n

    def merge(self, other: Self) -> None:
        """Absorb another."""
        self._check_mergeable(other)
        self.lengths.merge(other.lengths)
        self.items.merge(other.items)
        self.distinct.merge(other.distinct)
        self._align()

    def widen(self, width: int) -> None:
        """Add attributes up to ``width``; in everything absorbed so far they count as missing."""
        self.lengths.widen(width)
        for part in (self.items, self.distinct):
            part.n = 0  # no items were there, so none were missing
            part.widen(width)
        self.width = width
        self._align()

    def result(self) -> ListSummary:
        """Return lengths, frequent items and distinct counts."""
        return ListSummary(self.lengths.result(), self.items.result(), self.distinct.result())

    def empty(self) -> Self:
        """Return an empty one of the same configuration."""
        return type(self)(self.width, self.lg_size)

    def configuration(self) -> dict[str, Any]:
        """Return width and size."""
        return {"width": self.width, "lg_size": self.lg_size}

    def _payload(self) -> State:
        parts = {name: getattr(self, name).state() for name in ("lengths", "items", "distinct")}
        return {"n": self.n, **parts}

    @classmethod
    def _from_payload(cls, configuration: Mapping[str, Any], payload: Mapping[str, Any]) -> Self:
        lists = cls(configuration["width"], configuration["lg_size"])
        lists.lengths = Moments.from_state(payload["lengths"])
        lists.items = FrequentItems.from_state(payload["items"])
        lists.distinct = Distinct.from_state(payload["distinct"])
        return lists


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _ones(column: pa.Array) -> pa.Array:
    return pc.if_else(column.is_valid(), 1, None)
