"""Counting what becomes of the records of each partition, and the snapshots of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from smlnb.batch import Batch, Refusal
from smlnb.formats.decoded import TOMBSTONE
from smlnb.ingest.metrics import Metrics, PartitionMetrics, Rate
from smlnb.logs import Seldom, event

__all__ = ["Meter", "last_reason", "log_refusals"]

Place = tuple[str, int]


class Reading(Protocol):
    """The part of a reader that its meter looks at, from other threads."""

    high: dict[Place, int]
    read: dict[Place, int]
    commit_errors: int

    @property
    def broker_error(self) -> str | None:
        """Why the broker can't be reached."""


@dataclass(slots=True)
class _Count:
    rows: int = 0
    refused: int = 0
    lost: int = 0
    bytes: int = 0
    decode_seconds: float = 0.0
    last_error: str | None = None
    rate: Rate = field(default_factory=Rate)

    @property
    def done(self) -> int:
        return self.rows + self.refused


def last_reason(refused: Sequence[Refusal]) -> str | None:
    """Say which record was refused last, and why; a tombstone is no error.

    Examples
    --------
    >>> last_reason([Refusal("t", 0, 7, "decode", "malformed JSON"), Refusal("t", 0, 8, "decode", TOMBSTONE)])
    'offset 7: malformed JSON'
    """
    found = next((r for r in reversed(refused) if r.reason != TOMBSTONE), None)
    return None if found is None else f"offset {found.offset}: {found.reason}"


class Meter:
    """Counts for one source, over all its runs. Whoever uses it sees to it that one thread does at a time."""

    def __init__(self) -> None:
        self._counts: dict[Place, _Count] = {}
        self._before: dict[Place, int] = {}  # done when the present run began
        self._high: dict[Place, int] = {}
        self._batches = 0
        self._rate = Rate()
        self._last_error: str | None = None

    def begin(self) -> None:
        """Take note that a new reader begins, which has read nothing yet."""
        self._before = {place: count.done for place, count in self._counts.items()}

    def end(self, reader: Reading) -> None:
        """Take note that a reader ends: what it has read and nobody is done with is given back."""
        self._high.update(reader.high)

    def count(self, batch: Batch, size: int, decode_seconds: float) -> None:
        """Count a batch that is done with, the bytes of its values and the time that decoding took."""
        place = (batch.topic, batch.partition)
        count = self._counts.setdefault(place, _Count())
        count.rows += len(batch)
        count.refused += len(batch.refused)
        count.lost += batch.offsets_lost
        count.bytes += size
        count.decode_seconds += decode_seconds
        count.rate.add(len(batch))
        self._batches += 1
        self._rate.add(len(batch))
        reason = last_reason(batch.refused)
        if reason is not None:
            count.last_error = reason
            self._last_error = f"{batch.topic}[{batch.partition}] {reason}"

    def metrics(
        self, state: str, positions: Mapping[Place, int], reader: Reading | None, failure: str | None = None
    ) -> Metrics:
        """Return a snapshot; without a reader nothing is pending."""
        high = {**self._high, **(dict(reader.high) if reader is not None else {})}
        parts = {}
        for place, position in sorted(positions.items()):
            count = self._counts.get(place) or _Count()
            read = count.done
            if reader is not None:
                read = max(self._before.get(place, 0) + reader.read.get(place, 0), read)
            parts[place] = PartitionMetrics(
                position=position,
                high=max(high.get(place, 0), position),
                rows=count.rows,
                refused=count.refused,
                read=read,
                pending=read - count.done,
                lost=count.lost,
                bytes=count.bytes,
                rate=count.rate.per_second,
                decode_seconds=count.decode_seconds,
                last_error=count.last_error,
            )
        every = parts.values()
        return Metrics(
            state=state,
            read=sum(p.read for p in every),
            rows=sum(p.rows for p in every),
            refused=sum(p.refused for p in every),
            pending=sum(p.pending for p in every),
            lost=sum(p.lost for p in every),
            bytes=sum(p.bytes for p in every),
            batches=self._batches,
            lag=sum(p.lag for p in every),
            rate=self._rate.per_second,
            decode_seconds=sum(p.decode_seconds for p in every),
            commit_errors=reader.commit_errors if reader is not None else 0,
            broker_error=reader.broker_error if reader is not None else None,
            last_error=failure or self._last_error,
            partitions=parts,
        )


def log_refusals(logger: logging.Logger, seldom: Seldom, refused: Sequence[Refusal]) -> None:
    """Log the first refusal, and later how many there were and the last of them; tombstones are none."""
    found = [r for r in refused if r.reason != TOMBSTONE]
    told = seldom.add(len(found))
    if told:
        last = found[-1] if found else None
        where = {} if last is None else {"topic": last.topic, "partition": last.partition, "offset": last.offset}
        stage, reason = (None, None) if last is None else (last.stage, last.reason)
        event(logger, logging.INFO, "refused", records=told, **where, stage=stage, reason=reason)
