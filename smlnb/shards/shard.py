"""What a project keeps for one partition: statistics and the offset that comes next, which belong together."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from smlnb.batch import Batch
from smlnb.clock import hull
from smlnb.errors import DuplicateBatchError, GapError
from smlnb.options import Options
from smlnb.schema import Schema
from smlnb.shards.encoding import Encoding
from smlnb.shards.recent import Recent
from smlnb.shards.rows import Rows
from smlnb.shards.tail import Tail
from smlnb.shards.timeline import Timeline
from smlnb.stats.base import Plain, State
from smlnb.stats.table import Table

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
    encoding : Encoding, optional
        The project's encoders.

    Attributes
    ----------
    sealed_at : int
        The position of the sealed statistics.
    refused, filtered : int
        Records that were left out, those of the tail included.
    forgotten : int
        Records that were taken out again.
    lost : int
        Offsets that were deleted before they were read.
    """

    def __init__(
        self,
        schema: Schema,
        options: Options,
        position: int = 0,
        block: int | None = None,
        encoding: Encoding | None = None,
    ) -> None:
        self.schema, self.options = schema, options
        self.encoding = encoding or Encoding()
        self.block = block or min(BLOCK, max(100, BLOCK_VALUES // max(1, len(schema.numeric))))
        self.sealed_at = position
        self.forgotten = self.lost = 0
        self._refused: Counter[str] = Counter()  # in the sealed statistics, by attribute
        self._filtered = 0
        self._sealed = Timeline(schema, options)
        self._tail = Tail(schema, options, position, self.encoding)

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
        return self.refused_by_attribute.total()

    @property
    def refused_by_attribute(self) -> Counter[str]:
        """Records that did not fit an attribute; under the empty name those that could not be decoded."""
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

    def learn(self, rows: Rows, stop: int, refused: Sequence[tuple[int, str]], filtered: Offsets) -> list[Rows]:
        """Absorb the rows up to the position ``stop``, and count those left out; return the rows that were sealed."""
        sealed = []
        while stop >= (end := (self.sealed_at // self.block + 1) * self.block):
            cut, out = (int(np.searchsorted(offsets, end)) for offsets in (rows.offsets, filtered))
            bad = bisect_left(refused, (end, ""))
            part = rows if cut == len(rows) else rows.part(slice(0, cut))
            self._tail.add(part, end, [attribute for _, attribute in refused[:bad]], out)
            sealed += self._seal()
            if stop == end:  # as batches of a block each are: nothing is left
                return sealed
            rows, refused, filtered = rows.part(slice(cut, len(rows))), refused[bad:], filtered[out:]
        if stop > self.position:
            self._tail.add(rows, stop, [attribute for _, attribute in refused], len(filtered))
        return sealed

    def learn_directly(self, rows: Rows, refused: Sequence[tuple[int, str]], filtered: int) -> list[Rows]:
        """Absorb rows that have no offsets."""
        self._tail.add(rows, self.position, [attribute for _, attribute in refused], filtered)
        return self._seal()

    def _seal(self) -> list[Rows]:
        """Bring the tail into the sealed statistics."""
        tail, self._tail = self._tail, Tail(self.schema, self.options, self._tail.position, self.encoding)
        self.sealed_at = tail.position
        self._refused += tail.refused
        self._filtered += tail.filtered
        if tail.restored is not None:
            self._sealed.merge(tail.restored)
        rows = tail.rows()
        if rows is None:
            return []
        encoded = self.encoding.apply(rows, self.schema)
        self._sealed.update(encoded)
        self.encoding.learn(rows, self.schema)
        return [encoded]

    def rewind(self) -> bool:
        """Give up a tail that came from a file, if its records can be read again: then its block will be whole."""
        if self._tail.restored is None and (self._tail.n or self.position == self.sealed_at):
            return False
        self._tail = Tail(self.schema, self.options, self.sealed_at, self.encoding)
        return True

    def forget(self, rows: Rows) -> list[Rows]:
        """Take rows out; return those of the tail, which is sealed before. After an error this shard is of no use.

        Raises
        ------
        ForgetError
            If they were not learned here, or too few digits would be left.
        """
        sealed = self._seal()
        self._sealed.forget(self.encoding.apply(rows, self.schema))
        self.forgotten += len(rows)
        return sealed

    def forget_between(self, start: int, stop: int) -> tuple[int, list[Rows]]:
        """Give up the panes of an interval; return how many rows that was, and those that were sealed before."""
        sealed = self._seal()
        gone = self._sealed.forget_between(start, stop)
        self.forgotten += gone
        return gone, sealed

    # -- reading --------------------------------------------

    def add_to(self, total: Table) -> None:
        """Merge the statistics of all rows into a table."""
        self._sealed.add_to(total)
        if (tail := self._tail.statistics()) is not None:
            tail.add_to(total)

    def covered(self, start: int, stop: int) -> tuple[int, int] | None:
        """Return an interval widened to whole panes of the sealed statistics; None if they know nothing of it."""
        return self._sealed.covered(start, stop)

    def add_between(self, total: Table, start: int, stop: int) -> None:
        """Merge the statistics of an interval, whole panes, into a table."""
        self._sealed.add_between(total, start, stop)
        self._tail.add_between(total, start, stop)

    @property
    def span(self) -> tuple[int, int] | None:
        """From where to where the history reaches, the tail included."""
        spans = [span for span in (self._sealed.span, self._tail.span) if span is not None]
        return hull(spans)

    @property
    def panes(self) -> list[tuple[int, int, int]]:
        """Start, stop and rows of the panes of the history, the tail included."""
        return [*self._sealed.panes, *self._tail.panes]

    def latest(self) -> Recent:
        """Return what is kept of the latest records by time, the tail included, in an object of its own."""
        recent = self._sealed.recent.copy()
        if (tail := self._tail.statistics()) is not None:
            recent.merge(tail.recent)
        return recent

    def grow(self, schema: Schema) -> None:
        """Add the attributes that a schema has more, at the end."""
        if len(schema) > len(self.schema):
            self.schema = schema
            self._sealed.grow(schema)
            self._tail.grow(schema)

    def merge(self, other: Shard) -> None:
        """Absorb another shard that has no tail: data learned directly."""
        self._sealed.merge(other._sealed)
        self._refused += other._refused
        self._filtered += other._filtered
        self.forgotten += other.forgotten
        self.lost += other.lost

    def copy(self, schema: Schema | None = None, encoding: Encoding | None = None) -> Shard:
        """Return an independent copy, of another project if its schema and encoders are given."""
        encoding = encoding or self.encoding
        copy = Shard(self.schema, self.options, self.sealed_at, self.block, encoding)
        copy.merge(self)
        copy._tail = self._tail.copy(encoding)
        if schema is not None:
            copy.grow(schema)
        return copy

    def state(self) -> State:
        """Return statistics, position and counts as plain values."""
        return {
            "block": self.block,
            "sealed_at": self.sealed_at,
            "refused": dict(self._refused),
            "filtered": self._filtered,
            "forgotten": self.forgotten,
            "lost": self.lost,
            "sealed": self._sealed.state(),
            "tail": self._tail.state(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Plain], schema: Schema, options: Options, encoding: Encoding) -> Self:
        """Rebuild what :meth:`state` returned."""
        shard = cls(schema, options, state["sealed_at"], state["block"], encoding)
        shard._refused = Counter(state["refused"])
        shard._filtered, shard.forgotten = state["filtered"], state["forgotten"]
        shard.lost = state.get("lost", 0)
        shard._sealed = Timeline.from_state(state["sealed"], schema, options)
        shard._tail = Tail.from_state(state["tail"], schema, options, encoding)
        return shard
