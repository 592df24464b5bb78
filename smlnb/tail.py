"""The rows of a block that is not complete yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from smlnb.options import Options
from smlnb.recent import absorb
from smlnb.rows import Rows
from smlnb.schema import Schema
from smlnb.stats.base import Plain, State
from smlnb.stats.table import Table

__all__ = ["Tail"]


class Tail:
    """Rows that wait for the rest of their block, and their statistics for whoever looks meanwhile.

    Rows are kept as columns until the block is complete; never in a file. There, their statistics stand for them.

    Attributes
    ----------
    position : int
        The next offset.
    refused, filtered : int
        Records of the block that were left out.
    restored : Table or None
        Statistics of rows that came from a file, without the rows.
    """

    def __init__(self, schema: Schema, options: Options, position: int) -> None:
        self.schema, self.options, self.position = schema, options, position
        self.refused = self.filtered = 0
        self.restored: Table | None = None
        self._parts: list[Rows] = []
        self._table: Table | None = None  # of the first parts, as many as were there when somebody looked
        self._seen = 0

    @property
    def n(self) -> int:
        """How many rows there are."""
        return sum(map(len, self._parts)) + (self.restored.n if self.restored is not None else 0)

    def add(self, rows: Rows, position: int, refused: int, filtered: int) -> None:
        """Add rows up to a position, and the numbers of records left out."""
        if len(rows):
            self._parts.append(rows)
        self.position = position
        self.refused += refused
        self.filtered += filtered

    def rows(self) -> Rows | None:
        """Return the rows, as far as they are there, in one piece."""
        return Rows.joined(self._parts) if self._parts else None

    def table(self) -> Table | None:
        """Return the statistics of the rows, not to be changed; None without rows."""
        if self._table is None and (self._parts or self.restored is not None):
            self._table = Table(self.schema, **self.options.table)
            if self.restored is not None:
                self._table.merge(self.restored)
        if self._table is not None:
            for rows in self._parts[self._seen :]:
                absorb(self._table, (rows.floats, rows.records, rows.times))
            self._seen = len(self._parts)
        return self._table

    def grow(self, schema: Schema) -> None:
        """Add the attributes that a schema has more, at the end."""
        new = [a for a in schema if a.name not in self.schema]
        self.schema = schema
        self._parts = [rows.widened(schema) for rows in self._parts]
        for table in (self.restored, self._table):
            if table is not None:
                table.grow(new)

    def copy(self) -> Tail:
        """Return an independent copy."""
        copy = Tail(self.schema, self.options, self.position)
        copy.refused, copy.filtered, copy._parts = self.refused, self.filtered, list(self._parts)
        copy.restored = None if self.restored is None else self.restored.copy()
        return copy

    def state(self) -> State:
        """Return the statistics of the rows, counts and position as plain values."""
        table = self.table()
        return {
            "position": self.position,
            "refused": self.refused,
            "filtered": self.filtered,
            "table": None if table is None else table.state(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Plain], schema: Schema, options: Options) -> Self:
        """Rebuild what :meth:`state` returned."""
        tail = cls(schema, options, state["position"])
        tail.refused, tail.filtered = state["refused"], state["filtered"]
        if state["table"] is not None:
            tail.restored = Table.from_state(state["table"])
        return tail
