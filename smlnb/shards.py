"""What a project keeps for one partition: statistics and the offset that comes next, which belong together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from smlnb.batch import Batch, Refusal
from smlnb.errors import DuplicateBatchError, GapError
from smlnb.stats.base import Plain, State
from smlnb.stats.table import Table

__all__ = ["Counts", "Learned", "Shard", "bad_rows"]


@dataclass(frozen=True, slots=True)
class Learned:
    """What :meth:`Project.learn <smlnb.project.Project.learn>` did: records learned, refused, and filtered out."""

    rows: int
    refused: tuple[Refusal, ...] = ()
    filtered: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """Records of a project: every one that it was given is in one of the counts.

    Attributes
    ----------
    learned, refused : int
    by_partition : dict of (topic, partition) to (learned, refused)
    filtered : int
        Left out by the row filter.
    forgotten : int
        Learned once, and taken out again.
    """

    learned: int
    refused: int
    by_partition: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    filtered: int = 0
    forgotten: int = 0


@dataclass(slots=True)
class Shard:
    """Statistics of one partition, or of data learned directly, and the position that they reach."""

    table: Table
    position: int = 0
    refused: int = 0
    filtered: int = 0

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

    def state(self) -> State:
        """Return statistics, position and count of refused records as plain values."""
        return {
            "table": self.table.state(),
            "position": self.position,
            "refused": self.refused,
            "filtered": self.filtered,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Plain]) -> Self:
        """Rebuild what :meth:`state` returned."""
        return cls(Table.from_state(state["table"]), state["position"], state["refused"], state["filtered"])


def bad_rows(
    records: pa.RecordBatch,
    bad: Mapping[str, NDArray[np.intp]],
    batch: Batch | None,
    origin: NDArray[np.intp],
) -> tuple[tuple[Refusal, ...], NDArray[np.bool_]]:
    """Return why rows can't be learned, and a mask of those that can.

    ``origin`` says which row of the batch each of the records was.
    """
    first: dict[int, str] = {}
    for name, rows in bad.items():
        for row in rows.tolist():
            first.setdefault(row, name)
    keep = np.ones(records.num_rows, bool)
    keep[list(first)] = False
    return tuple(
        _refusal(records.column(name)[row].as_py(), int(origin[row]), name, batch)
        for row, name in sorted(first.items())
    ), keep


def _refusal(value: Any, row: int, name: str, batch: Batch | None) -> Refusal:
    shown = repr(value) if len(repr(value)) <= 60 else f"{repr(value)[:57]}..."
    if batch is None:
        return Refusal("", -1, row, "learn", f"Row {row}: {name!r} is {shown}, which is no number of its kind.")
    offset = int(batch.offsets[row])
    where = f"{batch.topic}[{batch.partition}] offset {offset}"
    key, raw = batch.raw[row] if batch.raw is not None else (None, None)
    reason = f"{where}: {name!r} is {shown}, which is no number of its kind."
    return Refusal(batch.topic, batch.partition, offset, "learn", reason, key, raw)
