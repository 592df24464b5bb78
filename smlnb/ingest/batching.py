"""From the records of a chunk and what a decoder made of them to a batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from smlnb.batch import Batch, Refusal
from smlnb.errors import DecodeError
from smlnb.formats.decoded import TOMBSTONE, Decoded
from smlnb.formats.payloads import Payloads
from smlnb.ingest.chunk import Chunk, clipped
from smlnb.ingest.records import Records

__all__ = ["NOTHING", "batch_of", "size_of"]

NOTHING = Decoded(pa.RecordBatch.from_arrays([], names=[]), np.empty(0, np.int64))


def batch_of(
    chunk: Chunk, decoded: Decoded, *, stop_at_bad: bool, dead_letter_topic: str
) -> tuple[Batch, DecodeError | None]:
    """Return the batch and, with ``stop_at_bad``, the error of the record that it was cut before."""
    topic, partition = chunk.place
    records = chunk.records
    offsets, times = records.offsets, records.times
    data, rows, refused, stop, failure = decoded.data, decoded.rows, decoded.refused, chunk.stop, None
    bad = next(((i, why) for i, why in refused if why != TOMBSTONE), None) if stop_at_bad else None
    if bad is not None:
        first, reason = bad
        kept = int(np.searchsorted(rows, first))
        data, rows, refused = data.slice(0, kept), rows[:kept], tuple(r for r in refused if r[0] < first)
        stop = int(offsets[first])
        failure = DecodeError(
            f"{topic}[{partition}] offset {stop} can't be decoded: {reason}. Reading stopped before this record.",
        ).advising(
            "Go on with restart(on_malformed='skip'), which leaves such records out, or 'dead_letter', which "
            f"writes them to {dead_letter_topic!r}.",
        )
    refusals = tuple(
        Refusal(topic, partition, int(offsets[i]), "decode", why, records.keys[i], records.values[i])
        for i, why in refused
    )
    raw = _Raw(records, rows)
    if len(rows) < len(offsets):
        offsets, times = offsets[rows], times[rows]
    batch = Batch(
        data,
        topic,
        partition,
        chunk.start,
        stop,
        offsets,
        refusals,
        raw,
        times,
        clipped(chunk.lost, chunk.start, stop),
    )
    return batch, failure


class _Raw(Sequence[tuple[bytes | None, bytes | None]]):
    """Keys and values of a batch's rows, looked up when asked for."""

    def __init__(self, records: Records, rows: NDArray[np.int64]) -> None:
        self._records = records
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        row = self._rows[index]
        return self._records.keys[row], self._records.values[row]

    def __iter__(self) -> Iterator[tuple[bytes | None, bytes | None]]:
        keys, values = list(self._records.keys), list(self._records.values)
        return ((keys[row], values[row]) for row in self._rows.tolist())


def size_of(values: Sequence[bytes | None]) -> int:
    """Return how many bytes the values take."""
    if isinstance(values, Payloads):
        return values.nbytes
    return sum(map(len, filter(None, values)))
