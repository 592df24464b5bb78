"""Records on their way: an Arrow record batch and where it came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from smlnb.errors import SchemaError

__all__ = ["Batch", "Refusal", "as_record_batch"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record that could not be used, and why.

    Attributes
    ----------
    topic, partition, offset
        Where the record stands.
    stage : str
        What failed: ``"decode"`` or ``"learn"``.
    reason : str
        For people.
    key, value : bytes or None
        The record as it was on the topic.
    attribute : str
        The one that it does not fit; empty if it could not be decoded.
    """

    topic: str
    partition: int
    offset: int
    stage: str
    reason: str
    key: bytes | None = field(default=None, repr=False)
    value: bytes | None = field(default=None, repr=False)
    attribute: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Records of one partition, decoded, with the interval of positions that they cover.

    The interval [start, stop) is one of *consumer positions*: there may be fewer rows than positions, since compaction,
    transaction markers and refused records leave holes.

    Attributes
    ----------
    data : pyarrow.RecordBatch
        The decoded records in offset order, every column, whatever its kind.
    topic : str
    partition : int
    start, stop : int
        The consumer's position before and after.
    offsets : array of int64, shape (rows,)
        The offset of each row.
    refused : tuple of Refusal
        Records in the interval that could not be decoded.
    raw : sequence of (key, value), optional
        The undecoded records, row by row, for dead letters.
    times : array of int64, shape (rows,), optional
        The time of each row, in milliseconds since 1970; -1, as in Kafka, where there is none.
    lost : tuple of (int, int)
        Intervals of offsets within [start, stop) that the broker's retention had deleted before they were read.

    Examples
    --------
    >>> data = pa.record_batch({"x": [1.0, 2.0]})
    >>> batch = Batch(data, "t", 0, start=10, stop=13, offsets=np.array([10, 12]))
    >>> len(batch), batch.stop - batch.start
    (2, 3)
    """

    data: pa.RecordBatch
    topic: str
    partition: int
    start: int
    stop: int
    offsets: NDArray[np.int64]
    refused: tuple[Refusal, ...] = ()
    raw: Sequence[tuple[bytes | None, bytes | None]] | None = field(default=None, repr=False)
    times: NDArray[np.int64] | None = field(default=None, repr=False)
    lost: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if self.data.num_rows != len(self.offsets):
            raise ValueError(f"{self.data.num_rows} rows but {len(self.offsets)} offsets")
        if self.times is not None and len(self.times) != len(self.offsets):
            raise ValueError(f"{len(self.offsets)} rows but {len(self.times)} times")
        if not 0 <= self.start <= self.stop:
            raise ValueError(f"positions [{self.start}, {self.stop}) are no interval")
        if not all(self.start <= first < after <= self.stop for first, after in self.lost):
            raise ValueError(f"what is lost, {self.lost}, is not within [{self.start}, {self.stop})")

    def __len__(self) -> int:
        return int(self.data.num_rows)

    @property
    def offsets_lost(self) -> int:
        """How many offsets of the interval are lost."""
        return sum(after - first for first, after in self.lost)

    @property
    def where(self) -> str:
        """Topic, partition and interval, for messages."""
        return f"{self.topic}[{self.partition}] offsets {self.start} to {self.stop - 1}"


def as_record_batch(data: Any, names: Sequence[str] | None = None) -> pa.RecordBatch:
    """Make one Arrow record batch of anything tabular; without a copy where there is nothing to convert.

    Parameters
    ----------
    data
        An Arrow record batch or table, a pandas or polars frame (anything with ``__arrow_c_stream__``), a dict of
        columns, a list of dicts, or an array of shape (rows, columns).
    names : sequence of str, optional
        Column names, needed for an array without names of its own.

    Raises
    ------
    SchemaError
        If ``data`` is none of these, columns differ in length, a name appears twice, or an array comes without names.

    Examples
    --------
    >>> as_record_batch([{"x": 1, "y": "a"}, {"x": 2}]).num_rows
    2
    >>> as_record_batch(np.eye(2), names=["a", "b"]).schema.names
    ['a', 'b']
    """
    batch = _to_record_batch(data, names)
    seen: set[str] = set()
    for name in batch.schema.names:
        if name in seen:
            raise SchemaError(f"The column name {name!r} appears twice. Rename one of the two columns.")
        seen.add(name)
    return batch


def _to_record_batch(data: Any, names: Sequence[str] | None) -> pa.RecordBatch:  # noqa: PLR0911 - one per kind
    try:
        match data:
            case pa.RecordBatch():
                return data
            case pa.Table():
                return _one_batch(data)
            case pd.DataFrame():
                return pa.RecordBatch.from_pandas(data, preserve_index=False)
            case Mapping():
                columns = {str(k): v if isinstance(v, np.ndarray) else list(v) for k, v in data.items()}
                return pa.RecordBatch.from_pydict(columns)
            case np.ndarray():
                return _from_array(data, names)
            case _ if hasattr(data, "__arrow_c_stream__"):
                return _one_batch(pa.table(data))
            case Sequence() if not isinstance(data, str | bytes) and all(isinstance(row, Mapping) for row in data):
                found = dict.fromkeys(str(k) for row in data for k in row)
                return pa.RecordBatch.from_pydict({c: [row.get(c) for row in data] for c in found})
    except (ValueError, TypeError, OverflowError, pa.ArrowNotImplementedError) as error:
        raise SchemaError(f"The data does not make columns of one type and equal length: {error}") from error
    raise SchemaError(
        f"{type(data).__name__} is not tabular. Give an Arrow, pandas or polars table, a dict of columns, "
        "a list of dicts or an array with names.",
    )


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    batches = table.combine_chunks().to_batches()
    if not batches:
        return pa.RecordBatch.from_pylist([], schema=table.schema)
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)


def _from_array(array: NDArray[Any], names: Sequence[str] | None) -> pa.RecordBatch:
    if array.dtype.names:
        return pa.RecordBatch.from_pydict({n: array[n] for n in array.dtype.names})
    if array.ndim != 2:
        raise SchemaError(f"An array must have shape (rows, columns); this one has shape {array.shape}.")
    if names is None:
        raise SchemaError(f"An array of {array.shape[1]} columns needs their names: learn(array, names=[...]).")
    if len(names) != array.shape[1]:
        raise SchemaError(f"{len(names)} names were given for {array.shape[1]} columns.")
    return pa.RecordBatch.from_arrays([pa.array(np.ascontiguousarray(c)) for c in array.T], names=list(names))
