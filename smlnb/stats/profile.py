"""What is known of values beyond moments: how many different ones, the frequent ones, lengths of texts and lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import pyarrow as pa

from smlnb.schema import Attribute, Kind, Schema
from smlnb.stats.base import Accumulator, State
from smlnb.stats.distinct import Distinct, DistinctCount
from smlnb.stats.frequent import FrequentItems, FrequentValues
from smlnb.stats.lists import ListItems, ListSummary
from smlnb.stats.moments import MomentSummary
from smlnb.stats.texts import TextLengths

__all__ = ["Profile", "ProfileSummary"]

COUNTED = (Kind.CATEGORY, Kind.BINARY, Kind.TEXT)


@dataclass(frozen=True, slots=True)
class ProfileSummary:
    """What :meth:`Profile.result` gives.

    Attributes
    ----------
    distinct : dict of str to DistinctCount
        By attribute: categories, binary and text attributes, and continuous ones where asked for. Exact while the
        frequent values are (up to 768 different ones): then estimate and bounds are one number.
    frequent : dict of str to FrequentValues
        The same attributes.
    text_names : tuple of str
        The text attributes, in the order of ``texts``.
    texts : MomentSummary
        Of their lengths, in characters; ``zeros`` are the empty texts.
    list_names : tuple of str
        The list attributes, in the order of ``lists``.
    lists : ListSummary
        Their lengths, frequent items, and how many different items there are.
    """

    distinct: dict[str, DistinctCount]
    frequent: dict[str, FrequentValues]
    text_names: tuple[str, ...]
    texts: MomentSummary
    list_names: tuple[str, ...]
    lists: ListSummary


class Profile(Accumulator):
    """Distinct counts and frequent values, and the lengths of texts and lists; a block is an Arrow record batch.

    Parameters
    ----------
    schema : Schema
    continuous : bool, default False
        Count the values of continuous attributes, too: some 80 ns per row and attribute for the distinct ones and 300
        to 450 for the frequent ones, where binary attributes and categories take 20 to 30 for both.

    Examples
    --------
    >>> profile = Profile(Schema.of(["c", "s"], "T,S"))
    >>> profile.update(pa.record_batch({"c": ["a", "b", "a"], "s": ["one", "two", "three"]}))
    >>> summary = profile.result()
    >>> str(summary.distinct["c"]), summary.frequent["c"].above(), summary.texts.maximum.tolist()
    ('2', {'a': (2, 2), 'b': (1, 1)}, [5.0])
    """

    deterministic: ClassVar[bool] = False

    def __init__(self, schema: Schema, *, continuous: bool = False) -> None:
        self.schema = schema
        self.continuous = continuous
        self.n = 0
        self._name()
        self.distinct = Distinct(len(self._counted))
        self.frequent = FrequentItems(len(self._counted))
        self.texts = TextLengths(len(self._texts))
        self.lists = ListItems(len(self._lists))

    def _name(self) -> None:
        counted = (*COUNTED, Kind.CONTINUOUS) if self.continuous else COUNTED
        self._counted = _names(self.schema, counted)
        self._texts = _names(self.schema, (Kind.TEXT,))
        self._lists = _names(self.schema, (Kind.LIST,))

    @property
    def _parts(self) -> tuple[Distinct, FrequentItems, TextLengths, ListItems]:
        return self.distinct, self.frequent, self.texts, self.lists

    def update(self, block: pa.RecordBatch) -> None:
        """Absorb a record batch; a column that it lacks is missing."""
        nothing, present = pa.nulls(block.num_rows), set(block.schema.names)
        for part, names in zip(self._parts, (self._counted, self._counted, self._texts, self._lists), strict=True):
            if names:
                part.update([block.column(name) if name in present else nothing for name in names])
        self.n += block.num_rows

    def merge(self, other: Self) -> None:
        """Absorb another of the same schema."""
        self._check_mergeable(other)
        for mine, theirs in zip(self._parts, other._parts, strict=True):
            mine.merge(theirs)
        self.n += other.n

    def grow(self, new: Sequence[Attribute]) -> None:
        """Add attributes at the end; in everything absorbed so far they count as missing."""
        self.schema = self.schema.with_attributes(list(new))
        self._name()
        # a part without attributes was not updated: its rows are those of the others
        self.distinct.n = self.frequent.n = self.texts.moments.n = self.lists.lengths.n = self.n
        self.distinct.widen(len(self._counted))
        self.frequent.widen(len(self._counted))
        self.texts.widen(len(self._texts))
        self.lists.widen(len(self._lists))

    def result(self) -> ProfileSummary:
        """Return the results of all parts, by name."""
        counts = zip(self.distinct.result(), self.frequent.result(), strict=True)
        both = dict(zip(self._counted, counts, strict=True))
        return ProfileSummary(
            distinct={name: _sharper(distinct, frequent) for name, (distinct, frequent) in both.items()},
            frequent={name: frequent for name, (_, frequent) in both.items()},
            text_names=self._texts,
            texts=self.texts.result(),
            list_names=self._lists,
            lists=self.lists.result(),
        )

    def empty(self) -> Self:
        """Return an empty one of the same configuration."""
        return type(self)(self.schema, continuous=self.continuous)

    def configuration(self) -> dict[str, Any]:
        """Return schema and options."""
        return {"schema": self.schema.state(), "continuous": self.continuous}

    def _payload(self) -> State:
        return {"n": self.n, "parts": {type(part).__name__: part.state() for part in self._parts}}

    @classmethod
    def _from_payload(cls, configuration: Mapping[str, Any], payload: Mapping[str, Any]) -> Self:
        profile = cls(Schema.from_state(configuration["schema"]), continuous=configuration["continuous"])
        profile.n, parts = payload["n"], payload["parts"]
        profile.distinct = Distinct.from_state(parts["Distinct"])
        profile.frequent = FrequentItems.from_state(parts["FrequentItems"])
        profile.texts = TextLengths.from_state(parts["TextLengths"])
        profile.lists = ListItems.from_state(parts["ListItems"])
        return profile


def _sharper(distinct: DistinctCount, frequent: FrequentValues) -> DistinctCount:
    """Return the exact count where the frequent values are all values."""
    if frequent.error:
        return distinct
    exact = float(len(frequent.values))
    return DistinctCount(exact, exact, exact, distinct.missing)


def _names(schema: Schema, kinds: Sequence[Kind]) -> tuple[str, ...]:
    return tuple(attribute.name for attribute in schema if attribute.kind in kinds)
