"""The rows of a block that is not complete yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Self

from smlnb.clock import hull, now
from smlnb.options import Options
from smlnb.schema import Schema
from smlnb.shards.encoding import Encoding
from smlnb.shards.recent import absorb
from smlnb.shards.rows import Rows
from smlnb.shards.timeline import Timeline
from smlnb.stats.base import Plain, State
from smlnb.stats.decay import TOLERANCE
from smlnb.stats.table import Table

__all__ = ["Tail"]


class Tail:
    """Rows that wait for the rest of their block, and their statistics for whoever looks meanwhile.

    Rows are kept as columns until the block is complete; never in a file. There, their statistics stand for them.

    Attributes
    ----------
    position : int
        The next offset.
    refused : Counter
        Records of the block that did not fit, by attribute; under the empty name those that could not be decoded.
    filtered : int
        Those that the row filter left out.
    restored : Timeline or None
        Statistics of rows that came from a file, without the rows.
    """

    def __init__(self, schema: Schema, options: Options, position: int, encoding: Encoding) -> None:
        self.schema, self.options, self.position, self.encoding = schema, options, position, encoding
        self.refused: Counter[str] = Counter()
        self.filtered = 0
        self.restored: Timeline | None = None
        self._parts: list[Rows] = []
        self._statistics: Timeline | None = None  # of the first parts, as many as were there when somebody looked
        self._seen = 0

    @property
    def n(self) -> int:
        """How many rows there are."""
        return sum(map(len, self._parts)) + (self.restored.n if self.restored is not None else 0)

    def add(self, rows: Rows, position: int, refused: Iterable[str], filtered: int) -> None:
        """Add rows up to a position, the attributes of the records refused, and how many were filtered out."""
        if len(rows):
            self._parts.append(rows)
        self.position = position
        self.refused.update(refused)
        self.filtered += filtered

    def rows(self) -> Rows | None:
        """Return the rows, as far as they are there, in one piece."""
        return Rows.joined(self._parts) if self._parts else None

    def encoded(self) -> Rows | None:
        """Return the rows with the numbers that the encoders make of them by now."""
        rows = self.rows()
        return None if rows is None else self.encoding.apply(rows, self.schema)

    def statistics(self) -> Timeline | None:
        """Return all statistics of the rows, not to be changed; None without rows."""
        if self._statistics is None and (self._parts or self.restored is not None):
            self._statistics = Timeline(self.schema, self.options) if self.restored is None else self.restored.copy()
        if self._statistics is not None:
            for rows in self._parts[self._seen :]:
                self._statistics.update(self.encoding.apply(rows, self.schema))
            self._seen = len(self._parts)
        return self._statistics

    def add_between(self, total: Table, start: int, stop: int) -> None:
        """Merge the statistics of an interval into a table."""
        if self.restored is not None:
            self.restored.add_between(total, start, stop)
        rows = self.encoded()
        if rows is not None:
            inside = (rows.times >= start) & (rows.times < min(stop, _latest()))
            if inside.any():
                absorb(total, rows.part(inside).block)

    @property
    def span(self) -> tuple[int, int] | None:
        """From when to when the rows are, in whole panes of the history."""
        rows, spans = self.rows(), []
        if self.restored is not None and self.restored.span is not None:
            spans.append(self.restored.span)
        if rows is not None and (timely := rows.times[rows.times < _latest()]).size:
            size = self.options.history[0][0]
            first, last = (int(end) // size * size for end in (timely.min(), timely.max()))
            spans.append((first, last + size))
        return hull(spans)

    @property
    def panes(self) -> list[tuple[int, int, int]]:
        """Start, stop and rows of the panes that the rows will be in."""
        statistics = self.statistics()
        return [] if statistics is None else statistics.panes

    def grow(self, schema: Schema) -> None:
        """Add the attributes that a schema has more, at the end."""
        self.schema = schema
        self._parts = [rows.widened(schema) for rows in self._parts]
        if self.restored is not None:
            self.restored.grow(schema)
        self._statistics, self._seen = None, 0  # an encoder may have come that makes something of these rows

    def copy(self, encoding: Encoding) -> Tail:
        """Return an independent copy."""
        copy = Tail(self.schema, self.options, self.position, encoding)
        copy.refused, copy.filtered, copy._parts = self.refused.copy(), self.filtered, list(self._parts)
        copy.restored = None if self.restored is None else self.restored.copy()
        copy._statistics, copy._seen = None if self._statistics is None else self._statistics.copy(), self._seen
        return copy

    def state(self) -> State:
        """Return the statistics of the rows, counts and position as plain values."""
        statistics = self.statistics()
        return {
            "position": self.position,
            "refused": dict(self.refused),
            "filtered": self.filtered,
            "statistics": None if statistics is None else statistics.state(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Plain], schema: Schema, options: Options, encoding: Encoding) -> Self:
        """Rebuild what :meth:`state` returned."""
        tail = cls(schema, options, state["position"], encoding)
        tail.refused, tail.filtered = Counter(state["refused"]), state["filtered"]
        if state["statistics"] is not None:
            tail.restored = Timeline.from_state(state["statistics"], schema, options)
        return tail


def _latest() -> int:
    """Return where times begin that are too far beyond the clock to be those of records, as a history sees it."""
    return now() + TOLERANCE + 1
