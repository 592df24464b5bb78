"""Rows that were read and found good, on their way into statistics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from smlnb.schema import Kind, Schema
from smlnb.stats.cut import select
from smlnb.stats.values import as_text_column, plain_column

__all__ = ["Rows"]

Integers = NDArray[np.int64]
TEXTS = pa.list_(pa.string())


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows as :meth:`Table.update_floats <smlnb.stats.table.Table.update_floats>` takes them, and where they stand.

    Attributes
    ----------
    floats : array, shape (numeric, rows)
        The numeric attributes of the schema.
    records : pyarrow.RecordBatch
        The other attributes, in one form whatever they came as: rows of different batches go together.
    times : array of int64, shape (rows,)
        Milliseconds since 1970.
    offsets : array of int64, shape (rows,)
        In their partition; rising. Of rows without one: their number.
    """

    floats: NDArray[np.float64]
    records: pa.RecordBatch
    times: Integers
    offsets: Integers

    @classmethod
    def of(
        cls,
        floats: NDArray[np.float64],
        records: pa.RecordBatch,
        schema: Schema,
        times: Integers,
        offsets: Integers,
        *,
        continuous: bool = False,
    ) -> Self:
        """Take what :func:`~smlnb.stats.table.read_block` read; ``continuous`` keeps those attributes in both forms."""
        given = {name: i for i, name in enumerate(records.schema.names)}
        numeric = {name: i for i, name in enumerate(schema.numeric)}
        columns: dict[str, pa.Array] = {}
        for attribute in schema:
            name, kind = attribute.name, attribute.kind
            if name not in given:
                continue
            if kind is Kind.BINARY or (continuous and kind is Kind.CONTINUOUS):
                columns[name] = pa.array(floats[numeric[name]], from_pandas=True)
            elif kind is Kind.LIST:
                columns[name] = _lists_of_text(records.column(given[name]))
            elif kind in (Kind.CATEGORY, Kind.TEXT):
                columns[name] = as_text_column(records.column(given[name]))
        kept = pa.RecordBatch.from_pydict(columns) if columns else _empty(len(times))
        return cls(floats, kept, times, offsets)

    def __len__(self) -> int:
        return len(self.times)

    @property
    def block(self) -> tuple[NDArray[np.float64], pa.RecordBatch, Integers, Integers]:
        """The rows as a block that panes can cut."""
        return self.floats, self.records, self.times, self.offsets

    def part(self, rows: slice | NDArray[Any]) -> Rows:
        """Return some of the rows; a slice of step 1 copies nothing."""
        return Rows(*select(self.block, rows))

    def widened(self, schema: Schema) -> Rows:
        """Return the rows for a schema with more attributes at the end, which are missing in them."""
        more = len(schema.numeric) - len(self.floats)
        if not more:
            return self
        gaps = np.full((more, len(self)), np.nan)
        return Rows(np.concatenate([self.floats, gaps]), self.records, self.times, self.offsets)

    @staticmethod
    def joined(parts: Sequence[Rows]) -> Rows:
        """Return all rows of some parts as one."""
        if len(parts) == 1:
            return parts[0]
        return Rows(
            np.concatenate([p.floats for p in parts], axis=1),
            _joined([p.records for p in parts]),
            np.concatenate([p.times for p in parts]),
            np.concatenate([p.offsets for p in parts]),
        )


def _lists_of_text(column: pa.Array) -> pa.Array:
    column = plain_column(column)
    if column.type == TEXTS or pa.types.is_null(column.type):
        return column.cast(TEXTS)
    missing = column.is_null()
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False).astype(np.int32)
    bounds = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(
        pa.array(bounds), as_text_column(pc.list_flatten(column)), mask=missing if column.null_count else None
    )


def _joined(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    tables = [pa.Table.from_batches([batch]) for batch in batches]
    if not any(table.num_columns for table in tables):
        return _empty(sum(batch.num_rows for batch in batches))
    merged = pa.concat_tables(tables, promote_options="default").combine_chunks().to_batches()
    return merged[0] if merged else batches[0].slice(0, 0)


def _empty(rows: int) -> pa.RecordBatch:
    """Return rows without columns: a batch made of columns alone would not know how many."""
    return pa.RecordBatch.from_struct_array(pa.nulls(rows, pa.struct([])))
