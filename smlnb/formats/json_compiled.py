"""JSON objects of one shape to columns by the compiled parser: a tenth of a microsecond for a record of ten numbers.

Nulls, missing keys and escapes in texts are as fast as the rest; other keys, other types and damage are not taken. What
it gives up is looked at by :mod:`smlnb.formats.json_packed`, and what that gives up by
:mod:`smlnb.formats.json_decode`; all three give the same columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from smlnb.formats.json_types import Shape, Type
from smlnb.formats.payloads import Payloads
from smlnb.native import AVAILABLE

if TYPE_CHECKING:
    from smlnb.native.json import Records

__all__ = ["CompiledRecords"]

_PATIENCE = 4  # batches given up in a row; from then on most are not tried: what is unusual is usual here
_PAUSE = 64  # one batch of so many is tried then


class CompiledRecords:
    """Decodes objects of numbers, booleans and texts that have no other fields than those of a shape.

    Batches may be given up again and again, as those with a damaged record in each. After four in a row only one of 64
    is tried, until one succeeds.

    Parameters
    ----------
    records : smlnb.native.json.Records
    types : mapping
        The columns and their types, in the order in which they are wanted.

    Examples
    --------
    >>> types = {"id": Type.WHOLE, "at.x": Type.DECIMAL}
    >>> compiled = CompiledRecords.of({"id": Type.WHOLE, "at": {"x": Type.DECIMAL}}, types)
    >>> if compiled is not None:  # there was a C compiler when smlnb was installed
    ...     data = compiled.decode([b'{"id": 7, "at": {"x": 0.5}}', b'{"at": {"x": null}}'])
    ...     assert data.to_pylist() == [{"id": 7, "at.x": 0.5}, {"id": None, "at.x": None}]
    ...     assert compiled.decode([b'{"id": 7, "key": 1}']) is None
    """

    def __init__(self, records: Records, types: Mapping[str, Type]) -> None:
        self._records = records
        self._schema = pa.schema([(name, kind.value[1]) for name, kind in types.items()])
        self._given_up = 0  # batches in a row
        self._paused = 0

    @classmethod
    def of(cls, shape: Shape, types: Mapping[str, Type]) -> CompiledRecords | None:
        """Return what decodes objects of this shape; None if there are other things in it, or nothing is compiled."""
        if not AVAILABLE or not types:
            return None
        from smlnb.native import json

        kinds = {
            Type.WHOLE: json.WHOLE,
            Type.DECIMAL: json.DECIMAL,
            Type.BOOLEAN: json.BOOLEAN,
            Type.TEXT: json.TEXT,
        }
        if not kinds.keys() >= set(types.values()):
            return None
        return cls(json.Records(_of_kinds(shape, kinds)), types)

    def decode(self, values: Sequence[bytes | None]) -> pa.RecordBatch | None:
        """Decode all, or return None if there is one that is unusual, or many were in the batches before."""
        if self._given_up >= _PATIENCE:
            self._paused = (self._paused + 1) % _PAUSE
            if self._paused:
                return None
        data = self._decode(values)
        self._given_up = self._given_up + 1 if data is None else 0
        return data

    def _decode(self, values: Sequence[bytes | None]) -> pa.RecordBatch | None:
        try:
            payloads = Payloads.of(values)
        except TypeError:  # no bytes
            return None
        if not payloads.complete:
            return None
        found = self._records.decode(payloads.data, payloads.bounds)
        if found is None:
            return None
        numbers, texts, nulls = found
        columns = [
            pa.array(numbers[name], mask=nulls.get(name)) if name in numbers else _texts(*texts[name], nulls.get(name))
            for name in self._schema.names
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)


def _texts(bounds: NDArray[np.int32], utf8: NDArray[np.uint8], nulls: NDArray[np.bool_] | None) -> pa.Array:
    valid = None if nulls is None else pa.py_buffer(np.packbits(~nulls, bitorder="little"))
    return pa.StringArray.from_buffers(len(bounds) - 1, pa.py_buffer(bounds), pa.py_buffer(utf8), valid)


def _of_kinds(shape: Shape, kinds: Mapping[Type, int]) -> dict[str, Any]:
    return {key: _of_kinds(kind, kinds) if isinstance(kind, dict) else kinds[kind] for key, kind in shape.items()}
