"""Avro records of plain fields to columns, a batch at a time: all of them, or none if there is anything wrong.

pyruhvro decodes several million a second, but does not look at what follows a record. So the lengths that the columns
would have in Avro are added up, and compared with what there was: a record that is longer than it need be, or followed
by anything, is found so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyruhvro
from numpy.typing import NDArray

from smlnb.cluster.registry import FRAME
from smlnb.formats.avro_types import flat_schema

__all__ = ["FlatAvro"]

_FIXED: Mapping[str, int] = {"boolean": 1, "float": 4, "double": 8}


class FlatAvro:
    r"""Decodes records of one schema whose fields are plain.

    Parameters
    ----------
    text : str
        The schema without logical types, as JSON.
    casts : sequence of tuples of pyarrow.DataType
        What each column is cast through.
    target : pyarrow.Schema
        The columns.

    Examples
    --------
    >>> schema = {"type": "record", "name": "r", "fields": [{"name": "x", "type": ["null", "long"]}]}
    >>> flat = FlatAvro.of(schema, pa.schema([("x", pa.int64())]))
    >>> flat.decode([b"\x02\x54", b"\x00"]).to_pydict()
    {'x': [42, None]}
    >>> flat.decode([b"\x02\x54", b"\x00 and more"])
    >>> flat.decode_framed([b"\0\0\0\0\7\x02\x54"], b"\0\0\0\0\7").to_pydict()
    {'x': [42]}
    """

    def __init__(self, text: str, casts: Sequence[Sequence[pa.DataType]], target: pa.Schema) -> None:
        fields = json.loads(text)["fields"]
        free = max((field["name"] for field in fields), key=len, default="") + "_"  # no field has such a long name
        frame = [{"name": free, "type": "boolean"}, {"name": free + "_", "type": "float"}]
        self._text = text
        self._framed = json.dumps({"type": "record", "name": "r", "fields": [*frame, *fields]})
        self._kinds = [_kind(field["type"]) for field in fields]
        self._casts, self._target = casts, target

    @classmethod
    def of(cls, schema: Any, target: pa.Schema) -> FlatAvro | None:
        """Return what decodes a schema that fastavro has parsed; None if its fields are not plain."""
        found = flat_schema(schema) if isinstance(schema, dict) else None
        return None if found is None else cls(*found, target)

    def decode(self, bodies: Sequence[bytes]) -> pa.RecordBatch | None:
        """Decode all, or return None if any is broken or longer than its record."""
        try:
            return self._checked(pyruhvro.deserialize_array(bodies, self._text).columns, bodies)
        except ValueError:  # what pyruhvro raises; Arrow's are of this kind, too
            return None

    def decode_framed(self, values: Sequence[bytes | None], frame: bytes) -> pa.RecordBatch | None:
        """Decode values that begin with the same zero and id, or return None if any is broken, or begins otherwise.

        The frame is decoded along, as a boolean and four bytes more: taking it off each value would cost as much as
        everything else here together.
        """
        try:
            first, second, *columns = pyruhvro.deserialize_array(values, self._framed).columns
            name = int.from_bytes(frame[1:], "little")
            if first.true_count or (second.to_numpy().view("<u4") != name).any():
                return None
            return self._checked(columns, values, FRAME)
        except (ValueError, TypeError):  # or there is a tombstone
            return None

    def _checked(self, columns: Sequence[pa.Array], values: Sequence[Any], frame: int = 0) -> pa.RecordBatch | None:
        """Return the columns under their names; None if the values are longer than these."""
        length = frame * len(values)
        for column, (kind, nullable) in zip(columns, self._kinds, strict=True):
            length += nullable * len(column) + _length(column, kind)
        if length != len(b"".join(values)):  # half of what it takes to add the lengths up
            return None
        return pa.RecordBatch.from_arrays(
            [_cast(c, (*t, f.type)) for c, t, f in zip(columns, self._casts, self._target, strict=True)],
            schema=self._target,
        )


def _kind(kind: str | list[str]) -> tuple[str, bool]:
    """Return the type of a field, and whether it may be null: then one byte says which it is."""
    return (kind, False) if isinstance(kind, str) else (next(k for k in kind if k != "null"), True)


def _length(column: pa.Array, kind: str) -> int:
    """Return how many bytes the values of a column take in Avro."""
    if column.null_count:
        column = column.drop_null()
    if kind in _FIXED:
        return _FIXED[kind] * len(column)
    if kind == "string":
        column.validate(full=True)  # that it is UTF-8
        lengths = pc.binary_length(column).to_numpy()
        return int(lengths.sum()) + _length_of_numbers(lengths)
    return _length_of_numbers(column.to_numpy())


def _length_of_numbers(numbers: NDArray[Any]) -> int:
    """Return how many bytes whole numbers take: 7 bits each, of which one is the sign.

    Examples
    --------
    >>> _length_of_numbers(np.array([0, 63, 64, -64, -65, 2**63 - 1]))
    17
    """
    length = len(numbers)
    lowest, highest = int(numbers.min(initial=0)), int(numbers.max(initial=0))
    bound = 64
    while lowest < -bound or highest >= bound:
        length += int(np.count_nonzero(numbers < -bound)) if lowest < -bound else 0
        length += int(np.count_nonzero(numbers >= bound)) if highest >= bound else 0
        bound <<= 7
    return length


def _cast(column: pa.Array, through: Sequence[pa.DataType]) -> pa.Array:
    for kind in through:
        column = column if column.type == kind else column.cast(kind)
    return column
