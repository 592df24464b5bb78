"""What a project keeps for one partition: statistics and the offset that comes next, which belong together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from smlnb.batch import Batch
from smlnb.clock import now
from smlnb.errors import DuplicateBatchError, GapError, StatisticsError
from smlnb.options import Options
from smlnb.recent import Recent, absorb
from smlnb.rows import Rows
from smlnb.schema import Attribute, Schema
from smlnb.stats.base import Plain, State
from smlnb.stats.history import History
from smlnb.stats.table import Table
from smlnb.tail import Tail

__all__ = ["Shard"]

BLOCK = 5_000  # offsets of a block, at most
BLOCK_VALUES = 500_000  # numbers of a block, of wide data

Offsets = NDArray[np.int64]


class Shard:
    """Statistics of one partition, or of data learned directly, and the position that they reach.

    Rows enter the *sealed* statistics in blocks of offsets [k * block, (k + 1) * block): however they came in batches,
    the statistics are the same to the last bit. Those of the unfinished block are the *tail*. Reading merges both.

    Parameters
    ----------
    schema : Schema
    options : Options
    position : int
        Where the partition's first batch starts.
    block : int, optional
        Offsets in a block, for good: 5,000, or fewer where rows are wide.

    Attributes
    ----------
    sealed_at : int
        The position of the sealed statistics.
    refused, filtered : int
        Records that were left out, those of the tail included.
    forgotten : int
        Records that were taken out again.
    """

    def __init__(self, schema: Schema, options: Options, position: int = 0, block: int | None = None) -> None:
        self.schema, self.options = schema, options
        self.block = block or min(BLOCK, max(100, BLOCK_VALUES // max(1, len(schema.numeric))))
        self.sealed_at = position
        self.forgotten = 0
        self.recent = Recent(schema, options, "time")
        self._refused = self._filtered = 0  # in the sealed statistics
        self._sealed: Table | History[Table] = self._make()
        if options.history:
            self._sealed = History(self._make, options.history)
        self._tail = Tail(schema, options, position)

    def _make(self) -> Table:
        return Table(self.schema, **self.options.table)

    @property
    def position(self) -> int:
        """The next offset."""
        return self._tail.position

    @property
    def n(self) -> int:
        """Records learned and not forgotten."""
        return self._sealed.n + self._tail.n

    @property
    def refused(self) -> int:
        """Records that were bad."""
        return self._refused + self._tail.refused

    @property
    def filtered(self) -> int:
        """Records that the row filter left out."""
        return self._filtered + self._tail.filtered

    @property
    def tail(self) -> Tail:
        """The rows of the unfinished block."""
        return self._tail

    def check(self, batch: Batch) -> None:
        """Refuse a batch that does not start where this shard ends.

        Raises
        ------
        DuplicateBatchError
            If some or all of it was absorbed already.
        GapError
            If records between the position and the batch are missing.
        """
        if batch.start == batch.stop:
            return
        if batch.start < self.position:
            upto = min(batch.stop, self.position) - 1
            raise DuplicateBatchError(
                f"{batch.where}: offsets {batch.start} to {upto} were already absorbed; the position is "
                f"{self.position}. Nothing was learned. Continue from the position.",
            )
        if batch.start > self.position:
            raise GapError(
                f"{batch.where}: offsets {self.position} to {batch.start - 1} were never seen. Nothing was learned. "
                "Seek to the position; if these records no longer exist, start a new project.",
            )

    # -- learning --------------------------------------------

    def learn(self, rows: Rows, stop: int, refused: Offsets, filtered: Offsets) -> list[Rows]:
        """Absorb the rows up to the position ``stop``, and count those left out; return the rows that were sealed."""
        sealed = []
        while stop >= (end := (self.sealed_at // self.block + 1) * self.block):
            cut, bad, out = (int(np.searchsorted(o, end)) for o in (rows.offsets, refused, filtered))
            self._tail.add(rows if cut == len(rows) else rows.part(slice(0, cut)), end, bad, out)
            sealed += self._seal()
            rows, refused, filtered = rows.part(slice(cut, len(rows))), refused[bad:], filtered[out:]
        if stop > self.position:
            self._tail.add(rows, stop, len(refused), len(filtered))
        return sealed

    def learn_directly(self, rows: Rows, refused: int, filtered: int) -> list[Rows]:
        """Absorb rows that have no offsets."""
        self._tail.add(rows, self.position, refused, filtered)
        return self._seal()

    def _seal(self) -> list[Rows]:
        """Bring the tail into the sealed statistics."""
        tail, self._tail = self._tail, Tail(self.schema, self.options, self._tail.position)
        self.sealed_at = tail.position
        self._refused += tail.refused
        self._filtered += tail.filtered
        if tail.restored is not None:
            self._absorb(tail.restored)
        rows = tail.rows()
        if rows is None:
            return []
        if isinstance(self._sealed, History):
            block = (rows.floats, rows.records, rows.times)
            self._sealed.update(block, rows.times, now=now(), absorb=absorb)
        else:
            self._sealed.update_floats(rows.floats, rows.records, rows.times)
        self.recent.update(rows)
        return [rows]

    def _absorb(self, table: Table) -> None:
        if isinstance(self._sealed, History):
            self._sealed.absorb(table)
        else:
            self._sealed.merge(table)

    def rewind(self) -> bool:
        """Give up a tail that came from a file, if its records can be read again: then its block will be whole."""
        if self._tail.restored is None and (self._tail.n or self.position == self.sealed_at):
            return False
        self._tail = Tail(self.schema, self.options, self.sealed_at)
        return True

    def forget(self, rows: Rows) -> list[Rows]:
        """Take rows out; return those of the tail, which is sealed before. After an error this shard is of no use.

        Raises
        ------
        ForgetError
            If they were not learned here, or too few digits would be left.
        """
        sealed = self._seal()
        if isinstance(self._sealed, History):
            self._sealed.forget_parts((rows.floats, rows.records), rows.times, _remove)
        else:
            _remove(self._sealed, (rows.floats, rows.records))
        self.forgotten += len(rows)
        return sealed

    def forget_between(self, start: int, stop: int) -> tuple[int, list[Rows]]:
        """Give up the panes of an interval; return how many rows that were, and those that were sealed before."""
        sealed = self._seal()
        history = self._history()
        if not history.covers(start, stop):
            return 0, sealed
        gone = history.forget_between(start, stop).statistics.n
        self.forgotten += gone
        return gone, sealed

    # -- reading --------------------------------------------

    def add_to(self, total: Table) -> None:
        """Merge the statistics of all rows into a table."""
        if isinstance(self._sealed, History):
            self._sealed.add_to(total)
        else:
            total.merge(self._sealed)
        tail = self._tail.table()
        if tail is not None:
            total.merge(tail)

    def _history(self) -> History[Table]:
        if not isinstance(self._sealed, History):
            raise StatisticsError("The project keeps no history. Make it with Project(..., history=True).")
        return self._sealed

    def add_between(self, total: Table, start: int, stop: int) -> tuple[int, int] | None:
        """Merge the statistics of an interval into a table; return what it covers, in whole panes."""
        history, rows = self._history(), self._tail.rows()
        covered = None
        if history.covers(start, stop):
            past = history.between(start, stop)
            total.merge(past.statistics)
            start, stop = covered = past.start, past.stop
        if rows is not None:
            inside = (rows.times >= start) & (rows.times < stop)
            if inside.any():
                part = rows.part(inside)
                absorb(total, (part.floats, part.records, part.times))
                covered = covered or (start, stop)
        return covered

    @property
    def span(self) -> tuple[int, int] | None:
        """From where to where the history reaches, the tail included."""
        history, rows = self._history(), self._tail.rows()
        spans = [history.span] if history.span is not None else []
        if rows is not None:
            spans.append((int(rows.times.min()), int(rows.times.max()) + 1))
        return (min(a for a, _ in spans), max(b for _, b in spans)) if spans else None

    @property
    def panes(self) -> list[tuple[int, int, int]]:
        """Start, stop and rows of the panes of the sealed history."""
        return self._history().panes

    def latest(self) -> Recent:
        """Return what is kept of the latest records by time, the tail included, in an object of its own."""
        recent, rows = self.recent.copy(), self._tail.rows()
        if rows is not None:
            recent.update(rows)
        return recent

    def grow(self, schema: Schema) -> None:
        """Add the attributes that a schema has more, at the end."""
        new: list[Attribute] = [a for a in schema if a.name not in self.schema]
        if not new:
            return
        self.schema = schema
        if isinstance(self._sealed, History):
            self._sealed.change(self._make, lambda table: table.grow(new))
        else:
            self._sealed.grow(new)
        self.recent.grow(schema)
        self._tail.grow(schema)

    def merge(self, other: Shard) -> None:
        """Absorb another shard that has no tail: data learned directly."""
        self._sealed.merge(other._sealed)  # type: ignore[arg-type]  # of one kind: the options are the same
        self.recent.merge(other.recent)
        self._refused += other._refused
        self._filtered += other._filtered
        self.forgotten += other.forgotten

    def copy(self) -> Shard:
        """Return an independent copy."""
        copy = Shard(self.schema, self.options, self.sealed_at, self.block)
        copy.merge(self)
        copy._tail = self._tail.copy()
        return copy

    def state(self) -> State:
        """Return statistics, position and counts as plain values."""
        return {
            "block": self.block,
            "sealed_at": self.sealed_at,
            "refused": self._refused,
            "filtered": self._filtered,
            "forgotten": self.forgotten,
            "sealed": self._sealed.state(),
            "recent": self.recent.state(),
            "tail": self._tail.state(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Plain], schema: Schema, options: Options) -> Self:
        """Rebuild what :meth:`state` returned."""
        shard = cls(schema, options, state["sealed_at"], state["block"])
        shard._refused, shard._filtered, shard.forgotten = state["refused"], state["filtered"], state["forgotten"]
        if options.history:
            shard._sealed = History.from_state(state["sealed"], shard._make)
        else:
            shard._sealed = Table.from_state(state["sealed"])
        shard.recent = Recent.from_state(state["recent"], schema, options, "time")
        shard._tail = Tail.from_state(state["tail"], schema, options)
        return shard


def _remove(table: Table, part: tuple[Any, Any]) -> None:
    table.forget_floats(*part)
