"""All statistics of a stream of rows: of everything, of the past by intervals, and of the latest by time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from smlnb.clock import now
from smlnb.errors import StatisticsError
from smlnb.options import Options
from smlnb.schema import Schema
from smlnb.shards.recent import Recent, absorb
from smlnb.shards.rows import Rows
from smlnb.stats.base import Plain, State
from smlnb.stats.history import History
from smlnb.stats.table import Table

__all__ = ["Timeline"]


class Timeline:
    """A table of everything, inside a history if the options ask for one, and what they ask for of the latest rows.

    Attributes
    ----------
    recent : Recent
        By time.
    """

    def __init__(self, schema: Schema, options: Options) -> None:
        self.schema, self.options = schema, options
        self.recent = Recent(schema, options, "time")
        self._total: Table | History[Table] = self._make()
        if options.history:
            self._total = History(self._make, options.history)

    def _make(self) -> Table:
        return Table(self.schema, **self.options.table)

    @property
    def n(self) -> int:
        """Rows absorbed and not forgotten."""
        return self._total.n

    def update(self, rows: Rows) -> None:
        """Absorb rows."""
        if isinstance(self._total, History):
            self._total.update(rows.block, rows.times, now=now(), absorb=absorb)
        else:
            absorb(self._total, rows.block)
        self.recent.update(rows)

    def merge(self, other: Timeline) -> None:
        """Absorb another of the same schema and options."""
        self._total.merge(other._total)  # type: ignore[arg-type]  # of one kind: the options are the same
        self.recent.merge(other.recent)

    def grow(self, schema: Schema) -> None:
        """Add the attributes that a schema has more, at the end."""
        new = [a for a in schema if a.name not in self.schema]
        self.schema = schema
        if isinstance(self._total, History):
            self._total.change(self._make, lambda table: table.grow(new))
        else:
            self._total.grow(new)
        self.recent.grow(schema)

    def forget(self, rows: Rows) -> None:
        """Take rows out of the total and the past: all of them or, with an error, none.

        Raises
        ------
        ForgetError
            If they were not learned here, or too few digits would be left.
        """
        if isinstance(self._total, History):
            self._total.forget_parts(rows.block, rows.times, _remove)
        else:
            _remove(self._total, rows.block)

    def forget_between(self, start: int, stop: int) -> int:
        """Give up the panes of an interval; return how many rows that were."""
        history = self._history()
        return history.forget_between(start, stop).statistics.n if history.covers(start, stop) else 0

    def add_to(self, total: Table) -> None:
        """Merge the statistics of everything into a table."""
        if isinstance(self._total, History):
            self._total.add_to(total)
        else:
            total.merge(self._total)

    def covered(self, start: int, stop: int) -> tuple[int, int] | None:
        """Return an interval widened to whole panes; None if the history knows nothing of it."""
        history = self._history()
        return history.widened(start, stop) if history.covers(start, stop) else None

    def add_between(self, total: Table, start: int, stop: int) -> None:
        """Merge the statistics of the panes of an interval into a table."""
        history = self._history()
        if history.covers(start, stop):
            history.add_between(total, start, stop)

    @property
    def span(self) -> tuple[int, int] | None:
        """From where to where the history reaches."""
        return self._history().span

    @property
    def panes(self) -> list[tuple[int, int, int]]:
        """Start, stop and rows of the history's panes."""
        return self._history().panes

    def _history(self) -> History[Table]:
        if not isinstance(self._total, History):
            raise StatisticsError("The project keeps no history. Make it with Project(..., history=True).")
        return self._total

    def copy(self) -> Timeline:
        """Return an independent copy."""
        copy = Timeline(self.schema, self.options)
        copy.merge(self)
        return copy

    def state(self) -> State:
        """Return everything needed to rebuild it bit for bit."""
        return {"total": self._total.state(), "recent": self.recent.state()}

    @classmethod
    def from_state(cls, state: Mapping[str, Plain], schema: Schema, options: Options) -> Self:
        """Rebuild what :meth:`state` returned."""
        timeline = cls(schema, options)
        if options.history:
            timeline._total = History.from_state(state["total"], timeline._make)
        else:
            timeline._total = Table.from_state(state["total"])
        timeline.recent = Recent.from_state(state["recent"], schema, options, "time")
        return timeline


def _remove(table: Table, part: tuple[Any, ...]) -> None:
    floats, records, *_ = part
    table.forget_floats(floats, records)
