"""Avro records to columns, a batch at a time: all of them, or none if there is anything wrong.

They are read by compiled code of this package, or, if all their fields are plain, by pyruhvro where there is none. Both
take the same records: those written as all libraries write them. What is broken, or written in a strange way, is left
to slower code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import pyarrow as pa

from smlnb.formats.avro_compiled import CompiledReader
from smlnb.formats.avro_plan import FlatField, flat_fields, nested_fields
from smlnb.formats.avro_pyruhvro import PyruhvroReader
from smlnb.formats.avro_types import Named
from smlnb.native import AVAILABLE

__all__ = ["FlatAvro", "FlatReader"]


_FEW = 16  # records that fastavro decodes in the time in which it could be found out which of them are broken


class FlatReader(Protocol):
    """Reads records of some fields."""

    def packed(self, values: Sequence[bytes]) -> Sequence[bytes]:
        """Return the values in the form that is read, and cut, at the least cost."""
        ...

    def read(self, values: Sequence[bytes | None], frame: bytes = b"") -> list[pa.Array] | None:
        """Return the columns, before they are cast, of values that are a frame and one record each.

        None, or an error of Arrow, if any value is not, or not written in as few bytes as it needs.
        """
        ...


class FlatAvro:
    r"""Decodes records of one schema whose fields hold one value each, and so do those of records within.

    Parameters
    ----------
    fields : sequence of FlatField
    target : pyarrow.Schema
        The columns.
    compiled : bool
        Whether compiled code reads them.
    least : int
        How many records are the fewest that are worth a try, and not to be left to fastavro at once.

    Examples
    --------
    >>> schema = {"type": "record", "name": "r", "fields": [{"name": "x", "type": ["null", "long"]}]}
    >>> flat = FlatAvro.of(schema, {}, pa.schema([("x", pa.int64())]))
    >>> flat.decode([b"\x02\x54", b"\x00"]).to_pydict()
    {'x': [42, None]}
    >>> flat.decode([b"\x02\x54", b"\x00 and more"])
    >>> flat.decode([b"\0\0\0\0\7\x02\x54"], b"\0\0\0\0\7").to_pydict()
    {'x': [42]}
    """

    def __init__(
        self, fields: Sequence[FlatField], target: pa.Schema, *, compiled: bool = AVAILABLE, least: int = 1
    ) -> None:
        self._reader: FlatReader = CompiledReader(fields) if compiled else PyruhvroReader(fields)
        made = [field for field in fields if field.kind != "record"]
        self._casts = [(*field.through, column.type) for field, column in zip(made, target, strict=True)]
        self._target = target
        self.least = least

    @classmethod
    def of(cls, schema: Any, named: Named, target: pa.Schema, *, compiled: bool = AVAILABLE) -> FlatAvro | None:
        """Return what decodes a schema that fastavro has parsed; None if there is nothing that does.

        Parameters
        ----------
        schema
        named : mapping
            The types that it names.
        target : pyarrow.Schema
            The columns.
        compiled : bool
            Whether compiled code may be used.
        """
        if not isinstance(schema, dict):
            return None
        fields = flat_fields(schema)
        if fields is not None:
            return cls(fields, target, compiled=compiled)
        fields = nested_fields(schema, named) if compiled else None
        return None if fields is None else cls(fields, target, least=_FEW)

    def packed(self, bodies: Sequence[bytes]) -> Sequence[bytes]:
        """Return the values in the form that is decoded, and cut, at the least cost."""
        return self._reader.packed(bodies)

    def decode(self, values: Sequence[bytes | None], frame: bytes = b"") -> pa.RecordBatch | None:
        """Decode values that begin with the frame; None if any is broken, longer than its record, or begins otherwise.

        Parameters
        ----------
        values : sequence of bytes or None
        frame : bytes
            A zero and the id of the schema, or nothing.
        """
        try:
            columns = self._reader.read(values, frame)
            if columns is None:
                return None
            columns = [_cast(c, through) for c, through in zip(columns, self._casts, strict=True)]
        except pa.ArrowInvalid:  # what can't be cast, or is no UTF-8
            return None
        return pa.RecordBatch.from_arrays(columns, schema=self._target)


def _cast(column: pa.Array, through: Sequence[pa.DataType]) -> pa.Array:
    for kind in through:
        column = column if column.type == kind else column.cast(kind)
    return column
