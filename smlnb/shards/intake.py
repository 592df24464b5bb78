"""What becomes of data that a project is given: rows that it can learn, and records that are refused or left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from smlnb.batch import Batch, Refusal
from smlnb.clock import now
from smlnb.errors import UnknownAttributeError
from smlnb.filter import RowFilter
from smlnb.options import Options
from smlnb.schema import Attribute, Kind, Schema, guess_kind, parse_kinds
from smlnb.shards.encoding import Encoding
from smlnb.shards.rows import Rows
from smlnb.shards.stamps import broker_times, stamps_of
from smlnb.stats.base import Plain, State
from smlnb.stats.table import read_block

__all__ = ["Counts", "Intake", "Learned", "Types", "take_in"]

Offsets = NDArray[np.int64]

WANTED = {
    Kind.CONTINUOUS: "number",
    Kind.BINARY: "0 or 1, true or false",
    Kind.CATEGORY: "category value: a text, a number, true or false",
    Kind.TEXT: "text",
    Kind.LIST: "list",
}


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
    lost : int
        Offsets that were deleted before they were read, where a feed was told to count these: so many records, or fewer
        if compaction or transactions had left holes.
    """

    learned: int
    refused: int
    by_partition: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    filtered: int = 0
    forgotten: int = 0
    lost: int = 0


class Types:
    """The letters that were given for a project's attributes; what has none is guessed from the first data."""

    def __init__(self, types: Any = None) -> None:
        self.by_position: str | None = None
        self.by_name: dict[str, str] = {}
        if isinstance(types, Mapping):
            self.by_name = {str(k): str(parse_kinds([v])[0]) for k, v in types.items()}
        elif types is not None:
            self.by_position = ",".join(parse_kinds(types))

    def schema_with(self, schema: Schema, records: pa.RecordBatch) -> Schema:
        """Return the schema that records make of the present one: the first data make it, new columns grow it."""
        if not records.num_columns:
            return schema
        if not schema.attributes:
            if self.by_position is not None:
                return Schema.of(records.schema.names, self.by_position)
            return Schema.guess(records, self.by_name)
        known = set(schema.names)
        new = [
            Attribute(name, Kind(self.by_name[name]) if name in self.by_name else guess_kind(records.column(i)))
            for i, name in enumerate(records.schema.names)
            if name not in known
        ]
        return schema.with_attributes(new) if new else schema

    def state(self) -> State:
        """Return the letters as plain values."""
        return {"by_position": self.by_position, "by_name": dict(self.by_name)}

    @classmethod
    def from_state(cls, state: Mapping[str, Plain]) -> Types:
        """Rebuild what :meth:`state` returned."""
        types = cls()
        types.by_position, types.by_name = state["by_position"], dict(state["by_name"])
        return types


@dataclass(frozen=True, slots=True, eq=False)
class Intake:
    """Data that were read, and nothing changed yet.

    Attributes
    ----------
    schema : Schema
        With the attributes that these data add.
    rows : Rows
        What can be learned.
    refused : tuple of Refusal
        Records that do not fit their attributes; those that could not be decoded are the batch's.
    refused_at : list of (offset, attribute)
        Of all records that were refused, in order; of those that could not be decoded the attribute is empty.
    filtered_at : array of int64
        Offsets of the records that the filter left out; rising.
    """

    schema: Schema
    rows: Rows
    refused: tuple[Refusal, ...]
    refused_at: list[tuple[int, str]]
    filtered_at: Offsets


def take_in(
    records: pa.RecordBatch,
    batch: Batch | None,
    schema: Schema,
    *,
    types: Types,
    options: Options,
    encoding: Encoding,
    row_filter: RowFilter | None = None,
    times: NDArray[np.int64] | None = None,
    first: int = 0,
) -> Intake:
    """Read records, which are those of ``batch`` if there is one; else they are numbered from ``first`` on.

    Raises
    ------
    SchemaError
        If they do not fit the types.
    """
    offsets = batch.offsets if batch is not None else np.arange(first, first + records.num_rows)
    stamps = _times(records, batch, schema, options, times)
    origin: NDArray[np.intp] | range = range(records.num_rows)
    filtered_at = offsets[:0]
    if row_filter is not None and records.num_rows:
        wanted = row_filter(records)
        filtered_at = offsets[~wanted]
        if not wanted.all():
            origin = np.flatnonzero(wanted)
            records, offsets, stamps = records.take(pa.array(origin)), offsets[origin], stamps[origin]
    encoding.check(records)
    schema = encoding.extended(types.schema_with(schema, records))
    floats, readable, bad = read_block(records, schema)
    refused: tuple[Refusal, ...] = ()
    if bad:
        refused, keep = _bad_rows(records, bad, batch, origin, schema)
        floats, readable = np.ascontiguousarray(floats[:, keep]), readable.filter(pa.array(keep))
        offsets, stamps = offsets[keep], stamps[keep]
    rows = Rows.of(floats, readable, schema, stamps, offsets, continuous=options.distinct)
    all_refused = refused if batch is None else (*batch.refused, *refused)
    return Intake(schema, rows, refused, sorted((r.offset, r.attribute) for r in all_refused), filtered_at)


def _times(
    records: pa.RecordBatch,
    batch: Batch | None,
    schema: Schema,
    options: Options,
    given: NDArray[np.int64] | None,
) -> NDArray[np.int64]:
    """Return the time of each record: of its column, as given, of the broker, or by the clock."""
    if given is not None:
        return given
    name = options.time
    if name is not None and name in records.schema.names:
        return stamps_of(records.column(name), records.num_rows, f"the column {name!r}")
    if name is not None and records.num_columns and name not in schema:
        raise UnknownAttributeError.of(name, records.schema.names)
    if name is not None or batch is None or batch.times is None:
        return np.full(records.num_rows, now())
    return broker_times(batch.times)


def _bad_rows(
    records: pa.RecordBatch,
    bad: Mapping[str, NDArray[np.intp]],
    batch: Batch | None,
    origin: NDArray[np.intp] | range,
    schema: Schema,
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
        _refusal(records.column(name)[row].as_py(), int(origin[row]), schema[name], batch)
        for row, name in sorted(first.items())
    ), keep


def _refusal(value: Any, row: int, attribute: Attribute, batch: Batch | None) -> Refusal:
    name, shown = attribute.name, repr(value) if len(repr(value)) <= 60 else f"{repr(value)[:57]}..."
    reason = f"{name!r} is {shown}, which is no {WANTED[attribute.kind]}."
    if batch is None:
        return Refusal("", -1, row, "learn", f"Row {row}: {reason}", attribute=name)
    offset = int(batch.offsets[row])
    where = f"{batch.topic}[{batch.partition}] offset {offset}"
    key, raw = batch.raw[row] if batch.raw is not None else (None, None)
    return Refusal(batch.topic, batch.partition, offset, "learn", f"{where}: {reason}", key, raw, name)
