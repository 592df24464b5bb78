"""Records of one partition on their way from the client to the decoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from smlnb.ingest.records import Records

__all__ = ["Chunk", "Place", "clipped"]

Place = tuple[str, int]


@dataclass(slots=True)
class Chunk:
    """Records of one partition, and the positions [start, stop) that reading them covered."""

    place: Place
    start: int
    stop: int
    parts: list[Records] = field(default_factory=list)  # as they came
    rows: int = 0  # in all of them
    lost: list[tuple[int, int]] = field(default_factory=list)  # positions that retention had deleted
    since: float = 0.0  # when the first of them came

    def __len__(self) -> int:
        return self.rows

    def append(self, records: Records) -> None:
        """Take further records, which come after all that are here, and end with them."""
        self.parts.append(records)
        self.rows += len(records)
        self.stop = int(records.offsets[-1]) + 1

    @property
    def records(self) -> Records:
        """All of them as one."""
        if len(self.parts) != 1:
            self.parts = [Records.joined(self.parts)]
        return self.parts[0]

    def split(self, rows: int) -> tuple[Chunk, Chunk]:
        """Return the first ``rows`` records, and the rest."""
        records = self.records
        middle = int(records.offsets[rows])
        head, rest = records.part(slice(0, rows)), records.part(slice(rows, None))
        return (
            replace(self, stop=middle, parts=[head], rows=len(head)),
            replace(self, start=middle, parts=[rest], rows=len(rest)),
        )

    def before(self, end: int) -> Chunk:
        """Return what is before a position within this."""
        rows = int(np.searchsorted(self.records.offsets, end))
        head = self if rows == len(self) else self.split(rows)[0]
        return replace(head, stop=end)


def clipped(intervals: Sequence[tuple[int, int]], start: int, stop: int) -> tuple[tuple[int, int], ...]:
    """Return the parts of intervals that are within [start, stop).

    Examples
    --------
    >>> clipped([(0, 10), (20, 30)], 5, 20)
    ((5, 10),)
    """
    return tuple((max(a, start), min(b, stop)) for a, b in intervals if max(a, start) < min(b, stop))
