"""What a project knows of its latest records: a window over them, and figures that fade."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any, Literal

from smlnb.clock import now
from smlnb.options import Options
from smlnb.schema import Schema
from smlnb.shards.rows import Rows
from smlnb.stats.base import Plain, State
from smlnb.stats.decay import Decayed
from smlnb.stats.panes import Panes
from smlnb.stats.table import Table

__all__ = ["Recent", "absorb"]

PANES = 20  # of a window: it is as long as asked for, or up to one pane shorter


def absorb(table: Table, part: tuple[Any, ...]) -> None:
    """Let a table take a part of rows, as :attr:`Rows.block <smlnb.shards.rows.Rows.block>` has them."""
    table.update_floats(*part)


class Recent:
    """The window and the decay of a project, as far as they are by time, or by rows.

    Parameters
    ----------
    schema : Schema
    options : Options
    by : {"time", "rows"}
        Those by time are kept per partition and merged: partitions are read at different speeds, and what is late in
        one must not be lost to another. Those by rows count in the order of learning, over all partitions.
    """

    def __init__(self, schema: Schema, options: Options, by: Literal["time", "rows"]) -> None:
        self.schema, self.options, self.by = schema, options, by
        window, decay = (extent if extent and extent.by == by else None for extent in options.extents)
        self.window: Panes[Table] | None = None
        if window is not None:
            size = ceil(window.size / PANES)
            keep = ceil(window.size / size)
            lateness = size if by == "time" and keep > 1 else 0
            self.window = Panes(self._make, size, keep, by=by, lateness=lateness)
        self.decayed = None if decay is None else Decayed(len(schema.numeric), decay.size, by=by)

    def _make(self) -> Table:
        return Table(self.schema, **self.options.table)

    @property
    def n(self) -> int:
        """Rows absorbed, whatever has become of them."""
        return max((kept.n for kept in (self.window, self.decayed) if kept is not None), default=0)

    def update(self, rows: Rows) -> None:
        """Absorb rows."""
        if self.window is not None:
            self.window.update(rows.block, rows.times, now=now(), absorb=absorb)
        if self.decayed is not None:
            self.decayed.update(rows.floats, rows.times, now=now())

    def grow(self, schema: Schema) -> None:
        """Add the attributes that a schema has more, at the end."""
        new = [a for a in schema if a.name not in self.schema]
        self.schema = schema
        if self.window is not None:
            self.window.change(self._make, lambda table: table.grow(new))
        if self.decayed is not None:
            self.decayed.widen(len(schema.numeric))

    def merge(self, other: Recent) -> None:
        """Absorb another of the same schema and options."""
        if self.window is not None and other.window is not None:
            self.window.merge(other.window)
        if self.decayed is not None and other.decayed is not None:
            self.decayed.merge(other.decayed)

    def copy(self) -> Recent:
        """Return an independent copy."""
        copy = Recent(self.schema, self.options, self.by)
        copy.merge(self)
        return copy

    def state(self) -> State:
        """Return everything needed to rebuild it."""
        return {
            "window": None if self.window is None else self.window.state(),
            "decayed": None if self.decayed is None else self.decayed.state(),
        }

    @classmethod
    def from_state(
        cls, state: Mapping[str, Plain], schema: Schema, options: Options, by: Literal["time", "rows"]
    ) -> Recent:
        """Rebuild what :meth:`state` returned."""
        recent = cls(schema, options, by)
        if recent.window is not None:
            recent.window = Panes.from_state(state["window"], recent._make)
        if recent.decayed is not None:
            recent.decayed = Decayed.from_state(state["decayed"])
        return recent
