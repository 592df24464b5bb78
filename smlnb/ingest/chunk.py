"""Records of one partition on their way from the client to the decoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Chunk", "Place", "clipped"]

Place = tuple[str, int]


@dataclass(slots=True)
class Chunk:
    """Records of one partition, and the positions [start, stop) that reading them covered.

    The client's message objects are not kept: taken apart at once and freed, they cost half.
    """

    place: Place
    start: int
    stop: int
    values: list[bytes | None] = field(default_factory=list)
    keys: list[bytes | None] = field(default_factory=list)
    runs: list[NDArray[np.int64]] = field(default_factory=list)  # offsets, as they came
    stamps: list[NDArray[np.int64]] = field(default_factory=list)  # their times
    headers: list[Any] = field(default_factory=list)  # of each, where they are wanted
    lost: list[tuple[int, int]] = field(default_factory=list)  # positions that retention had deleted
    since: float = 0.0  # when the first of them came

    def __len__(self) -> int:
        return len(self.values)

    @property
    def offsets(self) -> NDArray[np.int64]:
        """The offset of each record."""
        return np.concatenate(self.runs) if self.runs else np.empty(0, np.int64)

    @property
    def times(self) -> NDArray[np.int64]:
        """The time of each record, in milliseconds since 1970."""
        return np.concatenate(self.stamps) if self.stamps else np.empty(0, np.int64)

    def split(self, rows: int) -> tuple[Chunk, Chunk]:
        """Return the first ``rows`` records, and the rest."""
        offsets, times = self.offsets, self.times
        middle = int(offsets[rows])
        head, rest = slice(0, rows), slice(rows, None)

        def part(start: int, stop: int, which: slice) -> Chunk:
            return Chunk(
                self.place,
                start,
                stop,
                self.values[which],
                self.keys[which],
                [offsets[which]],
                [times[which]],
                self.headers[which],
                self.lost,
                self.since,
            )

        return part(self.start, middle, head), part(middle, self.stop, rest)

    def before(self, end: int) -> Chunk:
        """Return what is before a position within this."""
        rows = int(np.searchsorted(self.offsets, end))
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
